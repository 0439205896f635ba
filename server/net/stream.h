/* A connection to a mail server as the protocol clients see it: lines and bytes in, bytes out, over
 * TCP, TLS and deflate, each wait bounded. Straight-line and blocking; belongs to one thread at a
 * time. Any failure is final: later calls fail at once with the same error. */
#ifndef RESTANTE_NET_STREAM_H
#define RESTANTE_NET_STREAM_H

#include <stdatomic.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/error.h"
#include "server/net/egress.h"

/* --- TLS settings, made once and shared by all threads ---------------------------------------- */
struct tls_context;

/* Verifies against the system's CA bundle and, if not NULL, the PEM file `extra_ca`. TLS 1.2 at
 * least. */
struct tls_context *tls_context_new(const char *extra_ca, struct error *err);
void tls_context_free(struct tls_context **context);

/* --- opening ---------------------------------------------------------------------------------- */
enum stream_security {
    STREAM_TLS_IMPLICIT, /* TLS from the first byte */
    STREAM_TLS_STARTTLS, /* the protocol's own STARTTLS, required */
    STREAM_PLAIN,        /* only where the administrator allows it */
};

/* How far the making of a session came: what a person is told when it fails. The protocol clients
 * go on where the stream ends. */
enum stream_step {
    STREAM_STEP_RESOLVE,
    STREAM_STEP_CONNECT,
    STREAM_STEP_TLS,
    STREAM_STEP_GREETING,
    STREAM_STEP_SIGN_IN,
    STREAM_STEP_DONE,
};
/* "resolve", "connect", "tls", "greeting", "sign-in", "done". */
const char *stream_step_name(enum stream_step step);

enum stream_direction { STREAM_RECEIVED, STREAM_SENT };
/* Sees what goes over the wire, in pieces as they come; what was written as secret reads "[...]".
 */
typedef void stream_trace_fn(void *context, enum stream_direction direction, struct str bytes);

enum {
    STREAM_CONNECT_MS = 20000,    /* default for resolving, connecting and the TLS handshake */
    STREAM_STALL_MS = 60000,      /* default for the longest silence within an answer */
    STREAM_RATE_MS = 300000,      /* default for how long less than STREAM_RATE may come */
    STREAM_RATE = 1,              /* bytes a millisecond */
    STREAM_NEXT_ADDRESS_MS = 250, /* RFC 8305 section 5: then the next address is tried as well */
};

struct stream_params {
    struct str host;
    int port;
    enum stream_security security;
    const struct egress *egress;       /* required */
    struct tls_context *tls;           /* required unless security is STREAM_PLAIN */
    const char *dns_servers;           /* NULL: the system's */
    int connect_ms, stall_ms, rate_ms; /* 0: the defaults */
    int cancel_fd;                     /* an eventfd; readable: every wait ends; 0 or -1: none */
    const atomic_bool *cancel; /* the same as a flag, looked at a few times a second; or NULL */
    stream_trace_fn *trace;    /* or NULL */
    void *trace_context;
    enum stream_step *step; /* kept up to date when not NULL */
};

struct stream;

/* Resolves, checks each address against the egress rules, connects (several addresses at once if
 * the first is slow), and with STREAM_TLS_IMPLICIT makes TLS. NULL with ERROR_FORBIDDEN,
 * ERROR_UNREACHABLE, ERROR_TIMEOUT, ERROR_TLS. Closed and filtered ports read alike. */
struct stream *stream_connect(const struct stream_params *params, struct error *err);
/* A stream over a connected socket, whose descriptor it takes over: for tests and proxies. Host,
 * TLS, time-outs, cancelling and tracing are as in `params`; no egress rule. TLS is not made. */
struct stream *stream_adopt(int fd, const struct stream_params *params, struct error *err);
/* Closes without ceremony (TLS close-notify is tried, not awaited); clears the pointer. */
void stream_free(struct stream **stream);

/* Makes TLS on a plain stream, verified for the host of the parameters. ERROR_PROTOCOL, before
 * anything is sent, if bytes were received that nobody has read: they came in the clear and would
 * be taken for the server's (CVE-2021-22947). */
bool stream_start_tls(struct stream *stream, struct error *err);
bool stream_is_encrypted(const struct stream *stream);
/* "TLSv1.3", or "" without TLS. */
const char *stream_tls_version(const struct stream *stream);

/* Both directions deflated from here on (RFC 4978). What was received already is taken as
 * compressed. Inflated bytes are capped to 100 times the received ones beyond a first MiB. */
bool stream_start_deflate(struct stream *stream, struct error *err);

/* --- limits of what follows ------------------------------------------------------------------- */
/* The whole of what follows must be done by then; DEADLINE_NEVER: it may take however long, but
 * for stalls, and for waiting STREAM_RATE_MS in all for less than STREAM_RATE: who drips lines
 * holds a thread no longer than who drips bytes. */
void stream_set_deadline(struct stream *stream, struct deadline deadline);
void stream_set_stall_ms(struct stream *stream, int stall_ms);

/* --- reading ---------------------------------------------------------------------------------- */
/* Appends one line to `line`, its LF (and CR before it) left out. ERROR_LIMIT when the line does
 * not fit into the buffer's limit. */
bool stream_read_line(struct stream *stream, struct buf *line, struct error *err);
/* What is there, at most `length` bytes; waits for the first. Returns how many (> 0) or -1. */
ptrdiff_t stream_read_some(struct stream *stream, void *at, size_t length, struct error *err);
/* Waits at most that long for content: 1 there is some to read, 0 the time passed, -1 closed,
 * failed or cancelled. */
int stream_wait(struct stream *stream, int timeout_ms, struct error *err);

/* From now on waits end by that flag instead; NULL: by none. */
void stream_set_cancel(struct stream *stream, const atomic_bool *cancel);

/* --- writing ---------------------------------------------------------------------------------- */
/* Adds to what will be sent; sent when 64 kB are together, or by stream_flush. */
bool stream_put(struct stream *stream, struct str bytes, struct error *err);
/* The same for passwords and tokens: never traced, wiped once sent. */
bool stream_put_secret(struct stream *stream, struct str bytes, struct error *err);
/* The same in base64, as SASL's answers go. */
bool stream_put_secret_base64(struct stream *stream, struct str bytes, struct error *err);
bool stream_flush(struct stream *stream, struct error *err);

/* --- parking ---------------------------------------------------------------------------------- */
/* For epoll; owned by the stream. */
int stream_fd(const struct stream *stream);
/* True when nothing waits in our buffers, TLS's or the inflater's, so that the socket alone tells
 * when there is news. */
bool stream_is_quiet(const struct stream *stream);
/* Gives back all memory that an idle connection does not need. Only when quiet. */
void stream_park(struct stream *stream);

#endif

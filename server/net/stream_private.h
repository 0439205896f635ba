/* What the files of a stream share: the transport below (socket, TLS, deflate) and the buffers. */
#ifndef RESTANTE_NET_STREAM_PRIVATE_H
#define RESTANTE_NET_STREAM_PRIVATE_H

#include <openssl/ssl.h>

#include "server/net/resolve.h"
#include "server/net/stream.h"

enum {
    STREAM_MAGIC = 0x53747265,
    STREAM_IN_BYTES = 16384,      /* a TLS record */
    STREAM_OUT_BYTES = 65536,     /* sent at the latest then */
    STREAM_PROGRESS_BYTES = 1024, /* what a silence must be broken by to count as broken, within a
                                     line or literal: one byte a minute is a stall */
    STREAM_CANCEL_MS = 200,       /* how often the cancel flag is looked at */
};

struct deflate;

struct stream {
    unsigned magic;
    int fd;
    char *host; /* owned: ASCII */
    int port;
    struct tls_context *tls;
    SSL *ssl;                /* NULL: in the clear */
    struct deflate *deflate; /* NULL: not compressed */
    int stall_ms, rate_ms;
    struct deadline deadline;
    int waited_ms;       /* since the last progress */
    size_t progress;     /* bytes since then */
    int slow_ms;         /* waited since the deadline was set, or since enough came */
    uint64_t slow_bytes; /* received and sent until then */
    int cancel_fd;
    const atomic_bool *cancel;
    stream_trace_fn *trace;
    void *trace_context;
    char *in; /* owned, STREAM_IN_BYTES or NULL; in[in_from, in_to) is not read yet */
    size_t in_from, in_to;
    struct buf out;
    struct error failed; /* kind is not ERROR_NONE: final */
    uint64_t received, sent;
};

/* Remembers the failure for good and copies it to `err`; returns false. */
bool stream_fail(struct stream *stream, struct error *err);
/* Waits until the socket is ready for `events`: 1 ready, 0 `timeout_ms` (-1: the stall time and the
 * deadline alone count, as failures) passed, -1 failed (remembered). */
int stream_poll(struct stream *stream, short events, int timeout_ms);
/* One read or write below the deflate layer without waiting: bytes, 0 would block (`*events` says
 * for what), -1 failed (remembered). */
ptrdiff_t stream_receive(struct stream *stream, void *at, size_t length, short *events);
ptrdiff_t stream_transmit(struct stream *stream, const void *at, size_t length, short *events);

/* tls.c */
bool tls_handshake(struct stream *stream);
/* The kind and words of what OpenSSL's queue and the certificate check say. */
void tls_explain(struct stream *stream, int ssl_error, const char *doing);

/* deflate.c */
struct deflate *deflate_new(void);
void deflate_free(struct deflate **deflate);
/* Puts bytes that were received already in front of what will be. */
void deflate_feed(struct deflate *deflate, struct str bytes);
/* As stream_receive, inflated. */
ptrdiff_t deflate_receive(struct stream *stream, void *at, size_t length, short *events);
/* True when inflated bytes may be had without reading from the socket. */
bool deflate_has_pending(const struct deflate *deflate);
/* Compresses all of `bytes` and appends it with a sync flush. */
bool deflate_compress(struct deflate *deflate, struct str bytes, struct buf *out);

/* stream_connect.c: a socket connected to one of the addresses, non-blocking; -1. */
int connect_first(const struct stream_params *params, const struct address *addresses, int count,
                  struct deadline deadline, struct error *err);

#endif

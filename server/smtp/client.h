/* A submission session (RFC 6409, 5321), straight-line and blocking. Belongs to one thread at a
 * time. One session sends any number of messages, one after the other.
 *
 * Errors are typed (server/base/error.h). Those that break the connection or the protocol end the
 * session (smtp_is_alive); what the server refuses does not. */
#ifndef RESTANTE_SMTP_CLIENT_H
#define RESTANTE_SMTP_CLIENT_H

#include "server/base/secret.h"
#include "server/net/sasl.h"
#include "server/net/stream.h"
#include "server/smtp/reply.h"

struct smtp_client;

/* --- beginning and end ------------------------------------------------------------------------ */

struct smtp_params {
    struct stream_params
        stream;          /* host, port, security, egress, tls, time-outs, cancel, trace, step. The
                            flag `cancel` ends no wait for what becomes of a message sent. */
    struct str username; /* empty: no sign-in */
    enum sasl_credential credential;
    const struct secret *secret;
    enum sasl_mechanism mechanism; /* SASL_NONE: the best that is offered */
    struct str helo;               /* our name; empty: our address of this connection */
    unsigned without;              /* 1 << enum smtp_capability: act as if not offered (tests) */
};

/* Connects, makes TLS as asked for, says EHLO and signs in. NULL: ERROR_AUTH when name or password
 * are refused, ERROR_THROTTLED for 421 and 4.7.x, ERROR_UNAVAILABLE for other 4xx, ERROR_PROTOCOL
 * for STARTTLS not offered. */
struct smtp_client *smtp_connect(const struct smtp_params *params, struct error *err);
/* The same over a stream that is connected already (and encrypted, if implicit TLS was asked for);
 * takes it over, also on failure. */
struct smtp_client *smtp_attach(struct stream *stream, const struct smtp_params *params,
                                struct error *err);
/* QUIT, not waiting long; frees and clears the pointer. */
void smtp_quit(struct smtp_client **client);
/* Closes at once, frees, clears the pointer; takes NULL inside. */
void smtp_free(struct smtp_client **client);

bool smtp_is_alive(const struct smtp_client *client);
/* How many messages it has taken in this session. */
size_t smtp_accepted(const struct smtp_client *client);
bool smtp_has(const struct smtp_client *client, enum smtp_capability capability);
/* As one line, for trials and logs. Lives as long as the client. */
struct str smtp_capabilities(const struct smtp_client *client);

/* --- sending ---------------------------------------------------------------------------------- */

enum { SMTP_RECIPIENTS_MAX = 1000, SMTP_TEXT_BYTES = 300 };

enum smtp_fate {
    SMTP_UNTRIED,  /* the server was not asked */
    SMTP_ACCEPTED, /* with the message's acceptance it is the server's to deliver */
    SMTP_DEFERRED, /* 4xx: may be tried again */
    SMTP_REJECTED, /* 5xx */
};
struct smtp_recipient {
    struct str address;
    /* DSN (RFC 3461), where the server has it: of "NEVER", "SUCCESS,FAILURE,DELAY"; empty: as the
     * server likes. */
    struct str notify;
    /* filled */
    enum smtp_fate fate;
    int code;                       /* 0: none */
    char status[SMTP_STATUS_BYTES]; /* "5.1.1"; may be empty */
    char text[SMTP_TEXT_BYTES];     /* the server's words */
};

/* Gives the bytes of a message piece by piece: how many were written to `at` (at most `length`), 0
 * at the end, -1 to give up (which ends the session, and nothing is sent). */
typedef ptrdiff_t smtp_source_fn(void *context, char *at, size_t length);
/* Called once, when at least one recipient was accepted and all but the very last bytes are out:
 * what the caller writes down now ("transmitting") is durable before the server can accept. False:
 * give up (which ends the session, and nothing is sent). */
typedef bool smtp_commit_fn(void *context);

struct smtp_message {
    struct str from; /* empty: the null reverse-path */
    struct smtp_recipient *recipients;
    size_t recipient_count;
    uint64_t size_bytes;    /* as `source` gives it; 0: not known */
    bool is_8bit;           /* has bytes beyond ASCII: announced where the server has 8BITMIME */
    bool is_utf8;           /* has them in its header */
    struct str envelope_id; /* DSN's ENVID; empty: none */
    bool wants_header_only; /* DSN's RET=HDRS rather than FULL */
    smtp_source_fn *source;
    void *source_context;
    smtp_commit_fn *commit; /* may be NULL */
    void *commit_context;
};

struct smtp_result {
    bool is_accepted; /* the server has taken the message for the accepted recipients */
    /* The last bytes were sent and no answer came: the message may have been taken. It must never
     * be sent again without asking the person (ref: exactly once). */
    bool is_unknown;
    int code;
    char status[SMTP_STATUS_BYTES];
    char text[SMTP_TEXT_BYTES]; /* the server's words, often with its queue id */
};

/* One message in one transaction, pipelined where the server allows, by BDAT (RFC 3030) where it
 * has CHUNKING. Line ends of any kind in the message become CRLF: no sequence in it can end it
 * early (SMTP smuggling). True: accepted for at least one recipient; look at each. False with:
 *   ERROR_INVALID an address that cannot be written, more than SMTP_RECIPIENTS_MAX: nothing was
 * sent; ERROR_LIMIT   larger than the server takes; ERROR_REFUSED sender, content or all recipients
 * rejected for good; also SMTPUTF8 needed and not there; ERROR_UNAVAILABLE the same for now;
 * ERROR_THROTTLED for now, since it was too much: of all messages if the scope is the account's;
 * anything else: the session broke, see `result->is_unknown`. */
bool smtp_send(struct smtp_client *client, const struct smtp_message *message,
               struct smtp_result *result, struct error *err);

/* True for an address as the protocol takes it: no control characters, spaces, angle brackets; with
 * a domain. `*is_utf8` tells whether it needs SMTPUTF8. */
bool smtp_check_address(struct str address, bool *is_utf8);

#endif

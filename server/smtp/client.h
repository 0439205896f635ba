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
        stream;          /* host, port, security, egress, tls, time-outs, cancel, trace, step */
    struct str username; /* empty: no sign-in */
    enum sasl_credential credential;
    const struct secret *secret;
    enum sasl_mechanism mechanism; /* SASL_NONE: the best that is offered */
    struct str helo;               /* our name; empty: our address of this connection */
    unsigned without;              /* 1 << enum smtp_capability: act as if not offered (tests) */
};

/* Connects, makes TLS as asked for, says EHLO and signs in. NULL: ERROR_AUTH when name or password
 * are refused, ERROR_UNAVAILABLE for 4xx, ERROR_PROTOCOL for STARTTLS not offered. */
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
bool smtp_has(const struct smtp_client *client, enum smtp_capability capability);
/* As one line, for trials and logs. Lives as long as the client. */
struct str smtp_capabilities(const struct smtp_client *client);
/* Bytes of the largest message the server takes; 0: not told. */
uint64_t smtp_size_max(const struct smtp_client *client);
struct stream *smtp_stream(struct smtp_client *client);

#endif

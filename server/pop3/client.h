/* A POP3 session, straight-line and blocking (RFC 1939, 2449, 2595, 3206, 5034, 6856): each
 * function sends its command (or several at once where the server has PIPELINING), reads the
 * answers and returns. Belongs to one thread at a time.
 *
 * Errors are typed (server/base/error.h). Those that break the connection or the protocol end the
 * session (pop3_is_alive); what the server refuses does not. A session that ends otherwise than by
 * pop3_quit removes nothing (RFC 1939 section 6). */
#ifndef RESTANTE_POP3_CLIENT_H
#define RESTANTE_POP3_CLIENT_H

#include "server/base/arena.h"
#include "server/base/secret.h"
#include "server/net/sasl.h"
#include "server/net/stream.h"
#include "server/pop3/reply.h"

struct pop3_client;

/* --- beginning and end ------------------------------------------------------------------------ */

struct pop3_params {
    struct stream_params
        stream; /* host, port, security, egress, tls, time-outs, cancel, trace, step */
    struct str username;
    enum sasl_credential credential;
    const struct secret *secret;
    enum sasl_mechanism mechanism; /* SASL_NONE: the best way there is, APOP and USER included */
    unsigned without;              /* 1 << enum pop3_capability: act as if not offered (tests) */
};

/* Connects, makes TLS as asked for, signs in and learns the capabilities. NULL: ERROR_AUTH when
 * name or password are refused; ERROR_UNAVAILABLE for [IN-USE], [LOGIN-DELAY], [SYS/TEMP] and the
 * like, with the server's wish in retry_after_ms; ERROR_PROTOCOL for STLS not offered. */
struct pop3_client *pop3_connect(const struct pop3_params *params, struct error *err);
/* The same over a stream that is connected already (and encrypted, if implicit TLS was asked for);
 * takes it over, also on failure. */
struct pop3_client *pop3_attach(struct stream *stream, const struct pop3_params *params,
                                struct error *err);
/* QUIT: only now are the messages of pop3_delete removed. True once the server says so.
 * ERROR_REFUSED: some were not. Anything else: unknown, the next UIDL decides. Frees and clears the
 * pointer. */
bool pop3_quit(struct pop3_client **client, struct error *err);
/* Closes at once, so that nothing is removed; frees, clears the pointer; takes NULL inside. */
void pop3_free(struct pop3_client **client);

bool pop3_is_alive(const struct pop3_client *client);
bool pop3_has(const struct pop3_client *client, enum pop3_capability capability);
/* As one line, for trials and logs. Lives as long as the client. */
struct str pop3_capabilities(const struct pop3_client *client);
/* Days that the server keeps mail once read, or POP3_EXPIRE_NEVER, POP3_EXPIRE_UNKNOWN. */
int pop3_expire_days(const struct pop3_client *client);
/* Seconds that must pass between two sign-ins; 0: not told. */
uint32_t pop3_login_delay_s(const struct pop3_client *client);
struct stream *pop3_stream(struct pop3_client *client);

/* --- the maildrop ----------------------------------------------------------------------------- */

enum { POP3_MESSAGES_MAX = 1000000 };

struct pop3_message {
    uint32_t number;     /* of this session only */
    uint64_t size_bytes; /* as the server counts; 0: not told */
    struct str uidl;     /* empty: not told */
};
struct pop3_maildrop {
    struct pop3_message *at; /* in the arena; by ascending number, gaps included */
    size_t count;
    bool has_uidl; /* the server knows UIDL */
};
/* STAT, LIST and UIDL. ERROR_LIMIT beyond POP3_MESSAGES_MAX. */
bool pop3_list(struct pop3_client *client, struct arena *arena, struct pop3_maildrop *maildrop,
               struct error *err);

/* --- messages --------------------------------------------------------------------------------- */

struct pop3_wanted {
    uint32_t number;
    int top_lines; /* -1: the whole message; else its header and that many lines (TOP) */
};
/* Takes messages as they come in, dots unstuffed, line ends as sent. */
struct pop3_sink {
    void *context;
    /* Called before the first bytes of `wanted[index]`. */
    void (*begin)(void *context, size_t index);
    /* False: the rest of this message is not wanted; it is read and dropped, and not an error. */
    bool (*write)(void *context, struct str bytes);
    /* All of it has come. False: no further ones are wanted; what is under way is dropped. */
    bool (*end)(void *context, size_t index);
    /* Asked before each command but the first; NULL: true. False: no more messages are asked for,
     * which is not an error; those asked for already still come. */
    bool (*wants_more)(void *context);
    /* The server refused this one; the others go on. */
    void (*failed)(void *context, size_t index, const struct error *why);
};
/* RETR or TOP of each, several under way with PIPELINING. Without TOP the whole message comes.
 * False only when the session is dead, or ERROR_CONFLICT when `end` wanted no more. */
bool pop3_retrieve(struct pop3_client *client, const struct pop3_wanted *wanted, size_t count,
                   const struct pop3_sink *sink, struct error *err);

/* DELE. `is_marked[i]` tells which the server took; they go with pop3_quit. */
bool pop3_delete(struct pop3_client *client, const uint32_t *numbers, size_t count, bool *is_marked,
                 struct error *err);
/* NOOP if nothing was said for ten seconds: maildrops are closed after a silence. */
bool pop3_keep_alive(struct pop3_client *client, struct error *err);

#endif

/* What the files of a submission session share. */
#ifndef RESTANTE_SMTP_CLIENT_PRIVATE_H
#define RESTANTE_SMTP_CLIENT_PRIVATE_H

#include "server/base/clock.h"
#include "server/smtp/client.h"

enum {
    CLIENT_MAGIC = 0x534d5450,
    CLIENT_TEXT_BYTES = 300,   /* of a server's words that are kept */
    CLIENT_LINE_BYTES = 65536, /* of one line of an answer */
    CLIENT_REPLY_LINES_MAX = 500,
    CLIENT_COMMAND_MS = 300000, /* RFC 5321 section 4.5.3.2: five minutes for MAIL, RCPT, DATA */
};

/* One reply, all lines of it. */
struct client_reply {
    int code;
    char status[SMTP_STATUS_BYTES];
    char text[CLIENT_TEXT_BYTES]; /* the lines' words, cut */
};

struct smtp_client {
    unsigned magic;
    struct stream *stream;
    enum stream_security security;
    const atomic_bool *cancel; /* as asked for; not while an answer tells whether a message went */
    struct buf line;
    struct smtp_capabilities capable; /* `mechanisms` is not kept in it */
    unsigned mechanisms;              /* 1 << enum sasl_mechanism */
    unsigned without;
    struct buf capabilities; /* as told */
    size_t accepted;         /* messages, by this session */
    bool is_dead;
    struct error failure; /* what it died of */
};

/* Ends the session for good: later calls fail with this error too. Copies it to `err`. */
bool smtp_client_die(struct smtp_client *client, const struct error *failure, struct error *err);
/* Sees each line of a reply; may be NULL. */
typedef void client_line_fn(void *context, const struct smtp_line *line, bool is_first);
bool smtp_client_read_reply(struct smtp_client *client, client_line_fn *each, void *context,
                            struct client_reply *reply, struct error *err);
/* Puts words; sent by smtp_client_flush at the latest. The stream remembers a failure. */
void smtp_client_text(struct smtp_client *client, const char *text);
bool smtp_client_flush(struct smtp_client *client, struct error *err);
/* A command line, flush, reply. False: the session is dead. */
bool smtp_client_ask(struct smtp_client *client, const char *words, struct client_reply *reply,
                     struct error *err);
/* "Not so much, not so fast": 421, and what RFC 3463 has for policies (4.7.x) and for systems that
 * take nothing (4.3.2). */
bool smtp_client_reply_is_throttling(const struct client_reply *reply);
/* What a reply of 4xx or 5xx means: kind, scope, words; returns false. */
bool smtp_client_explain(const struct smtp_client *client, const struct client_reply *reply,
                         enum error_scope scope, struct error *err);

/* client_auth.c: everything from the greeting to the first message. */
bool smtp_client_greet(struct smtp_client *client, const struct smtp_params *params,
                       struct error *err);

#endif

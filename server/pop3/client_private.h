/* What the files of a POP3 session share. */
#ifndef RESTANTE_POP3_CLIENT_PRIVATE_H
#define RESTANTE_POP3_CLIENT_PRIVATE_H

#include "server/base/clock.h"
#include "server/pop3/client.h"
#include "server/pop3/dots.h"

enum {
    CLIENT_MAGIC = 0x504f5033,
    CLIENT_IN_BYTES = 65536,    /* also the longest line of an answer */
    CLIENT_PIPELINE = 64,       /* commands under way: far less than a socket's buffer holds */
    CLIENT_COMMAND_MS = 600000, /* for one command without large answers */
    CLIENT_CAPA_LINES_MAX = 200,
    CLIENT_QUIET_MS = 10000,
    CLIENT_DROPPED_BYTES_MAX = 16 << 20, /* of a message that nobody wants any more */
};

struct pop3_client {
    unsigned magic;
    struct stream *stream;
    enum stream_security security;
    char *in; /* owned, CLIENT_IN_BYTES; [in_from, in_to) is not read yet */
    size_t in_from, in_to;
    bool is_lf_only;      /* the last line ended with a bare LF */
    struct buf timestamp; /* for APOP; empty: none */
    unsigned without;
    struct pop3_capabilities capable; /* `mechanisms` is not kept in it */
    unsigned mechanisms;              /* 1 << enum sasl_mechanism */
    struct buf capabilities;          /* as told */
    int64_t spoke_ms;                 /* monotonic: when the last answer came */
    bool is_dead;
    struct error failure; /* what it died of */
};

/* Ends the session for good: later calls fail with this error too. Copies it to `err`. */
bool pop3_client_die(struct pop3_client *client, const struct error *failure, struct error *err);
/* One line without its end; valid until the next read. */
bool pop3_client_read_line(struct pop3_client *client, struct str *line, struct error *err);
/* More bytes into `in`, of which some room must be free. */
bool pop3_client_fill(struct pop3_client *client, struct error *err);
bool pop3_client_read_reply(struct pop3_client *client, struct pop3_reply *reply,
                            struct error *err);
/* A line of a listing, dots unstuffed; `*is_end` at its end. */
bool pop3_client_read_listed(struct pop3_client *client, struct str *line, bool *is_end,
                             struct error *err);

/* Puts words and the line's end; sent by pop3_client_flush at the latest. */
void pop3_client_command(struct pop3_client *client, const char *words);
bool pop3_client_flush(struct pop3_client *client, struct error *err);
/* command, flush, reply. False: the session is dead. */
bool pop3_client_ask(struct pop3_client *client, const char *words, struct pop3_reply *reply,
                     struct error *err);

/* What an -ERR means: kind, scope, words, waiting time; returns false. */
bool pop3_client_explain(const struct pop3_client *client, const struct pop3_reply *reply,
                         enum error_scope scope, struct error *err);
bool pop3_client_ask_capabilities(struct pop3_client *client, struct error *err);
/* client_auth.c: everything from the greeting to the first command. */
bool pop3_client_greet(struct pop3_client *client, const struct pop3_params *params,
                       struct error *err);

#endif

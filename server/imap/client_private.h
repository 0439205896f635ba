/* What the command files share: a session's state, sending commands and reading responses. A
 * command file puts its words, then calls client_finish; everything that arrives meanwhile goes
 * through client.c, which keeps the state and hands on. */
#ifndef RESTANTE_IMAP_CLIENT_PRIVATE_H
#define RESTANTE_IMAP_CLIENT_PRIVATE_H

#include "server/imap/client.h"
#include "server/imap/wire_private.h"

enum {
    CLIENT_MAGIC = 0x494d4150,
    CLIENT_TEXT_BYTES = 300,        /* of a server's words that are kept */
    CLIENT_LINE_BYTES = 1000,       /* RFC 2683 section 3.2.1.5 */
    CLIENT_LONG_LINE_BYTES = 8000,  /* with CONDSTORE: RFC 7162 section 4 */
    CLIENT_PIPELINE = 8,            /* commands under way: less than a socket's buffer holds */
    CLIENT_COMMAND_MS = 600000,     /* for one command without large answers */
    CLIENT_RESPONSES_MAX = 5000000, /* in one command: more is a flood */
    CLIENT_LIST_MAX = 20000,        /* mailboxes of one account */
};

/* Sees each response that arrives while its command is the oldest under way, and its own tagged
 * one. True: it was asked for, the handler need not know. Slices live until it returns. */
typedef bool client_take_fn(void *context, const struct imap_response *response);

struct client_command {
    unsigned number; /* of its tag */
    client_take_fn *take;
    void *context;
    bool is_done;
    enum imap_condition condition;
    enum imap_code code;
    char text[CLIENT_TEXT_BYTES]; /* the server's words, cut */
    struct client_command *next;
};

struct imap_client {
    unsigned magic;
    struct stream *stream;
    struct wire wire;
    struct arena *arena; /* of the response under way */
    struct imap_handler handler;
    const struct imap_host *host;
    enum stream_security security;
    uint64_t offered;    /* 1 << enum imap_capability */
    uint64_t without;    /* taken away by the quirk table or the caller */
    unsigned mechanisms; /* 1 << enum sasl_mechanism */
    bool is_capability_known;
    struct buf capabilities; /* as told */
    uint64_t append_limit;   /* APPENDLIMIT=n; 0: not told */
    bool has_qresync, has_condstore, has_utf8, is_preauth;
    struct arena *id_arena;
    struct imap_pair *id;
    size_t id_count;

    unsigned last_number;
    struct client_command *commands; /* under way, oldest first */
    const struct wire_sink *sink;    /* of the FETCH under way */
    struct client_command idle;      /* while is_idling */
    bool has_continue;
    struct buf continue_text;
    size_t responses; /* since the last command began */

    struct arena *selected_arena;
    struct imap_selected selected;
    bool is_selecting;  /* codes and counts belong to the mailbox being selected */
    bool awaits_closed; /* until [CLOSED] they belong to the old one */
    bool is_idling, is_dead;
    struct error failure; /* what it died of */
    bool has_bye;
    enum imap_code bye_code;
    char bye_text[CLIENT_TEXT_BYTES];
};

/* --- sending ---------------------------------------------------------------------------------- */
/* Begins a command: tag and words. What is put after it joins the line; failures of putting show in
 * client_finish. */
void client_begin(struct imap_client *client, struct client_command *command, const char *words,
                  client_take_fn *take, void *context);
void client_text(struct imap_client *client, const char *text);
void client_str(struct imap_client *client, struct str bytes);
void client_u64(struct imap_client *client, uint64_t number);
void client_set(struct imap_client *client, struct imap_set *set);
/* A quoted string, or a literal where it must be; a literal may have to wait for the server's "+".
 * False when the server ended the command instead (client_finish then tells) or the session broke.
 */
bool client_string(struct imap_client *client, struct client_command *command, struct str bytes,
                   struct error *err);
bool client_secret(struct imap_client *client, struct client_command *command, struct str bytes,
                   struct error *err);
/* " " and a mailbox's wire name, which client_check_name has seen. */
bool client_mailbox(struct imap_client *client, struct client_command *command,
                    struct str wire_path, struct error *err);
/* "{n}" with whatever wait it needs; the caller puts the n bytes. */
bool client_literal(struct imap_client *client, struct client_command *command, uint64_t size,
                    bool is_binary, struct error *err);
/* " (\Seen $Junk)" */
void client_flags(struct imap_client *client, unsigned flags, const struct str *keywords,
                  size_t count);
/* The line's end; sent at the latest by client_finish. */
void client_end(struct imap_client *client);

/* --- reading ---------------------------------------------------------------------------------- */
/* Reads and handles one response. False: the session is dead. */
bool client_read(struct imap_client *client, struct error *err);
/* Until the server says "+" (true) or ends the command (false, `is_done`) or breaks (false). */
bool client_await_continue(struct imap_client *client, struct client_command *command,
                           struct error *err);
/* Sends what is left, reads until the command is done, takes it out of those under way. False when
 * it was not OK: client_explain has filled `err`. */
bool client_finish(struct imap_client *client, struct client_command *command, struct error *err);
/* begin, end and finish of a command of bare words. */
bool client_run(struct imap_client *client, const char *words, client_take_fn *take, void *context,
                struct error *err);
/* Takes commands out that are left behind by a failure; they must not be waited for. */
void client_forget(struct imap_client *client, struct client_command *command);
/* Ends the session for good: later calls fail with this error too. Copies it to `err`. */
bool client_die(struct imap_client *client, const struct error *failure, struct error *err);

/* Says DONE if it idles: true, and client->idle is still to be finished. */
bool client_leave_idle(struct imap_client *client);

/* What a NO or BAD means: kind, scope, words, waiting time. */
void client_explain(struct imap_client *client, enum imap_condition condition, enum imap_code code,
                    const char *text, struct error *err);
/* True while another command may be sent: alive, not idling. Fills `err` otherwise. */
bool client_check(struct imap_client *client, struct error *err);
/* Whether a mailbox's wire name can be sent: opaque bytes without NUL. */
bool client_is_name(struct str wire_path);
/* Both. ERROR_INVALID. */
bool client_check_name(struct imap_client *client, struct str wire_path, struct error *err);

/* --- state ------------------------------------------------------------------------------------ */
/* Reads a list of capabilities anew. */
void client_capabilities(struct imap_client *client, const struct str *words, size_t count);
void client_deselect(struct imap_client *client);

/* client_auth.c: everything from the greeting to the first command. */
bool client_greet(struct imap_client *client, const struct imap_params *params, struct error *err);
size_t client_line_bytes(const struct imap_client *client);

#endif

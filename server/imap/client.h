/* An IMAP session, straight-line and blocking: each function sends its command (or several at once
 * where that is safe), reads until it is done, and returns. Belongs to one thread at a time.
 *
 * Errors are typed (server/base/error.h): kind, scope (account, mailbox, message), retry class and,
 * where the server asked for it, retry_after_ms. Some end the session (imap_is_alive): everything
 * that breaks the connection or the protocol; what the server refuses does not.
 *
 * What the server tells unasked reaches the handler, at any command.
 *
 * Capabilities are looked after here: items and options that a server does not offer are left out,
 * and functions that cannot do without one say so in their comments. */
#ifndef RESTANTE_IMAP_CLIENT_H
#define RESTANTE_IMAP_CLIENT_H

#include "server/base/secret.h"
#include "server/imap/capability.h"
#include "server/imap/mailbox_name.h"
#include "server/imap/parse.h"
#include "server/net/sasl.h"
#include "server/net/stream.h"

struct imap_client;

/* --- beginning and end ------------------------------------------------------------------------ */

/* What the server tells unasked; any function may be NULL. They are called while a command runs
 * and must not call the client. Slices live until they return. */
struct imap_handler {
    void *context;
    /* The mailbox has that many messages now (also at SELECT). */
    void (*exists)(void *context, uint32_t count);
    void (*expunge)(void *context, uint32_t seq);
    /* With QRESYNC. `is_earlier`: the answer to a SELECT or FETCH; it does not lower the count. */
    void (*vanished)(void *context, struct imap_set *uids, bool is_earlier);
    /* FETCH outside imap_fetch: changed flags, the changes of a QRESYNC SELECT. */
    void (*fetch)(void *context, const struct imap_fetch *fetch);
    /* STATUS and LIST unasked: NOTIFY's news of other mailboxes. */
    void (*status)(void *context, const struct imap_status *status);
    void (*list)(void *context, const struct imap_mailbox *mailbox);
    /* [ALERT] (and [NOTIFICATIONOVERFLOW]): to be shown to the person. */
    void (*alert)(void *context, struct str text);
};

struct imap_params {
    struct stream_params
        stream; /* host, port, security, egress, tls, time-outs, cancel, trace, step */
    struct str username;
    enum sasl_credential credential;
    const struct secret *secret;
    enum sasl_mechanism mechanism; /* SASL_NONE: the best that is offered */
    bool use_deflate;              /* COMPRESS=DEFLATE where offered: not for parked connections */
    bool use_utf8;                 /* ENABLE UTF8=ACCEPT where offered */
    uint64_t without;              /* 1 << enum imap_capability: act as if not offered (tests) */
    const struct imap_handler *handler; /* copied; NULL: none */
};

/* Connects, makes TLS as asked for, signs in, asks for capabilities where needed, sends ID, and
 * ENABLEs QRESYNC, CONDSTORE and UTF8=ACCEPT where offered, in as few round trips as the server
 * allows. NULL: ERROR_AUTH when name or password are refused; ERROR_UNAVAILABLE for "too many
 * connections" and the like; ERROR_PROTOCOL for PREAUTH before TLS or STARTTLS not offered. */
struct imap_client *imap_connect(const struct imap_params *params, struct error *err);
/* The same over a stream that is connected already (and encrypted, if implicit TLS was asked for);
 * takes it over, also on failure. */
struct imap_client *imap_attach(struct stream *stream, const struct imap_params *params,
                                struct error *err);
/* LOGOUT, not waiting long; frees and clears the pointer. */
void imap_logout(struct imap_client **client);
/* Closes at once, frees, clears the pointer; takes NULL inside. */
void imap_free(struct imap_client **client);

bool imap_is_alive(const struct imap_client *client);
bool imap_has(const struct imap_client *client, enum imap_capability capability);
/* True once ENABLED listed it; QRESYNC implies CONDSTORE. */
bool imap_has_condstore(const struct imap_client *client);
bool imap_has_qresync(const struct imap_client *client);
/* The capabilities in effect as one line, for trials and logs. Lives as long as the client. */
struct str imap_capabilities(const struct imap_client *client);
const struct imap_host *imap_host(const struct imap_client *client);
/* What the server calls itself: an item of its ID ("name"), or the empty slice. */
struct str imap_server_id(const struct imap_client *client, const char *item);
/* For time-outs, and metrics. */
struct stream *imap_stream(struct imap_client *client);

/* --- mailboxes -------------------------------------------------------------------------------- */

/* Mailbox names are wire names everywhere (struct imap_mailbox.wire_path); one made by a person
 * goes through imap_mailbox_wire. ERROR_INVALID for CR, LF, NUL or too long. */
bool imap_mailbox_wire(const struct imap_client *client, struct arena *arena, struct str path,
                       struct str *wire_path, struct error *err);

struct imap_mailboxes {
    struct imap_mailbox *at; /* in the arena of the call */
    size_t count;
};

/* All mailboxes with their roles and subscriptions, with STATUS in the same round trip where the
 * server has LIST-STATUS; otherwise with LSUB or XLIST beside it, and with `with_status` pipelined
 * STATUS commands. A server that answers NO keeps what it listed out of `mailboxes`: ERROR_REFUSED
 * or UNAVAILABLE. */
bool imap_list(struct imap_client *client, struct arena *arena, bool with_status,
               struct imap_mailboxes *mailboxes, struct error *err);
/* All that tells whether anything is new: the end of IDLE if it idles, imap_list with STATUS, and a
 * NOOP for the selected mailbox, whose news a server need not tell in STATUS (RFC 9051 section
 * 6.3.11). Sent at once: one round trip where the server has LIST-STATUS. */
bool imap_look(struct imap_client *client, struct arena *arena, struct imap_mailboxes *mailboxes,
               struct error *err);

/* STATUS of several mailboxes, pipelined. `has` stays 0 in those that the server refuses. */
bool imap_status(struct imap_client *client, struct arena *arena, const struct str *wire_paths,
                 size_t count, struct imap_status *statuses, struct error *err);

/* The personal, other users' and shared namespaces; empty without NAMESPACE. */
bool imap_namespaces(struct imap_client *client, struct arena *arena,
                     struct imap_namespace **namespaces, size_t *count, struct error *err);

/* With a SPECIAL-USE attribute (one IMAP_USE_ bit, 0: none) where the server takes it. An existing
 * one is a success: the end state matches (ref: exactly once). */
bool imap_create(struct imap_client *client, struct str wire_path, unsigned use, struct error *err);
bool imap_rename(struct imap_client *client, struct str from, struct str to, struct error *err);
bool imap_delete(struct imap_client *client, struct str wire_path, struct error *err);
bool imap_subscribe(struct imap_client *client, struct str wire_path, bool is_subscribed,
                    struct error *err);

struct imap_quotas {
    struct imap_quota *at;
    size_t count;
};
/* Quota roots of a mailbox; none without QUOTA. */
bool imap_quota(struct imap_client *client, struct arena *arena, struct str wire_path,
                struct imap_quotas *quotas, struct error *err);

/* --- the selected mailbox --------------------------------------------------------------------- */

struct imap_selected {
    struct str wire_path; /* empty: none is selected */
    uint32_t uidvalidity; /* 0: not told */
    uint32_t uidnext;     /* 0: not told */
    uint32_t exists;      /* kept up to date */
    uint32_t recent, unseen;
    uint64_t highestmodseq; /* 0: NOMODSEQ or not told; kept up to date (also when it goes down) */
    bool has_modseq;        /* CONDSTORE works in this mailbox */
    bool is_read_only;
    unsigned permanent_flags; /* enum imap_flag bits that may be stored for good */
    bool allows_keywords;     /* new keywords may be made: "\*" */
    struct str *keywords;     /* those that may be stored without it */
    size_t keyword_count;
    struct str mailbox_id; /* OBJECTID; empty: not told */
};

struct imap_select_params {
    struct str wire_path;
    bool is_read_only; /* EXAMINE */
    /* QRESYNC, where enabled and `uidvalidity` and `modseq` are not 0: what changed since goes to
     * handler.fetch and handler.vanished before this returns. `known` must not be empty then; its
     * end is widened to 4294967295 (cyrus-imapd#6071). */
    uint32_t uidvalidity;
    uint64_t modseq;
    struct imap_set *known;
};

/* ERROR_NOT_FOUND, REFUSED, UNAVAILABLE have mailbox scope; nothing is selected then. `selected`
 * (may be NULL) is a copy whose slices live until the next SELECT. */
bool imap_select(struct imap_client *client, const struct imap_select_params *params,
                 struct imap_selected *selected, struct error *err);
/* Nothing selected afterwards and nothing expunged: UNSELECT, or EXAMINE of nothing. */
bool imap_unselect(struct imap_client *client, struct error *err);
const struct imap_selected *imap_selected(const struct imap_client *client);

/* --- messages --------------------------------------------------------------------------------- */

/* Takes large literals as they come in. `fetch` is what that FETCH has told so far: its uid is 0 if
 * the server tells it later, then the message function does. */
struct imap_sink {
    void *context;
    size_t threshold; /* literals of at least that many bytes go here; smaller ones are held */
    /* False: the rest of this literal is not wanted; it is read and dropped, and not an error. */
    bool (*begin)(void *context, const struct imap_fetch *fetch,
                  const struct imap_section *section);
    bool (*write)(void *context, struct str bytes);
    bool (*end)(void *context);
};

enum { IMAP_SECTIONS_MAX = 32 };
struct imap_fetch_params {
    struct imap_set *uids; /* or NULL, see seq_low */
    /* Instead of UIDs: message numbers, for the first page of a mailbox never seen. */
    uint32_t seq_low, seq_high;
    bool uses_saved; /* instead of UIDs: what imap_search saved; only with SEARCHRES (RFC 5182) */
    /* With PARTIAL (RFC 9394): only that many of `uids`, from the highest; 0: all. */
    uint32_t newest;
    unsigned items; /* enum imap_item; UID is always asked for */
    /* Sections as in struct imap_section.name; fetched with PEEK. */
    struct {
        struct str name;
        bool is_binary;  /* only with BINARY, else as BODY */
        uint32_t length; /* <0.length>; 0: all */
        uint32_t origin; /* where the partial begins */
    } sections[IMAP_SECTIONS_MAX];
    size_t section_count;
    uint64_t changed_since; /* 0: all; only with CONDSTORE */
    bool wants_vanished; /* with changed_since and QRESYNC: handler.vanished tells the expunged */
    const struct imap_sink *sink; /* NULL: literals are held; those too large are cut (is_cut) */
};

/* Called for each FETCH that arrives, in the server's order: also one that was not asked for,
 * several for one message, some without UID (uid 0) or with less than was asked for; look at `has`.
 * Slices live until it returns. False stops the command after the answer was read: ERROR_CONFLICT.
 */
typedef bool imap_fetch_fn(void *context, const struct imap_fetch *fetch);

/* Cuts long sets into several commands (RFC 2683 3.2.1.5), pipelined. UIDs that do not exist are
 * left out by the server, without error. Errors have mailbox scope; NO to a command that asks for
 * one message has message scope. */
bool imap_fetch(struct imap_client *client, const struct imap_fetch_params *params,
                imap_fetch_fn *each, void *context, struct error *err);

struct imap_store_params {
    struct imap_set *uids;
    bool is_removal;            /* -FLAGS rather than +FLAGS */
    unsigned flags;             /* enum imap_flag bits */
    const struct str *keywords; /* those that the mailbox does not take are left out */
    size_t keyword_count;
    uint64_t unchanged_since; /* 0: unconditional; only with CONDSTORE */
};
/* `modified` (may be NULL; in the arena, which may be NULL with it): UIDs that UNCHANGEDSINCE held
 * back. What the server tells of the new flags goes to handler.fetch. */
bool imap_store(struct imap_client *client, const struct imap_store_params *params,
                struct arena *arena, struct imap_set *modified, struct error *err);

/* COPYUID, as far as it was told. */
struct imap_copied {
    uint32_t uidvalidity;      /* of the destination; 0: not told */
    const uint32_t *from, *to; /* pairs, in the arena */
    size_t count;              /* 0: not told */
};
/* ERROR_NOT_FOUND with mailbox scope when the destination does not exist. */
bool imap_copy(struct imap_client *client, struct arena *arena, struct imap_set *uids,
               struct str wire_path, struct imap_copied *copied, struct error *err);
/* UID MOVE; without MOVE: COPY, then, once it succeeded, \Deleted and UID EXPUNGE. Without UIDPLUS
 * either the originals keep \Deleted and `*is_left` (may be NULL) tells so: a bare EXPUNGE would
 * take other people's. On a NO some may have moved (RFC 6851 section 3.3): `copied` holds those
 * told. */
bool imap_move(struct imap_client *client, struct arena *arena, struct imap_set *uids,
               struct str wire_path, struct imap_copied *copied, bool *is_left, struct error *err);
/* UID EXPUNGE of those that have \Deleted. ERROR_CONFLICT without UIDPLUS: never a bare EXPUNGE. */
bool imap_expunge_uids(struct imap_client *client, struct imap_set *uids, struct error *err);

/* Gives the bytes of a message piece by piece: how many were written to `at` (at most `length`), -1
 * to give up (which ends the connection, as the size was promised). */
typedef ptrdiff_t imap_source_fn(void *context, char *at, size_t length);
struct imap_append_params {
    struct str wire_path;
    unsigned flags; /* enum imap_flag bits */
    const struct str *keywords;
    size_t keyword_count;
    int64_t internaldate_at; /* UTC microseconds; 0: now */
    uint64_t size;
    imap_source_fn *source;
    void *source_context;
    uint32_t
        replace_uid; /* REPLACE (RFC 8508) this one of the selected mailbox; 0: a new message */
    bool has_nul;    /* NUL bytes in it: only with BINARY (RFC 3516) */
    bool
        has_utf8_header; /* 8-bit in its header: marked as such once UTF8=ACCEPT is on (RFC 6855) */
};
struct imap_appended {
    uint32_t uidvalidity, uid; /* 0: not told */
};
/* ERROR_LIMIT with message scope when APPENDLIMIT forbids it or the quota is full (nothing was sent
 * or it was refused; the session goes on); ERROR_NOT_FOUND when the mailbox does not exist;
 * ERROR_CONFLICT for replace_uid without REPLACE and for has_nul without BINARY. */
bool imap_append(struct imap_client *client, const struct imap_append_params *params,
                 struct imap_appended *appended, struct error *err);
/* Several to the mailbox of the first: all or none with MULTIAPPEND (RFC 3502), else one after the
 * other up to the first failure. `appended` has `count` places, those not told are 0. */
bool imap_append_all(struct imap_client *client, const struct imap_append_params *messages,
                     size_t count, struct imap_appended *appended, struct error *err);

/* --- searching -------------------------------------------------------------------------------- */
struct imap_term {
    const char *key; /* "UNSEEN", "HEADER Message-ID", "SINCE", "UID", "OR", "NOT" */
    bool has_text;
    struct str text;      /* quoted, or as a literal where it must be; UTF-8 */
    struct imap_set *set; /* or a set */
    const char *word;     /* or a bare word, for dates: "1-Feb-2026" */
};
enum imap_return {
    IMAP_RETURN_ALL = 1 << 0,
    IMAP_RETURN_MIN = 1 << 1,
    IMAP_RETURN_MAX = 1 << 2,
    IMAP_RETURN_COUNT = 1 << 3,
};
struct imap_search_params {
    const struct imap_term *terms; /* none: ALL */
    size_t term_count;
    unsigned returns; /* enum imap_return; 0: all */
    uint32_t newest;  /* with PARTIAL: at most that many, from the highest */
    bool saves;       /* keep the result at the server for imap_fetch_params.uses_saved */
};
/* UID SEARCH; `found` in the arena. Without ESEARCH, min, max and count are made from all. */
bool imap_search(struct imap_client *client, struct arena *arena,
                 const struct imap_search_params *params, struct imap_found *found,
                 struct error *err);
/* UIDs of the messages with that Message-ID (with or without <>) at or above `uid_low`: candidates,
 * as HEADER matches parts of it, and servers whose search is broken (QQ) give all at or above. */
bool imap_search_message_id(struct imap_client *client, struct arena *arena, struct str message_id,
                            uint32_t uid_low, struct imap_found *found, struct error *err);

/* --- waiting ---------------------------------------------------------------------------------- */
bool imap_noop(struct imap_client *client, struct error *err);

/* IDLE (RFC 2177). Start returns when the server has said "+"; what it tells goes to the handler.
 * ERROR_CONFLICT without IDLE. */
bool imap_idle_start(struct imap_client *client, struct error *err);
/* Waits for news at most that long and reads all that is there: 1 the handler was called or might
 * have been, 0 nothing came, -1 the session is dead. With timeout 0 it is what a parked connection
 * calls when its socket is readable. */
int imap_idle_step(struct imap_client *client, int timeout_ms, struct error *err);
bool imap_idle_done(struct imap_client *client, struct error *err);
bool imap_is_idling(const struct imap_client *client);

/* NOTIFY (RFC 5465) for the selected mailbox and all personal ones; from then on handler.status and
 * .list tell of the others too. ERROR_CONFLICT without it. */
bool imap_notify_start(struct imap_client *client, struct error *err);

/* Parking: the socket for epoll; whether nothing waits in any buffer so that the socket alone
 * tells; giving back buffers. */
int imap_fd(const struct imap_client *client);
bool imap_can_park(const struct imap_client *client);
void imap_park(struct imap_client *client);

#endif

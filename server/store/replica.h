/* What the sync role writes: the server's state, batch by batch. A batch is one transaction that
 * holds rows, their cursor, the counts and the change-log row together; a crash leaves either all
 * or nothing of it. The account's own row is locked only at the end of a batch, so that a person's
 * click never waits behind a backfill. */
#ifndef RESTANTE_STORE_REPLICA_H
#define RESTANTE_STORE_REPLICA_H

#include "server/store/mailboxes.h"
#include "server/store/store.h"

struct replica_mailbox {
    int64_t id; /* 0: not here yet */
    int64_t parent_id;
    struct str name, path;
    struct str wire_path; /* bytes as the server sends them */
    struct str delimiter;
    enum mailbox_role role;
    bool is_subscribed, is_selectable, is_local;
    bool is_pending;      /* somebody asked for it, and it is not made upstream yet */
    struct str object_id; /* MAILBOXID; empty: none */
    uint32_t uidvalidity; /* 0: never selected */
    uint32_t uidnext;
    uint32_t backfill_uid; /* all UIDs in [backfill_uid, uidnext) are here; 1: complete; 0: nothing
                              yet */
    uint64_t highestmodseq;
    int upstream_total;
    int64_t set_aside_until;
    /* read only */
    int total, unread; /* what people see */
    int placements; /* rows with a uid, hidden ones too: what must equal EXISTS; -1: not asked for
                     */
};

/* All mailboxes with their cursors, by path. With `with_counts`, `placements` is counted. */
bool replica_mailboxes(struct db *db, struct arena *arena, int64_t account_id, bool with_counts,
                       struct replica_mailbox **mailboxes, size_t *count, struct error *err);

/* What the server has told of one message in a mailbox. */
struct replica_flags {
    uint32_t uid;
    int flags;           /* enum email_flag bits */
    struct str keywords; /* the others, space separated; empty: none */
    uint64_t modseq;     /* 0: not told */
};

/* A message to add. JSON texts are as the schema says; all texts valid UTF-8 without NUL. */
struct replica_email {
    struct replica_flags placed; /* uid 0: only here (POP3, drafts) */
    struct str upstream_id;      /* empty: none; a known one adds only a placement */
    struct str message_id, in_reply_to, references;
    struct str subject;
    struct str from_json, sender_json, reply_to_json, to_json, cc_json, bcc_json;
    int64_t sent_at; /* 0: none */
    int64_t received_at;
    int64_t size_bytes;
    bool has_attachment;
    struct str preview;
    struct str structure, header_json; /* JSON; empty: null */
    const int64_t *thread_keys; /* hashes (mail/thread.h): own id first, then what it refers to */
    size_t thread_key_count;
    int64_t message_key; /* 0: none */
    struct str words;    /* for search, as tsvectorrecv reads it; empty: none */
    int64_t blob_id; /* the whole message, whose row blobs_copy_rows brings in this transaction; 0:
                        none */
    bool is_settled; /* its text is here too, or there is none */
    int64_t id;      /* filled: the email's id here */
    bool is_known;   /* filled: the email was here already (another placement of it) */
};

struct replica_batch;

/* Starts a transaction on `db` for one account. */
struct replica_batch *replica_begin(struct db *db, int64_t account_id, struct error *err);
/* What it adds takes these ids, got by replica_allocate_ids before: two for each message. So they
 * stand in an order that was settled sooner, and batches whose transaction has begun already need
 * not hold the account's row. */
void replica_give_ids(struct replica_batch *batch, int64_t first, int count);
/* Counts, change rows, NOTIFY, COMMIT. The batch is freed in any case and the pointer cleared. */
bool replica_commit(struct replica_batch **batch, struct error *err);
/* Rolls back and frees. */
void replica_abandon(struct replica_batch **batch);

/* Inserts (id 0, which is then filled) or updates name, place, role and attributes by id. */
bool replica_mailbox_put(struct replica_batch *batch, struct replica_mailbox *mailbox,
                         struct error *err);
/* Inserts under the id given. */
bool replica_mailbox_add(struct replica_batch *batch, const struct replica_mailbox *mailbox,
                         struct error *err);
/* With its placements; emails left without any placement go too. */
bool replica_mailbox_remove(struct replica_batch *batch, int64_t mailbox_id, struct error *err);
/* uidvalidity, uidnext, backfill_uid, highestmodseq, upstream_total, set_aside_until. */
bool replica_mailbox_cursor(struct replica_batch *batch, const struct replica_mailbox *mailbox,
                            struct error *err);

/* Adds messages by binary COPY, finds or makes their threads, fills `id` and `is_known`. A UID that
 * is here already only has its flags updated. Best the first call of a batch that was given no ids:
 * they are then allocated before the transaction, which thus need not hold the account's row.
 * ERROR_LIMIT (and nothing is written) for texts beyond what mail/ lets through. */
bool replica_emails_add(struct replica_batch *batch, int64_t mailbox_id,
                        struct replica_email *emails, size_t count, struct error *err);
/* The server's flags; what is pending stays laid over them. UIDs not here are ignored. */
bool replica_flags_set(struct replica_batch *batch, int64_t mailbox_id,
                       const struct replica_flags *flags, size_t count, struct error *err);
/* These UIDs are gone upstream. Emails left without any placement go too, except those that a
 * pending operation still shows elsewhere. `*removed` (may be NULL) counts the placements. */
bool replica_expunge(struct replica_batch *batch, int64_t mailbox_id, const uint32_t *uids,
                     size_t count, size_t *removed, struct error *err);
/* UIDVALIDITY changed: forgets all UIDs of the mailbox. Rows stay, without uid and still to be
 * seen, until replica_emails_add meets them again (by upstream id, else by Message-ID, size and
 * date) or replica_uids_settle removes what was not met. */
bool replica_uids_forget(struct replica_batch *batch, int64_t mailbox_id, struct error *err);
bool replica_uids_settle(struct replica_batch *batch, int64_t mailbox_id, struct error *err);
/* What a parse of the whole message or of its structure tells later. Empty texts stay as they are.
 */
bool replica_email_parsed(struct replica_batch *batch, int64_t email_id, struct str structure,
                          struct str header_json, struct str preview, bool has_attachment,
                          struct error *err);
/* The whole message is here (blob_begin with part "" was finished in this transaction). */
bool replica_email_blob(struct replica_batch *batch, int64_t email_id, int64_t blob_id,
                        struct error *err);
/* Many whole messages that came after their metadata, before blobs_copy_rows in the same
 * transaction. Empty texts stay as they are. ERROR_CONFLICT: one is gone. */
struct replica_whole {
    int64_t email_id, blob_id;
    struct str structure, header_json, preview;
    bool has_attachment;
    bool is_poison;  /* it becomes quarantined */
    bool is_settled; /* its words come in the same transaction; else they follow (pop3_wordless) */
};
bool replica_wholes_put(struct replica_batch *batch, const struct replica_whole *wholes,
                        size_t count, struct error *err);
bool replica_email_quarantine(struct replica_batch *batch, int64_t email_id, struct error *err);
/* Their text is here, or there is none, or it cannot be had. */
bool replica_text_settled(struct replica_batch *batch, const int64_t *email_ids, size_t count,
                          struct error *err);
/* The words of a whole message in place of those it had (search.h). */
bool replica_words_put(struct replica_batch *batch, int64_t email_id, struct str words,
                       struct error *err);
/* The words of a text that came after the rest of its message; before replica_text_settled. */
bool replica_words_append(struct replica_batch *batch, int64_t email_id, struct str words,
                          struct error *err);
/* An id of the account's own series, for blobs; outside the batch's transaction, gaps are harmless.
 */
bool replica_allocate_ids(struct db *db, int64_t account_id, int count, int64_t *first,
                          struct error *err);

/* The UIDs of a mailbox in ascending order with what is known of each, from `low` to `high`. */
bool replica_uids(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                  uint32_t low, uint32_t high, struct replica_flags **known, size_t *count,
                  struct error *err);

/* How many messages of a mailbox have a UID here: what must agree with EXISTS. Counts rows. */
bool replica_placement_count(struct db *db, int64_t account_id, int64_t mailbox_id, int64_t *count,
                             struct error *err);

/* Where an email lies upstream: any placement with a uid. ERROR_NOT_FOUND: nowhere. */
struct replica_place {
    int64_t mailbox_id;
    struct str wire_path;
    uint32_t uidvalidity, uid;
    struct str structure; /* JSON; empty: not known */
};
bool replica_place_of(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                      struct replica_place *place, struct error *err);

/* Emails of a mailbox received after `since` whose text is not here yet, newest first, with what is
 * needed to fetch it. One is listed until a blob of it is here or replica_text_settled names it. */
struct replica_wanted {
    int64_t email_id;
    uint32_t uid;
    int64_t size_bytes;
    struct str structure;
    int64_t received_at;
};
bool replica_wanting_text(struct db *db, struct arena *arena, int64_t account_id,
                          int64_t mailbox_id, int64_t since, int limit,
                          struct replica_wanted **wanted, size_t *count, struct error *err);

/* The same for whole messages of at most `size_max` bytes, without `structure`: those whose blob is
 * not here. They follow `after`; all zero: from the newest on. */
struct replica_position {
    int64_t received_at, email_id;
};
bool replica_wanting_whole(struct db *db, struct arena *arena, int64_t account_id,
                           int64_t mailbox_id, const struct replica_position *after,
                           int64_t size_max, int limit, struct replica_wanted **wanted,
                           size_t *count, struct error *err);

#endif

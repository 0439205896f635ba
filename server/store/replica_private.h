/* What the files of replica share: the batch and what it remembers until its commit. */
#ifndef RESTANTE_STORE_REPLICA_PRIVATE_H
#define RESTANTE_STORE_REPLICA_PRIVATE_H

#include "server/store/db.h"
#include "server/store/emails.h"
#include "server/store/replica.h"

enum { REPLICA_MAGIC = 0x52500b01 };

/* Ids in the arena; sorted and made unique when they are written. */
struct id_list {
    int64_t *at;
    size_t count, capacity;
};

enum replica_type {
    REPLICA_MAILBOX,
    REPLICA_EMAIL,
    REPLICA_THREAD,
    REPLICA_OPERATION,
    REPLICA_TYPES
};

/* What the commit writes of one mailbox. */
struct replica_touch {
    int64_t mailbox_id;
    int32_t total, unread; /* how much more than before */
    bool has_cursor;
    struct replica_mailbox cursor; /* numbers only */
};

struct replica_batch {
    unsigned magic;
    struct db *db;
    int64_t account_id;
    struct arena *arena;
    struct replica_touch *touched;
    size_t touched_count, touched_capacity;
    size_t emails_added;
    int64_t next_id; /* of those taken before */
    int ids_left;
    struct {
        struct id_list created, updated, destroyed;
    } changes[REPLICA_TYPES];
};

void id_list_add(struct arena *arena, struct id_list *list, int64_t id);
void id_list_sort(struct id_list *list);

/* A map from any number to an index. At most `capacity` keys. */
struct id_map {
    size_t mask;
    int64_t *keys;
    int32_t *values; /* -1: free */
};
void id_map_init(struct arena *arena, struct id_map *map, size_t capacity);
/* The value of `key`, which becomes `value` if it is new: `*at` tells by being equal. */
int32_t *id_map_at(struct id_map *map, int64_t key, int32_t value);
/* -1: not in it. */
int32_t id_map_get(const struct id_map *map, int64_t key);

/* The mailbox's entry, made if missing; valid until the next call. */
struct replica_touch *replica_touch(struct replica_batch *batch, int64_t mailbox_id);
/* Writes the counts now rather than at the commit, where the account's row is to be locked before
 * that: nothing of the batch may touch placements afterwards. */
bool replica_write_counts(struct replica_batch *batch, struct error *err);
/* The counts and the change log likewise, for a batch that takes nothing but operations afterwards:
 * posted, so that the commit needs no round trip but its own. */
bool replica_post_changes(struct replica_batch *batch, struct error *err);
/* Ids for this batch: of those given to it, else new ones, before its transaction if nothing was
 * done in it yet. */
bool replica_take_ids(struct replica_batch *batch, int count, int64_t *first, struct error *err);

/* In place of foreign keys (store.h, is_bulk): these emails, each named once, are there until the
 * end of the transaction. */
bool replica_hold_emails(struct db *db, int64_t account_id, const int64_t *email_ids, size_t count,
                         struct error *err);

static inline bool flags_are_unread(int flags)
{
    return (flags & (FLAG_SEEN | FLAG_DRAFT)) == 0;
}

/* The counts by the difference of what is seen of one placement. */
static inline void replica_count_seen(struct replica_touch *touch, int old_flags, int flags,
                                      bool was_hidden, bool is_hidden)
{
    touch->total += was_hidden - is_hidden;
    touch->unread +=
        (is_hidden ? 0 : flags_are_unread(flags)) - (was_hidden ? 0 : flags_are_unread(old_flags));
}

/* Threads of `count` new emails with the given keys: one statement finds the known ones, others are
 * made with the ids from `*next_id` on; conversations that an email joins are merged. Fills
 * `thread_ids`; at most `count` ids are used. */
struct thread_seed {
    const int64_t *keys;
    size_t key_count;
};
bool replica_find_threads(struct replica_batch *batch, const struct thread_seed *seeds,
                          size_t count, int64_t *next_id, int64_t *thread_ids, struct error *err);

/* Removes those of the emails that have no placement any more, and their threads; the others were
 * changed. */
bool replica_drop_orphans(struct replica_batch *batch, struct id_list *emails, struct error *err);

/* --- the overlay (overlay.c) ------------------------------------------------------------------ */

/* What people see of these placements anew, after the server's flags changed below. */
bool overlay_fold(struct replica_batch *batch, int64_t mailbox_id, const int64_t *emails,
                  size_t count, struct error *err);
/* Locks what an operation concerns, before anything of it is written. */
bool overlay_lock(struct replica_batch *batch, int64_t operation_id, struct error *err);
/* Before the end of one that does not happen: the keywords that it wrote, and are no bits, are as
 * before, but for the emails where it is done. With a mailbox (else 0) only there. */
bool overlay_take_words_back(struct replica_batch *batch, int64_t operation_id, int64_t mailbox_id,
                             const int64_t *done, size_t done_count, struct error *err);
/* An operation ends, whatever became of it: its items go, rows that only it showed go too, and the
 * overlay of all others is folded anew from what else is pending. With a source (else 0) only of
 * what it takes from that mailbox. */
bool overlay_end(struct replica_batch *batch, int64_t operation_id, int64_t source_id,
                 struct error *err);
/* The same for the rows of replay_pass_on (email_id, from, to). Frees `rows`. */
bool overlay_take_passed(struct replica_batch *batch, struct db_rows *rows, struct error *err);
/* The rows of a DELETE (email_id, mailbox_id, flags, is_hidden): counts, and emails left without
 * any place. Frees `rows`. */
bool overlay_take_removed(struct replica_batch *batch, struct db_rows *rows, struct error *err);

#endif

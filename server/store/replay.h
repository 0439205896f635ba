/* Carrying out upstream what people did here (actions.h): what an operation concerns, and what
 * became of it. Sync role only. */
#ifndef RESTANTE_STORE_REPLAY_H
#define RESTANTE_STORE_REPLAY_H

#include "server/store/replica.h"

enum replay_kind { REPLAY_KEYWORDS, REPLAY_MOVE, REPLAY_COPY, REPLAY_DESTROY };

/* One email that the operation concerns. */
struct replay_item {
    int64_t email_id;
    uint32_t uid;       /* where it lies; 0: it is not there (any more) */
    uint32_t there_uid; /* in the target, if it is there already */
    int set, clear;     /* flags; those that a later operation decides are left out */
    struct str later;   /* words that a later operation decides, separated by spaces */
    struct str message_id;
    int64_t size_bytes;
    /* what became of it, filled by who carries it out */
    bool is_done;
    uint32_t new_uid; /* MOVE, COPY: in the target; 0: not told */
};

struct replay {
    enum replay_kind kind;
    int64_t operation_id;
    int64_t mailbox_id; /* where they lie, as asked; replay_load makes it the place they are in */
    int64_t target_id;  /* MOVE, COPY */
    struct replay_item *items;
    size_t count;
    bool has_more; /* items in other mailboxes, for the next replay_load */
    bool is_left;  /* filled: \Deleted where they were, as they could not be expunged */
    bool is_ended; /* filled by replay_end: nothing of the operation is left to do */
};

/* A move that has not begun: what a later operation takes on, or back, becomes that one's alone, so
 * that it goes over the wire once or not at all. */
bool replay_pass_on(struct db *db, int64_t account_id, int64_t operation_id, struct error *err);

/* Keywords that are about to be told: what later operations decide anyway is left to those, which
 * can only be taken back by the opposite from now on. */
bool replay_leave_to_later(struct db *db, int64_t account_id, int64_t operation_id,
                           struct error *err);

/* Loads the items of one mailbox by UID; those without one first. Several mailboxes has only what
 * moves passed on to. */
bool replay_load(struct db *db, struct arena *arena, int64_t account_id, struct replay *replay,
                 struct error *err);

/* Within a batch: writes what became of each item, ends their overlay and, if there are no more
 * elsewhere, the operation itself. `why` NULL: it is done; else it has failed for good, and what is
 * not done is as it was before: what an earlier move had passed on goes where that was to bring it.
 */
bool replay_end(struct replica_batch *batch, struct replay *replay, const struct error *why,
                struct error *err);
/* The same for an operation on a folder: what else is pending of that is laid over it anew. */
bool replay_end_mailbox(struct replica_batch *batch, int64_t operation_id, int64_t mailbox_id,
                        const struct error *why, struct error *err);

#endif

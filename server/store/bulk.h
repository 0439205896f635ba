/* Actions on everything that a search or a folder has: accepted as one row, whatever their number,
 * and carried out in the background some messages at a time. Each batch is one transaction that
 * holds an action (actions.h) and the cursor, so that a crash leaves each message acted upon once.
 * What matched when it was accepted is what it concerns: what came later is left alone, and so is
 * what the person did something else with meanwhile. Batches of one account go in the order in
 * which they were accepted. */
#ifndef RESTANTE_STORE_BULK_H
#define RESTANTE_STORE_BULK_H

#include "server/store/actions.h"

enum {
    BULK_BATCH = 1000,        /* messages in a transaction, and in one command upstream */
    BULK_EMAILS_MAX = 1000000 /* more are refused */
};

enum bulk_kind { BULK_KEYWORDS, BULK_MOVE, BULK_COPY, BULK_TRASH, BULK_DESTROY, BULK_UNDO };
enum bulk_state { BULK_RUNNING, BULK_DONE, BULK_FAILED, BULK_CANCELLED };
const char *bulk_kind_name(enum bulk_kind kind);
const char *bulk_state_name(enum bulk_state state);

struct bulk {
    int64_t account_id, id;
    enum bulk_kind kind;
    enum bulk_state state;
    int64_t mailbox_id;        /* only what lies in it, and only there; 0: wherever they lie */
    struct str query;          /* as typed; empty: all of the mailbox */
    int64_t asked_at;          /* UTC microseconds: what "today" in the query means */
    int zone_minutes;          /* of the person, east of UTC */
    int set, clear;            /* enum email_flag bits; of a MOVE they are set first */
    struct str added, removed; /* other keywords, separated by spaces */
    int64_t target_id;         /* MOVE, COPY */
    int64_t until;             /* MOVE: snoozed, UTC microseconds; 0: not so */
    int64_t undoes_id;         /* UNDO: which one it takes back */
    bool is_found;             /* `total` is known */
    int total, done;           /* messages; of an undo, operations */
    bool is_marked;            /* internal: the batch at `done` has its flags */
    int changed;               /* places of messages that look different for it */
    struct str error;          /* a sentence, when it failed */
    int64_t ended_at;          /* 0: it runs */
    int64_t user_id;           /* whose account it is */
};

/* Accepts one: `action` tells kind, folder, flags, target and key; its lists of messages are empty.
 * One statement. ERROR_INVALID: neither folder nor query. The query is parsed beforehand by the
 * caller, who tells people what is wrong with it. */
bool bulk_add(struct db *db, int64_t account_id, const struct action *action, struct str query,
              int zone_minutes, int64_t *id, struct error *err);
bool bulk_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                struct bulk *bulk, struct error *err);
/* The newest first. */
bool bulk_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
               struct bulk **bulks, size_t *count, struct error *err);
/* It ends where it is; what was done stays done. ERROR_CONFLICT: it has ended already. */
bool bulk_cancel(struct db *db, int64_t account_id, int64_t id, struct error *err);
/* Ends it and takes back what it did, in the background too. ERROR_CONFLICT: what was deleted for
 * good cannot come back, and an undo is not taken back. */
bool bulk_undo(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
               struct str idempotency_key, int64_t *undo_id, struct error *err);

/* --- sync role -------------------------------------------------------------------------------- */

/* What is to be gone on with next, of any account. ERROR_NOT_FOUND: nothing. */
bool bulk_next(struct db *db, struct arena *arena, struct bulk *bulk, struct error *err);
/* What a search of the bulk found: its emails, newest first. */
bool bulk_found(struct db *db, const struct bulk *bulk, const int64_t *email_ids, size_t count,
                struct error *err);
/* One batch; or nothing, where another process is at it. An error that does not pass ends the bulk
 * as failed and is no error here. */
bool bulk_step(struct db *db, struct arena *arena, const struct bulk *bulk, struct error *err);
/* Whether a failure is one to be tried again after rather than the bulk's end. */
bool bulk_may_pass(const struct error *why);
bool bulk_fail(struct db *db, const struct bulk *bulk, const struct error *why, struct error *err);

#endif

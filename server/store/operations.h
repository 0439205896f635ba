/* What a person wants done upstream: accepted here durably, carried out by the sync role, in order,
 * one lane an account. Also the change log. */
#ifndef RESTANTE_STORE_OPERATIONS_H
#define RESTANTE_STORE_OPERATIONS_H

#include "server/store/store.h"

enum operation_state {
    OPERATION_PENDING,
    OPERATION_RUNNING,
    OPERATION_DONE,
    OPERATION_FAILED,
    OPERATION_CANCELLED
};
const char *operation_state_name(enum operation_state state);

struct operation {
    int64_t account_id, id;
    struct str kind;      /* "fetch-body" {"emailId", "parts": ["1"], or "whole": true}, … */
    struct str arguments; /* JSON */
    enum operation_state state;
    bool is_urgent;
    int attempts;
    struct str journal; /* JSON; empty: none */
    struct str result;  /* JSON; empty: none */
    struct str error_kind, error;
    int64_t created_at, finished_at;
};

/* Accepts an operation and NOTIFYs (at commit). With an idempotency key that is known already (they
 * are kept a week), returns the earlier one's id. Inside a transaction together with the change
 * that people see, and there last: it locks the account's row until the commit. ERROR_NOT_FOUND: no
 * such account, or not the viewer's. */
bool operation_enqueue(struct db *db, int64_t account_id, struct str kind, struct str arguments,
                       bool is_urgent, struct str idempotency_key, int64_t *id, struct error *err);
/* What was done here and now, with nothing to do upstream: to be taken back. */
bool operation_record(struct db *db, int64_t account_id, struct str kind, struct str arguments,
                      struct str idempotency_key, int64_t *id, struct error *err);
bool operation_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                     struct operation *operation, struct error *err);

/* --- what people should know ------------------------------------------------------------------ */
/* Of the operations that people asked for: marking, moving, deleting, folders; not of fetching. */
struct operation_news {
    int64_t waiting;       /* not carried out yet */
    int64_t waiting_since; /* the oldest of them; 0: none */
    int64_t refused;       /* failed for good, and not told yet */
    bool has_bulk; /* an action on everything that matches runs, or ended just now (bulk.h) */
};
bool operation_news(struct db *db, int64_t account_id, struct operation_news *news,
                    struct error *err);
/* Those that failed and are not told yet, newest first. */
bool operations_refused(struct db *db, struct arena *arena, int64_t account_id, int limit,
                        struct operation **operations, size_t *count, struct error *err);
/* The person has read of them: up to and with `last_id`. */
bool operations_told(struct db *db, int64_t account_id, int64_t last_id, struct error *err);

/* --- sync role -------------------------------------------------------------------------------- */
/* The next due operation of the account; it becomes running. Urgent ones first; of the others the
 * oldest, and none while that runs or waits to be tried again. ERROR_NOT_FOUND: none. */
bool operation_take(struct db *db, struct arena *arena, int64_t account_id,
                    struct operation *operation, struct error *err);
bool operation_journal(struct db *db, int64_t account_id, int64_t id, struct str journal,
                       struct error *err);
/* The end NOTIFYs "done <account> <operation>"; of operations that are not urgent it also writes a
 * change row. ERROR_NOT_FOUND: it is not running. */
bool operation_finish(struct db *db, int64_t account_id, int64_t id, struct str result,
                      struct error *err);
/* Failed for good, or (retry_at > 0) back to pending until then. */
bool operation_fail(struct db *db, int64_t account_id, int64_t id, const struct error *why,
                    int64_t retry_at, struct error *err);
/* After a crash: what was running here becomes pending again. */
bool operations_recover(struct db *db, int64_t account_id, struct error *err);

/* --- changes ---------------------------------------------------------------------------------- */
enum change_type {
    CHANGE_MAILBOX,
    CHANGE_EMAIL,
    CHANGE_THREAD,
    CHANGE_OPERATION,
    CHANGE_SUBMISSION,
    CHANGE_IDENTITY,
    CHANGE_ACCOUNT
};
struct change {
    int64_t modseq;
    enum change_type type;
    const int64_t *created, *updated, *destroyed;
    size_t created_count, updated_count, destroyed_count;
};
/* Rows after `since`, oldest first, about `limit` (all rows of the last modseq, so that the caller
 * may go on from it). `*modseq` is the account's; without rows nothing has changed. ERROR_CONFLICT
 * when some after `since` were pruned: the caller starts anew. */
bool changes_since(struct db *db, struct arena *arena, int64_t account_id, int64_t since, int limit,
                   struct change **changes, size_t *count, int64_t *modseq, struct error *err);

#endif

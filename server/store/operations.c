#include "server/store/operations.h"

#include "server/store/changes_private.h"

static const char no_operation[] = "there is no such operation";
static const char not_running[] = "the operation does not run";

static const char *const state_names[] = {[OPERATION_PENDING] = "pending",
                                          [OPERATION_RUNNING] = "running",
                                          [OPERATION_DONE] = "done",
                                          [OPERATION_FAILED] = "failed",
                                          [OPERATION_CANCELLED] = "cancelled"};

const char *operation_state_name(enum operation_state state)
{
    return state_names[state];
}

static void read_operation(struct db_rows *rows, struct arena *arena, struct operation *operation)
{
    operation->account_id = db_get_i64(rows);
    operation->id = db_get_i64(rows);
    operation->kind = db_get_str(rows, arena);
    operation->arguments = db_get_str(rows, arena);
    operation->state = (enum operation_state)DB_GET_NAME(rows, state_names);
    operation->is_urgent = db_get_bool(rows);
    operation->attempts = db_get_i32(rows);
    operation->journal = db_get_str(rows, arena);
    operation->result = db_get_str(rows, arena);
    operation->error_kind = db_get_str(rows, arena);
    operation->error = db_get_str(rows, arena);
    operation->created_at = db_get_time(rows);
    operation->finished_at = db_get_time(rows);
}

bool operation_enqueue(struct db *db, int64_t account_id, struct str kind, struct str arguments,
                       bool is_urgent, struct str idempotency_key, int64_t *id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "operation_enqueue", &rows, "there is no such account", err,
                       db_i64(account_id), db_i64(db_viewer(db)), db_text(kind), db_json(arguments),
                       db_bool(is_urgent), db_or_null(db_text(idempotency_key))))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool operation_record(struct db *db, int64_t account_id, struct str kind, struct str arguments,
                      struct str idempotency_key, int64_t *id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "action_record", &rows, "There is no such account.", err,
                       db_i64(account_id), db_i64(db_viewer(db)), db_text(kind), db_json(arguments),
                       db_or_null(db_text(idempotency_key))))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool operation_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                     struct operation *operation, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "operation_by_id", &rows, no_operation, err, db_i64(account_id),
                       db_i64(db_viewer(db)), db_i64(id)))
        return false;
    read_operation(&rows, arena, operation);
    db_rows_free(&rows);
    return true;
}

/* --- sync role ------------------------------------------------------------------------------- */

bool operation_take(struct db *db, struct arena *arena, int64_t account_id,
                    struct operation *operation, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "operation_take", &rows, "no operation is due", err, db_i64(account_id)))
        return false;
    read_operation(&rows, arena, operation);
    db_rows_free(&rows);
    return true;
}

bool operation_journal(struct db *db, int64_t account_id, int64_t id, struct str journal,
                       struct error *err)
{
    int64_t affected = 0;
    if (!db_execute(db, "operation_journal", &affected, err, db_i64(account_id), db_i64(id),
                    db_or_null(db_json(journal))))
        return false;
    return affected || error_set(err, ERROR_NOT_FOUND, "%s", not_running);
}

/* Runs the statement that ends an operation and returns whether it was urgent. Of the others people
 * see a list, so their end is a change; the urgent ones have someone waiting for "done". */
static bool end_operation(struct db *db, const char *statement, int64_t account_id, int64_t id,
                          const struct db_value *values, struct error *err)
{
    struct db_rows rows;
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_select_one_values(db, statement, &rows, not_running, err, values);
    if (is_good) {
        bool is_urgent = db_get_bool(&rows);
        db_rows_free(&rows);
        is_good = is_urgent || changes_write_updated(db, account_id, CHANGE_OPERATION, &id, 1, err);
    }
    return db_leave(db, started, is_good, err);
}

bool operation_finish(struct db *db, int64_t account_id, int64_t id, struct str result,
                      struct error *err)
{
    return end_operation(db, "operation_finish", account_id, id,
                         DB_VALUES(db_i64(account_id), db_i64(id), db_or_null(db_json(result))),
                         err);
}

bool operation_fail(struct db *db, int64_t account_id, int64_t id, const struct error *why,
                    int64_t retry_at, struct error *err)
{
    const char *kind = error_kind_name(why->kind);
    if (retry_at <= 0)
        return end_operation(
            db, "operation_fail", account_id, id,
            DB_VALUES(db_i64(account_id), db_i64(id), db_name(kind), db_text(str_of(why->message))),
            err);
    int64_t affected = 0;
    if (!db_execute(db, "operation_retry", &affected, err, db_i64(account_id), db_i64(id),
                    db_name(kind), db_text(str_of(why->message)), db_time(retry_at)))
        return false;
    return affected || error_set(err, ERROR_NOT_FOUND, "%s", not_running);
}

bool operations_recover(struct db *db, int64_t account_id, struct error *err)
{
    return db_execute(db, "operations_recover", NULL, err, db_i64(account_id));
}

/* What people should know of the changes they asked for: how many wait, which were refused. */
#include "server/store/db.h"
#include "server/store/operations.h"

bool operation_news(struct db *db, int64_t account_id, struct operation_news *news,
                    struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "operation_news", &rows, "there is no such account", err,
                       db_i64(account_id)))
        return false;
    news->waiting = db_get_i64(&rows);
    news->waiting_since = db_get_time(&rows);
    news->refused = db_get_i64(&rows);
    news->has_bulk = db_get_bool(&rows);
    db_rows_free(&rows);
    return true;
}

bool operations_refused(struct db *db, struct arena *arena, int64_t account_id, int limit,
                        struct operation **operations, size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(db, "operations_refused", &rows, err, db_i64(account_id), db_i64(limit)))
        return false;
    *operations = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, struct operation);
    while (db_next(&rows)) {
        struct operation *operation = &(*operations)[(*count)++];
        operation->account_id = account_id;
        operation->id = db_get_i64(&rows);
        operation->kind = db_get_str(&rows, arena);
        operation->arguments = db_get_str(&rows, arena);
        operation->state = OPERATION_FAILED;
        operation->error_kind = db_get_str(&rows, arena);
        operation->error = db_get_str(&rows, arena);
        operation->created_at = db_get_time(&rows);
        operation->finished_at = db_get_time(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool operations_told(struct db *db, int64_t account_id, int64_t last_id, struct error *err)
{
    return db_execute(db, "operations_told", NULL, err, db_i64(account_id), db_i64(last_id));
}

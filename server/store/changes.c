#include "server/store/changes_private.h"

#include <assert.h>

static const char *const type_names[] = {
    [CHANGE_MAILBOX] = "mailbox",       [CHANGE_EMAIL] = "email",
    [CHANGE_THREAD] = "thread",         [CHANGE_OPERATION] = "operation",
    [CHANGE_SUBMISSION] = "submission", [CHANGE_IDENTITY] = "identity",
    [CHANGE_ACCOUNT] = "account",
};

bool account_next_ids(struct db *db, int64_t account_id, int64_t count, int64_t *first,
                      struct error *err)
{
    struct db_rows rows;
    if (!db_in_transaction(db))
        db_be_lazy(db); /* whoever uses the ids commits after this */
    if (!db_select_one(db, "account_next_ids", &rows, "there is no such account", err,
                       db_i64(account_id), db_i64(count)))
        return false;
    *first = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool is_empty(const struct change *change)
{
    return change->created_count + change->updated_count + change->destroyed_count == 0;
}

static bool begin(struct db *db, int64_t account_id, int64_t *modseq, struct error *err)
{
    struct db_rows rows;
    if (!modseq)
        return db_post(db, "change_begin", err, db_i64(account_id));
    if (!db_select_one(db, "change_begin", &rows, "there is no such account", err,
                       db_i64(account_id)))
        return false;
    *modseq = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool changes_write(struct db *db, int64_t account_id, const struct change *changes, size_t count,
                   int64_t *modseq, struct error *err)
{
    assert(db_in_transaction(db));
    bool has_begun = false;
    if (modseq)
        *modseq = 0;
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &changes[i];
        if (is_empty(change))
            continue;
        if (!has_begun && !begin(db, account_id, modseq, err))
            return false;
        has_begun = true;
        if (!db_post(db, "change_insert", err, db_i64(account_id),
                     db_name(type_names[change->type]),
                     db_i64_array(change->created, change->created_count),
                     db_i64_array(change->updated, change->updated_count),
                     db_i64_array(change->destroyed, change->destroyed_count)))
            return false;
    }
    return true;
}

bool changes_write_updated(struct db *db, int64_t account_id, enum change_type type,
                           const int64_t *ids, size_t count, struct error *err)
{
    struct change change = {.type = type, .updated = ids, .updated_count = count};
    return changes_write(db, account_id, &change, 1, NULL, err);
}

/* --- reading --------------------------------------------------------------------------------- */

bool changes_since(struct db *db, struct arena *arena, int64_t account_id, int64_t since, int limit,
                   struct change **changes, size_t *count, int64_t *modseq, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "changes_since", &rows, err, db_i64(account_id), db_i64(db_viewer(db)),
                   db_i64(since), db_i64(limit)))
        return false;
    int64_t oldest = 0, current = -1;
    struct change *found = ARENA_ARRAY(arena, (size_t)rows.row_count, struct change);
    size_t found_count = 0;
    while (db_next(&rows)) {
        current = db_get_i64(&rows);
        oldest = db_get_i64(&rows);
        struct change *change = &found[found_count];
        change->modseq = db_get_i64(&rows);
        if (change->modseq) { /* else the only row: nothing has changed */
            change->type = (enum change_type)DB_GET_NAME(&rows, type_names);
            found_count++;
        } else {
            db_skip(&rows);
        }
        change->created = db_get_i64_array(&rows, arena, &change->created_count);
        change->updated = db_get_i64_array(&rows, arena, &change->updated_count);
        change->destroyed = db_get_i64_array(&rows, arena, &change->destroyed_count);
    }
    db_rows_free(&rows);
    if (current < 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no such account");
    if (since < oldest - 1 || since > current)
        return error_set(err, ERROR_CONFLICT, "the changes since %lld are not kept any more",
                         (long long)since);
    *changes = found;
    *count = found_count;
    *modseq = current;
    return true;
}

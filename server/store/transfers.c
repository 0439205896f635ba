#include "server/store/transfers.h"

#include <stdlib.h>

#include "server/store/changes_private.h"
#include "server/store/db.h"

static const char *const kind_names[] = {
    [TRANSFER_IMPORT] = "import", [TRANSFER_COMPLETE] = "complete"};
static const char *const state_names[] = {[TRANSFER_RUNNING] = "running",
                                          [TRANSFER_DONE] = "done",
                                          [TRANSFER_FAILED] = "failed",
                                          [TRANSFER_CANCELLED] = "cancelled"};

/* Before all mail: the year 1. */
const struct export_cursor export_start = {.received_at = -62135596800LL * 1000000};

const char *transfer_kind_name(enum transfer_kind kind)
{
    return kind_names[kind];
}

const char *transfer_state_name(enum transfer_state state)
{
    return state_names[state];
}

/* --- out ------------------------------------------------------------------------------------- */

bool export_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                 struct export_cursor cursor, int limit, struct export_email **emails,
                 size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "export_page", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_time(cursor.received_at), db_i64(cursor.email_id), db_i64(limit)))
        return false;
    *count = (size_t)rows.row_count;
    *emails = ARENA_ARRAY(arena, *count, struct export_email);
    for (struct export_email *email = *emails; db_next(&rows); email++) {
        email->email_id = db_get_i64(&rows);
        email->received_at = db_get_time(&rows);
        email->size_bytes = db_get_i64(&rows);
        email->subject = db_get_str(&rows, arena);
        email->sender = db_get_str(&rows, arena);
        email->blob.account_id = account_id;
        email->blob.email_id = email->email_id;
        email->blob.part = STR_EMPTY;
        email->blob.id = db_get_i64(&rows);
        email->blob.size_bytes = db_get_i64(&rows);
        email->blob.chunk_bytes = db_get_i32(&rows);
        email->blob.is_zstd = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool export_count(struct db *db, int64_t account_id, int64_t mailbox_id,
                  struct export_totals *totals, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "export_totals", &rows, "there is no such account", err,
                       db_i64(account_id), db_i64(mailbox_id)))
        return false;
    totals->emails = db_get_i64(&rows);
    totals->missing = db_get_i64(&rows);
    totals->size_bytes = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool export_missing(struct db *db, struct arena *arena, int64_t account_id, int64_t after,
                    int limit, int64_t **ids, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "export_missing", &rows, err, db_i64(account_id), db_i64(after),
                   db_i64(limit)))
        return false;
    *count = (size_t)rows.row_count;
    *ids = ARENA_ARRAY(arena, *count, int64_t);
    for (int64_t *id = *ids; db_next(&rows); id++)
        *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

/* --- in -------------------------------------------------------------------------------------- */

static void read_transfer(struct db_rows *rows, struct arena *arena, int64_t account_id,
                          struct transfer *t)
{
    t->account_id = account_id;
    t->id = db_get_i64(rows);
    t->kind = (enum transfer_kind)DB_GET_NAME(rows, kind_names);
    t->state = (enum transfer_state)DB_GET_NAME(rows, state_names);
    t->name = db_get_str(rows, arena);
    t->blob_id = db_get_i64(rows);
    t->mailbox_id = db_get_i64(rows);
    t->is_seen = db_get_bool(rows);
    t->at.entry = db_get_i64(rows);
    t->at.position = db_get_i64(rows);
    t->at.unpacked = db_get_i64(rows);
    t->is_begun = !db_peek_null(rows);
    t->begun_uid = (uint32_t)db_get_i64(rows);
    t->begun_uidvalidity = (uint32_t)db_get_i64(rows);
    t->size_bytes = db_get_i64(rows);
    t->done = db_get_i64(rows);
    t->known = db_get_i64(rows);
    t->refused = db_get_i64(rows);
    t->others = db_get_i64(rows);
    t->attempts = db_get_i32(rows);
    t->error = db_get_str(rows, arena);
    t->created_at = db_get_time(rows);
    t->ended_at = db_get_time(rows);
}

static bool write_change(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    return changes_write_updated(db, account_id, CHANGE_OPERATION, &id, 1, err);
}

bool transfer_create(struct db *db, struct transfer *t, struct error *err)
{
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    t->state = TRANSFER_RUNNING;
    bool is_good =
        account_next_ids(db, t->account_id, 1, &t->id, err) &&
        db_execute(db, "transfer_create", NULL, err, db_i64(t->account_id), db_i64(t->id),
                   db_name(kind_names[t->kind]), db_text(t->name), db_or_null(db_i64(t->blob_id)),
                   db_or_null(db_i64(t->mailbox_id)), db_bool(t->is_seen), db_i64(t->size_bytes)) &&
        write_change(db, t->account_id, t->id, err) &&
        db_post(db, "transfer_notify", err, db_i64(t->account_id));
    return db_leave(db, started, is_good, err);
}

bool transfer_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                    struct transfer *transfer, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "transfer_by_id", &rows, "there is no such import", err,
                       db_i64(account_id), db_i64(id)))
        return false;
    read_transfer(&rows, arena, account_id, transfer);
    db_rows_free(&rows);
    return true;
}

bool transfers_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
                    struct transfer **transfers, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "transfers_list", &rows, err, db_i64(account_id), db_i64(limit)))
        return false;
    *count = (size_t)rows.row_count;
    *transfers = ARENA_ARRAY(arena, *count, struct transfer);
    for (struct transfer *t = *transfers; db_next(&rows); t++)
        read_transfer(&rows, arena, account_id, t);
    db_rows_free(&rows);
    return true;
}

/* The statement must have met its row. */
static bool must_affect(int64_t affected, struct error *err)
{
    return affected > 0 || error_set(err, ERROR_CONFLICT, "this import has ended");
}

bool transfer_cancel(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "transfer_cancel", &affected, err, db_i64(account_id), db_i64(id)) &&
        must_affect(affected, err) && write_change(db, account_id, id, err);
    return db_leave(db, started, is_good, err);
}

/* --- the sync role --------------------------------------------------------------------------- */

bool transfer_next(struct db *db, struct arena *arena, int64_t account_id,
                   struct transfer *transfer, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "transfer_next", &rows, "no import is due", err, db_i64(account_id)))
        return false;
    read_transfer(&rows, arena, account_id, transfer);
    db_rows_free(&rows);
    return true;
}

bool transfer_next_due(struct db *db, int64_t account_id, int64_t *due_at, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "transfer_next_due", &rows, "no import", err, db_i64(account_id)))
        return false;
    *due_at = db_get_time(&rows);
    db_rows_free(&rows);
    return true;
}

bool transfer_begin(struct db *db, const struct transfer *t, uint32_t uid, uint32_t uidvalidity,
                    struct error *err)
{
    int64_t affected = 0;
    return db_execute(db, "transfer_begin", &affected, err, db_i64(t->account_id), db_i64(t->id),
                      db_i64(uid), db_i64(uidvalidity)) &&
           must_affect(affected, err);
}

bool transfer_advance(struct db *db, const struct transfer *t, const struct transfer_step *step,
                      struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "transfer_advance", &affected, err, db_i64(t->account_id), db_i64(t->id),
                   db_i64(step->to.entry), db_i64(step->to.position), db_i64(step->to.unpacked),
                   db_i64(step->done), db_i64(step->known), db_i64(step->refused),
                   db_i64(step->others), db_name(state_names[step->state]), db_text(step->error)) &&
        must_affect(affected, err) && write_change(db, t->account_id, t->id, err);
    return db_leave(db, started, is_good, err);
}

bool transfer_wait(struct db *db, const struct transfer *t, int64_t not_before, struct str why,
                   struct error *err)
{
    return db_execute(db, "transfer_wait", NULL, err, db_i64(t->account_id), db_i64(t->id),
                      db_time(not_before), db_text(why));
}

bool transfer_known(struct db *db, const struct transfer *t, const struct transfer_face *faces,
                    size_t count, bool *is_known, struct error *err)
{
    struct db_rows rows;
    int64_t *numbers = calloc(3 * count + 1, sizeof *numbers);
    struct str *hashes = calloc(count + 1, sizeof *hashes);
    if (!numbers || !hashes)
        abort();
    for (size_t i = 0; i < count; i++) {
        numbers[i] = faces[i].message_key;
        numbers[count + i] = faces[i].size_bytes;
        numbers[2 * count + i] = faces[i].received_at;
        hashes[i] = faces[i].hash;
        is_known[i] = false;
    }
    bool is_good = db_select(db, "transfer_known", &rows, err, db_i64(t->account_id),
                             db_i64_array(numbers, count), db_i64_array(numbers + count, count),
                             db_text_array(hashes, count), db_i64_array(numbers + 2 * count, count),
                             db_i64(t->mailbox_id), db_i64(t->is_begun ? t->begun_uid : 0));
    free(numbers);
    free(hashes);
    if (!is_good)
        return false;
    while (db_next(&rows)) {
        int64_t n = db_get_i64(&rows);
        if (n >= 1 && (size_t)n <= count)
            is_known[n - 1] = true;
    }
    db_rows_free(&rows);
    return true;
}

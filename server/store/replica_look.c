/* One email at a time, and what sync asks before it acts. */
#include <assert.h>

#include "server/store/replica_private.h"
#include "server/store/search.h"

/* --- one email ------------------------------------------------------------------------------- */

static bool note_updated(struct replica_batch *batch, int64_t email_id, int64_t affected,
                         struct error *err)
{
    if (!affected)
        return error_set(err, ERROR_NOT_FOUND, "the message is not here any more");
    id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, email_id);
    return true;
}

bool replica_email_parsed(struct replica_batch *batch, int64_t email_id, struct str structure,
                          struct str header_json, struct str preview, bool has_attachment,
                          struct error *err)
{
    int64_t affected;
    return db_execute(batch->db, "replica_email_parsed", &affected, err, db_i64(batch->account_id),
                      db_i64(email_id), db_or_null(db_json(structure)),
                      db_or_null(db_json(header_json)), db_or_null(db_text(preview)),
                      db_bool(has_attachment)) &&
           note_updated(batch, email_id, affected, err);
}

bool replica_email_blob(struct replica_batch *batch, int64_t email_id, int64_t blob_id,
                        struct error *err)
{
    return db_post(batch->db, "replica_email_blob", err, db_i64(batch->account_id),
                   db_i64(email_id), db_i64(blob_id));
}

bool replica_wholes_put(struct replica_batch *batch, const struct replica_whole *wholes,
                        size_t count, struct error *err)
{
    struct arena *arena = batch->arena;
    int64_t *email_ids = ARENA_ARRAY(arena, count, int64_t), affected = 0;
    int64_t *blob_ids = ARENA_ARRAY(arena, count, int64_t);
    struct str *structures = ARENA_ARRAY(arena, count, struct str);
    struct str *headers = ARENA_ARRAY(arena, count, struct str);
    struct str *previews = ARENA_ARRAY(arena, count, struct str);
    int32_t *attachments = ARENA_ARRAY(arena, count, int32_t);
    int32_t *states = ARENA_ARRAY(arena, count, int32_t);
    int32_t *settled = ARENA_ARRAY(arena, count, int32_t);
    for (size_t i = 0; i < count; i++) {
        email_ids[i] = wholes[i].email_id;
        blob_ids[i] = wholes[i].blob_id;
        structures[i] = wholes[i].structure;
        headers[i] = wholes[i].header_json;
        previews[i] = wholes[i].preview;
        attachments[i] = wholes[i].has_attachment;
        states[i] = wholes[i].is_poison ? EMAIL_QUARANTINED : EMAIL_ORDINARY;
        settled[i] = wholes[i].is_settled;
        id_list_add(arena, &batch->changes[REPLICA_EMAIL].updated, email_ids[i]);
    }
    return db_execute(batch->db, "replica_wholes_put", &affected, err, db_i64(batch->account_id),
                      db_i64_array(email_ids, count), db_i64_array(blob_ids, count),
                      db_text_array(structures, count), db_text_array(headers, count),
                      db_text_array(previews, count), db_i32_array(attachments, count),
                      db_i32_array(states, count), db_i32_array(settled, count)) &&
           (affected == (int64_t)count ||
            error_set(err, ERROR_CONFLICT, "a message of this batch was removed meanwhile"));
}

bool replica_email_quarantine(struct replica_batch *batch, int64_t email_id, struct error *err)
{
    int64_t affected;
    return db_execute(batch->db, "replica_email_quarantine", &affected, err,
                      db_i64(batch->account_id), db_i64(email_id)) &&
           note_updated(batch, email_id, affected, err);
}

bool replica_text_settled(struct replica_batch *batch, const int64_t *email_ids, size_t count,
                          struct error *err)
{
    return !count || db_post(batch->db, "replica_text_settled", err, db_i64(batch->account_id),
                             db_i64_array(email_ids, count));
}

bool replica_words_put(struct replica_batch *batch, int64_t email_id, struct str words,
                       struct error *err)
{
    return search_put(batch->db, batch->account_id, email_id, words, err);
}

bool replica_words_append(struct replica_batch *batch, int64_t email_id, struct str words,
                          struct error *err)
{
    return search_append(batch->db, batch->account_id, email_id, words, err);
}

/* --- looking --------------------------------------------------------------------------------- */

bool replica_uids(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                  uint32_t low, uint32_t high, struct replica_flags **known, size_t *count,
                  struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "replica_uids", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_i64(low), db_i64(high)))
        return false;
    *known = ARENA_ARRAY(arena, (size_t)rows.row_count, struct replica_flags);
    *count = 0;
    while (db_next(&rows)) {
        struct replica_flags *flags = &(*known)[(*count)++];
        flags->uid = (uint32_t)db_get_i64(&rows);
        flags->flags = db_get_i32(&rows);
        flags->keywords = db_get_words(&rows, arena);
        flags->modseq = (uint64_t)db_get_i64(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool replica_placement_count(struct db *db, int64_t account_id, int64_t mailbox_id, int64_t *count,
                             struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "replica_placement_count", &rows, "no such folder", err,
                       db_i64(account_id), db_i64(mailbox_id)))
        return false;
    *count = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool replica_place_of(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                      struct replica_place *place, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "replica_place_of", &rows, "the message is nowhere on the mail server",
                       err, db_i64(account_id), db_i64(email_id)))
        return false;
    place->mailbox_id = db_get_i64(&rows);
    place->wire_path = db_get_str(&rows, arena);
    place->uidvalidity = (uint32_t)db_get_i64(&rows);
    place->uid = (uint32_t)db_get_i64(&rows);
    place->structure = db_get_str(&rows, arena);
    db_rows_free(&rows);
    return true;
}

/* With the structure, or with when it was received. */
static struct replica_wanted *read_wanted(struct db_rows *rows, struct arena *arena,
                                          bool has_structure, size_t *count)
{
    struct replica_wanted *wanted =
        ARENA_ARRAY(arena, (size_t)rows->row_count, struct replica_wanted);
    *count = 0;
    while (db_next(rows)) {
        struct replica_wanted *one = &wanted[(*count)++];
        one->email_id = db_get_i64(rows);
        one->uid = (uint32_t)db_get_i64(rows);
        one->size_bytes = db_get_i64(rows);
        if (has_structure)
            one->structure = db_get_str(rows, arena);
        else
            one->received_at = db_get_time(rows);
    }
    db_rows_free(rows);
    return wanted;
}

bool replica_wanting_text(struct db *db, struct arena *arena, int64_t account_id,
                          int64_t mailbox_id, int64_t since, int limit,
                          struct replica_wanted **wanted, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "replica_wanting_text", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_time(since), db_i64(limit)))
        return false;
    *wanted = read_wanted(&rows, arena, true, count);
    return true;
}

bool replica_wanting_whole(struct db *db, struct arena *arena, int64_t account_id,
                           int64_t mailbox_id, const struct replica_position *after,
                           int64_t size_max, int limit, struct replica_wanted **wanted,
                           size_t *count, struct error *err)
{
    static const int64_t never = INT64_C(253402300799000000); /* the end of the year 9999 */
    struct db_rows rows;
    if (!db_select(db, "replica_wanting_whole", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_time(after->email_id ? after->received_at : never), db_i64(after->email_id),
                   db_i64(size_max), db_i64(limit)))
        return false;
    *wanted = read_wanted(&rows, arena, false, count);
    return true;
}

/* The overlay: what people see of a placement is the server's state with what is pending laid over
 * it, in the order of operations. */
#include "server/store/replica_private.h"

/* Effects of operation_item. */
enum { EFFECT_FLAGS, EFFECT_LEAVES, EFFECT_COMES };

/* Placements by their keys. */
struct keys {
    int64_t *emails, *mailboxes;
    size_t count;
};

static struct keys make_keys(struct replica_batch *batch, size_t capacity)
{
    return (struct keys){.emails = ARENA_ARRAY(batch->arena, capacity + 1, int64_t),
                         .mailboxes = ARENA_ARRAY(batch->arena, capacity + 1, int64_t)};
}

static void add_key(struct keys *keys, int64_t email_id, int64_t mailbox_id)
{
    keys->emails[keys->count] = email_id;
    keys->mailboxes[keys->count++] = mailbox_id;
}

static struct db_value email_array(const struct keys *keys)
{
    return db_i64_array(keys->emails, keys->count);
}

static struct db_value mailbox_array(const struct keys *keys)
{
    return db_i64_array(keys->mailboxes, keys->count);
}

/* One placement while it is folded. */
struct folded {
    int64_t email_id, mailbox_id;
    int32_t flags, server_flags, pending_set, pending_clear, hidden;
    bool was_hidden;
};

static void fold(struct folded *row, int effect, int32_t set, int32_t clear)
{
    row->pending_set = (row->pending_set & ~clear) | set;
    row->pending_clear = (row->pending_clear & ~set) | clear;
    if (effect != EFFECT_FLAGS)
        row->hidden = effect == EFFECT_LEAVES;
}

static bool lock_rows(struct replica_batch *batch, const struct keys *keys, struct folded **folded,
                      size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "overlay_lock", &rows, err, db_i64(batch->account_id),
                   email_array(keys), mailbox_array(keys)))
        return false;
    *folded = ARENA_ARRAY(batch->arena, (size_t)rows.row_count + 1, struct folded);
    *count = 0;
    while (db_next(&rows)) {
        struct folded *row = &(*folded)[(*count)++];
        row->email_id = db_get_i64(&rows);
        row->mailbox_id = db_get_i64(&rows);
        row->flags = db_get_i32(&rows);
        row->server_flags = db_get_i32(&rows);
        row->was_hidden = db_get_bool(&rows);
        row->hidden = (row->server_flags & FLAG_DELETED) != 0;
    }
    db_rows_free(&rows);
    return true;
}

/* Both lists are in the order of their keys. */
static bool fold_items(struct replica_batch *batch, const struct keys *keys, struct folded *folded,
                       size_t count, struct error *err)
{
    struct db_rows rows;
    size_t at = 0;
    if (!db_select(batch->db, "overlay_items", &rows, err, db_i64(batch->account_id),
                   email_array(keys), mailbox_array(keys)))
        return false;
    while (db_next(&rows)) {
        int64_t email_id = db_get_i64(&rows), mailbox_id = db_get_i64(&rows);
        int effect = db_get_i16(&rows);
        int32_t set = db_get_i32(&rows), clear = db_get_i32(&rows);
        while (at < count &&
               (folded[at].email_id < email_id ||
                (folded[at].email_id == email_id && folded[at].mailbox_id < mailbox_id)))
            at++;
        if (at < count && folded[at].email_id == email_id && folded[at].mailbox_id == mailbox_id)
            fold(&folded[at], effect, set, clear);
    }
    db_rows_free(&rows);
    return true;
}

/* What changes for people: the counts by the difference. */
static void note_difference(struct replica_batch *batch, const struct folded *row)
{
    int flags = (row->server_flags | row->pending_set) & ~row->pending_clear;
    replica_count_seen(replica_touch(batch, row->mailbox_id), row->flags, flags, row->was_hidden,
                       row->hidden);
    if (flags != row->flags || row->hidden != row->was_hidden)
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, row->email_id);
}

static bool fold_anew(struct replica_batch *batch, const struct keys *keys, struct error *err)
{
    struct folded *folded;
    size_t count;
    if (keys->count == 0)
        return true;
    if (!lock_rows(batch, keys, &folded, &count, err) ||
        !fold_items(batch, keys, folded, count, err))
        return false;
    struct keys written = make_keys(batch, count);
    int32_t *sets = ARENA_ARRAY(batch->arena, count + 1, int32_t);
    int32_t *clears = ARENA_ARRAY(batch->arena, count + 1, int32_t);
    int32_t *hidden = ARENA_ARRAY(batch->arena, count + 1, int32_t);
    for (size_t i = 0; i < count; i++) {
        note_difference(batch, &folded[i]);
        add_key(&written, folded[i].email_id, folded[i].mailbox_id);
        sets[i] = folded[i].pending_set;
        clears[i] = folded[i].pending_clear;
        hidden[i] = folded[i].hidden;
    }
    return count == 0 ||
           db_post(batch->db, "overlay_set", err, db_i64(batch->account_id), email_array(&written),
                   mailbox_array(&written), db_i32_array(sets, count), db_i32_array(clears, count),
                   db_i32_array(hidden, count));
}

bool overlay_fold(struct replica_batch *batch, int64_t mailbox_id, const int64_t *emails,
                  size_t count, struct error *err)
{
    struct keys keys = make_keys(batch, count);
    for (size_t i = 0; i < count; i++)
        add_key(&keys, emails[i], mailbox_id);
    return fold_anew(batch, &keys, err);
}

/* Placements that were deleted: email_id, mailbox_id, flags, is_hidden. */
bool overlay_take_removed(struct replica_batch *batch, struct db_rows *rows, struct error *err)
{
    struct id_list emails = {0};
    while (db_next(rows)) {
        id_list_add(batch->arena, &emails, db_get_i64(rows));
        struct replica_touch *touch = replica_touch(batch, db_get_i64(rows));
        int flags = db_get_i32(rows);
        if (!db_get_bool(rows)) {
            touch->total--;
            touch->unread -= flags_are_unread(flags);
        }
    }
    db_rows_free(rows);
    return replica_drop_orphans(batch, &emails, err);
}

static bool unshow(struct replica_batch *batch, const struct keys *shown, struct error *err)
{
    struct db_rows rows;
    return shown->count == 0 ||
           (db_select(batch->db, "overlay_unshow", &rows, err, db_i64(batch->account_id),
                      email_array(shown), mailbox_array(shown)) &&
            overlay_take_removed(batch, &rows, err));
}

bool overlay_lock(struct replica_batch *batch, int64_t operation_id, struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "overlay_lock_operation", &rows, err, db_i64(batch->account_id),
                   db_i64(operation_id)))
        return false;
    db_rows_free(&rows);
    return true;
}

bool overlay_take_passed(struct replica_batch *batch, struct db_rows *rows, struct error *err)
{
    struct keys all = make_keys(batch, 2 * (size_t)rows->row_count);
    while (db_next(rows)) {
        int64_t email_id = db_get_i64(rows), from_id = db_get_i64(rows), to_id = db_get_i64(rows);
        add_key(&all, email_id, from_id); /* shown by the way back alone, if it went upstream */
        add_key(&all, email_id, to_id);
    }
    db_rows_free(rows);
    return unshow(batch, &all, err) && fold_anew(batch, &all, err);
}

bool overlay_take_words_back(struct replica_batch *batch, int64_t operation_id, int64_t mailbox_id,
                             const int64_t *done, size_t done_count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "overlay_words_back", &rows, err, db_i64(batch->account_id),
                   db_i64(operation_id), db_i64_array(done, done_count), db_i64(mailbox_id)))
        return false;
    while (db_next(&rows))
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, db_get_i64(&rows));
    db_rows_free(&rows);
    return true;
}

bool overlay_end(struct replica_batch *batch, int64_t operation_id, int64_t source_id,
                 struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "overlay_items_end", &rows, err, db_i64(batch->account_id),
                   db_i64(operation_id), db_i64(source_id)))
        return false;
    struct keys all = make_keys(batch, (size_t)rows.row_count);
    struct keys shown = make_keys(batch, (size_t)rows.row_count);
    while (db_next(&rows)) {
        int64_t email_id = db_get_i64(&rows), mailbox_id = db_get_i64(&rows);
        add_key(&all, email_id, mailbox_id);
        if (db_get_i16(&rows) == EFFECT_COMES)
            add_key(&shown, email_id, mailbox_id);
    }
    db_rows_free(&rows);
    return unshow(batch, &shown, err) && fold_anew(batch, &all, err);
}

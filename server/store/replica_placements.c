/* Placements as the server tells of them: flags, expunges, UIDs that lost their meaning. */
#include <assert.h>

#include "server/store/db_private.h"
#include "server/store/replica_private.h"

bool replica_flags_set(struct replica_batch *batch, int64_t mailbox_id,
                       const struct replica_flags *flags, size_t count, struct error *err)
{
    assert(batch->magic == REPLICA_MAGIC);
    struct db_rows rows;
    struct id_map by_uid;
    int64_t *uids = ARENA_ARRAY(batch->arena, count, int64_t);
    int64_t *modseqs = ARENA_ARRAY(batch->arena, count, int64_t);
    int32_t *values = ARENA_ARRAY(batch->arena, count, int32_t);
    struct str *keywords = ARENA_ARRAY(batch->arena, count, struct str);
    size_t told = 0;
    id_map_init(batch->arena, &by_uid, count);
    for (size_t i = 0; i < count; i++) { /* of several about one UID the last holds */
        int32_t at = *id_map_at(&by_uid, flags[i].uid, (int32_t)told);
        uids[at] = flags[i].uid;
        modseqs[at] = (int64_t)flags[i].modseq;
        values[at] = flags[i].flags;
        keywords[at] = flags[i].keywords;
        if ((size_t)at == told)
            told++;
    }
    if (!told)
        return true;
    if (!db_select(batch->db, "replica_flags_set", &rows, err, db_i64(batch->account_id),
                   db_i64(mailbox_id), db_i64_array(uids, told), db_i32_array(values, told),
                   db_text_array(keywords, told), db_i64_array(modseqs, told)))
        return false;
    while (db_next(&rows)) {
        int64_t email_id = db_get_i64(&rows);
        int old_flags = db_get_i32(&rows), new_flags = db_get_i32(&rows);
        bool was_hidden = db_get_bool(&rows), is_hidden = db_get_bool(&rows);
        bool is_other_word = db_get_bool(&rows);
        if (old_flags == new_flags && !is_other_word)
            continue; /* nothing that anybody sees */
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, email_id);
        replica_count_seen(replica_touch(batch, mailbox_id), old_flags, new_flags, was_hidden,
                           is_hidden);
    }
    db_rows_free(&rows);
    return true;
}

/* --- removing -------------------------------------------------------------------------------- */

bool replica_drop_orphans(struct replica_batch *batch, struct id_list *emails, struct error *err)
{
    struct db_rows rows;
    struct id_list threads = {0}, emptied = {0};
    assert(!batch->db->store->is_bulk); /* nothing would cascade */
    id_list_sort(emails);
    if (!emails->count)
        return true;
    if (!db_post(batch->db, "replica_emails_lock", err, db_i64(batch->account_id),
                 db_i64_array(emails->at, emails->count)) ||
        !db_select(batch->db, "replica_emails_orphaned", &rows, err, db_i64(batch->account_id),
                   db_i64_array(emails->at, emails->count)))
        return false;
    while (db_next(&rows)) {
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].destroyed, db_get_i64(&rows));
        id_list_add(batch->arena, &threads, db_get_i64(&rows));
    }
    db_rows_free(&rows);
    for (size_t i = 0; i < emails->count; i++) /* what is destroyed wins at the commit */
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, emails->at[i]);
    id_list_sort(&threads);
    if (!threads.count)
        return true;
    if (!db_select(batch->db, "replica_threads_emptied", &rows, err, db_i64(batch->account_id),
                   db_i64_array(threads.at, threads.count)))
        return false;
    while (db_next(&rows))
        id_list_add(batch->arena, &emptied, db_get_i64(&rows));
    db_rows_free(&rows);
    for (size_t i = 0; i < threads.count; i++)
        id_list_add(batch->arena, &batch->changes[REPLICA_THREAD].updated, threads.at[i]);
    for (size_t i = 0; i < emptied.count; i++)
        id_list_add(batch->arena, &batch->changes[REPLICA_THREAD].destroyed, emptied.at[i]);
    return !emptied.count ||
           db_post(batch->db, "replica_thread_keys_drop", err, db_i64(batch->account_id),
                   db_i64_array(emptied.at, emptied.count));
}

/* The rows of a DELETE: email_id, flags, is_hidden. */
static bool take_removed(struct replica_batch *batch, int64_t mailbox_id, struct db_rows *rows,
                         size_t *removed, struct error *err)
{
    struct id_list emails = {0};
    struct replica_touch *touch = replica_touch(batch, mailbox_id);
    while (db_next(rows)) {
        id_list_add(batch->arena, &emails, db_get_i64(rows));
        int flags = db_get_i32(rows);
        if (!db_get_bool(rows)) {
            touch->total--;
            touch->unread -= flags_are_unread(flags);
        }
    }
    db_rows_free(rows);
    if (removed)
        *removed = emails.count;
    return replica_drop_orphans(batch, &emails, err);
}

bool replica_expunge(struct replica_batch *batch, int64_t mailbox_id, const uint32_t *uids,
                     size_t count, size_t *removed, struct error *err)
{
    assert(batch->magic == REPLICA_MAGIC);
    struct db_rows rows;
    int64_t *wide = ARENA_ARRAY(batch->arena, count, int64_t);
    for (size_t i = 0; i < count; i++)
        wide[i] = uids[i];
    return db_select(batch->db, "replica_expunge", &rows, err, db_i64(batch->account_id),
                     db_i64(mailbox_id), db_i64_array(wide, count)) &&
           take_removed(batch, mailbox_id, &rows, removed, err);
}

bool replica_uids_forget(struct replica_batch *batch, int64_t mailbox_id, struct error *err)
{
    return db_post(batch->db, "replica_uids_forget", err, db_i64(batch->account_id),
                   db_i64(mailbox_id));
}

bool replica_uids_settle(struct replica_batch *batch, int64_t mailbox_id, struct error *err)
{
    struct db_rows rows;
    return db_select(batch->db, "replica_uids_settle", &rows, err, db_i64(batch->account_id),
                     db_i64(mailbox_id)) &&
           take_removed(batch, mailbox_id, &rows, NULL, err);
}

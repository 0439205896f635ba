/* The batch: what it remembers, its commit, and the mailboxes themselves. Rows of mailbox are
 * written at the commit, then the account's, so that a person's click finds neither locked for
 * long. */
#include "server/store/replica.h"

#include <assert.h>
#include <stdlib.h>

#include "server/base/log.h"
#include "server/store/changes_private.h"
#include "server/store/db_private.h"
#include "server/store/replica_private.h"

/* --- lists and maps of ids ------------------------------------------------------------------- */

void id_list_add(struct arena *arena, struct id_list *list, int64_t id)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        int64_t *larger = ARENA_ARRAY(arena, capacity, int64_t);
        if (list->count)
            memcpy(larger, list->at, list->count * sizeof *larger);
        list->at = larger;
        list->capacity = capacity;
    }
    list->at[list->count++] = id;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

void id_list_sort(struct id_list *list)
{
    size_t kept = 0;
    if (!list->count)
        return;
    qsort(list->at, list->count, sizeof *list->at, compare_ids);
    for (size_t i = 1; i < list->count; i++)
        if (list->at[i] != list->at[kept])
            list->at[++kept] = list->at[i];
    list->count = kept + 1;
}

/* Takes out of `list` what is in `other`; both sorted. */
static void id_list_subtract(struct id_list *list, const struct id_list *other)
{
    size_t kept = 0, j = 0;
    for (size_t i = 0; i < list->count; i++) {
        while (j < other->count && other->at[j] < list->at[i])
            j++;
        if (j == other->count || other->at[j] != list->at[i])
            list->at[kept++] = list->at[i];
    }
    list->count = kept;
}

void id_map_init(struct arena *arena, struct id_map *map, size_t capacity)
{
    size_t size = 16;
    while (size < capacity * 2)
        size *= 2;
    *map = (struct id_map){.mask = size - 1,
                           .keys = ARENA_ARRAY(arena, size, int64_t),
                           .values = ARENA_ARRAY(arena, size, int32_t)};
    memset(map->values, 0xff, size * sizeof *map->values);
}

/* Where `key` is or would be. */
static size_t find_slot(const struct id_map *map, int64_t key)
{
    size_t slot = (size_t)((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & map->mask;
    while (map->values[slot] >= 0 && map->keys[slot] != key)
        slot = (slot + 1) & map->mask;
    return slot;
}

int32_t *id_map_at(struct id_map *map, int64_t key, int32_t value)
{
    size_t slot = find_slot(map, key);
    if (map->values[slot] < 0) {
        map->keys[slot] = key;
        map->values[slot] = value;
    }
    return &map->values[slot];
}

int32_t id_map_get(const struct id_map *map, int64_t key)
{
    return map->values[find_slot(map, key)];
}

/* --- the batch ------------------------------------------------------------------------------- */

struct replica_batch *replica_begin(struct db *db, int64_t account_id, struct error *err)
{
    assert(!db_in_transaction(db));
    if (!db_begin(db, err))
        return NULL;
    struct replica_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    *batch = (struct replica_batch){
        .magic = REPLICA_MAGIC, .db = db, .account_id = account_id, .arena = arena_new()};
    return batch;
}

static void free_batch(struct replica_batch **batch_at)
{
    arena_free(&(*batch_at)->arena);
    (*batch_at)->magic = 0;
    free(*batch_at);
    *batch_at = NULL;
}

void replica_give_ids(struct replica_batch *batch, int64_t first, int count)
{
    assert(batch->magic == REPLICA_MAGIC);
    batch->next_id = first;
    batch->ids_left = count;
}

void replica_abandon(struct replica_batch **batch)
{
    if (!*batch)
        return;
    assert((*batch)->magic == REPLICA_MAGIC);
    db_rollback((*batch)->db);
    free_batch(batch);
}

struct replica_touch *replica_touch(struct replica_batch *batch, int64_t mailbox_id)
{
    assert(batch->magic == REPLICA_MAGIC);
    for (size_t i = 0; i < batch->touched_count; i++)
        if (batch->touched[i].mailbox_id == mailbox_id)
            return &batch->touched[i];
    if (batch->touched_count == batch->touched_capacity) {
        size_t capacity = batch->touched_capacity ? batch->touched_capacity * 2 : 4;
        struct replica_touch *larger = ARENA_ARRAY(batch->arena, capacity, struct replica_touch);
        if (batch->touched_count)
            memcpy(larger, batch->touched, batch->touched_count * sizeof *larger);
        batch->touched = larger;
        batch->touched_capacity = capacity;
    }
    struct replica_touch *touch = &batch->touched[batch->touched_count++];
    *touch = (struct replica_touch){.mailbox_id = mailbox_id};
    return touch;
}

bool replica_allocate_ids(struct db *db, int64_t account_id, int count, int64_t *first,
                          struct error *err)
{
    struct db_rows rows;
    if (db_in_transaction(db)) /* which must not lose its durability */
        return account_next_ids(db, account_id, count, first, err);
    if (!db_select_one(db, "replica_next_ids", &rows, "there is no such account", err,
                       db_i64(account_id), db_i64(count)))
        return false;
    *first = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool replica_take_ids(struct replica_batch *batch, int count, int64_t *first, struct error *err)
{
    struct db *db = batch->db;
    if (count <= batch->ids_left) {
        *first = batch->next_id;
        batch->next_id += count;
        batch->ids_left -= count;
        return true;
    }
    bool is_untouched = db->transaction == DB_TX_ASKED;
    if (is_untouched)
        db_rollback(db);
    return replica_allocate_ids(db, batch->account_id, count, first, err) &&
           (!is_untouched || db_begin(db, err));
}

bool replica_hold_emails(struct db *db, int64_t account_id, const int64_t *email_ids, size_t count,
                         struct error *err)
{
    int64_t held = 0;
    return db_execute(db, "replica_hold_emails", &held, err, db_i64(account_id),
                      db_i64_array(email_ids, count)) &&
           (held == (int64_t)count ||
            error_set(err, ERROR_CONFLICT, "a message of this batch was removed meanwhile"));
}

/* Counts and cursors, in the order of ids. */
bool replica_write_counts(struct replica_batch *batch, struct error *err)
{
    size_t count = 0;
    int64_t *ids = ARENA_ARRAY(batch->arena, batch->touched_count, int64_t);
    int32_t *totals = ARENA_ARRAY(batch->arena, batch->touched_count, int32_t);
    int32_t *unread = ARENA_ARRAY(batch->arena, batch->touched_count, int32_t);
    for (size_t i = 0; i < batch->touched_count; i++) {
        const struct replica_touch *touch = &batch->touched[i];
        if (!touch->total && !touch->unread)
            continue;
        ids[count] = touch->mailbox_id;
        totals[count] = touch->total;
        unread[count++] = touch->unread;
        id_list_add(batch->arena, &batch->changes[REPLICA_MAILBOX].updated, touch->mailbox_id);
    }
    if (count && !db_post(batch->db, "replica_count", err, db_i64(batch->account_id),
                          db_i64_array(ids, count), db_i32_array(totals, count),
                          db_i32_array(unread, count)))
        return false;
    for (size_t i = 0; i < batch->touched_count; i++) {
        const struct replica_mailbox *cursor = &batch->touched[i].cursor;
        if (batch->touched[i].has_cursor &&
            !db_post(batch->db, "replica_mailbox_cursor", err, db_i64(batch->account_id),
                     db_i64(batch->touched[i].mailbox_id), db_i64(cursor->uidvalidity),
                     db_i64(cursor->uidnext), db_i64(cursor->backfill_uid),
                     db_i64((int64_t)cursor->highestmodseq), db_i32(cursor->upstream_total),
                     db_or_null(db_time(cursor->set_aside_until))))
            return false;
    }
    batch->touched_count = 0;
    return true;
}

/* `modseq` as for changes_write. What was written is forgotten: it is written once. */
static bool write_changes(struct replica_batch *batch, int64_t *modseq, struct error *err)
{
    static const enum change_type types[REPLICA_TYPES] = {
        [REPLICA_MAILBOX] = CHANGE_MAILBOX,
        [REPLICA_EMAIL] = CHANGE_EMAIL,
        [REPLICA_THREAD] = CHANGE_THREAD,
        [REPLICA_OPERATION] = CHANGE_OPERATION,
    };
    struct change changes[REPLICA_TYPES];
    for (int type = 0; type < REPLICA_TYPES; type++) {
        struct id_list *created = &batch->changes[type].created;
        struct id_list *updated = &batch->changes[type].updated;
        struct id_list *destroyed = &batch->changes[type].destroyed;
        id_list_sort(created);
        id_list_sort(updated);
        id_list_sort(destroyed);
        id_list_subtract(created, destroyed);
        id_list_subtract(updated, created);
        id_list_subtract(updated, destroyed);
        changes[type] = (struct change){
            .type = types[type],
            .created = created->at,
            .created_count = created->count,
            .updated = updated->at,
            .updated_count = updated->count,
            .destroyed = destroyed->at,
            .destroyed_count = destroyed->count,
        };
    }
    const struct id_list mailboxes = batch->changes[REPLICA_MAILBOX].updated;
    if (!changes_write(batch->db, batch->account_id, changes, REPLICA_TYPES, modseq, err))
        return false;
    memset(batch->changes, 0, sizeof batch->changes);
    return !mailboxes.count ||
           db_post(batch->db, "replica_mailbox_modseq", err, db_i64(batch->account_id),
                   db_i64_array(mailboxes.at, mailboxes.count));
}

bool replica_post_changes(struct replica_batch *batch, struct error *err)
{
    return replica_write_counts(batch, err) && write_changes(batch, NULL, err);
}

/* A first sync fills empty tables faster than autovacuum looks at them; the statistics follow here.
 */
static void follow_growth(struct db *db, size_t emails_added)
{
    static const int64_t steps[] = {500, 5000};
    struct store *store = db->store->growing;
    bool is_due = false;
    pthread_mutex_lock(&store->lock);
    int64_t before = store->emails_added, after = before + (int64_t)emails_added;
    store->emails_added = after;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        is_due = is_due || (before < steps[i] && after >= steps[i]);
    struct error why = ERROR_INIT;
    if (is_due && !db_execute(db, "replica_analyze", NULL, &why))
        LOG_WARN("store.analyze", LOG_ERR(&why));
}

bool replica_commit(struct replica_batch **batch_at, struct error *err)
{
    struct replica_batch *batch = *batch_at;
    assert(batch->magic == REPLICA_MAGIC);
    bool is_good = db_in_transaction(batch->db) ||
                   error_set(err, ERROR_DATABASE, "the batch has failed already");
    int64_t modseq;
    is_good = is_good && replica_write_counts(batch, err) && write_changes(batch, &modseq, err) &&
              db_commit(batch->db, err);
    db_rollback(batch->db);
    if (is_good && batch->emails_added)
        follow_growth(batch->db, batch->emails_added);
    free_batch(batch_at);
    return is_good;
}

/* --- mailboxes ------------------------------------------------------------------------------- */

bool replica_mailboxes(struct db *db, struct arena *arena, int64_t account_id, bool with_counts,
                       struct replica_mailbox **mailboxes, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, with_counts ? "replica_mailboxes_counted" : "replica_mailboxes", &rows, err,
                   db_i64(account_id)))
        return false;
    *mailboxes = ARENA_ARRAY(arena, (size_t)rows.row_count, struct replica_mailbox);
    *count = 0;
    while (db_next(&rows)) {
        struct replica_mailbox *mailbox = &(*mailboxes)[(*count)++];
        mailbox->id = db_get_i64(&rows);
        mailbox->parent_id = db_get_i64(&rows);
        mailbox->name = db_get_str(&rows, arena);
        mailbox->path = db_get_str(&rows, arena);
        mailbox->wire_path = db_get_str(&rows, arena);
        mailbox->delimiter = db_get_str(&rows, arena);
        mailbox->role = mailbox_role_parse(db_get_slice(&rows));
        mailbox->is_subscribed = db_get_bool(&rows);
        mailbox->is_selectable = db_get_bool(&rows);
        mailbox->is_local = db_get_bool(&rows);
        mailbox->is_pending = db_get_bool(&rows);
        mailbox->object_id = db_get_str(&rows, arena);
        mailbox->uidvalidity = (uint32_t)db_get_i64(&rows);
        mailbox->uidnext = (uint32_t)db_get_i64(&rows);
        mailbox->backfill_uid = (uint32_t)db_get_i64(&rows);
        mailbox->highestmodseq = (uint64_t)db_get_i64(&rows);
        mailbox->upstream_total = db_get_i32(&rows);
        mailbox->set_aside_until = db_get_time(&rows);
        mailbox->total = db_get_i32(&rows);
        mailbox->unread = db_get_i32(&rows);
        mailbox->placements = with_counts ? (int)db_get_i64(&rows) : -1;
        if (!with_counts)
            db_skip(&rows);
    }
    db_rows_free(&rows);
    return true;
}

static bool write_mailbox(struct replica_batch *batch, const struct replica_mailbox *mailbox,
                          const char *statement, struct error *err)
{
    enum { PATH_BYTES_MAX = 2000 }; /* an index entry has room for 2,700 */
    int64_t affected;
    if (mailbox->path.length > PATH_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "the folder's name has more than %d bytes",
                         PATH_BYTES_MAX);
    return db_execute(batch->db, statement, &affected, err, db_i64(batch->account_id),
                      db_i64(mailbox->id), db_or_null(db_i64(mailbox->parent_id)),
                      db_text(mailbox->name), db_text(mailbox->path), db_bytes(mailbox->wire_path),
                      db_text(mailbox->delimiter), db_name(mailbox_role_name(mailbox->role)),
                      db_bool(mailbox->is_subscribed), db_bool(mailbox->is_selectable),
                      db_bool(mailbox->is_local), db_or_null(db_text(mailbox->object_id)),
                      db_bool(mailbox->is_pending)) &&
           (affected || error_set(err, ERROR_NOT_FOUND, "there is no such folder"));
}

bool replica_mailbox_add(struct replica_batch *batch, const struct replica_mailbox *mailbox,
                         struct error *err)
{
    id_list_add(batch->arena, &batch->changes[REPLICA_MAILBOX].created, mailbox->id);
    return write_mailbox(batch, mailbox, "replica_mailbox_insert", err);
}

bool replica_mailbox_put(struct replica_batch *batch, struct replica_mailbox *mailbox,
                         struct error *err)
{
    if (mailbox->id == 0) {
        if (!replica_take_ids(batch, 1, &mailbox->id, err))
            return false;
        if (replica_mailbox_add(batch, mailbox, err))
            return true;
        mailbox->id = 0;
        return false;
    }
    id_list_add(batch->arena, &batch->changes[REPLICA_MAILBOX].updated, mailbox->id);
    return write_mailbox(batch, mailbox, "replica_mailbox_update", err);
}

bool replica_mailbox_remove(struct replica_batch *batch, int64_t mailbox_id, struct error *err)
{
    struct db_rows rows;
    struct id_list emails = {0};
    assert(!batch->db->store->is_bulk);
    if (!db_select(batch->db, "replica_mailbox_clear", &rows, err, db_i64(batch->account_id),
                   db_i64(mailbox_id)))
        return false;
    while (db_next(&rows))
        id_list_add(batch->arena, &emails, db_get_i64(&rows));
    db_rows_free(&rows);
    int64_t affected;
    if (!db_post(batch->db, "replica_mailbox_orphan_children", err, db_i64(batch->account_id),
                 db_i64(mailbox_id)) ||
        !db_execute(batch->db, "replica_mailbox_delete", &affected, err, db_i64(batch->account_id),
                    db_i64(mailbox_id)))
        return false;
    if (affected)
        id_list_add(batch->arena, &batch->changes[REPLICA_MAILBOX].destroyed, mailbox_id);
    return replica_drop_orphans(batch, &emails, err);
}

bool replica_mailbox_cursor(struct replica_batch *batch, const struct replica_mailbox *mailbox,
                            struct error *err)
{
    (void)err; /* written with the counts */
    struct replica_touch *touch = replica_touch(batch, mailbox->id);
    touch->has_cursor = true;
    touch->cursor = *mailbox;
    return true;
}

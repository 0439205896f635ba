/* Conversations of a batch of new emails: emails that share a key are one, so are the threads that
 * the database knows for their keys. Two look-ups a batch, whatever is in it. */
#include <assert.h>

#include "server/store/replica_private.h"

/* Emails of the batch, joined (union-find): `parent` leads to the one that stands for all. */
struct joining {
    int32_t *parent;
    int64_t *thread; /* of those that stand for all; 0: none yet */
};

static int32_t root_of(struct joining *joining, int32_t at)
{
    while (joining->parent[at] != at) {
        joining->parent[at] = joining->parent[joining->parent[at]];
        at = joining->parent[at];
    }
    return at;
}

static void join(struct joining *joining, int32_t a, int32_t b)
{
    a = root_of(joining, a);
    b = root_of(joining, b);
    if (a < b)
        joining->parent[b] = a;
    else
        joining->parent[a] = b;
}

/* A key the database knows. */
struct known {
    int64_t thread;
    int32_t email; /* of the batch: one that has the key */
};

/* Asks for the threads of all keys; `owner` maps a key to an index of `keys`, `first` an index of
 * `keys` to its first email. Marks the known ones in `is_known`. */
static struct known *look_up(struct replica_batch *batch, const struct id_map *owner,
                             const int32_t *first, const struct id_list *keys, bool *is_known,
                             size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(batch->db, "replica_known_threads", &rows, err, db_i64(batch->account_id),
                   db_i64_array(keys->at, keys->count)))
        return NULL;
    struct known *known = ARENA_ARRAY(batch->arena, (size_t)rows.row_count + 1, struct known);
    while (db_next(&rows)) {
        int32_t key = id_map_get(owner, db_get_i64(&rows));
        assert(key >= 0);
        is_known[key] = true;
        known[(*count)++] = (struct known){.thread = db_get_i64(&rows), .email = first[key]};
    }
    db_rows_free(&rows);
    return known;
}

/* Each set takes the oldest of the threads found for it; the others are merged into that one. */
static bool settle(struct replica_batch *batch, struct joining *joining, const struct known *known,
                   size_t known_count, struct error *err)
{
    struct id_map seen;
    struct id_list sources = {0}, targets = {0};
    struct db_rows rows;
    id_map_init(batch->arena, &seen, known_count);
    for (size_t i = 0; i < known_count; i++) /* a thread known to two sets makes them one */
        join(joining, *id_map_at(&seen, known[i].thread, known[i].email), known[i].email);
    for (size_t i = 0; i < known_count; i++) {
        int64_t *thread = &joining->thread[root_of(joining, known[i].email)];
        if (!*thread || known[i].thread < *thread)
            *thread = known[i].thread;
    }
    id_map_init(batch->arena, &seen, known_count);
    for (size_t i = 0; i < known_count; i++) {
        int64_t thread = joining->thread[root_of(joining, known[i].email)];
        id_list_add(batch->arena, &batch->changes[REPLICA_THREAD].updated, thread);
        if (known[i].thread == thread ||
            *id_map_at(&seen, known[i].thread, (int32_t)i) != (int32_t)i)
            continue;
        id_list_add(batch->arena, &sources, known[i].thread);
        id_list_add(batch->arena, &targets, thread);
        id_list_add(batch->arena, &batch->changes[REPLICA_THREAD].destroyed, known[i].thread);
    }
    if (!sources.count)
        return true;
    if (!db_post(batch->db, "replica_threads_merge_keys", err, db_i64(batch->account_id),
                 db_i64_array(sources.at, sources.count),
                 db_i64_array(targets.at, targets.count)) ||
        !db_select(batch->db, "replica_threads_merge", &rows, err, db_i64(batch->account_id),
                   db_i64_array(sources.at, sources.count),
                   db_i64_array(targets.at, targets.count)))
        return false;
    while (db_next(&rows))
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].updated, db_get_i64(&rows));
    db_rows_free(&rows);
    return true;
}

static bool add_keys(struct replica_batch *batch, struct joining *joining,
                     const struct id_list *keys, const int32_t *first, const bool *is_known,
                     struct error *err)
{
    struct id_list fresh = {0}, threads = {0};
    for (size_t i = 0; i < keys->count; i++) {
        if (is_known[i])
            continue;
        id_list_add(batch->arena, &fresh, keys->at[i]);
        id_list_add(batch->arena, &threads, joining->thread[root_of(joining, first[i])]);
    }
    return !fresh.count ||
           db_post(batch->db, "replica_thread_keys_add", err, db_i64(batch->account_id),
                   db_i64_array(fresh.at, fresh.count), db_i64_array(threads.at, threads.count));
}

bool replica_find_threads(struct replica_batch *batch, const struct thread_seed *seeds,
                          size_t count, int64_t *next_id, int64_t *thread_ids, struct error *err)
{
    size_t key_count = 0, known_count = 0;
    for (size_t i = 0; i < count; i++)
        key_count += seeds[i].key_count;
    struct joining joining = {.parent = ARENA_ARRAY(batch->arena, count, int32_t),
                              .thread = ARENA_ARRAY(batch->arena, count, int64_t)};
    struct id_map owner;
    struct id_list keys = {0}; /* each once */
    int32_t *first = ARENA_ARRAY(batch->arena, key_count, int32_t);
    bool *is_known = ARENA_ARRAY(batch->arena, key_count, bool);
    id_map_init(batch->arena, &owner, key_count);
    for (size_t i = 0; i < count; i++)
        joining.parent[i] = (int32_t)i;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < seeds[i].key_count; k++) {
            int32_t key = *id_map_at(&owner, seeds[i].keys[k], (int32_t)keys.count);
            if (key == (int32_t)keys.count) {
                first[key] = (int32_t)i;
                id_list_add(batch->arena, &keys, seeds[i].keys[k]);
            }
            join(&joining, (int32_t)i, first[key]);
        }
    }
    if (keys.count) {
        const struct known *known =
            look_up(batch, &owner, first, &keys, is_known, &known_count, err);
        if (!known || !settle(batch, &joining, known, known_count, err))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t *thread = &joining.thread[root_of(&joining, (int32_t)i)];
        if (!*thread) {
            *thread = (*next_id)++;
            id_list_add(batch->arena, &batch->changes[REPLICA_THREAD].created, *thread);
        }
        thread_ids[i] = *thread;
    }
    return add_keys(batch, &joining, &keys, first, is_known, err);
}

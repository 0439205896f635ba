#include "server/sync/bulk_run.h"

#include <poll.h>

#include "server/base/log.h"
#include "server/query/conditions.h"
#include "server/store/bulk.h"
#include "server/store/snooze.h"

enum {
    FAILURES_MAX = 20, /* in a row: the next NOTIFY or backstop begins again */
    PAUSE_MS = 100,    /* after one: who was in the way has gone on by then */
};

/* All of the folder that passes the query. */
static bool find(struct db *db, struct arena *arena, const struct bulk *bulk, struct error *err)
{
    const struct search_condition *const *conditions;
    struct query_clock clock = {bulk->asked_at, bulk->zone_minutes};
    struct search_condition all = {.kind = SEARCH_ALL_OF};
    struct search_condition place = {
        .kind = SEARCH_MAILBOX, .mailbox_ids = &bulk->mailbox_id, .mailbox_count = 1};
    int64_t *ids;
    size_t count, kept = 0;
    struct query *query = query_parse(arena, bulk->query, clock, err);
    if (!query || !query_conditions(db, arena, query, &bulk->account_id, 1, &conditions, err))
        return false;
    struct search_condition typed = *conditions[0];
    all.first_child = bulk->mailbox_id ? &place : &typed;
    place.next = &typed;
    if (!search_all(db, arena, bulk->account_id, bulk->user_id, &all, BULK_EMAILS_MAX + 1, &ids,
                    &count, err))
        return false;
    if (count > BULK_EMAILS_MAX)
        return error_set(err, ERROR_LIMIT, "That are more than a million messages at once.");
    for (size_t i = 0; i < count; i++)
        if (ids[i] < bulk->id) /* what came later is another matter */
            ids[kept++] = ids[i];
    return bulk_found(db, bulk, ids, kept, err);
}

static bool go_on(struct db *db, struct arena *arena, const struct bulk *bulk, struct error *err)
{
    struct error why = ERROR_INIT;
    if (bulk->is_found || bulk->kind == BULK_UNDO)
        return bulk_step(db, arena, bulk, err);
    if (find(db, arena, bulk, &why))
        return true;
    if (!bulk_may_pass(&why))
        return bulk_fail(db, bulk, &why, err);
    *err = why;
    return false;
}

/* False: nothing is left, or it does not get on. */
static bool turn(const struct sync_context *sync, struct arena *arena, int *failures)
{
    struct bulk bulk;
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(sync->store, 0, &err);
    bool is_any = false;
    bool is_good = db && snooze_step(db, &is_any, &err);
    if (is_good && !is_any)
        is_good = bulk_next(db, arena, &bulk, &err) && go_on(db, arena, &bulk, &err);
    store_release(sync->store, &db);
    if (is_good) {
        *failures = 0;
        return true;
    }
    if (err.kind == ERROR_NOT_FOUND)
        return false;
    LOG_WARN("sync.bulk", LOG_ERR(&err));
    poll(NULL, 0, PAUSE_MS);
    return ++*failures < FAILURES_MAX;
}

void bulk_run(const struct sync_context *sync, const atomic_bool *is_stopping)
{
    struct arena *arena = arena_new();
    int failures = 0;
    while (!atomic_load(is_stopping) && turn(sync, arena, &failures))
        arena_reset(arena);
    arena_free(&arena);
}

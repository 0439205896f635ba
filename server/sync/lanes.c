#include "server/sync/lanes.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/log.h"

void lanes_open(struct lanes *lanes, struct slice *slice, lane_fn *import, bool in_turn)
{
    *lanes = (struct lanes){.slice = slice, .import = import, .in_turn = in_turn};
    pthread_mutex_init(&lanes->lock, NULL);
    for (size_t i = 0; i < LANES; i++)
        lanes->at[i].lanes = lanes;
}

static void *run(void *context)
{
    struct lane *lane = context;
    struct lanes *lanes = lane->lanes;
    char id_text[24];
    snprintf(id_text, sizeof id_text, "%lld", (long long)lanes->slice->account->id);
    log_set_context("account", str_of(id_text));
    if (!lanes->import(lanes, lane->batch, &lane->err) && lane->err.kind == ERROR_NONE)
        error_set(&lane->err, ERROR_INTERNAL, "a batch of messages was not stored");
    return NULL;
}

static bool await(struct lanes *lanes, struct lane *lane)
{
    if (lane->is_running)
        pthread_join(lane->thread, NULL);
    lane->is_running = false;
    if (lanes->err.kind == ERROR_NONE)
        lanes->err = lane->err;
    return lanes->err.kind == ERROR_NONE;
}

bool lanes_send(struct lanes *lanes, void *batch)
{
    struct lane *lane = &lanes->at[lanes->receiving];
    lane->batch = batch;
    lane->err = ERROR_INIT;
    lane->is_running = true;
    if (pthread_create(&lane->thread, NULL, run, lane))
        abort();
    lanes->receiving = (lanes->receiving + 1) % LANES;
    return await(lanes, &lanes->at[lanes->receiving]);
}

bool lanes_await(struct lanes *lanes, struct error *err)
{
    for (size_t i = 0; i < LANES; i++)
        await(lanes, &lanes->at[(lanes->receiving + i) % LANES]);
    if (lanes->err.kind != ERROR_NONE)
        *err = lanes->err;
    return lanes->err.kind == ERROR_NONE;
}

bool lanes_close(struct lanes *lanes, struct error *err)
{
    bool is_good = lanes_await(lanes, err);
    pthread_mutex_destroy(&lanes->lock);
    return is_good;
}

struct db *lanes_acquire(struct lanes *lanes, bool only_adds)
{
    struct store *bulk = lanes->slice->sync->bulk;
    if (lanes->in_turn)
        pthread_mutex_lock(&lanes->lock);
    struct db *db = only_adds && bulk ? store_acquire(bulk, 0, NULL) : NULL;
    if (db)
        return db;
    if (!lanes->in_turn)
        pthread_mutex_lock(&lanes->lock);
    return lanes->slice->db;
}

void lanes_release(struct lanes *lanes, struct db **db)
{
    bool is_own = *db == lanes->slice->db;
    if (is_own)
        *db = NULL;
    else
        store_release(lanes->slice->sync->bulk, db);
    if (is_own || lanes->in_turn)
        pthread_mutex_unlock(&lanes->lock);
}

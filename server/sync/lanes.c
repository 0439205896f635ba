#include "server/sync/lanes.h"

#include <stdio.h>

#include "server/base/log.h"

void lanes_open(struct lanes *lanes, struct slice *slice, lane_fn *import, bool in_turn)
{
    *lanes = (struct lanes){.slice = slice, .import = import, .in_turn = in_turn};
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->turn_came, NULL);
    for (size_t i = 0; i < LANES; i++)
        lanes->at[i].lanes = lanes;
}

/* Until `*next`, one of the counts that `lock` guards, has come to this batch. */
static void await_number(struct lane *lane, const uint64_t *next)
{
    struct lanes *lanes = lane->lanes;
    pthread_mutex_lock(&lanes->lock);
    while (*next < lane->number)
        pthread_cond_wait(&lanes->turn_came, &lanes->lock);
    pthread_mutex_unlock(&lanes->lock);
}

static void set_number(struct lanes *lanes, uint64_t *next, uint64_t number)
{
    pthread_mutex_lock(&lanes->lock);
    if (*next < number)
        *next = number;
    pthread_cond_broadcast(&lanes->turn_came);
    pthread_mutex_unlock(&lanes->lock);
}

/* Also of one that failed before its turn had come. */
static void end_turn(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    await_number(lane, &lanes->turn);
    set_number(lanes, &lanes->entered, lane->number + 1);
    set_number(lanes, &lanes->turn, lane->number + 1);
}

static void *run(void *context)
{
    struct lane *lane = context;
    struct lanes *lanes = lane->lanes;
    char id_text[24];
    snprintf(id_text, sizeof id_text, "%lld", (long long)lanes->slice->account->id);
    log_set_context("account", str_of(id_text));
    if (!lanes->import(lane, lane->batch, &lane->err) && lane->err.kind == ERROR_NONE)
        error_set(&lane->err, ERROR_INTERNAL, "a batch of messages was not stored");
    if (lanes->in_turn)
        end_turn(lane);
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
    lane->number = lanes->sent++;
    lane->err = ERROR_INIT;
    lane->is_running = pthread_create(&lane->thread, NULL, run, lane) == 0;
    if (!lane->is_running) /* no more threads: it takes longer, that is all */
        run(lane);
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
    pthread_cond_destroy(&lanes->turn_came);
    pthread_mutex_destroy(&lanes->lock);
    return is_good;
}

struct db *lanes_acquire(struct lane *lane, bool only_adds)
{
    struct lanes *lanes = lane->lanes;
    struct store *bulk = lanes->slice->sync->bulk;
    if (lanes->in_turn) /* so whoever has one waits only for those who have one too */
        await_number(lane, &lanes->entered);
    struct db *db = only_adds && bulk ? store_acquire(bulk, 0, NULL) : NULL;
    if (lanes->in_turn)
        set_number(lanes, &lanes->entered, lane->number + 1);
    if (db)
        return db;
    if (lanes->in_turn)
        await_number(lane, &lanes->turn);
    else
        pthread_mutex_lock(&lanes->lock);
    return lanes->slice->db;
}

void lanes_await_turn(struct lane *lane)
{
    if (lane->lanes->in_turn)
        await_number(lane, &lane->lanes->turn);
}

void lanes_release(struct lane *lane, struct db **db)
{
    struct lanes *lanes = lane->lanes;
    bool is_own = *db == lanes->slice->db;
    if (is_own)
        *db = NULL;
    else
        store_release(lanes->slice->sync->bulk, db);
    if (is_own && !lanes->in_turn)
        pthread_mutex_unlock(&lanes->lock);
}

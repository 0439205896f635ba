/* Batches on their way into the database, each in a thread of its own: while one is parsed another
 * is written or waits for the disk, and meanwhile the next is received. All functions that
 * take a `struct lanes` are the receiving thread's. */
#ifndef RESTANTE_SYNC_LANES_H
#define RESTANTE_SYNC_LANES_H

#include <pthread.h>

#include "server/sync/slice.h"

/* So many batches have their room: one is received into, the others are under way. */
enum { LANES = 3 };

struct lane;

/* Makes one batch durable. On a thread of its own. */
typedef bool lane_fn(struct lane *lane, void *batch, struct error *err);

struct lane {
    struct lanes *lanes;
    pthread_t thread;
    bool is_running;
    void *batch;
    uint64_t number;  /* of the batch, as they were sent */
    struct error err; /* ERROR_NONE: all went well */
};

struct lanes {
    struct slice *slice;
    lane_fn *import;
    bool in_turn; /* each batch must see what those before it added, and comes behind it */
    pthread_mutex_t
        lock; /* who holds it has the slice's own connection; with `in_turn`, of turns */
    pthread_cond_t turn_came;
    uint64_t sent, entered, turn; /* batches; of those, the next that may have a connection, and
                                     the one whose turn it is */
    struct lane at[LANES];
    size_t receiving; /* the lane, always idle, whose batch is being received */
    struct error err; /* of the first batch that failed */
};

void lanes_open(struct lanes *lanes, struct slice *slice, lane_fn *import, bool in_turn);
/* Sends the received batch on its way and waits until the next lane, now `lanes->receiving`, is
 * idle. False: a batch has failed, now or before. */
bool lanes_send(struct lanes *lanes, void *batch);
/* Waits for all. False: one has failed, and `err` says how. */
bool lanes_await(struct lanes *lanes, struct error *err);
/* The same, at the end. */
bool lanes_close(struct lanes *lanes, struct error *err);

/* A connection to write one batch by: one for bulk if it `only_adds` and there is one, else the
 * slice's own, for which batches stand in line. */
struct db *lanes_acquire(struct lane *lane, bool only_adds);
/* With `in_turn`: returns when all batches before this one are written or have failed. What does
 * not depend on them may be written sooner. */
void lanes_await_turn(struct lane *lane);
void lanes_release(struct lane *lane, struct db **db);

#endif

/* Batches on their way into the database, each in a thread of its own: while one is parsed another
 * is written or waits for the disk, and meanwhile the next is received. All functions but
 * lanes_acquire and lanes_release are the receiving thread's. */
#ifndef RESTANTE_SYNC_LANES_H
#define RESTANTE_SYNC_LANES_H

#include <pthread.h>

#include "server/sync/slice.h"

/* So many batches have their room: one is received into, the others are under way. */
enum { LANES = 3 };

struct lanes;

/* Makes one batch durable. On a thread of its own. */
typedef bool lane_fn(struct lanes *lanes, void *batch, struct error *err);

struct lane {
    struct lanes *lanes;
    pthread_t thread;
    bool is_running;
    void *batch;
    struct error err; /* ERROR_NONE: all went well */
};

struct lanes {
    struct slice *slice;
    lane_fn *import;
    bool in_turn;         /* each batch must see what others added: one at a time is written */
    pthread_mutex_t lock; /* who holds it has the slice's own connection, or the turn */
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

/* A connection to write one batch by, once it is its turn: one for bulk if it `only_adds` and there
 * is one, else the slice's own, for which batches stand in line. */
struct db *lanes_acquire(struct lanes *lanes, bool only_adds);
void lanes_release(struct lanes *lanes, struct db **db);

#endif

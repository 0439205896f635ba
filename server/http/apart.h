/* Threads for the exchanges that take long: event streams, and large files for slow clients. On a
 * door's workers, a few of them would stop the house. */
#ifndef RESTANTE_HTTP_APART_H
#define RESTANTE_HTTP_APART_H

#include <pthread.h>
#include <stdbool.h>

struct apart {
    int most;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t calmer;
    int count;
};

/* At most `most` threads at a time. */
void apart_init(struct apart *apart, int most);
/* None may run any more: apart_wait() first. */
void apart_free(struct apart *apart);
/* Runs `run(context)` on a thread of its own, which ends with it. False when none can be had: then
 * nothing was run. */
bool apart_start(struct apart *apart, void (*run)(void *context), void *context);
/* Waits without limit until none runs. */
void apart_wait(struct apart *apart);

#endif

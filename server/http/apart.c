#include "server/http/apart.h"

#include <stdlib.h>

#include "server/http/door.h"

enum { STACK_BYTES = 512 * 1024 };

struct errand {
    struct apart *apart;
    void (*run)(void *context);
    void *context;
};

void apart_init(struct apart *apart, int most)
{
    apart->most = most;
    apart->count = 0;
    pthread_mutex_init(&apart->lock, NULL);
    pthread_cond_init(&apart->calmer, NULL);
}

void apart_free(struct apart *apart)
{
    pthread_mutex_destroy(&apart->lock);
    pthread_cond_destroy(&apart->calmer);
}

static bool enter(struct apart *apart)
{
    pthread_mutex_lock(&apart->lock);
    bool has_room = apart->count < apart->most;
    apart->count += has_room;
    atomic_fetch_add(&door_gauges.streams, has_room);
    pthread_mutex_unlock(&apart->lock);
    return has_room;
}

/* The last touch of `apart`: whoever waits may free it as soon as the lock is open. */
static void leave(struct apart *apart)
{
    pthread_mutex_lock(&apart->lock);
    apart->count--;
    atomic_fetch_sub(&door_gauges.streams, 1);
    pthread_cond_broadcast(&apart->calmer);
    pthread_mutex_unlock(&apart->lock);
}

static void *run_errand(void *context)
{
    struct errand errand = *(struct errand *)context;
    free(context);
    errand.run(errand.context);
    leave(errand.apart);
    return NULL;
}

static bool start_thread(struct errand *errand)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool is_started = pthread_create(&thread, &attributes, run_errand, errand) == 0;
    pthread_attr_destroy(&attributes);
    return is_started;
}

bool apart_start(struct apart *apart, void (*run)(void *context), void *context)
{
    if (!enter(apart))
        return false;
    struct errand *errand = malloc(sizeof *errand);
    if (!errand)
        abort();
    *errand = (struct errand){apart, run, context};
    if (start_thread(errand))
        return true;
    free(errand);
    leave(apart);
    return false;
}

void apart_wait(struct apart *apart)
{
    pthread_mutex_lock(&apart->lock);
    while (apart->count > 0)
        pthread_cond_wait(&apart->calmer, &apart->lock);
    pthread_mutex_unlock(&apart->lock);
}

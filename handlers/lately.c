#include "handlers/lately.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/base/clock.h"

enum { PLACES = 4096 };

struct pair {
    int64_t a, b;
    int64_t until_ms; /* monotonic */
};

struct lately {
    pthread_mutex_t lock; /* guards all below */
    struct pair places[PLACES];
};

struct lately *lately_new(void)
{
    struct lately *lately = calloc(1, sizeof *lately);
    if (!lately)
        abort();
    pthread_mutex_init(&lately->lock, NULL);
    return lately;
}

void lately_free(struct lately **owner)
{
    if (!*owner)
        return;
    pthread_mutex_destroy(&(*owner)->lock);
    free(*owner);
    *owner = NULL;
}

static struct pair *place_of(struct lately *lately, int64_t a, int64_t b)
{
    return &lately->places[((uint64_t)a * 31 + (uint64_t)b) % PLACES];
}

bool lately_knows(struct lately *lately, int64_t a, int64_t b)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&lately->lock);
    const struct pair *pair = place_of(lately, a, b);
    bool is_known = pair->a == a && pair->b == b && now_ms < pair->until_ms;
    pthread_mutex_unlock(&lately->lock);
    return is_known;
}

void lately_note(struct lately *lately, int64_t a, int64_t b, int64_t for_ms)
{
    int64_t until_ms = clock_monotonic_ms() + for_ms;
    pthread_mutex_lock(&lately->lock);
    *place_of(lately, a, b) = (struct pair){.a = a, .b = b, .until_ms = until_ms};
    pthread_mutex_unlock(&lately->lock);
}

#include "handlers/owners.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/base/clock.h"

/* One that comes into a taken place replaces what is there. */
enum { PLACES = 4096, KEPT_MS = 60 * 1000 };

struct owner {
    int64_t user_id, account_id;
    int64_t until_ms;
};

struct owners {
    pthread_mutex_t lock; /* of all below */
    struct owner places[PLACES];
};

struct owners *owners_new(void)
{
    struct owners *owners = calloc(1, sizeof *owners);
    if (!owners)
        abort();
    pthread_mutex_init(&owners->lock, NULL);
    return owners;
}

void owners_free(struct owners **owners)
{
    if (!*owners)
        return;
    pthread_mutex_destroy(&(*owners)->lock);
    free(*owners);
    *owners = NULL;
}

static struct owner *place_of(struct owners *owners, int64_t account_id)
{
    return &owners->places[(uint64_t)account_id % PLACES];
}

bool owners_know(struct owners *owners, int64_t user_id, int64_t account_id)
{
    if (!owners)
        return false;
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&owners->lock);
    const struct owner *owner = place_of(owners, account_id);
    bool is_known =
        owner->account_id == account_id && owner->user_id == user_id && now < owner->until_ms;
    pthread_mutex_unlock(&owners->lock);
    return is_known;
}

void owners_learn(struct owners *owners, int64_t user_id, int64_t account_id)
{
    if (!owners)
        return;
    int64_t until_ms = clock_monotonic_ms() + KEPT_MS;
    pthread_mutex_lock(&owners->lock);
    *place_of(owners, account_id) =
        (struct owner){.user_id = user_id, .account_id = account_id, .until_ms = until_ms};
    pthread_mutex_unlock(&owners->lock);
}

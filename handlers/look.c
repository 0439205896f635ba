#include "handlers/look.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/store/mailboxes.h"

/* Two folders that share a place make each other be told of more often: no harm. */
enum { PLACES = 4096 };

struct looks {
    pthread_mutex_t lock; /* guards all below */
    struct {
        int64_t account_id, mailbox_id;
        int64_t rest_until_ms; /* monotonic */
    } at[PLACES];
};

struct looks *looks_new(void)
{
    struct looks *looks = calloc(1, sizeof *looks);
    if (!looks)
        abort();
    pthread_mutex_init(&looks->lock, NULL);
    return looks;
}

void looks_free(struct looks **owner)
{
    if (!*owner)
        return;
    pthread_mutex_destroy(&(*owner)->lock);
    free(*owner);
    *owner = NULL;
}

static bool is_due(struct looks *looks, int64_t account_id, int64_t mailbox_id)
{
    int64_t now_ms = clock_monotonic_ms();
    size_t place = ((uint64_t)account_id * 31 + (uint64_t)mailbox_id) % PLACES;
    pthread_mutex_lock(&looks->lock);
    bool is_resting = looks->at[place].account_id == account_id &&
                      looks->at[place].mailbox_id == mailbox_id &&
                      now_ms < looks->at[place].rest_until_ms;
    if (!is_resting) {
        looks->at[place].account_id = account_id;
        looks->at[place].mailbox_id = mailbox_id;
        looks->at[place].rest_until_ms = now_ms + MAILBOX_LOOK_REST_MS;
    }
    pthread_mutex_unlock(&looks->lock);
    return !is_resting;
}

bool look_at_mailbox(const struct request *req, struct db *db, int64_t account_id,
                     int64_t mailbox_id, struct error *err)
{
    return !is_due(app_of(req)->looks, account_id, mailbox_id) ||
           mailbox_look(db, account_id, mailbox_id, err);
}

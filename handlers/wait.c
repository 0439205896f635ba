#include "handlers/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/session.h"

enum {
    BACKSTOP_MS = 5000,
    LOOK_MS = 1000, /* a lost NOTIFY delays by no more than this */
    KEY_BYTES = 80,
    WHO_BYTES = 64,
};

/* One thread that waits for one payload. */
struct waiter {
    struct waiter *next;
    char key[KEY_BYTES];
    char who[WHO_BYTES]; /* the person, or the address of nobody known */
    bool is_called;
};

struct change_watch {
    struct change_watch *next;
    change_watch_fn *changed;
    void *context;
};

struct waiters {
    struct store_listener *listener;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t called;
    struct waiter *first;
    struct change_watch *watches;
    int places, free_places;
    bool is_stopping;
};

static void tell_watches(struct waiters *w, struct str payload)
{
    struct str rest = payload;
    int64_t account_id, modseq;
    if (!str_equal(str_cut(&rest, ' '), STR("change")) ||
        !str_to_i64(str_cut(&rest, ' '), &account_id) || !str_to_i64(rest, &modseq))
        return;
    for (struct change_watch *watch = w->watches; watch; watch = watch->next)
        watch->changed(watch->context, account_id, modseq);
}

static void on_notify(void *context, struct str payload)
{
    struct waiters *w = context;
    pthread_mutex_lock(&w->lock);
    for (struct waiter *waiter = w->first; waiter; waiter = waiter->next)
        if (payload.length == 0 || str_equal(payload, str_of(waiter->key)))
            waiter->is_called = true;
    pthread_cond_broadcast(&w->called);
    tell_watches(w, payload);
    pthread_mutex_unlock(&w->lock);
}

struct waiters *waiters_new(struct store *store, int places, struct error *err)
{
    struct waiters *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    if (!w)
        abort();
    w->places = w->free_places = places;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->called, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->listener = store_listen(store, BACKSTOP_MS, on_notify, w, err);
    if (!w->listener)
        waiters_free(&w);
    return w;
}

void waiters_stop(struct waiters *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    pthread_cond_broadcast(&w->called);
    for (struct change_watch *watch = w->watches; watch; watch = watch->next)
        watch->changed(watch->context, 0, 0);
    pthread_mutex_unlock(&w->lock);
}

void waiters_free(struct waiters **owner)
{
    struct waiters *w = *owner;
    if (!w)
        return;
    store_unlisten(&w->listener);
    pthread_cond_destroy(&w->called);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *owner = NULL;
}

static void name_waiter(const struct request *req, struct waiter *waiter)
{
    const struct signed_in *who = signed_in(req);
    if (who)
        snprintf(waiter->who, sizeof waiter->who, "%lld", (long long)who->user_id);
    else
        snprintf(waiter->who, sizeof waiter->who, "%" STR_FMT, STR_ARG(req->remote_address));
}

/* Takes one of the places; there are fewer than request threads, so that people who read never wait
 * behind people who wait for a slow mail server. Nobody gets more than half of them. */
static bool enter(struct waiters *w, struct waiter *waiter)
{
    pthread_mutex_lock(&w->lock);
    int others = 0;
    for (const struct waiter *other = w->first; other; other = other->next)
        others += strcmp(other->who, waiter->who) == 0;
    bool has_place = w->free_places > 0 && others < (w->places + 1) / 2;
    if (has_place) {
        w->free_places--;
        waiter->next = w->first;
        w->first = waiter;
    }
    pthread_mutex_unlock(&w->lock);
    return has_place;
}

static void leave(struct waiters *w, struct waiter *waiter)
{
    pthread_mutex_lock(&w->lock);
    struct waiter **at = &w->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    w->free_places++;
    pthread_mutex_unlock(&w->lock);
}

/* Sleeps until called, or for LOOK_MS, or until the deadline. False: the service stops. */
static bool sleep_until_called(struct waiters *w, struct waiter *waiter, struct deadline deadline)
{
    int64_t wait_ms = deadline_left_ms(deadline);
    if (wait_ms < 0 || wait_ms > LOOK_MS)
        wait_ms = LOOK_MS;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    int status = 0;
    while (!waiter->is_called && !w->is_stopping && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&w->called, &w->lock, &until);
    waiter->is_called = false;
    bool goes_on = !w->is_stopping;
    pthread_mutex_unlock(&w->lock);
    return goes_on;
}

/* Looks with `look` after each call until it says done. */
typedef bool look_fn(struct db *db, void *asked, bool *is_done, struct error *err);

static bool look_once(struct request *req, look_fn *look, void *asked, bool *is_done,
                      struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_good = db && look(db, asked, is_done, err);
    store_release(app_of(req)->store, &db);
    return is_good;
}

static bool wait_for(struct request *req, const char *key, look_fn *look, void *asked,
                     struct deadline deadline, struct error *err)
{
    struct waiters *w = app_of(req)->waiters;
    struct waiter waiter = {0};
    bool is_done = false;
    snprintf(waiter.key, sizeof waiter.key, "%s", key);
    name_waiter(req, &waiter);
    bool has_place = enter(w, &waiter);
    bool may_wait = has_place;
    bool is_good = look_once(req, look, asked, &is_done, err);
    while (may_wait && is_good && !is_done && !deadline_passed(deadline)) {
        may_wait = sleep_until_called(w, &waiter, deadline);
        is_good = look_once(req, look, asked, &is_done, err);
    }
    if (has_place)
        leave(w, &waiter);
    if (!is_good || is_done)
        return is_good;
    error_set(err, ERROR_TIMEOUT, "The mail server has not answered yet.");
    return error_hint(err, "It goes on in the background; look again in a moment.");
}

struct asked_trial {
    struct arena *arena;
    struct str id;
    int64_t user_id;
    struct trial *trial;
};

static bool look_at_trial(struct db *db, void *context, bool *is_done, struct error *err)
{
    struct asked_trial *asked = context;
    bool is_found = trial_by_id(db, asked->arena, asked->id, asked->user_id, asked->trial, err);
    *is_done = is_found && asked->trial->is_done;
    return is_found;
}

bool wait_for_trial(struct request *req, struct str trial_id, int64_t user_id,
                    struct deadline deadline, struct trial *trial, struct error *err)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "tried %" STR_FMT, STR_ARG(trial_id));
    struct asked_trial asked = {req->arena, arena_str(req->arena, trial_id), user_id, trial};
    return wait_for(req, key, look_at_trial, &asked, deadline, err);
}

struct asked_operation {
    struct arena *arena;
    int64_t account_id, id;
    struct operation *operation;
};

static bool look_at_operation(struct db *db, void *context, bool *is_done, struct error *err)
{
    struct asked_operation *asked = context;
    bool is_found =
        operation_by_id(db, asked->arena, asked->account_id, asked->id, asked->operation, err);
    *is_done = is_found && asked->operation->state != OPERATION_PENDING &&
               asked->operation->state != OPERATION_RUNNING;
    return is_found;
}

bool wait_for_operation(struct request *req, int64_t account_id, int64_t operation_id,
                        struct deadline deadline, struct operation *operation, struct error *err)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "done %lld %lld", (long long)account_id, (long long)operation_id);
    struct asked_operation asked = {req->arena, account_id, operation_id, operation};
    return wait_for(req, key, look_at_operation, &asked, deadline, err);
}

struct change_watch *waiters_watch(struct waiters *w, change_watch_fn *changed, void *context)
{
    struct change_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        abort();
    watch->changed = changed;
    watch->context = context;
    pthread_mutex_lock(&w->lock);
    watch->next = w->watches;
    w->watches = watch;
    if (w->is_stopping)
        changed(context, 0, 0);
    pthread_mutex_unlock(&w->lock);
    return watch;
}

void waiters_unwatch(struct waiters *w, struct change_watch **owner)
{
    if (!*owner)
        return;
    pthread_mutex_lock(&w->lock);
    struct change_watch **at = &w->watches;
    while (*at != *owner)
        at = &(*at)->next;
    *at = (*owner)->next;
    pthread_mutex_unlock(&w->lock);
    free(*owner);
    *owner = NULL;
}

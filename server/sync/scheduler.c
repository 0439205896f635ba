#include "server/sync/scheduler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/workpool.h"
#include "server/store/leases.h"
#include "server/sync/imap_look.h"
#include "server/sync/trials.h"
#include "server/sync/worker.h"

enum {
    LEASE_S = 30,
    RENEW_MS = 10 * 1000,
    CLAIM_MS = 1000, /* how often due accounts are looked for without being told */
    CLAIM_MAX = 64,  /* accounts taken on at a turn, so that a restart does not storm */
    TURN_MAX_MS = 1000,
    BUCKETS = 1024,    /* of the table by id; 10,000 accounts make chains of ten */
    QUEUE_MAX = 16384, /* slices waiting for a worker */
    /* People wait for these: never behind a backfill, nor behind others' mail servers that stall.
     * Each thread nearly always waits for the network, and holds no connection to the database. */
    TRIAL_THREADS = 16,
    TRIAL_QUEUE = 64,
};

enum run_state { RUN_IDLE, RUN_QUEUED, RUN_ACTIVE };

/* Reading and sending wait for servers of their own, and not for each other. */
struct lane {
    struct entry *entry;
    struct worker_account account;
    enum run_state state;
    int64_t due_ms; /* monotonic; when idle */
    bool has_turn;  /* its host has room for it now */
};

struct entry {
    struct entry *next; /* in its bucket */
    struct scheduler *scheduler;
    struct lane reading, sending;
    bool is_gone; /* goes once neither lane runs */
    /* of reading */
    bool has_data;   /* its parked connection has something to tell */
    bool is_asked;   /* the slice under way is for more than that */
    bool is_resting; /* it has a connection, and nothing to do */
    bool is_bulk;    /* its last slice left more to do: history, bodies */
    bool is_held_up; /* see worker_result */
    bool is_in_bulk; /* and the slice under way is for that */
};

struct scheduler {
    const struct sync_context *sync;
    struct workpool *workers, *senders;
    struct workpool *trials;
    int wakeup;
    int parked; /* epoll: `wakeup` (id 0) and the parked connections by account, each once */
    pthread_mutex_t lock; /* guards all below */
    struct entry *buckets[BUCKETS];
    size_t count;
    int bulk_running; /* slices of such accounts, queued or active */
    int trials_told;  /* announcements of trials since the last turn */
    bool wants_claim;
    bool has_missed; /* NOTIFYs may have been lost */
    int64_t renew_at_ms, claim_at_ms;
    atomic_bool is_stopping;
};

struct scheduler *scheduler_new(const struct sync_context *sync, struct error *err)
{
    struct scheduler *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->sync = sync;
    pthread_mutex_init(&s->lock, NULL);
    s->wants_claim = true;
    s->trials_told = 1;
    s->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->parked = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wakes = {.events = EPOLLIN};
    bool is_watching = epoll_ctl(s->parked, EPOLL_CTL_ADD, s->wakeup, &wakes) == 0;
    s->workers = workpool_new("sync", sync->workers, QUEUE_MAX);
    s->senders = workpool_new("send", SYNC_SENDERS, QUEUE_MAX);
    s->trials = workpool_new("trial", TRIAL_THREADS, TRIAL_QUEUE);
    if (s->wakeup < 0 || !is_watching || !s->workers || !s->senders || !s->trials) {
        error_set(err, ERROR_INTERNAL, "the system gives no more threads");
        scheduler_free(&s);
        return NULL;
    }
    struct db *db = store_acquire(sync->store, 0, err);
    bool is_clean = db && lease_release_all(db, sync->owner, err);
    store_release(sync->store, &db);
    if (!is_clean)
        LOG_WARN("sync.leases", LOG_ERR(err)); /* they run out by themselves */
    return s;
}

static void free_entry(struct entry *e)
{
    worker_account_close(&e->reading.account);
    worker_account_close(&e->sending.account);
    free(e);
}

void scheduler_free(struct scheduler **owner)
{
    struct scheduler *s = *owner;
    if (!s)
        return;
    atomic_store(&s->is_stopping, true);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = s->buckets[i]; e; e = e->next) {
            atomic_store(&e->reading.account.is_stopping, true);
            atomic_store(&e->sending.account.is_stopping, true);
        }
    workpool_free(&s->senders);
    workpool_free(&s->workers);
    workpool_free(&s->trials);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (s->buckets[i]) {
            struct entry *e = s->buckets[i];
            s->buckets[i] = e->next;
            free_entry(e);
        }
    }
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(s->sync->store, 0, &err);
    if (db)
        lease_release_all(db, s->sync->owner, &err);
    store_release(s->sync->store, &db);
    if (s->wakeup >= 0)
        close(s->wakeup);
    if (s->parked >= 0)
        close(s->parked);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *owner = NULL;
}

int scheduler_wakeup_fd(const struct scheduler *s)
{
    return s->parked;
}

static void wake(struct scheduler *s)
{
    uint64_t one = 1;
    ssize_t written = write(s->wakeup, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

static struct entry **slot(struct scheduler *s, int64_t id)
{
    struct entry **at = &s->buckets[(uint64_t)id % BUCKETS];
    while (*at && (*at)->reading.account.id != id)
        at = &(*at)->next;
    return at;
}

static void start_lane(struct entry *e, struct lane *lane, struct hosts *hosts, int64_t id)
{
    lane->entry = e;
    lane->account.id = lane->account.place.account_id = id;
    lane->account.hosts = hosts;
    lane->account.place.owner = lane;
}

/* The entry of an account whose lease we just took, due at once. */
static void add_entry(struct scheduler *s, int64_t id)
{
    struct entry **at = slot(s, id);
    if (*at) {
        (*at)->reading.due_ms = (*at)->sending.due_ms = 0;
        (*at)->is_gone = false;
        return;
    }
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->scheduler = s;
    start_lane(e, &e->reading, s->sync->hosts, id);
    start_lane(e, &e->sending, s->sync->sending_hosts, id);
    *at = e;
    s->count++;
}

/* Ends a lane's turn; gives the lock back. An entry that is gone goes with the last of its lanes,
 * saying goodbye not under the lock. */
static void leave(struct scheduler *s, struct entry *e)
{
    bool is_last = e->is_gone && e->reading.state == RUN_IDLE && e->sending.state == RUN_IDLE;
    if (is_last) {
        *slot(s, e->reading.account.id) = e->next;
        s->count--;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_last)
        free_entry(e);
    wake(s);
}

/* Told once; armed anew when the account is parked again. A closed socket leaves by itself. */
static void watch(struct scheduler *s, const struct entry *e, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                                .data.u64 = (uint64_t)e->reading.account.id};
    if (fd >= 0 && epoll_ctl(s->parked, EPOLL_CTL_ADD, fd, &event) != 0)
        epoll_ctl(s->parked, EPOLL_CTL_MOD, fd, &event);
}

/* Notes which parked connections have something to tell. */
static void take_events(struct scheduler *s)
{
    struct epoll_event events[64];
    int count;
    do {
        count = epoll_wait(s->parked, events, 64, 0);
        for (int i = 0; i < count; i++) {
            uint64_t wakes;
            struct entry *e = events[i].data.u64 ? *slot(s, (int64_t)events[i].data.u64) : NULL;
            if (e)
                e->has_data = true;
            else if (read(s->wakeup, &wakes, sizeof wakes) < 0)
                continue; /* read already */
        }
    } while (count == 64);
}

static void begin_slice(struct lane *lane)
{
    struct scheduler *s = lane->entry->scheduler;
    pthread_mutex_lock(&s->lock);
    lane->state = RUN_ACTIVE;
    pthread_mutex_unlock(&s->lock);
    lane->account.is_urgent = atomic_exchange(&lane->account.has_operations, false);
}

/* Takes the lock. */
static void end_slice(struct lane *lane, const struct worker_result *result)
{
    pthread_mutex_lock(&lane->entry->scheduler->lock);
    lane->state = RUN_IDLE;
    lane->entry->is_gone = lane->entry->is_gone || result->is_gone;
    if (!result->keeps_due)
        lane->due_ms = clock_monotonic_ms() + result->wait_ms;
}

static void run_reading(void *context)
{
    struct entry *e = context;
    struct scheduler *s = e->scheduler;
    struct worker_account *account = &e->reading.account;
    begin_slice(&e->reading);
    struct worker_result result = worker_slice(s->sync, account, account->is_urgent || e->is_asked);
    end_slice(&e->reading, &result);
    s->bulk_running -= e->is_in_bulk;
    if (!result.keeps_due) {
        e->is_resting = account->imap && result.wait_ms > 0;
        e->is_bulk = result.wait_ms == 0;
        e->is_held_up = result.is_held_up;
    }
    watch(s, e, result.parked_fd);
    leave(s, e);
}

static void run_sending(void *context)
{
    struct entry *e = context;
    struct scheduler *s = e->scheduler;
    begin_slice(&e->sending);
    struct worker_result result = worker_send(s->sync, &e->sending.account);
    end_slice(&e->sending, &result);
    leave(s, e);
}

static void run_trials(void *context)
{
    struct scheduler *s = context;
    trials_run(s->sync);
}

/* "<account> <mailbox>", with the lock held. A slice under way comes to its end for it. */
static void note_opened(struct scheduler *s, struct str ids)
{
    int64_t account_id, mailbox_id;
    struct str rest = ids, first = str_cut(&rest, ' ');
    struct entry *e = NULL;
    if (str_to_i64(first, &account_id) && str_to_i64(rest, &mailbox_id) && mailbox_id > 0)
        e = *slot(s, account_id);
    if (!e)
        return;
    imap_look_ask(&e->reading.account, mailbox_id);
    if (e->reading.state != RUN_IDLE && !e->is_held_up)
        atomic_store(&e->reading.account.has_operations, true);
}

void scheduler_notified(struct scheduler *s, struct str payload)
{
    struct str rest = payload;
    struct str word = str_cut(&rest, ' ');
    int64_t id;
    pthread_mutex_lock(&s->lock);
    bool is_sending = str_equal(word, STR("send"));
    if ((is_sending || str_equal(word, STR("op"))) && rest.at && str_to_i64(rest, &id)) {
        struct entry *e = *slot(s, id);
        if (e)
            atomic_store(&(is_sending ? &e->sending : &e->reading)->account.has_operations, true);
        else
            s->wants_claim = true;
    } else if (str_equal(word, STR("look"))) {
        note_opened(s, rest);
    } else if (str_equal(word, STR("trial"))) {
        s->trials_told++;
    } else if (payload.length == 0) {
        s->wants_claim = s->has_missed = true;
        s->trials_told++;
    } else { /* what this role said itself */
        pthread_mutex_unlock(&s->lock);
        return;
    }
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

/* Takes leases on accounts that are due, and renews those held. Called with the lock held; lets go
 * of it while it talks to the database. */
static void look_after_leases(struct scheduler *s, int64_t now_ms)
{
    bool is_renewing = now_ms >= s->renew_at_ms;
    bool is_claiming = s->wants_claim || now_ms >= s->claim_at_ms;
    if (!is_renewing && !is_claiming)
        return;
    bool has_missed = s->has_missed;
    s->wants_claim = s->has_missed = false;
    s->claim_at_ms = now_ms + CLAIM_MS;
    if (is_renewing)
        s->renew_at_ms = now_ms + RENEW_MS;
    pthread_mutex_unlock(&s->lock);

    struct error err = ERROR_INIT;
    struct arena *arena = arena_new();
    struct db *db = store_acquire(s->sync->store, 0, &err);
    int64_t *ids = NULL, *wanted = NULL;
    size_t count = 0, wanted_count = 0;
    bool is_done =
        db && (!is_renewing || lease_renew(db, s->sync->owner, LEASE_S, &err)) &&
        lease_due(db, arena, s->sync->owner, LEASE_S, CLAIM_MAX, &ids, &count, &err) &&
        (!has_missed || lease_wanted(db, arena, s->sync->owner, &wanted, &wanted_count, &err));
    store_release(s->sync->store, &db);

    pthread_mutex_lock(&s->lock);
    if (is_done) {
        for (size_t i = 0; i < count; i++)
            add_entry(s, ids[i]);
        for (size_t i = 0; i < wanted_count; i++) {
            struct entry *e = *slot(s, wanted[i]);
            if (e) {
                atomic_store(&e->reading.account.has_operations, true);
                atomic_store(&e->sending.account.has_operations, true);
            }
        }
        s->wants_claim = s->wants_claim || count == CLAIM_MAX;
    } else {
        LOG_WARN("sync.leases", LOG_ERR(&err));
        s->renew_at_ms = now_ms + CLAIM_MS;
        s->has_missed = s->has_missed || has_missed;
    }
    arena_free(&arena);
}

/* False: the queue is full. At a later turn, then. */
static bool queue(struct workpool *pool, workpool_job *job, struct lane *lane)
{
    lane->state = RUN_QUEUED;
    if (workpool_add(pool, job, lane->entry)) {
        lane->has_turn = false;
        return true;
    }
    lane->state = RUN_IDLE;
    return false;
}

static bool queue_reading(struct scheduler *s, struct entry *e, bool is_in_bulk)
{
    e->is_in_bulk = is_in_bulk;
    if (!queue(s->workers, run_reading, &e->reading))
        return false;
    s->bulk_running += is_in_bulk;
    e->has_data = false;
    return true;
}

/* Accounts with history to fetch share most of the workers, whoever has waited longest first; the
 * rest is for what is small and what people wait for, however many large accounts there are. */
static int bulk_max(const struct scheduler *s)
{
    int rest = (s->sync->workers + 3) / 4;
    return s->sync->workers > rest ? s->sync->workers - rest : 1;
}

/* Those of them that may run now. */
static void queue_bulk(struct scheduler *s, int64_t now_ms)
{
    while (s->bulk_running < bulk_max(s)) {
        struct entry *next = NULL;
        for (size_t i = 0; i < BUCKETS; i++)
            for (struct entry *e = s->buckets[i]; e; e = e->next)
                if (e->reading.state == RUN_IDLE && !e->is_gone && e->is_bulk &&
                    e->reading.due_ms <= now_ms &&
                    (!next || e->reading.due_ms < next->reading.due_ms))
                    next = e;
        if (!next)
            return;
        next->is_asked = true;
        if (!queue_reading(s, next, true))
            return;
    }
}

static void sooner(int64_t *next_ms, int64_t due_ms)
{
    if (due_ms < *next_ms)
        *next_ms = due_ms;
}

/* Of those with history that are due, `*has_bulk` tells. */
static void queue_due_reading(struct scheduler *s, struct entry *e, int64_t now_ms, bool is_crowded,
                              bool *has_bulk, int64_t *next_ms)
{
    struct lane *lane = &e->reading;
    bool is_due = lane->due_ms <= now_ms;
    *has_bulk = *has_bulk || (e->is_bulk && is_due);
    e->is_asked =
        (is_due && !e->is_bulk) || lane->has_turn || atomic_load(&lane->account.has_operations) ||
        (is_crowded && e->is_resting && hosts_must_leave(s->sync->hosts, &lane->account.place));
    bool is_opened = !e->is_held_up && imap_look_is_asked(&lane->account);
    if (e->is_asked || e->has_data || is_opened)
        queue_reading(s, e, false);
    else if (!is_due)
        sooner(next_ms, lane->due_ms);
}

static void queue_due_sending(struct scheduler *s, struct lane *lane, int64_t now_ms,
                              int64_t *next_ms)
{
    if (lane->due_ms <= now_ms || lane->has_turn || atomic_load(&lane->account.has_operations))
        queue(s->senders, run_sending, lane);
    else
        sooner(next_ms, lane->due_ms);
}

/* Queues what is due and finds when the next one is. With the lock held. */
static int64_t queue_due(struct scheduler *s, int64_t now_ms)
{
    int64_t next_ms = now_ms + TURN_MAX_MS;
    bool is_crowded = hosts_is_crowded(s->sync->hosts), has_bulk = false;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = s->buckets[i]; e; e = e->next) {
            if (e->is_gone)
                continue;
            if (e->reading.state == RUN_IDLE)
                queue_due_reading(s, e, now_ms, is_crowded, &has_bulk, &next_ms);
            if (e->sending.state == RUN_IDLE)
                queue_due_sending(s, &e->sending, now_ms, &next_ms);
        }
    }
    if (has_bulk)
        queue_bulk(s, now_ms);
    return next_ms;
}

/* Those whose turn it is at their hosts. With the lock held. */
static void take_turns(struct hosts *hosts, int64_t now_ms)
{
    struct host_place *place;
    while ((place = hosts_next(hosts, now_ms)) != NULL)
        ((struct lane *)place->owner)->has_turn = true;
}

int scheduler_turn(struct scheduler *s)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&s->lock);
    take_events(s);
    look_after_leases(s, now_ms);
    /* Each thread empties the queue, so at most all of them are needed; each announcement makes one
     * work, for the others may be stuck with a server that says nothing. */
    for (int i = 0; i < s->trials_told && i < TRIAL_THREADS; i++)
        workpool_add(s->trials, run_trials, s);
    s->trials_told = 0;
    now_ms = clock_monotonic_ms();
    take_turns(s->sync->hosts, now_ms);
    take_turns(s->sync->sending_hosts, now_ms);
    int64_t next_ms = queue_due(s, now_ms);
    pthread_mutex_unlock(&s->lock);
    now_ms = clock_monotonic_ms();
    int64_t wait = next_ms > now_ms ? next_ms - now_ms : 0;
    wait = hosts_wait_ms(s->sync->hosts, now_ms, wait);
    return (int)hosts_wait_ms(s->sync->sending_hosts, now_ms, wait);
}

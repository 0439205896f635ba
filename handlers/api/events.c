/* GET .../events: what changes, as server-sent events (HTML Living Standard, section 9.2), until
 * the client goes. Each "change" has a row of the change log as its data (as GET .../changes has
 * them) and the state as its id; a client that comes back says Last-Event-ID and misses nothing.
 * "reset": that is too long ago, begin anew. Without an id it begins with what comes next. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/wait.h"

enum {
    CHANGES_MAX = 100,
    COMMENT_MS = 20 * 1000,    /* proxies and we ourselves must see that both are still there */
    GATHER_MS = 30,            /* a burst of changes wakes a stream once */
    LIFE_MS = 15 * 60 * 1000,  /* then the client comes again, and its sign-in is looked at anew */
    EVENT_BYTES_MAX = 8 << 20, /* of one batch of changes: ids of a first sync */
};

struct events {
    const struct app *app;
    int64_t user_id, account_id;
    int64_t state;        /* told up to here */
    pthread_mutex_t lock; /* guards has_changed */
    pthread_cond_t changed;
    bool has_changed;
    atomic_bool is_ending;
};

static void on_change(void *context, int64_t account_id, int64_t modseq)
{
    struct events *events = context;
    (void)modseq;
    if (account_id != 0 && account_id != events->account_id)
        return;
    pthread_mutex_lock(&events->lock);
    events->has_changed = true;
    if (account_id == 0)
        atomic_store(&events->is_ending, true);
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* True when something changed (or it is time to end), false when only time went by. */
static bool wait_for_change(struct events *events)
{
    struct timespec until = after_ms(COMMENT_MS);
    pthread_mutex_lock(&events->lock);
    while (!events->has_changed &&
           pthread_cond_timedwait(&events->changed, &events->lock, &until) != ETIMEDOUT) {
    }
    bool has_changed = events->has_changed;
    if (has_changed && !events->is_ending) {
        struct timespec gathered = after_ms(GATHER_MS);
        while (!events->is_ending &&
               pthread_cond_timedwait(&events->changed, &events->lock, &gathered) != ETIMEDOUT) {
        }
    }
    events->has_changed = false;
    pthread_mutex_unlock(&events->lock);
    return has_changed;
}

static void write_changes(struct buf *out, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json json = JSON_INIT(out);
        /* several rows may have one state: only the last of them may be gone on from */
        if (i + 1 == count || changes[i + 1].modseq != changes[i].modseq)
            buf_printf(out, "id: %lld\n", (long long)changes[i].modseq);
        buf_text(out, "event: change\ndata: ");
        answer_change(&json, &changes[i]);
        buf_text(out, "\n\n");
    }
}

/* Writes what changed since; `*has_more`: not all of it yet. */
static bool tell(struct events *events, struct response_sink *sink, bool *has_more,
                 struct error *err)
{
    struct change *changes;
    size_t count;
    int64_t state;
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(EVENT_BYTES_MAX);
    struct error why = ERROR_INIT;
    struct db *db = store_acquire(events->app->store, events->user_id, err);
    bool is_told = db && changes_since(db, arena, events->account_id, events->state, CHANGES_MAX,
                                       &changes, &count, &state, &why);
    store_release(events->app->store, &db);
    *has_more = false;
    if (is_told) {
        write_changes(&out, changes, count);
        events->state = count > 0 ? changes[count - 1].modseq : events->state;
        *has_more = events->state < state;
    } else if (why.kind == ERROR_CONFLICT) {
        /* the empty id lets a browser come back without one */
        buf_text(&out, "id\nevent: reset\ndata: {}\n\n");
        is_told = true;
        atomic_store(&events->is_ending, true);
    } else if (err) {
        *err = why;
    }
    bool is_written =
        is_told && !out.is_full && (out.length == 0 || response_write(sink, buf_view(&out)));
    buf_free(&out);
    arena_free(&arena);
    return is_written;
}

static bool run(struct events *events, struct response_sink *sink, struct error *err)
{
    int64_t end_ms = clock_monotonic_ms() + LIFE_MS;
    bool has_more = true;
    if (!response_write(sink, STR("retry: 2000\n\n")))
        return false;
    while (has_more)
        if (!tell(events, sink, &has_more, err))
            return false;
    while (!events->is_ending && clock_monotonic_ms() < end_ms) {
        bool has_changed = wait_for_change(events);
        if (!has_changed && !response_write(sink, STR(":\n\n")))
            return false;
        has_more = has_changed && !events->is_ending;
        while (has_more)
            if (!tell(events, sink, &has_more, err))
                return false;
    }
    return true;
}

static bool stream_events(struct response_sink *sink, void *context, struct error *err)
{
    struct events *events = context;
    pthread_condattr_t monotonic;
    pthread_mutex_init(&events->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&events->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    struct change_watch *watch = waiters_watch(events->app->waiters, on_change, events);
    bool is_good = run(events, sink, err);
    waiters_unwatch(events->app->waiters, &watch);
    pthread_cond_destroy(&events->changed);
    pthread_mutex_destroy(&events->lock);
    return is_good;
}

bool api_events(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct events *events = ARENA_NEW(res->arena, struct events);
    struct str since = request_header(req, "Last-Event-ID");
    if (since.length == 0)
        since = request_argument(req, "since");
    if (!answer_account(req, &db, &account, err) || !answer_done(req, &db, true))
        return false;
    *events = (struct events){.app = app_of(req),
                              .user_id = signed_in(req)->user_id,
                              .account_id = account.id,
                              .state = account.modseq};
    if (since.length > 0 && (!str_to_i64(since, &events->state) || events->state < 0))
        return error_set(err, ERROR_INVALID, "\"since\" is a state as the answers give it.");
    response_set_header(res, "Content-Type", STR("text/event-stream"));
    response_set_header(res, "Cache-Control", STR("no-store"));
    response_set_header(res, "X-Accel-Buffering", STR("no")); /* nginx */
    res->stream = stream_events;
    res->stream_context = events;
    return true;
}

#include "server/sync/sync.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/workpool.h"
#include "server/store/leases.h"
#include "server/store/users.h"
#include "server/sync/bulk_run.h"
#include "server/sync/scheduler.h"

enum {
    BACKSTOP_MS = 5000,   /* a lost NOTIFY delays by no more than this */
    SWEEP_MS = 60 * 1000, /* expired sessions, trials, rate rows; removed accounts; new words */
};

/* What runs beside the accounts' own slices, each on a thread of its own. */
struct background {
    const struct sync_context *sync;
    struct scheduler *scheduler;
    struct workpool *sweeper, *bulk;
    atomic_bool is_stopping;
};

static void go_on_with_bulk(void *context)
{
    struct background *background = context;
    bulk_run(background->sync, &background->is_stopping);
}

/* Of several announcements one that waits is enough: whoever runs goes on until nothing is left. */
static void on_notify(void *context, struct str payload)
{
    struct background *background = context;
    struct str rest = payload;
    bool is_bulk = str_equal(str_cut(&rest, ' '), STR("bulk"));
    if (is_bulk && background->bulk)
        workpool_add(background->bulk, go_on_with_bulk, background);
    if (!is_bulk)
        scheduler_notified(background->scheduler, payload);
}

static int stop_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What is past its end, and the mail of accounts that were removed: on a thread of its own, since a
 * large account takes minutes to purge. */
static void sweep(void *context)
{
    struct background *sweeper = context;
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(sweeper->sync->store, 0, &err);
    bool is_more = true;
    bool is_good = db && store_sweep(db, &err);
    while (is_good && is_more && !atomic_load(&sweeper->is_stopping))
        is_good = account_purge(db, &is_more, &err);
    if (!is_good)
        LOG_WARN("sync.sweep", LOG_ERR(&err));
    store_release(sweeper->sync->store, &db);
}

/* Waits for a wake-up, at most `wait_ms`; true when asked to stop. */
static bool wait_for_turn(int stop_fd, int wakeup_fd, int wait_ms)
{
    struct pollfd fds[] = {{.fd = stop_fd, .events = POLLIN}, {.fd = wakeup_fd, .events = POLLIN}};
    poll(fds, 2, wait_ms);
    return (fds[0].revents & POLLIN) != 0;
}

static void run_until_stopped(int stop_fd, struct background *background)
{
    struct scheduler *scheduler = background->scheduler;
    int64_t sweep_at_ms = clock_monotonic_ms(), bulk_at_ms = sweep_at_ms;
    while (!wait_for_turn(stop_fd, scheduler_wakeup_fd(scheduler), scheduler_turn(scheduler))) {
        if (clock_monotonic_ms() >= bulk_at_ms) { /* snoozed messages are due without a word */
            bulk_at_ms = clock_monotonic_ms() + BACKSTOP_MS;
            if (background->bulk)
                workpool_add(background->bulk, go_on_with_bulk, background);
        }
        if (clock_monotonic_ms() < sweep_at_ms)
            continue;
        sweep_at_ms = clock_monotonic_ms() + SWEEP_MS;
        if (background->sweeper)
            workpool_add(background->sweeper, sweep, background);
    }
}

bool sync_is_stopping(const struct sync_context *sync)
{
    struct pollfd stop = {.fd = sync->stop_fd, .events = POLLIN};
    return sync->stop_fd > 0 && poll(&stop, 1, 0) > 0;
}

int sync_run(const struct sync_context *settings)
{
    struct error err = ERROR_INIT;
    int stop_fd = stop_signals();
    struct sync_context running = *settings;
    const struct sync_context *sync = &running;
    running.stop_fd = stop_fd; /* nobody reads the signal, so that it stays to be seen */
    struct scheduler *scheduler = scheduler_new(sync, &err);
    struct store_listener *listener = NULL;
    struct background background = {.sync = sync,
                                    .scheduler = scheduler,
                                    .sweeper = workpool_new("sweep", 1, 1),
                                    .bulk = workpool_new("bulk", 1, 1)};
    if (stop_fd >= 0 && scheduler)
        listener = store_listen(sync->store, BACKSTOP_MS, on_notify, &background, &err);
    int status = 1;
    if (listener) {
        LOG_INFO("sync.started", log_str("owner", sync->owner), log_int("workers", sync->workers));
        run_until_stopped(stop_fd, &background);
        LOG_INFO("sync.stopping");
        status = 0;
    } else {
        LOG_ERROR("sync.start", LOG_ERR(&err));
    }
    atomic_store(&background.is_stopping, true);
    store_unlisten(&listener);
    workpool_free(&background.sweeper);
    workpool_free(&background.bulk);
    scheduler_free(&scheduler);
    if (stop_fd >= 0)
        close(stop_fd);
    return status;
}

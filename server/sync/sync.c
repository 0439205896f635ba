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
#include "server/sync/scheduler.h"

enum {
    BACKSTOP_MS = 5000,   /* a lost NOTIFY delays by no more than this */
    SWEEP_MS = 60 * 1000, /* expired sessions, trials, rate rows; removed accounts; new words */
};

static void on_notify(void *context, struct str payload)
{
    scheduler_notified(context, payload);
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
struct sweeper {
    const struct sync_context *sync;
    struct workpool *thread;
    atomic_bool is_stopping;
};

static void sweep(void *context)
{
    struct sweeper *sweeper = context;
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

int sync_run(const struct sync_context *sync)
{
    struct error err = ERROR_INIT;
    int stop_fd = stop_signals();
    struct scheduler *scheduler = scheduler_new(sync, &err);
    struct store_listener *listener = NULL;
    if (stop_fd >= 0 && scheduler)
        listener = store_listen(sync->store, BACKSTOP_MS, on_notify, scheduler, &err);
    int status = 1;
    if (listener) {
        LOG_INFO("sync.started", log_str("owner", sync->owner), log_int("workers", sync->workers));
        struct sweeper sweeper = {.sync = sync, .thread = workpool_new("sweep", 1, 1)};
        int64_t sweep_at_ms = clock_monotonic_ms();
        while (!wait_for_turn(stop_fd, scheduler_wakeup_fd(scheduler), scheduler_turn(scheduler))) {
            if (clock_monotonic_ms() < sweep_at_ms)
                continue;
            sweep_at_ms = clock_monotonic_ms() + SWEEP_MS;
            if (sweeper.thread)
                workpool_add(sweeper.thread, sweep, &sweeper);
        }
        atomic_store(&sweeper.is_stopping, true);
        workpool_free(&sweeper.thread);
        LOG_INFO("sync.stopping");
        status = 0;
    } else {
        LOG_ERROR("sync.start", LOG_ERR(&err));
    }
    store_unlisten(&listener);
    scheduler_free(&scheduler);
    if (stop_fd >= 0)
        close(stop_fd);
    return status;
}

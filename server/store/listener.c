/* The thread that hears NOTIFYs: a connection of its own, made again with back-off when it is lost.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/store/db_private.h"

enum { CONNECT_MS = 5000, BACKOFF_FIRST_MS = 50, BACKOFF_LAST_MS = 2000 };

struct store_listener {
    struct store *store;
    int backstop_ms;
    store_notify_fn *notify;
    void *context;
    int stop_fd; /* readable: end */
    pthread_t thread;
};

static bool is_stopping(struct store_listener *listener, int timeout_ms)
{
    struct pollfd stop = {.fd = listener->stop_fd, .events = POLLIN};
    return poll(&stop, 1, timeout_ms) > 0;
}

static PGconn *connect_and_listen(struct store_listener *listener, struct error *err)
{
    const struct queries *queries = &listener->store->queries;
    PGconn *pg = store_connect(listener->store, "-listen", deadline_in_ms(CONNECT_MS), err);
    if (!pg)
        return NULL;
    PGresult *result = PQexec(pg, queries->at[queries_find(queries, "db_listen")].sql);
    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (is_good)
        return pg;
    error_set(err, ERROR_DATABASE, "LISTEN failed");
    PQfinish(pg);
    return NULL;
}

/* Calls back for each NOTIFY until the connection is lost (false) or the end is asked for (true).
 */
static bool listen_on(struct store_listener *listener, PGconn *pg)
{
    listener->notify(listener->context, STR_EMPTY);
    for (;;) {
        struct pollfd fds[] = {{.fd = listener->stop_fd, .events = POLLIN},
                               {.fd = PQsocket(pg), .events = POLLIN}};
        int ready = poll(fds, 2, listener->backstop_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        if (fds[0].revents)
            return true;
        if (ready == 0)
            listener->notify(listener->context, STR_EMPTY);
        if (ready > 0 && !PQconsumeInput(pg))
            return false;
        PGnotify *note;
        while ((note = PQnotifies(pg))) {
            listener->notify(listener->context, str_of(note->extra));
            PQfreemem(note);
        }
    }
}

static void *run(void *context)
{
    struct store_listener *listener = context;
    int backoff_ms = BACKOFF_FIRST_MS;
    bool is_told = false;
    pthread_setname_np(pthread_self(), "listen");
    while (!is_stopping(listener, 0)) {
        struct error err = ERROR_INIT;
        PGconn *pg = connect_and_listen(listener, &err);
        if (!pg) {
            if (!is_told)
                LOG_WARN("store.listen.down", LOG_ERR(&err));
            is_told = true;
            if (is_stopping(listener, backoff_ms))
                break;
            backoff_ms = backoff_ms * 2 < BACKOFF_LAST_MS ? backoff_ms * 2 : BACKOFF_LAST_MS;
            continue;
        }
        is_told = false;
        backoff_ms = BACKOFF_FIRST_MS;
        bool is_end = listen_on(listener, pg);
        PQfinish(pg);
        if (is_end)
            break;
    }
    return NULL;
}

struct store_listener *store_listen(struct store *store, int backstop_ms, store_notify_fn *notify,
                                    void *context, struct error *err)
{
    struct store_listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        abort();
    *listener = (struct store_listener){.store = store,
                                        .backstop_ms = backstop_ms,
                                        .notify = notify,
                                        .context = context,
                                        .stop_fd = eventfd(0, EFD_CLOEXEC)};
    if (listener->stop_fd >= 0 && pthread_create(&listener->thread, NULL, run, listener) == 0)
        return listener;
    error_errno(err, ERROR_INTERNAL, "cannot start the listening thread");
    if (listener->stop_fd >= 0)
        close(listener->stop_fd);
    free(listener);
    return NULL;
}

void store_unlisten(struct store_listener **listener_at)
{
    struct store_listener *listener = *listener_at;
    if (!listener)
        return;
    *listener_at = NULL;
    uint64_t one = 1;
    ssize_t written = write(listener->stop_fd, &one, sizeof one);
    (void)written;
    pthread_join(listener->thread, NULL);
    close(listener->stop_fd);
    free(listener);
}

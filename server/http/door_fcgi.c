#include "server/http/door_fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/workpool.h"
#include "server/http/apart.h"
#include "server/http/cgi.h"
#include "server/http/fcgi_head.h"
#include "server/http/sink_private.h"

enum {
    EVENTS_AT_ONCE = 64,
    TICK_MS = 250,
    QUEUE_LENGTH = 1024,
    WRITE_BYTES = 64 * 1024,      /* between two looks at the clock */
    SOON_TAKEN_BYTES = 64 * 1024, /* what the socket's buffers hold anyway */
    DISCARD_MAX = 8 * 1024 * 1024,
    NO_DESCRIPTORS_MS = 50,
};

/* A web server's connection. Parked ones belong to the waiting thread, others to a worker. */
struct peer {
    struct peer *next, **link;
    struct door_fcgi *door;
    int fd;
    bool is_parked;
    bool has_begun; /* bytes of a head have come: head_ms runs */
    int64_t deadline_ms;
};

struct door_fcgi {
    struct door_options options;
    struct workpool *pool;
    pthread_t waiter;
    int listen_fd, epoll_fd, stop_fd;
    _Atomic bool is_stopping;
    struct apart apart;   /* streams that may wait for long */
    pthread_mutex_t lock; /* guards all below, and the list and fields of peers */
    struct peer *peers;
    int peer_count;
};

/* One request on its worker. */
struct fcgi_exchange {
    struct exchange base;
    struct peer *peer;
    FCGX_Request fcgi;
    bool is_broken; /* the connection must not be used again */
    uint64_t written;
    int64_t blocked_ms; /* writes took so long in all */
};

struct fcgi_sink {
    struct response_sink sink;
    struct fcgi_exchange *exchange;
};

/* --- peers --- */

static void free_peer(struct peer *peer)
{
    struct door_fcgi *door = peer->door;
    pthread_mutex_lock(&door->lock);
    *peer->link = peer->next;
    if (peer->next)
        peer->next->link = peer->link;
    door->peer_count--;
    pthread_mutex_unlock(&door->lock);
    if (peer->fd >= 0)
        close(peer->fd);
    free(peer);
}

/* Edge-triggered: what has come is only looked at, not taken, so a level would be there for ever;
 * an edge comes with each new piece, and at once if something is there already. */
static void park_peer(struct peer *peer)
{
    struct door_fcgi *door = peer->door;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = peer};
    bool is_stopping = atomic_load(&door->is_stopping);
    if (!is_stopping) {
        pthread_mutex_lock(&door->lock);
        peer->is_parked = true;
        peer->has_begun = false;
        peer->deadline_ms = clock_monotonic_ms() + door->options.idle_ms;
        int added = epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event);
        pthread_mutex_unlock(&door->lock);
        if (added == 0)
            return; /* the waiter's now */
    }
    free_peer(peer);
}

static void set_timeouts(const struct door_options *options, int fd)
{
    struct timeval timeout = {options->transfer_ms / 1000, options->transfer_ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

static void accept_peers(struct door_fcgi *door)
{
    for (int i = 0; i < EVENTS_AT_ONCE; i++) {
        int fd = accept4(door->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                LOG_WARN("fcgi.accept", log_text("why", "no descriptors left"));
                usleep(NO_DESCRIPTORS_MS * 1000);
            }
            return;
        }
        struct peer *peer = calloc(1, sizeof *peer);
        if (!peer)
            abort();
        peer->door = door;
        peer->fd = fd;
        set_timeouts(&door->options, fd);
        pthread_mutex_lock(&door->lock);
        peer->next = door->peers;
        peer->link = &door->peers;
        if (peer->next)
            peer->next->link = &peer->next;
        door->peers = peer;
        bool has_room = door->peer_count++ < door->options.connections_max;
        pthread_mutex_unlock(&door->lock);
        if (has_room)
            park_peer(peer);
        else
            free_peer(peer);
    }
}

/* --- a request --- */

/* Some web servers pass a slow client's pace on to us: as at the HTTP door, it must keep the least
 * rate over the time that we waited for it. */
static bool write_output(struct response_sink *sink, struct str bytes)
{
    struct fcgi_exchange *exchange = ((struct fcgi_sink *)(void *)sink)->exchange;
    const struct door_options *options = exchange->base.options;
    const struct response *res = &exchange->base.res;
    while (bytes.length > 0) {
        struct str piece = str_sub(bytes, 0, WRITE_BYTES);
        int64_t most_ms =
            options->transfer_ms + (int64_t)(exchange->written / (unsigned)options->transfer_rate);
        bool is_over = (res->stream && atomic_load(&exchange->peer->door->is_stopping)) ||
                       exchange->blocked_ms > most_ms;
        int64_t began_ms = clock_monotonic_ms();
        if (is_over ||
            FCGX_PutStr(piece.at, (int)piece.length, exchange->fcgi.out) != (int)piece.length)
            return false;
        exchange->blocked_ms += clock_monotonic_ms() - began_ms;
        exchange->written += piece.length;
        bytes = str_skip(bytes, piece.length);
    }
    return !res->is_events || FCGX_FFlush(exchange->fcgi.out) == 0;
}

static bool read_body(struct fcgi_exchange *exchange, uint64_t length, struct error *err)
{
    const struct door_options *options = exchange->base.options;
    struct request *req = &exchange->base.req;
    uint64_t limit = router_body_limit(options->router, req->method, req->path), left = length;
    int64_t began_ms = clock_monotonic_ms();
    char piece[16 * 1024];
    if (length > limit)
        return error_set(err, ERROR_LIMIT, "The request's body is larger than %llu bytes.",
                         (unsigned long long)limit);
    while (left > 0) {
        int wanted = left < sizeof piece ? (int)left : (int)sizeof piece;
        int got = FCGX_GetStr(piece, wanted, exchange->fcgi.in);
        int64_t most_ms =
            options->transfer_ms + (int64_t)((length - left) / (unsigned)options->transfer_rate);
        exchange->is_broken = got < wanted || clock_monotonic_ms() - began_ms > most_ms;
        if (exchange->is_broken)
            return error_set(err, ERROR_INVALID, "The request's body was cut off.");
        if (!exchange_add_body(&exchange->base, str_make(piece, (size_t)got), limit, err))
            return false;
        left -= (uint64_t)got;
    }
    exchange_end_body(&exchange->base);
    return true;
}

/* Reads some of a body that was refused, so that the answer is not lost to a reset. */
static void discard_body(struct fcgi_exchange *exchange)
{
    char piece[16 * 1024];
    size_t total = 0;
    int got = exchange->is_broken ? 0 : 1;
    while (got > 0 && total < DISCARD_MAX) {
        got = FCGX_GetStr(piece, sizeof piece, exchange->fcgi.in);
        total += got > 0 ? (size_t)got : 0;
    }
    exchange->is_broken = exchange->is_broken || got > 0;
}

static void write_answer(struct fcgi_exchange *exchange)
{
    struct response *res = &exchange->base.res;
    struct fcgi_sink sink = {.sink.write = write_output, .exchange = exchange};
    struct error err = ERROR_INIT;
    struct buf head = BUF_INIT(64 * 1024);
    cgi_write_head(&exchange->base, &head);
    bool is_good = response_write(&sink.sink, buf_view(&head));
    uint64_t promised = head.length + (uint64_t)res->stream_bytes;
    buf_free(&head);
    if (is_good && exchange_has_body(&exchange->base))
        is_good = res->stream ? res->stream(&sink.sink, res->stream_context, &err)
                              : response_write(&sink.sink, response_body(res));
    if (is_good && res->stream && res->stream_bytes >= 0 && exchange_has_body(&exchange->base))
        is_good = exchange->written == promised;
    if (!is_good && err.kind != ERROR_NONE && err.kind != ERROR_CLOSED)
        LOG_WARN("http.stream", log_str("request", str_of(exchange->base.req.id)), LOG_ERR(&err));
    exchange->is_broken = exchange->is_broken || !is_good;
}

/* Answers, ends the request and parks or closes the connection. A stream that failed is cut off
 * without END_REQUEST, so that the web server cuts its client off too. */
static void finish(struct fcgi_exchange *exchange)
{
    struct peer *peer = exchange->peer;
    bool was_broken = exchange->is_broken;
    write_answer(exchange);
    if (exchange->is_broken && was_broken) {
        FCGX_FClose(exchange->fcgi.err);
        FCGX_FClose(exchange->fcgi.out);
    }
    if (exchange->is_broken)
        FCGX_Free(&exchange->fcgi, 1);
    else
        FCGX_Finish_r(&exchange->fcgi);
    peer->fd = exchange->fcgi.ipcFd; /* -1 once libfcgi has closed it */
    exchange_release(&exchange->base);
    free(exchange);
    if (peer->fd >= 0)
        park_peer(peer);
    else
        free_peer(peer);
}

static void run_apart(void *context)
{
    finish(context);
}

/* Whether the web server may have to wait for its client before it takes the whole answer. */
static bool may_wait(const struct response *res)
{
    return res->is_events || res->stream_bytes < 0 || res->stream_bytes > SOON_TAKEN_BYTES;
}

/* On a worker, with a complete head waiting in the socket. */
static void work(void *context)
{
    struct peer *peer = context;
    struct fcgi_exchange *exchange = calloc(1, sizeof *exchange);
    struct error err = ERROR_INIT;
    uint64_t length;
    if (!exchange)
        abort();
    atomic_fetch_sub(&door_gauges.waiting, 1);
    exchange->peer = peer;
    /* Its accept would go on to accept(2) after a broken request; on -1 it cannot. With a
     * descriptor and keepConnection set it takes the connection as an open one of its own. */
    FCGX_InitRequest(&exchange->fcgi, -1, 0);
    exchange->fcgi.ipcFd = peer->fd;
    exchange->fcgi.keepConnection = 1;
    if (FCGX_Accept_r(&exchange->fcgi) != 0) {
        if (exchange->fcgi.ipcFd >= 0)
            FCGX_Free(&exchange->fcgi, 1);
        free(exchange);
        peer->fd = -1;
        free_peer(peer);
        return;
    }
    exchange_init(&exchange->base, &peer->door->options);
    if (cgi_read_environment(&exchange->base, exchange->fcgi.envp, &length, &err) &&
        read_body(exchange, length, &err)) {
        exchange_serve(&exchange->base);
    } else {
        exchange_refuse(&exchange->base, &err);
        discard_body(exchange);
    }
    const struct response *res = &exchange->base.res;
    bool is_stream = res->stream && exchange_has_body(&exchange->base);
    if (is_stream && may_wait(res) && apart_start(&peer->door->apart, run_apart, exchange))
        return;
    if (is_stream && res->is_events)
        exchange_refuse_events(&exchange->base);
    finish(exchange);
}

/* --- waiting --- */

/* On the waiting thread: looks at what a parked peer has sent. */
static void look_at(struct peer *peer, char *window)
{
    struct door_fcgi *door = peer->door;
    ssize_t got = recv(peer->fd, window, FCGI_HEAD_BYTES, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    enum fcgi_head head = got > 0 ? fcgi_check_head(str_make(window, (size_t)got)) : FCGI_HEAD_BAD;
    if (got > 0 && head == FCGI_HEAD_BAD)
        LOG_WARN("fcgi.refused", log_text("why", "not a FastCGI request, or too large"));
    if (head == FCGI_HEAD_MORE) {
        if (!peer->has_begun)
            peer->deadline_ms = clock_monotonic_ms() + door->options.head_ms;
        peer->has_begun = true;
        return;
    }
    epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
    pthread_mutex_lock(&door->lock);
    peer->is_parked = false;
    pthread_mutex_unlock(&door->lock);
    if (head == FCGI_HEAD_BAD || !door_add_work(door->pool, work, peer))
        free_peer(peer);
}

/* Frees the parked peers whose time is over; all parked ones with INT64_MAX. */
static void drop_parked(struct door_fcgi *door, int64_t now_ms)
{
    struct peer *next, *late = NULL;
    pthread_mutex_lock(&door->lock);
    for (struct peer *peer = door->peers; peer; peer = next) {
        next = peer->next;
        if (!peer->is_parked || peer->deadline_ms > now_ms)
            continue;
        *peer->link = next;
        if (next)
            next->link = peer->link;
        door->peer_count--;
        peer->next = late;
        late = peer;
    }
    pthread_mutex_unlock(&door->lock);
    for (; late; late = next) {
        next = late->next;
        close(late->fd); /* leaves the epoll set by that */
        free(late);
    }
}

static void *wait_for_peers(void *context)
{
    struct door_fcgi *door = context;
    char *window = malloc(FCGI_HEAD_BYTES);
    if (!window)
        abort();
    int64_t next_ms = 0;
    while (!atomic_load(&door->is_stopping)) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int count = epoll_wait(door->epoll_fd, events, EVENTS_AT_ONCE, TICK_MS);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &door->listen_fd)
                accept_peers(door);
            else if (events[i].data.ptr != &door->stop_fd)
                look_at(events[i].data.ptr, window);
        }
        /* After the events: none of them may name a peer that is freed here. */
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= next_ms) {
            drop_parked(door, now_ms);
            next_ms = now_ms + TICK_MS;
        }
    }
    free(window);
    return NULL;
}

/* --- the door --- */

bool door_fcgi_is_asked(void)
{
    int is_listening = 0;
    socklen_t length = sizeof is_listening;
    return getsockopt(0, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0 && is_listening;
}

/* libfcgi puts handlers of its own on signals that are ours to handle. */
static void init_library(void)
{
    static const int signals[] = {SIGPIPE, SIGUSR1, SIGTERM, SIGHUP};
    struct sigaction before[sizeof signals / sizeof *signals];
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], NULL, &before[i]);
    FCGX_Init();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &before[i], NULL);
}

static bool watch(struct door_fcgi *door, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

/* Threads inherit the mask: libfcgi writes without MSG_NOSIGNAL, and a peer may be gone. */
static bool start_threads(struct door_fcgi *door)
{
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    door->pool = workpool_new("fcgi-worker", door->options.workers, QUEUE_LENGTH);
    bool is_good = door->pool && pthread_create(&door->waiter, NULL, wait_for_peers, door) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_good;
}

static void free_door(struct door_fcgi **door)
{
    workpool_free(&(*door)->pool);
    int fds[] = {(*door)->listen_fd, (*door)->epoll_fd, (*door)->stop_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&(*door)->lock);
    apart_free(&(*door)->apart);
    free(*door);
    *door = NULL;
}

struct door_fcgi *door_fcgi_start(const struct door_options *options, int listen_fd,
                                  struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct door_fcgi *door = calloc(1, sizeof *door);
    if (!door)
        abort();
    pthread_once(&once, init_library);
    door->options = *options;
    door->listen_fd = listen_fd;
    door->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    door->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&door->lock, NULL);
    apart_init(&door->apart, options->events_max);
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags >= 0 && fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) == 0 && door->epoll_fd >= 0 &&
        door->stop_fd >= 0 && watch(door, &door->listen_fd) && watch(door, &door->stop_fd) &&
        start_threads(door))
        return door;
    error_errno(err, ERROR_INTERNAL, "cannot serve FastCGI");
    free_door(&door);
    return NULL;
}

void door_fcgi_stop(struct door_fcgi **owner)
{
    struct door_fcgi *door = *owner;
    if (!door)
        return;
    uint64_t one = 1;
    atomic_store(&door->is_stopping, true);
    if (write(door->stop_fd, &one, sizeof one) != sizeof one)
        LOG_WARN("fcgi.stop", log_text("why", "the eventfd does not take a number"));
    pthread_join(door->waiter, NULL);
    workpool_free(&door->pool);
    apart_wait(&door->apart);
    drop_parked(door, INT64_MAX);
    free_door(owner);
}

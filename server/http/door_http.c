#include "server/http/door_http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/http/door_http_private.h"

enum {
    CONNECTION_MEMORY_BYTES = 32 * 1024, /* holds the whole head: so large may it be */
    /* Read of a refused body before the line is cut: closing on unread bytes resets the connection,
     * and the client (or nginx) may never see why. */
    DISCARD_MAX = 8 * 1024 * 1024,
    QUEUE_LENGTH = 1024,
    LAST_ANSWERS_MS = 3000,
};

/* --- the life of an exchange --- */

static void *start_exchange(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct door_http *door = cls;
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        abort();
    exchange_init(&exchange->base, &door->options);
    stream_init(&exchange->stream);
    exchange->door = door;
    exchange->connection = connection;
    exchange->client =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    atomic_init(&exchange->references, 1);
    atomic_init(&exchange->phase, PHASE_HEAD);
    client_set_deadline(exchange->client, door->options.head_ms);
    if (!request_set_target(&exchange->base.req, str_of(uri), &exchange->refusal))
        exchange->base.req.path = STR("/");
    return exchange;
}

void http_exchange_unref(struct http_exchange *exchange)
{
    if (atomic_fetch_sub(&exchange->references, 1) > 1)
        return;
    exchange_release(&exchange->base);
    stream_release(&exchange->stream);
    free(exchange);
}

static void complete_exchange(void *cls, struct MHD_Connection *connection, void **con_cls,
                              enum MHD_RequestTerminationCode why)
{
    struct door_http *door = cls;
    struct http_exchange *exchange = *con_cls;
    (void)connection;
    (void)why;
    if (!exchange)
        return;
    *con_cls = NULL;
    client_set_deadline(exchange->client, door->options.idle_ms + door->options.head_ms);
    stream_abandon(&exchange->stream);
    if (exchange->is_dispatched) {
        pthread_mutex_lock(&door->lock);
        door->active--;
        pthread_cond_broadcast(&door->calmer);
        pthread_mutex_unlock(&door->lock);
    }
    http_exchange_unref(exchange);
}

/* --- the answer --- */

static struct MHD_Response *make_response(struct http_exchange *exchange)
{
    struct response *res = &exchange->base.res;
    if (res->stream) {
        uint64_t size = res->stream_bytes < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)res->stream_bytes;
        size_t block = res->is_events ? 2048 : 32 * 1024;
        /* The reader is not called for HEAD. */
        return MHD_create_response_from_callback(size, block, stream_read, exchange, NULL);
    }
    struct str body = response_body(res);
    /* Lives as long as the exchange, and that as long as the answer. */
    return MHD_create_response_from_buffer(body.length, (void *)body.at, MHD_RESPMEM_PERSISTENT);
}

static bool is_framing(struct str name)
{
    static const struct str ours[] = {
        {"Content-Length", 14}, {"Transfer-Encoding", 17}, {"Connection", 10}, {"Date", 4}};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_equal_nocase(name, ours[i]))
            return true;
    return false;
}

static enum MHD_Result send_answer(struct http_exchange *exchange)
{
    struct response *res = &exchange->base.res;
    const struct door_options *options = exchange->base.options;
    struct MHD_Response *response = make_response(exchange);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < res->headers.count; i++) /* all texts are NUL-terminated */
        if (!is_framing(res->headers.at[i].name))
            MHD_add_response_header(response, res->headers.at[i].name.at,
                                    res->headers.at[i].value.at);
    if (exchange->must_close)
        MHD_add_response_header(response, "Connection", "close");
    if (res->stream && exchange_has_body(&exchange->base))
        client_clear_deadline(exchange->client); /* the stream keeps its own time */
    else
        client_set_deadline(exchange->client,
                            options->transfer_ms + (int64_t)(response_body(res).length /
                                                             (unsigned)options->transfer_rate));
    atomic_store(&exchange->phase, PHASE_SENT);
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned)res->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct http_exchange *exchange)
{
    exchange->must_close = true;
    exchange_refuse(&exchange->base, &exchange->refusal);
    return send_answer(exchange);
}

/* --- work --- */

static void run_apart(void *context)
{
    struct http_exchange *exchange = context;
    stream_run(exchange);
    http_exchange_unref(exchange);
}

/* On a worker. The connection is suspended until the resume below; after it the exchange may be
 * completed at any moment, and only our own reference keeps it. */
static void work(void *context)
{
    struct http_exchange *exchange = context;
    struct response *res = &exchange->base.res;
    atomic_fetch_sub(&door_gauges.waiting, 1);
    exchange_serve(&exchange->base);
    bool is_stream = res->stream && exchange_has_body(&exchange->base);
    bool is_events = is_stream && res->is_events;
    if (is_stream)
        stream_open(exchange);
    bool may_wait = is_stream && (is_events || stream_may_wait(exchange));
    bool is_apart = may_wait && apart_start(&exchange->door->apart, run_apart, exchange);
    if (is_events && !is_apart) {
        exchange_refuse_events(&exchange->base);
        is_stream = false;
    }
    struct MHD_Connection *connection = exchange->connection;
    atomic_store(&exchange->phase, PHASE_ANSWERED);
    MHD_resume_connection(connection);
    if (is_apart)
        return; /* our reference went to its thread */
    if (is_stream)
        stream_run(exchange);
    http_exchange_unref(exchange);
}

/* Suspends first: a worker may be done before this function returns. */
static enum MHD_Result dispatch(struct http_exchange *exchange)
{
    struct door_http *door = exchange->door;
    exchange_end_body(&exchange->base);
    client_clear_deadline(exchange->client);
    atomic_fetch_add(&exchange->references, 1);
    exchange->is_dispatched = true;
    atomic_store(&exchange->phase, PHASE_WORKING);
    MHD_suspend_connection(exchange->connection);
    pthread_mutex_lock(&door->lock);
    door->active++;
    bool is_taken = door->pool && door_add_work(door->pool, work, exchange);
    pthread_mutex_unlock(&door->lock);
    if (!is_taken) {
        struct error err = ERROR_INIT;
        error_set(&err, ERROR_UNAVAILABLE, "The server has too much to do.");
        err.retry_after_ms = 5000;
        exchange->must_close = true;
        exchange_refuse(&exchange->base, &err);
        atomic_store(&exchange->phase, PHASE_ANSWERED);
        MHD_resume_connection(exchange->connection);
        http_exchange_unref(exchange); /* the worker's; libmicrohttpd's own goes on */
    }
    return MHD_YES;
}

/* --- libmicrohttpd's calls --- */

/* A body that is too large is refused before it is read where the client waits for our word, or
 * where it is too long to be read for politeness. */
static bool must_refuse_now(const struct request *req)
{
    uint64_t length = 0;
    str_to_u64(request_header(req, "Content-Length"), &length);
    return length > DISCARD_MAX || request_header(req, "Expect").at;
}

static enum MHD_Result take_head(struct http_exchange *exchange, const char *method,
                                 const char *version)
{
    struct request *req = &exchange->base.req;
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    unsigned char address[16];
    bool has_address = ip_of(peer->client_addr, address);
    req->method = http_method_parse(str_of(method));
    bool is_good = exchange->refusal.kind == ERROR_NONE &&
                   head_read(exchange, method, version, &exchange->refusal);
    exchange_set_peer(&exchange->base, has_address ? address : NULL);
    exchange->body_limit =
        router_body_limit(exchange->door->options.router, req->method, req->path);
    if (!is_good || (!head_check_length(exchange, &exchange->refusal) && must_refuse_now(req)))
        return refuse(exchange);
    exchange->body_started_ms = clock_monotonic_ms();
    client_set_deadline(exchange->client, exchange->base.options->transfer_ms);
    atomic_store(&exchange->phase, PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *exchange, const char *piece, size_t *size)
{
    const struct door_options *options = exchange->base.options;
    if (exchange->refusal.kind == ERROR_NONE)
        exchange_add_body(&exchange->base, str_make(piece, *size), exchange->body_limit,
                          &exchange->refusal);
    else
        exchange->discarded_bytes += *size;
    if (exchange->discarded_bytes > DISCARD_MAX)
        return MHD_NO;
    uint64_t bytes = exchange->base.spool.bytes + exchange->discarded_bytes;
    int64_t most_ms = options->transfer_ms + (int64_t)(bytes / (unsigned)options->transfer_rate);
    client_set_deadline(exchange->client,
                        exchange->body_started_ms + most_ms - clock_monotonic_ms());
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **con_cls)
{
    struct http_exchange *exchange = *con_cls;
    (void)cls;
    (void)connection;
    (void)url;
    switch ((enum phase)atomic_load(&exchange->phase)) {
    case PHASE_HEAD:
        return take_head(exchange, method, version);
    case PHASE_BODY:
        if (*upload_data_size > 0)
            return take_body(exchange, upload_data, upload_data_size);
        return exchange->refusal.kind == ERROR_NONE ? dispatch(exchange) : refuse(exchange);
    case PHASE_ANSWERED:
        return send_answer(exchange);
    case PHASE_WORKING:
    case PHASE_SENT: /* the rest of a body that was refused at its head */
        *upload_data_size = 0;
        return MHD_YES;
    }
    return MHD_NO;
}

static enum MHD_Result accept_policy(void *cls, const struct sockaddr *peer, socklen_t length)
{
    struct door_http *door = cls;
    unsigned char address[16];
    (void)length;
    if (!ip_of(peer, address) || exchange_is_proxy(&door->options, address))
        return MHD_YES;
    bool has_room = clients_of_address(&door->clients, address) < door->options.per_address_max;
    return has_room ? MHD_YES : MHD_NO;
}

static void notify_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct door_http *door = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *peer =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *address = peer->client_addr;
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        struct client *client = clients_add(&door->clients, address, fd);
        client_set_deadline(client, door->options.head_ms);
        *socket_context = client;
    } else if (*socket_context) {
        clients_remove(&door->clients, *socket_context);
        *socket_context = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format,
                                                              va_list args)
{
    char text[512];
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    LOG_DEBUG("http.library", log_str("what", str_trim(str_of(text))));
}

/* --- the door --- */

static bool start_daemon(struct door_http *door, int listen_fd, struct error *err)
{
    const struct door_options *options = &door->options;
    door->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        accept_policy, door, handle, door, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_URI_LOG_CALLBACK, start_exchange, door,
        MHD_OPTION_NOTIFY_COMPLETED, complete_exchange, door, MHD_OPTION_NOTIFY_CONNECTION,
        notify_connection, door, MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(options->idle_ms + 999) / 1000,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return door->daemon || error_set(err, ERROR_INTERNAL, "libmicrohttpd does not start");
}

struct door_http *door_http_start(const struct door_options *options, int listen_fd,
                                  struct error *err)
{
    struct door_http *door = calloc(1, sizeof *door);
    if (!door)
        abort();
    door->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&door->calmer, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&door->lock, NULL);
    apart_init(&door->apart, options->events_max);
    door->pool = workpool_new("http-worker", options->workers, QUEUE_LENGTH);
    bool has_clients = false;
    if (!door->pool)
        error_set(err, ERROR_INTERNAL, "the system gives no threads");
    else if (clients_start(&door->clients, err)) {
        has_clients = true;
        if (start_daemon(door, listen_fd, err))
            return door;
    }
    if (has_clients)
        clients_stop(&door->clients);
    workpool_free(&door->pool);
    apart_free(&door->apart);
    close(listen_fd);
    free(door);
    return NULL;
}

/* Until no exchange is left, or the time is over. */
static void wait_until_calm(struct door_http *door, struct deadline deadline)
{
    struct timespec until = {deadline.at_ms / 1000, deadline.at_ms % 1000 * 1000000};
    pthread_mutex_lock(&door->lock);
    while (door->active > 0 && !deadline_passed(deadline))
        pthread_cond_timedwait(&door->calmer, &door->lock, &until);
    pthread_mutex_unlock(&door->lock);
}

void door_http_stop(struct door_http **owner)
{
    struct door_http *door = *owner;
    if (!door)
        return;
    int listen_fd = MHD_quiesce_daemon(door->daemon);
    pthread_mutex_lock(&door->lock);
    struct workpool *pool = door->pool;
    door->pool = NULL;
    pthread_mutex_unlock(&door->lock);
    atomic_store(&door->is_stopping, true);
    workpool_free(&pool);
    apart_wait(&door->apart); /* its threads use the door until they end */
    wait_until_calm(door, deadline_in_ms(LAST_ANSWERS_MS));
    clients_stop(&door->clients);
    MHD_stop_daemon(door->daemon);
    if (listen_fd >= 0)
        close(listen_fd);
    pthread_mutex_destroy(&door->clients.lock);
    pthread_cond_destroy(&door->clients.stopping);
    pthread_mutex_destroy(&door->lock);
    pthread_cond_destroy(&door->calmer);
    apart_free(&door->apart);
    free(door);
    *owner = NULL;
}

/* A small application behind the doors, for their tests: the same routes whichever door is used. */
#ifndef RESTANTE_TESTS_HTTP_HOUSE_H
#define RESTANTE_TESTS_HTTP_HOUSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/http/router.h"

enum { UPLOAD_BYTES = 4 * 1024 * 1024, PLENTY_BYTES = 32 * 1024 * 1024 };

/* What the handlers share with the tests. */
struct house {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    int streams_ended, streams_refused; /* writers that came to their end, that were told to stop */
    bool events_go_on;
    atomic_int served;
};

static bool answer_hello(struct request *req, struct response *res, struct error *err)
{
    (void)req, (void)err;
    response_set_header(res, "Content-Type", STR("text/plain"));
    return buf_text(&res->body, "hello");
}

/* Method, length and sum of the body. */
static bool answer_echo(struct request *req, struct response *res, struct error *err)
{
    unsigned sum = 0;
    char piece[8192];
    uint64_t at = 0;
    ssize_t got;
    while ((got = request_body_read(req, at, piece, sizeof piece, err)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            sum += (unsigned char)piece[i];
        at += (uint64_t)got;
    }
    return buf_printf(&res->body, "%s %llu %u %s", http_method_name(req->method),
                      (unsigned long long)at, sum, req->body_fd >= 0 ? "file" : "memory");
}

static bool answer_who(struct request *req, struct response *res, struct error *err)
{
    (void)err;
    return buf_printf(&res->body, "%.*s %s q=%.*s path=%.*s", (int)req->remote_address.length,
                      req->remote_address.at, req->is_https ? "https" : "http",
                      (int)req->query.length, req->query.at, (int)req->path.length, req->path.at);
}

static void note_end(struct house *house, bool is_good)
{
    pthread_mutex_lock(&house->lock);
    house->streams_ended++;
    house->streams_refused += !is_good;
    pthread_cond_broadcast(&house->changed);
    pthread_mutex_unlock(&house->lock);
}

static bool write_plenty(struct response_sink *sink, void *context, struct error *err)
{
    char piece[50000];
    bool is_good = true;
    memset(piece, 'x', sizeof piece);
    for (size_t left = PLENTY_BYTES; left > 0 && is_good;) {
        size_t length = left < sizeof piece ? left : sizeof piece;
        is_good = response_write(sink, str_make(piece, length));
        left -= length;
    }
    note_end(context, is_good);
    return is_good || error_set(err, ERROR_CLOSED, "the client is gone");
}

static bool answer_plenty(struct request *req, struct response *res, struct error *err)
{
    (void)err;
    res->stream = write_plenty;
    res->stream_context = req->context;
    if (request_argument(req, "known").at)
        res->stream_bytes = PLENTY_BYTES;
    return true;
}

static bool write_half(struct response_sink *sink, void *context, struct error *err)
{
    note_end(context, response_write(sink, STR("half of it")));
    return error_set(err, ERROR_DATABASE, "the other half is lost");
}

static bool answer_half(struct request *req, struct response *res, struct error *err)
{
    (void)err;
    res->stream = write_half;
    res->stream_context = req->context;
    return true;
}

static bool write_short(struct response_sink *sink, void *context, struct error *err)
{
    (void)context, (void)err;
    return response_write(sink, STR("short"));
}

/* Promises more than it writes, and thinks that all is well. */
static bool answer_short(struct request *req, struct response *res, struct error *err)
{
    (void)req, (void)err;
    res->stream = write_short;
    res->stream_bytes = 6;
    return true;
}

/* One event, then nothing until the test says so, then another. */
static bool write_events(struct response_sink *sink, void *context, struct error *err)
{
    struct house *house = context;
    (void)err;
    bool is_good = response_write(sink, STR("data: one\n\n"));
    pthread_mutex_lock(&house->lock);
    while (!house->events_go_on)
        pthread_cond_wait(&house->changed, &house->lock);
    pthread_mutex_unlock(&house->lock);
    is_good = is_good && response_write(sink, STR("data: two\n\n"));
    note_end(house, is_good);
    return is_good;
}

static bool answer_events(struct request *req, struct response *res, struct error *err)
{
    (void)err;
    response_set_header(res, "Content-Type", STR("text/event-stream"));
    res->stream = write_events;
    res->stream_context = req->context;
    return true;
}

static const struct route house_routes[] = {
    {HTTP_GET, "/hello", answer_hello, ROUTE_PUBLIC},
    {HTTP_POST | HTTP_PUT, "/echo", answer_echo, ROUTE_PUBLIC | ROUTE_API},
    {HTTP_POST, "/upload", answer_echo, ROUTE_PUBLIC | ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_GET, "/who", answer_who, ROUTE_PUBLIC},
    {HTTP_GET, "/plenty", answer_plenty, ROUTE_PUBLIC},
    {HTTP_GET, "/half", answer_half, ROUTE_PUBLIC},
    {HTTP_GET, "/short", answer_short, ROUTE_PUBLIC},
    {HTTP_GET, "/events", answer_events, ROUTE_PUBLIC | ROUTE_EVENTS},
};

static void count_served(const struct request *req, const struct route *route,
                         const struct response *res, int64_t duration_us)
{
    (void)route, (void)res, (void)duration_us;
    atomic_fetch_add(&((struct house *)req->context)->served, 1);
}

static const struct router_hooks house_hooks = {.finished = count_served};

static struct router *house_open(struct house *house)
{
    *house = (struct house){0};
    pthread_mutex_init(&house->lock, NULL);
    pthread_cond_init(&house->changed, NULL);
    struct router *router =
        router_new(house_routes, sizeof house_routes / sizeof *house_routes, &house_hooks, house);
    router_set_upload_limit(router, UPLOAD_BYTES);
    return router;
}

static void house_close(struct house *house, struct router **router)
{
    router_free(router);
    pthread_mutex_destroy(&house->lock);
    pthread_cond_destroy(&house->changed);
}

static inline void house_let_events_go_on(struct house *house)
{
    pthread_mutex_lock(&house->lock);
    house->events_go_on = true;
    pthread_cond_broadcast(&house->changed);
    pthread_mutex_unlock(&house->lock);
}

static inline void house_wait_for_ends(struct house *house, int count)
{
    pthread_mutex_lock(&house->lock);
    while (house->streams_ended < count)
        pthread_cond_wait(&house->changed, &house->lock);
    pthread_mutex_unlock(&house->lock);
}

#endif

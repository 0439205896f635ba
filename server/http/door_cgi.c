#include "server/http/door_cgi.h"

#include <errno.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/http/cgi.h"
#include "server/http/sink_private.h"

struct cgi_sink {
    struct response_sink sink;
    int output;
    uint64_t written;
};

bool door_cgi_is_asked(char *const *environment)
{
    return str_starts(cgi_variable(environment, "GATEWAY_INTERFACE"), STR("CGI/"));
}

static bool write_output(struct response_sink *sink, struct str bytes)
{
    struct cgi_sink *out = (struct cgi_sink *)(void *)sink;
    while (bytes.length > 0) {
        ssize_t written = write(out->output, bytes.at, bytes.length);
        if (written < 0 && errno != EINTR)
            return false;
        size_t length = written > 0 ? (size_t)written : 0;
        out->written += length;
        bytes = str_skip(bytes, length);
    }
    return true;
}

static bool read_body(struct exchange *exchange, int input, uint64_t length, struct error *err)
{
    struct request *req = &exchange->req;
    uint64_t limit = router_body_limit(exchange->options->router, req->method, req->path);
    char piece[16 * 1024];
    if (length > limit)
        return error_set(err, ERROR_LIMIT, "The request's body is larger than %llu bytes.",
                         (unsigned long long)limit);
    while (length > 0) {
        ssize_t got = read(input, piece, length < sizeof piece ? length : sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, ERROR_INVALID, "The request's body was cut off.");
        if (!exchange_add_body(exchange, str_make(piece, (size_t)got), limit, err))
            return false;
        length -= (uint64_t)got;
    }
    exchange_end_body(exchange);
    return true;
}

static bool write_answer(struct exchange *exchange, struct cgi_sink *out)
{
    struct response *res = &exchange->res;
    struct response_sink *sink = &out->sink;
    struct error err = ERROR_INIT;
    struct buf head = BUF_INIT(64 * 1024);
    cgi_write_head(exchange, &head);
    bool is_good = response_write(sink, buf_view(&head));
    uint64_t promised = head.length + (uint64_t)res->stream_bytes;
    buf_free(&head);
    if (!is_good || !exchange_has_body(exchange))
        return is_good;
    if (!res->stream)
        return response_write(sink, response_body(res));
    if (res->stream(sink, res->stream_context, &err))
        return res->stream_bytes < 0 || out->written == promised;
    LOG_WARN("http.stream", log_str("request", str_of(exchange->req.id)), LOG_ERR(&err));
    return false;
}

bool door_cgi_serve(const struct door_options *options, char *const *environment, int input,
                    int output)
{
    struct exchange exchange;
    struct error err = ERROR_INIT;
    struct cgi_sink sink = {.sink.write = write_output, .output = output};
    uint64_t length;
    exchange_init(&exchange, options);
    if (!cgi_read_environment(&exchange, environment, &length, &err) ||
        !read_body(&exchange, input, length, &err)) {
        exchange_refuse(&exchange, &err);
    } else {
        exchange_serve(&exchange);
        /* A process for each listener would be no cap at all. */
        if (exchange.res.is_events) {
            error_set(&err, ERROR_UNAVAILABLE, "There are no events over CGI; poll instead.");
            exchange_refuse(&exchange, &err);
        }
    }
    bool is_good = write_answer(&exchange, &sink);
    exchange_release(&exchange);
    return is_good;
}

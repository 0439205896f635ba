#include "handlers/system.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/session.h"
#include "server/base/log.h"
#include "server/http/door.h"
#include "server/store/status.h"

enum { CLASSES = 6, METRICS_BYTES_MAX = 1024 * 1024 };

/* Upper bounds of the latency histogram, in microseconds. */
static const int64_t bounds_us[] = {500,    1000,   2000,    5000,    10000,   25000,
                                    100000, 250000, 1000000, 5000000, 30000000};
enum { BOUNDS = sizeof bounds_us / sizeof *bounds_us };

struct route_counts {
    atomic_uint_fast64_t by_class[CLASSES]; /* 1xx to 5xx at 1 to 5 */
    atomic_uint_fast64_t buckets[BOUNDS + 1];
    atomic_uint_fast64_t total_us;
};

struct request_counts {
    const struct route *routes;
    size_t count;
    struct route_counts *at; /* one a route, and one for what no route took */
};

struct request_counts *request_counts_new(const struct route *routes, size_t count)
{
    struct request_counts *counts = calloc(1, sizeof *counts);
    if (!counts || !(counts->at = calloc(count + 1, sizeof *counts->at)))
        abort();
    counts->routes = routes;
    counts->count = count;
    return counts;
}

void request_counts_free(struct request_counts **counts)
{
    if (!*counts)
        return;
    free((*counts)->at);
    free(*counts);
    *counts = NULL;
}

void system_request_finished(const struct request *req, const struct route *route,
                             const struct response *res, int64_t duration_us)
{
    struct request_counts *counts = app_of(req)->request_counts;
    struct route_counts *c = &counts->at[route ? (size_t)(route - counts->routes) : counts->count];
    int class = res->status / 100 < CLASSES ? res->status / 100 : 0;
    int bucket = 0;
    while (bucket < BOUNDS && duration_us > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&c->by_class[class], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->total_us, (uint64_t)duration_us, memory_order_relaxed);
    const struct signed_in *who = signed_in(req);
    LOG_INFO("http.request", log_text("method", http_method_name(req->method)),
             log_text("route", route ? route->pattern : "-"), log_int("status", res->status),
             log_int("us", duration_us), log_int("user", who ? who->user_id : 0),
             log_str("address", req->remote_address));
}

/* --- health ---------------------------------------------------------------------------------- */

static void answer_text(struct response *res, struct str text)
{
    response_set_header(res, "Content-Type", STR("text/plain; charset=utf-8"));
    buf_str(&res->body, text);
}

/* Alive: this process answers. */
static bool get_health(struct request *req, struct response *res, struct error *err)
{
    (void)req;
    (void)err;
    answer_text(res, STR("ok\n"));
    return true;
}

/* Fit to be sent requests: the database answers too. */
static bool get_readiness(struct request *req, struct response *res, struct error *err)
{
    struct error why = ERROR_INIT;
    (void)err;
    if (store_is_ready(app_of(req)->store, &why)) {
        answer_text(res, STR("ready\n"));
        return true;
    }
    res->status = 503;
    answer_text(res, STR("the database does not answer\n"));
    return true;
}

/* --- metrics (the Prometheus text format 0.0.4) ---------------------------------------------- */

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP restante_%s %s\n# TYPE restante_%s %s\n", name, help, name, type);
}

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void write_requests(struct buf *out, const struct request_counts *counts)
{
    write_head(out, "http_requests_total", "counter", "Requests answered.");
    for (size_t i = 0; i <= counts->count; i++)
        for (int class = 1; class < CLASSES; class ++)
            if (load(&counts->at[i].by_class[class]) > 0)
                buf_printf(out, "restante_http_requests_total{route=\"%s\",status=\"%dxx\"} %llu\n",
                           i < counts->count ? counts->routes[i].pattern : "-", class,
                           (unsigned long long)load(&counts->at[i].by_class[class]));
}

static void write_durations(struct buf *out, const struct request_counts *counts)
{
    uint64_t buckets[BOUNDS + 1] = {0}, total_us = 0, sum = 0;
    for (size_t i = 0; i <= counts->count; i++) {
        for (int b = 0; b <= BOUNDS; b++)
            buckets[b] += load(&counts->at[i].buckets[b]);
        total_us += load(&counts->at[i].total_us);
    }
    write_head(out, "http_request_seconds", "histogram",
               "Time from a whole request to its answer.");
    for (int b = 0; b < BOUNDS; b++)
        buf_printf(out, "restante_http_request_seconds_bucket{le=\"%g\"} %llu\n",
                   (double)bounds_us[b] / 1e6, (unsigned long long)(sum += buckets[b]));
    sum += buckets[BOUNDS];
    buf_printf(out,
               "restante_http_request_seconds_bucket{le=\"+Inf\"} %llu\n"
               "restante_http_request_seconds_sum %g\nrestante_http_request_seconds_count %llu\n",
               (unsigned long long)sum, (double)total_us / 1e6, (unsigned long long)sum);
}

static void write_number(struct buf *out, const char *name, const char *type, const char *help,
                         uint64_t number)
{
    write_head(out, name, type, help);
    buf_printf(out, "restante_%s %llu\n", name, (unsigned long long)number);
}

static void write_parsers(struct buf *out, struct parser_pool *parsers)
{
    struct parser_counts c;
    parser_pool_counts(parsers, &c);
    write_number(out, "parser_requests_total", "counter", "Requests to parser children.",
                 c.requests);
    write_number(out, "parser_deaths_total", "counter", "Parser children that died.", c.deaths);
    write_number(out, "parser_timeouts_total", "counter", "Parser requests past their deadline.",
                 c.timeouts);
    write_number(out, "parser_poison_total", "counter", "Messages that felled two children.",
                 c.poison);
}

static void write_doors(struct buf *out)
{
    write_number(out, "http_connections", "gauge", "Connections to the HTTP door.",
                 door_gauges.connections);
    write_number(out, "http_streams", "gauge", "Answers under way that take long: events, files.",
                 door_gauges.streams);
    write_number(out, "http_waiting", "gauge", "Requests that wait for a worker.",
                 door_gauges.waiting);
}

static bool write_service(struct buf *out, const struct app *app, struct error *err)
{
    struct service_status status;
    struct db *db = store_acquire(app->store, 0, err);
    bool is_read = db && service_status(db, &status, err);
    store_release(app->store, &db);
    if (!is_read)
        return false;
    write_head(out, "accounts", "gauge", "Mail accounts by the state of their synchronization.");
    for (int state = 0; state < SYNC_STATES; state++)
        buf_printf(out, "restante_accounts{state=\"%s\"} %lld\n", sync_state_name(state),
                   (long long)status.accounts[state]);
    write_number(out, "operations_waiting", "gauge", "Operations not yet carried out upstream.",
                 (uint64_t)status.operations_waiting);
    write_number(out, "operations_oldest_seconds", "gauge", "Age of the oldest of them.",
                 (uint64_t)status.oldest_operation_s);
    return true;
}

static bool is_loopback(struct str address)
{
    return str_starts(address, STR("127.")) || str_equal(address, STR("::1"));
}

/* For the machine itself and for administrators. */
static bool get_metrics(struct request *req, struct response *res, struct error *err)
{
    const struct app *app = app_of(req);
    const struct signed_in *who = signed_in(req);
    struct error why = ERROR_INIT;
    if (!is_loopback(req->remote_address) && !(who && who->is_admin))
        return error_set(err, ERROR_FORBIDDEN, "Metrics are for administrators.");
    response_set_header(res, "Content-Type", STR("text/plain; version=0.0.4; charset=utf-8"));
    write_requests(&res->body, app->request_counts);
    write_durations(&res->body, app->request_counts);
    write_doors(&res->body);
    write_parsers(&res->body, app->parsers);
    bool is_up = write_service(&res->body, app, &why);
    write_number(&res->body, "database_round_trips_total", "counter",
                 "Times that a request waited for PostgreSQL.", store_round_trips(app->store));
    write_number(&res->body, "database_up", "gauge", "Whether PostgreSQL answers.", is_up);
    return true;
}

const struct route system_routes[] = {
    {HTTP_GET, "/healthz", get_health, ROUTE_PUBLIC},
    {HTTP_GET, "/readyz", get_readiness, ROUTE_PUBLIC},
    {HTTP_GET, "/metrics", get_metrics, ROUTE_PUBLIC | ROUTE_API},
};
const size_t system_route_count = sizeof system_routes / sizeof *system_routes;

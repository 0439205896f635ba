#include "server/http/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/base/utf8.h"
#include "server/http/sink_private.h"

enum { ROUTER_MAGIC = 0x524f5554, DEPTH_MAX = 16 };

/* A place in the tree of path segments. */
struct node {
    struct str literal; /* the segment that leads here, unless it is a parameter */
    struct node *children, *next;
    struct node *parameter; /* `{name}` */
    struct node *rest;      /* `{name*}`: ends the path */
    const struct route **routes;
    size_t route_count;
};

struct router {
    unsigned magic;
    struct arena *arena;
    struct node root;
    const struct router_hooks *hooks;
    void *context;
    uint64_t upload_limit, import_limit;
};

static bool is_parameter(struct str segment)
{
    return segment.length > 2 && segment.at[0] == '{' && segment.at[segment.length - 1] == '}';
}

static bool is_rest(struct str segment)
{
    return is_parameter(segment) && segment.at[segment.length - 2] == '*';
}

static struct node *child_of(struct router *router, struct node *node, struct str segment)
{
    if (is_parameter(segment)) {
        struct node **place = is_rest(segment) ? &node->rest : &node->parameter;
        if (!*place)
            *place = ARENA_NEW(router->arena, struct node);
        return *place;
    }
    assert(str_find_char(segment, '{') < 0);
    for (struct node *child = node->children; child; child = child->next)
        if (str_equal(child->literal, segment))
            return child;
    struct node *child = ARENA_NEW(router->arena, struct node);
    child->literal = segment;
    child->next = node->children;
    node->children = child;
    return child;
}

static void add_route(struct router *router, const struct route *route)
{
    struct str rest = str_of(route->pattern);
    assert(rest.length > 0 && *rest.at == '/');
    assert(route->handler && route->methods);
    rest = str_skip(rest, 1);
    struct node *node = &router->root;
    size_t params = 0, depth = 0;
    while (rest.at) {
        struct str segment = str_cut(&rest, '/');
        assert(!is_rest(segment) || !rest.at);
        params += is_parameter(segment);
        node = child_of(router, node, segment);
        depth++;
    }
    assert(params <= REQUEST_PARAMS_MAX && depth <= DEPTH_MAX);
    const struct route **grown =
        ARENA_ARRAY(router->arena, node->route_count + 1, const struct route *);
    for (size_t i = 0; i < node->route_count; i++) {
        /* Two rows of one method that differ in nothing but a parameter's name. */
        assert(!(node->routes[i]->methods & route->methods));
        grown[i] = node->routes[i];
    }
    grown[node->route_count++] = route;
    node->routes = grown;
}

struct router *router_new(const struct route *routes, size_t count,
                          const struct router_hooks *hooks, void *context)
{
    struct arena *arena = arena_new();
    struct router *router = ARENA_NEW(arena, struct router);
    router->magic = ROUTER_MAGIC;
    router->arena = arena;
    router->hooks = hooks;
    router->context = context;
    router->upload_limit = router->import_limit = ROUTER_UPLOAD_BYTES;
    for (size_t i = 0; i < count; i++)
        add_route(router, &routes[i]);
    return router;
}

void router_free(struct router **router)
{
    if (!*router)
        return;
    assert((*router)->magic == ROUTER_MAGIC);
    struct arena *arena = (*router)->arena;
    (*router)->magic = 0;
    *router = NULL;
    arena_free(&arena);
}

void router_set_upload_limit(struct router *router, uint64_t bytes)
{
    router->upload_limit = bytes;
}

void router_set_import_limit(struct router *router, uint64_t bytes)
{
    router->import_limit = bytes;
}

struct search {
    unsigned wanted;  /* the method looked for */
    unsigned allowed; /* methods of the rows that match the path */
    const struct route *route;
};

/* A row that answers GET answers HEAD. */
static unsigned answered_methods(const struct route *route)
{
    return route->methods | (route->methods & HTTP_GET ? HTTP_HEAD : 0);
}

static bool search_rows(struct search *search, const struct node *node)
{
    for (size_t i = 0; i < node->route_count; i++) {
        unsigned methods = answered_methods(node->routes[i]);
        search->allowed |= methods;
        if (methods & search->wanted) {
            search->route = node->routes[i];
            return true;
        }
    }
    return false;
}

static bool search_node(struct search *search, const struct node *node, struct str rest)
{
    if (!rest.at)
        return search_rows(search, node);
    struct str whole = rest;
    struct str segment = str_cut(&rest, '/');
    for (const struct node *child = node->children; child; child = child->next)
        if (str_equal(child->literal, segment) && search_node(search, child, rest))
            return true;
    if (node->parameter && segment.length > 0 && search_node(search, node->parameter, rest))
        return true;
    return node->rest && whole.length > 0 && search_rows(search, node->rest);
}

static struct search find_route(const struct router *router, enum http_method method,
                                struct str path)
{
    struct search search = {.wanted = method};
    if (path.length > 0)
        search_node(&search, &router->root, str_skip(path, 1));
    return search;
}

/* Fills the parameters from a path that matches the pattern. False if one does not decode. */
static bool fill_params(struct request *req, const struct route *route)
{
    struct str pattern = str_skip(str_of(route->pattern), 1), path = str_skip(req->path, 1);
    req->param_count = 0;
    while (pattern.at) {
        struct str name = str_cut(&pattern, '/');
        struct str value = is_rest(name) ? path : str_cut(&path, '/');
        if (!is_parameter(name))
            continue;
        struct buf decoded = BUF_INIT(value.length);
        bool is_good = decode_percent(&decoded, value, false) &&
                       str_find_char(buf_view(&decoded), '\0') < 0 &&
                       utf8_is_valid(buf_view(&decoded));
        req->params[req->param_count++] = (struct route_param){
            arena_text(req->arena, str_sub(name, 1, name.length - 2 - is_rest(name))),
            arena_str(req->arena, buf_view(&decoded))};
        buf_free(&decoded);
        if (!is_good)
            return false;
    }
    return true;
}

/* What each answer carries unless its handler says otherwise (ref: OWASP secure headers; CSP 3). */
static const struct http_field security_headers[] = {
    {STR("Content-Security-Policy"),
     STR("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "font-src 'self'; connect-src 'self'; frame-src 'self'; manifest-src 'self'; "
         "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
         "require-trusted-types-for 'script'")},
    {STR("Cross-Origin-Opener-Policy"), STR("same-origin")},
    {STR("Cross-Origin-Resource-Policy"), STR("same-origin")},
    {STR("Permissions-Policy"),
     STR("accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
         "fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), "
         "magnetometer=(), microphone=(), midi=(), payment=(), "
         "publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
         "xr-spatial-tracking=()")},
    {STR("Referrer-Policy"), STR("no-referrer")},
    {STR("X-Content-Type-Options"), STR("nosniff")},
    {STR("Cache-Control"), STR("no-store")},
};

/* An answer with nothing but what every answer has. */
static void start_over(const struct request *req, struct response *res)
{
    buf_reset(&res->body);
    *res = (struct response){
        .arena = res->arena, .status = 200, .body = res->body, .stream_bytes = -1};
    for (size_t i = 0; i < sizeof security_headers / sizeof *security_headers; i++)
        response_add_literal(res, security_headers[i].name, security_headers[i].value);
    if (req->is_https)
        response_add_literal(res, STR("Strict-Transport-Security"), STR("max-age=63072000"));
    /* The request's id lives as long as the response: both belong to the door's exchange. */
    response_add_literal(res, STR("X-Request-Id"), str_make(req->id, REQUEST_ID_BYTES - 1));
}

static bool wants_problem(const struct request *req, const struct route *route)
{
    return route ? (route->flags & ROUTE_API) != 0 : str_starts(req->path, STR("/api/"));
}

static bool shows_errors(const struct router *router)
{
    return router->hooks && router->hooks->error_page;
}

static void answer_error(const struct router *router, struct request *req,
                         const struct route *route, struct response *res, const struct error *err)
{
    start_over(req, res);
    if (http_status_of(err->kind) >= 500)
        LOG_WARN("http.error", log_str("request", str_of(req->id)), log_str("path", req->path),
                 LOG_ERR(err));
    if (wants_problem(req, route) || !shows_errors(router)) {
        response_problem(res, req, err);
        return;
    }
    res->status = http_status_of(err->kind);
    router->hooks->error_page(req, res, err);
}

static void answer_unrouted(const struct router *router, struct request *req, struct response *res,
                            unsigned allowed)
{
    struct error err = ERROR_INIT;
    if (req->method == HTTP_OTHER) {
        response_problem_status(res, req, 501, "not-implemented",
                                STR("This server does not know that method."));
        return;
    }
    if (!allowed) {
        error_set(&err, ERROR_NOT_FOUND, "There is nothing at this address.");
        answer_error(router, req, NULL, res, &err);
        return;
    }
    struct buf allow = BUF_INIT(128);
    for (unsigned method = 1; method < HTTP_OTHER; method <<= 1)
        if ((allowed | HTTP_OPTIONS) & method)
            buf_printf(&allow, "%s%s", allow.length ? ", " : "",
                       http_method_name((enum http_method)method));
    response_set_header(res, "Allow", buf_view(&allow));
    buf_free(&allow);
    if (req->method == HTTP_OPTIONS) {
        res->status = 204;
    } else if (wants_problem(req, NULL) || req->method != HTTP_GET || !shows_errors(router)) {
        response_problem_status(res, req, 405, "method-not-allowed",
                                STR("This address does not take that method."));
    } else { /* a person opened what a form goes to */
        error_set(&err, ERROR_INVALID, "There is no page at this address.");
        error_hint(&err, "Buttons of other pages lead here.");
        res->status = 405;
        router->hooks->error_page(req, res, &err);
    }
}

static void answer_routed(const struct router *router, struct request *req,
                          const struct route *route, struct response *res)
{
    struct error err = ERROR_INIT;
    const struct router_hooks *hooks = router->hooks;
    if (!fill_params(req, route)) {
        error_set(&err, ERROR_NOT_FOUND, "There is nothing at this address.");
        answer_error(router, req, route, res, &err);
        return;
    }
    bool has_guard = hooks && hooks->guard;
    if (!has_guard && !(route->flags & ROUTE_PUBLIC)) /* fail closed */
        error_set(&err, ERROR_AUTH, "Sign in first.");
    else if (!has_guard || hooks->guard(req, route, res, &err)) {
        bool is_good = hooks && hooks->run ? hooks->run(req, route, res, &err)
                                           : route->handler(req, res, &err);
        if (is_good) {
            res->is_events = (route->flags & ROUTE_EVENTS) && res->stream;
            return;
        }
    } else if (err.kind == ERROR_AUTH && res->status == 303) {
        return; /* the guard sends the person to sign in */
    }
    if (err.kind == ERROR_NONE)
        error_set(&err, ERROR_INTERNAL, "a handler failed without saying why");
    answer_error(router, req, route, res, &err);
}

void router_serve(const struct router *router, struct request *req, struct response *res)
{
    assert(router->magic == ROUTER_MAGIC);
    int64_t started_us = clock_monotonic_us();
    log_set_context("request", str_of(req->id));
    req->context = router->context;
    start_over(req, res);
    struct search search = find_route(router, req->method, req->path);
    if (search.route)
        answer_routed(router, req, search.route, res);
    else
        answer_unrouted(router, req, res, search.allowed);
    if (res->body.is_full && !res->stream && !res->static_body.at) {
        struct error err = ERROR_INIT;
        error_set(&err, ERROR_INTERNAL, "the answer is larger than RESPONSE_BODY_LIMIT");
        res->body.is_full = false;
        answer_error(router, req, search.route, res, &err);
    }
    if (router->hooks && router->hooks->finished)
        router->hooks->finished(req, search.route, res, clock_monotonic_us() - started_us);
    log_set_context(NULL, STR_EMPTY);
}

void router_refuse(struct request *req, struct response *res, const struct error *err)
{
    start_over(req, res);
    response_problem(res, req, err);
}

uint64_t router_body_limit(const struct router *router, enum http_method method, struct str path)
{
    assert(router->magic == ROUTER_MAGIC);
    const struct route *route = find_route(router, method, path).route;
    unsigned flags = route ? route->flags : 0;
    if (flags & ROUTE_IMPORT_BODY)
        return router->import_limit;
    return flags & ROUTE_LARGE_BODY ? router->upload_limit : ROUTER_BODY_BYTES;
}

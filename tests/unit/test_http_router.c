/* From a method and a path to a row of the table, and what happens around its handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "server/http/router.h"

static struct arena *arena;
static struct request req;
static struct response res;
static enum error_kind fails_with;
static int finished_status, context_mark;
static bool guard_redirects;

/* Answers with the pattern's parameters. */
static bool show(struct request *r, struct response *out, struct error *err)
{
    for (size_t i = 0; i < r->param_count; i++)
        buf_printf(&out->body, "%s=%.*s;", r->params[i].name, (int)r->params[i].value.length,
                   r->params[i].value.at);
    response_set_header(out, "X-Handler", STR("ran"));
    if (fails_with != ERROR_NONE)
        return error_set(err, fails_with, "it failed");
    return true;
}

static bool show_new(struct request *r, struct response *out, struct error *err)
{
    (void)r, (void)err;
    return buf_text(&out->body, "new");
}

static bool show_frame(struct request *r, struct response *out, struct error *err)
{
    (void)r, (void)err;
    response_set_header(out, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    return true;
}

static bool write_nothing(struct response_sink *sink, void *context, struct error *err)
{
    (void)sink, (void)context, (void)err;
    return true;
}

static bool show_stream(struct request *r, struct response *out, struct error *err)
{
    (void)r, (void)err;
    out->stream = write_nothing;
    return true;
}

static bool show_too_much(struct request *r, struct response *out, struct error *err)
{
    (void)r, (void)err;
    out->body.limit = 3;
    buf_text(&out->body, "four");
    return true;
}

static bool guard(struct request *r, const struct route *route, struct response *out,
                  struct error *err)
{
    if ((route->flags & ROUTE_PUBLIC) || request_header(r, "Authorization").at)
        return true;
    if (guard_redirects)
        response_redirect(out, STR("/sign-in"));
    return error_set(err, ERROR_AUTH, "Sign in first.");
}

static void error_page(struct request *r, struct response *out, const struct error *err)
{
    (void)r;
    response_set_header(out, "Content-Type", STR("text/html; charset=utf-8"));
    buf_printf(&out->body, "<h1>%s</h1>", error_kind_name(err->kind));
}

static void finished(const struct request *r, const struct route *route, const struct response *out,
                     int64_t duration_us)
{
    (void)r, (void)route;
    assert_true(duration_us >= 0);
    finished_status = out->status;
}

static const struct router_hooks hooks = {
    .guard = guard, .error_page = error_page, .finished = finished};

static const struct route routes[] = {
    {HTTP_GET, "/", show, ROUTE_PUBLIC},
    {HTTP_GET, "/accounts", show, ROUTE_PUBLIC},
    {HTTP_GET, "/accounts/new", show_new, ROUTE_PUBLIC},
    {HTTP_GET | HTTP_POST, "/accounts/{account}", show, ROUTE_PUBLIC},
    {HTTP_DELETE, "/accounts/{id}", show, ROUTE_PUBLIC},
    {HTTP_GET, "/accounts/{account}/mailboxes/{mailbox}", show, ROUTE_PUBLIC},
    {HTTP_POST, "/forms/{form}", show, ROUTE_PUBLIC},
    {HTTP_GET, "/static/{path*}", show, ROUTE_PUBLIC},
    {HTTP_GET, "/static/robots.txt", show_new, ROUTE_PUBLIC},
    {HTTP_GET, "/private", show, 0},
    {HTTP_GET, "/api/v1/session", show, ROUTE_API},
    {HTTP_POST, "/api/v1/blobs", show, ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_GET, "/frame", show_frame, ROUTE_PUBLIC},
    {HTTP_GET, "/events", show_stream, ROUTE_PUBLIC | ROUTE_EVENTS},
    {HTTP_GET, "/file", show_stream, ROUTE_PUBLIC},
    {HTTP_GET, "/too-much", show_too_much, ROUTE_PUBLIC},
};

static struct router *router;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    arena = arena_new();
    router = router_new(routes, sizeof routes / sizeof *routes, &hooks, &context_mark);
    response_init(&res, arena);
    fails_with = ERROR_NONE;
    guard_redirects = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    response_release(&res);
    router_free(&router);
    arena_free(&arena);
    return 0;
}

static int ask(enum http_method method, const char *target)
{
    response_release(&res);
    request_init(&req, arena);
    response_init(&res, arena);
    assert_true(request_set_target(&req, str_of(target), NULL));
    req.method = method;
    router_serve(router, &req, &res);
    assert_int_equal(finished_status, res.status);
    return res.status;
}

static void assert_header(const char *name, const char *want)
{
    struct str got = response_header(&res, name);
    if (!want ? got.at != NULL : (!got.at || !str_equal(got, str_of(want))))
        fail_msg("%s: %.*s", name, (int)got.length, got.at ? got.at : "");
}

static void test_paths_find_their_rows(void **state)
{
    (void)state;
    static const struct {
        enum http_method method;
        const char *target;
        int status;
        const char *body;
    } cases[] = {
        {HTTP_GET, "/", 200, ""},
        {HTTP_GET, "/?a=b", 200, ""},
        {HTTP_GET, "/accounts", 200, ""},
        {HTTP_GET, "/accounts/7", 200, "account=7;"},
        {HTTP_POST, "/accounts/7", 200, "account=7;"},
        {HTTP_DELETE, "/accounts/7", 200, "id=7;"},
        {HTTP_GET, "/accounts/new", 200, "new"},
        {HTTP_DELETE, "/accounts/new", 200, "id=new;"},
        {HTTP_GET, "/accounts/new/mailboxes/3", 200, "account=new;mailbox=3;"},
        {HTTP_GET, "/accounts/a%20b+c/mailboxes/%C3%A9%2F", 200,
         "account=a b+c;mailbox=\xc3\xa9/;"},
        {HTTP_GET, "/static/css/app.css", 200, "path=css/app.css;"},
        {HTTP_GET, "/static/%2e%2e/x", 200, "path=../x;"},
        {HTTP_GET, "/static/robots.txt", 200, "new"},
        {HTTP_GET, "/static/robots.txt/x", 200, "path=robots.txt/x;"},
        {HTTP_HEAD, "/accounts/7", 200, "account=7;"},
        {HTTP_GET, "/static/", 404, NULL},
        {HTTP_GET, "/static", 404, NULL},
        {HTTP_GET, "/accounts/", 404, NULL},
        {HTTP_GET, "/accounts/7/", 404, NULL},
        {HTTP_GET, "//", 404, NULL},
        {HTTP_GET, "/Accounts", 404, NULL},
        {HTTP_GET, "/accounts/%ff", 404, NULL},
        {HTTP_GET, "/accounts/%00", 404, NULL},
        {HTTP_GET, "/accounts/%4", 404, NULL},
        {HTTP_OTHER, "/accounts/7", 501, NULL},
        {HTTP_PUT, "/accounts/7", 405, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = ask(cases[i].method, cases[i].target);
        if (status != cases[i].status ||
            (cases[i].body && !str_equal(response_body(&res), str_of(cases[i].body))))
            fail_msg("%s: %d %.*s", cases[i].target, status, (int)res.body.length, res.body.at);
    }
    assert_ptr_equal(req.context, &context_mark);
}

static void test_allow_names_the_methods(void **state)
{
    (void)state;
    assert_int_equal(ask(HTTP_PUT, "/accounts/7"), 405);
    assert_header("Allow", "GET, POST, DELETE, HEAD, OPTIONS");
    assert_int_equal(ask(HTTP_OPTIONS, "/api/v1/blobs"), 204);
    assert_header("Allow", "POST, OPTIONS");
    assert_int_equal(ask(HTTP_OPTIONS, "/none"), 404);
}

static void test_what_only_forms_lead_to_is_a_page_for_whoever_opens_it(void **state)
{
    (void)state;
    assert_int_equal(ask(HTTP_GET, "/forms/7"), 405);
    assert_header("Allow", "POST, OPTIONS");
    assert_header("Content-Type", "text/html; charset=utf-8");
    assert_int_equal(ask(HTTP_GET, "/api/v1/blobs"), 405);
    assert_header("Content-Type", "application/problem+json");
    assert_int_equal(ask(HTTP_PUT, "/forms/7"), 405);
    assert_header("Content-Type", "application/problem+json");
}

static void test_errors_are_pages_for_people_and_problems_for_programs(void **state)
{
    (void)state;
    fails_with = ERROR_CONFLICT;
    assert_int_equal(ask(HTTP_GET, "/accounts"), 409);
    assert_true(str_equal(response_body(&res), STR("<h1>conflict</h1>")));
    assert_header("X-Handler", NULL); /* nothing of the handler's is left */
    assert_int_equal(ask(HTTP_GET, "/none"), 404);
    assert_header("Content-Type", "text/html; charset=utf-8");
    assert_int_equal(ask(HTTP_GET, "/api/v1/none"), 404);
    assert_header("Content-Type", "application/problem+json");
    assert_int_equal(ask(HTTP_GET, "/api/v1/session"), 401);
    assert_header("Content-Type", "application/problem+json");
    assert_int_equal(ask(HTTP_GET, "/too-much"), 500);
}

static void test_what_is_not_public_is_guarded(void **state)
{
    (void)state;
    assert_int_equal(ask(HTTP_GET, "/private"), 401);
    assert_header("X-Handler", NULL);
    guard_redirects = true;
    assert_int_equal(ask(HTTP_GET, "/private"), 303);
    assert_header("Location", "/sign-in");
    struct router *unguarded = router_new(routes, sizeof routes / sizeof *routes, NULL, NULL);
    router_serve(unguarded, &req, &res);
    assert_int_equal(res.status, 401);
    router_free(&unguarded);
}

static void test_every_answer_has_the_security_headers(void **state)
{
    (void)state;
    static const char *const targets[] = {"/", "/none", "/private", "/api/v1/none"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        ask(HTTP_GET, targets[i]);
        struct str csp = response_header(&res, "Content-Security-Policy");
        assert_true(str_find(csp, STR("default-src 'none'")) == 0);
        assert_true(str_find(csp, STR("unsafe")) < 0);
        assert_true(str_find(csp, STR("frame-ancestors 'none'")) > 0);
        assert_true(str_find(csp, STR("require-trusted-types-for 'script'")) > 0);
        assert_header("X-Content-Type-Options", "nosniff");
        assert_header("Referrer-Policy", "no-referrer");
        assert_header("Cross-Origin-Opener-Policy", "same-origin");
        assert_header("Cross-Origin-Resource-Policy", "same-origin");
        assert_header("Cache-Control", "no-store");
        assert_header("X-Request-Id", req.id);
        assert_header("Strict-Transport-Security", NULL);
    }
}

static void test_a_handler_may_have_its_own_policy(void **state)
{
    (void)state;
    ask(HTTP_GET, "/frame");
    assert_header("Content-Security-Policy", "default-src 'none'; sandbox");
    size_t count = 0;
    for (size_t i = 0; i < res.headers.count; i++)
        count += str_equal(res.headers.at[i].name, STR("Content-Security-Policy"));
    assert_int_equal(count, 1);
}

static void test_hsts_is_for_https(void **state)
{
    (void)state;
    ask(HTTP_GET, "/");
    req.is_https = true;
    router_serve(router, &req, &res);
    assert_header("Strict-Transport-Security", "max-age=63072000");
}

static void test_only_event_routes_stream_on_their_own_thread(void **state)
{
    (void)state;
    ask(HTTP_GET, "/events");
    assert_true(res.is_events);
    ask(HTTP_GET, "/file");
    assert_false(res.is_events);
}

static void test_a_large_body_is_for_those_that_ask_for_it(void **state)
{
    (void)state;
    router_set_upload_limit(router, 5000000);
    assert_int_equal(router_body_limit(router, HTTP_POST, STR("/api/v1/blobs")), 5000000);
    assert_int_equal(router_body_limit(router, HTTP_GET, STR("/api/v1/blobs")), ROUTER_BODY_BYTES);
    assert_int_equal(router_body_limit(router, HTTP_POST, STR("/accounts/7")), ROUTER_BODY_BYTES);
    assert_int_equal(router_body_limit(router, HTTP_POST, STR("/none")), ROUTER_BODY_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paths_find_their_rows),
        TEST(test_allow_names_the_methods),
        TEST(test_what_only_forms_lead_to_is_a_page_for_whoever_opens_it),
        TEST(test_errors_are_pages_for_people_and_problems_for_programs),
        TEST(test_what_is_not_public_is_guarded),
        TEST(test_every_answer_has_the_security_headers),
        TEST(test_a_handler_may_have_its_own_policy),
        TEST(test_hsts_is_for_https),
        TEST(test_only_event_routes_stream_on_their_own_thread),
        TEST(test_a_large_body_is_for_those_that_ask_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

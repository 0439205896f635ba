/* A browser without a network: router, guard, handlers, templates and a real PostgreSQL, with two
 * people (store_mail_fixture.h) and sixty messages in ALICE's inbox. */
#ifndef RESTANTE_TESTS_SCREENS_FIXTURE_H
#define RESTANTE_TESTS_SCREENS_FIXTURE_H

#include "handlers/html/html.h"
#include "handlers/lately.h"
#include "handlers/session.h"
#include "handlers/wait.h"
#include "server/http/static.h"
#include "tests/unit/store_mail_fixture.h"

static const char hostile[] = "<script>alert(1)</script>\"'";

static struct app app;
static struct config config;
static struct router *router;
static struct template_function functions[1];
static const struct router_hooks hooks = {.guard = session_guard, .error_page = html_error_page};
static int64_t inbox, emails[60];

/* --- a browser ------------------------------------------------------------------------------- */

struct page {
    struct arena *arena;
    struct request req;
    struct response res;
};
static struct page page;
static const char *cookie; /* of the browser; NULL: none */

static inline void forget_page(void)
{
    request_release(&page.req);
    buf_free(&page.res.body);
    arena_free(&page.arena);
    page = (struct page){0};
}

static inline struct str header(const char *name)
{
    struct str value = http_field_value(&page.res.headers, name);
    return value.at ? value : STR_EMPTY;
}

static inline struct str body(void)
{
    return buf_view(&page.res.body);
}

/* A new request, of whom the cookie says; what else it has is added to page.req. */
static inline void begin_request(enum http_method method, struct str target)
{
    struct error why = ERROR_INIT;
    if (page.arena)
        forget_page();
    page.arena = arena_new();
    request_init(&page.req, page.arena);
    page.req.method = method;
    page.req.remote_address = STR("127.0.0.1");
    assert_true(request_set_target(&page.req, target, &why));
    if (cookie)
        request_add_header(&page.req, STR("Cookie"), str_of(cookie));
    page.res = (struct response){
        .arena = page.arena, .body = BUF_INIT(RESPONSE_BODY_LIMIT), .status = 200};
}

static inline void ask(enum http_method method, const char *target, const char *form)
{
    begin_request(method, str_of(target));
    if (form) {
        request_add_header(&page.req, STR("Content-Type"),
                           STR("application/x-www-form-urlencoded"));
        page.req.body = arena_str(page.arena, str_of(form));
        page.req.body_bytes = page.req.body.length;
    }
    router_serve(router, &page.req, &page.res);
}

static inline void get(const char *target)
{
    ask(HTTP_GET, target, NULL);
}

/* What stands between `before` and the next quote. */
static __attribute__((noinline, unused)) const char *cut_after(const char *before)
{
    static char text[4096];
    ptrdiff_t at = str_find(body(), str_of(before));
    if (at < 0)
        fail_msg("no %s in the page", before);
    struct str rest = str_skip(body(), (size_t)at + strlen(before));
    ptrdiff_t end = str_find_char(rest, '"');
    assert_true(end >= 0 && str_copy(str_sub(rest, 0, (size_t)end), text, sizeof text));
    return text;
}

/* Sends a form of the page that was got last. */
static inline void post(const char *target, const char *fields)
{
    char form[8192];
    snprintf(form, sizeof form, "csrf=%s&%s", cut_after("name=\"csrf\" value=\""), fields);
    ask(HTTP_POST, target, form);
}

static inline void assert_status(int status)
{
    if (page.res.status != status)
        fail_msg("status %d, want %d: %.*s", page.res.status, status, STR_ARG(body()));
}

static inline void assert_shows(const char *text)
{
    if (str_find(body(), str_of(text)) < 0)
        fail_msg("not on the page: %s\n%.*s", text, STR_ARG(body()));
}

static inline void assert_hides(const char *text)
{
    if (str_find(body(), str_of(text)) >= 0)
        fail_msg("on the page: %s", text);
}

static inline void assert_goes_to(const char *path)
{
    assert_status(303);
    if (!str_equal(header("Location"), str_of(path)))
        fail_msg("goes to %.*s, want %s", STR_ARG(header("Location")), path);
}

/* --- people and mail ------------------------------------------------------------------------- */

/* Signs a person in behind the scenes. */
static inline void come_as(int64_t user_id)
{
    static char text[256];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct buf token = BUF_INIT(200);
    token_generate(&token);
    token_hash(buf_view(&token), hash);
    assert_good(session_create(mail_db, hash, user_id, 3600, STR("127.0.0.1"),
                               STR("Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"), &err));
    snprintf(text, sizeof text, "session=%s", token.at);
    cookie = text;
    buf_free(&token);
}

/* Of a message that is one text part, as an IMAP server tells it. */
static inline struct str structure_of(const char *type)
{
    return arena_printf(
        mail_arena,
        "{\"bodyStructure\":{\"partId\":\"1\",\"size\":10,\"type\":\"%s\",\"charset\":"
        "\"utf-8\",\"headerOffset\":0,\"offset\":0,\"length\":10,\"lines\":1,"
        "\"encoding\":\"8bit\"},\"textBody\":[\"1\"],\"htmlBody\":[\"1\"],"
        "\"attachments\":[]}",
        type);
}

/* A message of that text in the inbox; its path. */
static inline const char *add_letter(const char *type, const char *text)
{
    static uint32_t uid = 1000;
    static char path[64];
    int64_t blob_id;
    struct replica_email email = make_email(++uid, "letter@mail.example", 100, FLAG_SEEN);
    email.structure = structure_of(type);
    int64_t id = add_email(ALICE, inbox, email);
    assert_good(replica_allocate_ids(mail_db, ALICE, 1, &blob_id, &err));
    assert_good(db_begin(mail_db, &err));
    struct blob_writer *writer = blob_begin(mail_db, ALICE, blob_id, id, STR("1"), &err);
    assert_good(writer && blob_append(writer, str_of(text), &err));
    assert_good(blob_finish(&writer, NULL, &err) && db_commit(mail_db, &err));
    snprintf(path, sizeof path, "/mail/1/%lld/%lld", (long long)inbox, (long long)id);
    return path;
}

static inline void add_mail(void)
{
    inbox = add_mailbox(ALICE, "INBOX", ROLE_INBOX, 0);
    add_mailbox(BOB, "INBOX", ROLE_INBOX, 0);
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof id, "number-%d@mail.example", i);
        struct replica_email email = make_email((uint32_t)i + 1, id, 1000000 + i, FLAG_SEEN);
        if (i == 59) {
            email.subject = str_of(hostile);
            email.placed.flags = 0;
            email.from_json = STR("[{\"name\":\"<b>Eve</b>\",\"email\":\"eve@mail.example\"}]");
        }
        email.structure = structure_of("text/plain");
        emails[i] = add_email(ALICE, inbox, email);
    }
}

static inline int set_up(void **state)
{
    struct error why = ERROR_INIT;
    if (mail_setup(state))
        return -1;
    static const struct parser_options parser_options = {.children = 1, .is_permissive = true};
    assert_true(seal_init(&why));
    assert_true(config_read(mail_arena, "/dev/null", &config, &why));
    struct seal_key_pair keys;
    seal_generate(&keys);
    app.seal_key = keys.public;
    app.config = &config;
    app.store = mail_web;
    app.owned = lately_new();
    app.statics = static_new();
    functions[0] = (struct template_function){"asset", html_asset, app.statics};
    app.templates = templates_load(functions, 1, &why);
    if (!app.templates)
        fail_msg("%s", why.message);
    app.parsers = parser_pool_new(&parser_options, &why);
    app.looked = lately_new();
    app.waiters = waiters_new(mail_web, 2, &why);
    assert_non_null(app.waiters);
    router = router_new(html_routes, html_route_count, &hooks, &app);
    add_mail();
    return 0;
}

static inline int tear_down(void **state)
{
    forget_page();
    router_free(&router);
    waiters_free(&app.waiters);
    lately_free(&app.looked);
    parser_pool_free(&app.parsers);
    templates_free(&app.templates);
    lately_free(&app.owned);
    static_free(&app.statics);
    return mail_teardown(state);
}

#endif

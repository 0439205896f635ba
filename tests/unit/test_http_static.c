/* Static files: two names, caching, compression. This test brings its own assets: the symbols below
 * stand in for those that embed.sh writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "server/base/assets.h"
#include "server/http/static.h"

#define LINE "body { color: CanvasText; background: Canvas; margin: 0 auto; }\n"
#define MANY LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE

extern const struct asset embedded_assets[];
extern const size_t embedded_asset_count;
const struct asset embedded_assets[] = {
    {"sql/queries/users.sql", STR("select 1")},
    {"static/app.css", STR(MANY "a { background: url(icons/star.svg); }\n")},
    {"static/icons/star.svg", STR("<svg xmlns=\"http://www.w3.org/2000/svg\"/>")},
    {"static/js/app.js", STR("import { list } from \"./list.js\";\n")},
    {"static/js/list.js", STR("export const list = [];\n")},
    {"static/robots", STR("none")},
};
const size_t embedded_asset_count = sizeof embedded_assets / sizeof *embedded_assets;

static struct arena *arena;
static struct request req;
static struct response res;
static struct static_files *files;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    response_init(&res, arena);
    files = static_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    response_release(&res);
    static_free(&files);
    arena_free(&arena);
    assets_use_disk(NULL);
    return 0;
}

/* 0 when there is no such file. `header` is a request header, or NULL. */
static int get(struct str path, const char *header, const char *value)
{
    struct error err = ERROR_INIT;
    response_release(&res);
    request_init(&req, arena);
    response_init(&res, arena);
    req.method = HTTP_GET;
    if (header)
        request_add_header(&req, str_of(header), str_of(value));
    if (static_answer(files, &req, path, &res, &err))
        return res.status;
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    return 0;
}

static void assert_header(const char *name, const char *want)
{
    struct str got = response_header(&res, name);
    if (!want ? got.at != NULL : (!got.at || !str_equal(got, str_of(want))))
        fail_msg("%s: %.*s", name, (int)got.length, got.at ? got.at : "");
}

static struct str path_of(const char *name)
{
    return str_skip(static_url(files, str_of(name)), strlen("/static/"));
}

static void test_a_hashed_name_is_kept_for_a_year(void **state)
{
    (void)state;
    struct str url = static_url(files, STR("js/app.js"));
    assert_true(str_starts(url, STR("/static/js/app.")) && str_ends(url, STR(".js")));
    assert_int_equal(url.length, strlen("/static/js/app.0123456789ab.js"));
    assert_int_equal(get(path_of("js/app.js"), NULL, NULL), 200);
    assert_header("Cache-Control", "public, max-age=31536000, immutable");
    assert_header("Content-Type", "text/javascript; charset=utf-8");
    assert_true(str_equal(response_body(&res), embedded_assets[3].bytes));
}

static void test_a_plain_name_is_asked_for_each_time(void **state)
{
    (void)state;
    assert_int_equal(get(STR("js/list.js"), NULL, NULL), 200);
    assert_header("Cache-Control", "no-cache");
    struct str etag = arena_str(arena, response_header(&res, "ETag"));
    assert_int_equal(get(STR("js/list.js"), "If-None-Match", etag.at), 304);
    assert_int_equal(response_body(&res).length, 0);
    assert_header("ETag", etag.at);
    struct str list = arena_printf(arena, "\"x\", W/%s", etag.at);
    assert_int_equal(get(STR("js/list.js"), "If-None-Match", list.at), 304);
    assert_int_equal(get(STR("js/list.js"), "If-None-Match", "\"x\""), 200);
}

static void test_what_shrinks_is_sent_compressed_to_those_who_ask(void **state)
{
    (void)state;
    static const char *const yes[] = {"gzip", "br, GZIP", "gzip;q=0.5", "deflate,gzip ; q=1.0"};
    static const char *const no[] = {"", "br", "gzip;q=0", "gzip;q=0.000", "x-gzip2"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_int_equal(get(path_of("app.css"), "Accept-Encoding", yes[i]), 200);
        assert_header("Content-Encoding", "gzip");
        assert_header("Vary", "Accept-Encoding");
        assert_header("Content-Type", "text/css; charset=utf-8");
    }
    char plain[4096];
    struct str packed = response_body(&res);
    z_stream z = {.next_in = (unsigned char *)packed.at,
                  .avail_in = (unsigned)packed.length,
                  .next_out = (unsigned char *)plain,
                  .avail_out = sizeof plain};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    assert_true(str_equal(str_make(plain, z.total_out), embedded_assets[1].bytes));
    struct str gzip_tag = arena_str(arena, response_header(&res, "ETag"));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_int_equal(get(path_of("app.css"), "Accept-Encoding", no[i]), 200);
        assert_header("Content-Encoding", NULL);
        assert_header("Vary", "Accept-Encoding");
        assert_false(str_equal(response_header(&res, "ETag"), gzip_tag));
    }
    assert_int_equal(get(STR("robots"), "Accept-Encoding", "gzip"), 200);
    assert_header("Content-Encoding", NULL);
    assert_header("Content-Type", "application/octet-stream");
}

static void test_nothing_but_the_files_is_reachable(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR(""),           STR("."),           STR(".."),         STR("../sql/queries/users.sql"),
        STR("js"),         STR("js/"),         STR("/app.css"),   STR("js/../app.css"),
        STR("app.css\0x"), STR("APP.CSS"),     STR("app..css"),   STR("app.000000000000.css"),
        STR("./app.css"),  STR("/etc/passwd"), STR("js//app.js"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(get(bad[i], NULL, NULL), 0);
    assets_use_disk("/");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(get(bad[i], NULL, NULL), 0);
}

static void test_a_file_that_is_not_there_has_no_address(void **state)
{
    (void)state;
    assert_null(static_find_url(files, STR("none.css")).at);
    assert_null(static_find_url(files, STR("sql/queries/users.sql")).at);
    assert_non_null(static_find_url(files, STR("robots")).at);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_an_edit_on_disk_shows_at_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/restante-static-XXXXXX", path[64], below[64];
    assert_non_null(mkdtemp(folder));
    snprintf(below, sizeof below, "%s/static", folder);
    snprintf(path, sizeof path, "%s/static/app.css", folder);
    mkdir(below, 0700);
    write_text(path, "one");
    static_free(&files);
    assets_use_disk(folder);
    files = static_new();
    assert_true(str_equal(static_url(files, STR("app.css")), STR("/static/app.css")));
    assert_int_equal(get(STR("app.css"), NULL, NULL), 200);
    assert_true(str_equal(response_body(&res), STR("one")));
    assert_header("Cache-Control", "no-cache");
    struct str etag = arena_str(arena, response_header(&res, "ETag"));
    assert_int_equal(get(STR("app.css"), "If-None-Match", etag.at), 304);
    write_text(path, "two");
    assert_int_equal(get(STR("app.css"), "If-None-Match", etag.at), 200);
    assert_true(str_equal(response_body(&res), STR("two")));
    unlink(path);
    assert_int_equal(get(STR("app.css"), NULL, NULL), 0);
    rmdir(below);
    rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_hashed_name_is_kept_for_a_year),
        TEST(test_a_plain_name_is_asked_for_each_time),
        TEST(test_what_shrinks_is_sent_compressed_to_those_who_ask),
        TEST(test_nothing_but_the_files_is_reachable),
        TEST(test_a_file_that_is_not_there_has_no_address),
        TEST(test_an_edit_on_disk_shows_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

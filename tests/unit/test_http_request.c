/* What a request says: target, headers, cookies, arguments, forms, bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "server/http/door.h"
#include "tests/unit/assert_str.h"

static struct arena *arena;
static struct request req;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    request_init(&req, arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    request_release(&req);
    arena_free(&arena);
    return 0;
}

static void test_ids_are_hex_and_differ(void **state)
{
    (void)state;
    struct request other;
    request_init(&other, arena);
    assert_int_equal(strlen(req.id), 16);
    assert_int_equal(strspn(req.id, "0123456789abcdef"), 16);
    assert_string_not_equal(req.id, other.id);
}

static void test_a_target_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/", "/", ""},
        {"/a/b?c=d", "/a/b", "c=d"},
        {"/a?b?c", "/a", "b?c"},
        {"//a", "//a", ""},
        {"/a%2fb", "/a%2fb", ""},
        {"http://host:80/a?b", "/a", "b"},
        {"HTTPS://host", "/", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(request_set_target(&req, str_of(cases[i].target), NULL));
        assert_str(req.path, cases[i].path);
        assert_str(req.query, cases[i].query);
    }
    static const char *const bad[] = {"", "*", "a", "?a", "/a b", "/a\tb", "/a\x7f", "/a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(request_set_target(&req, str_of(bad[i]), NULL));
    assert_false(request_set_target(&req, STR("/a\0b"), NULL));
}

static void test_arguments_are_decoded_and_broken_ones_stay(void **state)
{
    (void)state;
    assert_true(request_set_target(
        &req, STR("/?a=1&b=x+y%2B&&c&d=%zz&e=%00&f=%ff&=g&a=2&h=%C3%A9&i=a=b"), NULL));
    assert_int_equal(req.arguments.count, 10);
    assert_str(request_argument(&req, "a"), "1");
    assert_str(request_argument(&req, "b"), "x y+");
    assert_str(request_argument(&req, "c"), "");
    assert_str(request_argument(&req, "d"), "%zz");
    assert_str(request_argument(&req, "e"), "%00");
    assert_str(request_argument(&req, "f"), "%ff");
    assert_str(request_argument(&req, ""), "g");
    assert_str(request_argument(&req, "h"), "\xc3\xa9");
    assert_str(request_argument(&req, "i"), "a=b");
    assert_str(request_argument(&req, "A"), NULL);
}

static void test_a_query_of_a_thousand_arguments_is_cut(void **state)
{
    (void)state;
    struct buf target = BUF_INIT(100000);
    buf_text(&target, "/?");
    for (int i = 0; i < 1000; i++)
        buf_printf(&target, "a%d=%%41&", i);
    assert_true(request_set_target(&req, buf_view(&target), NULL));
    assert_int_equal(req.arguments.count, 256);
    assert_str(request_argument(&req, "a255"), "A");
    buf_free(&target);
}

static void test_headers_and_cookies_are_found(void **state)
{
    (void)state;
    request_add_header(&req, STR("accept"), STR("x"));
    request_add_header(&req, STR("Accept"), STR("y"));
    request_add_header(&req, STR("Cookie"), STR("a=1; __Host-s=abc=;b=\"q\" ; bad; a=2"));
    request_add_header(&req, STR("cookie"), STR("c=3"));
    assert_str(request_header(&req, "ACCEPT"), "x");
    assert_str(request_header(&req, "Accep"), NULL);
    assert_str(request_cookie(&req, "a"), "1");
    assert_str(request_cookie(&req, "__Host-s"), "abc=");
    assert_str(request_cookie(&req, "b"), "q");
    assert_str(request_cookie(&req, "c"), "3");
    assert_str(request_cookie(&req, "bad"), NULL);
    assert_str(request_cookie(&req, "A"), NULL);
}

static void test_an_id_has_one_spelling(void **state)
{
    (void)state;
    int64_t id = 0;
    req.param_count = 1;
    static const char *const bad[] = {"", "0", "07", "-1", "+1", "1x", " 1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        req.params[0] = (struct route_param){"id", str_of(bad[i])};
        assert_false(request_param_id(&req, "id", &id, &err));
        assert_int_equal(err.kind, ERROR_NOT_FOUND);
    }
    req.params[0].value = STR("9223372036854775807");
    assert_true(request_param_id(&req, "id", &id, NULL));
    assert_true(id == INT64_MAX);
}

static bool read_form(const char *type, struct str body, struct http_fields *form,
                      struct error *err)
{
    request_init(&req, arena);
    if (type)
        request_add_header(&req, STR("Content-Type"), str_of(type));
    req.body = body;
    req.body_bytes = body.length;
    return request_form(&req, form, err);
}

static void test_a_form_is_read(void **state)
{
    (void)state;
    static const char type[] = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    struct http_fields form = {0};
    assert_true(
        read_form(type, STR("user=j+d%40example.org&pass=%26%3d%C3%A9&id=1&id=2&x"), &form, NULL));
    assert_int_equal(form.count, 5);
    assert_str(http_field_value(&form, "user"), "j d@example.org");
    assert_str(http_field_value(&form, "pass"), "&=\xc3\xa9");
    assert_str(http_field_value(&form, "id"), "1");
    assert_str(form.at[3].value, "2");
    assert_str(http_field_value(&form, "none"), NULL);
    assert_true(read_form(type, STR_EMPTY, &form, NULL));
    assert_int_equal(form.count, 0);
}

static void test_a_broken_form_is_refused(void **state)
{
    (void)state;
    static const char type[] = "application/x-www-form-urlencoded";
    struct http_fields form;
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "%=a", "a=%00", "a=%ff", "a=\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        assert_false(read_form(type, str_of(bad[i]), &form, &err));
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    assert_false(read_form("application/json", STR("a=b"), &form, NULL));
    assert_false(read_form("application/x-www-form-urlencoded2", STR("a=b"), &form, NULL));
    assert_false(read_form(NULL, STR("a=b"), &form, NULL));
    struct buf many = BUF_INIT(200000);
    for (int i = 0; i < 10001; i++)
        buf_text(&many, "a=b&");
    struct error err = ERROR_INIT;
    assert_false(read_form(type, buf_view(&many), &form, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    buf_free(&many);
}

static void test_a_body_reads_the_same_from_memory_and_file(void **state)
{
    (void)state;
    struct door_options options = door_defaults(NULL);
    static const size_t memory[] = {1000000, 10};
    for (size_t i = 0; i < 2; i++) {
        struct exchange exchange;
        options.memory_body_bytes = memory[i];
        exchange_init(&exchange, &options);
        for (int j = 0; j < 1000; j++)
            assert_true(exchange_add_body(&exchange, STR("0123456789"), 10000, NULL));
        struct error err = ERROR_INIT;
        assert_false(exchange_add_body(&exchange, STR("x"), 10000, &err));
        assert_int_equal(err.kind, ERROR_LIMIT);
        exchange_end_body(&exchange);
        assert_int_equal(exchange.req.body_fd >= 0, i);
        char piece[20];
        assert_int_equal(request_body_read(&exchange.req, 5, piece, 20, NULL), 20);
        assert_memory_equal(piece, "56789012345678901234", 20);
        assert_int_equal(request_body_read(&exchange.req, 9990, piece, 20, NULL), 10);
        assert_int_equal(request_body_read(&exchange.req, 10000, piece, 20, NULL), 0);
        exchange_release(&exchange);
    }
}

static void test_a_full_disk_is_the_servers_fault_and_passes(void **state)
{
    (void)state;
    struct door_options options = door_defaults(NULL);
    options.memory_body_bytes = 1;
    options.spool_folder = "/nonexistent";
    struct exchange exchange;
    struct error err = ERROR_INIT;
    exchange_init(&exchange, &options);
    assert_false(exchange_add_body(&exchange, STR("ab"), 10, &err));
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    exchange_release(&exchange);
}

static void test_networks_hold_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool holds;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.200", true},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"2001:db8::/32", "2001:db8:1::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "10.0.0.1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network network;
        unsigned char address[16];
        assert_true(network_parse(str_of(cases[i].network), &network, NULL));
        assert_true(ip_parse(str_of(cases[i].address), address));
        assert_int_equal(network_holds(&network, address), cases[i].holds);
    }
    static const char *const bad[] = {"",       "10",  "10.0.0.0/33", "10.0.0.0/",
                                      "::/129", "a/8", "10.0.0.0/-1", "unix"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct network network;
        assert_false(network_parse(str_of(bad[i]), &network, NULL));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ids_are_hex_and_differ),
        TEST(test_a_target_is_taken_apart),
        TEST(test_arguments_are_decoded_and_broken_ones_stay),
        TEST(test_a_query_of_a_thousand_arguments_is_cut),
        TEST(test_headers_and_cookies_are_found),
        TEST(test_an_id_has_one_spelling),
        TEST(test_a_form_is_read),
        TEST(test_a_broken_form_is_refused),
        TEST(test_a_body_reads_the_same_from_memory_and_file),
        TEST(test_a_full_disk_is_the_servers_fault_and_passes),
        TEST(test_networks_hold_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

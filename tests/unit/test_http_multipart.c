/* Uploads: multipart/form-data as browsers and others write it, in memory and spooled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/http/door.h"
#include "tests/unit/assert_str.h"

static struct door_options options;
static struct exchange exchange;
static struct request_part *parts;
static size_t count;

static bool parse_as(const char *type, struct str body, struct error *err)
{
    exchange_release(&exchange);
    exchange_init(&exchange, &options);
    request_add_header(&exchange.req, STR("Content-Type"), str_of(type));
    assert_true(exchange_add_body(&exchange, body, UINT64_MAX, NULL));
    exchange_end_body(&exchange);
    count = 0;
    return request_multipart(&exchange.req, &parts, &count, err);
}

static bool parse(struct str body, struct error *err)
{
    return parse_as("multipart/form-data; boundary=B", body, err);
}

static int setup(void **state)
{
    (void)state;
    options = door_defaults(NULL);
    exchange_init(&exchange, &options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    exchange_release(&exchange);
    return 0;
}

static void assert_content(const struct request_part *part, const char *want)
{
    char content[256];
    assert_true(part->bytes <= sizeof content);
    ssize_t got = request_body_read(&exchange.req, part->at, content, part->bytes, NULL);
    check_str(str_make(content, (size_t)got), want, __LINE__);
}

static void test_parts_are_found_in_memory_and_in_a_file(void **state)
{
    (void)state;
    static const size_t memory[] = {100000, 16};
    for (size_t i = 0; i < 2; i++) {
        options.memory_body_bytes = memory[i];
        assert_true(parse(STR("preamble\r\n--B\r\n"
                              "Content-Disposition: form-data; name=\"to\"\r\n\r\n"
                              "a@example.org\r\n--B  \r\n"
                              "content-disposition:form-data ; filename=\"x.png\"; name=f\r\n"
                              "Content-Type: image/png\r\n\r\n"
                              "\x89PNG\r\n--\r\n-\r\n--B--\r\nepilogue"),
                          NULL));
        assert_int_equal(exchange.req.body_fd >= 0, i);
        assert_int_equal(count, 2);
        assert_str(parts[0].name, "to");
        assert_str(parts[0].file_name, NULL);
        assert_str(parts[0].content_type, "text/plain");
        assert_content(&parts[0], "a@example.org");
        assert_str(parts[1].name, "f");
        assert_str(parts[1].file_name, "x.png");
        assert_str(parts[1].content_type, "image/png");
        assert_content(&parts[1], "\x89PNG\r\n--\r\n-");
    }
}

static void test_empty_parts_and_none_are_fine(void **state)
{
    (void)state;
    assert_true(parse(STR("--B--\r\n"), NULL));
    assert_int_equal(count, 0);
    assert_true(parse(STR("--B\r\nContent-Disposition: form-data; name=a; filename=\"\"\r\n\r\n"
                          "\r\n--B\r\nContent-Disposition: form-data; name=b\r\n\r\n--B--"),
                      NULL));
    assert_int_equal(count, 2);
    assert_str(parts[0].file_name, "");
    assert_int_equal(parts[0].bytes, 0);
    assert_int_equal(parts[1].bytes, 0);
}

static void test_names_are_unescaped_and_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *parameter, *name;
    } cases[] = {
        {"name=\"a%22b%0D%0a\"", "a\"b\r\n"},
        {"name=\"50%25\"", "50%25"},
        {"name=\"a\\\"b\"", "a\"b"},
        {"name=\"C:\\new\\\\x\"", "C:\\new\\x"},
        {"name=\"\xff\"", "\xef\xbf\xbd"},
        {"NAME=\"\xc3\xa9;=\"", "\xc3\xa9;="},
        {"filename=\"name=x\"; name=\"y\"", "y"},
        {"; ;; name = \"z\"", "z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf body = BUF_INIT(1000);
        buf_printf(&body, "--B\r\nContent-Disposition: form-data; %s\r\n\r\nx\r\n--B--",
                   cases[i].parameter);
        bool is_good = parse(buf_view(&body), NULL);
        assert_int_equal(is_good, cases[i].name != NULL);
        if (is_good)
            assert_str(parts[0].name, cases[i].name);
        buf_free(&body);
    }
}

#define TEN_B "BBBBBBBBBB"
/* 71, where RFC 2046 allows 70. */
#define LONG_BOUNDARY "multipart/form-data; boundary=B" TEN_B TEN_B TEN_B TEN_B TEN_B TEN_B TEN_B

static void test_broken_uploads_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "B",
        "--B",
        "--B\r\n",
        "--B\r\n\r\nx\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B",
        "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--Bad\r\n",
        "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
        "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",
        "--B\r\nno colon\r\n\r\nx\r\n--B--",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        if (parse(str_of(bad[i]), &err) || err.kind != ERROR_INVALID)
            fail_msg("case %zu was taken", i);
    }
    static const char *const types[] = {
        "multipart/mixed; boundary=B", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", LONG_BOUNDARY};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_false(parse_as(types[i], STR("--B--"), NULL));
}

static void test_parts_without_end_are_limited(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1000000);
    for (int i = 0; i <= REQUEST_PARTS_MAX; i++)
        buf_text(&body, "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n");
    buf_text(&body, "--B--");
    struct error err = ERROR_INIT;
    assert_false(parse(buf_view(&body), &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    buf_free(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_parts_are_found_in_memory_and_in_a_file),
        TEST(test_empty_parts_and_none_are_fine),
        TEST(test_names_are_unescaped_and_repaired),
        TEST(test_broken_uploads_are_refused),
        TEST(test_parts_without_end_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Answers: headers, file names, redirects, problem documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/base/utf8.h"
#include "server/http/response.h"
#include "tests/unit/assert_str.h"

static struct arena *arena;
static struct request req;
static struct response res;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    request_init(&req, arena);
    response_init(&res, arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    response_release(&res);
    arena_free(&arena);
    return 0;
}

static void test_setting_replaces_and_adding_adds(void **state)
{
    (void)state;
    response_set_header(&res, "X-A", STR("1"));
    response_set_header(&res, "x-a", STR("2"));
    assert_int_equal(res.headers.count, 1);
    assert_str(response_header(&res, "X-A"), "2");
    for (int i = 0; i < 100; i++)
        response_add_header(&res, "Set-Cookie", STR("a=b"));
    assert_int_equal(res.headers.count, 101);
    assert_str(res.headers.at[0].value, "2");
    assert_str(res.headers.at[100].value, "a=b");
    assert_int_equal(res.headers.at[100].value.at[3], '\0'); /* libmicrohttpd wants C strings */
    assert_str(response_header(&res, "None"), NULL);
}

static void test_file_names_of_any_bytes_are_safe(void **state)
{
    (void)state;
    static const struct {
        struct str name;
        const char *header;
    } cases[] = {
        {STR("report.pdf"), "attachment; filename=\"report.pdf\""},
        {STR("a b;c=d.txt"), "attachment; filename=\"a b;c=d.txt\""},
        {STR("a\"b\\c/d.txt"), "attachment; filename=\"a_b_c_d.txt\""},
        {STR("../../etc/passwd"), "attachment; filename=\"_._.._etc_passwd\""},
        {STR("a\r\nSet-Cookie: x"), "attachment; filename=\"a__Set-Cookie_ x\""},
        {STR("a\0b"), "attachment; filename=\"a_b\""},
        {STR(""), "attachment; filename=\"unnamed\""},
        {STR("\xc3\xa9.txt"), "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"},
        {STR("invoice\xe2\x80\xaegpj.exe"), "attachment; filename=\"invoice_gpj.exe\""},
        {STR("\xff.txt"), "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt"},
        {STR("50%.txt"), "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        response_set_disposition(&res, true, cases[i].name);
        struct str header = response_header(&res, "Content-Disposition");
        if (!str_equal(header, str_of(cases[i].header)))
            fail_msg("case %zu: %.*s", i, (int)header.length, header.at);
    }
    response_set_disposition(&res, false, STR("x.png"));
    assert_str(response_header(&res, "Content-Disposition"), "inline; filename=\"x.png\"");
}

static void test_a_long_file_name_is_cut_between_characters(void **state)
{
    (void)state;
    char name[30000];
    for (size_t i = 0; i < sizeof name; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    response_set_disposition(&res, true, str_make(name, sizeof name));
    struct str header = response_header(&res, "Content-Disposition");
    assert_true(header.length < 1000);
    assert_true(str_ends(header, STR("%E2%82%AC")));
}

static void test_a_redirect_is_a_303_to_ourselves(void **state)
{
    (void)state;
    response_redirect(&res, STR("/mail?x=1"));
    assert_int_equal(res.status, 303);
    assert_str(response_header(&res, "Location"), "/mail?x=1");
}

static void test_each_kind_of_error_has_a_status(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERROR_KINDS; kind++) {
        int status = http_status_of((enum error_kind)kind);
        assert_true(status >= 400 && status < 600);
        assert_string_not_equal(http_reason(status), "Unknown");
    }
    assert_int_equal(http_status_of(ERROR_AUTH), 401);
    assert_int_equal(http_status_of(ERROR_LIMIT), 413);
    assert_int_equal(http_status_of(ERROR_DATABASE), 503);
}

static void test_a_problem_is_what_rfc_9457_says(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_CONFLICT, "There is a mailbox \"%s\" already.", "\xff<b>");
    error_hint(&err, "choose another name");
    err.retry_after_ms = 1500;
    buf_text(&res.body, "half an answer");
    response_problem(&res, &req, &err);
    assert_int_equal(res.status, 409);
    assert_str(response_header(&res, "Content-Type"), "application/problem+json");
    assert_str(response_header(&res, "Retry-After"), "2");
    json_t *document = json_loadb(res.body.at, res.body.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "type")), "/problems/conflict");
    assert_string_equal(json_string_value(json_object_get(document, "title")), "Conflict");
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 409);
    assert_string_equal(json_string_value(json_object_get(document, "detail")),
                        "There is a mailbox \"\xef\xbf\xbd<b>\" already.");
    assert_string_equal(json_string_value(json_object_get(document, "hint")),
                        "Choose another name.");
    assert_string_equal(json_string_value(json_object_get(document, "instance")), req.id);
    json_decref(document);
}

static void test_a_sentence_has_a_capital_and_an_end(void **state)
{
    (void)state;
    assert_str(response_sentence(arena, STR("there is no such message")),
               "There is no such message.");
    assert_str(response_sentence(arena, STR("Really?")), "Really?");
    assert_str(response_sentence(arena, STR("één")), "één.");
    assert_str(response_sentence(arena, STR_EMPTY), "");
}

static void test_what_failed_inside_is_not_told(void **state)
{
    (void)state;
    static const enum error_kind kinds[] = {ERROR_INTERNAL, ERROR_DATABASE};
    for (size_t i = 0; i < 2; i++) {
        struct error err = ERROR_INIT;
        error_set(&err, kinds[i], "relation \"secret\" does not exist");
        response_problem(&res, &req, &err);
        assert_true(str_find(buf_view(&res.body), STR("secret")) < 0);
    }
}

static void test_a_missing_sign_in_says_how_to(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_AUTH, "Sign in first.");
    response_problem(&res, &req, &err);
    assert_int_equal(res.status, 401);
    assert_str(response_header(&res, "WWW-Authenticate"), "Bearer realm=\"restante\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_setting_replaces_and_adding_adds),
        TEST(test_file_names_of_any_bytes_are_safe),
        TEST(test_a_long_file_name_is_cut_between_characters),
        TEST(test_a_redirect_is_a_303_to_ourselves),
        TEST(test_each_kind_of_error_has_a_status),
        TEST(test_a_problem_is_what_rfc_9457_says),
        TEST(test_a_sentence_has_a_capital_and_an_end),
        TEST(test_what_failed_inside_is_not_told),
        TEST(test_a_missing_sign_in_says_how_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

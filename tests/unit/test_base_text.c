/* buf, str, utf8, encode, json, clock, error: the words everything else is written in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/base/arena.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/error.h"
#include "server/base/json.h"
#include "server/base/seal.h"
#include "server/base/utf8.h"
#include "tests/unit/assert_str.h"

static void test_a_full_buffer_refuses_and_says_so(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4);
    assert_true(buf_text(&b, "abcd"));
    assert_false(buf_char(&b, 'e'));
    assert_true(b.is_full);
    assert_str(buf_view(&b), "abcd");
    buf_reset(&b);
    assert_true(buf_i64(&b, -12));
    assert_str(buf_view(&b), "-12");
    buf_free(&b);
}

static void test_a_number_with_anything_around_it_is_none(void **state)
{
    (void)state;
    uint64_t n = 7;
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_to_u64(str_of(bad[i]), &n));
    assert_int_equal(n, 7);
    assert_true(str_to_u64(STR("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
}

static void test_cutting_visits_each_field_once(void **state)
{
    (void)state;
    struct str rest = STR("a,,b");
    assert_str(str_cut(&rest, ','), "a");
    assert_str(str_cut(&rest, ','), "");
    assert_non_null(rest.at);
    assert_str(str_cut(&rest, ','), "b");
    assert_null(rest.at);
}

static void test_ill_formed_utf8_is_replaced_not_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *repaired;
    } rows[] = {
        {"plain", "plain"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc1\xbe", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xe2\x82", "\xef\xbf\xbd"},                             /* cut short */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = BUF_INIT(100);
        utf8_repair(&b, str_of(rows[i].bytes));
        assert_str(buf_view(&b), rows[i].repaired);
        assert_true(utf8_is_valid(buf_view(&b)));
        buf_free(&b);
    }
    assert_str(utf8_prefix(STR("a\xc3\xa9"), 2), "a");
}

static void test_encodings_come_back_as_they_went(void **state)
{
    (void)state;
    for (size_t length = 0; length < 40; length++) {
        char bytes[40];
        random_bytes(bytes, length);
        struct buf text = BUF_INIT(200), back = BUF_INIT(200);
        encode_base64(&text, str_make(bytes, length));
        assert_true(decode_base64(&back, buf_view(&text)));
        assert_true(str_equal(buf_view(&back), str_make(bytes, length)));
        buf_reset(&text);
        buf_reset(&back);
        encode_base64url(&text, str_make(bytes, length));
        assert_true(decode_base64url(&back, buf_view(&text)));
        assert_true(str_equal(buf_view(&back), str_make(bytes, length)));
        buf_reset(&text);
        buf_reset(&back);
        encode_percent(&text, str_make(bytes, length));
        assert_true(decode_percent(&back, buf_view(&text), true));
        assert_true(str_equal(buf_view(&back), str_make(bytes, length)));
        buf_free(&text);
        buf_free(&back);
    }
}

static void test_broken_encodings_are_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    static const char *const bad[] = {"A", "AA", "AAA", "AB==", "A===", "AA=A", "A A="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decode_base64(&b, str_of(bad[i])));
    assert_false(decode_hex(&b, STR("0g")));
    assert_false(decode_percent(&b, STR("%4"), false));
    assert_false(decode_percent(&b, STR("%"), false));
    assert_false(decode_percent(&b, STR("%zz"), false));
    buf_free(&b);
}

static void test_json_strings_cannot_be_broken_out_of(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(200);
    struct json j = JSON_INIT(&b);
    json_write_object(&j);
    json_write_name(&j, "a");
    json_write_str(&j, STR("\"\\\n\x01</script>\xff"));
    json_write_name(&j, "b");
    json_write_array(&j);
    json_write_i64(&j, -1);
    json_write_null(&j);
    json_write_bool(&j, true);
    json_write_array_end(&j);
    json_write_object_end(&j);
    assert_str(buf_view(&b),
               "{\"a\":\"\\\"\\\\\\n\\u0001</script>\xef\xbf\xbd\",\"b\":[-1,null,true]}");
    buf_free(&b);
}

static void test_dates_with_offsets_and_fractions_are_read(void **state)
{
    (void)state;
    int64_t at;
    char text[CLOCK_TEXT_BYTES];
    assert_true(clock_parse_rfc3339(STR("2026-11-24T05:07:36.25+01:00"), &at));
    assert_str(clock_format_utc(at, text), "2026-11-24T04:07:36Z");
    assert_int_equal(at % 1000000, 250000);
    assert_true(clock_parse_rfc3339(STR("1969-12-31T23:59:59Z"), &at));
    assert_str(clock_format_utc(at, text), "1969-12-31T23:59:59Z");
    assert_false(clock_parse_rfc3339(STR("2026-11-24"), &at));
    assert_false(clock_parse_rfc3339(STR("2026-13-24T05:07:36Z"), &at));
}

static void test_an_error_keeps_its_cause_behind_the_context(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_false(error_set(&err, ERROR_TIMEOUT, "no answer in %d s", 30));
    assert_false(error_wrap(&err, "select %s", "INBOX"));
    assert_string_equal(err.message, "select INBOX: no answer in 30 s");
    assert_int_equal(err.retry, ERROR_RETRY_LATER);
    for (int i = 0; i < 200; i++)
        error_wrap(&err, "context");
    assert_true(strlen(err.message) < sizeof err.message);
}

/* What servers say may be Latin-1, and long texts are cut in the middle of a character. */
static void test_an_error_is_valid_utf8_whatever_it_quotes(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_REFUSED, "The mail server says: %s", "550 Empf\xe4nger unbekannt");
    assert_string_equal(err.message, "The mail server says: 550 Empf\xef\xbf\xbdnger unbekannt");
    error_hint(&err, "%s", "\xff");
    assert_string_equal(err.hint, "\xef\xbf\xbd");
    for (size_t shift = 0; shift < 3; shift++) {
        char text[2 * sizeof err.message] = "";
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        error_set(&err, ERROR_REFUSED, "%s", text);
        assert_true(utf8_is_valid(str_of(err.message)));
        error_wrap(&err, "while sending \xe2\x82\xac");
        assert_true(utf8_is_valid(str_of(err.message)));
        assert_true(strlen(err.message) > sizeof err.message - 8);
    }
}

static void test_an_arena_keeps_large_and_small_pieces_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    char *small = arena_text(arena, STR("small"));
    char *large = arena_alloc(arena, 1000000);
    large[999999] = 'x';
    assert_string_equal(arena_text(arena, STR("again")), "again");
    assert_string_equal(small, "small");
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    arena_free(&arena);
    assert_null(arena);
}

static void test_a_sealed_secret_opens_only_for_its_owner(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct seal_key_pair pair, other;
    struct secret secret = {0};
    struct buf sealed = BUF_INIT(1000);
    seal_generate(&pair);
    seal_generate(&other);
    seal_secret(&pair.public, STR("account:17"), STR("hunter2"), &sealed);
    assert_int_equal(str_find(buf_view(&sealed), STR("hunter2")), -1);
    assert_true(seal_open(&pair, STR("account:17"), buf_view(&sealed), &secret, &err));
    assert_str(secret_reveal(&secret), "hunter2");
    secret_free(&secret);
    assert_false(seal_open(&pair, STR("account:18"), buf_view(&sealed), &secret, &err));
    assert_false(seal_open(&other, STR("account:17"), buf_view(&sealed), &secret, &err));
    sealed.at[20] ^= 1;
    assert_false(seal_open(&pair, STR("account:17"), buf_view(&sealed), &secret, &err));
    buf_free(&sealed);
}

static void test_a_password_matches_its_hash_alone(void **state)
{
    (void)state;
    struct buf hash = BUF_INIT(200);
    struct error err = ERROR_INIT;
    assert_true(password_hash(STR("correct horse"), &hash, &err));
    assert_true(password_verify(STR("correct horse"), buf_view(&hash)));
    assert_false(password_verify(STR("correct horsf"), buf_view(&hash)));
    assert_false(password_verify(STR("correct horse"), password_dummy_hash()));
    buf_free(&hash);
}

int main(void)
{
    struct error err = ERROR_INIT;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_buffer_refuses_and_says_so),
        cmocka_unit_test(test_a_number_with_anything_around_it_is_none),
        cmocka_unit_test(test_cutting_visits_each_field_once),
        cmocka_unit_test(test_ill_formed_utf8_is_replaced_not_dropped),
        cmocka_unit_test(test_encodings_come_back_as_they_went),
        cmocka_unit_test(test_broken_encodings_are_refused),
        cmocka_unit_test(test_json_strings_cannot_be_broken_out_of),
        cmocka_unit_test(test_dates_with_offsets_and_fractions_are_read),
        cmocka_unit_test(test_an_error_keeps_its_cause_behind_the_context),
        cmocka_unit_test(test_an_error_is_valid_utf8_whatever_it_quotes),
        cmocka_unit_test(test_an_arena_keeps_large_and_small_pieces_apart),
        cmocka_unit_test(test_a_sealed_secret_opens_only_for_its_owner),
        cmocka_unit_test(test_a_password_matches_its_hash_alone),
    };
    if (!seal_init(&err))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

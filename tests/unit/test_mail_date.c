/* Dates as the standard writes them, and as they are found. */
#include "server/base/clock.h"
#include "server/mail/date.h"
#include "tests/unit/mail_fixture.h"

static void test_dates_are_read(void **state)
{
    static const char *const rows[][2] = {
        {"Tue, 24 Nov 2026 10:00:00 +0100", "2026-11-24T09:00:00Z"},
        {"24 Nov 2026 10:00 GMT", "2026-11-24T10:00:00Z"},
        {"Tue, 24 Nov 26 10:00:00 EST", "2026-11-24T15:00:00Z"},
        {"Tue, 24 Nov 98 10:00:00 -0000", "1998-11-24T10:00:00Z"},
        {"Tue,24 Nov 2026 10:00:00 +0100 (CET (nested))", "2026-11-24T09:00:00Z"},
        {"Tue, 24 Nov 2026 10:00:00", "2026-11-24T10:00:00Z"},
        {"Tue Nov 24 10:00:00 2026", "2026-11-24T10:00:00Z"},
        {"2026-11-24T10:00:00+05:30", "2026-11-24T04:30:00Z"},
        {"2026-11-24 10:00:00.123Z", "2026-11-24T10:00:00Z"},
        {"24.11.2026 10:05", "2026-11-24T10:05:00Z"},
        {"11/24/2026 10:05 PM", "2026-11-24T22:05:00Z"},
        {"24 November 2026 12:00 AM", "2026-11-24T00:00:00Z"},
        {"Di, 24 Dez 2026 10:00:00 MEZ", "2026-12-24T09:00:00Z"},
        {"29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00Z"},
        {"31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00Z"},
        {"1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z"},
        {"Tue, 24 Nov 2026 10:00:00 +9999", "2026-11-24T10:00:00Z"},
        {"  24\r\n Nov 2026\t10:00 +0000", "2026-11-24T10:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t at;
        char text[CLOCK_TEXT_BYTES];
        if (!date_parse(str_of(rows[i][0]), &at, NULL))
            fail_msg("not read: %s", rows[i][0]);
        assert_str_of(rows[i][0], clock_format_utc(at, text), rows[i][1]);
    }
}

static void test_what_is_no_date_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "yesterday",
        "10:00:00",
        "Nov 2026",
        "32 Nov 2026 10:00",
        "30 Feb 2026 10:00",
        "24 Foo 2026 10:00",
        "24 Nov",
        "24 Nov 12345 10:00",
        "99999999999999999999",
        "24 Nov 1066 10:00",
        "(24 Nov 2026 10:00)",
        "+0100",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t at = 42;
        if (date_parse(str_of(rows[i]), &at, NULL))
            fail_msg("read as a date: %s", rows[i]);
        assert_int_equal(at, 42);
    }
}

static void test_the_offset_is_told_and_received_has_its_date_at_the_end(void **state)
{
    (void)state;
    int64_t at, received;
    int offset = 0;
    assert_true(date_parse(STR("24 Nov 2026 10:00 -0330"), &at, &offset));
    assert_int_equal(offset, -210);
    assert_true(date_parse_received(STR("from a; (b) by c; 24 Nov 2026 10:00 -0330"), &received));
    assert_int_equal(received, at);
    assert_false(date_parse_received(STR("24 Nov 2026 10:00 -0330"), &received));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_read),
        cmocka_unit_test(test_what_is_no_date_is_refused),
        cmocka_unit_test(test_the_offset_is_told_and_received_has_its_date_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

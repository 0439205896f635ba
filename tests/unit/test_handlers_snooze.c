/* When a snoozed message comes back: what forms say, in the person's zone. */
#include "handlers/html/snooze.h"
#include "handlers/zone.h"
#include "tests/unit/moments_fixture.h"

static int64_t until(struct arena *arena, const char *now, const char *choice, const char *own,
                     const char *zone)
{
    struct http_field fields[] = {
        {STR("until"), str_of(choice)}, {STR("at"), str_of(own)}, {STR("zone"), str_of(zone)}};
    return snooze_until(arena, &(struct http_fields){.at = fields, .count = 3}, at(now));
}

/* 2026-11-25 is a Wednesday. */
static void test_choices_are_mornings_where_the_person_is(void **state)
{
    const char *now = "2026-11-25T12:34:56Z", *berlin = "Europe/Berlin";
    assert_int_equal(until(*state, now, "today", "", berlin), at("2026-11-25T15:00:00Z"));
    assert_int_equal(until(*state, now, "tomorrow", "", berlin), at("2026-11-26T07:00:00Z"));
    assert_int_equal(until(*state, now, "weekend", "", berlin), at("2026-11-28T07:00:00Z"));
    assert_int_equal(until(*state, now, "week", "", berlin), at("2026-11-30T07:00:00Z"));
    /* in Tokyo it is the 26th already when it is 16:00 UTC */
    assert_int_equal(until(*state, "2026-11-25T16:00:00Z", "tomorrow", "", "Asia/Tokyo"),
                     at("2026-11-26T23:00:00Z"));
    /* on a Saturday and a Monday the next one is meant */
    assert_int_equal(until(*state, "2026-11-28T05:00:00Z", "weekend", "", ""),
                     at("2026-12-05T08:00:00Z"));
    assert_int_equal(until(*state, "2026-11-30T05:00:00Z", "week", "", ""),
                     at("2026-12-07T08:00:00Z"));
}

static void test_a_time_of_ones_own_lies_ahead(void **state)
{
    const char *now = "2026-11-25T12:00:00Z", *york = "America/New_York";
    assert_int_equal(until(*state, now, "own", "2026-11-27T08:00", york),
                     at("2026-11-27T13:00:00Z"));
    assert_int_equal(until(*state, now, "own", "2026-11-25T07:00", york), 0); /* that is now */
    assert_int_equal(until(*state, now, "own", "2027-04-01T08:00", york),
                     at("2027-04-01T12:00:00Z")); /* in summer time by then */
    assert_int_equal(until(*state, now, "own", "2040-01-01T00:00", york), 0);
    assert_int_equal(until(*state, now, "own", "soon", york), 0);
    assert_int_equal(until(*state, now, "own", "", york), 0);
    assert_int_equal(until(*state, now, "never", "", york), 0);
}

static void test_a_zone_nobody_knows_is_the_servers(void **state)
{
    const char *now = "2026-11-25T12:00:00Z";
    static const char *const odd[] = {
        "",
        "Mars/Olympus",
        "GMT+99:99",
        "\xff\xfe",
        "../zoneinfo/Asia/Tokyo",
        "Europe/../Asia/Tokyo",
        "/usr/share/zoneinfo/Asia/Tokyo",
        "<A>-9",
        "Europe/Berlin/And/On/And/On/And/On/And/On/And/On/And/On/And"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(until(*state, now, "tomorrow", "", odd[i]), at("2026-11-26T08:00:00Z"));
}

static void test_days_beyond_a_month_count_on(void **state)
{
    (void)state;
    struct tm clock;
    zone_clock(STR("Europe/Berlin"), at("2026-12-31T23:30:00Z"), &clock);
    assert_int_equal(clock.tm_year, 127);
    assert_int_equal(clock.tm_mday, 1);
    assert_int_equal(clock.tm_wday, 5);
    clock.tm_mday += 31;
    clock.tm_hour = 8;
    clock.tm_min = 0;
    assert_int_equal(zone_moment(STR("Europe/Berlin"), &clock), at("2027-02-01T07:00:00Z"));
}

/* In Berlin clocks leap from 2 to 3 on 2026-03-29, and go back from 3 to 2 on 2026-10-25. */
static void test_mornings_are_at_eight_on_the_days_when_clocks_change(void **state)
{
    const char *berlin = "Europe/Berlin";
    assert_int_equal(until(*state, "2026-03-28T12:00:00Z", "tomorrow", "", berlin),
                     at("2026-03-29T06:00:00Z"));
    assert_int_equal(until(*state, "2026-10-24T12:00:00Z", "tomorrow", "", berlin),
                     at("2026-10-25T07:00:00Z"));
    /* a time that no clock shows is one a moment later; one shown twice is either */
    assert_in_range(until(*state, "2026-03-28T12:00:00Z", "own", "2026-03-29T02:30", berlin),
                    at("2026-03-29T01:00:00Z"), at("2026-03-29T01:30:00Z"));
    int64_t twice = until(*state, "2026-10-24T12:00:00Z", "own", "2026-10-25T02:30", berlin);
    assert_true(twice == at("2026-10-25T00:30:00Z") || twice == at("2026-10-25T01:30:00Z"));
}

/* Mexico gave summer time up in October 2022, Egypt has it again since 2023: libraries that bring
 * tables of their own may not have heard of it. */
static void test_zones_are_those_of_the_system(void **state)
{
    assert_int_equal(until(*state, "2026-07-14T12:00:00Z", "tomorrow", "", "America/Mexico_City"),
                     at("2026-07-15T14:00:00Z"));
    assert_int_equal(until(*state, "2026-07-14T12:00:00Z", "tomorrow", "", "Africa/Cairo"),
                     at("2026-07-15T05:00:00Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_choices_are_mornings_where_the_person_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_time_of_ones_own_lies_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_zone_nobody_knows_is_the_servers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mornings_are_at_eight_on_the_days_when_clocks_change,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zones_are_those_of_the_system, set_up, tear_down),
        cmocka_unit_test(test_days_beyond_a_month_count_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

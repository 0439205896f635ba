/* Moments, numbers and people in people's words. */
#include "handlers/html/words.h"
#include "tests/unit/moments_fixture.h"

static void test_a_moment_is_told_as_shortly_as_its_age_allows(void **state)
{
    int64_t now = at("2026-11-25T12:00:00Z");
    assert_str(words_when(*state, at("2026-11-25T00:05:00Z"), now), "00:05");
    assert_str(words_when(*state, at("2026-11-24T23:59:00Z"), now), "Yesterday");
    assert_str(words_when(*state, at("2026-11-19T08:00:00Z"), now), "Thu");
    assert_str(words_when(*state, at("2026-11-18T08:00:00Z"), now), "18 Nov");
    assert_str(words_when(*state, at("2025-11-25T08:00:00Z"), now), "25 Nov 2025");
    assert_str(words_when(*state, at("2026-11-26T08:00:00Z"), now), "26 Nov");
    assert_str(words_when(*state, 0, now), "");
    assert_str(words_moment(*state, at("2026-11-25T09:07:00Z"), now), "09:07");
    assert_str(words_moment(*state, at("2026-11-24T09:07:00Z"), now), "24 November, 09:07");
    assert_str(words_when_long(*state, now), "Wednesday, 25 November 2026, 12:00");
}

static void test_how_an_account_is_can_be_understood(void **state)
{
    int64_t now = at("2026-11-25T12:00:00Z"), nine = at("2026-11-25T09:07:00Z");
    const struct {
        struct account account;
        const char *words;
    } rows[] = {
        {{.sync_state = SYNC_NEW}, "Getting ready"},
        {{.sync_state = SYNC_SYNCING}, "Syncing"},
        {{.sync_state = SYNC_SYNCING, .sync_done = 1200, .sync_total = 100000},
         "Syncing 1,200 of 100,000"},
        {{.sync_state = SYNC_SYNCING, .sync_done = 20, .sync_total = 20}, "Syncing"},
        {{.sync_state = SYNC_CURRENT, .sync_since = nine, .synced_at = now},
         "Up to date since 09:07"},
        {{.sync_state = SYNC_CURRENT, .sync_since = at("2026-11-03T09:07:00Z"), .synced_at = now},
         "Up to date since 3 November, 09:07"},
        {{.sync_state = SYNC_CURRENT, .sync_since = nine, .synced_at = nine, .poll_seconds = 7200},
         "Up to date since 09:07"},
        {{.sync_state = SYNC_CURRENT, .sync_since = 1, .synced_at = nine, .poll_seconds = 300},
         "Not looked at since 09:07"},
        {{.sync_state = SYNC_UNREACHABLE, .sync_since = nine, .next_sync_at = now + 300000000},
         "Server unreachable since 09:07; tried again at 12:05"},
        {{.sync_state = SYNC_UNREACHABLE, .sync_since = nine, .next_sync_at = now - 1},
         "Server unreachable since 09:07; being tried again"},
        {{.sync_state = SYNC_REFUSED}, "Stopped: it needs your help"},
        {{.sync_state = SYNC_PAUSED}, "Paused"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_str(words_status(*state, &rows[i].account, now), rows[i].words);
}

static void test_numbers_and_sizes_are_easy_to_read(void **state)
{
    assert_str(words_count(*state, 0), "0");
    assert_str(words_count(*state, 999), "999");
    assert_str(words_count(*state, 12345), "12,345");
    assert_str(words_count(*state, -1234567), "-1,234,567");
    assert_str(words_size(*state, 1), "1 byte");
    assert_str(words_size(*state, 27400), "27 kB");
    assert_str(words_size(*state, 1440000), "1.4 MB");
    assert_str(words_size(*state, 25600000), "26 MB");
    assert_str(words_size(*state, 999999), "1.0 MB");
}

static struct person first_of(struct arena *arena, const char *json)
{
    struct person *people;
    size_t count;
    people_read(arena, str_of(json), &people, &count);
    assert_int_equal(count, 1);
    return people[0];
}

static void test_a_name_that_looks_like_another_address_is_not_shown(void **state)
{
    struct person person =
        first_of(*state, "[{\"name\": \"boss@bank.example\", \"email\": \"thief@evil.example\"}]");
    assert_str(person.name, "thief@evil.example");
    assert_false(person.has_name);
    person = first_of(*state, "[{\"name\": \"Ada\", \"email\": \"ada@example.org\"}]");
    assert_str(person.name, "Ada");
    assert_str(person.email, "ada@example.org");
    person = first_of(*state, "[{\"name\": null, \"email\": \"ada@example.org\"}]");
    assert_str(person.name, "ada@example.org");
}

static void test_people_are_summed_up(void **state)
{
    struct person *people;
    size_t count;
    people_read(*state,
                STR("[{\"name\":\"Ada\",\"email\":\"a@x\"},{\"name\":\"\",\"email\":\"\"},"
                    "{\"name\":null,\"email\":\"b@x\"},{\"email\":\"c@x\"}]"),
                &people, &count);
    assert_int_equal(count, 3);
    assert_str(people_summary(*state, people, 3), "Ada, b@x and 1 more");
    assert_str(people_summary(*state, people, 2), "Ada, b@x");
    assert_str(people_summary(*state, people, 0), "");
    people_read(*state, STR("not json"), &people, &count);
    assert_int_equal(count, 0);
    people_read(*state, STR_EMPTY, &people, &count);
    assert_int_equal(count, 0);
}

static void test_initials_are_of_first_and_last_name(void **state)
{
    struct person person = {.name = STR("ada lovelace"), .has_name = true};
    assert_str(person_initials(*state, &person), "AL");
    person.name = STR("Ada King von Lovelace");
    assert_str(person_initials(*state, &person), "AL");
    person.name = STR("\"Ada\"");
    assert_str(person_initials(*state, &person), "A");
    person.name = STR("\xc3\x89mile Zola");
    assert_str(person_initials(*state, &person), "\xc3\x89Z");
    person = (struct person){.name = STR("ada@example.org")};
    assert_str(person_initials(*state, &person), "A");
    person.name = STR_EMPTY;
    assert_str(person_initials(*state, &person), "?");
}

static void test_the_colour_stays_with_the_address(void **state)
{
    (void)state;
    struct person a = {.name = STR("Ada"), .email = STR("ada@example.org")};
    struct person b = {.name = STR("Countess"), .email = STR("ADA@example.org")};
    assert_int_equal(person_hue(&a), person_hue(&b));
    assert_in_range(person_hue(&a), 0, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_moment_is_told_as_shortly_as_its_age_allows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_how_an_account_is_can_be_understood, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_and_sizes_are_easy_to_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_that_looks_like_another_address_is_not_shown,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_people_are_summed_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_initials_are_of_first_and_last_name, set_up,
                                        tear_down),
        cmocka_unit_test(test_the_colour_stays_with_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

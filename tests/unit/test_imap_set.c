/* Sets of UIDs, in any order and any size, and mailbox names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/imap/mailbox_name.h"
#include "server/imap/set.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_set(struct imap_set *set, const char *text)
{
    struct buf out = BUF_INIT(10000);
    imap_set_write(set, &out);
    assert_string_equal(out.at ? out.at : "", text);
    buf_free(&out);
}

static struct imap_set parsed(const char *text)
{
    struct imap_set set;
    if (!imap_set_parse(str_of(text), arena, &set))
        fail_msg("%s was not read", text);
    return set;
}

static void test_what_servers_send_is_put_into_order(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1", "1"},
        {"1:3,5", "1:3,5"},
        {"5,1:3", "1:3,5"},
        {"3:1", "1:3"},
        {"1,2,3,3,2", "1:3"},
        {"9,7,5,7:8,1:2", "1:2,5,7:9"},
        {"0", ""},
        {"0:2,4294967295", "1:2,4294967295"},
        {"1:4294967295,5", "1:4294967295"},
        {"4294967295,4294967294", "4294967294:4294967295"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct imap_set set = parsed(rows[i][0]);
        assert_set(&set, rows[i][1]);
    }
}

static void test_what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", ",", "1,", "a", "1:", ":1", "*", "1:*", "4294967296", "-1"};
    struct imap_set set;
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (imap_set_parse(str_of(wrong[i]), arena, &set))
            fail_msg("\"%s\" was read", wrong[i]);
}

static void test_sets_are_added_and_taken_apart(void **state)
{
    (void)state;
    struct imap_set set = parsed("1:10,20"), other = parsed("3:4,9:15,30"), taken = {0};
    assert_int_equal(imap_set_size(&set), 11);
    assert_true(imap_set_has(&set, 10) && !imap_set_has(&set, 11) && imap_set_has(&set, 20));
    imap_set_add(&set, 11);
    imap_set_remove_set(&set, &other);
    assert_set(&set, "1:2,5:8,20");
    imap_set_take_highest(&set, 3, &taken);
    assert_set(&taken, "7:8,20");
    assert_set(&set, "1:2,5:6");
    imap_set_take_lowest(&set, 3, &taken);
    assert_set(&taken, "1:2,5");
    assert_set(&set, "6");
    imap_set_take_lowest(&set, 10, &taken);
    assert_true(imap_set_is_empty(&set));
    assert_int_equal(imap_set_lowest(&set), 0);
    imap_set_free(&set);
    imap_set_free(&taken);
    set = parsed("1:100");
    imap_set_clip(&set, 20, 30);
    imap_set_remove_range(&set, 25, 25);
    assert_set(&set, "20:24,26:30");
    imap_set_free(&set);
}

static void test_a_set_is_cut_to_the_length_of_a_line(void **state)
{
    (void)state;
    struct imap_set set = {0}, piece = {0}, whole = {0};
    for (uint32_t uid = 1; uid < 20000; uid += 2)
        imap_set_add(&set, uid);
    while (set.count) {
        struct buf out = BUF_INIT(10000);
        imap_set_take_text(&set, 800, &piece);
        imap_set_write(&piece, &out);
        assert_true(out.length <= 800);
        imap_set_add_set(&whole, &piece);
        buf_free(&out);
    }
    assert_int_equal(imap_set_size(&whole), 10000);
    imap_set_free(&set);
    imap_set_free(&piece);
    imap_set_free(&whole);
}

static void test_random_changes_agree_with_an_array(void **state)
{
    (void)state;
    enum { MOST = 200 };
    bool model[MOST + 1] = {false};
    struct imap_set set = {0};
    srand(7);
    for (int round = 0; round < 5000; round++) {
        uint32_t low = 1 + (uint32_t)rand() % MOST, high = low + (uint32_t)rand() % 8;
        if (high > MOST)
            high = MOST;
        bool adds = rand() % 2;
        if (adds)
            imap_set_add_range(&set, low, high);
        else
            imap_set_remove_range(&set, low, high);
        for (uint32_t n = low; n <= high; n++)
            model[n] = adds;
        uint32_t probe = 1 + (uint32_t)rand() % MOST;
        if (round % 3 == 0)
            assert_int_equal(imap_set_has(&set, probe), model[probe]);
    }
    uint64_t size = 0;
    for (uint32_t n = 1; n <= MOST; n++) {
        assert_int_equal(imap_set_has(&set, n), model[n]);
        size += model[n];
    }
    assert_int_equal(imap_set_size(&set), size);
    imap_set_free(&set);
}

static void test_a_hostile_set_costs_no_more_than_its_text(void **state)
{
    (void)state;
    struct imap_set all = parsed("1:4294967295");
    size_t count;
    assert_int_equal(imap_set_size(&all), UINT32_MAX);
    imap_set_numbers(&all, arena, 1000, &count);
    assert_int_equal(count, 1000);
    uint32_t *numbers;
    assert_false(imap_set_parse_ordered(STR("1:4294967295"), arena, 1000, &numbers, &count));
    struct imap_set set = {0};
    for (uint32_t n = 1000000; n > 1; n -= 2) /* descending, never adjacent */
        imap_set_add(&set, n);
    assert_int_equal(imap_set_size(&set), 500000);
    imap_set_free(&set);
}

static void test_pairs_keep_their_order(void **state)
{
    (void)state;
    uint32_t *numbers;
    size_t count;
    assert_true(imap_set_parse_ordered(STR("9,1:3,7:6"), arena, 100, &numbers, &count));
    static const uint32_t wanted[] = {9, 1, 2, 3, 6, 7};
    assert_int_equal(count, COUNT(wanted));
    assert_memory_equal(numbers, wanted, sizeof wanted);
}

static void test_names_travel_as_modified_utf_7(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"INBOX", "INBOX"},
        {"A & B", "A &- B"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"\xf0\x9f\x93\xac!", "&2D3c7A-!"},
        {"\xc3\xa4\xc3\xb6", "&AOQA9g-"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(
            str_equal(imap_mailbox_encode(arena, str_of(rows[i][0]), false), str_of(rows[i][1])));
        assert_true(
            str_equal(imap_mailbox_decode(arena, str_of(rows[i][1]), false), str_of(rows[i][0])));
    }
    assert_true(str_equal(imap_mailbox_encode(arena, STR("\xc3\xa4"), true), STR("\xc3\xa4")));
}

static void test_names_that_are_not_modified_utf_7_are_shown_as_they_are(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"R&D", "R&D"},           {"&", "&"},
        {"&AOQ", "&AOQ"},         {"&AO-", "&AO-"},
        {"&2D0-", "&2D0-"},       {"&AAA-", "&AAA-"},
        {"\xc3\xa4", "\xc3\xa4"}, {"\xff", "\xef\xbf\xbd"},
        {"&!!!!-", "&!!!!-"},     {"../..", "../.."},
        {"`id`", "`id`"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(
            str_equal(imap_mailbox_decode(arena, str_of(rows[i][0]), false), str_of(rows[i][1])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_servers_send_is_put_into_order),
        cmocka_unit_test(test_what_is_no_set_is_refused),
        cmocka_unit_test(test_sets_are_added_and_taken_apart),
        cmocka_unit_test(test_a_set_is_cut_to_the_length_of_a_line),
        cmocka_unit_test(test_random_changes_agree_with_an_array),
        cmocka_unit_test(test_a_hostile_set_costs_no_more_than_its_text),
        cmocka_unit_test(test_pairs_keep_their_order),
        cmocka_unit_test(test_names_travel_as_modified_utf_7),
        cmocka_unit_test(test_names_that_are_not_modified_utf_7_are_shown_as_they_are),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

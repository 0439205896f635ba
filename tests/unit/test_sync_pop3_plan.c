/* What becomes of each message of a maildrop: what was met before and what is listed now, in
 * tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/sync/pop3_fingerprint.h"
#include "server/sync/pop3_plan.h"

#define DAY_US INT64_C(86400000000)
#define NOW (INT64_C(20000) * DAY_US)

enum { ROWS = 6 };

/* What was met before. */
struct known {
    const char *uidl;
    int64_t size_bytes;
    enum pop3_uidl_state state;
    int days; /* ago it came */
    bool is_deleted;
    int absent_days; /* 0: was listed */
    int occurrence;
};
/* `told`: the fates in the listed order, then the rows forgotten (f), absent (a) and present again
 * (p) by their number. */
struct row {
    const char *name;
    enum pop3_policy policy;
    struct known known[ROWS];
    struct {
        const char *uidl;
        int64_t size_bytes;
    } listed[ROWS];
    const char *told;
    int64_t max_bytes;
    int expire_days; /* 0: not told; else that many + 1 */
    bool has_no_top;
};

static const char *const fates[] = {
    [POP3_KEEP] = "keep", [POP3_FETCH] = "fetch",   [POP3_PREVIEW] = "preview",
    [POP3_REST] = "rest", [POP3_VERIFY] = "verify", [POP3_DELETE] = "delete",
};

static size_t gather(struct arena *arena, const struct row *row, struct pop3_uidl *known,
                     struct pop3_listed *listed, size_t *listed_count)
{
    size_t count = 0;
    *listed_count = 0;
    for (; count < ROWS && row->known[count].uidl; count++) {
        const struct known *k = &row->known[count];
        known[count] = (struct pop3_uidl){
            .uidl = str_of(k->uidl),
            .occurrence = k->occurrence,
            .email_id = k->is_deleted ? 0 : (int64_t)count + 1,
            .size_bytes = k->size_bytes,
            .fingerprint = arena_printf(arena, "fingerprint %zu", count),
            .state = k->state,
            .received_at = NOW - k->days * DAY_US,
            .absent_since = k->absent_days ? NOW - k->absent_days * DAY_US : 0,
        };
    }
    for (; *listed_count < ROWS && row->listed[*listed_count].uidl; (*listed_count)++)
        listed[*listed_count] =
            (struct pop3_listed){.number = (uint32_t)*listed_count + 1,
                                 .size_bytes = row->listed[*listed_count].size_bytes,
                                 .key = str_of(row->listed[*listed_count].uidl)};
    return count;
}

static void tell_rows(struct buf *told, char kind, const size_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(told, " %c%zu", kind, rows[i]);
}

static void plan(struct arena *arena, const struct row *row, struct pop3_plan *made)
{
    struct pop3_uidl *known = ARENA_ARRAY(arena, ROWS, struct pop3_uidl);
    struct pop3_listed *listed = ARENA_ARRAY(arena, ROWS, struct pop3_listed);
    size_t listed_count;
    size_t count = gather(arena, row, known, listed, &listed_count);
    struct pop3_rules rules = {.policy = row->policy,
                               .days = 14,
                               .max_bytes = row->max_bytes,
                               .expire_days = row->expire_days - 1,
                               .has_top = !row->has_no_top,
                               .now_us = NOW};
    pop3_plan_make(arena, listed, listed_count, known, count, &rules, made);
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena = arena_new();
        struct buf told = BUF_INIT(1000);
        struct pop3_plan made;
        plan(arena, &rows[i], &made);
        for (size_t k = 0; k < made.count; k++)
            buf_printf(&told, "%s%s%s", k ? " " : "", fates[made.at[k].fate],
                       made.at[k].is_doubtful && made.at[k].fate == POP3_FETCH ? "?" : "");
        tell_rows(&told, 'f', made.forget, made.forget_count);
        tell_rows(&told, 'a', made.absent, made.absent_count);
        tell_rows(&told, 'p', made.present, made.present_count);
        if (!str_equal(str_trim(buf_view(&told)), str_of(rows[i].told)))
            fail_msg("%s: \"%" STR_FMT "\" rather than \"%s\"", rows[i].name,
                     STR_ARG(buf_view(&told)), rows[i].told);
        buf_free(&told);
        arena_free(&arena);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof *(rows))

static void test_the_policy_decides_what_is_removed(void **state)
{
    static const struct row rows[] = {
        {"nothing is known",
         POP3_REMOVE,
         {{0}},
         {{"a", 10}, {"b", 20}},
         "fetch fetch",
         0,
         0,
         false},
        {"what is here goes",
         POP3_REMOVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{"a", 10}, {"b", 20}},
         "delete fetch",
         0,
         0,
         false},
        {"leave",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 100, false, 0, 0}, {"b", 20, POP3_UIDL_HERE, 1, true, 0, 0}},
         {{"a", 10}, {"b", 20}},
         "keep keep",
         0,
         0,
         false},
        {"days count from our receipt",
         POP3_REMOVE_AFTER,
         {{"a", 10, POP3_UIDL_HERE, 13, false, 0, 0}, {"b", 20, POP3_UIDL_HERE, 14, false, 0, 0}},
         {{"a", 10}, {"b", 20}},
         "keep delete",
         0,
         0,
         false},
        {"only what was deleted here",
         POP3_REMOVE_DELETED,
         {{"a", 10, POP3_UIDL_HERE, 90, false, 0, 0}, {"b", 20, POP3_UIDL_HERE, 1, true, 0, 0}},
         {{"a", 10}, {"b", 20}},
         "keep delete",
         0,
         0,
         false},
    };
    (void)state;
    CHECK(rows);
}

static void test_large_messages_are_only_begun(void **state)
{
    static const struct row rows[] = {
        {"a preview", POP3_REMOVE, {{0}}, {{"a", 101}, {"b", 100}}, "preview fetch", 100, 0, false},
        {"is never removed before the rest is here",
         POP3_REMOVE,
         {{"a", 101, POP3_UIDL_PARTIAL, 50, false, 0, 0}},
         {{"a", 101}},
         "keep",
         100,
         0,
         false},
        {"larger than is taken at all",
         POP3_LEAVE,
         {{"b", 300 << 20, POP3_UIDL_OVERSIZED, 50, false, 0, 0}},
         {{"a", 300 << 20}, {"b", 300 << 20}},
         "preview keep",
         0,
         31,
         false},
        {"and deleted here",
         POP3_REMOVE_DELETED,
         {{"a", 101, POP3_UIDL_OVERSIZED, 50, true, 0, 0},
          {"b", 101, POP3_UIDL_OVERSIZED, 50, false, 0, 0}},
         {{"a", 101}, {"b", 101}},
         "delete keep",
         0,
         0,
         false},
        {"without end, it stays whatever is wanted gone",
         POP3_REMOVE,
         {{"a", 101, POP3_UIDL_OVERSIZED, 50, false, 0, 0}},
         {{"a", 101}},
         "keep",
         0,
         0,
         false},
        {"until the limit is raised",
         POP3_REMOVE,
         {{"a", 101, POP3_UIDL_PARTIAL, 50, false, 0, 0}},
         {{"a", 101}},
         "rest",
         200,
         0,
         false},
        {"or it was deleted here",
         POP3_REMOVE,
         {{"a", 101, POP3_UIDL_PARTIAL, 1, true, 0, 0}},
         {{"a", 101}},
         "delete",
         100,
         0,
         false},
        {"or the server is about to throw it away",
         POP3_LEAVE,
         {{"a", 101, POP3_UIDL_PARTIAL, 29, false, 0, 0},
          {"b", 101, POP3_UIDL_PARTIAL, 28, false, 0, 0}},
         {{"a", 101}, {"b", 101}, {"c", 101}},
         "rest keep preview",
         100,
         31,
         false},
        {"which may be at once", POP3_LEAVE, {{0}}, {{"c", 101}}, "fetch", 100, 1, false},
    };
    (void)state;
    CHECK(rows);
}

static void test_what_is_gone_upstream_is_confirmed_or_kept_in_mind(void **state)
{
    static const struct row rows[] = {
        {"absent after DELE: gone; absent by itself: noted",
         POP3_REMOVE,
         {{"a", 10, POP3_UIDL_DELE_SENT, 1, false, 0, 0},
          {"b", 10, POP3_UIDL_REMOVED, 1, false, 0, 0},
          {"c", 10, POP3_UIDL_HERE, 1, false, 0, 0},
          {"d", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{"d", 10}},
         "delete f0 f1 a2",
         0,
         0,
         false},
        {"an empty maildrop",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_REMOVED, 1, false, 0, 0}, {"b", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{0}},
         "f0 a1",
         0,
         0,
         false},
        {"forgotten after a long time",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 90, false, 61, 0}, {"b", 10, POP3_UIDL_HERE, 90, false, 59, 0}},
         {{0}},
         "f0",
         0,
         0,
         false},
    };
    (void)state;
    CHECK(rows);
}

static void test_in_doubt_the_header_is_looked_at(void **state)
{
    static const struct row rows[] = {
        {"removed, and there all the same",
         POP3_REMOVE,
         {{"a", 10, POP3_UIDL_DELE_SENT, 1, false, 0, 0},
          {"b", 10, POP3_UIDL_REMOVED, 1, false, 0, 0}},
         {{"a", 10}, {"b", 10}},
         "verify verify",
         0,
         0,
         false},
        {"another size",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{"a", 11}},
         "verify",
         0,
         0,
         false},
        {"it was away",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 2, 0}},
         {{"a", 10}},
         "verify",
         0,
         0,
         false},
        {"without TOP all of it",
         POP3_REMOVE,
         {{"a", 10, POP3_UIDL_DELE_SENT, 1, false, 0, 0}},
         {{"a", 10}, {"b", 10}},
         "fetch? fetch",
         0,
         0,
         true},
        {"no UIDL at all",
         POP3_REMOVE,
         {{" fp", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{"", 10}, {"", 10}},
         "fetch? fetch?",
         0,
         0,
         false},
        {"all UIDLs are others: sizes that are known are looked at",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0},
          {"b", 20, POP3_UIDL_DELE_SENT, 1, false, 0, 0},
          {"c", 30, POP3_UIDL_DELE_SENT, 1, false, 0, 0}},
         {{"x", 10}, {"y", 20}, {"z", 40}},
         "verify verify fetch f2",
         0,
         0,
         false},
    };
    (void)state;
    CHECK(rows);
}

static void test_copies_under_one_uidl_are_told_apart(void **state)
{
    static const struct row rows[] = {
        {"both are new", POP3_LEAVE, {{0}}, {{"a", 10}, {"a", 10}}, "fetch fetch", 0, 0, false},
        {"one is known",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0}},
         {{"a", 10}, {"a", 10}},
         "keep fetch",
         0,
         0,
         false},
        {"one is gone",
         POP3_LEAVE,
         {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0}, {"a", 10, POP3_UIDL_HERE, 1, false, 0, 1}},
         {{"a", 10}},
         "keep a1",
         0,
         0,
         false},
    };
    (void)state;
    CHECK(rows);
}

static void test_a_fingerprint_settles_what_a_message_is(void **state)
{
    static const struct row row = {
        "",
        POP3_REMOVE,
        {{"a", 10, POP3_UIDL_HERE, 1, false, 0, 0}, {"b", 20, POP3_UIDL_DELE_SENT, 1, false, 0, 0}},
        {{"x", 10}, {"y", 20}, {"z", 20}},
        "",
        0,
        0,
        false};
    struct arena *arena = arena_new();
    struct pop3_plan made;
    (void)state;
    plan(arena, &row, &made);
    pop3_plan_settle(arena, &made, &made.at[0], STR("fingerprint 0"));
    assert_int_equal(made.at[0].fate, POP3_DELETE); /* it is here: not fetched again */
    assert_int_equal(made.at[0].row, 0);
    pop3_plan_settle(arena, &made, &made.at[1], STR("another"));
    assert_int_equal(made.at[1].fate, POP3_FETCH);
    pop3_plan_settle(arena, &made, &made.at[2], STR("fingerprint 1"));
    assert_int_equal(made.at[2].row, 1);
    arena_free(&arena);
}

static void test_without_uidl_copies_get_numbers(void **state)
{
    static const struct row row = {
        "", POP3_REMOVE, {{" f", 10, POP3_UIDL_HERE, 1, false, 0, 0}}, {{"", 10}, {"", 10}}, "", 0,
        0,  false};
    struct arena *arena = arena_new();
    struct pop3_plan made;
    (void)state;
    plan(arena, &row, &made);
    pop3_plan_settle(arena, &made, &made.at[0], STR("fingerprint 0"));
    pop3_plan_settle(arena, &made, &made.at[1], STR("fingerprint 0"));
    assert_int_equal(made.at[0].fate, POP3_DELETE);
    assert_int_equal(made.at[1].fate, POP3_FETCH); /* a second copy: the row is taken */
    assert_int_equal(made.at[0].occurrence, 0);
    assert_int_equal(made.at[1].occurrence, 1);
    arena_free(&arena);
}

static void test_uidls_beyond_ascii_are_kept_apart(void **state)
{
    static const char *const rows[][2] = {
        {"abc", "abc"}, {"\xff\xfe", "%FF%FE"}, {"%FF%FE", "%25FF%25FE"}, {"", ""}};
    struct arena *arena = arena_new();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(str_equal(pop3_plan_key(arena, str_of(rows[i][0])), str_of(rows[i][1])));
    arena_free(&arena);
}

static void fingerprint_of(const char *message, size_t piece, char text[POP3_FINGERPRINT_BYTES])
{
    struct pop3_fingerprint fingerprint;
    struct str rest = str_of(message);
    pop3_fingerprint_begin(&fingerprint);
    for (; rest.length > 0; rest = str_skip(rest, piece))
        pop3_fingerprint_add(&fingerprint, str_sub(rest, 0, piece));
    pop3_fingerprint_end(&fingerprint, text);
}

static void test_a_fingerprint_is_of_what_stays(void **state)
{
    static const char message[] =
        "Subject: x\r\nStatus: O\r\nX-UIDL: 1\r\n 2\r\nFrom: a\r\n\r\nbody";
    static const char *const same[] = {
        "Subject: x\r\nFrom: a\r\n\r\nanother body", "Subject: x\nX-Status: RO\n\tx\nFrom: a\n\n",
        "Subject: x\r\nFrom: a\r\n", /* TOP of a message without a body */
    };
    char expected[POP3_FINGERPRINT_BYTES], text[POP3_FINGERPRINT_BYTES];
    (void)state;
    fingerprint_of(message, sizeof message, expected);
    for (size_t piece = 1; piece < sizeof message; piece++) {
        fingerprint_of(message, piece, text);
        assert_string_equal(text, expected);
    }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        fingerprint_of(same[i], 5, text);
        assert_string_equal(text, expected);
    }
    fingerprint_of("Subject: y\r\nFrom: a\r\n\r\n", 100, text);
    assert_string_not_equal(text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_policy_decides_what_is_removed),
        cmocka_unit_test(test_large_messages_are_only_begun),
        cmocka_unit_test(test_what_is_gone_upstream_is_confirmed_or_kept_in_mind),
        cmocka_unit_test(test_in_doubt_the_header_is_looked_at),
        cmocka_unit_test(test_copies_under_one_uidl_are_told_apart),
        cmocka_unit_test(test_a_fingerprint_settles_what_a_message_is),
        cmocka_unit_test(test_without_uidl_copies_get_numbers),
        cmocka_unit_test(test_uidls_beyond_ascii_are_kept_apart),
        cmocka_unit_test(test_a_fingerprint_is_of_what_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The search box: what is understood, and what is said of what is not. */
#include "server/mail/query.h"
#include "tests/unit/mail_fixture.h"

/* 24 November 2026, 23:30 UTC: already the 25th an hour to the east. */
static const struct query_clock noon = {.now_us = 1795563000000000, .offset_minutes = 60};

static struct str understood(struct arena *arena, const char *text)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT(64 * 1024);
    struct query *query = query_parse(arena, str_of(text), noon, &err);
    if (query)
        query_write(&out, query, noon);
    else
        buf_printf(&out, "error: %s", err.message);
    struct str written = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return written;
}

static void test_queries_are_understood(void **state)
{
    static const char *const rows[][2] = {
        {"", "()"},
        {"  ", "()"},
        {"lunch", "lunch"},
        {"lunch monday", "(lunch monday)"},
        {"lunch AND monday", "(lunch monday)"},
        {"lunch OR dinner", "(lunch OR dinner)"},
        {"a b OR c d OR e", "((a b) OR (c d) OR e)"},
        {"(a OR b) c", "((a OR b) c)"},
        {"a (b (c OR d))", "(a (b (c OR d)))"},
        {"-a", "-a"},
        {"NOT a", "-a"},
        {"-(a b)", "-(a b)"},
        {"--a", "--a"},
        {"\"two words\"", "\"two words\""},
        {"\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\""},
        {"from:ann", "from:ann"},
        {"FROM:Ann@Example.org", "from:Ann@Example.org"},
        {"subject:\"annual report\" to:bob cc:eve", "(subject:\"annual report\" to:bob cc:eve)"},
        {"bcc:x cc:y filename:pdf body:y", "(bcc:x cc:y filename:pdf body:y)"},
        {"has:attachment is:unread is:STARRED", "(has:attachment is:unread is:starred)"},
        {"is:seen is:flagged is:replied", "(is:read is:starred is:answered)"},
        {"in:inbox label:\"to do\"", "(in:inbox label:\"to do\")"},
        {"before:2026-11-24 after:2026", "(before:2026-11-24 after:2026-01-01)"},
        {"after:2026/2 after:2026-02-03", "(after:2026-02-01 after:2026-02-03)"},
        {"after:today before:yesterday", "(after:2026-11-25 before:2026-11-24)"},
        {"after:7d after:2w", "(after:2026-11-18 after:2026-11-11)"},
        {"after:1m after:11m after:1y", "(after:2026-10-25 after:2025-12-25 after:2025-11-25)"},
        {"larger:5M smaller:1.5k larger:10MB", "(larger:5242880 smaller:1536 larger:10485760)"},
        {"larger:1000 larger:2g", "(larger:1000 larger:2147483648)"},
        /* words with colons that are no fields */
        {"10:30", "10:30"},
        {"https://example.org/", "https://example.org/"},
        {"re:lunch", "re:lunch"},
        {"日本語 OR Straße", "(日本語 OR Straße)"},
        {"a - b & c", "(a b c)"},
        {"or and not", "(or and not)"},
        {"ORANGE NOTE", "(ORANGE NOTE)"},
        {"a()", "(a ())"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str written = understood(*state, rows[i][0]);
        assert_str_of(rows[i][0], written, rows[i][1]);
        /* what is written means the same */
        assert_str_of(rows[i][1], understood(*state, arena_text(*state, written)), rows[i][1]);
    }
}

static void test_what_is_not_understood_is_said(void **state)
{
    static const char *const rows[][2] = {
        {"form:ann", "error: There is no field “form:”"},
        {"subjct:x", "error: There is no field “subjct:”"},
        {"from:", "error: “from:” has nothing behind it"},
        {"from: ann", "error: “from:” has nothing behind it"},
        {"\"open", "error: A quote is opened and not closed: \"open"},
        {"from:\"open", "error: A quote is opened and not closed: \"open"},
        {"(a", "error: A parenthesis is opened and not closed: (a"},
        {"a)", "error: A parenthesis is closed that was not opened"},
        {"OR", "error: OR needs something on both sides"},
        {"a OR", "error: OR needs something on both sides"},
        {"OR a", "error: OR needs something on both sides"},
        {"(a OR)", "error: OR needs something on both sides"},
        {"a NOT", "error: Something is missing behind “a NOT”"},
        {"-)", "error: Something is missing behind “-”"},
        {"has:legs", "error: “has:legs” is not known"},
        {"is:blue", "error: “is:blue” is not known"},
        {"before:soon", "error: “soon” is no date"},
        {"before:2026-13", "error: “2026-13” is no date"},
        {"before:2026-02-30", "error: “2026-02-30” is no date"},
        {"before:2026-11-24-1", "error: “2026-11-24-1” is no date"},
        {"before:999y", "error: “999y” is no date"},
        {"larger:big", "error: “big” is no size"},
        {"larger:5X", "error: “5X” is no size"},
        {"larger:-5", "error: “-5” is no size"},
        {"larger:99999999999999999999", "error: “99999999999999999999” is no size"},
        {"***", "error: There is no word to look for in “***”"},
        {"\"\"", "error: There is no word to look for in “”"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], understood(*state, rows[i][0]), rows[i][1]);
}

static void test_a_hint_says_what_is_meant(void **state)
{
    struct error err = ERROR_INIT;
    assert_null(query_parse(*state, STR("form:ann"), noon, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_string_equal(err.hint, "Did you mean from:? To look for the word, put it in quotes");
}

static void test_a_node_has_what_a_search_needs(void **state)
{
    struct error err = ERROR_INIT;
    struct query *query =
        query_parse(*state, STR("x subject:\"Annual Report\" is:unread larger:1k after:2026-11-24"),
                    noon, &err);
    struct query *subject = query->first_child->next, *unread = subject->next;
    struct query *larger = unread->next, *after = larger->next;
    assert_int_equal(subject->kind, QUERY_SUBJECT);
    assert_true(subject->is_phrase);
    assert_int_equal(subject->at, 2);
    assert_int_equal(subject->word_count, 2);
    assert_str(subject->words[0].lexeme, "annual");
    assert_str(unread->text, "$seen");
    assert_false(unread->is_set);
    assert_int_equal(larger->number, 1024);
    assert_int_equal(after->number, 1795474800000000); /* midnight where the person is */
    assert_null(after->next);
}

static void test_what_is_too_much_is_refused(void **state)
{
    static const struct {
        const char *piece;
        size_t count;
    } rows[] = {{"x", QUERY_BYTES_MAX + 1}, {"a ", 300}, {"(", 100}, {"-", 100}, {"a OR ", 300}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = ERROR_INIT;
        struct buf text = BUF_INIT(64 * 1024);
        repeat(&text, rows[i].piece, rows[i].count);
        buf_text(&text, "x");
        assert_null(query_parse(*state, buf_view(&text), noon, &err));
        assert_int_equal(err.kind, ERROR_LIMIT);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_queries_are_understood),      MAIL_TEST(test_what_is_not_understood_is_said),
        MAIL_TEST(test_a_hint_says_what_is_meant),   MAIL_TEST(test_a_node_has_what_a_search_needs),
        MAIL_TEST(test_what_is_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Snippets: the right place, marked, and safe as HTML. */
#include "server/mail/snippet.h"
#include "tests/unit/mail_fixture.h"

static struct str snippet(struct arena *arena, const char *text, const char *query)
{
    size_t count;
    struct word *words = words_of_query(arena, str_of(query), &count);
    struct buf out = BUF_INIT(64 * 1024);
    if (!snippet_write_html(&out, str_of(text), words, count))
        buf_text(&out, "nothing");
    struct str copy = arena_str(arena, buf_view(&out));
    buf_free(&out);
    assert_text(copy);
    return copy;
}

static void test_words_are_marked_as_they_are_found(void **state)
{
    static const char *const rows[][3] = {
        {"Lunch on Monday", "monday ", "Lunch on <mark>Monday</mark>"},
        {"Lunch on Monday", "mon", "Lunch on <mark>Monday</mark>"},
        {"Lunch on Monday", "mon ", "nothing"},
        {"Straße und Café", "cafe strasse", "<mark>Straße</mark> und <mark>Café</mark>"},
        {"日本語のメール", "本語", "日<mark>本語</mark>のメール"},
        {"日本語のメール", "日本語", "<mark>日本語</mark>のメール"},
        {"日本語のメール", "本", "日<mark>本</mark>語のメール"},
        {"ภาษาไทย", "ไทย", "ภาษา<mark>ไทย</mark>"},
        {"a <script>alert(1)</script> & \"b\"", "script ",
         "a &lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt; &amp; &quot;b&quot;"},
        {"two\r\n\t lines", "lines", "two <mark>lines</mark>"},
        {"", "x", "nothing"},
        {"x", "", "nothing"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], snippet(*state, rows[i][0], rows[i][1]), rows[i][2]);
}

static void test_the_place_with_most_words_is_taken(void **state)
{
    struct buf text = BUF_INIT(64 * 1024);
    buf_text(&text, "apple alone. ");
    repeat(&text, "filler words here. ", 100);
    buf_text(&text, "apple with pear. ");
    repeat(&text, "filler words here. ", 100);
    struct str found = snippet(*state, text.at, "pear apple ");
    assert_true(str_starts(found, STR("…")) && str_ends(found, STR("…")));
    assert_true(str_find(found, STR("<mark>apple</mark> with <mark>pear</mark>")) > 0);
    assert_true(found.length < 2 * SNIPPET_CHARACTERS);
    assert_true(str_starts(snippet(*state, text.at, "alone "), STR("apple <mark>alone</mark>.")));
    buf_free(&text);
}

static void test_a_whole_text_is_written_with_or_without_marks(void **state)
{
    size_t count;
    struct word *words = words_of_query(*state, STR("lunch"), &count);
    struct buf out = BUF_INIT(1000);
    snippet_write_whole_html(&out, STR("Re: Lunch <now>"), words, count);
    assert_str(buf_view(&out), "Re: <mark>Lunch</mark> &lt;now&gt;");
    buf_reset(&out);
    snippet_write_whole_html(&out, STR("Dinner"), words, count);
    assert_str(buf_view(&out), "Dinner");
    buf_free(&out);
}

static void test_floods_are_bounded(void **state)
{
    static const char *const pieces[] = {"x ", "日", "xxxxxxxxxx", "ไทย", "\xff"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf text = BUF_INIT(4 * 1024 * 1024), out = BUF_INIT(4 * 1024 * 1024);
        size_t count;
        struct word *words = words_of_query(*state, STR("x 日 ไทย"), &count);
        repeat(&text, pieces[i], 200 * 1000);
        snippet_write_html(&out, buf_view(&text), words, count);
        assert_false(out.is_full);
        buf_free(&text);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_words_are_marked_as_they_are_found),
        MAIL_TEST(test_the_place_with_most_words_is_taken),
        MAIL_TEST(test_a_whole_text_is_written_with_or_without_marks),
        MAIL_TEST(test_floods_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

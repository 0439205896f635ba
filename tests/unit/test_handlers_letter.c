/* What a parser child may put into our own page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "handlers/html/letter.h"
#include "server/mail/text.h"
#include "tests/unit/assert_str.h"

static void test_what_the_text_renderer_makes_is_plain(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "Hello <b>world</b> & \"friends\"\n\nhttps://example.org/?a=1&b=%22 and a@b.example\n",
        "> one\n>> two http://x.example/<script>\n> > > three\nback\n-- \nAda\n> quoted\n",
        "mailto:a@b.example?subject=x\"onmouseover=alert(1) http://a.example/\"><img src=x>\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf out = BUF_INIT(100000);
        assert_true(text_to_html(&out, str_of(texts[i]), (struct text_options){0}));
        if (!letter_is_plain(buf_view(&out)))
            fail_msg("not plain: %s", out.at);
        buf_free(&out);
    }
}

static void test_deep_quotes_are_plain(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(10000), out = BUF_INIT(100000);
    for (int i = 0; i < 200; i++)
        buf_char(&text, '>');
    buf_text(&text, " deep\n");
    assert_true(text_to_html(&out, buf_view(&text), (struct text_options){0}));
    assert_true(letter_is_plain(buf_view(&out)));
    buf_free(&text);
    buf_free(&out);
}

static void test_anything_else_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<form action=\"/sign-out\"></form>",
        "<br onclick=\"x\">",
        "<BR>",
        "<",
        "text <",
        "<!-- -->",
        "</div>",
        "</div><div class=\"signature\">",
        "<div class=\"signature\">",
        "<div class=\"bar\"></div>",
        "<blockquote class=\"quote quote-1\"></div>",
        "<blockquote class=\"quote quote-x\"></blockquote>",
        "<a href=\"javascript:alert(1)\" rel=\"noopener noreferrer\" target=\"_blank\">x</a>",
        "<a href=\"/sign-out\" rel=\"noopener noreferrer\" target=\"_blank\">x</a>",
        "<a href=\"https://x\" onclick=\"y\" rel=\"noopener noreferrer\" target=\"_blank\">x</a>",
        "<a href=\"https://x\">x</a>",
        "<a href=\"https://x<\" rel=\"noopener noreferrer\" target=\"_blank\">x</a>",
        "<a href=\"https://x",
        "<a href=\"https://x\" rel=\"noopener noreferrer\" target=\"_blank\">x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (letter_is_plain(str_of(bad[i])))
            fail_msg("taken for plain: %s", bad[i]);
}

static void test_quotes_of_quotes_are_folded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"a\n> b\nc <d>", NULL},
        {"> a\n>> b\n>>> c\n> d\n>> e",
         "<blockquote class=\"quote quote-1\">a"
         "<details class=\"fold\"><summary>Earlier quotes</summary>"
         "<blockquote class=\"quote quote-2\">b"
         "<blockquote class=\"quote quote-3\">c</blockquote></blockquote></details>d"
         "<details class=\"fold\"><summary>Earlier quotes</summary>"
         "<blockquote class=\"quote quote-2\">e</blockquote></details></blockquote>"},
    };
    struct arena *arena = arena_new_small();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf html = BUF_INIT(10000);
        assert_true(text_to_html(&html, str_of(rows[i].text), (struct text_options){0}));
        struct str folded = letter_fold_quotes(arena, buf_view(&html));
        assert_str(folded, rows[i].folded ? rows[i].folded : html.at);
        buf_free(&html);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_text_renderer_makes_is_plain),
        cmocka_unit_test(test_deep_quotes_are_plain),
        cmocka_unit_test(test_anything_else_is_not),
        cmocka_unit_test(test_quotes_of_quotes_are_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

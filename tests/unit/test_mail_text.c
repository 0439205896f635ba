/* Plain text shown as HTML: escaping, links, quotes, signatures, flowed text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/mail/text.h"

#define A(href, text) \
    "<a href=\"" href "\" rel=\"noopener noreferrer\" target=\"_blank\">" text "</a>"
#define LINK(url) A(url, url)

struct row {
    const char *text, *html;
};

static void check(const struct row *rows, size_t count, struct text_options options)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT(65536);
        assert_true(text_to_html(&out, str_of(rows[i].text), options));
        assert_string_equal(out.at ? out.at : "", rows[i].html);
        buf_free(&out);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]), (struct text_options){0})

static void test_every_character_of_the_text_is_escaped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"<script>alert('1') & \"2\"</script>",
         "&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;&lt;/script&gt;"},
        {"a\x01\x7f\r\nb\rc", "a<br>bc"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
        /* ref/security.md 5 */
        {"a@a.co?]<img/src=\"x\"/onerror=alert(1)>",
         A("mailto:a@a.co", "a@a.co") "?]&lt;img/src=&quot;x&quot;/onerror=alert(1)&gt;"},
        {"http://x?\"onmouseover=alert(1)", LINK("http://x") "?&quot;onmouseover=alert(1)"},
        {"http://x/'onclick=1", A("http://x/&#39;onclick=1", "http://x/&#39;onclick=1")},
        {"javascript:alert(1) data:text/html,x vbscript:y",
         "javascript:alert(1) data:text/html,x vbscript:y"},
    };
    CHECK(rows);
}

static void test_links_end_where_a_reader_would_end_them(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"see http://example.org/a?b=1&c=2.", "see " LINK("http://example.org/a?b=1&amp;c=2") "."},
        {"<https://example.org/>,", "&lt;" LINK("https://example.org/") "&gt;,"},
        {"(http://example.org/a_(b))", "(" LINK("http://example.org/a_(b)") ")"},
        {"[http://example.org]!", "[" LINK("http://example.org") "]!"},
        {"HTTP://EXAMPLE.org", LINK("HTTP://EXAMPLE.org")},
        {"www.example.org, www.", A("http://www.example.org", "www.example.org") ", www."},
        {"xhttp://example.org http:// https://.", "xhttp://example.org http:// https://."},
        {"mail me@example.org.", "mail " A("mailto:me@example.org", "me@example.org") "."},
        {"mailto:me@example.org?subject=x", LINK("mailto:me@example.org?subject=x")},
        {"a@b @example.org a@ .a@b.c a.@b.c a@-b.c a@b..c a@1.2",
         "a@b @example.org a@ .a@b.c a.@b.c a@-b.c a@b..c a@1.2"},
        {"見てhttps://例え.jp/道。次", "見てhttps://例え.jp/道。次"},
        {"見て https://例え.jp/道。次", "見て " LINK("https://例え.jp/道") "。次"},
        {"https://a.b\xe2\x80\xae/x", LINK("https://a.b") "\xe2\x80\xae/x"},
    };
    CHECK(rows);
}

static void test_quotes_nest_by_depth(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a\n> b\n> c\nd", "a<blockquote class=\"quote quote-1\">b<br>c</blockquote>d"},
        {">> x\n> y", "<blockquote class=\"quote quote-1\"><blockquote class=\"quote quote-2\">x"
                      "</blockquote>y</blockquote>"},
        {"> > x", "<blockquote class=\"quote quote-1\"><blockquote class=\"quote quote-2\">x"
                  "</blockquote></blockquote>"},
        {"a > b", "a &gt; b"},
        {">\n>  indented", "<blockquote class=\"quote quote-1\"><br> indented</blockquote>"},
    };
    CHECK(rows);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void test_deep_quotes_stop_at_the_cap(void **state)
{
    (void)state;
    char text[1001] = "";
    memset(text, '>', 1000);
    struct buf out = BUF_INIT(65536);
    assert_true(text_to_html(&out, str_of(text), (struct text_options){0}));
    assert_int_equal(count(out.at, "<blockquote"), TEXT_QUOTE_DEPTH_MAX);
    assert_int_equal(count(out.at, "</blockquote>"), TEXT_QUOTE_DEPTH_MAX);
    buf_free(&out);
}

static void test_the_signature_is_marked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"hi\n-- \nme", "hi<div class=\"signature\">-- <br>me</div>"},
        {"hi\n--\nme", "hi<br>--<br>me"},
        {"hi\n-- \nme\n> old",
         "hi<div class=\"signature\">-- <br>me</div><blockquote class=\"quote quote-1\">old"
         "</blockquote>"},
        {"> -- \n> me", "<blockquote class=\"quote quote-1\">-- <br>me</blockquote>"},
    };
    CHECK(rows);
}

static void test_flowed_text_is_rejoined(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"one \ntwo\nthree", "one two<br>three"},
        {"> one \n> two \nthree", "<blockquote class=\"quote quote-1\">one two </blockquote>three"},
        {" >literal\n From", "&gt;literal<br>From"},
        {"text \n-- \nme", "text <div class=\"signature\">-- <br>me</div>"},
        {"end ", "end "},
    };
    check(rows, sizeof rows / sizeof rows[0], (struct text_options){.is_flowed = true});
    static const struct row delsp[] = {{"漢 \n字", "漢字"}, {"a  \nb", "a b"}};
    check(delsp, 2, (struct text_options){.is_flowed = true, .is_delsp = true});
}

static void test_unflowed_text_keeps_its_quote_marks(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    assert_true(text_unflow(&out, STR(">> a \r\n>> b\r\nc \r\nd\r\n"), false));
    assert_string_equal(out.at, ">> a b\nc d\n");
    buf_free(&out);
}

static void test_a_full_buffer_is_told(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(20);
    assert_false(text_to_html(&out, STR("http://example.org/"), (struct text_options){0}));
    buf_free(&out);
}

static void test_long_words_take_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "a.", "a@",       "http://", "www.",
                                         ">", "(",  "mailto:a", "\xc3"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf text = BUF_INIT(8 << 20), out = BUF_INIT(64 << 20);
        for (int n = 0; n < 100000; n++)
            buf_text(&text, pieces[i]);
        assert_true(text_to_html(&out, buf_view(&text), (struct text_options){0}));
        buf_free(&text);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_of_the_text_is_escaped),
        cmocka_unit_test(test_links_end_where_a_reader_would_end_them),
        cmocka_unit_test(test_quotes_nest_by_depth),
        cmocka_unit_test(test_deep_quotes_stop_at_the_cap),
        cmocka_unit_test(test_the_signature_is_marked),
        cmocka_unit_test(test_flowed_text_is_rejoined),
        cmocka_unit_test(test_unflowed_text_keeps_its_quote_marks),
        cmocka_unit_test(test_a_full_buffer_is_told),
        cmocka_unit_test(test_long_words_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

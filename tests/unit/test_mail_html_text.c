/* The visible text of HTML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/base/utf8.h"
#include "server/mail/html_text.h"

struct row {
    const char *html, *text;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT(4096);
        buf_char(&out, '>');
        html_to_text(&out, str_of(rows[i].html), 1000);
        assert_string_equal(out.at + 1, rows[i].text);
        buf_free(&out);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_white_space_collapses_and_blocks_break(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"  a \n b\t c  ", "a b c"},
        {"<p>one</p><p>two</p>", "one\n\ntwo"},
        {"<div>one</div><div>two<br>three<br><br>four</div>", "one\ntwo\nthree\n\nfour"},
        {"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
        {"a<b>b</b>c <i> d</i>", "abc d"},
        {"<pre>a\nb</pre>c\nd", "a\nb\n\nc d"},
        {"x&nbsp;&zwnj;&nbsp;&zwnj;&nbsp;", "x"},
        {"\xc2\xad\xe2\x80\x8b\xef\xbb\xbfHi", "Hi"},
        {"\xe0\xa4\x95\xe2\x80\x8d\xe0\xa4\xb7", "\xe0\xa4\x95\xe2\x80\x8d\xe0\xa4\xb7"},
    };
    CHECK(rows);
}

static void test_a_letter_has_quotes_lists_and_a_signature(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<div>yes</div><div><br></div><div>Ada wrote:</div><blockquote type=\"cite\"><p>one</p>"
         "<p>two</p><blockquote>deep</blockquote></blockquote><div>end</div>",
         "yes\n\nAda wrote:\n\n> one\n>\n> two\n>\n>> deep\n\nend"},
        {"<blockquote>a<br>b</blockquote>", "> a\n> b"},
        {"<b>x</b><blockquote></blockquote></blockquote>y", "x\n\ny"},
        {"<ul><li>one</li><li>two</li></ul>end", "* one\n* two\n\nend"},
        {"hi<div>-- </div><div>Ada</div>", "hi\n-- \nAda"},
        {"--<br>Ada<br>--<br>", "-- \nAda\n--"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(4096);
        html_to_letter(&out, str_of(rows[i].html), 1000);
        assert_string_equal(out.at, rows[i].text);
        buf_free(&out);
    }
}

static void test_what_is_not_shown_is_left_out(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<html><head><title>T</title><style>p{}</style></head><body>x", "x"},
        {"a<script>if (a < b) '</scripty>'</script>b", "ab"},
        {"a<!-- <p>no --> b<!-->c<?php echo 1 ?>d<!DOCTYPE html>e</ foo>f", "a bcdef"},
        {"a<STYLE>x</style >b", "ab"},
        {"a<template>b<template>c</template>d</template>e", "ae"},
        {"a<svg><text>b</text></svg>c", "ac"},
        {"a<svg><text>b<p>c", "a\n\nc"},
        {"a<svg/>b", "ab"},
        {"a<script>never closed", "a"},
        {"a<!-- never closed", "a"},
        {"a<img alt=\"x>y\" title='<b>'>b", "ab"},
        {"a<img src=\"never closed>b", "a"},
        {"a<noscript><p>no</p></noscript>b", "ab"},
    };
    CHECK(rows);
}

static void test_what_is_no_tag_is_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 < 2 <3 <", "1 < 2 <3 <"},
        {"a <- b", "a <- b"},
        {"a</", "a</"},
        {"&", "&"},
        {"a & b && c &; &# &#x;", "a & b && c &; &# &#x;"},
        {"&nosuchthing; &a", "&nosuchthing; &a"},
    };
    CHECK(rows);
}

static void test_references_are_decoded(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"&lt;b&gt; &amp;amp; &quot;&apos;", "<b> &amp; \"'"},
        {"&eacute;&Eacute;&euro;&#8364;&#x20AC;", "éÉ€€€"},
        {"&copy 2026 &ampx &notit", "© 2026 &x ¬it"},
        {"&#150;&#0;&#xD800;&#99999999999999;", "–\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"&lt;script>alert(1)&lt;/script>", "<script>alert(1)</script>"},
        {"&euro &apos", "&euro &apos"},
        {"&#65", "A"},
    };
    CHECK(rows);
}

static void test_it_stops_at_the_limit_between_characters(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    html_to_text(&out, STR("ab&eacute;&eacute;cd"), 5);
    assert_string_equal(out.at, "ab\xc3\xa9");
    buf_reset(&out);
    html_to_text(&out, STR("abc"), 0);
    assert_int_equal(out.length, 0);
    buf_free(&out);
}

static void test_broken_bytes_come_out_as_valid_utf8(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    html_to_text(&out, STR("a\xff\xc3<b\xe2\x82>\xe2\x82\0x"), 100);
    assert_true(utf8_is_valid(buf_view(&out)));
    assert_int_equal(memchr(out.at, 0, out.length), NULL);
    buf_free(&out);
}

static void test_repeated_openings_take_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"<",   "<!--",     "</",    "<a href=\"",
                                         "&",   "<script>", "<svg>", "</script",
                                         "&#x", "<!",       "<br>",  "<template>"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf html = BUF_INIT(8 << 20), out = BUF_INIT(8 << 20);
        for (int n = 0; n < 200000; n++)
            buf_text(&html, pieces[i]);
        html_to_text(&out, buf_view(&html), 8 << 20);
        buf_free(&html);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_white_space_collapses_and_blocks_break),
        cmocka_unit_test(test_a_letter_has_quotes_lists_and_a_signature),
        cmocka_unit_test(test_what_is_not_shown_is_left_out),
        cmocka_unit_test(test_what_is_no_tag_is_text),
        cmocka_unit_test(test_references_are_decoded),
        cmocka_unit_test(test_it_stops_at_the_limit_between_characters),
        cmocka_unit_test(test_broken_bytes_come_out_as_valid_utf8),
        cmocka_unit_test(test_repeated_openings_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

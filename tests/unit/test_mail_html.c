/* The sanitiser: what stays, what never comes out (ref/security.md 1-12), and its fences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/html_fast_check.h"

#define LINK_MARKS " rel=\"noopener noreferrer\" target=\"_blank\""
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool cid_url(void *context, struct str cid, struct buf *url)
{
    (void)context;
    return str_equal(cid, STR("pic@x")) && buf_text(url, "/part/1.2");
}

static const struct html_options closed = {0};
static const struct html_options open_to_remote = {.allow_remote = true};
static const struct html_options with_parts = {.cid_url = cid_url};

struct row {
    const char *html, *safe;
};

static void check(const struct row *rows, size_t count, const struct html_options *options)
{
    for (size_t i = 0; i < count; i++) {
        struct html_safe safe;
        assert_true(html_sanitise(&safe, str_of(rows[i].html), options));
        assert_string_equal(safe.body.at ? safe.body.at : "", rows[i].safe);
        html_check(buf_view(&safe.body), buf_view(&safe.css), options);
        html_safe_free(&safe);
    }
}

static void test_ordinary_markup_stays(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"<p>a &amp; b<p>c", "<p>a &amp; b</p><p>c</p>"},
        {"<!doctype html><html><head><title>T</title></head><body>\n x</body></html>", "x"},
        {"<table width=600 align=center bgcolor=#fff><tr><td colspan=2 nowrap>x</table>",
         "<table width=\"600\" align=\"center\" bgcolor=\"#fff\"><tbody><tr><td colspan=\"2\" "
         "nowrap=\"\">x</td></tr></tbody></table>"},
        {"<body bgcolor=white text=#111 style='margin:0' class=m><b>x",
         "<div class=\"m\" style=\"background-color:white;color:#111;margin:0\"><b>x</b></div>"},
        {"<pre>\n\na\n</pre>", "<pre>\n\na\n</pre>"},
        {"<o:p>x</o:p><blink>y</blink><label>z</label>", "xyz"},
        {"<ol start=3 type=a reversed><li value=2>x</ol>",
         "<ol start=\"3\" type=\"a\" reversed=\"\"><li value=\"2\">x</li></ol>"},
        {"<p class='a restante-x b' title='&quot;&lt;' lang=en dir=rtl>x",
         "<p class=\"a b\" title=\"&quot;&lt;\" lang=\"en\" dir=\"rtl\">x</p>"},
    };
    check(rows, COUNT(rows), &closed);
}

static void test_characters_that_no_parser_keeps_are_gone(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"&#1;\n&#1;<!-- --> &#2; x", "x"},
        {"<x>a&#4294967295;b<i title='&#xfffffffffffffffff;'>c</i><svg></svg>&#00000000065;",
         "a\xef\xbf\xbd"
         "b<i title=\"\xef\xbf\xbd\">c</i>A"},
        {"a\rb&#13;c&#12;d&#1;e&#x7f;f", "a\nb c def"},
        {"a\xef\xbf\xbe"
         "b&#xfdd0;c",
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c"},
        /* a name that would be written as another one is none */
        {"<p class='a&#xfdd0;b c'>x", "<p class=\"c\">x</p>"},
        {"<p style='font-family:\\1fffe a;color:red'>x", "<p style=\"color:red\">x</p>"},
    };
    check(rows, COUNT(rows), &closed);
}

static void test_no_script_comes_out_whatever_carries_it(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a<script>alert(1)</script>b", "ab"},
        /* 1: svg and math go whole */
        {"a<svg><a><animate attributeName=href values=javascript:alert(1) "
         "/><text>x</text></a></svg>b",
         "ab"},
        {"a<math><mtext><table><mglyph><style><img src onerror=alert(1)></table></math>b", "a"},
        /* 2: schemes as browsers read them */
        {"<a href='j&#x61vascript:alert(1)'>x</a>", "<a>x</a>"},
        {"<a href=' java\tscript:alert(1)'>x</a>", "<a>x</a>"},
        {"<a href='&#1;javascript:alert(1)'>x</a>", "<a>x</a>"},
        {"<a href=vbscript:x>x</a><a href=data:text/html,x>y</a>", "<a>x</a><a>y</a>"},
        {"<img src='dAta:image/s\tvg+xml,x'><img src=javascript:x>", "<img><img>"},
        /* 3: mutation */
        {"<svg><style><//><body onload=alert(1)>", ""},
        {"<noscript><p title='</noscript><img src=x onerror=alert(1)>'>x",
         "<p title=\"&lt;/noscript&gt;&lt;img src=x onerror=alert(1)&gt;\">x</p>"},
        {"<xmp><img src=x></xmp><noembed><b></noembed><iframe src=x><b></iframe>", ""},
        {"<textarea><img src=x onerror=alert(1)></textarea><title><b></title>", ""},
        {"<template><img src=x onerror=alert(1)></template>", ""},
        {"a<plaintext><script>x", "a"},
        /* events, ids, names, data and hx */
        {"<p onclick=x id=a name=b data-x=1 hx-get=/x formaction=x style='x'>y</p>", "<p>y</p>"},
        /* 11 */
        {"<base href=//e><meta http-equiv=refresh content=0><link rel=stylesheet href=//e>x", "x"},
        {"<form action=//e><input type=image src=//e><button formaction=//e>x</button></form>",
         "x"},
        {"<object data=x><embed src=x><param name=movie value=x>y</object><applet>z</applet>",
         "yz"},
        {"<video poster=//e><source src=//e>v</video><audio src=//e>a</audio>", "va"},
        {"<frameset><frame src=//e></frameset>", ""},
        {"<select><option>x</select>y", "y"},
        {"<!--><img src=x onerror=alert(1)>-->", "<img>--&gt;"},
        {"<![CDATA[<b>]]>x", "]]&gt;x"},
    };
    static const struct row unexact[] = {
        {"<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", NULL},
        {"<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", NULL},
        {"<math><annotation-xml encoding=text/html><style><img src=x onerror=alert(1)>", NULL},
        {"<a><table><a><td><p><button><p><h1><x><h2>", NULL},
        {"<table><td><select><keygen><input><table>x<caption><tr><b>", NULL},
        {"<b><i><u><font><p></b></i><table><b></table>x</p>", NULL},
    };
    check(rows, COUNT(rows), &closed);
    for (size_t i = 0; i < COUNT(unexact); i++) {
        struct html_safe safe;
        if (html_sanitise(&safe, str_of(unexact[i].html), &closed))
            html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
        html_safe_free(&safe);
    }
}

static void test_nesting_is_capped(void **state)
{
    (void)state;
    static const char *const tags[] = {"<div>", "<b>", "<table><tr><td>", "<ul><li>",
                                       "<blockquote><p>"};
    for (size_t i = 0; i < COUNT(tags); i++) {
        struct buf html = BUF_INIT(1 << 20);
        for (int n = 0; n < 500; n++)
            buf_text(&html, tags[i]);
        buf_text(&html, "text");
        struct html_safe safe;
        assert_true(html_sanitise(&safe, buf_view(&html), &closed));
        assert_non_null(strstr(safe.body.at, "text"));
        html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
        html_safe_free(&safe);
        buf_free(&html);
    }
}

static void test_remote_pictures_are_blocked_counted_and_named(void **state)
{
    (void)state;
    const char *html =
        "<img src=http://a.example/x width=1><img src='//B.example:80/y'>"
        "<td><table background='https://a.example/z'>"
        "<p style='background:#fff url(http:\\/c.example/w)'>"
        "<img src=/relative><img src='http:x.example'><img srcset='http://d.example/ 1x'>";
    struct html_safe safe;
    assert_true(html_sanitise(&safe, str_of(html), &closed));
    assert_int_equal(safe.remote_count, 5);
    assert_string_equal(safe.remote_hosts.at, "a.example b.example c.example x.example");
    assert_null(strstr(safe.body.at, "example"));
    html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
    html_safe_free(&safe);
    assert_true(html_sanitise(&safe, str_of(html), &open_to_remote));
    assert_int_equal(safe.remote_count, 5);
    assert_non_null(strstr(safe.body.at, "<img src=\"http://a.example/x\" width=\"1\">"));
    assert_non_null(strstr(safe.body.at, "<img src=\"https://B.example:80/y\">"));
    assert_non_null(strstr(safe.body.at, "<img src=\"http://x.example\">"));
    assert_non_null(strstr(safe.body.at, "#fff url(&quot;http://c.example/w&quot;)"));
    assert_null(strstr(safe.body.at, "d.example"));
    html_check(buf_view(&safe.body), buf_view(&safe.css), &open_to_remote);
    html_safe_free(&safe);
}

static void test_cid_pictures_become_ours(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<img src=cid:pic@x>", "<img src=\"/part/1.2\">"},
        {"<img src='CID:pic%40x'>", "<img src=\"/part/1.2\">"},
        {"<img src=cid:other><img src=/part/1.2><img src='cid:pic@x%00'>", "<img><img><img>"},
        {"<p style='background-image:url(cid:pic@x)'>x</p>",
         "<p style=\"background-image:url(&quot;/part/1.2&quot;)\">x</p>"},
        /* also when the output has to be run through again */
        {"<form><li><img src=cid:pic@x></form>", "<li><img src=\"/part/1.2\"></li>"},
        {"<a href=cid:pic@x>x</a>", "<a>x</a>"},
    };
    check(rows, COUNT(rows), &with_parts);
    static const struct row none[] = {{"<img src=cid:pic@x>", "<img>"}};
    check(none, 1, &closed);
}

static void test_links_are_marked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<a href='http://x.example/?a=1&b=\"' target=_top rel=opener>y</a>",
         "<a href=\"http://x.example/?a=1&amp;b=%22\"" LINK_MARKS ">y</a>"},
        {"<a href='mailto:a@b.c?subject=x y'>m</a>",
         "<a href=\"mailto:a@b.c?subject=x%20y\"" LINK_MARKS ">m</a>"},
        {"<a href='tel:+1 2'>t</a>", "<a href=\"tel:+1%202\"" LINK_MARKS ">t</a>"},
        {"<a href='#top' name=x>u</a><a href=/x>v</a><a href=x.html>w</a><a href='http://'>z</a>",
         "<a>u</a><a>v</a><a>w</a><a>z</a>"},
        {"<a href='https:\\\\e.example\\p?q\\r'>b</a>",
         "<a href=\"https://e.example/p?q%5Cr\"" LINK_MARKS ">b</a>"},
    };
    check(rows, COUNT(rows), &closed);
}

static void test_a_link_whose_text_names_another_domain_is_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *html;
        int count;
    } rows[] = {
        {"<a href=http://evil.example/>www.bank.com</a>", 1},
        {"<a href=http://evil.example/>https://bank.com/login</a>", 1},
        {"<a href=http://evil.example/><b>bank</b>.com</a>", 1},
        {"<a href=http://bank.com@evil.example/>bank.com</a>", 1},
        {"<a href=http://evil.example/>go to http://bank.com now</a>", 1},
        {"<a href=mailto:x@evil.example>help@bank.com</a>", 1},
        {"<a href=http://bank.com.evil.example/>bank.com</a>", 1},
        {"<a href=http://evil.co.uk/>bank.co.uk</a>", 1},
        {"<a href=http://www.bank.com/x>bank.com</a>", 0},
        {"<a href=http://click.mail.bank.com/x>www.bank.com</a>", 0},
        {"<a href=http://x.example>report.pdf</a>", 0},
        {"<a href=http://x.example>Node.js</a>", 0},
        {"<a href=http://x.example>click here. Now</a>", 0},
        {"<a href=http://x.example>12.50</a>", 0},
        {"<a href=mailto:x@bank.com>x@bank.com</a>", 0},
        {"<a href=tel:1>bank.com</a>", 0},
        {"<a href=http://x.example><style>bank.com</style>y</a>", 0},
        /* what is written is not what is seen */
        {"<a href=http://evil.example/>https://<i "
         "style='display:none'>evil.example/</i>bank.com</a>",
         1},
        {"<a href=http://evil.example/>https://<font size=1>evil.example/</font>bank.com</a>", 1},
        {"<a href=http://evil.example/>ba&shy;nk&#8203;.com</a>", 1},
        {"<a href=http://evil.example/>\xef\xbd\x82\xef\xbd\x81nk\xe3\x80\x82"
         "com</a>",
         1},
        {"<a href=http://evil.example/><img alt='https://bank.com/'></a>", 1},
        {"<a href=http://x.example/><img alt='Shop.com'></a>", 0},
        {"<a href=http://bank.com/><b class=x>https://</b>www.bank.com</a>", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct html_safe safe;
        assert_true(html_sanitise(&safe, str_of(rows[i].html), &closed));
        if (safe.deceptive_links != rows[i].count)
            fail_msg("%s: %d", rows[i].html, safe.deceptive_links);
        html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
        html_safe_free(&safe);
    }
    static const struct row shown[] = {
        {"<a class='restante-deceptive x' title=y href=http://evil.example/>bank.com</a>",
         "<a href=\"http://evil.example/\"" LINK_MARKS
         " class=\"x restante-deceptive\" title=\"evil.example\">bank.com</a>"},
    };
    check(shown, 1, &closed);
}

static void test_style_sheets_come_out_apart(void **state)
{
    (void)state;
    struct html_safe safe;
    assert_true(html_sanitise(
        &safe,
        STR("<head><style>p{color:red}@import 'x';#a{color:red}</style></head><body>x<style "
            "media=print>q{width:1px}</style><style><!-- </style><b>--></style>"),
        &closed));
    assert_string_equal(safe.css.at, "p{color:red}@media print{q{width:1px}}");
    assert_string_equal(safe.body.at, "x<b>--&gt;</b>");
    html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
    html_safe_free(&safe);
}

static void test_own_colours_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *html;
        bool has_colours;
    } rows[] = {
        {"<p>x", false},
        {"<p style='width:1px;color:inherit'>x", false},
        {"<p style=color:red>x", true},
        {"<td><table bgcolor=red>", true},
        {"<font color=red>x", true},
        {"<body bgcolor=white>x", true},
        {"<style>p{background:#fff}</style>x", true},
        {"<style>p{width:1px}</style>x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct html_safe safe;
        assert_true(html_sanitise(&safe, str_of(rows[i].html), &closed));
        assert_int_equal(safe.brings_own_colours, rows[i].has_colours);
        html_safe_free(&safe);
    }
}

static void test_light_mail_that_brings_no_dark_colours_can_be_turned(void **state)
{
    (void)state;
    static const struct {
        const char *html;
        bool can_be_turned;
    } rows[] = {
        {"<p>x", false}, /* it sets none: the page's own are dark already */
        {"<p style=color:red>x", true},
        {"<body bgcolor=white>x", true},
        {"<body bgcolor=#111>x", false},
        {"<body style='background:rgb(10, 20, 30)'><table bgcolor=#fff>", false},
        {"<table bgcolor=#fff><td style='background-color:#000'>x", true}, /* the outer one */
        {"<table bgcolor=#0a0a0a><td style='background-color:#fff'>x", false},
        {"<style>p,body{color:#fff;background:black}</style><p style='background:#fff'>x", false},
        {"<style>p{color:#111}@media (prefers-color-scheme:dark){p{color:#eee}}</style>x", false},
        {"<style>.body{background:#000}</style><p style='color:#000'>x", true},
        {"<p style='background:purple url(http://x/y) no-repeat;color:#fff'>x", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct html_safe safe;
        assert_true(html_sanitise(&safe, str_of(rows[i].html), &closed));
        if (safe.can_be_turned != rows[i].can_be_turned)
            fail_msg("%s", rows[i].html);
        html_safe_free(&safe);
    }
}

static void test_the_fences_hold(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<div>",          "<b>", "<a href=x>", "<table>", "<font size=1><p>", "<p><b></p>",
        "<x a=1 b=2 c=3>"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf html = BUF_INIT(8 << 20);
        while (html.length < 1000000)
            buf_text(&html, pieces[i]);
        struct html_safe safe;
        if (!html_sanitise(&safe, buf_view(&html), &closed)) {
            assert_non_null(safe.why);
            assert_int_equal(safe.body.length, 0);
        }
        html_safe_free(&safe);
        buf_free(&html);
    }
}

static void test_long_input_is_cut(void **state)
{
    (void)state;
    struct buf html = BUF_INIT(HTML_INPUT_BYTES_MAX + 100);
    while (html.length <= HTML_INPUT_BYTES_MAX)
        buf_text(&html, "some words and \xc3\xa9 more of them<br>\n");
    struct html_safe safe;
    assert_true(html_sanitise(&safe, buf_view(&html), &closed));
    assert_true(safe.is_cut);
    html_safe_free(&safe);
    buf_free(&html);
}

/* Every string in the vectors, whatever it is called there. */
static void check_strings(const json_t *json, size_t *count)
{
    size_t index;
    const char *key;
    json_t *child;
    if (json_is_string(json)) {
        const struct html_options *const all[] = {&closed, &open_to_remote, &with_parts};
        for (size_t i = 0; i < COUNT(all); i++) {
            struct html_safe safe;
            struct str html = str_make(json_string_value(json), json_string_length(json));
            assert_true(html_sanitise(&safe, html, all[i]));
            html_check(buf_view(&safe.body), buf_view(&safe.css), all[i]);
            html_safe_free(&safe);
            html_fast_check(html, all[i]);
        }
        ++*count;
    }
    json_array_foreach(json, index, child) check_strings(child, count);
    json_object_foreach((json_t *)json, key, child) check_strings(child, count);
}

static void test_the_corpora_of_vectors_come_out_safe(void **state)
{
    (void)state;
    static const char *const files[] = {
        "html-vectors/bluemonday.json", "html-vectors/h5sc-items.json",
        "html-vectors/sanitize-html.json", "html-vectors/roundcube-text2html.json"};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[256];
        snprintf(path, sizeof path, "../shared/corpus/%s", files[i]);
        json_t *json = json_load_file(path, JSON_ALLOW_NUL, NULL);
        if (json)
            check_strings(json, &count);
        json_decref(json);
    }
    FILE *file = fopen("../shared/corpus/h5sc/vectors.txt", "r");
    if (file) {
        static char text[2 << 20];
        size_t length = fread(text, 1, sizeof text, file);
        fclose(file);
        struct html_safe safe;
        assert_true(html_sanitise(&safe, str_make(text, length), &closed));
        html_check(buf_view(&safe.body), buf_view(&safe.css), &closed);
        html_safe_free(&safe);
        count++;
    }
    if (!count) {
        print_message("no ../shared/corpus here: skipped\n");
        skip();
    }
    print_message("%zu vectors\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_markup_stays),
        cmocka_unit_test(test_characters_that_no_parser_keeps_are_gone),
        cmocka_unit_test(test_no_script_comes_out_whatever_carries_it),
        cmocka_unit_test(test_nesting_is_capped),
        cmocka_unit_test(test_remote_pictures_are_blocked_counted_and_named),
        cmocka_unit_test(test_cid_pictures_become_ours),
        cmocka_unit_test(test_links_are_marked),
        cmocka_unit_test(test_a_link_whose_text_names_another_domain_is_flagged),
        cmocka_unit_test(test_style_sheets_come_out_apart),
        cmocka_unit_test(test_own_colours_are_noticed),
        cmocka_unit_test(test_light_mail_that_brings_no_dark_colours_can_be_turned),
        cmocka_unit_test(test_the_fences_hold),
        cmocka_unit_test(test_long_input_is_cut),
        cmocka_unit_test(test_the_corpora_of_vectors_come_out_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

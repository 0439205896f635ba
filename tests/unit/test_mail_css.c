/* Other people's CSS: what stays, how it is written, and what never comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/mail/css.h"

struct row {
    const char *css, *clean;
};
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool one_picture(void *context, struct str url, struct buf *out)
{
    (void)context;
    return str_equal(url, STR("http://ok/a")) && buf_str(out, url);
}

static void check(const struct row *rows, size_t count, bool is_sheet)
{
    static const struct css_options options = {.picture = one_picture};
    for (size_t i = 0; i < count; i++) {
        struct buf once = BUF_INIT(65536), twice = BUF_INIT(65536);
        if (is_sheet) {
            css_clean_sheet(&once, str_of(rows[i].css));
            css_clean_sheet(&twice, buf_view(&once));
        } else {
            css_clean_declarations(&once, str_of(rows[i].css), &options);
            css_clean_declarations(&twice, buf_view(&once), &options);
        }
        assert_string_equal(once.at ? once.at : "", rows[i].clean);
        assert_string_equal(twice.at ? twice.at : "", rows[i].clean);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void test_known_declarations_are_written_in_one_form(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"COLOR : Red ;; margin:0  auto", "color:Red;margin:0 auto"},
        {"color:#FFF!important", "color:#FFF !important"},
        {"color:rgb( 1 ,2, 3 )", "color:rgb(1,2,3)"},
        {"font:bold 12px/1.5 'Segoe UI',\"Noto Sans\", sans-serif",
         "font:bold 12px / 1.5 \"Segoe UI\",\"Noto Sans\",sans-serif"},
        {"width:calc(100% - (2px*3))", "width:calc(100% - (2px * 3))"},
        {"margin:-1px +.5em 1e2px -0", "margin:-1px +.5em 1e2px -0"},
        {"/* x */color/**/:/**/red/* unclosed", "color:red"},
        {"background:linear-gradient(to right,#000 0%,rgba(0,0,0,.5))",
         "background:linear-gradient(to right,#000 0%,rgba(0,0,0,.5))"},
        {"font-family:Arial;mso-line-height-rule:exactly;width:1px", "font-family:Arial;width:1px"},
        {"\\63olor:r\\65 d", "color:red"},
        {"color:red;}color:blue", "color:red"},
        {"font-family:\"\xe6\x98\x8e\xe6\x9c\x9d\"", "font-family:\"\xe6\x98\x8e\xe6\x9c\x9d\""},
    };
    check(rows, COUNT(rows), false);
}

static void test_pictures_stay_only_when_they_may(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"background:#fff url(http://ok/a) no-repeat",
         "background:#fff url(\"http://ok/a\") no-repeat"},
        {"background:#fff url( 'http://bad/' ) no-repeat", "background:#fff no-repeat"},
        {"background-image:url(http://bad/)", ""},
        {"background-image:\\75 r\\6c(http://ok/a)", "background-image:url(\"http://ok/a\")"},
        {"list-style:url(http://ok/a)", ""},
        {"cursor:url(http://ok/a),auto", ""},
        {"border-image:url(http://ok/a)", ""},
        {"background:url(http://ok/a", ""},
        {"background:url(\"http://ok/a", ""},
        {"background:url(http://ok/(a)", ""},
    };
    check(rows, COUNT(rows), false);
}

static void test_nothing_that_runs_loads_or_escapes_its_box_comes_out(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"position:fixed;top:0", ""},
        {"position:/**/ fixed !important", ""},
        {"p\\6fsition:fixed", ""},
        {"width:expression(alert(1))", ""},
        {"width:e\\78pression(alert(1))", ""},
        {"color:rgb(expression(1;2),3);color:red", "color:red"},
        {"behavior:url(x.htc);-moz-binding:url(x)", ""},
        {"color:var(--x,url(//e))", ""},
        {"--x:url(//e);color:red", "color:red"},
        {"background:image-set(url(http://ok/a) 1x)", ""},
        {"background:cross-fade(url(http://ok/a),red)", ""},
        {"background:element(#x)", ""},
        {"filter:progid:DXImageTransform.Microsoft.AlphaImageLoader(src='x')", ""},
        {"content:'x';animation:a 1s;transform:scale(9);z-index:9", ""},
        {"font-family:'</style><script>'", ""},
        {"font-family:\"a\\\"b\"", ""},
        {"color:red<script>;width:1px", "width:1px"},
        {"color:\"red\"", ""},
        {"width:{1px};height:1px", "height:1px"},
        {"color:red blue]", ""},
        {"color:", ""},
        {"color", ""},
        {"color red", ""},
        {"color:red !ie", ""},
        {"color:red !important red", ""},
    };
    check(rows, COUNT(rows), false);
}

static void test_sheets_keep_rules_whose_selectors_we_know(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"p{color:red}", "p{color:red}"},
        {"<!-- P , .a.b > a:HOVER{color:red;} -->", "p,.a.b>a:hover{color:red}"},
        {"#x{color:red}", ""},
        {"#x, p{color:red}", "p{color:red}"},
        {"input[value^=a]{background:url(//e)} p{width:1px}", "p{width:1px}"},
        {".restante-deceptive{display:none}", ""},
        {"a:visited{color:red}a::before{color:red}", ""},
        {"p{background:red url(http://ok/a)}", "p{background:red}"},
        {"p{}q{nonsense}", ""},
        {"p{color:red", "p{color:red}"},
        {"}p{color:red}", "p{color:red}"},
        {"> p{color:red} p >{color:red} p > > q{color:red}", ""},
        {"* + p ~ q{width:1px}", "*+p~q{width:1px}"},
        {"p{color:red;{x:y;}width:1px}", "p{color:red}"},
        {":not(a,b),p{width:1px}", "p{width:1px}"},
    };
    check(rows, COUNT(rows), true);
}

static void test_of_at_rules_only_media_stays(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"@media only screen and (max-width:600px){.a{width:100%!important}}",
         "@media only screen and (max-width: 600px){.a{width:100% !important}}"},
        {"@media (prefers-color-scheme:DARK),print{p{color:#fff}}",
         "@media (prefers-color-scheme: dark),print{p{color:#fff}}"},
        {"@media screen{p{color:red}", "@media screen{p{color:red}}"},
        {"@media screen{}", ""},
        {"@media screen{@media print{p{color:red}}}q{color:red}", "q{color:red}"},
        {"@media screen{#x{color:red}}", ""},
        {"@media (min-width:url(x)){p{color:red}}q{color:red}", "q{color:red}"},
        {"@import 'x';@import url(x);p{color:red}", "p{color:red}"},
        {"@import url(x) screen", ""},
        {"@font-face{font-family:x;src:url(x)}p{color:red}", "p{color:red}"},
        {"@charset 'x';@namespace x;@supports (a:b){p{color:red}}@keyframes x{a{b:c}}", ""},
        {"@\\6d edia screen{p{color:red}}", "@media screen{p{color:red}}"},
        {"@", ""},
    };
    check(rows, COUNT(rows), true);
}

static void test_colours_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *css;
        bool sets_colour;
    } rows[] = {
        {"color:red", true},
        {"background:#fff", true},
        {"background-color:rgb(1,2,3)", true},
        {"width:1px", false},
        {"background:none", false},
        {"color:inherit", false},
        {"border-color:red", false},
        {"background:transparent", false},
        {"color:", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const struct css_options options = {0};
        struct buf out = BUF_INIT(100);
        assert_int_equal(css_clean_declarations(&out, str_of(rows[i].css), &options),
                         rows[i].sets_colour);
        buf_free(&out);
    }
}

static void test_hostile_repetition_takes_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "(",  "[",  "{", "/*", "\\",         "url(",           "@media ",
        "a{", "\"", ":", "p,", "color:rgb(", "@media screen{", "a{color:red}"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf css = BUF_INIT(8 << 20), out = BUF_INIT(8 << 20);
        static const struct css_options options = {0};
        for (int n = 0; n < 100000; n++)
            buf_text(&css, pieces[i]);
        css_clean_sheet(&out, buf_view(&css));
        css_clean_declarations(&out, buf_view(&css), &options);
        buf_free(&css);
        buf_free(&out);
    }
}

static void test_a_full_buffer_holds_whole_declarations(void **state)
{
    (void)state;
    static const struct css_options options = {0};
    struct buf out = BUF_INIT(20);
    css_clean_declarations(&out, STR("color:red;width:100px;height:2px"), &options);
    assert_string_equal(out.at, "color:red");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_declarations_are_written_in_one_form),
        cmocka_unit_test(test_pictures_stay_only_when_they_may),
        cmocka_unit_test(test_nothing_that_runs_loads_or_escapes_its_box_comes_out),
        cmocka_unit_test(test_sheets_keep_rules_whose_selectors_we_know),
        cmocka_unit_test(test_of_at_rules_only_media_stays),
        cmocka_unit_test(test_colours_are_noticed),
        cmocka_unit_test(test_hostile_repetition_takes_linear_time),
        cmocka_unit_test(test_a_full_buffer_holds_whole_declarations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

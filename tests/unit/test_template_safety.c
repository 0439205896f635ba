/* What templates refuse when compiled, and how values are escaped for their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/template/template.h"
#include "server/template/value_private.h"
#include "server/template/view.h"

static const char hostile[] = "\"'><script>alert(1)</script>&/..//x?#\r\n";

static const struct value *call_asset(void *context, struct arena *arena, struct str text,
                                      const struct value *page)
{
    (void)context;
    (void)page;
    return value_url(arena, arena_printf(arena, "/static/%.*s", (int)text.length, text.at));
}
static const struct value *call_echo(void *context, struct arena *arena, struct str text,
                                     const struct value *page)
{
    (void)context;
    (void)page;
    return value_str(arena, text);
}
static const struct template_function functions[] = {{"asset", call_asset, NULL},
                                                     {"echo", call_echo, NULL}};

/* Compiles `text` alone (beside a partial "p") and renders it. Returns the output, or NULL. */
static const char *render(struct arena *arena, const char *text, const struct value *page,
                          struct error *err)
{
    struct template_source sources[] = {{"main", str_of(text)},
                                        {"p", STR("<i>{{text}}</i>")},
                                        {"frame", STR("<title>{{$title}}-{{/title}}</title>"
                                                      "<main>{{$main}}-{{/main}}</main>")}};
    struct templates *set = templates_compile(sources, 3, functions, 2, err);
    if (!set)
        return NULL;
    struct buf out = BUF_INIT(4096);
    const char *result = NULL;
    if (template_render(set, "main", page, arena, &out, err))
        result = arena_text(arena, buf_view(&out));
    buf_free(&out);
    templates_free(&set);
    return result;
}

static const struct value *sample(struct arena *arena)
{
    struct value *page = view_object(arena);
    view_set_text(page, "text", hostile);
    view_set_text(page, "word", "a b/c&d");
    view_set_i64(page, "zero", 0);
    view_set_bool(page, "yes", true);
    view_set_text(page, "empty", "");
    view_set_html(page, "html", STR("<b>bold</b>"));
    view_set_url(page, "url", STR("/a?b=1&c=2"));
    view_set_url(page, "evil", STR("java\tscript:alert(1)"));
    view_set_path(page, "path", "/mail/%d", 7);
    struct value *list = view_set_list(page, "list");
    view_add_str(list, STR("one"));
    view_add_str(list, STR("<two>"));
    return page;
}

struct row {
    const char *template, *expected; /* expected NULL: refused or failed */
};

static const struct row rendered[] = {
    {"{{text}}", "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;/..//x?#\r\n"},
    {"<p title=\"{{text}}\">",
     "<p title=\"&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;/..//x?#\r\n\">"},
    {"<a href=\"/m/{{word}}\">", "<a href=\"/m/a%20b%2Fc%26d\">"},
    {"<a href=\"?q={{word}}#{{zero}}\">", "<a href=\"?q=a%20b%2Fc%26d#0\">"},
    {"<a href=\"mailto:{{word}}\">", "<a href=\"mailto:a%20b%2Fc%26d\">"},
    {"<a href=\"{{url}}\">", "<a href=\"/a?b=1&amp;c=2\">"},
    {"<a href=\"{{evil}}\">", "<a href=\"about:blank#refused\">"},
    {"<a href=\"{{path}}\">", "<a href=\"/mail/7\">"},
    {"<a href='{{path}}'>", "<a href='/mail/7'>"},
    {"<link href=\"{{#asset}}app.css{{/asset}}\">", "<link href=\"/static/app.css\">"},
    {"{{#echo}}a<b>{{/echo}}", "a&lt;b&gt;"},
    {"{{{html}}}|{{&html}}|{{html}}", "<b>bold</b>|<b>bold</b>|&lt;b&gt;bold&lt;/b&gt;"},
    {"{{#zero}}[{{zero}}]{{/zero}}", "[0]"},
    {"{{#empty}}x{{/empty}}{{^empty}}y{{/empty}}", "y"},
    {"{{#list}}<li>{{.}}</li>{{/list}}", "<li>one</li><li>&lt;two&gt;</li>"},
    {"<input{{#yes}} checked{{/yes}}>", "<input checked>"},
    {"<input type=text{{#empty}} checked{{/empty}} name=\"x\">", "<input type=text name=\"x\">"},
    {"<p class=\"a{{#yes}} b{{/yes}}\">", "<p class=\"a b\">"},
    {"<!-- {{! nothing }} -->{{zero}}", "<!--  -->0"},
    {"<script>if (a<b) x()</script>{{zero}}", "<script>if (a<b) x()</script>0"},
    {"<title>{{zero}} < 1</title>", "<title>0 < 1</title>"},
    {"{{<frame}}{{$title}}T{{/title}}{{$main}}<b>{{zero}}</b>{{/main}}{{/frame}}",
     "<title>T</title><main><b>0</b></main>"},
    {"a < b {{zero}}", "a < b 0"},
    {"<p>{{missing.name}}</p>", "<p></p>"},
    {"{{#p}}{{/p}}{{> p}}",
     "<i>&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;/..//x?#\r\n</i>"},
};

static const struct row refused[] = {
    {"<script>{{zero}}</script>", NULL},
    {"<style>{{zero}}</style>", NULL},
    {"<SCRIPT >{{#yes}}x{{/yes}}</SCRIPT>", NULL},
    {"<!-- {{zero}} -->", NULL},
    {"<{{zero}}>", NULL},
    {"</{{zero}}>", NULL},
    {"<h{{zero}}>", NULL},
    {"<p {{zero}}>", NULL},
    {"<p data-{{zero}}=\"x\">", NULL},
    {"<p title={{zero}}>", NULL},
    {"<p title=x{{zero}}>", NULL},
    {"<p style=\"{{zero}}\">", NULL},
    {"<img srcset=\"{{zero}}\">", NULL},
    {"<iframe srcdoc=\"{{zero}}\"></iframe>", NULL},
    {"<p onclick=\"{{zero}}\">", NULL},
    {"<p ONclick='{{zero}}'>", NULL},
    {"<meta http-equiv=\"refresh\">", NULL},
    {"<a href=\"java{{word}}\">", NULL},
    {"<a href=\"javascript:{{word}}\">", NULL},
    {"<a href=\"/{{word}}/x\">", NULL},
    {"<a href=\"{{#yes}}/{{/yes}}x\">", NULL},
    {"<p title=\"{{{html}}}\">", NULL},
    {"<title>{{{html}}}</title>", NULL},
    {"<title>a</ti{{zero}}", NULL},
    {"<p>{{#yes}}<p {{/yes}}>", NULL},
    {"<p title=\"{{#yes}}\"{{/yes}}>", NULL},
    {"<p {{#yes}}on{{/yes}}click=\"x\">", NULL},
    {"<p {{#yes}}title=\"x\"{{/yes}}>", NULL},
    {"<p title=\"a\"class=\"b\">", NULL},
    {"<p title=\"a", NULL},
    {"<p", NULL},
    {"{{#yes}}", NULL},
    {"{{/yes}}", NULL},
    {"{{#yes}}{{/no}}", NULL},
    {"{{zero", NULL},
    {"{{}}", NULL},
    {"{{a b}}", NULL},
    {"{{> nowhere}}", NULL},
    {"<p title=\"{{> p}}\">", NULL},
    {"<p title=\"{{$x}}{{/x}}\">", NULL},
    {"{{#echo}}{{zero}}{{/echo}}", NULL},
    {"{{<frame}}{{zero}}{{/frame}}", NULL},
    {"{{<frame}}{{$title}}<b>T</b>{{/title}}{{/frame}}", NULL},
    {"{{<frame}}{{$title}}{{{html}}}{{/title}}{{/frame}}", NULL},
};

static const struct row failing[] = {
    {"{{{text}}}", NULL},
    {"<a href=\"{{word}}\">", NULL},
    {"<a href=\"{{zero}}\">", NULL},
    {"{{yes}}", NULL},
    {"{{list}}", NULL},
    {"{{{url}}}", NULL},
    {"{{#yes}}{{> main}}{{/yes}}", NULL},
};

static void test_values_are_escaped_for_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rendered / sizeof *rendered; i++) {
        struct arena *arena = arena_new();
        struct error err = ERROR_INIT;
        const char *got = render(arena, rendered[i].template, sample(arena), &err);
        if (!got)
            fail_msg("%s: %s", rendered[i].template, err.message);
        assert_string_equal(got, rendered[i].expected);
        arena_free(&arena);
    }
}

static void test_unsafe_templates_are_refused_when_compiled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct arena *arena = arena_new();
        struct error err = ERROR_INIT;
        const char *got = render(arena, refused[i].template, sample(arena), &err);
        if (got || err.kind != ERROR_INVALID)
            fail_msg("not refused: %s", refused[i].template);
        if (strncmp(err.message, "templates/main.mustache:1: ", 27) != 0)
            fail_msg("%s: %s", refused[i].template, err.message);
        arena_free(&arena);
    }
}

static void test_values_of_the_wrong_type_fail_and_are_not_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        struct arena *arena = arena_new();
        struct error err = ERROR_INIT;
        const char *got = render(arena, failing[i].template, sample(arena), &err);
        if (got || (err.kind != ERROR_INTERNAL && err.kind != ERROR_LIMIT))
            fail_msg("did not fail: %s (%s)", failing[i].template, err.message);
        arena_free(&arena);
    }
}

static void test_only_paths_of_ours_and_harmless_schemes_are_links(void **state)
{
    (void)state;
    static const char *const good[] = {"/",          "/a",       "?a",         "#a",   "",
                                       "https://a/", "HTTP://a", "mailto:a@b", "tel:1"};
    static const char *const bad[] = {"//a",  "/\\a", "javascript:1", "data:x",  "a",
                                      "\t/a", "/a b", "/a\n",         "ftp://a", "\x01/a"};
    struct arena *arena = arena_new();
    struct value *page = view_object(arena);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        view_set_url(page, "url", str_of(good[i]));
        assert_true(str_equal(view_get(page, STR("url"))->text, str_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        view_set_url(page, "url", str_of(bad[i]));
        assert_true(str_equal(view_get(page, STR("url"))->text, STR("about:blank#refused")));
    }
    arena_free(&arena);
}

static void test_a_full_page_is_an_error(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct template_source source = {"main", STR("{{word}}{{word}}")};
    struct error err = ERROR_INIT;
    struct templates *set = templates_compile(&source, 1, NULL, 0, &err);
    struct buf out = BUF_INIT(5);
    assert_false(template_render(set, "main", sample(arena), arena, &out, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_false(template_render(set, "other", sample(arena), arena, &out, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    buf_free(&out);
    templates_free(&set);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_escaped_for_their_place),
        cmocka_unit_test(test_unsafe_templates_are_refused_when_compiled),
        cmocka_unit_test(test_values_of_the_wrong_type_fail_and_are_not_written),
        cmocka_unit_test(test_only_paths_of_ours_and_harmless_schemes_are_links),
        cmocka_unit_test(test_a_full_page_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

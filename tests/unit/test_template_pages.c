/* All of templates/, compiled and rendered with a sample view whose texts are hostile. With
 * RESTANTE_PAGES set to a folder, the pages are written there to be looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gumbo.h>
#include <jansson.h>

#include "server/base/assets.h"
#include "server/template/template.h"
#include "server/template/view.h"

static const char attack[] = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
static const char *const screens[] = {
    "sign-in",         "mailbox",      "message",        "accounts", "account-new",
    "account-servers", "account",      "account-delete", "settings", "error",
    "preparing",       "folders",      "folder",         "sure",     "refused",
    "archive",         "account-kind", "snoozed",        "labels"};

static const struct value *call_asset(void *context, struct arena *arena, struct str text,
                                      const struct value *page)
{
    (void)context;
    (void)page;
    struct error err = ERROR_INIT;
    struct str bytes;
    struct str name = arena_printf(arena, "static/%.*s", (int)text.length, text.at);
    if (!asset_read(arena, name, &bytes, &err))
        fail_msg("%s", err.message);
    return value_url(arena, arena_printf(arena, "/static/%.*s", (int)text.length, text.at));
}
static const struct template_function functions[] = {{"asset", call_asset, NULL}};

/* A text of the sample: "url:..." and "html:..." are typed; HOSTILE is followed by an attack. */
static const struct value *text_value(struct arena *arena, struct str text)
{
    if (str_starts(text, STR("url:")))
        return value_url(arena, str_skip(text, 4));
    if (str_starts(text, STR("html:")))
        return value_html(arena, str_skip(text, 5));
    ptrdiff_t at = str_find(text, STR("HOSTILE"));
    if (at < 0)
        return value_str(arena, text);
    return value_str(arena, arena_printf(arena, "%.*s%s", (int)at, text.at, attack));
}

static const struct value *value_of(struct arena *arena, json_t *json)
{
    struct value *holder = view_object(arena);
    const char *key;
    json_t *item;
    size_t i;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        json_object_foreach(json, key, item) view_set_value(holder, key, value_of(arena, item));
        return holder;
    case JSON_ARRAY: {
        struct value *list = view_set_list(holder, "value");
        json_array_foreach(json, i, item) view_add_value(list, value_of(arena, item));
        return list;
    }
    case JSON_STRING:
        return text_value(arena, str_of(json_string_value(json)));
    case JSON_INTEGER:
        view_set_i64(holder, "value", json_integer_value(json));
        break;
    default:
        view_set_bool(holder, "value", json_is_true(json));
    }
    return view_get(holder, STR("value"));
}

struct sample {
    struct templates *templates;
    json_t *json;
};

static int set_up(void **state)
{
    struct error err = ERROR_INIT;
    json_error_t json_error;
    struct sample *sample = calloc(1, sizeof *sample);
    sample->templates = templates_load(functions, 1, &err);
    sample->json = json_load_file("tests/unit/template_pages.json", 0, &json_error);
    if (!sample->templates)
        print_error("%s\n", err.message);
    *state = sample;
    return sample->templates && sample->json ? 0 : -1;
}

static int tear_down(void **state)
{
    struct sample *sample = *state;
    templates_free(&sample->templates);
    json_decref(sample->json);
    free(sample);
    return 0;
}

static void keep_page(const char *screen, struct str page)
{
    char path[500];
    const char *folder = getenv("RESTANTE_PAGES");
    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/%s.html", folder, screen);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(page.at, 1, page.length, file);
    fclose(file);
}

static struct str render(struct sample *sample, const char *screen, struct arena *arena)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT(1024 * 1024);
    if (!template_render(sample->templates, screen, value_of(arena, sample->json), arena, &out,
                         &err))
        fail_msg("%s: %s", screen, err.message);
    struct str page = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return page;
}

static size_t count(struct str text, const char *what)
{
    size_t found = 0;
    for (ptrdiff_t at; (at = str_find(text, str_of(what))) >= 0; found++)
        text = str_skip(text, (size_t)at + 1);
    return found;
}

static void test_hostile_text_is_escaped_on_every_screen(void **state)
{
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct arena *arena = arena_new();
        struct str page = render(*state, screens[i], arena);
        keep_page(screens[i], page);
        assert_int_equal(count(page, "<script"),
                         count(page, "<script type=\"module\" src=\"/static/"));
        assert_int_equal(count(page, "<img src=x"), 0);
        assert_int_equal(count(page, "\"'>"), 0);
        arena_free(&arena);
    }
}

/* Counted by a parser that knows the standard: an element left open, closed twice, or in a place
 * where it may not be. */
static void test_every_screen_is_well_formed(void **state)
{
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct arena *arena = arena_new();
        struct str page = render(*state, screens[i], arena);
        GumboOutput *output = gumbo_parse_with_options(&kGumboDefaultOptions, page.at, page.length);
        if (output->errors.length)
            fail_msg("%s has %u errors", screens[i], output->errors.length);
        gumbo_destroy_output(&kGumboDefaultOptions, output);
        arena_free(&arena);
    }
}

/* Labels, by hand: each field that is not hidden has an id that a label names, is inside one, or
 * says itself what it is. */
static void test_every_field_has_a_label(void **state)
{
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct arena *arena = arena_new();
        struct str page = render(*state, screens[i], arena), rest = page;
        for (ptrdiff_t at; (at = str_find(rest, STR("<input id=\""))) >= 0;) {
            rest = str_skip(rest, (size_t)at + 11);
            struct str id = str_sub(rest, 0, (size_t)str_find_char(rest, '"'));
            struct str label = arena_printf(arena, " for=\"%.*s\">", STR_ARG(id));
            if (str_find(page, label) < 0)
                fail_msg("%s: %.*s has no label", screens[i], STR_ARG(id));
        }
        size_t fields = count(page, "<input ") - count(page, "<input type=\"hidden\"") -
                        count(page, "<input type=\"radio\"") -
                        count(page, "<input type=\"checkbox\"") -
                        count(page, "<input type=\"datetime-local\" aria-label=");
        assert_int_equal(fields, count(page, "<input id=\""));
        arena_free(&arena);
    }
}

/* The Content-Security-Policy would not let them do anything. */
static void test_no_screen_has_inline_styles_or_scripts(void **state)
{
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct arena *arena = arena_new();
        struct str page = render(*state, screens[i], arena);
        assert_int_equal(count(page, " style="), 0);
        assert_int_equal(count(page, "<style"), 0);
        assert_int_equal(count(page, " onclick="), 0);
        arena_free(&arena);
    }
}

static void test_every_screen_has_language_title_one_main_and_a_skip_link(void **state)
{
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct arena *arena = arena_new();
        struct str page = render(*state, screens[i], arena);
        assert_true(str_starts(page, STR("<!doctype html>")));
        assert_int_equal(count(page, "<html lang=\"en\">"), 1);
        assert_int_equal(count(page, "<title>"), 1);
        assert_int_equal(count(page, "<main id=\"main\""), 1);
        assert_int_equal(count(page, "href=\"#main\""), 1 + (count(page, "class=\"side\"") > 0));
        assert_int_equal(count(page, "<h1"), 1);
        arena_free(&arena);
    }
}

static void test_the_frame_of_a_message_holds_what_the_sanitiser_gave(void **state)
{
    struct arena *arena = arena_new();
    struct sample *sample = *state;
    json_t *parts = json_pack("[{s:s, s:s}]", "style", "html:<style>p{margin:0}</style>", "html",
                              "html:<p>Hello</p>");
    json_object_set_new(sample->json, "parts", parts);
    struct str page = render(sample, "frame", arena);
    keep_page("frame", page);
    assert_true(str_find(page, STR("<style>p{margin:0}</style>")) > 0);
    assert_true(str_find(page, STR("<div><p>Hello</p></div>")) > 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_text_is_escaped_on_every_screen),
        cmocka_unit_test(test_every_screen_is_well_formed),
        cmocka_unit_test(test_every_field_has_a_label),
        cmocka_unit_test(test_no_screen_has_inline_styles_or_scripts),
        cmocka_unit_test(test_every_screen_has_language_title_one_main_and_a_skip_link),
        cmocka_unit_test(test_the_frame_of_a_message_holds_what_the_sanitiser_gave),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

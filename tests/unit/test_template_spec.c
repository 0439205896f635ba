/* The official Mustache specification, when a copy of it is there: ../shared/corpus/mustache-spec.
 * Its texts are given as safe HTML values, because it puts any text into {{{ }}}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/template/template.h"
#include "server/template/view.h"

static const char *const folder = "../shared/corpus/mustache-spec";

/* Where we differ on purpose; see server/template/README.md. Texts that end in a bare "<" are run
 * with "(" in its place; the others are not run. */
struct deviation {
    const char *module, *test, *why;
    bool is_bare;
};
static const struct deviation deviations[] = {
    {"partials", "Failed Lookup", "a partial that is not there is a mistake found at start", false},
    {"partials", "Recursion", "a bare \"<\" before a tag is refused", true},
    {"comments", "Variable Name Collision", "a bare \"<\" at the end is refused", true},
    {"~inheritance", "Standalone block", "white space only", false},
    {"~inheritance", "Block reindentation", "white space only", false},
    {"~inheritance", "Intrinsic indentation", "white space only", false},
    {"~inheritance", "Nested block reindentation", "white space only", false},
};

static const struct deviation *deviation_of(const char *module, const char *test)
{
    for (size_t i = 0; i < sizeof deviations / sizeof *deviations; i++)
        if (!strcmp(deviations[i].module, module) && !strcmp(deviations[i].test, test))
            return &deviations[i];
    return NULL;
}

static struct str text_of(struct arena *arena, const json_t *json, bool is_bare)
{
    char *text = arena_text(arena, str_of(json_string_value(json)));
    for (char *c = text; is_bare && *c; c++)
        if (*c == '<')
            *c = '(';
    return str_of(text);
}

static const struct value *value_of(struct arena *arena, const json_t *json)
{
    struct value *holder = view_object(arena);
    const char *key;
    json_t *item;
    size_t i;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        json_object_foreach((json_t *)json, key, item) /* jansson's macro takes no const */
            view_set_value(holder, key, value_of(arena, item));
        return holder;
    case JSON_ARRAY: {
        struct value *list = view_set_list(holder, "list");
        json_array_foreach(json, i, item) view_add_value(list, value_of(arena, item));
        return list;
    }
    case JSON_STRING:
        return value_html(arena, str_make(json_string_value(json), json_string_length(json)));
    case JSON_INTEGER:
        view_set_i64(holder, "value", json_integer_value(json));
        break;
    case JSON_REAL:
        return value_html(arena, arena_printf(arena, "%g", json_real_value(json)));
    case JSON_TRUE:
    case JSON_FALSE:
        view_set_bool(holder, "value", json_is_true(json));
        break;
    case JSON_NULL:
        view_set_text(holder, "value", NULL);
        break;
    }
    return view_get(holder, STR("value"));
}

static int run_case(const char *module, const json_t *test)
{
    const char *name = json_string_value(json_object_get(test, "name"));
    const struct deviation *deviation = deviation_of(module, name);
    bool is_bare = deviation && deviation->is_bare;
    if (deviation)
        print_message("  deviates: %s, %s: %s\n", module, name, deviation->why);
    if (deviation && !is_bare)
        return 0;
    struct arena *arena = arena_new();
    struct template_source sources[8] = {
        {"main", text_of(arena, json_object_get(test, "template"), is_bare)}};
    size_t count = 1;
    const char *key;
    json_t *partial;
    json_object_foreach(json_object_get(test, "partials"), key, partial) sources[count++] =
        (struct template_source){key, text_of(arena, partial, is_bare)};
    struct buf out = BUF_INIT(100000);
    struct error err = ERROR_INIT;
    struct templates *set = templates_compile(sources, count, NULL, 0, &err);
    bool is_good =
        set && template_render(set, "main", value_of(arena, json_object_get(test, "data")), arena,
                               &out, &err);
    struct str expected = text_of(arena, json_object_get(test, "expected"), is_bare);
    is_good = is_good && str_equal(buf_view(&out), expected);
    if (!is_good)
        print_message("%s, %s: %s\n  want [%s]\n  got  [%s]\n", module, name, err.message,
                      expected.at, out.at ? out.at : "");
    templates_free(&set);
    buf_free(&out);
    arena_free(&arena);
    return !is_good;
}

static void run_module(const char *module)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s.json", folder, module);
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    json_error_t json_error;
    json_t *spec = json_load_file(path, 0, &json_error);
    assert_non_null(spec);
    int failed = 0;
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(spec, "tests"), i, test) failed += run_case(module, test);
    json_decref(spec);
    assert_int_equal(failed, 0);
}

#define MODULE_TEST(name, file)                                        \
    static void test_the_specification_of_##name##_holds(void **state) \
    {                                                                  \
        (void)state;                                                   \
        run_module(file);                                              \
    }
MODULE_TEST(comments, "comments")
MODULE_TEST(delimiters, "delimiters")
MODULE_TEST(interpolation, "interpolation")
MODULE_TEST(inverted, "inverted")
MODULE_TEST(partials, "partials")
MODULE_TEST(sections, "sections")
MODULE_TEST(inheritance, "~inheritance")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_specification_of_comments_holds),
        cmocka_unit_test(test_the_specification_of_delimiters_holds),
        cmocka_unit_test(test_the_specification_of_interpolation_holds),
        cmocka_unit_test(test_the_specification_of_inverted_holds),
        cmocka_unit_test(test_the_specification_of_partials_holds),
        cmocka_unit_test(test_the_specification_of_sections_holds),
        cmocka_unit_test(test_the_specification_of_inheritance_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

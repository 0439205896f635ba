#include "handlers/html/render_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned char one[TOKEN_HASH_BYTES] = {1, 1}, same_place[TOKEN_HASH_BYTES] = {1, 2};

static struct parser_rendered rendered_of(struct str html)
{
    return (struct parser_rendered){.verdict = PARSER_PARSED,
                                    .is_html = true,
                                    .html = html,
                                    .css = STR("p{}"),
                                    .remote_count = 3,
                                    .remote_hosts = STR("a.example")};
}

static void assert_str(struct str text, const char *expected)
{
    assert_true(str_equal(text, str_of(expected)));
}

static void test_what_was_put_comes_back_whole(void **state)
{
    (void)state;
    struct render_cache *cache = render_cache_new();
    struct arena *arena = arena_new();
    struct parser_rendered put = rendered_of(STR("<p>hello</p>")), got;
    assert_false(render_cache_get(cache, one, arena, &got));
    render_cache_put(cache, one, &put);
    assert_true(render_cache_get(cache, one, arena, &got));
    render_cache_free(&cache); /* what was got is the caller's */
    assert_str(got.html, "<p>hello</p>");
    assert_str(got.css, "p{}");
    assert_str(got.remote_hosts, "a.example");
    assert_int_equal(got.remote_count, 3);
    assert_true(got.is_html);
    arena_free(&arena);
}

static void test_another_key_in_the_same_place_replaces_and_is_never_mistaken(void **state)
{
    (void)state;
    struct render_cache *cache = render_cache_new();
    struct arena *arena = arena_new();
    struct parser_rendered first = rendered_of(STR("first")), second = rendered_of(STR("second"));
    struct parser_rendered got;
    render_cache_put(cache, one, &first);
    assert_false(render_cache_get(cache, same_place, arena, &got));
    render_cache_put(cache, same_place, &second);
    assert_false(render_cache_get(cache, one, arena, &got));
    assert_true(render_cache_get(cache, same_place, arena, &got));
    assert_str(got.html, "second");
    render_cache_free(&cache);
    arena_free(&arena);
}

static void test_poison_and_large_texts_are_not_kept(void **state)
{
    (void)state;
    struct render_cache *cache = render_cache_new();
    struct arena *arena = arena_new();
    struct parser_rendered poison = {.verdict = PARSER_POISON}, got;
    struct parser_rendered large = rendered_of(str_make(arena_alloc(arena, 1 << 20), 1 << 20));
    render_cache_put(cache, one, &poison);
    render_cache_put(cache, one, &large);
    assert_false(render_cache_get(cache, one, arena, &got));
    render_cache_free(&cache);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put_comes_back_whole),
        cmocka_unit_test(test_another_key_in_the_same_place_replaces_and_is_never_mistaken),
        cmocka_unit_test(test_poison_and_large_texts_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

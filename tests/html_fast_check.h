/* The oracle for the fast parser, shared by unit tests and fuzzing: where it takes a document,
 * what comes out is what gumbo's tree gives, byte for byte. */
#ifndef RESTANTE_TESTS_HTML_FAST_CHECK_H
#define RESTANTE_TESTS_HTML_FAST_CHECK_H

#include "tests/html_check.h"

/* Does the fast parser take it? */
static inline bool html_fast_takes(struct str html)
{
    struct arena *arena = arena_new();
    bool is_taken = html_fast_parse(arena, html) != NULL;
    arena_free(&arena);
    return is_taken;
}

/* True when the fast parser took it. Aborts when the two ways differ. */
static inline bool html_fast_check(struct str html, const struct html_options *options)
{
    if (!html_fast_takes(html))
        return false;
    struct html_safe fast, slow;
    bool is_fast_safe = html_sanitise_by(&fast, html, options, true);
    bool is_slow_safe = html_sanitise_by(&slow, html, options, false);
    /* gumbo may run into its fences where ours does not. */
    if (is_slow_safe) {
        HTML_CHECK(is_fast_safe, "only gumbo takes:\n%.*s\n", STR_ARG(html));
        HTML_CHECK(str_equal(buf_view(&fast.body), buf_view(&slow.body)),
                   "differs:\n%.*s\nfast:\n%.*s\ngumbo:\n%.*s\n", STR_ARG(html),
                   STR_ARG(buf_view(&fast.body)), STR_ARG(buf_view(&slow.body)));
        HTML_CHECK(str_equal(buf_view(&fast.css), buf_view(&slow.css)), "sheet:\n%.*s\n",
                   STR_ARG(html));
        HTML_CHECK(str_equal(buf_view(&fast.remote_hosts), buf_view(&slow.remote_hosts)) &&
                       fast.remote_count == slow.remote_count &&
                       fast.deceptive_links == slow.deceptive_links &&
                       fast.brings_own_colours == slow.brings_own_colours &&
                       fast.can_be_turned == slow.can_be_turned && fast.is_cut == slow.is_cut,
                   "findings:\n%.*s\n", STR_ARG(html));
    }
    html_safe_free(&fast);
    html_safe_free(&slow);
    return true;
}

#endif

/* What the tests of mail/ share. */
#ifndef RESTANTE_TESTS_MAIL_FIXTURE_H
#define RESTANTE_TESTS_MAIL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/utf8.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Compares a slice with a C string and shows both. */
#define assert_str(actual, expected)                                                   \
    do {                                                                               \
        struct str got_ = (actual), want_ = str_of(expected);                          \
        if (!str_equal(got_, want_))                                                   \
            fail_msg("got \"%" STR_FMT "\", expected \"%" STR_FMT "\"", STR_ARG(got_), \
                     STR_ARG(want_));                                                  \
    } while (0)

/* The same with what it came from, for tables. */
#define assert_str_of(given, actual, expected)                                              \
    do {                                                                                    \
        struct str got_ = (actual), want_ = str_of(expected);                               \
        if (!str_equal(got_, want_))                                                        \
            fail_msg("of \"%s\": got \"%" STR_FMT "\", expected \"%" STR_FMT "\"", (given), \
                     STR_ARG(got_), STR_ARG(want_));                                        \
    } while (0)

/* An arena for each test. */
static inline int make_arena(void **state)
{
    *state = arena_new();
    return 0;
}

static inline int drop_arena(void **state)
{
    struct arena *arena = *state;
    arena_free(&arena);
    return 0;
}

#define MAIL_TEST(function) cmocka_unit_test_setup_teardown(function, make_arena, drop_arena)

/* Nothing that goes to the database may be ill-formed, or hold a NUL. */
static inline void assert_text(struct str text)
{
    if (!utf8_is_valid(text) || (text.length && memchr(text.at, '\0', text.length)))
        fail_msg("not clean text: \"%" STR_FMT "\"", STR_ARG(text));
}

/* `piece` `count` times. */
static inline void repeat(struct buf *out, const char *piece, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_text(out, piece);
}

#endif

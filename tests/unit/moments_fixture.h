/* Moments for tests of words and clocks: an arena, UTC as the server's zone, times as text. */
#ifndef RESTANTE_TESTS_MOMENTS_FIXTURE_H
#define RESTANTE_TESTS_MOMENTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "server/base/arena.h"
#include "server/base/clock.h"
#include "tests/unit/assert_str.h"

static inline int set_up(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    *state = arena_new();
    return 0;
}

static inline int tear_down(void **state)
{
    struct arena *arena = *state;
    arena_free(&arena);
    return 0;
}

static inline int64_t at(const char *text)
{
    int64_t at_us = 0;
    assert_true(clock_parse_rfc3339(str_of(text), &at_us));
    return at_us;
}

#endif

/* A slice against the text it should be; NULL: there should be none. Behind cmocka.h. */
#ifndef RESTANTE_TESTS_ASSERT_STR_H
#define RESTANTE_TESTS_ASSERT_STR_H

#include "server/base/str.h"

static inline void check_str(struct str got, const char *want, int line)
{
    if (!want ? got.at != NULL : (!got.at || !str_equal(got, str_of(want))))
        fail_msg("line %d: wanted %s, got \"%.*s\"", line, want ? want : "(nothing)",
                 (int)got.length, got.at ? got.at : "");
}
#define assert_str(got, want) check_str((got), (want), __LINE__)

#endif

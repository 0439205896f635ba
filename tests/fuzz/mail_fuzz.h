/* What the harnesses of mail/ share. */
#ifndef RESTANTE_TESTS_MAIL_FUZZ_H
#define RESTANTE_TESTS_MAIL_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "server/base/arena.h"
#include "server/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* What must hold whatever the input. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

static inline void require_text(struct str text)
{
    REQUIRE(utf8_is_valid(text));
    REQUIRE(text.length == 0 || !memchr(text.at, '\0', text.length));
}

/* The input in memory of exactly its size, so that a read beyond it is seen. */
static inline struct str fuzz_input(const uint8_t *bytes, size_t length)
{
    return str_make(length ? (const void *)bytes : "", length);
}

#endif

/* A response as text in a test or from a fuzzer becomes what the wire would make of it. */
#ifndef RESTANTE_TESTS_IMAP_TEXT_FIXTURE_H
#define RESTANTE_TESTS_IMAP_TEXT_FIXTURE_H

#include "server/imap/parse.h"

/* Joins lines and literals ("{3}\r\nabc") up to the end of the first response. */
static inline struct imap_text imap_text_of(struct arena *arena, struct str raw)
{
    char *joined = arena_alloc(arena, raw.length + 1);
    struct imap_literal *literals = ARENA_ARRAY(arena, raw.length / 4 + 1, struct imap_literal);
    struct imap_text text = {.literals = literals};
    size_t length = 0;
    while (raw.length) {
        ptrdiff_t end = str_find(raw, STR("\r\n"));
        struct str line = end < 0 ? raw : str_sub(raw, 0, (size_t)end);
        memcpy(joined + length, line.at, line.length);
        length += line.length;
        raw = str_skip(raw, line.length + 2);
        ptrdiff_t open = (ptrdiff_t)line.length - 1;
        while (open >= 0 && line.at[open] != '{')
            open--;
        uint64_t size;
        if (end < 0 || open < 0 || !str_ends(line, STR("}")) ||
            !str_to_u64(str_sub(line, (size_t)open + 1, line.length - (size_t)open - 2), &size))
            break;
        struct str bytes = str_sub(raw, 0, size < raw.length ? (size_t)size : raw.length);
        bool is_binary = open > 0 && line.at[open - 1] == '~';
        literals[text.literal_count++] =
            (struct imap_literal){.marker = length - line.length + (size_t)open - is_binary,
                                  .at = length,
                                  .held = bytes.length,
                                  .size = size};
        memcpy(joined + length, bytes.at, bytes.length);
        length += bytes.length;
        raw = str_skip(raw, bytes.length);
    }
    text.bytes = str_make(joined, length);
    return text;
}

#endif

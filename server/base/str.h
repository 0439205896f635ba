/* A borrowed slice of bytes: a pointer and a length, not NUL-terminated, owned by someone else.
 * Parsers return slices into their input; a slice lives as long as what it points into. */
#ifndef RESTANTE_BASE_STR_H
#define RESTANTE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *at; /* first byte; may be NULL only when length is 0 */
    size_t length;  /* bytes */
};

#define STR_EMPTY ((struct str){"", 0})
/* A string literal as a slice. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s" as "%" STR_FMT. */
#define STR_FMT ".*s"
#define STR_ARG(s) (int)((s).length > 1000000 ? 1000000 : (s).length), (s).at ? (s).at : ""

/* The slice of a NUL-terminated string; NULL becomes the empty slice. */
static inline struct str str_of(const char *text)
{
    return text ? (struct str){text, strlen(text)} : STR_EMPTY;
}

/* The slice of `length` bytes at `at`. */
static inline struct str str_make(const void *at, size_t length)
{
    return (struct str){at, length};
}

static inline bool str_is_empty(struct str s)
{
    return s.length == 0;
}

/* Equal byte for byte. */
bool str_equal(struct str a, struct str b);
/* Equal when ASCII letters are folded; other bytes as they are (what mail protocols mean). */
bool str_equal_nocase(struct str a, struct str b);
/* <0, 0, >0 as memcmp over the bytes, the shorter first. */
int str_compare(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_nocase(struct str s, struct str suffix);

/* The slice from byte `from` (clamped to the end), at most `length` bytes long; and the slice
 * without its first `n` bytes. Every reader takes its steps with them. */
#ifdef __clang_analyzer__ /* follows them where no slice ever is */
struct str str_sub(struct str s, size_t from, size_t length);
struct str str_skip(struct str s, size_t n);
#else
static inline struct str str_sub(struct str s, size_t from, size_t length)
{
    if (from > s.length)
        from = s.length;
    if (length > s.length - from)
        length = s.length - from;
    return (struct str){from ? s.at + from : s.at, length}; /* `at` may be NULL */
}
static inline struct str str_skip(struct str s, size_t n)
{
    return str_sub(s, n, SIZE_MAX);
}
#endif
/* Without ASCII white space (space, tab, CR, LF, FF, VT) at either end. */
struct str str_trim(struct str s);

/* The index of the first `c` (or first `needle`), or -1. */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_nocase(struct str s, struct str needle);

/* Cuts `*rest` at the first `separator`: returns what is before it and leaves what is after it.
 * Without a separator returns all and leaves the empty slice with a NULL pointer, so that
 * `while (rest.at)` visits each field once, empty ones too. */
struct str str_cut(struct str *rest, char separator);

/* True when `word` stands in the list, separated by spaces. */
bool str_has_word(struct str words, struct str word);
bool str_has_word_nocase(struct str words, struct str word);

/* A decimal number with nothing around it and no sign; false on anything else or overflow. */
bool str_to_u64(struct str s, uint64_t *number);
bool str_to_u32(struct str s, uint32_t *number);
bool str_to_i64(struct str s, int64_t *number);

/* Copies into a C buffer and terminates it; false (and an empty buffer) if it does not fit or
 * holds a NUL. */
bool str_copy(struct str s, char *target, size_t size);

/* ASCII only, independent of the locale. */
static inline bool ascii_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

#endif

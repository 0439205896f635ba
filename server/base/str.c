#include "server/base/str.h"

#include <assert.h>

bool str_equal(struct str a, struct str b)
{
    assert((a.length == 0 || a.at) && (b.length == 0 || b.at));
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.length != b.length)
        return false;
    assert(a.length == 0 || (a.at && b.at));
    for (size_t i = 0; i < a.length; i++)
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

int str_compare(struct str a, struct str b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.length >= prefix.length && str_equal(str_sub(s, 0, prefix.length), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.length >= prefix.length && str_equal_nocase(str_sub(s, 0, prefix.length), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.length >= suffix.length && str_equal(str_skip(s, s.length - suffix.length), suffix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.length >= suffix.length &&
           str_equal_nocase(str_skip(s, s.length - suffix.length), suffix);
}

struct str str_trim(struct str s)
{
    while (s.length > 0 && ascii_is_space(s.at[0]))
        s = str_skip(s, 1);
    while (s.length > 0 && ascii_is_space(s.at[s.length - 1]))
        s.length--;
    return s;
}

ptrdiff_t str_find_char(struct str s, char c)
{
    const char *hit = s.length ? memchr(s.at, c, s.length) : NULL;
    return hit ? hit - s.at : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.length == 0)
        return 0;
    if (s.length == 0)
        return -1;
    const char *hit = memmem(s.at, s.length, needle.at, needle.length);
    return hit ? hit - s.at : -1;
}

ptrdiff_t str_find_nocase(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.length <= s.length; i++)
        if (str_equal_nocase(str_sub(s, i, needle.length), needle))
            return (ptrdiff_t)i;
    return -1;
}

struct str str_cut(struct str *rest, char separator)
{
    ptrdiff_t at = str_find_char(*rest, separator);
    struct str head = *rest;
    if (at < 0) {
        *rest = (struct str){NULL, 0};
        if (!head.at)
            head = STR_EMPTY;
        return head;
    }
    head.length = (size_t)at;
    *rest = str_skip(*rest, (size_t)at + 1);
    return head;
}

bool str_has_word(struct str words, struct str word)
{
    while (words.at)
        if (str_equal(str_cut(&words, ' '), word))
            return true;
    return false;
}

bool str_has_word_nocase(struct str words, struct str word)
{
    while (words.at)
        if (str_equal_nocase(str_cut(&words, ' '), word))
            return true;
    return false;
}

bool str_to_u64(struct str s, uint64_t *number)
{
    uint64_t value = 0;
    if (s.length == 0)
        return false;
    assert(s.at);
    for (size_t i = 0; i < s.length; i++) {
        if (!ascii_is_digit(s.at[i]))
            return false;
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

bool str_to_u32(struct str s, uint32_t *number)
{
    uint64_t wide;
    if (!str_to_u64(s, &wide) || wide > UINT32_MAX)
        return false;
    *number = (uint32_t)wide;
    return true;
}

bool str_to_i64(struct str s, int64_t *number)
{
    uint64_t wide;
    bool is_negative = s.length > 0 && s.at[0] == '-';
    if (!str_to_u64(is_negative ? str_skip(s, 1) : s, &wide) || wide > INT64_MAX)
        return false;
    *number = is_negative ? -(int64_t)wide : (int64_t)wide;
    return true;
}

bool str_copy(struct str s, char *target, size_t size)
{
    if (size == 0)
        return false;
    target[0] = '\0';
    if (s.length >= size || str_find_char(s, '\0') >= 0)
        return false;
    if (s.length)
        memcpy(target, s.at, s.length);
    target[s.length] = '\0';
    return true;
}

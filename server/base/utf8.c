#include "server/base/utf8.h"

uint32_t utf8_next(struct str *s)
{
    const unsigned char *at = (const unsigned char *)s->at;
    uint32_t value;
    size_t length;
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    if (at[0] < 0x80) {
        value = at[0];
        length = 1;
    } else if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        value = at[0] & 0x1f;
        length = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        value = at[0] & 0x0f;
        length = 3;
        low = at[0] == 0xe0 ? 0xa0 : 0x80;
        high = at[0] == 0xed ? 0x9f : 0xbf;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        value = at[0] & 0x07;
        length = 4;
        low = at[0] == 0xf0 ? 0x90 : 0x80;
        high = at[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        *s = str_skip(*s, 1);
        return UTF8_REPLACEMENT;
    }
    for (size_t i = 1; i < length; i++) {
        if (i >= s->length || at[i] < low || at[i] > high) {
            *s = str_skip(*s, i);
            return UTF8_REPLACEMENT;
        }
        value = value << 6 | (at[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *s = str_skip(*s, length);
    return value;
}

/* True when the bytes at the front are U+FFFD itself and not a replaced error. */
static bool starts_with_replacement(struct str s)
{
    return str_starts(s, STR("\xef\xbf\xbd"));
}

/* How many bytes of ASCII it begins with, rounded down to whole words. */
static size_t ascii_words(struct str s)
{
    size_t at = 0;
    uint64_t word;
    for (; at + sizeof word <= s.length; at += sizeof word) {
        memcpy(&word, s.at + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

bool utf8_is_valid(struct str s)
{
    while (s.length) {
        if ((unsigned char)s.at[0] < 0x80) {
            size_t words = ascii_words(s);
            s = str_skip(s, words ? words : 1);
            continue;
        }
        struct str before = s;
        if (utf8_next(&s) == UTF8_REPLACEMENT && !starts_with_replacement(before))
            return false;
    }
    return true;
}

bool utf8_is_noncharacter(uint32_t character)
{
    return (character >= 0xfdd0 && character <= 0xfdef) || (character & 0xfffe) == 0xfffe;
}

void utf8_write(struct buf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = UTF8_REPLACEMENT;
    if (c < 0x80) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xc0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_char(out, (char)(0xe0 | c >> 12));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_char(out, (char)(0xf0 | c >> 18));
        buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

void utf8_repair(struct buf *out, struct str s)
{
    while (s.length) {
        size_t clean = 0; /* ASCII goes over in runs */
        while (clean < s.length && (unsigned char)s.at[clean] < 0x80 && s.at[clean] != '\0')
            clean++;
        buf_str(out, str_sub(s, 0, clean));
        s = str_skip(s, clean);
        if (s.length == 0)
            return;
        uint32_t c = utf8_next(&s);
        utf8_write(out, c ? c : UTF8_REPLACEMENT);
    }
}

struct str utf8_prefix(struct str s, size_t length)
{
    if (length >= s.length)
        return s;
    while (length > 0 && ((unsigned char)s.at[length] & 0xc0) == 0x80)
        length--;
    return str_sub(s, 0, length);
}

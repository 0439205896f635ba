#include "server/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

void buf_reset(struct buf *b)
{
    b->length = 0;
    b->is_full = false;
    if (b->at)
        b->at[0] = '\0';
}

void buf_free(struct buf *b)
{
    free(b->at);
    *b = BUF_INIT(b->limit);
}

char *buf_reserve(struct buf *b, size_t length)
{
    assert(b->length <= b->limit);
    if (b->is_full || length > b->limit - b->length) {
        b->is_full = true;
        return NULL;
    }
    size_t needed = b->length + length + 1;
    if (needed > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
        while (capacity < needed)
            capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
        if (capacity > b->limit + 1)
            capacity = b->limit + 1;
        char *grown = realloc(b->at, capacity);
        if (!grown)
            abort();
        b->at = grown;
        b->capacity = capacity;
    }
    return b->at + b->length;
}

bool buf_append(struct buf *b, const void *bytes, size_t length)
{
    char *target = buf_reserve(b, length);
    if (!target)
        return false;
    if (length)
        memcpy(target, bytes, length);
    b->length += length;
    b->at[b->length] = '\0';
    return true;
}

bool buf_str(struct buf *b, struct str s)
{
    return buf_append(b, s.at, s.length);
}

bool buf_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

bool buf_u64(struct buf *b, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return buf_append(b, digits + at, sizeof digits - at);
}

bool buf_i64(struct buf *b, int64_t number)
{
    if (number >= 0)
        return buf_u64(b, (uint64_t)number);
    return buf_char(b, '-') && buf_u64(b, (uint64_t) - (number + 1) + 1);
}

bool buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    assert(length >= 0);
    char *target = buf_reserve(b, (size_t)length);
    if (target) {
        vsnprintf(target, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    }
    va_end(again);
    return target != NULL;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool fits = buf_vprintf(b, format, args);
    va_end(args);
    return fits;
}

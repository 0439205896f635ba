/* The one growing byte buffer. Each declares at its creation how large it may become, so nothing
 * foreign grows without a bound. Running out of the machine's memory aborts (a disposable process
 * restarts); running into the declared limit is an ordinary, sticky failure: appends return false
 * and `is_full` stays set, so a caller may append many times and look once. */
#ifndef RESTANTE_BASE_BUF_H
#define RESTANTE_BASE_BUF_H

#include <stdarg.h>

#include "server/base/str.h"

struct buf {
    char *at;        /* owned; NULL until the first append; always NUL-terminated after it */
    size_t length;   /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t limit;    /* largest length allowed, in bytes */
    bool is_full;    /* an append was refused because of the limit */
};

#define BUF_INIT(limit_bytes) ((struct buf){.limit = (limit_bytes)})

/* Empties the buffer and keeps its memory. */
void buf_reset(struct buf *b);
/* Frees the memory; the buffer is empty and may be used again with the same limit. */
void buf_free(struct buf *b);

bool buf_append(struct buf *b, const void *bytes, size_t length);
bool buf_str(struct buf *b, struct str s);
bool buf_text(struct buf *b, const char *text);
bool buf_char(struct buf *b, char c);
bool buf_u64(struct buf *b, uint64_t number);
bool buf_i64(struct buf *b, int64_t number);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Room for `length` more bytes to be written at `at + length` by the caller (a read(2), say), who
 * then adds what was written to `length`. NULL when the limit forbids it. */
char *buf_reserve(struct buf *b, size_t length);

/* What is in it, valid until the next change. */
static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->at ? b->at : "", b->length};
}

#endif

/* UTF-8 (RFC 3629): checking, repairing, cutting. */
#ifndef RESTANTE_BASE_UTF8_H
#define RESTANTE_BASE_UTF8_H

#include "server/base/buf.h"

enum { UTF8_REPLACEMENT = 0xFFFD };

/* Decodes one character at `*s` and moves past it. An ill-formed sequence gives UTF8_REPLACEMENT
 * and moves past its maximal ill-formed prefix (Unicode 15, section 3.9, U+FFFD substitution).
 * `*s` must not be empty. */
uint32_t utf8_next(struct str *s);
bool utf8_is_valid(struct str s);
/* One of the 66 code points that stand for no character (Unicode 15, section 23.7). */
bool utf8_is_noncharacter(uint32_t character);
void utf8_write(struct buf *out, uint32_t character);
/* Appends `s` with ill-formed sequences and NUL replaced by U+FFFD: what PostgreSQL text takes. */
void utf8_repair(struct buf *out, struct str s);
/* The longest prefix of at most `length` bytes that does not cut a character. */
struct str utf8_prefix(struct str s, size_t length);

#endif

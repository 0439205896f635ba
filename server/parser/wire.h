/* Values as they cross between the pool and its children: numbers little-endian, strings with their
 * length in front. The reader trusts nothing: a count or length that the bytes do not bear out sets
 * `is_bad`, after which all reads give zero and empty; look once at the end. */
#ifndef RESTANTE_PARSER_WIRE_H
#define RESTANTE_PARSER_WIRE_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/mail/mime.h"

struct wire {
    struct str rest;
    bool is_bad;
};

void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_u64(struct buf *out, uint64_t value);
void wire_put_str(struct buf *out, struct str text);

uint8_t wire_u8(struct wire *in);
uint32_t wire_u32(struct wire *in);
uint64_t wire_u64(struct wire *in);
/* A slice of the message. */
struct str wire_str(struct wire *in);
/* A number of things that take at least `bytes_each` each; more than `max` is bad. */
uint32_t wire_count(struct wire *in, size_t bytes_each, uint32_t max);
/* Copied to the arena; bad unless it is valid UTF-8 without NUL of at most `bytes_max`. */
struct str wire_text(struct wire *in, struct arena *arena, size_t bytes_max);
/* The same, and empty or JSON that PostgreSQL takes as jsonb. */
struct str wire_json(struct wire *in, struct arena *arena, size_t bytes_max);
/* Copied; bad unless it is empty or what tsvectorrecv takes. */
struct str wire_tsvector(struct wire *in, struct arena *arena);
/* Everything was read and nothing was bad. */
bool wire_is_done(const struct wire *in);

/* One part without its links. */
void wire_put_part(struct buf *out, const struct mime_part *part);
void wire_part(struct wire *in, struct mime_part *part);
/* A tree, at most MIME_PARTS_MAX parts and MIME_DEPTH_MAX deep; what is more is left out.
 * `mark` is one of its parts, or NULL. */
void wire_put_tree(struct buf *out, const struct mime_part *root, const struct mime_part *mark);
/* In the arena, its strings slices of the message; NULL when bad. `*marked`: the part that was
 * marked, or NULL. */
struct mime_part *wire_tree(struct wire *in, struct arena *arena, struct mime_part **marked);

/* JSON of depth at most 250, valid UTF-8, without \u0000 and lone surrogates. */
bool wire_is_json(struct str text);

#endif

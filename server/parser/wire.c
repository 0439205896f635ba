#include "server/parser/wire.h"

#include <assert.h>

#include "server/base/utf8.h"
#include "server/mail/words.h"

enum { NO_PART = UINT32_MAX };

static void put_number(struct buf *out, uint64_t value, size_t bytes)
{
    char text[8];
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(value >> (8 * i));
    buf_append(out, text, bytes);
}

void wire_put_u8(struct buf *out, uint8_t value)
{
    put_number(out, value, 1);
}

void wire_put_u32(struct buf *out, uint32_t value)
{
    put_number(out, value, 4);
}

void wire_put_u64(struct buf *out, uint64_t value)
{
    put_number(out, value, 8);
}

void wire_put_str(struct buf *out, struct str text)
{
    wire_put_u64(out, text.length);
    buf_str(out, text);
}

/* The next `length` bytes, or nothing and bad. */
static struct str take(struct wire *in, uint64_t length)
{
    if (in->is_bad || length > in->rest.length) {
        in->is_bad = true;
        return STR_EMPTY;
    }
    struct str taken = str_sub(in->rest, 0, (size_t)length);
    in->rest = str_skip(in->rest, (size_t)length);
    return taken;
}

static uint64_t get_number(struct wire *in, size_t bytes)
{
    struct str text = take(in, bytes);
    uint64_t value = 0;
    for (size_t i = text.length; i-- > 0;)
        value = value << 8 | (unsigned char)text.at[i];
    return value;
}

uint8_t wire_u8(struct wire *in)
{
    return (uint8_t)get_number(in, 1);
}

uint32_t wire_u32(struct wire *in)
{
    return (uint32_t)get_number(in, 4);
}

uint64_t wire_u64(struct wire *in)
{
    return get_number(in, 8);
}

struct str wire_str(struct wire *in)
{
    return take(in, wire_u64(in));
}

uint32_t wire_count(struct wire *in, size_t bytes_each, uint32_t max)
{
    uint32_t count = wire_u32(in);
    if (count > max || (bytes_each && count > in->rest.length / bytes_each)) {
        in->is_bad = true;
        return 0;
    }
    return count;
}

struct str wire_text(struct wire *in, struct arena *arena, size_t bytes_max)
{
    struct str text = wire_str(in);
    if (text.length > bytes_max || !utf8_is_valid(text) ||
        (text.length && memchr(text.at, 0, text.length))) {
        in->is_bad = true;
        return STR_EMPTY;
    }
    return arena_str(arena, text);
}

struct str wire_json(struct wire *in, struct arena *arena, size_t bytes_max)
{
    struct str text = wire_text(in, arena, bytes_max);
    if (text.length && !wire_is_json(text)) {
        in->is_bad = true;
        return STR_EMPTY;
    }
    return text;
}

static uint32_t big_endian(struct str bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes.length; i++)
        value = value << 8 | (unsigned char)bytes.at[i];
    return value;
}

/* tsvectorrecv: count, then each lexeme NUL-terminated with its positions, all big-endian. */
static bool is_tsvector(struct str bytes)
{
    struct wire in = {.rest = bytes};
    uint32_t count = big_endian(take(&in, 4));
    for (uint32_t i = 0; i < count && !in.is_bad; i++) {
        ptrdiff_t length = str_find_char(in.rest, '\0');
        if (length <= 0 || length > WORDS_LEXEME_BYTES_MAX)
            return false;
        if (!utf8_is_valid(take(&in, (uint64_t)length)))
            return false;
        take(&in, 1);
        uint32_t positions = big_endian(take(&in, 2));
        if (positions > WORDS_POSITIONS_MAX)
            return false;
        for (uint32_t at = 0, last = 0; at < positions && !in.is_bad; at++) {
            uint32_t position = big_endian(take(&in, 2)) & 0x3fff;
            if (position <= last) /* they must rise, from 1 */
                return false;
            last = position;
        }
    }
    return wire_is_done(&in);
}

struct str wire_tsvector(struct wire *in, struct arena *arena)
{
    struct str words = wire_str(in);
    if (words.length > WORDS_VECTOR_BYTES_MAX || (words.length && !is_tsvector(words))) {
        in->is_bad = true;
        return STR_EMPTY;
    }
    return arena_str(arena, words);
}

bool wire_is_done(const struct wire *in)
{
    return !in->is_bad && !in->rest.length;
}

void wire_put_part(struct buf *out, const struct mime_part *part)
{
    const struct str texts[] = {part->id,       part->type,        part->charset,
                                part->name,     part->cid,         part->location,
                                part->language, part->disposition, part->description};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        wire_put_str(out, texts[i]);
    wire_put_u8(out, (uint8_t)part->encoding);
    wire_put_u8(out, (uint8_t)(part->is_flowed | part->is_delsp << 1));
    wire_put_u64(out, part->body_length);
    wire_put_u64(out, part->size);
    wire_put_u64(out, part->lines);
}

void wire_part(struct wire *in, struct mime_part *part)
{
    struct str *const texts[] = {&part->id,       &part->type,        &part->charset,
                                 &part->name,     &part->cid,         &part->location,
                                 &part->language, &part->disposition, &part->description};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = wire_str(in);
    uint8_t encoding = wire_u8(in);
    if (encoding > MIME_UUENCODE)
        in->is_bad = true;
    else
        part->encoding = (enum mime_encoding)encoding;
    uint8_t flags = wire_u8(in);
    part->is_flowed = flags & 1;
    part->is_delsp = flags & 2;
    part->body_length = wire_u64(in);
    part->size = wire_u64(in);
    part->lines = wire_u64(in);
    part->boundary = STR_EMPTY;
}

/* Parts in the order of mime_next, each behind its depth. */
struct tree_writer {
    struct buf *out;
    const struct mime_part *mark;
    uint32_t count, marked;
};

static void put_parts(struct tree_writer *w, const struct mime_part *part, uint32_t depth)
{
    for (; part && depth <= MIME_DEPTH_MAX && w->count < MIME_PARTS_MAX; part = part->next) {
        if (part == w->mark)
            w->marked = w->count;
        w->count++;
        wire_put_u32(w->out, depth);
        wire_put_part(w->out, part);
        put_parts(w, part->first_child, depth + 1);
        if (!depth)
            return;
    }
}

void wire_put_tree(struct buf *out, const struct mime_part *root, const struct mime_part *mark)
{
    struct buf parts = BUF_INIT(out->limit);
    struct tree_writer w = {.out = &parts, .mark = mark, .marked = NO_PART};
    put_parts(&w, root, 0);
    wire_put_u32(out, w.count);
    wire_put_u32(out, w.marked);
    buf_str(out, buf_view(&parts));
    out->is_full = out->is_full || parts.is_full;
    buf_free(&parts);
}

struct mime_part *wire_tree(struct wire *in, struct arena *arena, struct mime_part **marked)
{
    struct mime_part *last[MIME_DEPTH_MAX + 1] = {NULL}; /* at each depth, of this branch */
    uint32_t count = wire_u32(in), mark = wire_u32(in), deepest = 0;
    *marked = NULL;
    if (count > MIME_PARTS_MAX)
        in->is_bad = true;
    for (uint32_t i = 0; i < count && !in->is_bad; i++) {
        uint32_t depth = wire_u32(in);
        if (in->is_bad || (i == 0 ? depth != 0 : depth < 1 || depth > deepest + 1) ||
            depth > MIME_DEPTH_MAX) {
            in->is_bad = true;
            break;
        }
        struct mime_part *part = ARENA_NEW(arena, struct mime_part);
        wire_part(in, part);
        part->depth = depth;
        part->parent = depth ? last[depth - 1] : NULL;
        if (i && depth <= deepest)
            last[depth]->next = part;
        else if (part->parent)
            part->parent->first_child = part;
        last[depth] = part;
        deepest = depth;
        if (i == mark)
            *marked = part;
    }
    return in->is_bad ? NULL : last[0];
}

#include "server/imap/wire_private.h"

#include <stdlib.h>

void wire_init(struct wire *wire, struct stream *stream)
{
    *wire = (struct wire){.stream = stream, .text = BUF_INIT(IMAP_RESPONSE_BYTES_MAX)};
}

void wire_free(struct wire *wire)
{
    buf_free(&wire->text);
    free(wire->literals);
    *wire = (struct wire){0};
}

void wire_park(struct wire *wire)
{
    buf_free(&wire->text);
    free(wire->literals);
    wire->literals = NULL;
    wire->literal_count = wire->literal_capacity = 0;
}

/* Conditions and continuations carry words for people, where "{5}" is just that. */
static bool may_have_literals(struct str line)
{
    static const struct str without[] = {
        {"* OK", 4}, {"* NO", 4}, {"* BAD", 5}, {"* BYE", 5}, {"* PREAUTH", 9}};
    if (!str_starts(line, STR("*")))
        return false;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (str_starts_nocase(line, without[i]))
            return false;
    return true;
}

/* "...{123}" or "...~{123+}" at the end: where it begins, and the number. */
static bool find_marker(struct str line, size_t *marker, uint64_t *size)
{
    size_t end = line.length;
    if (end < 3 || line.at[end - 1] != '}')
        return false;
    end--;
    if (line.at[end - 1] == '+')
        end--;
    size_t begin = end;
    while (begin > 0 && ascii_is_digit(line.at[begin - 1]))
        begin--;
    if (begin == 0 || begin == end || line.at[begin - 1] != '{')
        return false;
    if (!str_to_u64(str_sub(line, begin, end - begin), size))
        *size = UINT64_MAX;
    *marker = begin - 1;
    if (*marker > 0 && line.at[*marker - 1] == '~')
        --*marker;
    return true;
}

static struct imap_literal *add_literal(struct wire *wire)
{
    if (wire->literal_count == wire->literal_capacity) {
        wire->literal_capacity = wire->literal_capacity ? wire->literal_capacity * 2 : 16;
        wire->literals =
            reallocarray(wire->literals, wire->literal_capacity, sizeof *wire->literals);
        if (!wire->literals)
            abort();
    }
    return &wire->literals[wire->literal_count++];
}

static struct imap_text view(const struct wire *wire)
{
    return (struct imap_text){buf_view(&wire->text), wire->literals, wire->literal_count};
}

/* Reads `size` bytes and gives them to the sink, or to nobody. */
static bool pass_on(struct wire *wire, const struct wire_sink *sink, uint64_t size,
                    struct error *err)
{
    char piece[16384];
    while (size) {
        size_t most = size < sizeof piece ? (size_t)size : sizeof piece;
        ptrdiff_t n = stream_read_some(wire->stream, piece, most, err);
        if (n < 0)
            return false;
        if (sink)
            sink->write(sink->context, str_make(piece, (size_t)n));
        size -= (uint64_t)n;
    }
    return true;
}

/* Into the response as it comes in: what is announced allocates nothing. */
static bool hold(struct wire *wire, uint64_t size, struct error *err)
{
    while (size) {
        size_t most = size < 16384 ? (size_t)size : 16384;
        char *room = buf_reserve(&wire->text, most);
        ptrdiff_t n = room ? stream_read_some(wire->stream, room, most, err) : -1;
        if (n < 0)
            return false;
        wire->text.length += (size_t)n;
        size -= (uint64_t)n;
    }
    return true;
}

static bool read_literal(struct wire *wire, const struct wire_sink *sink, size_t marker,
                         uint64_t size, struct error *err)
{
    if (size > WIRE_LITERAL_BYTES_MAX || wire->literal_count >= IMAP_LITERALS_MAX)
        return error_set(err, ERROR_LIMIT, "The server sends more than can be taken at once");
    struct imap_text before = view(wire);
    before.bytes.length = marker;
    bool is_streamed = sink && sink->wants(sink->context, &before, size);
    struct imap_literal *literal = add_literal(wire);
    *literal = (struct imap_literal){
        .marker = marker, .at = wire->text.length, .size = size, .is_streamed = is_streamed};
    if (is_streamed) {
        if (!pass_on(wire, sink, size, err))
            return false;
        sink->end(sink->context);
        return true;
    }
    size_t used = wire->text.length + WIRE_RESERVE_BYTES;
    size_t room = used < IMAP_RESPONSE_BYTES_MAX ? IMAP_RESPONSE_BYTES_MAX - used : 0;
    literal->held = size < room ? (size_t)size : room;
    return hold(wire, literal->held, err) && pass_on(wire, NULL, size - literal->held, err);
}

bool wire_read(struct wire *wire, const struct wire_sink *sink, struct imap_text *text,
               struct error *err)
{
    size_t line_bytes = 0;
    buf_reset(&wire->text);
    wire->literal_count = 0;
    for (;;) {
        size_t begin = wire->text.length, marker;
        uint64_t size;
        size_t room = WIRE_LINE_BYTES_MAX - line_bytes;
        wire->text.limit =
            begin + room < IMAP_RESPONSE_BYTES_MAX ? begin + room : IMAP_RESPONSE_BYTES_MAX;
        if (!stream_read_line(wire->stream, &wire->text, err))
            return false;
        wire->text.limit = IMAP_RESPONSE_BYTES_MAX;
        line_bytes += wire->text.length - begin;
        *text = view(wire);
        if (!may_have_literals(text->bytes) ||
            !find_marker(str_skip(text->bytes, begin), &marker, &size))
            return true;
        if (!read_literal(wire, sink, begin + marker, size, err))
            return false;
    }
}

#include "server/mail/decode.h"

/* base64's values; 64: padding; 65: anything else, skipped. Both alphabets are taken. */
static const unsigned char base64_value[256] = {
#define X 65
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  62, X,  62, X,  63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X,  X,  X,  64, X,  X,  X,  0,  1,  2,  3,  4,  5,  6,
    7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  63,
    X,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
#undef X
};

struct mime_decoder mime_decoder(enum mime_encoding encoding)
{
    return (struct mime_decoder){.encoding = encoding};
}

/* Padding ends a run, it does not end the stream: base64 of several pieces one after the other is
 * what some mailers send, and what comes behind a "=" was lost by decoders that stop there. */
static void flush_base64(struct mime_decoder *d, unsigned char **to)
{
    if (d->bit_count >= 2)
        *(*to)++ = (unsigned char)(d->bits >> (d->bit_count == 2 ? 4 : 10));
    if (d->bit_count == 3)
        *(*to)++ = (unsigned char)(d->bits >> 2);
    d->bits = 0;
    d->bit_count = 0;
}

enum { BASE64_PIECE = 4096 };

/* Decodes at most BASE64_PIECE characters into `to`; returns where it stopped writing. */
static unsigned char *decode_base64_piece(struct mime_decoder *d, struct str piece,
                                          unsigned char *to)
{
    const unsigned char *from = (const unsigned char *)piece.at, *end = from + piece.length;
    while (from < end) {
        if (d->bit_count == 0 && end - from >= 4) { /* a whole clean group */
            unsigned a = base64_value[from[0]], b = base64_value[from[1]];
            unsigned c = base64_value[from[2]], e = base64_value[from[3]];
            if ((a | b | c | e) < 64) {
                to[0] = (unsigned char)(a << 2 | b >> 4);
                to[1] = (unsigned char)(b << 4 | c >> 2);
                to[2] = (unsigned char)(c << 6 | e);
                to += 3;
                from += 4;
                continue;
            }
        }
        unsigned value = base64_value[*from++];
        if (value == 64) {
            flush_base64(d, &to);
        } else if (value < 64) {
            d->bits = d->bits << 6 | value;
            if (++d->bit_count == 4) {
                *to++ = (unsigned char)(d->bits >> 16);
                *to++ = (unsigned char)(d->bits >> 8);
                *to++ = (unsigned char)d->bits;
                d->bits = 0;
                d->bit_count = 0;
            }
        }
    }
    return to;
}

/* Piece by piece, so that a buffer whose limit is near still takes all that fits. */
static bool feed_base64(struct mime_decoder *d, struct str chunk, struct buf *out)
{
    unsigned char decoded[BASE64_PIECE + 8]; /* a "=" in each second place writes one each */
    while (chunk.length && !out->is_full) {
        struct str piece = str_sub(chunk, 0, BASE64_PIECE);
        unsigned char *end = decode_base64_piece(d, piece, decoded);
        buf_append(out, decoded, (size_t)(end - decoded));
        chunk = str_skip(chunk, piece.length);
    }
    return !out->is_full;
}

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Holds white space back that may end its line. What does not fit any more is meant. */
static void hold_space(struct mime_decoder *d, char c, struct buf *out)
{
    if (d->held_count == sizeof d->held) {
        buf_append(out, d->held, d->held_count);
        d->held_count = 0;
    }
    d->held[d->held_count++] = c;
}

/* Decides about what was held back ("=" or white space) now that `c` follows it. Returns true when
 * `c` was used up. */
static bool settle_qp(struct mime_decoder *d, char c, struct buf *out)
{
    if (d->held[0] != '=') { /* white space: kept unless the line ends here */
        if (c == ' ' || c == '\t') {
            hold_space(d, c, out);
            return true;
        }
        if (c != '\n' && c != '\r')
            buf_append(out, d->held, d->held_count);
        d->held_count = 0;
        return false;
    }
    const int high = d->held_count > 1 ? hex_value(d->held[1]) : -1;
    if (d->held_count == 1) {
        if (c == '\n') { /* a soft line break */
            d->held_count = 0;
            return true;
        }
        if (hex_value(c) >= 0 || c == '\r' || c == ' ' || c == '\t') {
            d->held[d->held_count++] = c;
            return true;
        }
    } else if (high >= 0) {
        if (hex_value(c) >= 0) {
            buf_char(out, (char)(high << 4 | hex_value(c)));
            d->held_count = 0;
            return true;
        }
    } else if (c == '\n') { /* "=" white space, line end: soft too */
        d->held_count = 0;
        return true;
    } else if ((c == ' ' || c == '\t' || c == '\r') && d->held_count < sizeof d->held) {
        d->held[d->held_count++] = c;
        return true;
    }
    buf_append(out, d->held, d->held_count); /* no encoding after all: as it stands */
    d->held_count = 0;
    return false;
}

static bool feed_qp(struct mime_decoder *d, struct str chunk, struct buf *out)
{
    for (size_t i = 0; i < chunk.length;) {
        char c = chunk.at[i];
        if (d->held_count) {
            if (settle_qp(d, c, out))
                i++;
            continue;
        }
        if (c == '=') {
            d->held[d->held_count++] = c;
            i++;
            continue;
        }
        if (c == ' ' || c == '\t') {
            size_t end = i;
            while (end < chunk.length && (chunk.at[end] == ' ' || chunk.at[end] == '\t'))
                end++;
            if (end == chunk.length || end - i > sizeof d->held) {
                for (; i < end; i++)
                    hold_space(d, chunk.at[i], out);
            } else if (chunk.at[end] != '\n' && chunk.at[end] != '\r') {
                buf_append(out, chunk.at + i, end - i);
            }
            i = end;
            continue;
        }
        size_t end = i;
        while (end < chunk.length && chunk.at[end] != '=' && chunk.at[end] != ' ' &&
               chunk.at[end] != '\t')
            end++;
        buf_append(out, chunk.at + i, end - i);
        i = end;
    }
    return !out->is_full;
}

enum uu_state { UU_BEFORE, UU_INSIDE, UU_AFTER };

static void decode_uu_line(struct str line, struct buf *out)
{
    if (line.length == 0)
        return;
    size_t want = (size_t)((line.at[0] - ' ') & 63);
    for (size_t i = 1; want > 0 && i < line.length; i += 4) {
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++)
            group = group << 6 | (i + k < line.length ? (unsigned)(line.at[i + k] - ' ') & 63 : 0);
        for (size_t k = 0; k < 3 && want > 0; k++, want--)
            buf_char(out, (char)(group >> (16 - 8 * k)));
    }
}

static void take_uu_line(struct mime_decoder *d, struct buf *out)
{
    struct str line = str_make(d->held, d->held_count);
    while (line.length && (line.at[line.length - 1] == '\r'))
        line.length--;
    d->held_count = 0;
    if (d->state == UU_BEFORE) {
        if (str_starts(line, STR("begin ")))
            d->state = UU_INSIDE;
    } else if (d->state == UU_INSIDE) {
        if (str_equal(str_trim(line), STR("end")))
            d->state = UU_AFTER;
        else
            decode_uu_line(line, out);
    }
}

static bool feed_uu(struct mime_decoder *d, struct str chunk, struct buf *out)
{
    for (size_t i = 0; i < chunk.length; i++) {
        if (chunk.at[i] == '\n')
            take_uu_line(d, out);
        else if (d->held_count < sizeof d->held) /* longer lines are no uuencode: cut */
            d->held[d->held_count++] = chunk.at[i];
    }
    return !out->is_full;
}

bool mime_decoder_feed(struct mime_decoder *decoder, struct str chunk, struct buf *out)
{
    switch (decoder->encoding) {
    case MIME_BASE64:
        return feed_base64(decoder, chunk, out);
    case MIME_QUOTED_PRINTABLE:
        return feed_qp(decoder, chunk, out);
    case MIME_UUENCODE:
        return feed_uu(decoder, chunk, out);
    case MIME_8BIT:
        break;
    }
    return buf_str(out, chunk);
}

bool mime_decoder_finish(struct mime_decoder *d, struct buf *out)
{
    if (d->encoding == MIME_BASE64) {
        unsigned char last[3], *to = last;
        flush_base64(d, &to);
        buf_append(out, last, (size_t)(to - last));
    } else if (d->encoding == MIME_QUOTED_PRINTABLE) {
        /* A lone "=" at the very end is a soft line break whose line end was cut off. */
        bool is_soft = d->held_count == 1 || (d->held_count > 1 && hex_value(d->held[1]) < 0);
        if (d->held_count && !(d->held[0] == '=' && is_soft))
            buf_append(out, d->held, d->held_count);
    } else if (d->encoding == MIME_UUENCODE) {
        take_uu_line(d, out);
    }
    d->held_count = 0;
    return !out->is_full;
}

/* The count without the bytes, in step with feed_base64. */
static size_t base64_size(struct str body)
{
    size_t size = 0, run = 0; /* sextets since the last padding */
    for (size_t i = 0; i < body.length; i++) {
        unsigned value = base64_value[(unsigned char)body.at[i]];
        if (value < 64) {
            run++;
        } else if (value == 64) {
            size += run * 3 / 4;
            run = 0;
        }
    }
    return size + run * 3 / 4;
}

size_t mime_decoded_size(struct str body, enum mime_encoding encoding)
{
    if (encoding == MIME_BASE64)
        return base64_size(body);
    if (encoding == MIME_8BIT)
        return body.length;
    struct mime_decoder decoder = mime_decoder(encoding);
    struct buf piece = BUF_INIT(256 * 1024);
    size_t size = 0;
    for (size_t at = 0; at < body.length; at += 65536) {
        buf_reset(&piece);
        mime_decoder_feed(&decoder, str_sub(body, at, 65536), &piece);
        size += piece.length;
    }
    buf_reset(&piece);
    mime_decoder_finish(&decoder, &piece);
    size += piece.length;
    buf_free(&piece);
    return size;
}

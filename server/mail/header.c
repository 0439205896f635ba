#include "server/mail/header.h"

#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/charset.h"
#include "server/mail/decode.h"

struct header_walk header_begin(struct str block)
{
    return (struct header_walk){.rest = block};
}

/* The line at the front with its line end. */
static struct str first_line(struct str rest)
{
    ptrdiff_t end = str_find_char(rest, '\n');
    return end < 0 ? rest : str_sub(rest, 0, (size_t)end + 1);
}

static struct str without_line_end(struct str line)
{
    if (line.length && line.at[line.length - 1] == '\n')
        line.length--;
    if (line.length && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

static void advance(struct header_walk *walk, size_t bytes)
{
    walk->rest = str_skip(walk->rest, bytes);
    walk->offset += bytes;
}

/* The length of the field name at the front of a line; 0 when the line is no field. White space
 * before the colon is taken (obsolete syntax). A line that begins with "--" is never a field: it is
 * more likely the boundary behind a header whose empty line is missing. */
static size_t field_name_length(struct str line)
{
    size_t i = 0;
    while (i < line.length && line.at[i] > ' ' && line.at[i] != ':' && line.at[i] != 0x7f)
        i++;
    size_t name = i;
    while (i < line.length && (line.at[i] == ' ' || line.at[i] == '\t'))
        i++;
    if (i == line.length || line.at[i] != ':' || str_starts(line, STR("--")))
        return 0;
    return name;
}

static bool is_folded(struct str rest)
{
    return rest.length && (rest.at[0] == ' ' || rest.at[0] == '\t');
}

/* A line that is no field: skipped when the header seems to go on behind it. */
static bool skip_garbage(struct header_walk *walk, struct str line)
{
    struct str next = str_skip(walk->rest, line.length);
    bool is_mbox_from =
        walk->offset == 0 && (str_starts(line, STR("From ")) || str_starts(line, STR(">From ")));
    bool goes_on = is_folded(next) || field_name_length(first_line(next)) > 0;
    if (str_starts(line, STR("--")) || (!is_mbox_from && !goes_on)) {
        walk->has_no_empty_line = true;
        return false;
    }
    advance(walk, line.length);
    walk->lines++;
    return true;
}

bool header_next(struct header_walk *walk, struct header_field *field)
{
    while (walk->rest.length) {
        struct str line = first_line(walk->rest);
        if (without_line_end(line).length == 0) {
            advance(walk, line.length);
            walk->rest = STR_EMPTY;
            return false;
        }
        if (walk->offset + line.length > HEADER_BLOCK_BYTES_MAX ||
            walk->lines >= HEADER_LINES_MAX) {
            walk->is_cut = true;
            return false;
        }
        size_t name = field_name_length(line);
        if (name == 0) {
            if (!skip_garbage(walk, line))
                return false;
            continue;
        }
        field->name = str_sub(line, 0, name);
        field->offset = walk->offset;
        size_t length = line.length;
        walk->lines++;
        struct str behind = str_skip(walk->rest, length);
        while (is_folded(behind) && walk->lines < HEADER_LINES_MAX) {
            size_t more = first_line(behind).length;
            if (walk->offset + length + more > HEADER_BLOCK_BYTES_MAX)
                break;
            length += more;
            behind = str_skip(behind, more);
            walk->lines++;
        }
        field->length = length;
        struct str whole = without_line_end(str_sub(walk->rest, 0, length));
        field->value = str_skip(whole, (size_t)str_find_char(whole, ':') + 1);
        advance(walk, length);
        return true;
    }
    return false;
}

bool header_find(struct str block, struct str name, struct str *value)
{
    struct header_walk walk = header_begin(block);
    struct header_field field;
    while (header_next(&walk, &field)) {
        if (str_equal_nocase(field.name, name)) {
            *value = field.value;
            return true;
        }
    }
    return false;
}

/* --- encoded words (RFC 2047) ----------------------------------------------------------------- */

struct encoded_word {
    struct str charset; /* without the language of RFC 2231 section 5 */
    enum mime_encoding encoding;
    struct str text;
    size_t length; /* of all of it, from "=?" to "?=" */
};

/* In Q text a "?" that the sender forgot to encode, followed by an encoded byte, looks like the
 * end. */
static bool is_false_end(struct str s, size_t at)
{
    return str_sub(s, at + 2, 2).length == 2 &&
           memchr("0123456789ABCDEF", s.at[at + 2], 16) != NULL &&
           memchr("0123456789ABCDEF", s.at[at + 3], 16) != NULL;
}

/* Reads the encoded word at the front of `s`. */
static bool read_encoded_word(struct str s, struct encoded_word *word)
{
    enum { CHARSET_BYTES_MAX = 60 };
    if (!str_starts(s, STR("=?")))
        return false;
    ptrdiff_t charset = str_find_char(str_sub(s, 2, CHARSET_BYTES_MAX), '?');
    if (charset < 0)
        return false;
    word->charset = str_sub(s, 2, (size_t)charset);
    size_t at = 2 + (size_t)charset + 1;
    if (at + 1 >= s.length || s.at[at + 1] != '?')
        return false;
    char encoding = ascii_lower(s.at[at]);
    if (encoding != 'q' && encoding != 'b')
        return false;
    word->encoding = encoding == 'b' ? MIME_BASE64 : MIME_QUOTED_PRINTABLE;
    size_t text = at + 2, end = text;
    for (;;) {
        ptrdiff_t found = str_find(str_skip(s, end), STR("?="));
        if (found < 0)
            return false;
        end += (size_t)found;
        if (encoding == 'b' || !is_false_end(s, end) ||
            str_find(str_sub(s, end + 2, 76), STR("?=")) < 0)
            break;
        end += 2;
    }
    word->text = str_sub(s, text, end - text);
    word->length = end + 2;
    ptrdiff_t language = str_find_char(word->charset, '*');
    if (language >= 0)
        word->charset.length = (size_t)language;
    return true;
}

/* Bytes of adjacent words of one charset, not yet converted: characters may be split across words.
 */
struct pending {
    struct buf bytes;
    struct str charset;
    struct mime_decoder base64; /* goes on across words: some senders split within a group */
    bool is_open;
};

static void flush_pending(struct pending *pending, struct buf *out)
{
    if (!pending->is_open)
        return;
    mime_decoder_finish(&pending->base64, &pending->bytes);
    charset_decode(out, buf_view(&pending->bytes), pending->charset);
    buf_reset(&pending->bytes);
    pending->is_open = false;
}

static void decode_q(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '_')
            buf_char(out, ' ');
        else if (c != '=' || !decode_hex(out, str_sub(text, i + 1, 2)) || i + 2 >= text.length)
            buf_char(out, c);
        else
            i += 2;
    }
}

static void take_word(struct pending *pending, const struct encoded_word *word, struct buf *out)
{
    if (pending->is_open && !str_equal_nocase(pending->charset, word->charset))
        flush_pending(pending, out);
    if (!pending->is_open) {
        pending->is_open = true;
        pending->charset = word->charset;
        pending->base64 = mime_decoder(MIME_BASE64);
    }
    if (word->encoding == MIME_BASE64) {
        mime_decoder_feed(&pending->base64, word->text, &pending->bytes);
    } else {
        mime_decoder_finish(&pending->base64, &pending->bytes);
        pending->base64 = mime_decoder(MIME_BASE64);
        decode_q(word->text, &pending->bytes);
    }
}

/* Text between words: folds taken out, raw 8-bit guessed. */
static void write_literal(struct buf *out, struct str text)
{
    struct buf plain = BUF_INIT(text.length);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '\r' || c == '\n') {
            bool is_fold = i + 1 == text.length || ascii_is_space(text.at[i + 1]);
            if (is_fold)
                continue;
            c = ' ';
        }
        buf_char(&plain, c == '\t' ? ' ' : c);
    }
    charset_decode(out, buf_view(&plain), STR_EMPTY);
    buf_free(&plain);
}

/* True when the text needs nothing done: printable ASCII without encoded words. */
static bool is_plain(struct str value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c < ' ' || c >= 0x7f || (c == '=' && i + 1 < value.length && value.at[i + 1] == '?'))
            return false;
    }
    return true;
}

void header_decode_words(struct buf *out, struct str value)
{
    if (is_plain(value)) {
        buf_str(out, value);
        return;
    }
    struct pending pending = {.bytes = BUF_INIT(value.length + 64)};
    size_t literal = 0;  /* where the text not yet written begins */
    size_t next_end = 0; /* where the next "?=" is, as far as looked */
    for (size_t i = 0; i < value.length;) {
        ptrdiff_t found = str_find(str_skip(value, i), STR("=?"));
        if (found < 0)
            break;
        i += (size_t)found;
        struct encoded_word word;
        if (!read_encoded_word(str_skip(value, i), &word)) {
            i += 2;
            if (next_end < i) {
                ptrdiff_t end = str_find(str_skip(value, i), STR("?="));
                if (end < 0) /* no word without an end: each "=?" ahead need not look for it */
                    break;
                next_end = i + (size_t)end;
            }
            continue;
        }
        struct str between = str_sub(value, literal, i - literal);
        bool is_adjacent = pending.is_open && str_trim(between).length == 0;
        if (!is_adjacent) {
            flush_pending(&pending, out);
            write_literal(out, between);
        }
        take_word(&pending, &word, out);
        i += word.length;
        literal = i;
    }
    flush_pending(&pending, out);
    write_literal(out, str_skip(value, literal));
    buf_free(&pending.bytes);
}

/* --- text ------------------------------------------------------------------------------------- */

struct str header_clean(struct arena *arena, struct str text, size_t bytes_max)
{
    text = str_trim(text);
    struct buf repaired = BUF_INIT(4 * (bytes_max + 4));
    text = str_sub(text, 0, bytes_max + 4);
    if (!utf8_is_valid(text) && utf8_is_valid(utf8_prefix(text, bytes_max)))
        text = utf8_prefix(text, bytes_max); /* only the cut made it invalid */
    charset_decode(&repaired, text, STR_EMPTY);
    struct str clean = str_trim(utf8_prefix(buf_view(&repaired), bytes_max));
    char *copy = arena_text(arena, clean);
    for (size_t i = 0; i < clean.length; i++) {
        unsigned char c = (unsigned char)copy[i];
        if (c < ' ' || c == 0x7f)
            copy[i] = ' ';
        else if (c == 0xc2 && (unsigned char)copy[i + 1] < 0xa0) /* C1 controls: two spaces */
            copy[i] = copy[i + 1] = ' ';
    }
    buf_free(&repaired);
    return str_trim(str_make(copy, clean.length));
}

struct str header_text(struct arena *arena, struct str value)
{
    value = str_trim(value);
    if (value.length <= HEADER_TEXT_BYTES_MAX && is_plain(value))
        return arena_str(arena, value);
    struct buf text = BUF_INIT(4 * HEADER_TEXT_BYTES_MAX);
    header_decode_words(&text, str_sub(value, 0, HEADER_TEXT_BYTES_MAX));
    struct str clean = header_clean(arena, buf_view(&text), HEADER_TEXT_BYTES_MAX);
    buf_free(&text);
    return clean;
}

struct str header_id(struct arena *arena, struct str value)
{
    enum { ID_BYTES_MAX = 998 };
    ptrdiff_t open = str_find_char(value, '<');
    struct str id = str_trim(open < 0 ? value : str_skip(value, (size_t)open + 1));
    size_t length = 0;
    char *copy = arena_alloc(arena, (id.length < ID_BYTES_MAX ? id.length : ID_BYTES_MAX) + 1);
    for (size_t i = 0; i < id.length && length < ID_BYTES_MAX; i++) {
        if (open >= 0 && id.at[i] == '>')
            break;
        if (open < 0 && ascii_is_space(id.at[i]))
            break;
        if (!ascii_is_space(id.at[i]))
            copy[length++] = id.at[i];
    }
    struct str plain = str_make(copy, length);
    return is_plain(plain) ? plain : header_clean(arena, plain, ID_BYTES_MAX);
}

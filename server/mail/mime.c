#include "server/mail/mime.h"

#include "server/base/utf8.h"
#include "server/mail/decode.h"
#include "server/mail/filename.h"
#include "server/mail/header.h"
#include "server/mail/mime_private.h"
#include "server/mail/uuencode.h"

/* One pass over the lines. Only lines that begin with "--" can be delimiters; each such line is
 * compared with the boundaries of the multiparts it stands in, of which there are at most
 * MIME_DEPTH_MAX. */
struct scan {
    struct arena *arena;
    struct mime_message *message;
    struct str raw;
    struct mime_part
        *open[MIME_DEPTH_MAX + 1]; /* multiparts whose delimiters count, outermost first */
    size_t open_count;
    size_t at;           /* the next byte to look at; always the start of a line */
    size_t line_start;   /* of the delimiter found last; the end of `raw` when there is none */
    ptrdiff_t hit;       /* which of `open` it belongs to; -1: the end of the message */
    bool hit_is_closing; /* "--boundary--" */
};

static void cut(struct scan *scan, const char *why)
{
    scan->message->is_cut = true;
    if (!scan->message->cut_why)
        scan->message->cut_why = why;
}

/* --- delimiters ------------------------------------------------------------------------------- */

/* Which open multipart the line (which begins with "--") delimits: the longest boundary that fits,
 * for one may begin with another. What stands behind white space says nothing (RFC 2046 section
 * 5.1.1). */
static ptrdiff_t match_boundary(const struct scan *scan, struct str line, bool *is_closing)
{
    ptrdiff_t best = -1;
    struct str text = str_skip(line, 2);
    for (size_t i = scan->open_count; i > 0; i--) {
        struct str boundary = scan->open[i - 1]->boundary;
        if (boundary.length > text.length || !str_starts(text, boundary))
            continue;
        struct str after = str_skip(text, boundary.length);
        bool closes = str_starts(after, STR("--"));
        bool ends = after.length == 0 || ascii_is_space(after.at[0]);
        if (!closes && !ends) /* another boundary, which begins like this one */
            continue;
        if (best < 0 || boundary.length > scan->open[best]->boundary.length) {
            best = (ptrdiff_t)i - 1;
            *is_closing = closes;
        }
    }
    return best;
}

/* Moves behind the next delimiter of any open multipart. */
static void find_delimiter(struct scan *scan)
{
    struct str raw = scan->raw;
    while (scan->open_count > 0 && scan->at < raw.length) {
        struct str rest = str_skip(raw, scan->at);
        if (!str_starts(rest, STR("--"))) {
            ptrdiff_t next = str_find(rest, STR("\n--"));
            if (next < 0)
                break;
            scan->at += (size_t)next + 1;
            rest = str_skip(raw, scan->at);
        }
        ptrdiff_t end = str_find_char(rest, '\n');
        struct str line = end < 0 ? rest : str_sub(rest, 0, (size_t)end);
        scan->line_start = scan->at;
        scan->at += end < 0 ? rest.length : (size_t)end + 1;
        scan->hit = match_boundary(scan, line, &scan->hit_is_closing);
        if (scan->hit >= 0)
            return;
    }
    scan->at = scan->line_start = raw.length;
    scan->hit = -1;
}

/* Where the body ends that a delimiter at `line_start` ends: the line end before it is its own. */
static size_t body_end(const struct scan *scan, size_t body_offset)
{
    size_t end = scan->line_start;
    if (scan->hit < 0)
        return end > body_offset ? end : body_offset;
    if (end > body_offset && scan->raw.at[end - 1] == '\n')
        end--;
    if (end > body_offset && scan->raw.at[end - 1] == '\r')
        end--;
    return end;
}

/* --- headers ---------------------------------------------------------------------------------- */

static void set_content_type(struct scan *scan, struct mime_part *part, struct str value)
{
    struct header_value parsed;
    header_parse_value(scan->arena, value, &parsed);
    ptrdiff_t slash = str_find_char(parsed.value, '/');
    if (slash > 0 && (size_t)slash + 1 < parsed.value.length)
        part->type = parsed.value;
    struct str charset = header_param(&parsed, STR("charset"));
    char *lower = arena_text(scan->arena, charset);
    for (size_t i = 0; i < charset.length; i++)
        lower[i] = ascii_lower(lower[i]);
    part->charset = str_make(lower, charset.length);
    part->boundary = header_param(&parsed, STR("boundary"));
    part->is_flowed = str_equal_nocase(header_param(&parsed, STR("format")), STR("flowed"));
    part->is_delsp = str_equal_nocase(header_param(&parsed, STR("delsp")), STR("yes"));
    if (part->name.length == 0)
        part->name = filename_clean(scan->arena, header_param(&parsed, STR("name")));
    if (parsed.is_cut)
        cut(scan, "a header field has more parameters than are read");
}

static void set_disposition(struct scan *scan, struct mime_part *part, struct str value)
{
    struct header_value parsed;
    header_parse_value(scan->arena, value, &parsed);
    part->disposition = parsed.value;
    struct str name = filename_clean(scan->arena, header_param(&parsed, STR("filename")));
    if (name.length == 0) /* "attachment; name=..." */
        name = filename_clean(scan->arena, header_param(&parsed, STR("name")));
    if (name.length)
        part->name = name; /* Content-Disposition wins over Content-Type's name */
}

enum mime_encoding mime_encoding_of(struct str name)
{
    static const struct {
        const char *name;
        enum mime_encoding encoding;
    } encodings[] = {
        {"base64", MIME_BASE64},       {"quoted-printable", MIME_QUOTED_PRINTABLE},
        {"x-uuencode", MIME_UUENCODE}, {"uuencode", MIME_UUENCODE},
        {"x-uue", MIME_UUENCODE},      {"quoted printable", MIME_QUOTED_PRINTABLE},
    };
    name = str_trim(name);
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (str_equal_nocase(name, str_of(encodings[i].name)))
            return encodings[i].encoding;
    return MIME_8BIT;
}

static void set_encoding(struct scan *scan, struct mime_part *part, struct str value)
{
    struct header_value parsed;
    header_parse_value(scan->arena, value, &parsed);
    part->encoding = mime_encoding_of(parsed.value);
}

static void set_cid(struct scan *scan, struct mime_part *part, struct str value)
{
    part->cid = header_id(scan->arena, value);
}

static void set_location(struct scan *scan, struct mime_part *part, struct str value)
{
    part->location = header_text(scan->arena, value);
}

static void set_language(struct scan *scan, struct mime_part *part, struct str value)
{
    part->language = header_text(scan->arena, value);
}

static void set_description(struct scan *scan, struct mime_part *part, struct str value)
{
    part->description = header_text(scan->arena, value);
}

static const struct content_field {
    const char *name; /* behind "Content-" */
    void (*set)(struct scan *scan, struct mime_part *part, struct str value);
} content_fields[] = {
    {"type", set_content_type},          {"disposition", set_disposition},
    {"transfer-encoding", set_encoding}, {"id", set_cid},
    {"location", set_location},          {"language", set_language},
    {"description", set_description},
};
enum { CONTENT_FIELDS = sizeof content_fields / sizeof *content_fields };

/* Behind a header too long to be read whole: to its empty line, or to what looks like a delimiter.
 */
static size_t skip_long_header(struct str raw, size_t at)
{
    while (at < raw.length) {
        struct str rest = str_skip(raw, at);
        ptrdiff_t end = str_find_char(rest, '\n');
        struct str line = end < 0 ? rest : str_sub(rest, 0, (size_t)end);
        if (str_starts(line, STR("--")))
            return at;
        at += end < 0 ? rest.length : (size_t)end + 1;
        if (line.length == 0 || str_equal(line, STR("\r")))
            return at;
    }
    return at;
}

/* Reads the part's header from `scan->at` and leaves `at` at its body. The first of each field
 * counts (an attacker's second one would be seen by us alone). */
static void read_header(struct scan *scan, struct mime_part *part)
{
    struct header_walk walk = header_begin(str_skip(scan->raw, scan->at));
    struct header_field field;
    bool seen[CONTENT_FIELDS] = {false};
    part->header_offset = scan->at;
    while (header_next(&walk, &field)) {
        if (!str_starts_nocase(field.name, STR("content-")))
            continue;
        struct str name = str_skip(field.name, 8);
        for (size_t i = 0; i < CONTENT_FIELDS; i++) {
            if (!seen[i] && str_equal_nocase(name, str_of(content_fields[i].name))) {
                seen[i] = true;
                content_fields[i].set(scan, part, field.value);
            }
        }
    }
    scan->at += walk.offset;
    if (walk.is_cut) {
        cut(scan, "a header is longer than is read");
        scan->at = skip_long_header(scan->raw, scan->at);
    }
    part->body_offset = scan->at;
}

/* --- structure -------------------------------------------------------------------------------- */

static struct mime_part *add_part(struct scan *scan, struct mime_part *parent,
                                  struct mime_part **previous)
{
    struct mime_part *part = ARENA_NEW(scan->arena, struct mime_part);
    *part = (struct mime_part){
        .id = STR_EMPTY,
        .type = STR_EMPTY,
        .charset = STR_EMPTY,
        .name = STR_EMPTY,
        .disposition = STR_EMPTY,
        .cid = STR_EMPTY,
        .location = STR_EMPTY,
        .language = STR_EMPTY,
        .description = STR_EMPTY,
        .boundary = STR_EMPTY,
        .parent = parent,
        .depth = parent ? parent->depth + 1 : 0,
    };
    if (parent && !parent->first_child)
        parent->first_child = part;
    if (*previous)
        (*previous)->next = part;
    *previous = part;
    if (++scan->message->part_count == MIME_PARTS_MAX) {
        cut(scan, "the message has more parts than are read");
        scan->open_count = 0; /* no more delimiters: the rest belongs to this part */
    }
    return part;
}

static size_t count_lines(struct str body)
{
    size_t lines = 0;
    for (ptrdiff_t end; (end = str_find_char(body, '\n')) >= 0; lines++)
        body = str_skip(body, (size_t)end + 1);
    return lines;
}

/* The body goes to the delimiter found; to the end of the last child at least, whose header may end
 * with the line end that is the delimiter's. */
static void set_body_length(const struct scan *scan, struct mime_part *part,
                            const struct mime_part *last_child)
{
    size_t end = body_end(scan, part->body_offset);
    if (last_child && last_child->body_offset + last_child->body_length > end)
        end = last_child->body_offset + last_child->body_length;
    part->body_length = end - part->body_offset;
}

static void finish_leaf(struct scan *scan, struct mime_part *part,
                        const struct mime_part *last_child)
{
    set_body_length(scan, part, last_child);
    struct str body = str_sub(scan->raw, part->body_offset, part->body_length);
    part->lines = count_lines(body);
    part->size = mime_decoded_size(body, part->encoding);
}

/* The files within plain text become parts below it. In quoted-printable or base64 they have no
 * place in the raw message that could be cut out. */
static void find_uuencoded(struct scan *scan, struct mime_part *text)
{
    struct str body = str_sub(scan->raw, text->body_offset, text->body_length);
    struct uuencode_file file;
    struct mime_part *last = NULL;
    for (size_t at = 0;
         scan->message->part_count < MIME_PARTS_MAX && uuencode_find(body, at, &file);
         at = file.offset + file.length) {
        struct mime_part *part = add_part(scan, text, &last);
        part->type = STR("application/octet-stream");
        part->disposition = STR("attachment");
        part->encoding = MIME_UUENCODE;
        part->name = filename_clean(scan->arena, header_text(scan->arena, file.name));
        part->header_offset = part->body_offset = text->body_offset + file.offset;
        part->body_length = file.length;
        part->size = mime_decoded_size(mime_body(scan->raw, part), MIME_UUENCODE);
    }
}

/* Parameters are decoded: one with foreign characters in it is not what stands in the body. */
static bool is_usable_boundary(struct str boundary)
{
    for (size_t i = 0; i < boundary.length; i++)
        if ((unsigned char)boundary.at[i] >= 0x80)
            return false;
    return boundary.length > 0;
}

/* A multipart without a boundary that can be used: the first line of its body that is not empty
 * tells it.
 */
static void guess_boundary(const struct scan *scan, struct mime_part *part)
{
    struct str rest = str_sub(scan->raw, part->body_offset, 1000);
    while (rest.at) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.length == 0)
            continue;
        if (str_starts(line, STR("--")) && line.length > 3 && rest.at)
            part->boundary = str_skip(line, 2);
        return;
    }
}

static void scan_part(struct scan *scan, struct mime_part *part);

static void scan_multipart(struct scan *scan, struct mime_part *part)
{
    size_t level = scan->open_count;
    struct mime_part *last = NULL;
    scan->open[scan->open_count++] = part;
    find_delimiter(scan); /* the preamble */
    while (scan->hit == (ptrdiff_t)level && !scan->hit_is_closing) {
        struct mime_part *child = add_part(scan, part, &last);
        if (str_equal(part->type, STR("multipart/digest")))
            child->type = STR("message/rfc822");
        scan_part(scan, child);
    }
    bool is_closed = scan->hit == (ptrdiff_t)level;
    if (scan->open_count > level)
        scan->open_count = level;
    if (is_closed)
        find_delimiter(scan); /* the epilogue */
    set_body_length(scan, part, last);
    if (!part->first_child) { /* its text must not be lost */
        part->type = STR("text/plain");
        finish_leaf(scan, part, NULL);
    }
}

static void scan_message(struct scan *scan, struct mime_part *part)
{
    struct mime_part *last = NULL;
    scan_part(scan, add_part(scan, part, &last));
    finish_leaf(scan, part, last);
}

/* The default of RFC 2045 section 5.2; what has a file name is no text to be read. */
static void settle_type(struct mime_part *part)
{
    if (part->type.length == 0)
        part->type = part->name.length ? STR("application/octet-stream") : STR("text/plain");
}

static void scan_part(struct scan *scan, struct mime_part *part)
{
    read_header(scan, part);
    settle_type(part);
    bool is_multipart = mime_is_multipart(part);
    bool is_message = (str_equal(part->type, STR("message/rfc822")) ||
                       str_equal(part->type, STR("message/global"))) &&
                      part->encoding == MIME_8BIT;
    if (is_multipart && !is_usable_boundary(part->boundary))
        guess_boundary(scan, part);
    bool may_nest = part->depth < MIME_DEPTH_MAX && scan->message->part_count < MIME_PARTS_MAX;
    if (!may_nest && (is_multipart || is_message))
        cut(scan, "the message is nested deeper than is read");
    if (may_nest && is_multipart && part->boundary.length) {
        scan_multipart(scan, part);
    } else if (may_nest && is_message) {
        scan_message(scan, part);
    } else {
        if (is_multipart)
            part->type = STR("text/plain");
        find_delimiter(scan);
        finish_leaf(scan, part, NULL);
        bool is_plain = str_equal(part->type, STR("text/plain")) && part->encoding == MIME_8BIT;
        if (is_plain && !str_equal(part->disposition, STR("attachment")))
            find_uuencoded(scan, part);
    }
}

struct mime_message *mime_parse(struct arena *arena, struct str raw)
{
    struct mime_message *message = ARENA_NEW(arena, struct mime_message);
    struct scan scan = {.arena = arena, .message = message, .raw = raw};
    struct mime_part *last = NULL;
    message->root = add_part(&scan, NULL, &last);
    scan_part(&scan, message->root);
    mime_choose_parsed(arena, message);
    return message;
}

struct str mime_body(struct str raw, const struct mime_part *part)
{
    return str_sub(raw, part->body_offset, part->body_length);
}

bool mime_is_multipart(const struct mime_part *part)
{
    return str_starts(part->type, STR("multipart/"));
}

bool mime_is_text(const struct mime_part *part)
{
    return str_equal(part->type, STR("text/plain")) || str_equal(part->type, STR("text/html"));
}

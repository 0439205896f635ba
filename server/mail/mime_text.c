/* The bytes and the text of a part. */
#include "server/mail/charset.h"
#include "server/mail/decode.h"
#include "server/mail/mime.h"

enum { META_BYTES_MAX = 4096 }; /* browsers look at 1024; mail programs write longer heads */

bool mime_decode(struct buf *out, struct str body, enum mime_encoding encoding)
{
    struct mime_decoder decoder = mime_decoder(encoding);
    bool is_whole = mime_decoder_feed(&decoder, body, out);
    return mime_decoder_finish(&decoder, out) && is_whole;
}

/* The charset in the first <meta charset=...> or <meta content="...; charset=...">. */
static struct str meta_charset(struct str html)
{
    struct str rest = str_sub(html, 0, META_BYTES_MAX);
    for (ptrdiff_t found; (found = str_find_nocase(rest, STR("<meta"))) >= 0;) {
        rest = str_skip(rest, (size_t)found + 5);
        struct str inside = rest, tag = str_cut(&inside, '>');
        ptrdiff_t at = str_find_nocase(tag, STR("charset"));
        if (at < 0)
            continue;
        struct str value = str_trim(str_skip(tag, (size_t)at + 7));
        if (!str_starts(value, STR("=")))
            continue;
        value = str_trim(str_skip(value, 1));
        if (value.length && strchr("\"'", value.at[0]))
            value = str_skip(value, 1);
        size_t end = 0;
        while (end < value.length && !ascii_is_space(value.at[end]) &&
               !strchr("\"';/", value.at[end]))
            end++;
        return str_sub(value, 0, end);
    }
    return STR_EMPTY;
}

/* Bytes in which a <meta> could be read are not UTF-16, whatever it says. */
static struct str label_of_html(struct str bytes)
{
    struct str label = meta_charset(bytes);
    const char *name = charset_name(label);
    return name && !str_starts(str_of(name), STR("utf-16")) ? label : STR_EMPTY;
}

/* CRLF and lone CR to LF, in place. */
static void settle_line_ends(struct buf *out, size_t start)
{
    size_t to = start;
    for (size_t i = start; i < out->length; i++) {
        char c = out->at[i];
        if (c == '\r') {
            if (i + 1 < out->length && out->at[i + 1] == '\n')
                continue;
            c = '\n';
        }
        out->at[to++] = c;
    }
    out->length = to;
    if (out->at)
        out->at[to] = '\0';
}

/* Plain text without the uuencoded files in it, which are parts of their own. `body` may be cut. */
static struct str without_files(struct buf *kept, struct str body, const struct mime_part *part)
{
    size_t at = 0;
    for (const struct mime_part *file = part->first_child; file; file = file->next) {
        size_t start = file->body_offset - part->body_offset;
        if (start >= body.length)
            break;
        buf_str(kept, str_sub(body, at, start - at));
        at = start + file->body_length;
    }
    buf_str(kept, str_skip(body, at));
    return buf_view(kept);
}

bool mime_decode_text(struct buf *out, struct str body, const struct mime_part *part)
{
    struct buf bytes = BUF_INIT(body.length + 64), kept = BUF_INIT(body.length);
    struct str text = body, label = part->charset;
    if (str_equal(part->type, STR("text/plain")) && part->first_child)
        text = without_files(&kept, body, part);
    if (part->encoding != MIME_8BIT) {
        mime_decode(&bytes, text, part->encoding);
        text = buf_view(&bytes);
    }
    if (!charset_name(label) && str_equal(part->type, STR("text/html")))
        label = label_of_html(text);
    size_t start = out->length;
    charset_decode(out, text, label);
    settle_line_ends(out, start);
    buf_free(&bytes);
    buf_free(&kept);
    return !out->is_full;
}

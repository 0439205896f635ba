#include "server/mail/compose.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <time.h>

#include "server/base/encode.h"
#include "server/base/seal.h"
#include "server/base/utf8.h"
#include "server/mail/compose_private.h"

enum {
    OUT_BYTES = 64 * 1024,         /* gathered before the taker gets them */
    HEADER_BYTES_MAX = 512 * 1024, /* 1,000 addresses with long names */
    TYPE_BYTES_MAX = 127,
    NAME_BYTES_MAX = 255,   /* of a file */
    PARAM_PIECE_BYTES = 60, /* of an RFC 2231 piece */
    PLAIN_PARAM_BYTES = 60, /* longer names are cut in pieces too */
    BOUNDARY_BYTES = 40,
};

/* --- the taker ------------------------------------------------------------------------------- */

struct composing {
    compose_write_fn *write;
    void *context;
    struct buf out;
    bool is_given_up;
    struct compose_needs needs;
};

static bool give(struct composing *c)
{
    if (!c->is_given_up && c->out.length && !c->write(c->context, buf_view(&c->out)))
        c->is_given_up = true;
    buf_reset(&c->out);
    return !c->is_given_up;
}

static bool put(struct composing *c, struct str bytes)
{
    while (bytes.length && !c->is_given_up) {
        struct str piece = str_sub(bytes, 0, OUT_BYTES - c->out.length);
        buf_str(&c->out, piece);
        bytes = str_skip(bytes, piece.length);
        if (c->out.length == OUT_BYTES)
            give(c);
    }
    return !c->is_given_up;
}

static bool put_text(struct composing *c, const char *text)
{
    return put(c, str_of(text));
}

/* --- header ---------------------------------------------------------------------------------- */

static void write_date(struct buf *out, int64_t at_us, int offset_minutes)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(at_us / 1000000 + (int64_t)offset_minutes * 60);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    buf_printf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d %c%02d%02d\r\n", days + 3 * tm.tm_wday,
               tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
               tm.tm_sec, offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

static bool write_people(struct composing *c, struct buf *out, const char *name,
                         struct compose_addresses people, struct error *err)
{
    struct buf value = BUF_INIT(HEADER_BYTES_MAX);
    bool is_good = compose_write_addresses(&value, people, &c->needs.smtputf8, err);
    if (is_good && people.count)
        compose_field(out, name, buf_view(&value));
    buf_free(&value);
    return is_good;
}

/* Ids that are none are left out: they came with someone else's mail. */
static void write_ids(struct buf *out, const char *name, struct str ids)
{
    struct buf value = BUF_INIT(HEADER_BYTES_MAX);
    while (ids.at && ids.length) {
        struct str id = str_cut(&ids, ' ');
        if (compose_is_id(id))
            buf_printf(&value, "%s<%" STR_FMT ">", value.length ? " " : "", STR_ARG(id));
    }
    if (value.length)
        compose_field(out, name, buf_view(&value));
    buf_free(&value);
}

static void write_subject(struct buf *out, struct str subject)
{
    struct buf value = BUF_INIT(HEADER_BYTES_MAX);
    compose_words(&value, utf8_prefix(subject, COMPOSE_SUBJECT_BYTES_MAX));
    compose_field(out, "Subject", buf_view(&value));
    buf_free(&value);
}

static bool write_header(struct composing *c, const struct compose *m, struct error *err)
{
    struct buf out = BUF_INIT(HEADER_BYTES_MAX * 4);
    struct compose_addresses from = {&m->from, 1};
    write_date(&out, m->date_at, m->date_offset_minutes);
    bool is_good = write_people(c, &out, "From", from, err) &&
                   write_people(c, &out, "Reply-To", m->reply_to, err) &&
                   write_people(c, &out, "To", m->to, err) &&
                   write_people(c, &out, "Cc", m->cc, err);
    if (is_good && m->wants_receipt)
        is_good = write_people(c, &out, "Disposition-Notification-To", from, err);
    write_subject(&out, m->subject);
    write_ids(&out, "Message-ID", m->message_id);
    write_ids(&out, "In-Reply-To", m->in_reply_to);
    write_ids(&out, "References", m->references);
    if (m->priority != COMPOSE_NORMAL)
        buf_text(&out, m->priority == COMPOSE_HIGH ? "Importance: high\r\nX-Priority: 1\r\n"
                                                   : "Importance: low\r\nX-Priority: 5\r\n");
    if (m->is_draft)
        buf_text(&out, "X-Unsent: 1\r\n");
    buf_text(&out, "User-Agent: Restante\r\nMIME-Version: 1.0\r\n");
    if (is_good && out.is_full)
        is_good = error_set(err, ERROR_LIMIT, "These are too many addresses.");
    is_good = is_good && put(c, buf_view(&out));
    buf_free(&out);
    return is_good;
}

/* --- encodings (GMime's) --------------------------------------------------------------------- */

struct encoder {
    struct composing *composing;
    GMimeEncoding state;
    struct buf encoded;
};

/* GMime's lines end in LF. */
static bool put_lines(struct composing *c, struct str lines)
{
    while (lines.length) {
        ptrdiff_t end = str_find_char(lines, '\n');
        put(c, str_sub(lines, 0, end < 0 ? lines.length : (size_t)end));
        if (end < 0)
            break;
        put_text(c, "\r\n");
        lines = str_skip(lines, (size_t)end + 1);
    }
    return !c->is_given_up;
}

static bool encode(struct encoder *e, struct str bytes, bool is_last)
{
    size_t room = g_mime_encoding_outlen(&e->state, bytes.length) + 16;
    buf_reset(&e->encoded);
    char *to = buf_reserve(&e->encoded, room);
    size_t length = is_last ? g_mime_encoding_flush(&e->state, bytes.at, bytes.length, to)
                            : g_mime_encoding_step(&e->state, bytes.at, bytes.length, to);
    return put_lines(e->composing, str_make(to, length));
}

static bool encode_piece(void *context, struct str bytes)
{
    struct encoder *e = context;
    while (bytes.length) {
        struct str piece = str_sub(bytes, 0, OUT_BYTES);
        if (!encode(e, piece, false))
            return false;
        bytes = str_skip(bytes, piece.length);
    }
    return true;
}

static struct encoder encoder_for(struct composing *c, GMimeContentEncoding encoding)
{
    struct encoder e = {.composing = c, .encoded = BUF_INIT(OUT_BYTES * 4)};
    g_mime_encoding_init_encode(&e.state, encoding);
    return e;
}

static bool encoder_end(struct encoder *e, bool is_good)
{
    is_good = is_good && encode(e, STR_EMPTY, true);
    buf_free(&e->encoded);
    return is_good && put_text(e->composing, "\r\n");
}

/* --- parts ----------------------------------------------------------------------------------- */

struct boundary {
    char text[BOUNDARY_BYTES];
};

/* "=_" stands in no base64 and no quoted-printable. */
static struct boundary boundary_new(void)
{
    unsigned char random[12];
    struct buf text = BUF_INIT(BOUNDARY_BYTES);
    struct boundary boundary;
    random_bytes(random, sizeof random);
    encode_hex(&text, str_make(random, sizeof random));
    snprintf(boundary.text, sizeof boundary.text, "=_%s", text.at);
    buf_free(&text);
    return boundary;
}

static bool begin_multipart(struct composing *c, const char *subtype,
                            const struct boundary *boundary)
{
    char line[200];
    snprintf(line, sizeof line, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n", subtype,
             boundary->text);
    return put_text(c, line);
}

static bool between(struct composing *c, const struct boundary *boundary)
{
    return put_text(c, "--") && put_text(c, boundary->text) && put_text(c, "\r\n");
}

static bool end_multipart(struct composing *c, const struct boundary *boundary)
{
    return put_text(c, "--") && put_text(c, boundary->text) && put_text(c, "--\r\n");
}

/* ASCII in lines that SMTP takes as they are. */
static bool is_seven_bit(struct str text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        line = c == '\n' ? 0 : line + 1;
        if (c >= 0x80 || c == 0 || line > COMPOSE_LINE_MAX - 2)
            return false;
    }
    return true;
}

static bool write_quoted_printable(struct composing *c, struct str text)
{
    struct encoder e = encoder_for(c, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    bool is_good = true;
    while (is_good && text.length) { /* line ends as LF: GMime would encode a CR */
        ptrdiff_t end = str_find_char(text, '\r');
        is_good = encode_piece(&e, str_sub(text, 0, end < 0 ? text.length : (size_t)end));
        if (end < 0)
            break;
        text = str_skip(text, (size_t)end + 1);
        if (!str_starts(text, STR("\n")))
            is_good = is_good && encode_piece(&e, STR("\n"));
    }
    return encoder_end(&e, is_good);
}

static bool write_plain(struct composing *c, struct str text)
{
    struct buf clean = BUF_INIT(COMPOSE_TEXT_BYTES_MAX * 4),
               flowed = BUF_INIT(COMPOSE_TEXT_BYTES_MAX * 8);
    utf8_repair(&clean, text);
    compose_flow(&flowed, buf_view(&clean));
    bool is_ascii = is_seven_bit(buf_view(&flowed));
    bool is_good =
        put_text(c, "Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
                    "Content-Transfer-Encoding: ") &&
        put_text(c, is_ascii ? "7bit\r\n\r\n" : "quoted-printable\r\n\r\n") &&
        (is_ascii ? put(c, buf_view(&flowed)) : write_quoted_printable(c, buf_view(&flowed)));
    buf_free(&clean);
    buf_free(&flowed);
    return is_good;
}

static bool write_html(struct composing *c, struct str html)
{
    struct buf clean = BUF_INIT(COMPOSE_TEXT_BYTES_MAX * 4);
    utf8_repair(&clean, html);
    bool is_good = put_text(c, "Content-Type: text/html; charset=utf-8\r\n"
                               "Content-Transfer-Encoding: quoted-printable\r\n\r\n") &&
                   write_quoted_printable(c, buf_view(&clean));
    buf_free(&clean);
    return is_good;
}

/* --- attachments ----------------------------------------------------------------------------- */

static bool is_type(struct str type)
{
    if (compose_is_itip(type))
        return true;
    ptrdiff_t slash = str_find_char(type, '/');
    if (slash <= 0 || (size_t)slash + 1 >= type.length || type.length > TYPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < type.length; i++)
        if (!ascii_is_alpha(type.at[i]) && !ascii_is_digit(type.at[i]) &&
            !strchr("!#$&^_.+-", type.at[i]) && i != (size_t)slash)
            return false;
    return !str_starts_nocase(type, STR("multipart/"));
}

bool compose_is_itip(struct str type)
{
    struct str rest = type, name = str_cut(&rest, ';');
    static const char *const methods[] = {"REPLY", "REQUEST", "CANCEL", "COUNTER", "REFRESH"};
    bool is_known = false;
    if (!str_equal_nocase(str_trim(name), STR("text/calendar")) || !rest.at)
        return false;
    struct str value = str_trim(rest);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        is_known |= str_starts_nocase(value, STR("method=")) &&
                    str_equal(str_skip(value, 7), str_of(methods[i]));
    return is_known;
}

/* "; name=value" on a line of its own; RFC 2231 for what is long or not ASCII. */
static void write_param(struct buf *out, const char *name, struct str value)
{
    bool is_plain = value.length <= PLAIN_PARAM_BYTES && compose_is_ascii(value);
    if (is_plain) {
        buf_printf(out, ";\r\n %s=\"", name);
        for (size_t i = 0; i < value.length; i++) {
            if (value.at[i] == '"' || value.at[i] == '\\')
                buf_char(out, '\\');
            buf_char(out, value.at[i]);
        }
        buf_char(out, '"');
        return;
    }
    struct buf encoded = BUF_INIT(value.length * 3 + 1);
    encode_percent(&encoded, value);
    struct str rest = buf_view(&encoded);
    bool is_whole = rest.length <= PARAM_PIECE_BYTES;
    for (int n = 0; rest.length; n++) {
        struct str piece = str_sub(rest, 0, PARAM_PIECE_BYTES);
        while (piece.length < rest.length &&
               (piece.at[piece.length - 1] == '%' || piece.at[piece.length - 2] == '%'))
            piece.length--; /* %XX stays together */
        if (is_whole)
            buf_printf(out, ";\r\n %s*=", name);
        else
            buf_printf(out, ";\r\n %s*%d*=", name, n);
        buf_text(out, n == 0 ? "utf-8''" : "");
        buf_str(out, piece);
        rest = str_skip(rest, piece.length);
    }
    buf_free(&encoded);
}

/* The file's name without path and control characters. */
static struct str clean_name(struct buf *clean, struct str name)
{
    struct buf repaired = BUF_INIT(name.length * 3 + 1);
    utf8_repair(&repaired, name);
    struct str view = buf_view(&repaired);
    size_t begin = view.length;
    while (begin > 0 && view.at[begin - 1] != '/' && view.at[begin - 1] != '\\')
        begin--;
    view = str_skip(view, begin);
    view = utf8_prefix(view, NAME_BYTES_MAX);
    for (size_t i = 0; i < view.length; i++)
        buf_char(clean, (unsigned char)view.at[i] < ' ' || view.at[i] == 127 ? '_' : view.at[i]);
    buf_free(&repaired);
    return buf_view(clean);
}

struct scan {
    bool has_eightbit, is_unfit; /* a line too long for SMTP, a NUL */
    size_t line;
};

static bool scan_piece(void *context, struct str bytes)
{
    struct scan *scan = context;
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        scan->line = c == '\n' || c == '\r' ? 0 : scan->line + 1;
        scan->has_eightbit |= c >= 0x80;
        scan->is_unfit |= c == 0 || scan->line > COMPOSE_LINE_MAX;
    }
    return true;
}

struct raw_lines {
    struct composing *composing;
    bool has_cr, is_at_start;
};

/* Whatever ends a line becomes CRLF: a bare LF or CR is what smuggles a second message. */
static bool put_raw(void *context, struct str bytes)
{
    struct raw_lines *raw = context;
    size_t from = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.at[i];
        bool is_second = raw->has_cr && c == '\n';
        raw->has_cr = false;
        if (c != '\n' && c != '\r')
            continue;
        put(raw->composing, str_sub(bytes, from, i - from));
        from = i + 1;
        if (!is_second)
            put_text(raw->composing, "\r\n");
        raw->has_cr = c == '\r';
    }
    return put(raw->composing, str_skip(bytes, from));
}

/* A message may not be encoded in base64 (RFC 2046 section 5.2.1), so it goes as it is, or, when no
 * server would take its lines, as a file. */
static bool write_message(struct composing *c, const struct compose_attachment *a,
                          const struct scan *scan, struct error *err)
{
    struct raw_lines raw = {.composing = c};
    c->needs.eightbit |= scan->has_eightbit;
    return put_text(c, scan->has_eightbit ? "Content-Transfer-Encoding: 8bit\r\n\r\n"
                                          : "Content-Transfer-Encoding: 7bit\r\n\r\n") &&
           a->stream(a->source, put_raw, &raw, err) && put_text(c, "\r\n");
}

static bool write_base64(struct composing *c, const struct compose_attachment *a, struct error *err)
{
    struct encoder e = encoder_for(c, GMIME_CONTENT_ENCODING_BASE64);
    bool is_good = put_text(c, "Content-Transfer-Encoding: base64\r\n\r\n") &&
                   a->stream(a->source, encode_piece, &e, err);
    return encoder_end(&e, is_good);
}

/* What makes the message around it a receipt (RFC 8098 section 3). */
static bool is_receipt(const struct compose_attachment *a)
{
    return str_equal_nocase(a->type, STR("message/disposition-notification"));
}

/* Its fields as they are, in lines that every server takes; what has others is a file like any. */
static bool write_receipt(struct composing *c, const struct compose_attachment *a,
                          const struct scan *scan, struct error *err)
{
    return put_text(c, "Content-Type: message/disposition-notification\r\n") &&
           write_message(c, a, scan, err);
}

static bool write_attachment(struct composing *c, const struct compose_attachment *a,
                             struct error *err)
{
    struct scan scan = {0};
    bool is_message = str_equal_nocase(a->type, STR("message/rfc822"));
    bool is_itip = compose_is_itip(a->type);
    if ((is_message || is_receipt(a)) && !a->stream(a->source, scan_piece, &scan, err))
        return false;
    if (is_receipt(a) && !scan.is_unfit)
        return write_receipt(c, a, &scan, err);
    is_message = is_message && !scan.is_unfit;
    struct buf head = BUF_INIT(HEADER_BYTES_MAX), clean = BUF_INIT(NAME_BYTES_MAX + 1);
    struct str name = clean_name(&clean, a->name);
    bool is_known =
        is_type(a->type) && (is_message || !str_starts_nocase(a->type, STR("message/")));
    buf_text(&head, "Content-Type: ");
    buf_str(&head, is_known ? a->type : STR("application/octet-stream"));
    if (is_itip)
        buf_text(&head, ";\r\n charset=utf-8");
    if (name.length)
        write_param(&head, "name", name);
    buf_text(&head, "\r\n");
    if (!is_itip) {
        buf_text(&head, "Content-Disposition: ");
        buf_text(&head, a->cid.length ? "inline" : "attachment");
        if (name.length)
            write_param(&head, "filename", name);
        buf_text(&head, "\r\n");
    }
    if (compose_is_id(a->cid))
        buf_printf(&head, "Content-ID: <%" STR_FMT ">\r\n", STR_ARG(a->cid));
    bool is_good = put(c, buf_view(&head)) &&
                   (is_message ? write_message(c, a, &scan, err) : write_base64(c, a, err));
    buf_free(&head);
    buf_free(&clean);
    return is_good;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* What stands beside the text, rather than after all of it: a picture of the HTML, and what makes a
 * plain message an answer to an invitation (RFC 6047 section 2.4: its other form). */
static bool is_itip(const struct compose *m, size_t i)
{
    return !m->html.length && compose_is_itip(m->attachments[i].type);
}

static bool is_inline(const struct compose *m, size_t i)
{
    return (m->html.length && m->attachments[i].cid.length) || is_itip(m, i);
}

static bool write_itip(struct composing *c, const struct compose *m, struct error *err)
{
    struct boundary boundary = boundary_new();
    bool is_good = begin_multipart(c, "alternative", &boundary) && between(c, &boundary) &&
                   write_plain(c, m->text);
    for (size_t i = 0; is_good && i < m->attachment_count; i++)
        if (is_itip(m, i))
            is_good = between(c, &boundary) && write_attachment(c, &m->attachments[i], err);
    return is_good && end_multipart(c, &boundary);
}

static bool write_related(struct composing *c, const struct compose *m, size_t inline_count,
                          struct error *err)
{
    if (inline_count == 0)
        return write_html(c, m->html);
    struct boundary boundary = boundary_new();
    bool is_good = begin_multipart(c, "related; type=\"text/html\"", &boundary) &&
                   between(c, &boundary) && write_html(c, m->html);
    for (size_t i = 0; is_good && i < m->attachment_count; i++)
        if (is_inline(m, i))
            is_good = between(c, &boundary) && write_attachment(c, &m->attachments[i], err);
    return is_good && end_multipart(c, &boundary);
}

static bool write_body(struct composing *c, const struct compose *m, size_t inline_count,
                       struct error *err)
{
    if (!m->html.length)
        return inline_count ? write_itip(c, m, err) : write_plain(c, m->text);
    struct boundary boundary = boundary_new();
    return begin_multipart(c, "alternative", &boundary) && between(c, &boundary) &&
           write_plain(c, m->text) && between(c, &boundary) &&
           write_related(c, m, inline_count, err) && end_multipart(c, &boundary);
}

static bool write_all(struct composing *c, const struct compose *m, struct error *err)
{
    size_t inline_count = 0;
    for (size_t i = 0; i < m->attachment_count; i++)
        inline_count += is_inline(m, i);
    if (!write_header(c, m, err))
        return false;
    if (inline_count == m->attachment_count)
        return write_body(c, m, inline_count, err);
    struct boundary boundary = boundary_new();
    const char *kind = "mixed";
    for (size_t i = 0; i < m->attachment_count; i++)
        if (is_receipt(&m->attachments[i]))
            kind = "report; report-type=disposition-notification";
    bool is_good = begin_multipart(c, kind, &boundary) && between(c, &boundary) &&
                   write_body(c, m, inline_count, err);
    for (size_t i = 0; is_good && i < m->attachment_count; i++)
        if (!is_inline(m, i))
            is_good = between(c, &boundary) && write_attachment(c, &m->attachments[i], err);
    return is_good && end_multipart(c, &boundary);
}

bool compose_write(const struct compose *m, compose_write_fn *write, void *context,
                   struct compose_needs *needs, struct error *err)
{
    struct composing c = {.write = write, .context = context, .out = BUF_INIT(OUT_BYTES)};
    if (m->text.length > COMPOSE_TEXT_BYTES_MAX || m->html.length > COMPOSE_TEXT_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "The text of a message has at most %d MB.",
                         COMPOSE_TEXT_BYTES_MAX / 1024 / 1024);
    if (m->attachment_count > COMPOSE_ATTACHMENTS_MAX)
        return error_set(err, ERROR_LIMIT, "A message has at most %d attachments.",
                         COMPOSE_ATTACHMENTS_MAX);
    if (!compose_is_id(m->message_id))
        return error_set(err, ERROR_INVALID, "The message has no id.");
    bool is_good = write_all(&c, m, err) && give(&c);
    buf_free(&c.out);
    *needs = c.needs;
    return is_good;
}

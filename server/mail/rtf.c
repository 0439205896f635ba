#include "server/mail/rtf.h"

#include <stdio.h>

#include "server/base/utf8.h"
#include "server/mail/charset.h"

/* --- unpacking -------------------------------------------------------------------------------- */

enum {
    PACKED = 0x75465a4c,   /* "LZFu" */
    UNPACKED = 0x414c454d, /* "MELA" */
    HEAD_BYTES = 16,
    WINDOW_BYTES = 4096,
};

/* What the window holds at the beginning (MS-OXRTFCP 2.1.2.1). */
static const char beginning[] =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    "\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    "\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
enum { BEGINNING_BYTES = sizeof beginning - 1 };
_Static_assert(BEGINNING_BYTES == 207, "MS-OXRTFCP says so");

struct window {
    char bytes[WINDOW_BYTES];
    size_t at;
};

static bool put(struct window *window, struct buf *out, char c)
{
    window->bytes[window->at] = c;
    window->at = (window->at + 1) % WINDOW_BYTES;
    return buf_char(out, c);
}

static uint32_t number_at(struct str bytes, size_t at)
{
    uint32_t number = 0;
    for (size_t i = 4; i > 0; i--)
        number = number << 8 | (unsigned char)bytes.at[at + i - 1];
    return number;
}

/* A reference into the window: twelve bits where, four bits how long. False at the end. */
static bool copy(struct window *window, struct buf *out, struct str two)
{
    unsigned word = (unsigned)(unsigned char)two.at[0] << 8 | (unsigned char)two.at[1];
    size_t from = word >> 4, length = (word & 15) + 2;
    if (from == window->at)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!put(window, out, window->bytes[(from + i) % WINDOW_BYTES]))
            return false;
    return true;
}

/* True when the end was met. */
static bool unpack(struct window *window, struct buf *out, struct str rest)
{
    while (rest.length) {
        unsigned flags = (unsigned char)rest.at[0];
        rest = str_skip(rest, 1);
        for (int bit = 0; bit < 8; bit++, flags >>= 1) {
            size_t bytes = flags & 1 ? 2 : 1;
            if (rest.length < bytes)
                return false;
            if (flags & 1 ? !copy(window, out, rest) : !put(window, out, rest.at[0]))
                return !out->is_full;
            rest = str_skip(rest, bytes);
        }
    }
    return false;
}

bool rtf_unpack(struct buf *out, struct str packed, bool *is_cut)
{
    *is_cut = false;
    if (packed.length < HEAD_BYTES)
        return false;
    uint32_t kind = number_at(packed, 8);
    struct str body = str_skip(packed, HEAD_BYTES);
    if (kind == UNPACKED) {
        *is_cut = !buf_str(out, body);
        return true;
    }
    if (kind != PACKED)
        return false;
    struct window window = {.at = BEGINNING_BYTES};
    memcpy(window.bytes, beginning, BEGINNING_BYTES);
    *is_cut = !unpack(&window, out, body);
    return true;
}

/* --- text ------------------------------------------------------------------------------------- */

struct group {
    bool is_hidden; /* a destination that is not text: fonts, colours, pictures, HTML's own marks */
    bool is_skipped;  /* between \htmlrtf and \htmlrtf0: what stands for HTML's marks in RTF */
    int unicode_skip; /* characters that stand in for one of \u (\ucN) */
};

struct rtf {
    struct str rest;
    struct buf *out;
    struct buf coded; /* characters by code, not converted yet */
    struct group groups[RTF_DEPTH_MAX + 1];
    size_t depth, beyond; /* groups deeper than that are counted and not read */
    int to_skip;          /* characters still to be left out after \u */
    uint32_t high;        /* the first half of a surrogate pair */
    unsigned codepage;
};

static struct group *top(struct rtf *r)
{
    return &r->groups[r->depth];
}

static bool is_shown(struct rtf *r)
{
    return !r->beyond && !top(r)->is_hidden && !top(r)->is_skipped;
}

/* Characters by code stand together in their bytes: a character of Japanese is two of them. */
static void settle(struct rtf *r)
{
    char label[24];
    if (!r->coded.length)
        return;
    snprintf(label, sizeof label, "cp%u", r->codepage ? r->codepage : 1252);
    charset_decode(r->out, buf_view(&r->coded), str_of(label));
    buf_reset(&r->coded);
}

static void put_text(struct rtf *r, char c)
{
    if (r->to_skip > 0)
        r->to_skip--;
    else if (is_shown(r) && (unsigned char)c >= 0x80)
        buf_char(&r->coded, c);
    else if (is_shown(r) && (c >= ' ' || c == '\n' || c == '\t') && c != 0x7f) {
        settle(r);
        buf_char(r->out, c);
    }
}

/* \'xx: a byte of a character; the second one of a pair may be any. */
static void put_coded(struct rtf *r, char c)
{
    bool is_second = r->coded.length > 0 && !r->to_skip && is_shown(r);
    if (is_second)
        buf_char(&r->coded, c);
    else
        put_text(r, c);
}

static void put_unicode(struct rtf *r, int value)
{
    uint32_t c = (uint32_t)(value < 0 ? value + 65536 : value);
    if (c >= 0xd800 && c < 0xdc00) {
        r->high = c;
    } else if (is_shown(r)) {
        if (c >= 0xdc00 && c < 0xe000)
            c = r->high ? 0x10000 + ((r->high - 0xd800) << 10) + (c - 0xdc00) : 0xfffd;
        settle(r);
        r->high = 0;
        if (c >= ' ' && c <= 0x10ffff)
            utf8_write(r->out, c);
    }
    r->to_skip = top(r)->unicode_skip;
}

static bool hides(struct str word)
{
    static const char *const words[] = {
        "fonttbl", "colortbl", "stylesheet", "info",      "pict",      "object",  "header",
        "footer",  "headerl",  "footnote",   "generator", "listtable", "htmltag", "mhtmltag"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(word, str_of(words[i])))
            return true;
    return false;
}

/* Words that stand for a character or say something about the text. */
static void take_word(struct rtf *r, struct str word, bool has_value, int value)
{
    static const struct {
        const char *word, *text;
    } texts[] = {{"par", "\n"},
                 {"line", "\n"},
                 {"row", "\n"},
                 {"tab", "\t"},
                 {"cell", "\t"},
                 {"bullet", "\xe2\x80\xa2"},
                 {"endash", "\xe2\x80\x93"},
                 {"emdash", "\xe2\x80\x94"},
                 {"lquote", "\xe2\x80\x98"},
                 {"rquote", "\xe2\x80\x99"},
                 {"ldblquote", "\xe2\x80\x9c"},
                 {"rdblquote", "\xe2\x80\x9d"}};
    if (str_equal(word, STR("u")) && has_value) {
        put_unicode(r, value);
        return;
    }
    r->to_skip = 0;
    if (str_equal(word, STR("uc")) && has_value)
        top(r)->unicode_skip = value < 0 || value > 16 ? 1 : value;
    else if (str_equal(word, STR("ansicpg")) && value > 0 && value < 65536)
        r->codepage = (unsigned)value;
    else if (str_equal(word, STR("htmlrtf")))
        top(r)->is_skipped = !has_value || value != 0;
    else if (hides(word))
        top(r)->is_hidden = true;
    else if (is_shown(r))
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (str_equal(word, str_of(texts[i].word))) {
                settle(r);
                buf_text(r->out, texts[i].text);
            }
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* \word-12 and the space behind it; at least one letter stands there. */
static void read_word(struct rtf *r)
{
    size_t length = 0, digits = 0;
    while (length < r->rest.length && ascii_is_alpha(r->rest.at[length]))
        length++;
    struct str word = str_sub(r->rest, 0, length);
    r->rest = str_skip(r->rest, length);
    bool is_negative = r->rest.length && r->rest.at[0] == '-';
    int value = 0;
    if (is_negative)
        r->rest = str_skip(r->rest, 1);
    for (; digits < r->rest.length && ascii_is_digit(r->rest.at[digits]); digits++)
        if (digits < 8)
            value = value * 10 + (r->rest.at[digits] - '0');
    r->rest = str_skip(r->rest, digits);
    if (r->rest.length && r->rest.at[0] == ' ')
        r->rest = str_skip(r->rest, 1);
    if (str_equal(word, STR("bin")) && digits) /* that many bytes of anything */
        r->rest =
            str_skip(r->rest, (size_t)value < r->rest.length ? (size_t)value : r->rest.length);
    else if (!r->beyond)
        take_word(r, word, digits > 0, is_negative ? -value : value);
}

/* What stands behind a backslash. */
static void read_control(struct rtf *r)
{
    if (!r->rest.length)
        return;
    char c = r->rest.at[0];
    if (ascii_is_alpha(c)) {
        read_word(r);
        return;
    }
    r->rest = str_skip(r->rest, 1);
    if (c == '\'' && r->rest.length >= 2) {
        int high = hex_of(r->rest.at[0]), low = hex_of(r->rest.at[1]);
        r->rest = str_skip(r->rest, 2);
        if (high >= 0 && low >= 0)
            put_coded(r, (char)(high * 16 + low));
    } else if (c == '*' && !r->beyond) {
        /* a destination that who does not know it leaves out; of those we know none is text */
        top(r)->is_hidden = true;
    } else if (c == '~') {
        put_text(r, ' ');
    } else if (c == '\n' || c == '\r') {
        put_text(r, '\n');
    } else if (c == '{' || c == '}' || c == '\\') {
        put_text(r, c);
    }
}

static void open_group(struct rtf *r)
{
    r->to_skip = 0;
    if (r->beyond || r->depth == RTF_DEPTH_MAX) {
        r->beyond++;
        return;
    }
    r->groups[r->depth + 1] = r->groups[r->depth];
    r->depth++;
}

static void close_group(struct rtf *r)
{
    r->to_skip = 0;
    if (r->beyond)
        r->beyond--;
    else if (r->depth > 0)
        r->depth--;
}

bool rtf_to_text(struct buf *out, struct str rtf, unsigned codepage)
{
    if (!str_starts(rtf, STR("{\\rtf")))
        return false;
    struct rtf r = {.rest = rtf,
                    .out = out,
                    .coded = BUF_INIT(rtf.length + 1),
                    .groups = {{.unicode_skip = 1}},
                    .codepage = codepage};
    while (r.rest.length && !out->is_full) {
        char c = r.rest.at[0];
        r.rest = str_skip(r.rest, 1);
        if (c == '{')
            open_group(&r);
        else if (c == '}')
            close_group(&r);
        else if (c == '\\')
            read_control(&r);
        else if (c != '\r' && c != '\n')
            put_text(&r, c);
    }
    settle(&r);
    buf_free(&r.coded);
    return true;
}

#include "server/mail/html_text.h"

#include "server/base/utf8.h"
#include "server/mail/html_entity.h"

/* White space owed to the output; written only when a visible character follows. */
enum gap { GAP_NONE, GAP_SPACE, GAP_LINE, GAP_PARAGRAPH };

enum { QUOTES_MAX = 50 };

struct reader {
    struct buf *out;
    size_t start;          /* where in `out` our text begins */
    size_t text_bytes_max; /* most bytes to write */
    enum gap gap;
    unsigned pre_depth;
    struct str left_out; /* the element whose content is skipped now; empty: none */
    unsigned left_out_depth;
    bool is_full;
    /* html_to_letter: */
    bool is_letter, has_item;       /* an item of a list begins */
    unsigned quotes, quotes_before; /* now, and where something was written last */
    struct buf line;                /* the gap being made */
};

enum effect {
    EFFECT_SPACE,     /* a cell */
    EFFECT_BREAK,     /* <br>: adds up */
    EFFECT_LINE,      /* a block */
    EFFECT_PARAGRAPH, /* a block with margins */
    EFFECT_PRE,       /* a paragraph whose line ends count */
    EFFECT_RAW,       /* content is not markup and not shown: skipped to its end tag */
    EFFECT_LEAVE_OUT, /* content is markup that is not shown; nests */
};

static const struct {
    const char *name;
    enum effect effect;
} elements[] = {
    {"br", EFFECT_BREAK},
    {"td", EFFECT_SPACE},
    {"th", EFFECT_SPACE},
    {"p", EFFECT_PARAGRAPH},
    {"div", EFFECT_LINE},
    {"tr", EFFECT_LINE},
    {"li", EFFECT_LINE},
    {"table", EFFECT_LINE},
    {"tbody", EFFECT_LINE},
    {"thead", EFFECT_LINE},
    {"tfoot", EFFECT_LINE},
    {"caption", EFFECT_LINE},
    {"blockquote", EFFECT_PARAGRAPH},
    {"h1", EFFECT_PARAGRAPH},
    {"h2", EFFECT_PARAGRAPH},
    {"h3", EFFECT_PARAGRAPH},
    {"h4", EFFECT_PARAGRAPH},
    {"h5", EFFECT_PARAGRAPH},
    {"h6", EFFECT_PARAGRAPH},
    {"hr", EFFECT_PARAGRAPH},
    {"ul", EFFECT_PARAGRAPH},
    {"ol", EFFECT_PARAGRAPH},
    {"dl", EFFECT_PARAGRAPH},
    {"dt", EFFECT_LINE},
    {"dd", EFFECT_LINE},
    {"pre", EFFECT_PRE},
    {"listing", EFFECT_PRE},
    {"center", EFFECT_LINE},
    {"body", EFFECT_LINE},
    {"form", EFFECT_LINE},
    {"section", EFFECT_LINE},
    {"article", EFFECT_LINE},
    {"header", EFFECT_LINE},
    {"footer", EFFECT_LINE},
    {"main", EFFECT_LINE},
    {"aside", EFFECT_LINE},
    {"nav", EFFECT_LINE},
    {"address", EFFECT_LINE},
    {"fieldset", EFFECT_LINE},
    {"figure", EFFECT_LINE},
    {"option", EFFECT_LINE},
    {"details", EFFECT_LINE},
    {"summary", EFFECT_LINE},
    {"script", EFFECT_RAW},
    {"style", EFFECT_RAW},
    {"title", EFFECT_RAW},
    {"noscript", EFFECT_RAW},
    {"noembed", EFFECT_RAW},
    {"noframes", EFFECT_RAW},
    {"iframe", EFFECT_RAW},
    {"template", EFFECT_LEAVE_OUT},
    {"svg", EFFECT_LEAVE_OUT},
    {"math", EFFECT_LEAVE_OUT},
};
enum { ELEMENT_COUNT = sizeof elements / sizeof elements[0] };

static void owe(struct reader *r, enum gap gap)
{
    if (r->gap < gap)
        r->gap = gap;
}

static void write_quotes(struct buf *gap, unsigned quotes)
{
    for (unsigned i = 0; i < quotes && i < QUOTES_MAX; i++)
        buf_char(gap, '>');
}

/* The gap as a letter has it: each of its lines with its quote marks. */
static struct str letter_gap(struct reader *r, bool is_first)
{
    struct buf *gap = &r->line;
    enum gap owed = r->quotes != r->quotes_before && r->gap < GAP_LINE ? GAP_LINE : r->gap;
    bool is_line = is_first || owed >= GAP_LINE;
    buf_reset(gap);
    if (!is_first && owed == GAP_SPACE)
        buf_char(gap, ' ');
    if (!is_first && owed == GAP_PARAGRAPH) {
        buf_char(gap, '\n');
        write_quotes(gap, r->quotes < r->quotes_before ? r->quotes : r->quotes_before);
    }
    if (!is_first && is_line)
        buf_char(gap, '\n');
    if (is_line && r->quotes) {
        write_quotes(gap, r->quotes);
        buf_char(gap, ' ');
    }
    if (r->has_item)
        buf_text(gap, "* ");
    r->has_item = false;
    r->quotes_before = r->quotes;
    return buf_view(gap);
}

static void write_character(struct reader *r, uint32_t character, struct str bytes)
{
    static const char *const gaps[] = {"", " ", "\n", "\n\n"};
    bool is_first = r->out->length == r->start;
    struct str gap = is_first ? STR_EMPTY : str_of(gaps[r->gap]);
    size_t used = r->out->length - r->start;
    /* Joiners that only pad a newsletter's preview line. */
    if ((character == 0x200c || character == 0x200d) && (is_first || r->gap))
        return;
    if (r->is_letter)
        gap = letter_gap(r, is_first);
    if (gap.length + bytes.length > r->text_bytes_max - used) {
        r->is_full = true;
        return;
    }
    if (!buf_str(r->out, gap) || !buf_str(r->out, bytes))
        r->is_full = true;
    r->gap = GAP_NONE;
}

static bool is_space(uint32_t c)
{
    return (c >= 0x2000 && c <= 0x200a) || c == 0xa0 || c == 0x202f || c == 0x205f || c == 0x3000 ||
           c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Characters without width that senders pad and watermark with. */
static bool is_invisible(uint32_t c)
{
    return c < ' ' || c == 0x7f || (c > 0x7f && c < 0xa0) || c == 0xad || c == 0x34f ||
           c == 0x200b || c == 0x2060 || c == 0xfeff;
}

static void read_character(struct reader *r, uint32_t character)
{
    if (character < 0x80 && ascii_is_space((char)character)) {
        owe(r, character == '\n' && r->pre_depth ? GAP_LINE : GAP_SPACE);
        return;
    }
    if (is_space(character)) {
        owe(r, GAP_SPACE);
        return;
    }
    if (is_invisible(character))
        return;
    char bytes[8];
    struct buf encoded = {.at = bytes, .capacity = sizeof bytes, .limit = sizeof bytes - 1};
    utf8_write(&encoded, character);
    write_character(r, character, buf_view(&encoded));
}

/* Text up to the next "<" that could open a tag; at least one character. */
static struct str read_text(struct reader *r, struct str rest)
{
    bool is_first = true;
    while (rest.length && !r->is_full && (is_first || rest.at[0] != '<')) {
        is_first = false;
        uint32_t character;
        size_t length = rest.at[0] == '&' ? html_entity(rest, &character) : 0;
        if (length) {
            rest = str_skip(rest, length);
        } else if ((unsigned char)rest.at[0] < 0x80) {
            character = (unsigned char)rest.at[0];
            rest = str_skip(rest, 1);
        } else {
            character = utf8_next(&rest);
        }
        if (!r->left_out.length)
            read_character(r, character);
    }
    return rest;
}

struct tag {
    struct str name;
    bool is_end;
    bool is_void; /* written "<x/>" */
};

/* A tag at the front of `rest`; returns what follows it: nothing when it never ends, so a second
 * search over the same bytes cannot happen. Quoted attribute values may hold ">". */
static struct str read_tag(struct str rest, struct tag *tag)
{
    size_t at = 1;
    tag->is_end = at < rest.length && rest.at[at] == '/';
    at += tag->is_end;
    size_t name = at;
    while (at < rest.length && !ascii_is_space(rest.at[at]) && rest.at[at] != '>' &&
           rest.at[at] != '/')
        at++;
    tag->name = str_sub(rest, name, at - name);
    char quote = '\0', before = '\0';
    for (; at < rest.length; at++) {
        char c = rest.at[at];
        if (quote) {
            if (c == quote)
                quote = '\0';
        } else if (c == '>') {
            tag->is_void = before == '/';
            return str_skip(rest, at + 1);
        } else if ((c == '"' || c == '\'') && before == '=') {
            quote = c;
        }
        if (!ascii_is_space(c))
            before = c;
    }
    return STR_EMPTY;
}

/* What follows the end tag of a raw-text element. */
static struct str skip_raw(struct str rest, struct str name)
{
    while (rest.length) {
        ptrdiff_t at = str_find(rest, STR("</"));
        if (at < 0)
            break;
        rest = str_skip(rest, (size_t)at);
        struct str behind = str_skip(rest, 2 + name.length);
        if (str_starts_nocase(str_skip(rest, 2), name) &&
            (!behind.length || ascii_is_space(behind.at[0]) || strchr("/>", behind.at[0]))) {
            struct tag tag;
            return read_tag(rest, &tag);
        }
        rest = str_skip(rest, 2);
    }
    return STR_EMPTY;
}

static bool find_element(struct str name, enum effect *effect)
{
    for (size_t i = 0; i < ELEMENT_COUNT; i++)
        if (str_equal_nocase(name, str_of(elements[i].name))) {
            *effect = elements[i].effect;
            return true;
        }
    return false;
}

/* Inside an element that is left out only its own tags count, and a block tag, which ends <svg>
 * and <math> in a browser too. */
static void tag_in_left_out(struct reader *r, struct tag tag, bool is_known, enum effect effect)
{
    if (str_equal_nocase(tag.name, r->left_out)) {
        if (tag.is_end)
            r->left_out_depth--;
        else if (!tag.is_void)
            r->left_out_depth++;
        if (!r->left_out_depth)
            r->left_out = STR_EMPTY;
    } else if (is_known && effect < EFFECT_RAW && !str_equal_nocase(r->left_out, STR("template"))) {
        r->left_out = STR_EMPTY;
    }
}

/* What quotes and lists are to a letter. */
static void mark_tag(struct reader *r, struct tag tag)
{
    if (str_equal_nocase(tag.name, STR("li")))
        r->has_item = !tag.is_end;
    else if (!str_equal_nocase(tag.name, STR("blockquote")))
        return;
    else if (!tag.is_end)
        r->quotes++;
    else if (r->quotes)
        r->quotes--;
}

static struct str apply_tag(struct reader *r, struct tag tag, struct str rest)
{
    enum effect effect = EFFECT_SPACE;
    bool is_known = find_element(tag.name, &effect);
    if (r->left_out.length)
        tag_in_left_out(r, tag, is_known, effect);
    if (!is_known)
        return rest;
    if (effect == EFFECT_RAW)
        return tag.is_end ? rest : skip_raw(rest, tag.name);
    if (r->left_out.length)
        return rest;
    if (r->is_letter)
        mark_tag(r, tag);
    switch (effect) {
    case EFFECT_SPACE:
        owe(r, GAP_SPACE);
        break;
    case EFFECT_BREAK:
        owe(r, r->gap >= GAP_LINE ? GAP_PARAGRAPH : GAP_LINE);
        break;
    case EFFECT_LINE:
        owe(r, GAP_LINE);
        break;
    case EFFECT_PRE:
        r->pre_depth = tag.is_end ? 0 : 1;
        owe(r, GAP_PARAGRAPH);
        break;
    case EFFECT_PARAGRAPH:
        owe(r, GAP_PARAGRAPH);
        break;
    case EFFECT_LEAVE_OUT:
        if (!tag.is_end && !tag.is_void) {
            r->left_out = tag.name;
            r->left_out_depth = 1;
        }
        break;
    case EFFECT_RAW:
        break;
    }
    return rest;
}

/* "<!...>", "<?...>" and "</" that is no tag: comments of one kind or another. */
static struct str skip_comment(struct str rest)
{
    if (str_starts(rest, STR("<!--"))) {
        if (str_starts(rest, STR("<!-->")))
            return str_skip(rest, 5);
        ptrdiff_t end = str_find(str_skip(rest, 2), STR("-->"));
        return end < 0 ? STR_EMPTY : str_skip(rest, (size_t)end + 5);
    }
    ptrdiff_t end = str_find_char(rest, '>');
    return end < 0 ? STR_EMPTY : str_skip(rest, (size_t)end + 1);
}

static void read_html(struct reader *reader, struct str html)
{
    while (html.length && !reader->is_full) {
        char second = html.length > 1 ? html.at[1] : '\0';
        char third = html.length > 2 ? html.at[2] : '\0';
        if (html.at[0] != '<') {
            html = read_text(reader, html);
        } else if (ascii_is_alpha(second) || (second == '/' && ascii_is_alpha(third))) {
            struct tag tag = {0};
            html = read_tag(html, &tag);
            html = apply_tag(reader, tag, html);
        } else if (second == '!' || second == '?' || (second == '/' && html.length > 2)) {
            html = skip_comment(html);
        } else {
            html = read_text(reader, html);
        }
    }
}

void html_to_text(struct buf *out, struct str html, size_t text_bytes_max)
{
    struct reader r = {.out = out, .start = out->length, .text_bytes_max = text_bytes_max};
    read_html(&r, html);
}

/* White space at the end of a line is gone, that of "-- " too. */
static void mend_signature(struct buf *out, size_t start)
{
    for (size_t at = start; at + 1 < out->length; at++) {
        struct str rest = str_skip(buf_view(out), at);
        bool is_line = at == start || out->at[at - 1] == '\n';
        if (is_line && str_starts(rest, STR("--\n"))) {
            struct buf tail = BUF_INIT(rest.length + 1);
            buf_str(&tail, str_skip(rest, 2));
            out->length = at + 2;
            buf_char(out, ' ');
            buf_str(out, buf_view(&tail));
            buf_free(&tail);
            return;
        }
    }
}

void html_to_letter(struct buf *out, struct str html, size_t text_bytes_max)
{
    struct reader r = {.out = out,
                       .start = out->length,
                       .text_bytes_max = text_bytes_max,
                       .is_letter = true,
                       .line = BUF_INIT(4 * QUOTES_MAX)};
    read_html(&r, html);
    buf_free(&r.line);
    mend_signature(out, r.start);
}

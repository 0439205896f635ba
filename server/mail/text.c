#include "server/mail/text.h"

#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/text_private.h"

enum { QUOTE_COLOURS = 5 }; /* classes quote-1 to quote-5, then from the first again */

/* A line with its quote marks taken off. */
struct line {
    unsigned depth;
    struct str text;
};

typedef void line_sink(void *context, struct line line);

static const struct str signature_mark = {"-- ", 3};

/* Cuts the next line off; its line end (LF, CRLF) is gone. */
static struct str cut_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');
    if (str_ends(line, STR("\r")))
        line.length--;
    return line;
}

/* ">> text" and "> > text" alike; one space behind the marks belongs to them. */
static struct line read_line(struct str text)
{
    struct line line = {.text = text};
    while (str_starts(line.text, STR(">")) || (line.depth && str_starts(line.text, STR(" >")))) {
        line.text = str_skip(line.text, line.text.at[0] == ' ' ? 2 : 1);
        line.depth++;
    }
    if (line.depth && str_starts(line.text, STR(" ")))
        line.text = str_skip(line.text, 1);
    return line;
}

/* RFC 3676, 4.5 and 4.4: quote marks stand without spaces between, then one stuffed space. */
static struct line read_flowed_line(struct str text)
{
    struct line line = {.text = text};
    while (str_starts(line.text, STR(">"))) {
        line.text = str_skip(line.text, 1);
        line.depth++;
    }
    if (str_starts(line.text, STR(" ")))
        line.text = str_skip(line.text, 1);
    return line;
}

static void each_line(struct str text, line_sink *sink, void *context)
{
    while (text.at && text.length) {
        struct str line = cut_line(&text);
        sink(context, read_line(line));
    }
}

/* RFC 3676, 4.2: lines that end in a space go on in the next one of the same depth. */
static void each_paragraph(struct str text, bool is_delsp, line_sink *sink, void *context)
{
    struct buf paragraph = BUF_INIT(text.length);
    unsigned depth = 0;
    bool is_open = false;
    while (text.at && text.length) {
        struct line line = read_flowed_line(cut_line(&text));
        bool is_mark = str_equal(line.text, signature_mark);
        if (is_open && (line.depth != depth || is_mark)) {
            sink(context, (struct line){depth, buf_view(&paragraph)});
            is_open = false;
        }
        if (!is_open)
            buf_reset(&paragraph);
        is_open = !is_mark && str_ends(line.text, STR(" "));
        if (is_open && is_delsp)
            line.text.length--;
        depth = line.depth;
        buf_str(&paragraph, line.text);
        if (!is_open)
            sink(context, (struct line){depth, buf_view(&paragraph)});
    }
    if (is_open)
        sink(context, (struct line){depth, buf_view(&paragraph)});
    buf_free(&paragraph);
}

static void write_unflowed(void *context, struct line line)
{
    struct buf *out = context;
    for (unsigned i = 0; i < line.depth; i++)
        buf_char(out, '>');
    if (line.depth)
        buf_char(out, ' ');
    buf_str(out, line.text);
    buf_char(out, '\n');
}

bool text_unflow(struct buf *out, struct str text, bool is_delsp)
{
    each_paragraph(text, is_delsp, write_unflowed, out);
    return !out->is_full;
}

struct writer {
    struct buf *out;
    unsigned depth; /* blockquotes open */
    bool is_in_signature;
    bool is_behind_line; /* a line stands before in the same block: <br> comes between */
};

static void end_signature(struct writer *w)
{
    if (w->is_in_signature)
        buf_text(w->out, "</div>");
    w->is_in_signature = false;
}

static void go_to_depth(struct writer *w, unsigned depth)
{
    if (depth == w->depth)
        return;
    end_signature(w);
    for (; w->depth > depth; w->depth--)
        buf_text(w->out, "</blockquote>");
    for (; w->depth < depth; w->depth++)
        buf_printf(w->out, "<blockquote class=\"quote quote-%u\">", w->depth % QUOTE_COLOURS + 1);
    w->is_behind_line = false;
}

static void write_line(void *context, struct line line)
{
    struct writer *w = context;
    go_to_depth(w, line.depth > TEXT_QUOTE_DEPTH_MAX ? TEXT_QUOTE_DEPTH_MAX : line.depth);
    if (!w->is_in_signature && !w->depth && str_equal(line.text, signature_mark)) {
        buf_text(w->out, "<div class=\"signature\">");
        w->is_in_signature = true;
        w->is_behind_line = false;
    }
    if (w->is_behind_line)
        buf_text(w->out, "<br>");
    w->is_behind_line = true;
    text_link_html(w->out, line.text);
}

bool text_to_html(struct buf *out, struct str text, struct text_options options)
{
    struct writer w = {.out = out};
    if (options.is_flowed)
        each_paragraph(text, options.is_delsp, write_line, &w);
    else
        each_line(text, write_line, &w);
    go_to_depth(&w, 0);
    end_signature(&w);
    return !out->is_full;
}

/* Formatted letters: what they begin with. The HTML is for the editor and is sanitised again when
 * it is saved. */
#include "server/base/encode.h"
#include "server/mail/compose.h"
#include "server/mail/compose_private.h"

static void begin_quotes(struct buf *out, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        buf_text(out, "<blockquote type=\"cite\">");
}

static void end_quotes(struct buf *out, size_t from, size_t to)
{
    for (size_t i = to; i < from; i++)
        buf_text(out, "</blockquote>");
}

bool compose_text_html(struct buf *out, struct str text)
{
    size_t depth = 0;
    while (text.length) {
        struct str line = compose_next_line(&text);
        size_t quotes = compose_take_quotes(&line);
        end_quotes(out, depth, quotes);
        begin_quotes(out, depth, quotes);
        depth = quotes;
        buf_text(out, "<div>");
        if (line.length)
            encode_html(out, line);
        else
            buf_text(out, "<br>");
        buf_text(out, "</div>");
    }
    end_quotes(out, depth, 0);
    return !out->is_full;
}

bool compose_quote_html(struct buf *out, struct str html)
{
    buf_text(out, "<blockquote type=\"cite\">");
    buf_str(out, html);
    return buf_text(out, "</blockquote>");
}

bool compose_signature_html(struct buf *out, struct str html, struct str text)
{
    if (!html.length && !text.length)
        return true;
    buf_text(out, "<div><br></div><div>-- </div>");
    return html.length ? buf_str(out, html) : compose_text_html(out, text);
}

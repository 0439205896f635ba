#include "handlers/html/letter.h"

#include "server/base/buf.h"

enum {
    DEPTH_MAX = 64,
    FOLDED_DEPTH = 2,  /* what somebody else had quoted already */
    FOLDED_GROWTH = 3, /* a fold is not longer than two of the quotes that it stands around */
};

enum element { ELEMENT_QUOTE, ELEMENT_SIGNATURE, ELEMENT_LINK };

/* Cuts `text` off the beginning; false when something else stands there. */
static bool take(struct str *rest, struct str text)
{
    if (!str_starts(*rest, text))
        return false;
    *rest = str_skip(*rest, text.length);
    return true;
}

/* <blockquote class="quote quote-3">: the colours are counted in one digit. */
static bool take_quote(struct str *rest)
{
    if (!take(rest, STR("<blockquote class=\"quote quote-")))
        return false;
    if (!rest->length || !ascii_is_digit(rest->at[0]))
        return false;
    *rest = str_skip(*rest, 1);
    return take(rest, STR("\">"));
}

static bool take_link(struct str *rest)
{
    if (!take(rest, STR("<a href=\"")))
        return false;
    if (!str_starts_nocase(*rest, STR("https://")) && !str_starts_nocase(*rest, STR("http://")) &&
        !str_starts_nocase(*rest, STR("mailto:")))
        return false;
    ptrdiff_t end = str_find_char(*rest, '"');
    if (end < 0 || str_find_char(str_sub(*rest, 0, (size_t)end), '<') >= 0)
        return false;
    *rest = str_skip(*rest, (size_t)end);
    return take(rest, STR("\" rel=\"noopener noreferrer\" target=\"_blank\">"));
}

/* One tag; `open` are the elements it stands in. */
static bool take_tag(struct str *rest, enum element open[DEPTH_MAX], size_t *depth)
{
    static const struct str ends[] = {[ELEMENT_QUOTE] = STR("</blockquote>"),
                                      [ELEMENT_SIGNATURE] = STR("</div>"),
                                      [ELEMENT_LINK] = STR("</a>")};
    if (take(rest, STR("<br>")))
        return true;
    if (str_starts(*rest, STR("</")))
        return *depth && take(rest, ends[open[--*depth]]);
    if (*depth == DEPTH_MAX)
        return false;
    if (str_starts(*rest, STR("<blockquote"))) {
        open[(*depth)++] = ELEMENT_QUOTE;
        return take_quote(rest);
    }
    if (str_starts(*rest, STR("<a "))) {
        open[(*depth)++] = ELEMENT_LINK;
        return take_link(rest);
    }
    open[(*depth)++] = ELEMENT_SIGNATURE;
    return take(rest, STR("<div class=\"signature\">"));
}

bool letter_is_plain(struct str html)
{
    enum element open[DEPTH_MAX];
    size_t depth = 0;
    for (ptrdiff_t at; (at = str_find_char(html, '<')) >= 0;) {
        html = str_skip(html, (size_t)at);
        if (!take_tag(&html, open, &depth))
            return false;
    }
    return depth == 0;
}

struct str letter_fold_quotes(struct arena *arena, struct str html)
{
    static const struct str quote = STR("<blockquote"), quote_end = STR("</blockquote>");
    struct buf out = BUF_INIT(FOLDED_GROWTH * html.length + 1);
    struct str rest = html;
    unsigned depth = 0;
    bool is_folded = false;
    for (ptrdiff_t at; (at = str_find_char(rest, '<')) >= 0;) {
        buf_str(&out, str_sub(rest, 0, (size_t)at));
        rest = str_skip(rest, (size_t)at);
        struct str tag = str_sub(rest, 0, (size_t)str_find_char(rest, '>') + 1);
        if (str_starts(tag, quote) && ++depth == FOLDED_DEPTH) {
            buf_text(&out, "<details class=\"fold\"><summary>Earlier quotes</summary>");
            is_folded = true;
        }
        buf_str(&out, tag);
        if (str_equal(tag, quote_end) && depth-- == FOLDED_DEPTH)
            buf_text(&out, "</details>");
        rest = str_skip(rest, tag.length);
    }
    buf_str(&out, rest);
    struct str folded = is_folded && !out.is_full ? arena_str(arena, buf_view(&out)) : html;
    buf_free(&out);
    return folded;
}

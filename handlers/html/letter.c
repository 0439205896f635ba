#include "handlers/html/letter.h"

enum { DEPTH_MAX = 64 };

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

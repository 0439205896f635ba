#include "server/mail/html_private.h"

/* What is not named here is unwrapped. */
static const uint8_t treatments[GUMBO_TAG_LAST + 1] = {
    [GUMBO_TAG_BODY] = HTML_BODY,       [GUMBO_TAG_STYLE] = HTML_STYLE,

    [GUMBO_TAG_A] = HTML_KEEP,          [GUMBO_TAG_ABBR] = HTML_KEEP,
    [GUMBO_TAG_ACRONYM] = HTML_KEEP,    [GUMBO_TAG_ADDRESS] = HTML_KEEP,
    [GUMBO_TAG_ARTICLE] = HTML_KEEP,    [GUMBO_TAG_ASIDE] = HTML_KEEP,
    [GUMBO_TAG_B] = HTML_KEEP,          [GUMBO_TAG_BDI] = HTML_KEEP,
    [GUMBO_TAG_BDO] = HTML_KEEP,        [GUMBO_TAG_BIG] = HTML_KEEP,
    [GUMBO_TAG_BLOCKQUOTE] = HTML_KEEP, [GUMBO_TAG_BR] = HTML_VOID,
    [GUMBO_TAG_CAPTION] = HTML_KEEP,    [GUMBO_TAG_CENTER] = HTML_KEEP,
    [GUMBO_TAG_CITE] = HTML_KEEP,       [GUMBO_TAG_CODE] = HTML_KEEP,
    [GUMBO_TAG_COL] = HTML_VOID,        [GUMBO_TAG_COLGROUP] = HTML_KEEP,
    [GUMBO_TAG_DD] = HTML_KEEP,         [GUMBO_TAG_DEL] = HTML_KEEP,
    [GUMBO_TAG_DETAILS] = HTML_KEEP,    [GUMBO_TAG_DFN] = HTML_KEEP,
    [GUMBO_TAG_DIR] = HTML_KEEP,        [GUMBO_TAG_DIV] = HTML_KEEP,
    [GUMBO_TAG_DL] = HTML_KEEP,         [GUMBO_TAG_DT] = HTML_KEEP,
    [GUMBO_TAG_EM] = HTML_KEEP,         [GUMBO_TAG_FIGCAPTION] = HTML_KEEP,
    [GUMBO_TAG_FIGURE] = HTML_KEEP,     [GUMBO_TAG_FONT] = HTML_KEEP,
    [GUMBO_TAG_FOOTER] = HTML_KEEP,     [GUMBO_TAG_H1] = HTML_KEEP,
    [GUMBO_TAG_H2] = HTML_KEEP,         [GUMBO_TAG_H3] = HTML_KEEP,
    [GUMBO_TAG_H4] = HTML_KEEP,         [GUMBO_TAG_H5] = HTML_KEEP,
    [GUMBO_TAG_H6] = HTML_KEEP,         [GUMBO_TAG_HEADER] = HTML_KEEP,
    [GUMBO_TAG_HR] = HTML_VOID,         [GUMBO_TAG_I] = HTML_KEEP,
    [GUMBO_TAG_IMG] = HTML_VOID,        [GUMBO_TAG_INS] = HTML_KEEP,
    [GUMBO_TAG_KBD] = HTML_KEEP,        [GUMBO_TAG_LI] = HTML_KEEP,
    [GUMBO_TAG_MAIN] = HTML_KEEP,       [GUMBO_TAG_MARK] = HTML_KEEP,
    [GUMBO_TAG_MENU] = HTML_KEEP,       [GUMBO_TAG_NAV] = HTML_KEEP,
    [GUMBO_TAG_OL] = HTML_KEEP,         [GUMBO_TAG_P] = HTML_KEEP,
    [GUMBO_TAG_PRE] = HTML_KEEP,        [GUMBO_TAG_Q] = HTML_KEEP,
    [GUMBO_TAG_RP] = HTML_KEEP,         [GUMBO_TAG_RT] = HTML_KEEP,
    [GUMBO_TAG_RUBY] = HTML_KEEP,       [GUMBO_TAG_S] = HTML_KEEP,
    [GUMBO_TAG_SAMP] = HTML_KEEP,       [GUMBO_TAG_SECTION] = HTML_KEEP,
    [GUMBO_TAG_SMALL] = HTML_KEEP,      [GUMBO_TAG_SPAN] = HTML_KEEP,
    [GUMBO_TAG_STRIKE] = HTML_KEEP,     [GUMBO_TAG_STRONG] = HTML_KEEP,
    [GUMBO_TAG_SUB] = HTML_KEEP,        [GUMBO_TAG_SUMMARY] = HTML_KEEP,
    [GUMBO_TAG_SUP] = HTML_KEEP,        [GUMBO_TAG_TABLE] = HTML_KEEP,
    [GUMBO_TAG_TBODY] = HTML_KEEP,      [GUMBO_TAG_TD] = HTML_KEEP,
    [GUMBO_TAG_TFOOT] = HTML_KEEP,      [GUMBO_TAG_TH] = HTML_KEEP,
    [GUMBO_TAG_THEAD] = HTML_KEEP,      [GUMBO_TAG_TIME] = HTML_KEEP,
    [GUMBO_TAG_TR] = HTML_KEEP,         [GUMBO_TAG_TT] = HTML_KEEP,
    [GUMBO_TAG_U] = HTML_KEEP,          [GUMBO_TAG_UL] = HTML_KEEP,
    [GUMBO_TAG_VAR] = HTML_KEEP,        [GUMBO_TAG_WBR] = HTML_VOID,

    [GUMBO_TAG_DATALIST] = HTML_DROP,   [GUMBO_TAG_FRAMESET] = HTML_DROP,
    [GUMBO_TAG_IFRAME] = HTML_DROP,     [GUMBO_TAG_MATH] = HTML_DROP,
    [GUMBO_TAG_NOEMBED] = HTML_DROP,    [GUMBO_TAG_NOFRAMES] = HTML_DROP,
    [GUMBO_TAG_NOSCRIPT] = HTML_DROP,   [GUMBO_TAG_OPTGROUP] = HTML_DROP,
    [GUMBO_TAG_OPTION] = HTML_DROP,     [GUMBO_TAG_PLAINTEXT] = HTML_DROP,
    [GUMBO_TAG_SCRIPT] = HTML_DROP,     [GUMBO_TAG_SELECT] = HTML_DROP,
    [GUMBO_TAG_SVG] = HTML_DROP,        [GUMBO_TAG_TEMPLATE] = HTML_DROP,
    [GUMBO_TAG_TEXTAREA] = HTML_DROP,   [GUMBO_TAG_TITLE] = HTML_DROP,
    [GUMBO_TAG_XMP] = HTML_DROP,
};

enum html_treatment html_treatment_of(GumboTag tag)
{
    return tag > GUMBO_TAG_LAST ? HTML_DROP : (enum html_treatment)treatments[tag];
}

bool html_is_table_structure(GumboTag tag)
{
    return tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_THEAD ||
           tag == GUMBO_TAG_TFOOT || tag == GUMBO_TAG_TR || tag == GUMBO_TAG_COLGROUP;
}

bool html_fits(GumboTag tag, GumboTag parent)
{
    switch (tag) {
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_COLGROUP:
        return parent == GUMBO_TAG_TABLE;
    case GUMBO_TAG_TR:
        return parent == GUMBO_TAG_TBODY || parent == GUMBO_TAG_THEAD || parent == GUMBO_TAG_TFOOT;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        return parent == GUMBO_TAG_TR;
    case GUMBO_TAG_COL:
        return parent == GUMBO_TAG_COLGROUP;
    default:
        return !html_is_table_structure(parent);
    }
}

static bool is_heading(GumboTag tag)
{
    return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6;
}

/* Elements whose start tag ends an open <p>. */
static bool ends_paragraph(GumboTag tag)
{
    static const bool ends[GUMBO_TAG_LAST + 1] = {
        [GUMBO_TAG_ADDRESS] = true,    [GUMBO_TAG_ARTICLE] = true, [GUMBO_TAG_ASIDE] = true,
        [GUMBO_TAG_BLOCKQUOTE] = true, [GUMBO_TAG_CENTER] = true,  [GUMBO_TAG_DD] = true,
        [GUMBO_TAG_DETAILS] = true,    [GUMBO_TAG_DIR] = true,     [GUMBO_TAG_DIV] = true,
        [GUMBO_TAG_DL] = true,         [GUMBO_TAG_DT] = true,      [GUMBO_TAG_FIGCAPTION] = true,
        [GUMBO_TAG_FIGURE] = true,     [GUMBO_TAG_FOOTER] = true,  [GUMBO_TAG_H1] = true,
        [GUMBO_TAG_H2] = true,         [GUMBO_TAG_H3] = true,      [GUMBO_TAG_H4] = true,
        [GUMBO_TAG_H5] = true,         [GUMBO_TAG_H6] = true,      [GUMBO_TAG_HEADER] = true,
        [GUMBO_TAG_HR] = true,         [GUMBO_TAG_LI] = true,      [GUMBO_TAG_MAIN] = true,
        [GUMBO_TAG_MENU] = true,       [GUMBO_TAG_NAV] = true,     [GUMBO_TAG_OL] = true,
        [GUMBO_TAG_P] = true,          [GUMBO_TAG_PRE] = true,     [GUMBO_TAG_SECTION] = true,
        [GUMBO_TAG_SUMMARY] = true,    [GUMBO_TAG_TABLE] = true,   [GUMBO_TAG_UL] = true,
    };
    return ends[tag];
}

static bool is_item(GumboTag tag)
{
    return tag == GUMBO_TAG_LI || tag == GUMBO_TAG_DD || tag == GUMBO_TAG_DT;
}

static bool is_list(GumboTag tag)
{
    return tag == GUMBO_TAG_UL || tag == GUMBO_TAG_OL || tag == GUMBO_TAG_DL ||
           tag == GUMBO_TAG_DIR || tag == GUMBO_TAG_MENU;
}

/* Elements that a parser remembers, and opens again behind others that were closed too early. */
static bool is_formatting(GumboTag tag)
{
    static const bool formats[GUMBO_TAG_LAST + 1] = {
        [GUMBO_TAG_A] = true,      [GUMBO_TAG_B] = true,      [GUMBO_TAG_BIG] = true,
        [GUMBO_TAG_CODE] = true,   [GUMBO_TAG_EM] = true,     [GUMBO_TAG_FONT] = true,
        [GUMBO_TAG_I] = true,      [GUMBO_TAG_S] = true,      [GUMBO_TAG_SMALL] = true,
        [GUMBO_TAG_STRIKE] = true, [GUMBO_TAG_STRONG] = true, [GUMBO_TAG_TT] = true,
        [GUMBO_TAG_U] = true,
    };
    return formats[tag];
}

/* Elements whose end a parser implies where a ruby text begins. */
static bool is_ended_by_ruby(GumboTag tag)
{
    return is_item(tag) || tag == GUMBO_TAG_P || tag == GUMBO_TAG_RT || tag == GUMBO_TAG_RP;
}

bool html_ends_open(GumboTag tag, const GumboTag *open, unsigned depth)
{
    GumboTag parent = depth ? open[depth - 1] : GUMBO_TAG_LAST;
    if (is_heading(tag) && is_heading(parent))
        return true;
    if ((tag == GUMBO_TAG_RT || tag == GUMBO_TAG_RP) && is_ended_by_ruby(parent))
        return true;
    bool looks_for_p = ends_paragraph(tag), looks_for_item = is_item(tag);
    if (!looks_for_p && !is_formatting(tag))
        return false;
    unsigned same = 0; /* of more than three alike a parser forgets the first ("Noah's Ark") */
    while (depth--) {
        GumboTag above = open[depth];
        if (above == GUMBO_TAG_TD || above == GUMBO_TAG_TH || above == GUMBO_TAG_CAPTION)
            return false;
        if (above == tag && is_formatting(tag) && (tag == GUMBO_TAG_A || ++same == 3))
            return true;
        if ((looks_for_p && above == GUMBO_TAG_P) || (looks_for_item && is_item(above)))
            return true;
        looks_for_item = looks_for_item && !is_list(above);
    }
    return false;
}

bool html_is_block(GumboTag tag)
{
    switch (tag) {
    case GUMBO_TAG_BR:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_P:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_TABLE:
        return true;
    default:
        return is_heading(tag);
    }
}

/* A row's place by its first, last and middle letter and its length: no two names share one, or
 * this does not compile. */
enum { SLOTS = 92 };
#define SLOT(first, last, middle, length) (((first)*27 + (last)*3 + (middle)*11 + (length)) % SLOTS)
#define ROW(first, last, middle, name, kind)                                   \
    [SLOT(first, last, middle, sizeof(name) - 1)] = {{name, sizeof(name) - 1}, \
                                                     HTML_ATTRIBUTE_##kind}

static const struct html_attribute_row attributes[SLOTS] = {
    ROW('a', 'r', 'b', "abbr", TEXT),          ROW('a', 'n', 'i', "align", WORD),
    ROW('a', 't', 'l', "alt", TEXT),           ROW('b', 'd', 'r', "background", PICTURE),
    ROW('b', 'r', 'o', "bgcolor", COLOUR),     ROW('b', 'r', 'd', "border", LENGTH),
    ROW('b', 'r', 'r', "bordercolor", COLOUR), ROW('c', 'g', 'a', "cellpadding", LENGTH),
    ROW('c', 'g', 'p', "cellspacing", LENGTH), ROW('c', 's', 'a', "class", CLASS),
    ROW('c', 'r', 'e', "clear", WORD),         ROW('c', 'r', 'l', "color", COLOUR),
    ROW('c', 'n', 's', "colspan", LENGTH),     ROW('c', 't', 'p', "compact", FLAG),
    ROW('d', 'e', 't', "datetime", TEXT),      ROW('d', 'r', 'i', "dir", WORD),
    ROW('f', 'e', 'c', "face", TEXT),          ROW('f', 'e', 'a', "frame", WORD),
    ROW('h', 't', 'g', "height", LENGTH),      ROW('h', 'f', 'e', "href", LINK),
    ROW('h', 'e', 'a', "hspace", LENGTH),      ROW('l', 'g', 'n', "lang", WORD),
    ROW('m', 'a', 'd', "media", MEDIA),        ROW('n', 'e', 'h', "noshade", FLAG),
    ROW('n', 'p', 'r', "nowrap", FLAG),        ROW('o', 'n', 'e', "open", FLAG),
    ROW('r', 'd', 'r', "reversed", FLAG),      ROW('r', 'e', 'l', "role", WORD),
    ROW('r', 'n', 's', "rowspan", LENGTH),     ROW('r', 's', 'l', "rules", WORD),
    ROW('s', 'e', 'o', "scope", WORD),         ROW('s', 'e', 'z', "size", LENGTH),
    ROW('s', 'n', 'a', "span", LENGTH),        ROW('s', 'c', 'r', "src", PICTURE),
    ROW('s', 't', 'a', "start", LENGTH),       ROW('s', 'e', 'y', "style", STYLE),
    ROW('s', 'y', 'm', "summary", TEXT),       ROW('t', 't', 'x', "text", COLOUR),
    ROW('t', 'e', 't', "title", TEXT),         ROW('t', 'e', 'p', "type", WORD),
    ROW('v', 'n', 'i', "valign", WORD),        ROW('v', 'e', 'l', "value", LENGTH),
    ROW('v', 'e', 'a', "vspace", LENGTH),      ROW('w', 'h', 'd', "width", LENGTH),
};

/* Those that mean something on some elements only. */
static bool belongs(const struct html_attribute_row *row, GumboTag tag)
{
    struct str name = row->name;
    switch (row->kind) {
    case HTML_ATTRIBUTE_LINK:
        return tag == GUMBO_TAG_A;
    case HTML_ATTRIBUTE_MEDIA:
        return tag == GUMBO_TAG_STYLE;
    case HTML_ATTRIBUTE_PICTURE:
        return tag == GUMBO_TAG_IMG || !str_equal(name, STR("src"));
    case HTML_ATTRIBUTE_COLOUR:
        return tag == GUMBO_TAG_BODY || !str_equal(name, STR("text"));
    default:
        if (tag == GUMBO_TAG_BLOCKQUOTE && str_equal(name, STR("type")))
            return true; /* cite: what mail programs fold away */
        if (str_equal(name, STR("type")) || str_equal(name, STR("value")) ||
            str_equal(name, STR("start")))
            return tag == GUMBO_TAG_OL || tag == GUMBO_TAG_UL || tag == GUMBO_TAG_LI;
        return true;
    }
}

const struct html_attribute_row *html_attribute_find(struct str name, GumboTag tag)
{
    if (!name.length)
        return NULL;
    unsigned first = (unsigned char)ascii_lower(name.at[0]);
    unsigned last = (unsigned char)ascii_lower(name.at[name.length - 1]);
    unsigned middle = (unsigned char)ascii_lower(name.at[name.length / 2]);
    const struct html_attribute_row *row = &attributes[SLOT(first, last, middle, name.length)];
    bool is_it = row->name.length == name.length && str_equal_nocase(row->name, name);
    return is_it && belongs(row, tag) ? row : NULL;
}

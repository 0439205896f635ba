#include <stdlib.h>

#include "server/mail/html_private.h"

/* What is not named here is unwrapped. */
static const uint8_t treatments[GUMBO_TAG_LAST + 1] = {
    [GUMBO_TAG_BODY] = HTML_BODY,
    [GUMBO_TAG_STYLE] = HTML_STYLE,

    [GUMBO_TAG_A] = HTML_KEEP,
    [GUMBO_TAG_ABBR] = HTML_KEEP,
    [GUMBO_TAG_ACRONYM] = HTML_KEEP,
    [GUMBO_TAG_ADDRESS] = HTML_KEEP,
    [GUMBO_TAG_ARTICLE] = HTML_KEEP,
    [GUMBO_TAG_ASIDE] = HTML_KEEP,
    [GUMBO_TAG_B] = HTML_KEEP,
    [GUMBO_TAG_BDI] = HTML_KEEP,
    [GUMBO_TAG_BDO] = HTML_KEEP,
    [GUMBO_TAG_BIG] = HTML_KEEP,
    [GUMBO_TAG_BLOCKQUOTE] = HTML_KEEP,
    [GUMBO_TAG_BR] = HTML_VOID,
    [GUMBO_TAG_CAPTION] = HTML_KEEP,
    [GUMBO_TAG_CENTER] = HTML_KEEP,
    [GUMBO_TAG_CITE] = HTML_KEEP,
    [GUMBO_TAG_CODE] = HTML_KEEP,
    [GUMBO_TAG_COL] = HTML_VOID,
    [GUMBO_TAG_COLGROUP] = HTML_KEEP,
    [GUMBO_TAG_DD] = HTML_KEEP,
    [GUMBO_TAG_DEL] = HTML_KEEP,
    [GUMBO_TAG_DETAILS] = HTML_KEEP,
    [GUMBO_TAG_DFN] = HTML_KEEP,
    [GUMBO_TAG_DIR] = HTML_KEEP,
    [GUMBO_TAG_DIV] = HTML_KEEP,
    [GUMBO_TAG_DL] = HTML_KEEP,
    [GUMBO_TAG_DT] = HTML_KEEP,
    [GUMBO_TAG_EM] = HTML_KEEP,
    [GUMBO_TAG_FIGCAPTION] = HTML_KEEP,
    [GUMBO_TAG_FIGURE] = HTML_KEEP,
    [GUMBO_TAG_FONT] = HTML_KEEP,
    [GUMBO_TAG_FOOTER] = HTML_KEEP,
    [GUMBO_TAG_H1] = HTML_KEEP,
    [GUMBO_TAG_H2] = HTML_KEEP,
    [GUMBO_TAG_H3] = HTML_KEEP,
    [GUMBO_TAG_H4] = HTML_KEEP,
    [GUMBO_TAG_H5] = HTML_KEEP,
    [GUMBO_TAG_H6] = HTML_KEEP,
    [GUMBO_TAG_HEADER] = HTML_KEEP,
    [GUMBO_TAG_HR] = HTML_VOID,
    [GUMBO_TAG_I] = HTML_KEEP,
    [GUMBO_TAG_IMG] = HTML_VOID,
    [GUMBO_TAG_INS] = HTML_KEEP,
    [GUMBO_TAG_KBD] = HTML_KEEP,
    [GUMBO_TAG_LI] = HTML_KEEP,
    [GUMBO_TAG_MAIN] = HTML_KEEP,
    [GUMBO_TAG_MARK] = HTML_KEEP,
    [GUMBO_TAG_MENU] = HTML_KEEP,
    [GUMBO_TAG_NAV] = HTML_KEEP,
    [GUMBO_TAG_OL] = HTML_KEEP,
    [GUMBO_TAG_P] = HTML_KEEP,
    [GUMBO_TAG_PRE] = HTML_KEEP,
    [GUMBO_TAG_Q] = HTML_KEEP,
    [GUMBO_TAG_RP] = HTML_KEEP,
    [GUMBO_TAG_RT] = HTML_KEEP,
    [GUMBO_TAG_RUBY] = HTML_KEEP,
    [GUMBO_TAG_S] = HTML_KEEP,
    [GUMBO_TAG_SAMP] = HTML_KEEP,
    [GUMBO_TAG_SECTION] = HTML_KEEP,
    [GUMBO_TAG_SMALL] = HTML_KEEP,
    [GUMBO_TAG_SPAN] = HTML_KEEP,
    [GUMBO_TAG_STRIKE] = HTML_KEEP,
    [GUMBO_TAG_STRONG] = HTML_KEEP,
    [GUMBO_TAG_SUB] = HTML_KEEP,
    [GUMBO_TAG_SUMMARY] = HTML_KEEP,
    [GUMBO_TAG_SUP] = HTML_KEEP,
    [GUMBO_TAG_TABLE] = HTML_KEEP,
    [GUMBO_TAG_TBODY] = HTML_KEEP,
    [GUMBO_TAG_TD] = HTML_KEEP,
    [GUMBO_TAG_TFOOT] = HTML_KEEP,
    [GUMBO_TAG_TH] = HTML_KEEP,
    [GUMBO_TAG_THEAD] = HTML_KEEP,
    [GUMBO_TAG_TIME] = HTML_KEEP,
    [GUMBO_TAG_TR] = HTML_KEEP,
    [GUMBO_TAG_TT] = HTML_KEEP,
    [GUMBO_TAG_U] = HTML_KEEP,
    [GUMBO_TAG_UL] = HTML_KEEP,
    [GUMBO_TAG_VAR] = HTML_KEEP,
    [GUMBO_TAG_WBR] = HTML_VOID,

    /* Elements that end or shield others while they are parsed. */
    [GUMBO_TAG_APPLET] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_BUTTON] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_FIELDSET] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_FORM] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_HGROUP] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_LISTING] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_MARQUEE] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_NOBR] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_OBJECT] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_RB] = HTML_UNWRAP_CHECK,
    [GUMBO_TAG_RTC] = HTML_UNWRAP_CHECK,

    [GUMBO_TAG_DATALIST] = HTML_DROP,
    [GUMBO_TAG_FRAMESET] = HTML_DROP,
    [GUMBO_TAG_IFRAME] = HTML_DROP,
    [GUMBO_TAG_MATH] = HTML_DROP,
    [GUMBO_TAG_NOEMBED] = HTML_DROP,
    [GUMBO_TAG_NOFRAMES] = HTML_DROP,
    [GUMBO_TAG_NOSCRIPT] = HTML_DROP,
    [GUMBO_TAG_OPTGROUP] = HTML_DROP,
    [GUMBO_TAG_OPTION] = HTML_DROP,
    [GUMBO_TAG_PLAINTEXT] = HTML_DROP,
    [GUMBO_TAG_SCRIPT] = HTML_DROP,
    [GUMBO_TAG_SELECT] = HTML_DROP,
    [GUMBO_TAG_SVG] = HTML_DROP,
    [GUMBO_TAG_TEMPLATE] = HTML_DROP,
    [GUMBO_TAG_TEXTAREA] = HTML_DROP,
    [GUMBO_TAG_TITLE] = HTML_DROP,
    [GUMBO_TAG_XMP] = HTML_DROP,
};

enum html_treatment html_treatment_of(const GumboElement *element)
{
    if (element->tag_namespace != GUMBO_NAMESPACE_HTML || element->tag > GUMBO_TAG_LAST)
        return HTML_DROP;
    return (enum html_treatment)treatments[element->tag];
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

static bool is_ruby_text(GumboTag tag)
{
    return tag == GUMBO_TAG_RT || tag == GUMBO_TAG_RP;
}

bool html_ends_parent(GumboTag tag, GumboTag parent)
{
    return (is_heading(tag) && is_heading(parent)) || (is_ruby_text(tag) && is_ruby_text(parent));
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

struct attribute {
    const char *name;
    enum html_attribute kind;
};

/* In byte order. */
static const struct attribute attributes[] = {
    {"abbr", HTML_ATTRIBUTE_TEXT},          {"align", HTML_ATTRIBUTE_WORD},
    {"alt", HTML_ATTRIBUTE_TEXT},           {"background", HTML_ATTRIBUTE_PICTURE},
    {"bgcolor", HTML_ATTRIBUTE_COLOUR},     {"border", HTML_ATTRIBUTE_LENGTH},
    {"bordercolor", HTML_ATTRIBUTE_COLOUR}, {"cellpadding", HTML_ATTRIBUTE_LENGTH},
    {"cellspacing", HTML_ATTRIBUTE_LENGTH}, {"class", HTML_ATTRIBUTE_CLASS},
    {"clear", HTML_ATTRIBUTE_WORD},         {"color", HTML_ATTRIBUTE_COLOUR},
    {"colspan", HTML_ATTRIBUTE_LENGTH},     {"compact", HTML_ATTRIBUTE_FLAG},
    {"datetime", HTML_ATTRIBUTE_TEXT},      {"dir", HTML_ATTRIBUTE_WORD},
    {"face", HTML_ATTRIBUTE_TEXT},          {"frame", HTML_ATTRIBUTE_WORD},
    {"height", HTML_ATTRIBUTE_LENGTH},      {"href", HTML_ATTRIBUTE_LINK},
    {"hspace", HTML_ATTRIBUTE_LENGTH},      {"lang", HTML_ATTRIBUTE_WORD},
    {"noshade", HTML_ATTRIBUTE_FLAG},       {"nowrap", HTML_ATTRIBUTE_FLAG},
    {"open", HTML_ATTRIBUTE_FLAG},          {"reversed", HTML_ATTRIBUTE_FLAG},
    {"role", HTML_ATTRIBUTE_WORD},          {"rowspan", HTML_ATTRIBUTE_LENGTH},
    {"rules", HTML_ATTRIBUTE_WORD},         {"scope", HTML_ATTRIBUTE_WORD},
    {"size", HTML_ATTRIBUTE_LENGTH},        {"span", HTML_ATTRIBUTE_LENGTH},
    {"src", HTML_ATTRIBUTE_PICTURE},        {"start", HTML_ATTRIBUTE_LENGTH},
    {"style", HTML_ATTRIBUTE_STYLE},        {"summary", HTML_ATTRIBUTE_TEXT},
    {"text", HTML_ATTRIBUTE_COLOUR},        {"title", HTML_ATTRIBUTE_TEXT},
    {"type", HTML_ATTRIBUTE_WORD},          {"valign", HTML_ATTRIBUTE_WORD},
    {"value", HTML_ATTRIBUTE_LENGTH},       {"vspace", HTML_ATTRIBUTE_LENGTH},
    {"width", HTML_ATTRIBUTE_LENGTH},
};

static int compare_attribute(const void *key, const void *row)
{
    return strcmp(key, ((const struct attribute *)row)->name);
}

enum html_attribute html_attribute_kind(const char *name, GumboTag tag)
{
    const struct attribute *found =
        bsearch(name, attributes, sizeof attributes / sizeof attributes[0], sizeof attributes[0],
                compare_attribute);
    if (!found)
        return HTML_ATTRIBUTE_NONE;
    bool is_list = tag == GUMBO_TAG_OL || tag == GUMBO_TAG_UL || tag == GUMBO_TAG_LI;
    bool belongs = true;
    if (!strcmp(name, "src"))
        belongs = tag == GUMBO_TAG_IMG;
    else if (!strcmp(name, "href"))
        belongs = tag == GUMBO_TAG_A;
    else if (!strcmp(name, "text"))
        belongs = tag == GUMBO_TAG_BODY;
    else if (!strcmp(name, "type") || !strcmp(name, "value") || !strcmp(name, "start"))
        belongs = is_list;
    return belongs ? found->kind : HTML_ATTRIBUTE_NONE;
}

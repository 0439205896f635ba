#include "server/template/place_private.h"

static const char *const urls[] = {"href",       "src",        "action", "formaction", "poster",
                                   "cite",       "background", "data",   "longdesc",   "manifest",
                                   "xlink:href", "icon",       NULL};
/* Attributes that hold a language of their own, or weaken what protects the page. */
static const char *const refused[] = {"style",   "srcset",        "imagesrcset", "srcdoc", "ping",
                                      "sandbox", "attributename", "values",      "from",   "to",
                                      "by",      "http-equiv",    NULL};
static const char *const schemes[] = {"http", "https", "mailto", "tel", NULL};
static const char *const raw_elements[] = {"script",  "style",    "iframe",    "xmp",
                                           "noembed", "noframes", "plaintext", NULL};
static const char *const plain_elements[] = {"title", "textarea", NULL};

static bool is_among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

static bool push(char name[PLACE_NAME_MAX], size_t *length, char c)
{
    if (*length + 1 >= PLACE_NAME_MAX)
        return false;
    name[(*length)++] = ascii_lower(c);
    name[*length] = 0;
    return true;
}

static void end_tag(struct place *p)
{
    p->matched = 0;
    p->state = PLACE_TEXT;
    if (p->is_closing)
        return;
    if (is_among(raw_elements, p->element))
        p->state = PLACE_RAW;
    else if (is_among(plain_elements, p->element))
        p->state = PLACE_PLAIN;
}

static const char *begin_attribute(struct place *p, char c)
{
    p->name_length = 0;
    p->state = PLACE_ATTRIBUTE;
    return push(p->name, &p->name_length, c) ? NULL : "an attribute's name is too long";
}

static const char *in_tag(struct place *p, char c)
{
    if (ascii_is_space(c) || c == '/')
        p->needs_space = false;
    else if (c == '>')
        end_tag(p);
    else if (c == '"' || c == '\'' || c == '<' || c == '=')
        return "a quote, \"<\" or \"=\" where an attribute should begin";
    else if (p->needs_space)
        return "a space must stand between attributes, and at either end of a section among them";
    else
        return begin_attribute(p, c);
    return NULL;
}

static const char *attribute_name(struct place *p, char c)
{
    if (c == '=') {
        p->state = PLACE_BEFORE_VALUE;
        if (!strcmp(p->name, "http-equiv"))
            return "http-equiv is a header's business";
        if (!strncmp(p->name, "on", 2) || is_among(refused, p->name))
            p->attribute = ATTRIBUTE_REFUSED;
        else
            p->attribute = is_among(urls, p->name) ? ATTRIBUTE_URL : ATTRIBUTE_PLAIN;
        return NULL;
    }
    if (ascii_is_space(c) || c == '/' || c == '>') {
        p->state = PLACE_IN_TAG;
        return in_tag(p, c);
    }
    if (c == '"' || c == '\'' || c == '<')
        return "a quote or \"<\" in an attribute's name";
    return push(p->name, &p->name_length, c) ? NULL : "an attribute's name is too long";
}

static const char *before_value(struct place *p, char c)
{
    if (c == '"' || c == '\'') {
        p->state = PLACE_VALUE;
        p->quote = c;
        p->url = URL_BEGIN;
        p->scheme_length = 0;
        p->scheme[0] = 0;
        return NULL;
    }
    if (ascii_is_space(c) || c == '>' || c == '<' || c == '=')
        return "an attribute without its value";
    p->state = PLACE_UNQUOTED;
    return NULL;
}

static const char *url_byte(struct place *p, char c)
{
    switch (p->url) {
    case URL_INSIDE:
        return NULL;
    case URL_ROOT:
        p->url = URL_INSIDE;
        return NULL;
    case URL_BEGIN:
    case URL_PREFIX:
        if (c == ':') {
            p->url = URL_INSIDE;
            return is_among(schemes, p->scheme) ? NULL : "a scheme that is not allowed in links";
        }
        if (c == '/' && p->url == URL_BEGIN) {
            p->url = URL_ROOT;
            return NULL;
        }
        p->url = c == '/' || c == '?' || c == '#' ? URL_INSIDE : URL_PREFIX;
        if (p->url == URL_PREFIX && !push(p->scheme, &p->scheme_length, c))
            p->url = URL_INSIDE; /* longer than any scheme: a relative path */
        return NULL;
    }
    return NULL;
}

static const char *in_value(struct place *p, char c)
{
    if (c == p->quote) {
        p->state = PLACE_IN_TAG;
        p->needs_space = true;
        return NULL;
    }
    return p->attribute == ATTRIBUTE_URL ? url_byte(p, c) : NULL;
}

/* Inside <title>, <script>...: everything is text up to "</title" and a delimiter. */
static void in_raw(struct place *p, char c)
{
    if (p->matched == p->element_length + 2) {
        if (ascii_is_space(c) || c == '/' || c == '>') {
            p->is_closing = true;
            p->state = PLACE_IN_TAG;
            p->needs_space = false;
            in_tag(p, c);
            return;
        }
        p->matched = 0;
    }
    if (c == '<')
        p->matched = 1;
    else if (p->matched == 1 && c == '/')
        p->matched = 2;
    else if (p->matched >= 2 && ascii_lower(c) == p->element[p->matched - 2])
        p->matched++;
    else
        p->matched = 0;
}

static const char *tag_open(struct place *p, char c)
{
    p->element_length = 0;
    p->element[0] = 0;
    if (p->state == PLACE_TAG_OPEN && c == '!') {
        p->state = PLACE_DECLARATION;
        p->matched = 0;
        return NULL;
    }
    if (p->state == PLACE_TAG_OPEN && c == '/') {
        p->state = PLACE_CLOSE_OPEN;
        return NULL;
    }
    if (ascii_is_alpha(c)) {
        p->is_closing = p->state == PLACE_CLOSE_OPEN;
        p->state = PLACE_TAG_NAME;
        return push(p->element, &p->element_length, c) ? NULL : "";
    }
    if (p->state == PLACE_CLOSE_OPEN || c == '?')
        return "\"<\" before something that is not a tag";
    p->state = c == '<' ? PLACE_TAG_OPEN : PLACE_TEXT;
    return NULL;
}

static const char *tag_name(struct place *p, char c)
{
    if (ascii_is_space(c) || c == '/' || c == '>') {
        p->state = PLACE_IN_TAG;
        return in_tag(p, c);
    }
    if (c == '<' || c == '"' || c == '\'')
        return "a quote or \"<\" in a tag's name";
    return push(p->element, &p->element_length, c) ? NULL : "a tag's name is too long";
}

static void declaration(struct place *p, char c)
{
    if (c == '-' && p->matched < 2) {
        if (++p->matched == 2) {
            p->state = PLACE_COMMENT;
            p->matched = 0;
        }
    } else {
        p->matched = 2; /* no comment any more */
        if (c == '>')
            p->state = PLACE_TEXT;
    }
}

static void comment(struct place *p, char c)
{
    if (c == '>' && p->matched >= 2)
        p->state = PLACE_TEXT;
    p->matched = c == '-' ? p->matched + 1 : 0;
}

static const char *feed(struct place *p, char c)
{
    switch (p->state) {
    case PLACE_TEXT:
        if (c == '<')
            p->state = PLACE_TAG_OPEN;
        return NULL;
    case PLACE_PLAIN:
    case PLACE_RAW:
        in_raw(p, c);
        return NULL;
    case PLACE_TAG_OPEN:
    case PLACE_CLOSE_OPEN:
        return tag_open(p, c);
    case PLACE_TAG_NAME:
        return tag_name(p, c);
    case PLACE_IN_TAG:
        return in_tag(p, c);
    case PLACE_ATTRIBUTE:
        return attribute_name(p, c);
    case PLACE_BEFORE_VALUE:
        return before_value(p, c);
    case PLACE_UNQUOTED:
        if (ascii_is_space(c) || c == '>') {
            p->state = PLACE_IN_TAG;
            return in_tag(p, c);
        }
        return c == '"' || c == '\'' || c == '<' || c == '=' || c == '`'
                   ? "a quote, \"<\" or \"=\" in an attribute without quotes"
                   : NULL;
    case PLACE_VALUE:
        return in_value(p, c);
    case PLACE_DECLARATION:
        declaration(p, c);
        return NULL;
    case PLACE_COMMENT:
        comment(p, c);
        return NULL;
    }
    return NULL;
}

const char *place_feed(struct place *p, struct str text, size_t *at)
{
    for (size_t i = 0; i < text.length; i++) {
        const char *why = feed(p, text.at[i]);
        if (why) {
            *at = i;
            return why;
        }
    }
    return NULL;
}

static const char *url_variable(struct place *p, enum place_escape *escape)
{
    switch (p->url) {
    case URL_BEGIN:
        *escape = ESCAPE_URL_WHOLE;
        p->url = URL_INSIDE;
        return NULL;
    case URL_PREFIX:
        return "a variable may not be part of a link's scheme";
    case URL_ROOT:
        return "a variable straight behind a link's first \"/\" could name another host";
    case URL_INSIDE:
        *escape = ESCAPE_URL_PART;
        return NULL;
    }
    return NULL;
}

const char *place_variable(struct place *p, bool is_raw, enum place_escape *escape)
{
    if (is_raw && p->state != PLACE_TEXT)
        return "safe HTML may stand in text only";
    *escape = is_raw ? ESCAPE_RAW : ESCAPE_HTML;
    switch (p->state) {
    case PLACE_TEXT:
        return NULL;
    case PLACE_PLAIN:
        return p->matched ? "a variable in a tag's name" : NULL;
    case PLACE_VALUE:
        if (p->attribute == ATTRIBUTE_REFUSED)
            return "a variable in style, srcset, srcdoc, sandbox, on... and the like";
        return p->attribute == ATTRIBUTE_URL ? url_variable(p, escape) : NULL;
    case PLACE_RAW:
        return "a variable in <script>, <style> or the like";
    case PLACE_TAG_OPEN:
    case PLACE_CLOSE_OPEN:
    case PLACE_TAG_NAME:
        return "a variable in a tag's name";
    case PLACE_IN_TAG:
    case PLACE_ATTRIBUTE:
        return "a variable in an attribute's name";
    case PLACE_BEFORE_VALUE:
    case PLACE_UNQUOTED:
        return "a variable in an attribute without quotes";
    case PLACE_DECLARATION:
    case PLACE_COMMENT:
        return "a variable in an HTML comment";
    }
    return NULL;
}

const char *place_boundary(struct place *p)
{
    switch (p->state) {
    case PLACE_TEXT:
        return NULL;
    case PLACE_PLAIN:
        return p->matched ? "a section cuts a tag's name" : NULL;
    case PLACE_VALUE:
        return p->attribute == ATTRIBUTE_URL && (p->url == URL_PREFIX || p->url == URL_ROOT)
                   ? "a section cuts the beginning of a link"
                   : NULL;
    case PLACE_TAG_NAME:
    case PLACE_IN_TAG:
    case PLACE_ATTRIBUTE:
    case PLACE_UNQUOTED:
        p->state = PLACE_IN_TAG;
        p->needs_space = true;
        return NULL;
    case PLACE_TAG_OPEN:
    case PLACE_CLOSE_OPEN:
        return "a section cuts a tag's name";
    case PLACE_BEFORE_VALUE:
        return "a section in front of an attribute's value: quote it";
    case PLACE_RAW:
        return "a section in <script>, <style> or the like";
    case PLACE_DECLARATION:
    case PLACE_COMMENT:
        return "a section in an HTML comment";
    }
    return NULL;
}

bool place_is_same(const struct place *a, const struct place *b)
{
    if (a->state != b->state)
        return false;
    switch (a->state) {
    case PLACE_TEXT:
        return true;
    case PLACE_VALUE:
        return a->attribute == b->attribute && a->quote == b->quote && a->url == b->url &&
               !strcmp(a->name, b->name) && !strcmp(a->element, b->element);
    default:
        return !strcmp(a->element, b->element) && a->is_closing == b->is_closing;
    }
}

#include "server/mail/html_fast_private.h"

enum { ALIKE_MAX = 3 }; /* formatting elements, of which a fourth makes the first forgotten */

struct html_node *html_build_current(const struct html_builder *b)
{
    return b->open[b->depth - 1];
}

/* --- the stack of open elements --------------------------------------------------------------- */

bool html_build_push(struct html_builder *b, struct html_node *node)
{
    if (b->depth == HTML_OPEN_MAX)
        return false;
    node->is_open = true;
    b->open[b->depth++] = node;
    return true;
}

struct html_node *html_build_pop(struct html_builder *b)
{
    struct html_node *node = b->open[--b->depth];
    node->is_open = false;
    return node;
}

void html_build_pop_until(struct html_builder *b, GumboTag tag)
{
    while (html_build_pop(b)->tag != tag)
        continue;
}

bool html_build_is_scope_end(GumboTag tag)
{
    return tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH ||
           tag == GUMBO_TAG_CAPTION || tag == GUMBO_TAG_HTML;
}

bool html_build_is_in_scope(const struct html_builder *b, GumboTag tag)
{
    for (unsigned i = b->depth; i--;) {
        if (b->open[i]->tag == tag)
            return true;
        if (html_build_is_scope_end(b->open[i]->tag))
            return false;
    }
    return false;
}

bool html_build_is_in_list_scope(const struct html_builder *b, GumboTag tag)
{
    for (unsigned i = b->depth; i--;) {
        GumboTag above = b->open[i]->tag;
        if (above == tag)
            return true;
        if (html_build_is_scope_end(above) || above == GUMBO_TAG_OL || above == GUMBO_TAG_UL)
            return false;
    }
    return false;
}

bool html_build_is_in_table_scope(const struct html_builder *b, GumboTag tag)
{
    for (unsigned i = b->depth; i--;) {
        if (b->open[i]->tag == tag)
            return true;
        if (b->open[i]->tag == GUMBO_TAG_TABLE)
            return false;
    }
    return false;
}

void html_build_imply_end_tags(struct html_builder *b, GumboTag except)
{
    for (;;) {
        GumboTag tag = html_build_current(b)->tag;
        bool is_implied =
            tag == GUMBO_TAG_P || tag == GUMBO_TAG_LI || tag == GUMBO_TAG_DD || tag == GUMBO_TAG_DT;
        if (!is_implied || tag == except)
            return;
        html_build_pop(b);
    }
}

void html_build_close_implicitly(struct html_builder *b, GumboTag tag)
{
    html_build_imply_end_tags(b, tag);
    html_build_pop_until(b, tag);
}

void html_build_close_paragraph(struct html_builder *b)
{
    if (html_build_is_in_scope(b, GUMBO_TAG_P))
        html_build_close_implicitly(b, GUMBO_TAG_P);
}

/* --- inserting -------------------------------------------------------------------------------- */

struct html_node *html_build_append(struct html_builder *b, GumboTag tag)
{
    return html_node_append(b->arena, html_build_current(b), tag);
}

struct html_node *html_build_append_token(struct html_builder *b)
{
    const struct html_token *token = &b->token;
    struct html_node *node = html_build_append(b, token->tag);
    node->is_incomplete = token->is_incomplete;
    if (!token->attribute_count)
        return node;
    struct html_attribute_value *attributes =
        ARENA_ARRAY(b->arena, token->attribute_count, struct html_attribute_value);
    memcpy(attributes, token->attributes, token->attribute_count * sizeof *attributes);
    node->attributes = attributes;
    node->attribute_count = (uint16_t)token->attribute_count;
    return node;
}

enum html_outcome html_build_open_token(struct html_builder *b)
{
    return html_build_push(b, html_build_append_token(b)) ? HTML_DONE : HTML_UNSURE;
}

bool html_build_open_implied(struct html_builder *b, GumboTag tag)
{
    return html_build_push(b, html_build_append(b, tag));
}

void html_build_append_text(struct html_builder *b, struct str text)
{
    if (text.length)
        html_build_append(b, GUMBO_TAG_LAST)->text = text;
}

enum html_outcome html_build_append_raw(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    struct html_node *node = html_build_append_token(b);
    struct str content;
    if (!html_lexer_raw(&b->lexer, tag, &content))
        return HTML_UNSURE;
    if (tag != GUMBO_TAG_STYLE)
        node->tag = GUMBO_TAG_SVG; /* as html_tree_of() writes what is dropped */
    else if (content.length)
        html_node_append(b->arena, node, GUMBO_TAG_LAST)->text = content;
    return HTML_DONE;
}

/* --- the list of active formatting elements --------------------------------------------------- */

bool html_build_activate(struct html_builder *b, struct html_node *node)
{
    if (b->active_count == HTML_ACTIVE_MAX)
        return false;
    b->active[b->active_count++] = node;
    return true;
}

void html_build_forget(struct html_builder *b, unsigned index)
{
    b->active_count--;
    memmove(&b->active[index], &b->active[index + 1],
            (b->active_count - index) * sizeof b->active[0]);
}

void html_build_clear_to_marker(struct html_builder *b)
{
    while (b->active_count && b->active[--b->active_count])
        continue;
}

static bool has_same_attributes(const struct html_node *a, const struct html_node *b)
{
    if (a->attribute_count != b->attribute_count)
        return false;
    for (unsigned i = 0; i < a->attribute_count; i++) {
        unsigned at = 0;
        while (at < b->attribute_count && b->attributes[at].row != a->attributes[i].row)
            at++;
        if (at == b->attribute_count || !str_equal(a->attributes[i].value, b->attributes[at].value))
            return false;
    }
    return true;
}

bool html_build_activate_formatting(struct html_builder *b, struct html_node *node)
{
    unsigned same_tag = 0, alike = 0, earliest = 0;
    bool is_sure = !node->is_incomplete;
    for (unsigned i = b->active_count; i-- && b->active[i];) {
        const struct html_node *other = b->active[i];
        if (other->tag != node->tag)
            continue;
        same_tag++;
        is_sure = is_sure && !other->is_incomplete;
        if (has_same_attributes(node, other)) {
            alike++;
            earliest = i;
        }
    }
    if (same_tag >= ALIKE_MAX && !is_sure)
        return false;
    if (alike >= ALIKE_MAX)
        html_build_forget(b, earliest);
    return html_build_activate(b, node);
}

bool html_build_reconstruct(struct html_builder *b)
{
    unsigned from = b->active_count;
    while (from && b->active[from - 1] && !b->active[from - 1]->is_open)
        from--;
    for (; from < b->active_count; from++) {
        const struct html_node *lost = b->active[from];
        struct html_node *clone = html_build_append(b, lost->tag);
        clone->attributes = lost->attributes;
        clone->attribute_count = lost->attribute_count;
        clone->is_incomplete = lost->is_incomplete;
        if (!html_build_push(b, clone))
            return false;
        b->active[from] = clone;
    }
    return true;
}

int html_build_find_active(const struct html_builder *b, GumboTag tag)
{
    for (unsigned i = b->active_count; i-- && b->active[i];)
        if (b->active[i]->tag == tag)
            return (int)i;
    return -1;
}

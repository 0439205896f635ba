#include "server/mail/html_fast_private.h"

static void close_item(struct html_builder *b, bool is_definition)
{
    for (unsigned i = b->depth; i--;) {
        GumboTag tag = b->open[i]->tag;
        if (is_definition ? tag == GUMBO_TAG_DD || tag == GUMBO_TAG_DT : tag == GUMBO_TAG_LI) {
            html_build_close_implicitly(b, tag);
            return;
        }
        if (html_is_special(tag) && tag != GUMBO_TAG_ADDRESS && tag != GUMBO_TAG_DIV &&
            tag != GUMBO_TAG_P)
            return;
    }
}

/* A second <body>: the first takes over the attributes that it has not. */
static enum html_outcome merge_body(struct html_builder *b)
{
    const struct html_token *token = &b->token;
    if (!token->attribute_count)
        return HTML_DONE;
    struct html_node *body = b->body;
    struct html_attribute_value *all =
        ARENA_ARRAY(b->arena, HTML_ATTRIBUTES_MAX, struct html_attribute_value);
    unsigned count = body->attribute_count;
    if (count)
        memcpy(all, body->attributes, count * sizeof *all);
    for (unsigned i = 0; i < token->attribute_count; i++) {
        unsigned at = 0;
        while (at < count && all[at].row != token->attributes[i].row)
            at++;
        if (at == count)
            all[count++] = token->attributes[i];
    }
    body->attributes = all;
    body->attribute_count = (uint16_t)count;
    return HTML_DONE;
}

static enum html_outcome start_form(struct html_builder *b)
{
    if (b->has_form)
        return HTML_DONE;
    html_build_close_paragraph(b);
    b->form = html_build_append_token(b);
    b->has_form = true;
    return html_build_push(b, b->form) ? HTML_DONE : HTML_UNSURE;
}

static enum html_outcome start_preformatted(struct html_builder *b)
{
    html_build_close_paragraph(b);
    struct str *rest = &b->lexer.rest;
    if (str_starts(*rest, STR("&")) || str_starts(*rest, STR("</>")))
        return HTML_UNSURE; /* a line end may be there, or behind it */
    if (rest->length && rest->at[0] == '\n')
        *rest = str_skip(*rest, 1);
    return html_build_open_token(b);
}

static enum html_outcome start_formatting(struct html_builder *b, enum html_effect effect)
{
    if (effect == HTML_IS_LINK && html_build_find_active(b, GUMBO_TAG_A) >= 0)
        return HTML_UNSURE;
    if (!html_build_reconstruct(b) ||
        (effect == HTML_IS_NO_BREAK && html_build_is_in_scope(b, GUMBO_TAG_NOBR)))
        return HTML_UNSURE;
    struct html_node *node = html_build_append_token(b);
    return html_build_push(b, node) && html_build_activate_formatting(b, node) ? HTML_DONE
                                                                               : HTML_UNSURE;
}

static enum html_outcome start_heading(struct html_builder *b)
{
    html_build_close_paragraph(b);
    if (html_effect_of(html_build_current(b)->tag) == HTML_IS_HEADING)
        html_build_pop(b);
    return html_build_open_token(b);
}

enum html_outcome html_start_in_body(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    enum html_effect effect = html_effect_of(tag);
    switch (effect) {
    case HTML_IS_UNKNOWABLE:
        return HTML_UNSURE;
    case HTML_IS_HTML:
    case HTML_IS_TABLE_PART:
    case HTML_IS_NOTHING:
        return HTML_DONE;
    case HTML_IS_BODY_ELEMENT:
        return merge_body(b);
    case HTML_IS_METADATA:
    case HTML_IS_VOID_SOURCE:
        html_build_append(b, tag);
        return HTML_DONE;
    case HTML_IS_RAW:
        return html_build_append_raw(b);
    case HTML_IS_BLOCK:
        html_build_close_paragraph(b);
        return html_build_open_token(b);
    case HTML_IS_HEADING:
        return start_heading(b);
    case HTML_IS_LIST_ITEM:
    case HTML_IS_DEFINITION:
        close_item(b, effect == HTML_IS_DEFINITION);
        html_build_close_paragraph(b);
        return html_build_open_token(b);
    case HTML_IS_PREFORMATTED:
        return start_preformatted(b);
    case HTML_IS_FORM:
        return start_form(b);
    case HTML_IS_LINK:
    case HTML_IS_FORMATTING:
    case HTML_IS_NO_BREAK:
        return start_formatting(b, effect);
    case HTML_IS_TABLE:
        html_build_close_paragraph(b);
        b->mode = HTML_MODE_TABLE;
        return html_build_open_token(b);
    case HTML_IS_VOID_INLINE:
        return html_build_reconstruct(b) && html_build_append_token(b) ? HTML_DONE : HTML_UNSURE;
    case HTML_IS_RULE:
        html_build_close_paragraph(b);
        html_build_append_token(b);
        return HTML_DONE;
    case HTML_IS_ORDINARY:
        return html_build_reconstruct(b) ? html_build_open_token(b) : HTML_UNSURE;
    }
    return HTML_UNSURE;
}

/* 13.2.6.4.7, "any other end tag". */
static void end_ordinary(struct html_builder *b, GumboTag tag)
{
    for (unsigned i = b->depth; i--;) {
        GumboTag above = b->open[i]->tag;
        if (above == tag) {
            html_build_imply_end_tags(b, tag);
            while (b->depth > i)
                html_build_pop(b);
            return;
        }
        if (html_is_special(above))
            return;
    }
}

static bool is_active(const struct html_builder *b, const struct html_node *node)
{
    for (unsigned i = b->active_count; i--;)
        if (b->active[i] == node)
            return true;
    return false;
}

/* The adoption agency, where it has nothing to adopt. */
static enum html_outcome end_formatting(struct html_builder *b, GumboTag tag)
{
    if (html_build_current(b)->tag == tag && !is_active(b, html_build_current(b))) {
        html_build_pop(b);
        return HTML_DONE;
    }
    int index = html_build_find_active(b, tag);
    if (index < 0)
        return HTML_DONE; /* gumbo does not go on to "any other end tag" here */
    struct html_node *node = b->active[index];
    if (!node->is_open) {
        html_build_forget(b, (unsigned)index);
        return HTML_DONE;
    }
    if (!html_build_is_in_scope(b, tag))
        return HTML_DONE;
    for (unsigned i = b->depth; b->open[--i] != node;)
        if (html_is_special(b->open[i]->tag))
            return HTML_UNSURE;
    while (html_build_pop(b) != node)
        continue;
    html_build_forget(b, (unsigned)index);
    return HTML_DONE;
}

static enum html_outcome end_form(struct html_builder *b)
{
    struct html_node *form = b->form;
    b->form = NULL;
    b->has_form = false;
    if (!form || !form->is_open)
        return HTML_DONE;
    for (unsigned i = b->depth; b->open[--i] != form;)
        if (html_build_is_scope_end(b->open[i]->tag))
            return HTML_DONE;
    html_build_imply_end_tags(b, GUMBO_TAG_LAST);
    if (html_build_current(b) != form)
        return HTML_UNSURE;
    html_build_pop(b);
    return HTML_DONE;
}

static bool has_heading_in_scope(const struct html_builder *b)
{
    for (unsigned i = b->depth; i-- && !html_build_is_scope_end(b->open[i]->tag);)
        if (html_effect_of(b->open[i]->tag) == HTML_IS_HEADING)
            return true;
    return false;
}

static void end_heading(struct html_builder *b)
{
    if (!has_heading_in_scope(b))
        return;
    html_build_imply_end_tags(b, GUMBO_TAG_LAST);
    while (html_effect_of(html_build_pop(b)->tag) != HTML_IS_HEADING)
        continue;
}

/* "</p>" without its beginning is an empty paragraph. */
static enum html_outcome end_paragraph(struct html_builder *b)
{
    if (!html_build_is_in_scope(b, GUMBO_TAG_P) && !html_build_open_implied(b, GUMBO_TAG_P))
        return HTML_UNSURE;
    html_build_close_implicitly(b, GUMBO_TAG_P);
    return HTML_DONE;
}

enum html_outcome html_end_in_body(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    switch (html_effect_of(tag)) {
    case HTML_IS_UNKNOWABLE:
        return HTML_UNSURE;
    case HTML_IS_HTML:
    case HTML_IS_BODY_ELEMENT:
        return HTML_DONE;
    case HTML_IS_BLOCK:
    case HTML_IS_DEFINITION:
    case HTML_IS_PREFORMATTED:
        if (tag == GUMBO_TAG_P)
            return end_paragraph(b);
        if (html_build_is_in_scope(b, tag))
            html_build_close_implicitly(b, tag);
        return HTML_DONE;
    case HTML_IS_LIST_ITEM:
        if (html_build_is_in_list_scope(b, tag))
            html_build_close_implicitly(b, tag);
        return HTML_DONE;
    case HTML_IS_HEADING:
        end_heading(b);
        return HTML_DONE;
    case HTML_IS_FORM:
        return end_form(b);
    case HTML_IS_LINK:
    case HTML_IS_FORMATTING:
    case HTML_IS_NO_BREAK:
        return end_formatting(b, tag);
    default:
        if (tag == GUMBO_TAG_BR)
            return html_build_reconstruct(b) && html_build_append(b, tag) ? HTML_DONE : HTML_UNSURE;
        end_ordinary(b, tag);
        return HTML_DONE;
    }
}

enum html_outcome html_in_body(struct html_builder *b)
{
    if (b->token.kind == HTML_TOKEN_START_TAG)
        return html_start_in_body(b);
    if (b->token.kind == HTML_TOKEN_END_TAG)
        return html_end_in_body(b);
    if (!html_build_reconstruct(b))
        return HTML_UNSURE;
    html_build_append_text(b, b->token.text);
    return HTML_DONE;
}

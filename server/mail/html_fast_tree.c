#include "server/base/utf8.h"
#include "server/mail/html_fast_private.h"

/* Tree construction (WHATWG HTML, 13.2.6) without what repairs the worst: the adoption agency,
 * foster parents, select, frames, templates, foreign content. Where one of these would begin we are
 * unsure and give up. The rest is done as gumbo does it: implied tags, scopes, formatting elements
 * that are opened again. A fuzzer compares (tests/fuzz/fuzz_mail_html_fast.c). */

enum { TREE_BYTES_MAX = 32 * 1024 * 1024 }; /* of memory; looked at between tokens */

/* --- in tables -------------------------------------------------------------------------------- */

static enum html_mode mode_by_stack(const struct html_builder *b)
{
    for (unsigned i = b->depth; i--;)
        switch (b->open[i]->tag) {
        case GUMBO_TAG_TD:
        case GUMBO_TAG_TH:
            return HTML_MODE_CELL;
        case GUMBO_TAG_TR:
            return HTML_MODE_ROW;
        case GUMBO_TAG_TBODY:
        case GUMBO_TAG_THEAD:
        case GUMBO_TAG_TFOOT:
            return HTML_MODE_TABLE_BODY;
        case GUMBO_TAG_CAPTION:
            return HTML_MODE_CAPTION;
        case GUMBO_TAG_COLGROUP:
            return HTML_MODE_COLUMNS;
        case GUMBO_TAG_TABLE:
            return HTML_MODE_TABLE;
        default:
            break;
        }
    return HTML_MODE_BODY;
}

static void close_table(struct html_builder *b)
{
    html_build_pop_until(b, GUMBO_TAG_TABLE);
    b->mode = mode_by_stack(b);
}

static bool is_rows(GumboTag tag)
{
    return tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_THEAD || tag == GUMBO_TAG_TFOOT;
}

static bool is_cell(GumboTag tag)
{
    return tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH;
}

static enum html_outcome start_caption(struct html_builder *b)
{
    b->mode = HTML_MODE_CAPTION;
    return html_build_activate(b, NULL) ? html_build_open_token(b) : HTML_UNSURE;
}

/* Inside a table, where only its parts may stand. */
static enum html_outcome start_in_table(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    enum html_effect effect = html_effect_of(tag);
    if (tag == GUMBO_TAG_CAPTION)
        return start_caption(b);
    if (tag == GUMBO_TAG_COLGROUP || tag == GUMBO_TAG_COL) {
        b->mode = HTML_MODE_COLUMNS;
        if (tag == GUMBO_TAG_COLGROUP)
            return html_build_open_token(b);
        return html_build_open_implied(b, GUMBO_TAG_COLGROUP) ? HTML_AGAIN : HTML_UNSURE;
    }
    if (effect == HTML_IS_TABLE_PART) {
        b->mode = HTML_MODE_TABLE_BODY;
        if (is_rows(tag))
            return html_build_open_token(b);
        return html_build_open_implied(b, GUMBO_TAG_TBODY) ? HTML_AGAIN : HTML_UNSURE;
    }
    if (effect == HTML_IS_TABLE) {
        close_table(b);
        return HTML_AGAIN;
    }
    if (effect == HTML_IS_FORM) {
        if (!b->has_form)
            html_build_append(b, tag);
        b->has_form = true;
        return HTML_DONE;
    }
    bool is_style = tag == GUMBO_TAG_STYLE || tag == GUMBO_TAG_SCRIPT;
    return is_style || effect == HTML_IS_HTML || effect == HTML_IS_BODY_ELEMENT ||
                   effect == HTML_IS_NOTHING
               ? html_start_in_body(b)
               : HTML_UNSURE;
}

static enum html_outcome in_table(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    if (b->token.kind == HTML_TOKEN_TEXT) {
        for (size_t i = 0; i < b->token.text.length; i++)
            if (!html_is_white(b->token.text.at[i]))
                return HTML_UNSURE; /* it would be put before the table */
        html_build_append_text(b, b->token.text);
        return HTML_DONE;
    }
    if (b->token.kind == HTML_TOKEN_START_TAG)
        return start_in_table(b);
    if (tag == GUMBO_TAG_TABLE) {
        close_table(b);
        return HTML_DONE;
    }
    if (tag == GUMBO_TAG_P || tag == GUMBO_TAG_BR)
        return HTML_UNSURE;
    return html_effect_of(tag) == HTML_IS_TABLE_PART ? HTML_DONE : html_end_in_body(b);
}

static enum html_outcome in_caption(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    bool is_start = b->token.kind == HTML_TOKEN_START_TAG;
    bool is_end = b->token.kind == HTML_TOKEN_END_TAG;
    bool ends_it = is_end && tag == GUMBO_TAG_CAPTION;
    if ((is_start && html_effect_of(tag) == HTML_IS_TABLE_PART) || ends_it ||
        (is_end && tag == GUMBO_TAG_TABLE)) {
        html_build_imply_end_tags(b, GUMBO_TAG_LAST);
        html_build_pop_until(b, GUMBO_TAG_CAPTION);
        html_build_clear_to_marker(b);
        b->mode = HTML_MODE_TABLE;
        return ends_it ? HTML_DONE : HTML_AGAIN;
    }
    if (is_end && html_effect_of(tag) == HTML_IS_TABLE_PART)
        return HTML_DONE;
    return html_in_body(b);
}

static enum html_outcome in_columns(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    bool is_end = b->token.kind == HTML_TOKEN_END_TAG;
    if (b->token.kind == HTML_TOKEN_TEXT)
        return in_table(b);
    if (tag == GUMBO_TAG_COL || (!is_end && tag == GUMBO_TAG_HTML)) {
        if (!is_end && tag == GUMBO_TAG_COL)
            html_build_append_token(b);
        return HTML_DONE;
    }
    html_build_pop(b);
    b->mode = HTML_MODE_TABLE;
    return is_end && tag == GUMBO_TAG_COLGROUP ? HTML_DONE : HTML_AGAIN;
}

static enum html_outcome in_table_body(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    bool is_start = b->token.kind == HTML_TOKEN_START_TAG;
    bool is_end = b->token.kind == HTML_TOKEN_END_TAG;
    if (is_start && (tag == GUMBO_TAG_TR || is_cell(tag))) {
        b->mode = HTML_MODE_ROW;
        if (tag == GUMBO_TAG_TR)
            return html_build_open_token(b);
        return html_build_open_implied(b, GUMBO_TAG_TR) ? HTML_AGAIN : HTML_UNSURE;
    }
    bool ends_it = is_end && is_rows(tag);
    if (ends_it && !html_build_is_in_table_scope(b, tag))
        return HTML_DONE;
    if (ends_it || (is_start && html_effect_of(tag) == HTML_IS_TABLE_PART) ||
        (is_end && tag == GUMBO_TAG_TABLE)) {
        html_build_pop(b);
        b->mode = HTML_MODE_TABLE;
        return ends_it ? HTML_DONE : HTML_AGAIN;
    }
    return in_table(b);
}

static enum html_outcome in_row(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    bool is_start = b->token.kind == HTML_TOKEN_START_TAG;
    bool is_end = b->token.kind == HTML_TOKEN_END_TAG;
    if (is_start && is_cell(tag)) {
        b->mode = HTML_MODE_CELL;
        return html_build_open_token(b) == HTML_DONE && html_build_activate(b, NULL) ? HTML_DONE
                                                                                     : HTML_UNSURE;
    }
    if (is_end && is_rows(tag) && !html_build_is_in_table_scope(b, tag))
        return HTML_DONE;
    bool ends_it = is_end && tag == GUMBO_TAG_TR;
    bool is_outside = is_start && html_effect_of(tag) == HTML_IS_TABLE_PART && tag != GUMBO_TAG_COL;
    if (is_start && tag == GUMBO_TAG_COL)
        return HTML_UNSURE;
    if (ends_it || is_outside || (is_end && (tag == GUMBO_TAG_TABLE || is_rows(tag)))) {
        html_build_pop(b);
        b->mode = HTML_MODE_TABLE_BODY;
        return ends_it ? HTML_DONE : HTML_AGAIN;
    }
    return in_table(b);
}

static void close_cell(struct html_builder *b, GumboTag tag)
{
    html_build_imply_end_tags(b, GUMBO_TAG_LAST);
    html_build_pop_until(b, tag);
    html_build_clear_to_marker(b);
    b->mode = HTML_MODE_ROW;
}

static enum html_outcome in_cell(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    if (b->token.kind == HTML_TOKEN_TEXT)
        return html_in_body(b);
    bool is_start = b->token.kind == HTML_TOKEN_START_TAG;
    if (!is_start && is_cell(tag)) {
        if (html_build_is_in_table_scope(b, tag))
            close_cell(b, tag);
        return HTML_DONE;
    }
    bool is_outside = is_start ? html_effect_of(tag) == HTML_IS_TABLE_PART
                               : tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_TR || is_rows(tag);
    if (is_outside) {
        if (!is_start && !html_build_is_in_table_scope(b, tag))
            return HTML_DONE;
        close_cell(b, html_build_is_in_table_scope(b, GUMBO_TAG_TD) ? GUMBO_TAG_TD : GUMBO_TAG_TH);
        return HTML_AGAIN;
    }
    if (!is_start && html_effect_of(tag) == HTML_IS_TABLE_PART)
        return HTML_DONE;
    return html_in_body(b);
}

/* --- before the body -------------------------------------------------------------------------- */

/* White space here is dropped: nothing is written of it. */
static bool skip_white(struct html_token *token)
{
    while (token->text.length && html_is_white(token->text.at[0]))
        token->text = str_skip(token->text, 1);
    return !token->text.length;
}

static bool open_body(struct html_builder *b, bool is_token)
{
    b->body = is_token ? html_build_append_token(b) : html_build_append(b, GUMBO_TAG_BODY);
    b->mode = HTML_MODE_BODY;
    return html_build_push(b, b->body);
}

static enum html_outcome before_body(struct html_builder *b)
{
    GumboTag tag = b->token.tag;
    enum html_effect effect = html_effect_of(tag);
    if (b->token.kind == HTML_TOKEN_TEXT && skip_white(&b->token))
        return HTML_DONE;
    if (b->token.kind == HTML_TOKEN_END_TAG) {
        bool is_odd = effect == HTML_IS_UNKNOWABLE || effect == HTML_IS_HTML ||
                      effect == HTML_IS_BODY_ELEMENT || tag == GUMBO_TAG_BR ||
                      (tag == GUMBO_TAG_HEAD && b->mode == HTML_MODE_BEFORE_HEAD);
        if (tag == GUMBO_TAG_HEAD && b->mode == HTML_MODE_HEAD)
            b->mode = HTML_MODE_AFTER_HEAD;
        return is_odd ? HTML_UNSURE : HTML_DONE;
    }
    if (b->token.kind == HTML_TOKEN_START_TAG) {
        if (effect == HTML_IS_UNKNOWABLE ||
            (tag == GUMBO_TAG_UNKNOWN && b->mode != HTML_MODE_AFTER_HEAD))
            return HTML_UNSURE;
        if (effect == HTML_IS_HTML)
            return HTML_DONE;
        if (effect == HTML_IS_METADATA || effect == HTML_IS_RAW || effect == HTML_IS_NOTHING) {
            if (b->mode == HTML_MODE_BEFORE_HEAD)
                b->mode = HTML_MODE_HEAD;
            return effect == HTML_IS_RAW ? html_build_append_raw(b) : HTML_DONE;
        }
        if (effect == HTML_IS_BODY_ELEMENT)
            return open_body(b, true) ? HTML_DONE : HTML_UNSURE;
    }
    return open_body(b, false) ? HTML_AGAIN : HTML_UNSURE;
}

static enum html_outcome apply(struct html_builder *b)
{
    switch (b->mode) {
    case HTML_MODE_BEFORE_HEAD:
    case HTML_MODE_HEAD:
    case HTML_MODE_AFTER_HEAD:
        return before_body(b);
    case HTML_MODE_BODY:
        return html_in_body(b);
    case HTML_MODE_TABLE:
        return in_table(b);
    case HTML_MODE_CAPTION:
        return in_caption(b);
    case HTML_MODE_COLUMNS:
        return in_columns(b);
    case HTML_MODE_TABLE_BODY:
        return in_table_body(b);
    case HTML_MODE_ROW:
        return in_row(b);
    case HTML_MODE_CELL:
        return in_cell(b);
    }
    return HTML_UNSURE;
}

/* Line ends as a parser's input has them (13.2.3.5). */
static struct str with_line_feeds(struct arena *arena, struct str html)
{
    if (!memchr(html.at, '\r', html.length))
        return html;
    char *text = arena_alloc(arena, html.length), *to = text;
    while (html.length) {
        const char *end = memchr(html.at, '\r', html.length);
        size_t run = end ? (size_t)(end - html.at) : html.length;
        memcpy(to, html.at, run);
        to += run;
        html = str_skip(html, run);
        if (!end)
            break;
        *to++ = '\n';
        html = str_skip(html, html.length > 1 && html.at[1] == '\n' ? 2 : 1);
    }
    return str_make(text, (size_t)(to - text));
}

/* Bytes to look at: controls, and what is not ASCII. */
static const bool is_suspect[256] = {
    [0x00 ... 0x08] = true,
    [0x0b] = true,
    [0x0e ... 0x1f] = true,
    [0x7f ... 0xff] = true,
};

/* Is it UTF-8, without the characters that a parser replaces: controls and non-characters? */
static bool is_plain(struct str html)
{
    while (html.length) {
        size_t run = 0;
        while (run < html.length && !is_suspect[(unsigned char)html.at[run]])
            run++;
        html = str_skip(html, run);
        if (!html.length)
            break;
        bool is_replacement = str_starts(html, STR("\xef\xbf\xbd"));
        uint32_t character = utf8_next(&html);
        if (character < 0xa0 || utf8_is_noncharacter(character) ||
            (character == UTF8_REPLACEMENT && !is_replacement))
            return false;
    }
    return true;
}

struct html_node *html_fast_parse(struct arena *arena, struct str html)
{
    struct html_node *root = ARENA_NEW(arena, struct html_node);
    root->tag = GUMBO_TAG_HTML;
    if (!html.length)
        return root;
    if (!is_plain(html))
        return NULL;
    struct html_builder *b = ARENA_NEW(arena, struct html_builder);
    b->arena = b->lexer.arena = arena;
    b->lexer.rest = with_line_feeds(arena, html);
    html_build_push(b, root);
    enum html_outcome outcome = HTML_DONE;
    while (outcome == HTML_DONE && arena_used(arena) <= TREE_BYTES_MAX) {
        html_lexer_next(&b->lexer, &b->token);
        if (b->token.kind == HTML_TOKEN_END)
            return root;
        do
            outcome = b->token.kind == HTML_TOKEN_UNSURE ? HTML_UNSURE : apply(b);
        while (outcome == HTML_AGAIN);
    }
    return NULL;
}

/* Between html_fast.c (tokens), html_fast_tables.c (what tags do), html_fast_stack.c (what is
 * open), html_fast_body.c and html_fast_tree.c (what is built). Words are those of WHATWG
 * HTML, 13.2. */
#ifndef RESTANTE_MAIL_HTML_FAST_PRIVATE_H
#define RESTANTE_MAIL_HTML_FAST_PRIVATE_H

#include "server/mail/html_private.h"

enum html_token_kind {
    HTML_TOKEN_END, /* of the input */
    HTML_TOKEN_TEXT,
    HTML_TOKEN_START_TAG,
    HTML_TOKEN_END_TAG,
    HTML_TOKEN_UNSURE, /* leave it to gumbo */
};

enum { HTML_NAMES_MAX = 32 };

struct html_token {
    enum html_token_kind kind;
    GumboTag tag;
    bool is_self_closing;
    bool is_incomplete; /* has attributes that the tables do not know */
    struct str text;    /* decoded */
    unsigned attribute_count;
    struct html_attribute_value attributes[HTML_ATTRIBUTES_MAX];
    unsigned name_count; /* of all attributes, the first ones */
    struct str names[HTML_NAMES_MAX];
};

struct html_lexer {
    struct str rest;
    struct arena *arena; /* of decoded text */
};

/* Comments, doctypes and processing instructions are skipped. */
void html_lexer_next(struct html_lexer *lexer, struct html_token *token);
/* Behind the start tag of an element whose content is not markup: that content, up to its end tag,
 * which is read too. False when unsure. */
bool html_lexer_raw(struct html_lexer *lexer, GumboTag tag, struct str *content);

static inline bool html_is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\f' || c == '\r';
}

/* --- html_fast_tables.c ----------------------------------------------------------------------- */

/* What a start tag in the body does; what is not named is HTML_IS_UNKNOWABLE. */
enum html_effect {
    HTML_IS_UNKNOWABLE,
    HTML_IS_HTML,
    HTML_IS_BODY_ELEMENT,
    HTML_IS_METADATA, /* empty, wherever it stands */
    HTML_IS_RAW,      /* its content is no markup */
    HTML_IS_BLOCK,
    HTML_IS_HEADING,
    HTML_IS_LIST_ITEM,
    HTML_IS_DEFINITION,
    HTML_IS_PREFORMATTED,
    HTML_IS_FORM,
    HTML_IS_LINK,
    HTML_IS_FORMATTING,
    HTML_IS_NO_BREAK,
    HTML_IS_TABLE,
    HTML_IS_VOID_INLINE,
    HTML_IS_VOID_SOURCE,
    HTML_IS_RULE,
    HTML_IS_TABLE_PART, /* not in the body */
    HTML_IS_NOTHING,
    HTML_IS_ORDINARY,
};
enum html_effect html_effect_of(GumboTag tag);
/* Of those that can be open here: misnested end tags do not reach through a "special" one. */
bool html_is_special(GumboTag tag);

/* --- html_fast_stack.c ------------------------------------------------------------------------ */

enum html_mode {
    HTML_MODE_BEFORE_HEAD,
    HTML_MODE_HEAD,
    HTML_MODE_AFTER_HEAD,
    HTML_MODE_BODY, /* also behind it: what comes there is put into it */
    HTML_MODE_TABLE,
    HTML_MODE_CAPTION,
    HTML_MODE_COLUMNS,
    HTML_MODE_TABLE_BODY,
    HTML_MODE_ROW,
    HTML_MODE_CELL,
};

enum html_outcome { HTML_DONE, HTML_AGAIN /* in another mode */, HTML_UNSURE };

enum {
    HTML_OPEN_MAX = 500, /* elements; gumbo's fences are for what is deeper */
    HTML_ACTIVE_MAX = 48,
};

struct html_builder {
    struct html_lexer lexer;
    struct html_token token;
    struct arena *arena;
    enum html_mode mode;
    struct html_node *body;
    struct html_node *form; /* the one that is open; NULL for one in a table, which is empty */
    bool has_form;
    unsigned depth;
    struct html_node *open[HTML_OPEN_MAX];
    unsigned active_count;
    /* Formatting elements; NULL marks where a cell begins. */
    struct html_node *active[HTML_ACTIVE_MAX];
};

/* --- the stack of open elements */
struct html_node *html_build_current(const struct html_builder *b);
/* False when it is too deep. */
bool html_build_push(struct html_builder *b, struct html_node *node);
struct html_node *html_build_pop(struct html_builder *b);
/* Down to one with that tag, which must be there, and with it. */
void html_build_pop_until(struct html_builder *b, GumboTag tag);
bool html_build_is_scope_end(GumboTag tag);
bool html_build_is_in_scope(const struct html_builder *b, GumboTag tag);
bool html_build_is_in_list_scope(const struct html_builder *b, GumboTag tag);
bool html_build_is_in_table_scope(const struct html_builder *b, GumboTag tag);
/* Pops what needs no end tag, but no `except` (GUMBO_TAG_LAST: all of it). */
void html_build_imply_end_tags(struct html_builder *b, GumboTag except);
/* The same, then down to one with that tag, which must be there. */
void html_build_close_implicitly(struct html_builder *b, GumboTag tag);
/* A <p> that is in scope. */
void html_build_close_paragraph(struct html_builder *b);

/* --- inserting into the current one */
struct html_node *html_build_append(struct html_builder *b, GumboTag tag);
/* The token's element, not yet open. */
struct html_node *html_build_append_token(struct html_builder *b);
enum html_outcome html_build_open_token(struct html_builder *b);
/* An element that no tag stands for. */
bool html_build_open_implied(struct html_builder *b, GumboTag tag);
void html_build_append_text(struct html_builder *b, struct str text);
/* The token's element with its content, which is no markup. */
enum html_outcome html_build_append_raw(struct html_builder *b);

/* --- the list of active formatting elements */
/* NULL: a marker. False when there are too many. */
bool html_build_activate(struct html_builder *b, struct html_node *node);
/* Of three alike, the first is forgotten before a fourth is added. False when unsure. */
bool html_build_activate_formatting(struct html_builder *b, struct html_node *node);
void html_build_forget(struct html_builder *b, unsigned index);
void html_build_clear_to_marker(struct html_builder *b);
/* Opens again what was closed too early. */
bool html_build_reconstruct(struct html_builder *b);
/* The index of the last one with that tag behind the marker, or -1. */
int html_build_find_active(const struct html_builder *b, GumboTag tag);

/* --- html_fast_body.c ------------------------------------------------------------------------- */

enum html_outcome html_in_body(struct html_builder *b);
enum html_outcome html_start_in_body(struct html_builder *b);
enum html_outcome html_end_in_body(struct html_builder *b);

#endif

/* CSS cut into tokens (CSS Syntax Level 3, section 4), escapes undone, comments read as white
 * space. One pass, linear; works on any bytes. */
#ifndef RESTANTE_MAIL_CSS_TOKEN_H
#define RESTANTE_MAIL_CSS_TOKEN_H

#include "server/base/str.h"

enum css_kind {
    CSS_END,
    CSS_SPACE, /* white space and comments, a run of them as one token */
    CSS_IDENT,
    CSS_FUNCTION, /* "rgb(": the name; the bracket is part of it */
    CSS_AT,       /* "@media": the name */
    CSS_HASH,     /* "#fff": without the # */
    CSS_STRING,
    CSS_URL,    /* url(...), unquoted or quoted: what is inside */
    CSS_NUMBER, /* the number as written in `text`, "px", "%" or nothing in `unit` */
    CSS_DELIM,  /* any other single character, in `delim`: : ; , ( ) [ ] { } too */
    CSS_BAD,    /* unclosed string or url(), name too long to unescape, broken escape */
};

struct css_token {
    enum css_kind kind;
    char delim;
    struct str text; /* escapes undone; valid until the next token is read */
    struct str unit; /* as `text` */
};

enum { CSS_UNESCAPED_BYTES_MAX = 2048 }; /* of one token that holds escapes */

struct css_lexer {
    struct str rest;
    char unescaped[CSS_UNESCAPED_BYTES_MAX];
};

static inline void css_lexer_start(struct css_lexer *lexer, struct str text)
{
    lexer->rest = text;
}
struct css_token css_next(struct css_lexer *lexer);
static inline bool css_is(const struct css_token *token, char delim)
{
    return token->kind == CSS_DELIM && token->delim == delim;
}

#endif

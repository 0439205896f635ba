/* Between css.c and css_sheet.c. */
#ifndef RESTANTE_MAIL_CSS_PRIVATE_H
#define RESTANTE_MAIL_CSS_PRIVATE_H

#include "server/mail/css.h"
#include "server/mail/css_token.h"

/* Reads declarations up to the end or the "}" that closes them (it is consumed); appends the safe
 * ones. Returns true when one sets a colour. */
bool css_read_declarations(struct css_lexer *lexer, struct buf *out,
                           const struct css_options *options);
/* Consumes up to the end of the bracket just opened. */
void css_skip_block(struct css_lexer *lexer);
/* A name that is written as it is read: letters, digits, "-", "_", beyond ASCII. */
bool css_is_plain_name(struct str name);
bool css_is_plain_number(const struct css_token *token);
/* Tokens are written with one space between them, so that the next reader sees the same ones, but
 * none behind "(" and "," and none before "," and ")". `start`: where in `out` the first stands;
 * `next`: how the token to be written now begins. */
void css_write_gap(struct buf *out, size_t start, char next);

#endif

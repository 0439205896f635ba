/* What the files of compose share: writing header fields. */
#ifndef RESTANTE_MAIL_COMPOSE_PRIVATE_H
#define RESTANTE_MAIL_COMPOSE_PRIVATE_H

#include "server/mail/compose.h"

enum {
    COMPOSE_LINE_MAX = 998,   /* RFC 5322 section 2.1.1 */
    COMPOSE_FOLD_COLUMN = 76, /* where header lines are folded when they can be */
};

/* "name: value\r\n", folded at spaces; control characters in `value` become spaces. */
void compose_field(struct buf *out, const char *name, struct str value);
/* Text of any kind as it may stand in an unstructured field: ASCII as it is, else encoded words. */
void compose_words(struct buf *out, struct str text);
/* "Name <a@b>, c@d". */
bool compose_write_addresses(struct buf *out, struct compose_addresses addresses,
                             bool *needs_smtputf8, struct error *err);
/* "text/calendar; method=REPLY" and its like (RFC 6047): a type whose parameter is kept. */
bool compose_is_itip(struct str type);
/* The next line without its end; LF, CRLF and CR all end one. */
struct str compose_next_line(struct str *rest);
/* Takes the quote marks off a line, in the manners people type: ">>", "> > "; how many. */
size_t compose_take_quotes(struct str *line);
/* Whether it is printable ASCII without space and <>: an id that may be written. */
bool compose_is_id(struct str id);

static inline bool compose_is_ascii(struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

#endif

/* The place of a text where the words of a search stand, with the words marked (RFC 8621 section 5,
 * SearchSnippet). */
#ifndef RESTANTE_MAIL_SNIPPET_H
#define RESTANTE_MAIL_SNIPPET_H

#include "server/mail/words.h"

enum {
    SNIPPET_CHARACTERS = 240,            /* about as many are written */
    SNIPPET_TEXT_BYTES_MAX = 256 * 1024, /* of text looked at */
};

/* Appends HTML: escaped text with <mark> around each word of the query, white space collapsed, "…"
 * where it was cut. The place where most of the words stand close together is taken. False (and
 * nothing written) when none of them is in `text`, which is UTF-8. */
bool snippet_write_html(struct buf *out, struct str text, const struct word *words, size_t count);

/* The same for a short text that is shown whole (a subject, a name): written even without a mark.
 */
void snippet_write_whole_html(struct buf *out, struct str text, const struct word *words,
                              size_t count);

#endif

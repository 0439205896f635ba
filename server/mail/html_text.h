/* The visible text of HTML, for previews, search and quoting: a small bounded tokenizer, one pass,
 * linear, not a parser (what is shown goes through html.h). */
#ifndef RESTANTE_MAIL_HTML_TEXT_H
#define RESTANTE_MAIL_HTML_TEXT_H

#include "server/base/buf.h"

/* Appends the text of UTF-8 HTML: tags and comments gone, script, style, head, template left out,
 * entities decoded, white space collapsed, a line break at blocks, two at paragraphs. Stops (true)
 * once `text_bytes_max` are written. Not escaped: it is text. */
void html_to_text(struct buf *out, struct str html, size_t text_bytes_max);
/* The same as the plain form of a letter: what is quoted stands behind "> ", an item of a list
 * behind "* ", and the line above a signature is "-- " again. */
void html_to_letter(struct buf *out, struct str html, size_t text_bytes_max);

#endif

/* Character references of HTML ("&amp;", "&#8217;") for readers that are no HTML parser. */
#ifndef RESTANTE_MAIL_HTML_ENTITY_H
#define RESTANTE_MAIL_HTML_ENTITY_H

#include "server/base/str.h"

/* The character that the reference at the front of `text` (which starts with "&") stands for, and
 * how many bytes the reference has; 0 bytes when it is none that we know: then it is text. Numeric
 * ones as WHATWG says (0x80-0x9f are windows-1252, impossible ones U+FFFD); old names also without
 * their semicolon. */
size_t html_entity(struct str text, uint32_t *character);

#endif

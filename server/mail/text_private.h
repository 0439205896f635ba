/* Finding links in plain text: for text.c and its tests. */
#ifndef RESTANTE_MAIL_TEXT_PRIVATE_H
#define RESTANTE_MAIL_TEXT_PRIVATE_H

#include "server/base/str.h"

enum { TEXT_LINK_BYTES_MAX = 16 * 1024 }; /* what is longer is text */

enum text_link { TEXT_LINK_NONE, TEXT_LINK_URL, TEXT_LINK_WWW, TEXT_LINK_ADDRESS };

/* What begins at the front of `text`, a place where a word may begin: a link and how many bytes it
 * has, or none and how many bytes of text may be passed over (at least 1 unless `text` is empty).
 */
enum text_link text_link_next(struct str text, size_t *length);

#endif

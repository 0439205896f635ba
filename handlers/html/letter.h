/* Plain text stands in our own page, without a frame around it, and was made by a parser child that
 * a hostile message may have taken over. Before it gets there it is checked to be what such a child
 * makes and nothing else. */
#ifndef RESTANTE_HANDLERS_HTML_LETTER_H
#define RESTANTE_HANDLERS_HTML_LETTER_H

#include "server/base/str.h"

/* Whether the fragment has only what server/mail/text.h writes: text, line breaks, quotes, the
 * signature and web and mail links, each element closed where it belongs. */
bool letter_is_plain(struct str html);

#endif

/* Plain text stands in our own page, without a frame around it, and was made by a parser child that
 * a hostile message may have taken over. Before it gets there it is checked to be what such a child
 * makes and nothing else. */
#ifndef RESTANTE_HANDLERS_HTML_LETTER_H
#define RESTANTE_HANDLERS_HTML_LETTER_H

#include "server/base/arena.h"

/* Whether the fragment has only what server/mail/text.h writes: text, line breaks, quotes, the
 * signature and web and mail links, each element closed where it belongs. */
bool letter_is_plain(struct str html);

/* A plain fragment in which quotes of quotes are folded, each behind a line that opens it. Where
 * there are none it is `html` itself. */
struct str letter_fold_quotes(struct arena *arena, struct str html);

#endif

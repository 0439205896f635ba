/* The line of text a list shows under the subject (RFC 8621 section 4.1.4, `preview`). */
#ifndef RESTANTE_MAIL_PREVIEW_H
#define RESTANTE_MAIL_PREVIEW_H

#include "server/mail/mime.h"

enum { PREVIEW_CHARACTERS = 256 };

/* From plain UTF-8 text: quotes, attribution lines, signature and runs of punctuation left out,
 * white space collapsed. */
struct str preview_of_text(struct arena *arena, struct str text);
/* From UTF-8 HTML: its visible text. */
struct str preview_of_html(struct arena *arena, struct str html);
/* From the encoded body of one part (as IMAP FETCH BODY[1] gives it; it may be cut). */
struct str preview_of_part(struct arena *arena, const struct mime_part *part, struct str body);
/* From a whole message: the first part of its text body that has text. */
struct str preview_of_message(struct arena *arena, struct str raw, const struct mime_message *m);

#endif

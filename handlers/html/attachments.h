/* What is attached to a message: the list on its page, pictures and texts shown in their place, and
 * all of it as one archive. */
#ifndef RESTANTE_HANDLERS_HTML_ATTACHMENTS_H
#define RESTANTE_HANDLERS_HTML_ATTACHMENTS_H

#include "handlers/html/body.h"
#include "handlers/html/page.h"

/* `attachments` with counts and sizes of the letter's view. */
void attachments_set(struct value *view, const struct email *email, const struct body *body,
                     bool as_text, struct arena *arena);

#endif

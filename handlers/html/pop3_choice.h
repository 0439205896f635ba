/* What becomes of mail on a POP3 server: the choice, said in sentences where it is made, and the
 * question before anything is removed there for the first time. */
#ifndef RESTANTE_HANDLERS_HTML_POP3_CHOICE_H
#define RESTANTE_HANDLERS_HTML_POP3_CHOICE_H

#include "handlers/setup.h"
#include "server/http/request.h"
#include "server/template/view.h"

/* `pop3` (the policies), `pop3Days` and `pop3MaxMb` for partials/pop3-choice. */
void pop3_choice_set(struct value *view, const struct setup_pop3 *pop3, struct arena *arena);
/* From the form's fields of these names; what is not there stays as it is. ERROR_INVALID with a
 * sentence. */
bool pop3_choice_read(const struct http_fields *form, struct setup_pop3 *pop3, struct error *err);

/* `removal` for partials/pop3-removal: the question, or NULL where nothing is to be asked.
 * `only_if_any`: and only when messages lie on the server. */
void pop3_choice_ask(struct value *view, const char *name, const struct account *account,
                     bool only_if_any, struct arena *arena);

#endif

/* What every screen shares: the view that all templates expect, answering with it, and the small
 * errors that forms show beside themselves. */
#ifndef RESTANTE_HANDLERS_HTML_PAGE_H
#define RESTANTE_HANDLERS_HTML_PAGE_H

#include "handlers/session.h"
#include "server/store/accounts.h"
#include "server/template/view.h"

/* A view with `title`, `csrf`, `login` (someone is signed in). */
struct value *page_new(const struct request *req, const char *title);
/* Renders the template as the whole answer. */
bool page_send(const struct request *req, struct response *res, const char *template,
               const struct value *page, struct error *err);
/* The error above a form: `problem.message`, `problem.hint`. */
void page_set_problem(struct value *page, const struct error *err);
/* Errors that a form answers for by showing itself again (status 422), rather than an error page.
 */
bool page_is_form_error(const struct error *err);

/* The accounts of the person for the navigation (`accounts`), `current` marked (0: none). */
bool page_set_accounts(const struct request *req, struct db *db, struct value *page,
                       int64_t current_id, struct error *err);
void page_show_accounts(struct value *page, const struct account *accounts, size_t count,
                        int64_t current_id, struct arena *arena);
/* `status` of an account: a word for its class (`state`), a sentence, whether the person is needed.
 */
void page_set_sync(struct value *view, const struct account *account, struct arena *arena);

/* The form's field, trimmed; empty when it is not there. */
struct str form_text(const struct http_fields *form, const char *name);
/* The form's field as it is: passwords. */
struct str form_raw(const struct http_fields *form, const char *name);

/* Back to the page that the form was on: its field `here`, if that is one of our pages of mail. */
void page_go_back(struct response *res, const struct http_fields *form);

#endif

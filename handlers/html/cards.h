/* Invitations, contacts, delivery reports and winmail.dat, shown as what they are. */
#ifndef RESTANTE_HANDLERS_HTML_CARDS_H
#define RESTANTE_HANDLERS_HTML_CARDS_H

#include "handlers/html/body.h"
#include "handlers/html/page.h"

/* `cards` of the letter's view. What is not here is fetched, for a moment; `db` may be another one
 * afterwards. */
bool cards_set(struct request *req, struct db **db, struct value *view, const struct email *email,
               const struct mime_message *message, struct error *err);

/* invitation.c: `answers` of an invitation's card, if it can be answered. `organizer`: an address.
 */
bool invitation_set(struct request *req, struct db *db, struct value *view,
                    const struct email *email, struct str part, struct str organizer,
                    struct error *err);

#endif

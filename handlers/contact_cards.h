/* The address book as vCards (RFC 6350), out and in: pages and API share it. */
#ifndef RESTANTE_HANDLERS_CONTACT_CARDS_H
#define RESTANTE_HANDLERS_CONTACT_CARDS_H

#include "handlers/session.h"
#include "server/store/contacts.h"

/* Whether it may be kept: a name or an address, nothing too long. */
bool contact_check(const struct contact *contact, struct error *err);
/* Answers with all contacts that were entered by hand. */
bool contact_cards_export(struct request *req, struct response *res, struct error *err);
/* Adds every card of the text, or none; a parser child reads them. ERROR_INVALID: there is no card
 * in it, ERROR_LIMIT: too many. */
bool contact_cards_import(struct request *req, struct str text, size_t *imported,
                          struct error *err);

/* The same of a part of a message, as sent. */
bool contact_cards_import_part(struct request *req, const struct mime_part *part, struct str body,
                               size_t *imported, struct error *err);

#endif

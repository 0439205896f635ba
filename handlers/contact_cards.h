/* The address book as vCards (RFC 6350), out and in: pages and API share it. */
#ifndef RESTANTE_HANDLERS_CONTACT_CARDS_H
#define RESTANTE_HANDLERS_CONTACT_CARDS_H

#include "handlers/session.h"

/* Answers with all contacts that were entered by hand. */
bool contact_cards_export(struct request *req, struct response *res, struct error *err);
/* Adds every card of the text, or none. ERROR_INVALID: there is no card in it. */
bool contact_cards_import(struct request *req, struct str text, size_t *imported,
                          struct error *err);

#endif

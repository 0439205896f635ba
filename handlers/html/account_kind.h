/* IMAP or POP3? Asked where both work, and what becomes of mail on a POP3 server wherever that is
 * to be used. The settings have been tried; their trials keep the sealed passwords until then. */
#ifndef RESTANTE_HANDLERS_HTML_ACCOUNT_KIND_H
#define RESTANTE_HANDLERS_HTML_ACCOUNT_KIND_H

#include "handlers/setup.h"
#include "server/http/request.h"
#include "server/http/response.h"

struct account_kinds {
    struct str name, email;
    struct str imap, pop3; /* ids of the trials that went well; empty: none */
    struct str imap_why;   /* why IMAP did not work; empty: it was not proposed */
    struct setup_pop3 chosen;
};

bool account_kind_show(struct request *req, struct response *res, const struct account_kinds *kinds,
                       const struct error *problem, struct error *err);

#endif

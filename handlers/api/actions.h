/* Between the files that read and answer actions. */
#ifndef RESTANTE_HANDLERS_API_ACTIONS_H
#define RESTANTE_HANDLERS_API_ACTIONS_H

#include "handlers/app.h"
#include "server/store/actions.h"

/* Accepts an action on everything that `query` finds (empty: all of action->mailbox_id). */
bool api_bulk_accept(struct request *req, struct response *res, const struct action *action,
                     struct str query, struct error *err);

#endif

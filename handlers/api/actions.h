/* Between the files that read and answer actions. */
#ifndef RESTANTE_HANDLERS_API_ACTIONS_H
#define RESTANTE_HANDLERS_API_ACTIONS_H

#include <jansson.h>

#include "handlers/app.h"
#include "server/store/actions.h"

/* Which messages: "emailIds" or "threadId", "mailboxId". */
bool api_read_places(struct request *req, const json_t *body, struct action *action,
                     struct error *err);
/* A member that is an id as a string; 0 when it is missing or null. */
bool api_read_id(const json_t *body, const char *name, int64_t *id, struct error *err);
/* {"$seen": true, "label": false}: what to set and clear. */
bool api_read_keywords(struct arena *arena, json_t *map, struct action *action, struct error *err);
/* {"operations": ["5"], "changed": 1} */
bool api_answer_result(struct response *res, const struct action_result *result);

/* "filter": everything that matches, instead of ids: action->mailbox_id and a query, one of them
 * possibly empty. */
bool api_read_filter(struct request *req, const json_t *body, struct action *action,
                     struct str *query, struct error *err);
/* Accepts an action on everything that `query` finds (empty: all of action->mailbox_id). */
bool api_bulk_accept(struct request *req, struct response *res, const struct action *action,
                     struct str query, struct error *err);

#endif

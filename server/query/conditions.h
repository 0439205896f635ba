/* What a person typed into the search box (mail/query.h) as conditions for the store
 * (store/search.h). Pages and API search by them; the sync role finds by them what an action on
 * everything that matches concerns. */
#ifndef RESTANTE_QUERY_CONDITIONS_H
#define RESTANTE_QUERY_CONDITIONS_H

#include "server/mail/query.h"
#include "server/store/search.h"

/* A tree for each of the accounts, in the arena: folders differ. ERROR_INVALID, with a hint, for a
 * folder that none of the accounts has. */
bool query_conditions(struct db *db, struct arena *arena, const struct query *query,
                      const int64_t *account_ids, size_t count,
                      const struct search_condition *const **conditions, struct error *err);

#endif

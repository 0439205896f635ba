/* Snoozing, as pages and API share it. */
#ifndef RESTANTE_HANDLERS_SNOOZE_H
#define RESTANTE_HANDLERS_SNOOZE_H

#include "handlers/app.h"
#include "server/store/actions.h"

/* Makes of an action on messages, or on everything that matches, one that snoozes them until then
 * (UTC microseconds): a move to the account's folder for them, made where there is none. */
bool snooze_prepare(const struct request *req, struct db *db, int64_t account_id, int64_t until,
                    struct action *action, struct error *err);

#endif

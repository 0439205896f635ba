/* The folder that snoozed messages wait in, as pages and API share it. */
#ifndef RESTANTE_HANDLERS_SNOOZE_H
#define RESTANTE_HANDLERS_SNOOZE_H

#include "handlers/app.h"

/* The folder for snoozed messages of the account. Without one it is made: `*operation_id` is what
 * to wait for then, and `*folder_id` is 0. */
bool snooze_prepare(const struct request *req, struct db *db, int64_t account_id,
                    int64_t *folder_id, int64_t *operation_id, struct error *err);

#endif

/* The folder that snoozed messages wait in, as pages and API share it. */
#ifndef RESTANTE_HANDLERS_SNOOZE_H
#define RESTANTE_HANDLERS_SNOOZE_H

#include "handlers/app.h"

/* The folder for snoozed messages of the account, made where there is none. */
bool snooze_prepare(const struct request *req, struct db *db, int64_t account_id,
                    int64_t *folder_id, struct error *err);

#endif

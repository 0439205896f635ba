/* Somebody opens a folder. The replica is shown at once, and the sync role is told to look whether
 * the mail server has something new there, for not every server tells of folders that are not open.
 * What it finds comes to the page as events. */
#ifndef RESTANTE_HANDLERS_LOOK_H
#define RESTANTE_HANDLERS_LOOK_H

#include "handlers/app.h"

/* Tells it with the next statement of `db`, unless it was told within MAILBOX_LOOK_REST_MS. Of a
 * folder that is not the person's nothing is told. */
bool look_at_mailbox(const struct request *req, struct db *db, int64_t account_id,
                     int64_t mailbox_id, struct error *err);

#endif

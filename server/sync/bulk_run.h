/* Going on with what people want done to everything that a search or a folder has (store/bulk.h),
 * and bringing back what was snoozed until now (store/snooze.h): on a thread of its own and without
 * any mail server, so that it is seen here also while one is away. */
#ifndef RESTANTE_SYNC_BULK_RUN_H
#define RESTANTE_SYNC_BULK_RUN_H

#include <stdatomic.h>

#include "server/sync/sync.h"

/* Until nothing of it is left to do, of any account, or `is_stopping`. */
void bulk_run(const struct sync_context *sync, const atomic_bool *is_stopping);

#endif

#include "server/store/status.h"

#include "server/store/db.h"

bool service_status(struct db *db, struct service_status *status, struct error *err)
{
    struct db_rows rows;
    *status = (struct service_status){0};
    if (!db_select_one(db, "service_status", &rows, "no status", err))
        return false;
    for (int state = 0; state < SYNC_STATES; state++)
        status->accounts[state] = db_get_i64(&rows);
    status->operations_waiting = db_get_i64(&rows);
    status->oldest_operation_s = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

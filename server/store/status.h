/* How the service is as a whole: numbers only, so that the web role may ask whoever is signed in.
 */
#ifndef RESTANTE_STORE_STATUS_H
#define RESTANTE_STORE_STATUS_H

#include "server/store/accounts.h"

enum { SYNC_STATES = SYNC_PAUSED + 1 };

struct service_status {
    int64_t accounts[SYNC_STATES]; /* by enum sync_state */
    int64_t operations_waiting;
    int64_t oldest_operation_s; /* its age in seconds; 0: none */
};

bool service_status(struct db *db, struct service_status *status, struct error *err);

#endif

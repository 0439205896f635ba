/* What people asked to be done with a POP3 account's messages that needs its server. */
#ifndef RESTANTE_SYNC_POP3_OPERATIONS_H
#define RESTANTE_SYNC_POP3_OPERATIONS_H

#include "server/sync/slice.h"

/* Runs what is due, in order, until none is left; a session is opened only if one needs it. False
 * when the session cannot go on (the operation under way then waits for the next one). */
bool pop3_run_operations(struct slice *slice, struct error *err);

#endif

/* What people asked to be done upstream, carried out over the account's IMAP session. */
#ifndef RESTANTE_SYNC_IMAP_OPERATIONS_H
#define RESTANTE_SYNC_IMAP_OPERATIONS_H

#include "server/sync/imap_session.h"

/* Runs what is due, in order, until none is left. False when the session cannot go on (the
 * operation under way then waits for the next one). */
bool imap_run_operations(struct slice *slice, struct error *err);

#endif

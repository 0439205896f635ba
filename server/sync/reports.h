/* What mail servers and readers report of messages that were sent from here (RFC 3464, 8098): told
 * beside the message in the outbox. */
#ifndef RESTANTE_SYNC_REPORTS_H
#define RESTANTE_SYNC_REPORTS_H

#include "server/sync/slice.h"

/* Looks at reports that have come since the last time, if anything was sent within the week. One
 * that cannot be had or understood is passed over. */
bool reports_run(struct slice *slice, struct error *err);

#endif

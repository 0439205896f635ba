/* Leaving a mailing list for a person who asked for it, by the one click that the list offers
 * (RFC 8058). */
#ifndef RESTANTE_SYNC_UNSUBSCRIBE_H
#define RESTANTE_SYNC_UNSUBSCRIBE_H

#include "server/sync/operations.h"

/* The operation "unsubscribe": {"emailId": n}. Needs no session with the mail server. */
bool unsubscribe_run(struct slice *slice, const struct operation *operation,
                     const json_t *arguments, struct str *result, struct error *err);

#endif

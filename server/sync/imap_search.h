/* Searching on the mail server, which knows the texts that are not here yet. */
#ifndef RESTANTE_SYNC_IMAP_SEARCH_H
#define RESTANTE_SYNC_IMAP_SEARCH_H

#include "server/sync/operations.h"

/* The operation "search": {"query": "as typed", "now": UTC microseconds, "offsetMinutes": of the
 * zone of who asks}. Looks in every folder; the result is {"emailIds": [newest first], "unknown":
 * messages that were found and are not here yet, "isCut": there are more of either}. */
bool imap_search_folders(struct slice *slice, const struct operation *operation,
                         const json_t *arguments, struct str *result, struct error *err);

#endif

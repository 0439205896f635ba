/* Which servers has a mail address? By a table of providers, the domain's autoconfig file, SRV
 * records (RFC 6186, RFC 8314), and at last by trying the usual names. All connections go through
 * the egress rules. */
#ifndef RESTANTE_SYNC_DISCOVER_H
#define RESTANTE_SYNC_DISCOVER_H

#include "server/base/json.h"
#include "server/sync/sync.h"

/* Writes {"candidates": [...], "recommended": n} as server/sync/trials.h says. ERROR_INVALID when
 * `email` has no domain; an empty list is no error. */
bool discover_servers(const struct sync_context *sync, struct arena *arena, struct str email,
                      struct json *json, struct error *err);

#endif

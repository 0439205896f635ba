/* Requests to the API that carry an Idempotency-Key are carried out once, however often they come
 * (draft-ietf-httpapi-idempotency-key-header): the router runs every handler through here. Asked
 * again within a day, the same request is given the first one's answer; another one under the same
 * key is refused (422); while the first is at work: 409. A key is its person's own. What fails is
 * not kept: it did nothing, and may come again. GET and HEAD change nothing and need no key. */
#ifndef RESTANTE_HANDLERS_ONCE_H
#define RESTANTE_HANDLERS_ONCE_H

#include "server/http/router.h"
#include "server/store/store.h"

/* router_hooks.run */
bool once_run(struct request *req, const struct route *route, struct response *res,
              struct error *err);
/* What this request is known by, for rows that keep it: unique among all people and days, and the
 * same when it is carried out again because its process died before it answered. Empty: the request
 * has no key. */
struct str once_key(const struct request *req);
/* The same for what keeps no such row. What this request made before its process died, to be
 * answered again; 0: nothing. */
int64_t once_made(const struct request *req);
/* Notes it within the transaction that makes it, posted; nothing for a request without a key. */
bool once_note_made(const struct request *req, struct db *db, int64_t id, struct error *err);

#endif

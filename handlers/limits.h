/* How often a person may ask for what costs others something: connections to mail servers that they
 * name (nobody shall map a network with them, nor try passwords at other people's servers), and
 * tokens. Counted for the person, whichever door they came through. */
#ifndef RESTANTE_HANDLERS_LIMITS_H
#define RESTANTE_HANDLERS_LIMITS_H

#include "server/http/request.h"
#include "server/store/store.h"

enum limit { LIMIT_DISCOVERIES, LIMIT_TRIALS, LIMIT_TOKENS };

/* Counts one more. ERROR_THROTTLED with when to come again (retry_after_ms) if it is one too many.
 */
bool limit_hit(struct request *req, struct db *db, enum limit limit, struct error *err);

#endif

/* Whose an account is, as the database told lately: so that whatever reads asks whose it is before
 * the database's own wall is met, and the hot lists do not pay a round trip for it. An account
 * never changes hands, so what is kept here does not become untrue. (Unless the database is an old
 * copy of itself, where an id may be given anew: hence the end.) One that is gone meanwhile shows
 * nothing by itself. */
#ifndef RESTANTE_HANDLERS_OWNERS_H
#define RESTANTE_HANDLERS_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

struct owners; /* any thread; one that is NULL knows nothing */

struct owners *owners_new(void);
void owners_free(struct owners **owners);

bool owners_know(struct owners *owners, int64_t user_id, int64_t account_id);
void owners_learn(struct owners *owners, int64_t user_id, int64_t account_id);

#endif

/* Words after the mail itself: what came by the thousand is durable first and found by its words a
 * little later. */
#ifndef RESTANTE_SYNC_WORDS_LATER_H
#define RESTANTE_SYNC_WORDS_LATER_H

#include "server/sync/slice.h"

/* Finds the words of messages that came without them, for the slice's time or until there are
 * operations. `*is_done`: none are left. */
bool words_later(struct slice *slice, bool *is_done, struct error *err);

#endif

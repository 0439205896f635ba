/* How long what failed is left alone: longer with each failure, and never all at the same moment.
 */
#ifndef RESTANTE_SYNC_BACKOFF_H
#define RESTANTE_SYNC_BACKOFF_H

#include <stdint.h>

/* `first_ms` after the first failure, doubled with each that follows, at most `most_ms`. */
int64_t backoff_ms(int64_t first_ms, int64_t most_ms, int failures);
/* +-20 %, so that those that failed together do not come back together. */
int64_t backoff_jittered(int64_t wait_ms);

#endif

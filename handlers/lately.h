/* What was lately so of two ids, for a while: an account that is a person's, a folder that was
 * looked at. Two that share a place push each other out, so whoever asks must be able to do without
 * an answer. */
#ifndef RESTANTE_HANDLERS_LATELY_H
#define RESTANTE_HANDLERS_LATELY_H

#include <stdbool.h>
#include <stdint.h>

struct lately; /* any thread */

struct lately *lately_new(void);
void lately_free(struct lately **lately);

/* Whether it was noted and its time is not over. */
bool lately_knows(struct lately *lately, int64_t a, int64_t b);
void lately_note(struct lately *lately, int64_t a, int64_t b, int64_t for_ms);

#endif

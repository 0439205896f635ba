/* Time. Wall-clock times are UTC microseconds since 1970 (`_us`, `_at`); waiting is done on the
 * monotonic clock in milliseconds (`_ms`). */
#ifndef RESTANTE_BASE_CLOCK_H
#define RESTANTE_BASE_CLOCK_H

#include <stdint.h>

#include "server/base/str.h"

int64_t clock_now_us(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* A moment on the monotonic clock to be done by. */
struct deadline {
    int64_t at_ms; /* INT64_MAX: never */
};
#define DEADLINE_NEVER ((struct deadline){INT64_MAX})
struct deadline deadline_in_ms(int64_t ms);
/* Milliseconds left, 0 once passed, capped for poll(2); -1 for never. */
int deadline_left_ms(struct deadline deadline);
bool deadline_passed(struct deadline deadline);

/* "2026-11-24T04:07:36Z" (RFC 3339, UTCDate of RFC 8620 section 1.4) into a buffer of 32 bytes. */
enum { CLOCK_TEXT_BYTES = 32 };
struct str clock_format_utc(int64_t at_us, char text[CLOCK_TEXT_BYTES]);
/* The reverse: an RFC 3339 date-time with any offset and optional fraction; false if it is none. */
bool clock_parse_rfc3339(struct str text, int64_t *at_us);
/* Days before/after 1970-01-01 of a date of the proleptic Gregorian calendar. */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);

#endif

/* Times of day where the person is: "tomorrow at eight" as a moment. */
#ifndef RESTANTE_HANDLERS_ZONE_H
#define RESTANTE_HANDLERS_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "server/base/str.h"

/* The clock on the wall at `at_us` in a zone called as IANA does ("Europe/Berlin"); what is empty
 * or nobody knows is the server's zone, in which pages show times. */
void zone_clock(struct str zone, int64_t at_us, struct tm *clock);
/* The moment at which the clock shows that. Days and hours beyond their range count on: the 32nd is
 * the next month's first. */
int64_t zone_moment(struct str zone, const struct tm *clock);

#endif

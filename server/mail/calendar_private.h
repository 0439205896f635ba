/* Zones of invitations. */
#ifndef RESTANTE_MAIL_CALENDAR_PRIVATE_H
#define RESTANTE_MAIL_CALENDAR_PRIVATE_H

#include "server/base/str.h"

/* What a clock on the wall says. */
struct calendar_clock {
    int year, month, day, hour, minute, second;
};

/* UTC microseconds of that time in a zone called as IANA ("Europe/Berlin", also behind a vendor's
 * prefix) or Windows ("W. Europe Standard Time") does; false when the name is unknown. */
bool calendar_zone_to_utc(struct str zone, struct calendar_clock clock, int64_t *at_us);

#endif

/* Dates of mail (RFC 5322 section 3.3 and 4.3, and what is found in the wild). */
#ifndef RESTANTE_MAIL_DATE_H
#define RESTANTE_MAIL_DATE_H

#include "server/base/str.h"

/* UTC microseconds since 1970 of a Date field or the last part of a Received field; the zone's
 * offset in minutes east of UTC into `*offset_minutes` unless NULL. False when there is no date in
 * it, or one outside the years 1900-9999. */
bool date_parse(struct str value, int64_t *at_us, int *offset_minutes);

/* The date of a Received field: what stands behind its last semicolon. */
bool date_parse_received(struct str value, int64_t *at_us);

#endif

#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "server/mail/calendar_private.h"

enum { ZONE_UNITS_MAX = 128 };

/* The IANA name that ICU knows; 0 when it knows none. */
static int32_t find_zone(struct str name, UChar zone[ZONE_UNITS_MAX])
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[ZONE_UNITS_MAX];
    UBool is_system = false;
    int32_t count = 0;
    u_strFromUTF8(units, ZONE_UNITS_MAX, &count, name.at, (int32_t)name.length, &status);
    if (U_FAILURE(status) || count == 0)
        return 0;
    int32_t length =
        ucal_getCanonicalTimeZoneID(units, count, zone, ZONE_UNITS_MAX, &is_system, &status);
    if (U_SUCCESS(status) && is_system)
        return length;
    status = U_ZERO_ERROR;
    length = ucal_getTimeZoneIDForWindowsID(units, count, NULL, zone, ZONE_UNITS_MAX, &status);
    return U_SUCCESS(status) ? length : 0;
}

/* "/freeassociation.sourceforge.net/Europe/Berlin": the last two or three words may be a zone. */
static int32_t find_zone_at_end(struct str name, UChar zone[ZONE_UNITS_MAX])
{
    size_t slashes = 0;
    for (size_t i = name.length; i > 0 && slashes < 3; i--) {
        if (name.at[i - 1] != '/')
            continue;
        int32_t length = ++slashes < 2 ? 0 : find_zone(str_skip(name, i), zone);
        if (length > 0)
            return length;
    }
    return 0;
}

bool calendar_zone_to_utc(struct str zone, struct calendar_clock clock, int64_t *at_us)
{
    UChar name[ZONE_UNITS_MAX];
    UErrorCode status = U_ZERO_ERROR;
    while (zone.length && zone.at[0] == '"')
        zone = str_skip(zone, 1);
    while (zone.length && zone.at[zone.length - 1] == '"')
        zone.length--;
    if (zone.length >= ZONE_UNITS_MAX)
        return false;
    int32_t length = find_zone(zone, name);
    if (length <= 0)
        length = find_zone_at_end(zone, name);
    if (length <= 0 || length >= ZONE_UNITS_MAX)
        return false;
    UCalendar *calendar = ucal_open(name, length, "en", UCAL_GREGORIAN, &status);
    if (U_FAILURE(status))
        return false;
    ucal_clear(calendar); /* or the milliseconds of now stay in it */
    ucal_setDateTime(calendar, clock.year, clock.month - 1, clock.day, clock.hour, clock.minute,
                     clock.second, &status);
    UDate ms = ucal_getMillis(calendar, &status);
    ucal_close(calendar);
    if (U_FAILURE(status))
        return false;
    *at_us = (int64_t)ms * 1000;
    return true;
}

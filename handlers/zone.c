#include "handlers/zone.h"

#include <unicode/ucal.h>
#include <unicode/ustring.h>

enum { UNITS_MAX = 64 };

/* NULL: nobody knows the zone. */
static UCalendar *open_zone(struct str zone)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[UNITS_MAX], name[UNITS_MAX];
    UBool is_system = false;
    int32_t count = 0;
    if (zone.length == 0 || zone.length >= UNITS_MAX)
        return NULL;
    u_strFromUTF8(units, UNITS_MAX, &count, zone.at, (int32_t)zone.length, &status);
    int32_t length =
        ucal_getCanonicalTimeZoneID(units, count, name, UNITS_MAX, &is_system, &status);
    if (U_FAILURE(status) || !is_system)
        return NULL;
    UCalendar *calendar = ucal_open(name, length, "en", UCAL_GREGORIAN, &status);
    return U_SUCCESS(status) ? calendar : NULL;
}

void zone_clock(struct str zone, int64_t at_us, struct tm *clock)
{
    time_t seconds = (time_t)(at_us / 1000000);
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = open_zone(zone);
    localtime_r(&seconds, clock);
    if (!calendar)
        return;
    ucal_setMillis(calendar, (double)seconds * 1000, &status);
    *clock = (struct tm){.tm_year = ucal_get(calendar, UCAL_YEAR, &status) - 1900,
                         .tm_mon = ucal_get(calendar, UCAL_MONTH, &status),
                         .tm_mday = ucal_get(calendar, UCAL_DATE, &status),
                         .tm_wday = ucal_get(calendar, UCAL_DAY_OF_WEEK, &status) - 1,
                         .tm_hour = ucal_get(calendar, UCAL_HOUR_OF_DAY, &status),
                         .tm_min = ucal_get(calendar, UCAL_MINUTE, &status),
                         .tm_sec = ucal_get(calendar, UCAL_SECOND, &status)};
    ucal_close(calendar);
}

int64_t zone_moment(struct str zone, const struct tm *clock)
{
    struct tm local = *clock;
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = open_zone(zone);
    local.tm_isdst = -1;
    if (!calendar)
        return (int64_t)mktime(&local) * 1000000;
    ucal_clear(calendar); /* or the milliseconds of now stay in it */
    ucal_setDateTime(calendar, clock->tm_year + 1900, clock->tm_mon, clock->tm_mday, clock->tm_hour,
                     clock->tm_min, clock->tm_sec, &status);
    double ms = ucal_getMillis(calendar, &status);
    ucal_close(calendar);
    return (int64_t)ms * 1000;
}

#include "handlers/zone.h"

#include <ctype.h>
#include <glib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64 };

/* GLib takes paths and rules like "EST5EDT,M3.2.0" as well. */
static bool is_name(struct str zone)
{
    bool is_good = zone.length > 0 && zone.length < NAME_BYTES_MAX && isalpha((uint8_t)*zone.at);
    for (size_t i = 0; i < zone.length; i++)
        is_good =
            is_good && (isalnum((uint8_t)zone.at[i]) || (zone.at[i] && strchr("/_-+", zone.at[i])));
    return is_good;
}

/* NULL: nobody knows the zone. From /usr/share/zoneinfo, which follows what governments decide;
 * what ICU knows of zones is as old as the library. */
static GTimeZone *open_zone(struct str zone)
{
    char name[NAME_BYTES_MAX];
    if (!is_name(zone))
        return NULL;
    memcpy(name, zone.at, zone.length);
    name[zone.length] = '\0';
    return g_time_zone_new_identifier(name);
}

void zone_clock(struct str zone, int64_t at_us, struct tm *clock)
{
    time_t seconds = (time_t)(at_us / 1000000);
    GTimeZone *known = open_zone(zone);
    if (!known) {
        localtime_r(&seconds, clock);
        return;
    }
    int interval = g_time_zone_find_interval(known, G_TIME_TYPE_UNIVERSAL, seconds);
    seconds += g_time_zone_get_offset(known, interval);
    gmtime_r(&seconds, clock);
    g_time_zone_unref(known);
}

int64_t zone_moment(struct str zone, const struct tm *clock)
{
    struct tm local = *clock;
    GTimeZone *known = open_zone(zone);
    local.tm_isdst = -1;
    if (!known)
        return (int64_t)mktime(&local) * 1000000;
    gint64 shown = timegm(&local); /* moved on where clocks leap over it */
    int interval = g_time_zone_adjust_time(known, G_TIME_TYPE_STANDARD, &shown);
    int64_t seconds = shown - g_time_zone_get_offset(known, interval);
    g_time_zone_unref(known);
    return seconds * 1000000;
}

#include "server/base/clock.h"
#include "server/mail/query_private.h"

#define DAY_US ((int64_t)86400 * 1000000)

static int64_t floor_days(int64_t local_us)
{
    return local_us / DAY_US - (local_us % DAY_US < 0);
}

static int64_t local_now(struct query_clock clock)
{
    return clock.now_us + (int64_t)clock.offset_minutes * 60 * 1000000;
}

/* The beginning of a day, counted from 1970, where the person lives. */
static int64_t day_start(int64_t day, struct query_clock clock)
{
    return day * DAY_US - (int64_t)clock.offset_minutes * 60 * 1000000;
}

/* The year, month and day of a day counted from 1970: by search, for the reverse is in clock.h. */
static void civil_of(int64_t day, int64_t *year, unsigned *month, unsigned *of_month)
{
    *year = 1970 + day / 366;
    while (clock_days_from_civil(*year + 1, 1, 1) <= day)
        ++*year;
    while (clock_days_from_civil(*year, 1, 1) > day)
        --*year;
    *month = 1;
    while (*month < 12 && clock_days_from_civil(*year, *month + 1, 1) <= day)
        ++*month;
    *of_month = (unsigned)(day - clock_days_from_civil(*year, *month, 1)) + 1;
}

/* "7d", "2w", "6m", "1y" before today. */
static bool read_ago(struct str text, int64_t today, int64_t *day)
{
    enum { COUNT_MAX = 999 };
    uint32_t count;
    if (text.length < 2 || !str_to_u32(str_sub(text, 0, text.length - 1), &count) ||
        count > COUNT_MAX)
        return false;
    int64_t year;
    unsigned month, of_month;
    civil_of(today, &year, &month, &of_month);
    int64_t months = year * 12 + month - 1;
    switch (ascii_lower(text.at[text.length - 1])) {
    case 'd':
        *day = today - count;
        return true;
    case 'w':
        *day = today - 7 * (int64_t)count;
        return true;
    case 'm':
        months -= count;
        break;
    case 'y':
        months -= 12 * (int64_t)count;
        break;
    default:
        return false;
    }
    if (months < 1900 * 12)
        return false;
    *day = clock_days_from_civil(months / 12, (unsigned)(months % 12) + 1, 1) + of_month - 1;
    return true;
}

static bool read_civil(struct str text, int64_t *day)
{
    uint32_t parts[3] = {0, 1, 1};
    char separator = str_find_char(text, '/') >= 0 ? '/' : '-';
    for (int i = 0; i < 3 && text.at; i++) {
        struct str part = str_cut(&text, separator);
        if (!str_to_u32(part, &parts[i]) || part.length > (i == 0 ? 4 : 2))
            return false;
    }
    static const unsigned days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.at || parts[0] < 1900 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 ||
        parts[2] > days[parts[1] - 1])
        return false;
    *day = clock_days_from_civil(parts[0], parts[1], parts[2]);
    return true;
}

bool query_read_date(struct str text, struct query_clock clock, int64_t *at_us)
{
    int64_t today = floor_days(local_now(clock)), day = today;
    if (str_equal_nocase(text, STR("yesterday")))
        day = today - 1;
    else if (!str_equal_nocase(text, STR("today")) && !read_ago(text, today, &day) &&
             !read_civil(text, &day))
        return false;
    *at_us = day_start(day, clock);
    return true;
}

void query_write_date(struct buf *out, int64_t at_us, struct query_clock clock)
{
    int64_t year;
    unsigned month, of_month;
    civil_of(floor_days(at_us + (int64_t)clock.offset_minutes * 60 * 1000000), &year, &month,
             &of_month);
    buf_printf(out, "%04d-%02u-%02u", (int)year, month, of_month);
}

bool query_read_size(struct str text, int64_t *bytes)
{
    enum { DIGITS_MAX = 9 };
    size_t digits = 0;
    while (digits < text.length && ascii_is_digit(text.at[digits]))
        digits++;
    uint32_t whole, tenths = 0;
    if (digits > DIGITS_MAX && str_to_i64(text, bytes)) /* in bytes, as query_write has it */
        return *bytes >= 0;
    if (digits > DIGITS_MAX || !str_to_u32(str_sub(text, 0, digits), &whole))
        return false;
    struct str unit = str_skip(text, digits);
    if (unit.length >= 2 && unit.at[0] == '.' && ascii_is_digit(unit.at[1])) {
        tenths = (uint32_t)(unit.at[1] - '0');
        unit = str_skip(unit, 2);
    }
    if (unit.length > 0 && ascii_lower(unit.at[unit.length - 1]) == 'b')
        unit.length--;
    static const char units[] = "kmg";
    int64_t factor = 1;
    if (unit.length > 1)
        return false;
    if (unit.length == 1) {
        const char *found = memchr(units, ascii_lower(unit.at[0]), 3);
        if (!found)
            return false;
        factor = (int64_t)1 << (10 * (found - units + 1));
    }
    *bytes = whole * factor + tenths * factor / 10;
    return true;
}

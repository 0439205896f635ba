#include "server/base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

static int64_t now_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return now_of(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return now_of(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return now_of(CLOCK_MONOTONIC) / 1000;
}

struct deadline deadline_in_ms(int64_t ms)
{
    return (struct deadline){clock_monotonic_ms() + ms};
}

int deadline_left_ms(struct deadline deadline)
{
    if (deadline.at_ms == INT64_MAX)
        return -1;
    int64_t left = deadline.at_ms - clock_monotonic_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline deadline)
{
    return deadline_left_ms(deadline) == 0;
}

struct str clock_format_utc(int64_t at_us, char text[CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(at_us / 1000000 - (at_us % 1000000 < 0));
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return STR_EMPTY;
    size_t length = strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return (struct str){text, length};
}

/* Howard Hinnant's public-domain algorithm, as described in "chrono-compatible date algorithms". */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Reads exactly `digits` digits. */
static bool read_number(struct str *s, size_t digits, unsigned *value)
{
    uint32_t wide;
    if (s->length < digits || !str_to_u32(str_sub(*s, 0, digits), &wide))
        return false;
    *value = wide;
    *s = str_skip(*s, digits);
    return true;
}

static bool read_char(struct str *s, char c)
{
    if (s->length == 0 || ascii_upper(s->at[0]) != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static bool read_offset(struct str *s, int64_t *offset_s)
{
    unsigned hours, minutes;
    *offset_s = 0;
    if (read_char(s, 'Z'))
        return true;
    bool is_west = read_char(s, '-');
    if (!is_west && !read_char(s, '+'))
        return false;
    if (!read_number(s, 2, &hours) || !read_char(s, ':') || !read_number(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return true;
}

bool clock_parse_rfc3339(struct str text, int64_t *at_us)
{
    unsigned year, month, day, hour, minute, second;
    int64_t micros = 0, offset_s;
    if (!read_number(&text, 4, &year) || !read_char(&text, '-') || !read_number(&text, 2, &month) ||
        !read_char(&text, '-') || !read_number(&text, 2, &day) || !read_char(&text, 'T') ||
        !read_number(&text, 2, &hour) || !read_char(&text, ':') ||
        !read_number(&text, 2, &minute) || !read_char(&text, ':') ||
        !read_number(&text, 2, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    if (read_char(&text, '.')) {
        int64_t scale = 100000;
        if (text.length == 0 || !ascii_is_digit(text.at[0]))
            return false;
        for (; text.length > 0 && ascii_is_digit(text.at[0]); text = str_skip(text, 1), scale /= 10)
            micros += (text.at[0] - '0') * scale;
    }
    if (!read_offset(&text, &offset_s) || text.length != 0)
        return false;
    int64_t seconds = clock_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                      second - offset_s;
    *at_us = seconds * 1000000 + micros;
    return true;
}

#include "server/mail/date.h"

#include "server/base/clock.h"

/* Dates are read as a bag of tokens: each says by its own form what it is (a word, a time, a zone,
 * a number), so that any order and any separators are understood. */

enum { DATE_BYTES_MAX = 200, UNKNOWN = -1 };

struct moment {
    int year, month, day; /* UNKNOWN until found */
    int hour, minute, second;
    int offset; /* minutes east of UTC */
    bool has_time, has_offset, is_pm, is_am;
};

struct named {
    const char *name;
    int value;
};

/* By their first three bytes; those of other languages that broken mailers write. */
static const struct named months[] = {
    {"jan", 1},       {"feb", 2},    {"mar", 3},  {"apr", 4},  {"may", 5},  {"jun", 6},
    {"jul", 7},       {"aug", 8},    {"sep", 9},  {"oct", 10}, {"nov", 11}, {"dec", 12},
    {"mai", 5},       {"okt", 10},   {"dez", 12}, {"mrz", 3},  {"ene", 1},  {"abr", 4},
    {"ago", 8},       {"dic", 12},   {"fev", 2},  {"avr", 4},  {"aou", 8},  {"gen", 1},
    {"mag", 5},       {"giu", 6},    {"lug", 7},  {"set", 9},  {"ott", 10}, {"out", 10},
    {"m\xc3\xa4", 3}, {"m\xe4r", 3},
};

/* RFC 5322 section 4.3 and the abbreviations in use; minutes east. Military letters but Z are
 * treated as unknown, as the RFC says. */
static const struct named zones[] = {
    {"ut", 0},     {"utc", 0},     {"gmt", 0},     {"z", 0},      {"wet", 0},    {"est", -300},
    {"edt", -240}, {"cst", -360},  {"cdt", -300},  {"mst", -420}, {"mdt", -360}, {"pst", -480},
    {"pdt", -420}, {"akst", -540}, {"akdt", -480}, {"hst", -600}, {"bst", 60},   {"ist", 330},
    {"west", 60},  {"cet", 60},    {"met", 60},    {"mez", 60},   {"cest", 120}, {"mest", 120},
    {"mesz", 120}, {"eet", 120},   {"eest", 180},  {"msk", 180},  {"msd", 240},  {"jst", 540},
    {"kst", 540},  {"hkt", 480},   {"sgt", 480},   {"aest", 600}, {"aedt", 660}, {"acst", 570},
    {"awst", 480}, {"nzst", 720},  {"nzdt", 780},  {"brt", -180}, {"art", -180}, {"sast", 120},
};

static bool find_named(const struct named *table, size_t count, struct str word, size_t prefix,
                       int *value)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(table[i].name);
        if (prefix ? str_starts_nocase(word, str_sub(name, 0, prefix))
                   : str_equal_nocase(word, name)) {
            *value = table[i].value;
            return true;
        }
    }
    return false;
}

static bool is_word_char(char c)
{
    return ascii_is_alpha(c) || (unsigned char)c >= 0x80;
}

static void take_word(struct moment *m, struct str word)
{
    int value;
    if (word.length >= 3 && m->month == UNKNOWN &&
        find_named(months, sizeof months / sizeof *months, word, 3, &value))
        m->month = value;
    else if (m->has_time && !m->has_offset &&
             find_named(zones, sizeof zones / sizeof *zones, word, 0, &value)) {
        m->offset = value;
        m->has_offset = true;
    } else if (str_equal_nocase(word, STR("pm")))
        m->is_pm = true;
    else if (str_equal_nocase(word, STR("am")))
        m->is_am = true;
}

static int number_of(struct str digits)
{
    int value = 0;
    for (size_t i = 0; i < digits.length && value < 100000; i++)
        value = value * 10 + (digits.at[i] - '0');
    return value;
}

static size_t digits_at(struct str s, size_t at)
{
    size_t end = at;
    while (end < s.length && ascii_is_digit(s.at[end]))
        end++;
    return end - at;
}

/* "15:04", "15:04:05", "15.04.05", "5:4:3", "15:04:05.123" at `at`; returns its length or 0. */
static size_t take_time(struct moment *m, struct str s, size_t at, char separator)
{
    int parts[3] = {0, 0, 0};
    size_t i = at, count = 0;
    while (count < 3) {
        size_t digits = digits_at(s, i);
        if (digits == 0 || digits > 2)
            break;
        parts[count++] = number_of(str_sub(s, i, digits));
        i += digits;
        if (i + 1 >= s.length || s.at[i] != separator || !ascii_is_digit(s.at[i + 1]))
            break;
        i++;
    }
    if (count < (separator == ':' ? 2 : 3) || parts[0] > 24 || parts[1] > 59 || parts[2] > 60)
        return 0;
    m->hour = parts[0];
    m->minute = parts[1];
    m->second = parts[2];
    m->has_time = true;
    if (i < s.length && (s.at[i] == '.' || s.at[i] == ',')) /* a fraction */
        i += digits_at(s, i + 1) ? digits_at(s, i + 1) + 1 : 0;
    return i - at;
}

/* "+0200", "-7", "+02:00", "+530" behind the time; returns its length or 0. */
static size_t take_offset(struct moment *m, struct str s, size_t at)
{
    size_t digits = digits_at(s, at + 1), length = 1 + digits;
    int number = number_of(str_sub(s, at + 1, digits)), minutes;
    if (digits == 0 || digits > 4)
        return 0;
    if (digits <= 2) {
        minutes = number * 60;
        if (str_sub(s, at + length, 1).length && s.at[at + length] == ':' &&
            digits_at(s, at + length + 1) == 2) {
            minutes += number_of(str_sub(s, at + length + 1, 2));
            length += 3;
        }
    } else {
        minutes = number / 100 * 60 + number % 100;
    }
    if (minutes > 24 * 60) /* nonsense says nothing: RFC 5322 section 4.3's -0000 */
        minutes = 0;
    m->offset = s.at[at] == '-' ? -minutes : minutes;
    m->has_offset = true;
    return length;
}

static void take_year(struct moment *m, int number, size_t digits)
{
    if (digits <= 2) /* RFC 5322 section 4.3 */
        number += number < 50 ? 2000 : 1900;
    else if (digits == 3)
        number += 1900;
    m->year = number;
}

static void take_number(struct moment *m, struct str digits)
{
    int number = number_of(digits);
    if (digits.length == 8 && m->day == UNKNOWN && m->year == UNKNOWN) { /* 20060102 */
        m->year = number_of(str_sub(digits, 0, 4));
        m->month = number_of(str_sub(digits, 4, 2));
        m->day = number_of(str_sub(digits, 6, 2));
    } else if (digits.length >= 3 && m->year == UNKNOWN) {
        take_year(m, number, digits.length);
    } else if (m->day == UNKNOWN && number >= 1 && number <= 31) {
        m->day = number;
    } else if (m->year == UNKNOWN) {
        take_year(m, number, digits.length);
    }
}

/* "2006-01-02", "1/2/2006" (American), "2.1.2006" (European) at `at`; returns its length or 0. */
static size_t take_numeric_date(struct moment *m, struct str s, size_t at)
{
    size_t lengths[3], starts[3], i = at;
    char separator = '\0';
    for (int k = 0; k < 3; k++) {
        starts[k] = i;
        lengths[k] = digits_at(s, i);
        i += lengths[k];
        if (lengths[k] == 0 || lengths[k] > 4)
            return 0;
        if (k == 2)
            break;
        if (i >= s.length || !strchr("-/.", s.at[i]) || (separator && s.at[i] != separator))
            return 0;
        separator = s.at[i++];
    }
    int n[3];
    for (int k = 0; k < 3; k++)
        n[k] = number_of(str_sub(s, starts[k], lengths[k]));
    bool is_year_first = lengths[0] == 4;
    int day = is_year_first ? n[2] : n[0], month = n[1];
    if (!is_year_first && (separator == '/' || month > 12) && n[0] <= 12) {
        month = n[0];
        day = n[1];
    }
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    m->month = month;
    m->day = day;
    take_year(m, is_year_first ? n[0] : n[2], is_year_first ? 4 : lengths[2]);
    return i - at;
}

/* Comments nest; what they say ("CEST") adds nothing to a numeric zone. */
static size_t skip_comment(struct str s, size_t at)
{
    size_t depth = 0;
    for (; at < s.length; at++) {
        if (s.at[at] == '(')
            depth++;
        else if (s.at[at] == ')' && --depth == 0)
            return at + 1;
    }
    return s.length;
}

/* Takes the token at `at` and returns where the next one begins. */
static size_t take_token(struct moment *m, struct str s, size_t at)
{
    char c = s.at[at];
    if (c == '(')
        return skip_comment(s, at);
    if (is_word_char(c)) {
        size_t end = at;
        while (end < s.length && is_word_char(s.at[end]))
            end++;
        take_word(m, str_sub(s, at, end - at));
        return end;
    }
    size_t length = 0;
    if (ascii_is_digit(c)) {
        if (m->day == UNKNOWN && m->month == UNKNOWN)
            length = take_numeric_date(m, s, at);
        if (!length && !m->has_time)
            length = take_time(m, s, at, ':');
        if (!length && !m->has_time && m->day != UNKNOWN)
            length = take_time(m, s, at, '.');
        if (!length) {
            length = digits_at(s, at);
            take_number(m, str_sub(s, at, length));
        }
        return at + length;
    }
    /* A sign is a zone's only behind the time: "02-Jan-2006" has two others. */
    bool may_be_offset = m->has_time && m->day != UNKNOWN && m->month != UNKNOWN;
    if ((c == '+' || c == '-') && may_be_offset && (!m->has_offset || m->offset == 0))
        length = take_offset(m, s, at);
    return at + (length ? length : 1);
}

static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

bool date_parse(struct str value, int64_t *at_us, int *offset_minutes)
{
    struct moment m = {.year = UNKNOWN, .month = UNKNOWN, .day = UNKNOWN};
    value = str_sub(str_trim(value), 0, DATE_BYTES_MAX);
    for (size_t at = 0; at < value.length;)
        at = take_token(&m, value, at);
    if (m.year < 1900 || m.year > 9999 || m.month < 1 || m.month > 12 || m.day < 1 ||
        m.day > month_days[m.month - 1])
        return false;
    if (m.is_pm && m.hour < 12)
        m.hour += 12;
    if (m.is_am && m.hour == 12)
        m.hour = 0;
    int64_t seconds = clock_days_from_civil(m.year, (unsigned)m.month, (unsigned)m.day) * 86400 +
                      m.hour * 3600 + m.minute * 60 + m.second - (int64_t)m.offset * 60;
    *at_us = seconds * 1000000;
    if (offset_minutes)
        *offset_minutes = m.offset;
    return true;
}

bool date_parse_received(struct str value, int64_t *at_us)
{
    for (size_t i = value.length; i > 0; i--)
        if (value.at[i - 1] == ';')
            return date_parse(str_skip(value, i), at_us, NULL);
    return false;
}

#include "handlers/html/words.h"

#include <jansson.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"
#include "server/mail/address.h"

enum { PEOPLE_MAX = 200, HUES = 8 };
#define LOOKS_MIN_US (INT64_C(3600) * 1000000)

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static struct tm local(int64_t at_us)
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm tm = {0};
    localtime_r(&seconds, &tm);
    return tm;
}

/* Calendar days from `then` to `now`. */
static int64_t days_between(const struct tm *then, const struct tm *now)
{
    return clock_days_from_civil(now->tm_year + 1900, (unsigned)now->tm_mon + 1,
                                 (unsigned)now->tm_mday) -
           clock_days_from_civil(then->tm_year + 1900, (unsigned)then->tm_mon + 1,
                                 (unsigned)then->tm_mday);
}

struct str words_when(struct arena *arena, int64_t at_us, int64_t now_us)
{
    if (!at_us)
        return STR_EMPTY;
    struct tm then = local(at_us), now = local(now_us);
    int64_t ago = days_between(&then, &now);
    if (ago == 0)
        return arena_printf(arena, "%02d:%02d", then.tm_hour, then.tm_min);
    if (ago == 1)
        return STR("Yesterday");
    if (ago > 1 && ago < 7)
        return str_make(days[then.tm_wday], 3);
    if (then.tm_year == now.tm_year)
        return arena_printf(arena, "%d %.3s", then.tm_mday, months[then.tm_mon]);
    return arena_printf(arena, "%d %.3s %d", then.tm_mday, months[then.tm_mon],
                        then.tm_year + 1900);
}

struct str words_when_long(struct arena *arena, int64_t at_us)
{
    if (!at_us)
        return STR_EMPTY;
    struct tm then = local(at_us);
    return arena_printf(arena, "%s, %d %s %d, %02d:%02d", days[then.tm_wday], then.tm_mday,
                        months[then.tm_mon], then.tm_year + 1900, then.tm_hour, then.tm_min);
}

struct str words_moment(struct arena *arena, int64_t at_us, int64_t now_us)
{
    struct tm then = local(at_us), now = local(now_us);
    if (days_between(&then, &now) == 0)
        return arena_printf(arena, "%02d:%02d", then.tm_hour, then.tm_min);
    if (then.tm_year != now.tm_year)
        return arena_printf(arena, "%d %s %d, %02d:%02d", then.tm_mday, months[then.tm_mon],
                            then.tm_year + 1900, then.tm_hour, then.tm_min);
    return arena_printf(arena, "%d %s, %02d:%02d", then.tm_mday, months[then.tm_mon], then.tm_hour,
                        then.tm_min);
}

struct str words_iso(struct arena *arena, int64_t at_us)
{
    char *text = arena_alloc(arena, CLOCK_TEXT_BYTES);
    return clock_format_utc(at_us, text);
}

struct str words_count(struct arena *arena, int64_t number)
{
    struct str plain = arena_printf(arena, "%lld", (long long)number);
    size_t from = number < 0;
    char *text = arena_alloc(arena, plain.length * 2);
    size_t length = 0;
    for (size_t i = 0; i < plain.length; i++) {
        if (i > from && (plain.length - i) % 3 == 0)
            text[length++] = ',';
        text[length++] = plain.at[i];
    }
    return str_make(text, length);
}

struct str words_size(struct arena *arena, int64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    if (bytes < 1000)
        return arena_printf(arena, "%lld byte%s", (long long)bytes, bytes == 1 ? "" : "s");
    double amount = (double)bytes / 1000;
    size_t unit = 0;
    for (; amount >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        amount /= 1000;
    return arena_printf(arena, amount < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", amount,
                        units[unit]);
}

/* --- how an account is ------------------------------------------------------------------------ */

static struct str unreachable_words(struct arena *arena, const struct account *account, int64_t now)
{
    struct str since = words_moment(arena, account->sync_since, now);
    if (account->next_sync_at <= now)
        return arena_printf(arena, "Server unreachable since %" STR_FMT "; being tried again",
                            STR_ARG(since));
    struct str next = words_moment(arena, account->next_sync_at, now);
    return arena_printf(arena, "Server unreachable since %" STR_FMT "; tried again at %" STR_FMT,
                        STR_ARG(since), STR_ARG(next));
}

static struct str syncing_words(struct arena *arena, const struct account *account)
{
    if (account->sync_total <= account->sync_done)
        return STR("Syncing");
    return arena_printf(arena, "Syncing %" STR_FMT " of %" STR_FMT,
                        STR_ARG(words_count(arena, account->sync_done)),
                        STR_ARG(words_count(arena, account->sync_total)));
}

/* What was true a while ago need not be now: when nobody looks any more that is told. */
static struct str current_words(struct arena *arena, const struct account *account, int64_t now)
{
    int64_t patience_us = (int64_t)account->poll_seconds * 3 * 1000000;
    if (patience_us < LOOKS_MIN_US)
        patience_us = LOOKS_MIN_US;
    if (account->synced_at && account->synced_at + patience_us < now)
        return arena_printf(arena, "Not looked at since %" STR_FMT,
                            STR_ARG(words_moment(arena, account->synced_at, now)));
    return arena_printf(arena, "Up to date since %" STR_FMT,
                        STR_ARG(words_moment(arena, account->sync_since, now)));
}

struct str words_status(struct arena *arena, const struct account *account, int64_t now_us)
{
    switch (account->sync_state) {
    case SYNC_NEW:
        return STR("Getting ready");
    case SYNC_SYNCING:
        return syncing_words(arena, account);
    case SYNC_CURRENT:
        return current_words(arena, account, now_us);
    case SYNC_UNREACHABLE:
        return unreachable_words(arena, account, now_us);
    case SYNC_REFUSED:
        return STR("Stopped: it needs your help");
    case SYNC_PAUSED:
        return STR("Paused");
    }
    return STR_EMPTY;
}

static struct str json_member(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return STR_EMPTY;
    return str_trim(
        arena_str(arena, str_make(json_string_value(value), json_string_length(value))));
}

/* A name with an @ that is not the address is a lie more often than not (Mailsploit). */
static bool name_is_true(struct str name, struct str email)
{
    return name.length &&
           (str_find_char(name, '@') < 0 || !email.length || str_equal_nocase(name, email));
}

void people_read(struct arena *arena, struct str json, struct person **people, size_t *count)
{
    *count = 0;
    *people = NULL;
    json_t *array = json.length ? json_loadb(json.at, json.length, 0, NULL) : NULL;
    size_t length = json_array_size(array);
    if (length > PEOPLE_MAX)
        length = PEOPLE_MAX;
    *people = ARENA_ARRAY(arena, length, struct person);
    for (size_t i = 0; i < length; i++) {
        struct person *person = &(*people)[*count];
        const json_t *object = json_array_get(array, i);
        struct str name = json_member(arena, object, "name");
        struct str email = json_member(arena, object, "email");
        person->email = email.length ? address_display(arena, email) : email;
        person->has_name = name_is_true(name, email) && !str_equal_nocase(name, email);
        person->name = person->has_name ? name : person->email;
        if (person->name.length)
            ++*count;
    }
    json_decref(array);
}

struct str people_summary(struct arena *arena, const struct person *people, size_t count)
{
    if (count == 0)
        return STR_EMPTY;
    if (count == 1)
        return people[0].name;
    if (count == 2)
        return arena_printf(arena, "%" STR_FMT ", %" STR_FMT, STR_ARG(people[0].name),
                            STR_ARG(people[1].name));
    return arena_printf(arena, "%" STR_FMT ", %" STR_FMT " and %zu more", STR_ARG(people[0].name),
                        STR_ARG(people[1].name), count - 2);
}

/* The first letter or digit of a word, as a capital where that is plain. */
static void add_initial(struct buf *out, struct str word)
{
    while (word.length) {
        struct str before = word;
        uint32_t c = utf8_next(&word);
        if (c < 0x80 && !ascii_is_alpha((char)c) && !ascii_is_digit((char)c))
            continue;
        if (c < 0x80)
            buf_char(out, ascii_upper((char)c));
        else
            buf_str(out, str_sub(before, 0, before.length - word.length));
        return;
    }
}

struct str person_initials(struct arena *arena, const struct person *person)
{
    struct buf text = BUF_INIT(32);
    struct str name = str_trim(person->name);
    add_initial(&text, name);
    for (size_t i = name.length; person->has_name && i-- > 1;)
        if (name.at[i - 1] == ' ') {
            add_initial(&text, str_skip(name, i));
            break;
        }
    struct str initials = text.length ? arena_str(arena, buf_view(&text)) : STR("?");
    buf_free(&text);
    return initials;
}

int person_hue(const struct person *person)
{
    struct str key = person->email.length ? person->email : person->name;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < key.length; i++)
        hash = (hash ^ (unsigned char)ascii_lower(key.at[i])) * 16777619u;
    return (int)(hash % HUES);
}

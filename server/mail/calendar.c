#include "server/mail/calendar.h"

#include <libical/ical.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"
#include "server/mail/calendar_private.h"
#include "server/mail/header.h"

/* --- text ------------------------------------------------------------------------------------- */

static struct str one_line(struct arena *arena, const char *text)
{
    return header_clean(arena, str_of(text), CALENDAR_TEXT_BYTES_MAX);
}

static struct str lower_word(struct arena *arena, const char *text)
{
    struct str word = header_clean(arena, str_of(text), 100);
    char *copy = arena_text(arena, word);
    for (size_t i = 0; i < word.length; i++)
        copy[i] = ascii_lower(copy[i]);
    return str_make(copy, word.length);
}

/* With its line ends, without other controls. */
static struct str lines_of(struct arena *arena, const char *text)
{
    struct str rest = utf8_prefix(str_trim(str_of(text)), CALENDAR_TEXT_BYTES_MAX);
    struct buf out = BUF_INIT(3 * CALENDAR_TEXT_BYTES_MAX);
    while (rest.length) {
        uint32_t c = utf8_next(&rest);
        bool is_control = c < ' ' || (c >= 0x7f && c < 0xa0);
        if (!is_control || c == '\n')
            utf8_write(&out, c);
        else if (c == '\t')
            buf_char(&out, ' ');
    }
    struct str copy = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return copy;
}

static const char *value_of(icalproperty *property)
{
    icalvalue *value = icalproperty_get_value(property);
    if (value && icalvalue_isa(value) == ICAL_TEXT_VALUE)
        return icalvalue_get_text(value); /* its backslashes undone */
    return value ? icalproperty_get_value_as_string(property) : NULL;
}

static const char *find_value(icalcomponent *component, icalproperty_kind kind)
{
    icalproperty *property = icalcomponent_get_first_property(component, kind);
    return property ? value_of(property) : NULL;
}

static struct mail_address address_of(struct arena *arena, icalproperty *property)
{
    struct str name = one_line(arena, icalproperty_get_parameter_as_string(property, "CN"));
    struct str email = header_clean(arena, str_of(value_of(property)), ADDRESS_EMAIL_BYTES_MAX);
    if (str_starts_nocase(email, STR("mailto:")))
        email = str_trim(str_skip(email, 7));
    while (name.length >= 2 && name.at[0] == '"' && name.at[name.length - 1] == '"')
        name = str_trim(str_sub(name, 1, name.length - 2));
    return (struct mail_address){utf8_prefix(name, ADDRESS_NAME_BYTES_MAX), email, STR_EMPTY};
}

/* --- times ------------------------------------------------------------------------------------ */

static int64_t civil_seconds(struct icaltimetype t)
{
    return clock_days_from_civil(t.year, (unsigned)t.month, (unsigned)t.day) * 86400 +
           t.hour * 3600 + t.minute * 60 + t.second;
}

static bool is_real(struct icaltimetype t)
{
    return t.year >= 1 && t.year <= 9999 && t.month >= 1 && t.month <= 12 && t.day >= 1 &&
           t.day <= 31 && t.hour >= 0 && t.hour <= 24 && t.minute >= 0 && t.minute <= 59 &&
           t.second >= 0 && t.second <= 60;
}

/* The standard offset in seconds that the invitation itself gives its zone. */
static bool own_offset(icalcomponent *calendar, const char *zone, int *offset)
{
    icalcomponent *c = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    for (; c; c = icalcomponent_get_next_component(calendar, ICAL_VTIMEZONE_COMPONENT)) {
        const char *name = find_value(c, ICAL_TZID_PROPERTY);
        icalcomponent *standard = icalcomponent_get_first_component(c, ICAL_XSTANDARD_COMPONENT);
        if (!name || strcmp(name, zone) != 0 || !standard)
            continue;
        icalproperty *to = icalcomponent_get_first_property(standard, ICAL_TZOFFSETTO_PROPERTY);
        if (!to)
            return false;
        *offset = icalproperty_get_tzoffsetto(to);
        return *offset > -86400 && *offset < 86400;
    }
    return false;
}

static void read_time(struct arena *arena, icalcomponent *calendar, icalproperty *property,
                      struct calendar_time *time)
{
    icalvalue *value = property ? icalproperty_get_value(property) : NULL;
    icalvalue_kind kind = value ? icalvalue_isa(value) : ICAL_NO_VALUE;
    if (kind != ICAL_DATETIME_VALUE && kind != ICAL_DATE_VALUE)
        return;
    struct icaltimetype t =
        kind == ICAL_DATE_VALUE ? icalvalue_get_date(value) : icalvalue_get_datetime(value);
    if (icaltime_is_null_time(t) || !is_real(t))
        return;
    icalparameter *parameter = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
    const char *zone = parameter ? icalparameter_get_tzid(parameter) : NULL;
    int64_t seconds = civil_seconds(t);
    int offset;
    time->is_set = true;
    time->is_day = t.is_date != 0;
    time->at_us = seconds * 1000000;
    if (time->is_day || icaltime_is_utc(t))
        return;
    time->zone = one_line(arena, zone);
    struct calendar_clock clock = {t.year, t.month, t.day, t.hour, t.minute, t.second};
    if (zone && calendar_zone_to_utc(str_of(zone), clock, &time->at_us))
        return;
    time->is_guessed = zone && own_offset(calendar, zone, &offset);
    time->is_floating = !time->is_guessed;
    if (time->is_guessed)
        time->at_us = (seconds - offset) * 1000000;
}

/* Without an end an event lasts its duration; without that a day lasts a day (RFC 5545, 3.6.1). */
static void settle_end(icalcomponent *component, struct calendar_event *event)
{
    const int64_t duration_max = (int64_t)10 * 366 * 86400;
    if (event->ends.is_set || !event->starts.is_set || event->is_todo)
        return;
    int64_t seconds = event->starts.is_day ? 86400 : 0;
    icalproperty *duration = icalcomponent_get_first_property(component, ICAL_DURATION_PROPERTY);
    icalvalue *value = duration ? icalproperty_get_value(duration) : NULL;
    if (value && icalvalue_isa(value) == ICAL_DURATION_VALUE) {
        struct icaldurationtype d = icalvalue_get_duration(value);
        seconds = (int64_t)d.weeks * 7 * 86400 + (int64_t)d.days * 86400 + (int64_t)d.hours * 3600 +
                  (int64_t)d.minutes * 60 + d.seconds;
        if (d.is_neg || seconds < 0 || seconds > duration_max)
            return;
    }
    event->ends = event->starts;
    event->ends.at_us += seconds * 1000000;
}

/* --- events ----------------------------------------------------------------------------------- */

static void read_attendees(struct arena *arena, icalcomponent *component,
                           struct calendar_event *event, bool *is_cut)
{
    int listed = icalcomponent_count_properties(component, ICAL_ATTENDEE_PROPERTY);
    size_t room = listed < CALENDAR_ATTENDEES_MAX ? (size_t)listed : CALENDAR_ATTENDEES_MAX;
    *is_cut |= (size_t)listed > room;
    event->attendees = ARENA_ARRAY(arena, room ? room : 1, struct calendar_attendee);
    icalproperty *p = icalcomponent_get_first_property(component, ICAL_ATTENDEE_PROPERTY);
    for (; p && event->attendee_count < room;
         p = icalcomponent_get_next_property(component, ICAL_ATTENDEE_PROPERTY)) {
        struct str role = str_of(icalproperty_get_parameter_as_string(p, "ROLE"));
        event->attendees[event->attendee_count++] = (struct calendar_attendee){
            .is_optional = str_equal_nocase(role, STR("OPT-PARTICIPANT")),
            .address = address_of(arena, p),
            .answer = lower_word(arena, icalproperty_get_parameter_as_string(p, "PARTSTAT")),
        };
    }
}

static void read_event(struct arena *arena, icalcomponent *calendar, icalcomponent *component,
                       struct calendar *out)
{
    struct calendar_event *event = &out->events[out->count++];
    bool is_todo = icalcomponent_isa(component) == ICAL_VTODO_COMPONENT;
    *event = (struct calendar_event){
        .is_todo = is_todo,
        .uid = one_line(arena, find_value(component, ICAL_UID_PROPERTY)),
        .summary = one_line(arena, find_value(component, ICAL_SUMMARY_PROPERTY)),
        .location = one_line(arena, find_value(component, ICAL_LOCATION_PROPERTY)),
        .url = one_line(arena, find_value(component, ICAL_URL_PROPERTY)),
        .description = lines_of(arena, find_value(component, ICAL_DESCRIPTION_PROPERTY)),
        .status = lower_word(arena, find_value(component, ICAL_STATUS_PROPERTY)),
        .repeats = one_line(arena, find_value(component, ICAL_RRULE_PROPERTY)),
        .organizer = {STR_EMPTY, STR_EMPTY, STR_EMPTY},
        .starts = {.zone = STR_EMPTY},
        .ends = {.zone = STR_EMPTY},
    };
    icalproperty *organizer = icalcomponent_get_first_property(component, ICAL_ORGANIZER_PROPERTY);
    if (organizer)
        event->organizer = address_of(arena, organizer);
    event->is_instance =
        icalcomponent_get_first_property(component, ICAL_RECURRENCEID_PROPERTY) != NULL;
    str_to_i64(str_of(find_value(component, ICAL_SEQUENCE_PROPERTY)), &event->sequence);
    read_time(arena, calendar, icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY),
              &event->starts);
    icalproperty_kind end = is_todo ? ICAL_DUE_PROPERTY : ICAL_DTEND_PROPERTY;
    read_time(arena, calendar, icalcomponent_get_first_property(component, end), &event->ends);
    settle_end(component, event);
    read_attendees(arena, component, event, &out->is_cut);
}

static void read_calendar(struct arena *arena, icalcomponent *calendar, struct calendar *out)
{
    if (out->method.length == 0)
        out->method = lower_word(arena, find_value(calendar, ICAL_METHOD_PROPERTY));
    /* An iterator of our own: reading an event goes through the calendar's zones. */
    icalcompiter walk = icalcomponent_begin_component(calendar, ICAL_ANY_COMPONENT);
    for (icalcomponent *c; (c = icalcompiter_deref(&walk)); icalcompiter_next(&walk)) {
        icalcomponent_kind kind = icalcomponent_isa(c);
        if (kind != ICAL_VEVENT_COMPONENT && kind != ICAL_VTODO_COMPONENT)
            continue;
        if (out->count == CALENDAR_EVENTS_MAX) {
            out->is_cut = true;
            return;
        }
        read_event(arena, calendar, c, out);
    }
}

bool calendar_parse(struct arena *arena, struct str text, struct calendar *out)
{
    *out = (struct calendar){.method = STR_EMPTY, .is_cut = text.length > CALENDAR_BYTES_MAX};
    /* What stands before is not libical's: it writes about it to the standard error. */
    ptrdiff_t begin = str_find_nocase(text, STR("BEGIN:VCALENDAR"));
    if (begin < 0)
        return false;
    text = str_skip(text, (size_t)begin);
    out->events = ARENA_ARRAY(arena, CALENDAR_EVENTS_MAX, struct calendar_event);
    icalerror_set_errors_are_fatal(false);
    icalcomponent *root =
        icalparser_parse_string(arena_text(arena, utf8_prefix(text, CALENDAR_BYTES_MAX)));
    if (!root)
        return false;
    if (icalcomponent_isa(root) == ICAL_VCALENDAR_COMPONENT) {
        read_calendar(arena, root, out);
    } else { /* several, or one in wrapping that is none */
        icalcomponent *c = icalcomponent_get_first_component(root, ICAL_VCALENDAR_COMPONENT);
        for (; c; c = icalcomponent_get_next_component(root, ICAL_VCALENDAR_COMPONENT))
            read_calendar(arena, c, out);
    }
    icalcomponent_free(root);
    return out->count > 0;
}

void calendar_prepare(void)
{
    /* One event of each kind of zone: ICU opens its tables at the first, libical its list of zones.
     */
    static const char text[] = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
                               "DTSTART;TZID=Europe/Berlin:20260701T120000\r\n"
                               "DTEND;TZID=W. Europe Standard Time:20260701T130000\r\n"
                               "RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    struct arena *arena = arena_new();
    struct calendar calendar;
    calendar_parse(arena, str_of(text), &calendar);
    arena_free(&arena);
}

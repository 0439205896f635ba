#include "server/mail/calendar_reply.h"

#include <libical/ical.h>
#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/mail/calendar.h"

enum { ZONES_MAX = 10, ADDRESS_BYTES_MAX = 1000 };

static const struct {
    const char *name;
    icalparameter_partstat state;
} answers[CALENDAR_ANSWERS] = {
    [CALENDAR_ACCEPTED] = {"accepted", ICAL_PARTSTAT_ACCEPTED},
    [CALENDAR_TENTATIVE] = {"tentative", ICAL_PARTSTAT_TENTATIVE},
    [CALENDAR_DECLINED] = {"declined", ICAL_PARTSTAT_DECLINED},
};

const char *calendar_answer_name(enum calendar_answer answer)
{
    return answers[answer].name;
}

bool calendar_answer_read(struct str text, enum calendar_answer *answer)
{
    for (unsigned i = 0; i < CALENDAR_ANSWERS; i++)
        if (str_equal(text, str_of(answers[i].name))) {
            *answer = (enum calendar_answer)i;
            return true;
        }
    return false;
}

/* --- the invitation --------------------------------------------------------------------------- */

static icalcomponent *find_calendar(icalcomponent *root)
{
    return icalcomponent_isa(root) == ICAL_VCALENDAR_COMPONENT
               ? root
               : icalcomponent_get_first_component(root, ICAL_VCALENDAR_COMPONENT);
}

static bool is_request(icalcomponent *calendar)
{
    icalproperty *method = icalcomponent_get_first_property(calendar, ICAL_METHOD_PROPERTY);
    return method && icalproperty_get_method(method) == ICAL_METHOD_REQUEST;
}

static bool has(icalcomponent *event, icalproperty_kind kind)
{
    return icalcomponent_get_first_property(event, kind) != NULL;
}

/* The series, or the first of the occurrences that are all there is. */
static icalcomponent *choose_event(icalcomponent *calendar)
{
    icalcomponent *first = NULL;
    icalcomponent *c = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
    for (; c; c = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT)) {
        if (!has(c, ICAL_UID_PROPERTY) || !has(c, ICAL_ORGANIZER_PROPERTY))
            continue;
        if (!has(c, ICAL_RECURRENCEID_PROPERTY))
            return c;
        first = first ? first : c;
    }
    return first;
}

/* --- the answer ------------------------------------------------------------------------------- */

static struct str address_of(icalproperty *attendee)
{
    const char *value = icalproperty_get_attendee(attendee);
    struct str email = str_trim(str_of(value ? value : ""));
    return str_starts_nocase(email, STR("mailto:")) ? str_trim(str_skip(email, 7)) : email;
}

/* The attendee as the organizer knows them, with the new answer: RFC 5546 wants exactly one. */
static icalproperty *make_attendee(struct arena *arena, icalcomponent *event,
                                   const struct calendar_answering *how)
{
    icalproperty *attendee = NULL;
    icalproperty *p = icalcomponent_get_first_property(event, ICAL_ATTENDEE_PROPERTY);
    for (; p && !attendee; p = icalcomponent_get_next_property(event, ICAL_ATTENDEE_PROPERTY))
        if (str_equal_nocase(address_of(p), how->email))
            attendee = icalproperty_new_clone(p);
    if (!attendee) {
        struct str uri = arena_printf(arena, "mailto:%" STR_FMT, STR_ARG(how->email));
        attendee = icalproperty_new_attendee(arena_text(arena, uri));
    }
    icalproperty_remove_parameter_by_kind(attendee, ICAL_RSVP_PARAMETER);
    icalproperty_set_parameter(attendee, icalparameter_new_partstat(answers[how->answer].state));
    return attendee;
}

static void copy_properties(icalcomponent *from, icalcomponent *to)
{
    static const icalproperty_kind kinds[] = {ICAL_UID_PROPERTY,          ICAL_ORGANIZER_PROPERTY,
                                              ICAL_RECURRENCEID_PROPERTY, ICAL_SUMMARY_PROPERTY,
                                              ICAL_DTSTART_PROPERTY,      ICAL_DTEND_PROPERTY,
                                              ICAL_SEQUENCE_PROPERTY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        icalproperty *property = icalcomponent_get_first_property(from, kinds[i]);
        if (property)
            icalcomponent_add_property(to, icalproperty_new_clone(property));
    }
    if (!has(to, ICAL_SEQUENCE_PROPERTY))
        icalcomponent_add_property(to, icalproperty_new_sequence(0));
}

static icalcomponent *make_reply(struct arena *arena, icalcomponent *calendar, icalcomponent *event,
                                 const struct calendar_answering *how)
{
    icalcomponent *reply = icalcomponent_new(ICAL_VCALENDAR_COMPONENT);
    icalcomponent *answer = icalcomponent_new(ICAL_VEVENT_COMPONENT);
    icalcomponent_add_property(reply, icalproperty_new_prodid("-//Restante//Restante//EN"));
    icalcomponent_add_property(reply, icalproperty_new_version("2.0"));
    icalcomponent_add_property(reply, icalproperty_new_method(ICAL_METHOD_REPLY));
    /* zones that the times name must come along (RFC 5545 section 3.6.5) */
    icalcomponent *zone = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    for (int i = 0; zone && i < ZONES_MAX; i++) {
        icalcomponent_add_component(reply, icalcomponent_new_clone(zone));
        zone = icalcomponent_get_next_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    }
    copy_properties(event, answer);
    icalcomponent_add_property(answer, make_attendee(arena, event, how));
    struct icaltimetype now = icaltime_from_timet_with_zone((time_t)(how->now_us / 1000000), 0,
                                                            icaltimezone_get_utc_timezone());
    icalcomponent_add_property(answer, icalproperty_new_dtstamp(now));
    icalcomponent_add_component(reply, answer);
    return reply;
}

/* As lines of text: no NUL, nothing that is no UTF-8. */
static bool write_text(icalcomponent *reply, struct buf *out)
{
    char *text = icalcomponent_as_ical_string_r(reply);
    struct str bytes = str_of(text ? text : "");
    bool is_good = bytes.length > 0 && bytes.length <= CALENDAR_REPLY_BYTES_MAX;
    if (is_good)
        utf8_repair(out, bytes);
    free(text);
    return is_good && !out->is_full;
}

bool calendar_reply(struct arena *arena, struct str text, const struct calendar_answering *how,
                    struct buf *out)
{
    ptrdiff_t begin = str_find_nocase(text, STR("BEGIN:VCALENDAR"));
    if (begin < 0 || how->email.length > ADDRESS_BYTES_MAX)
        return false;
    text = utf8_prefix(str_skip(text, (size_t)begin), CALENDAR_BYTES_MAX);
    icalerror_set_errors_are_fatal(false);
    icalcomponent *root = icalparser_parse_string(arena_text(arena, text));
    if (!root)
        return false;
    icalcomponent *calendar = find_calendar(root);
    icalcomponent *event = calendar && is_request(calendar) ? choose_event(calendar) : NULL;
    bool is_good = false;
    if (event) {
        icalcomponent *reply = make_reply(arena, calendar, event, how);
        is_good = write_text(reply, out);
        icalcomponent_free(reply);
    }
    icalcomponent_free(root);
    return is_good;
}

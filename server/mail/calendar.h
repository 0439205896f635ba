/* Calendar invitations (RFC 5545, 5546) as people read them: what, when, where, who. Parsed by
 * libical; zones are ICU's, which has them inside, for libical would open files. */
#ifndef RESTANTE_MAIL_CALENDAR_H
#define RESTANTE_MAIL_CALENDAR_H

#include "server/mail/address.h"

enum {
    CALENDAR_BYTES_MAX = 512 * 1024, /* what lies behind is not read */
    CALENDAR_EVENTS_MAX = 100,
    CALENDAR_ATTENDEES_MAX = 500, /* of one event */
    CALENDAR_TEXT_BYTES_MAX = 16 * 1024,
};

struct calendar_time {
    int64_t at_us;   /* UTC microseconds; of a day or of a floating time as if it were UTC */
    struct str zone; /* as the invitation names it; empty: UTC or none */
    bool is_set;
    bool is_day;      /* a whole day, without a time */
    bool is_floating; /* no zone is said: it is that time wherever one is */
    bool is_guessed;  /* the zone is the invitation's own: its standard offset was taken */
};

struct calendar_attendee {
    struct mail_address address;
    struct str answer; /* lower case: "accepted", "declined", "tentative", "needs-action" */
    bool is_optional;
};

struct calendar_event {
    struct str uid;
    struct str summary, location, url; /* one line each */
    struct str description;            /* lines */
    struct str status;                 /* lower case: "confirmed", "cancelled"... */
    struct str repeats;                /* RRULE as written; empty: once */
    struct mail_address organizer;
    struct calendar_attendee *attendees;
    size_t attendee_count;
    struct calendar_time starts, ends; /* `ends` from DURATION too; the first moment after it */
    int64_t sequence;
    bool is_todo;     /* VTODO: `ends` is when it is due */
    bool is_instance; /* one occurrence of a series (RECURRENCE-ID) */
};

struct calendar {
    struct str method; /* lower case: "request", "reply", "cancel", "publish"; empty: none */
    struct calendar_event *events;
    size_t count;
    bool is_cut;
};

/* False when there is no event in it. `text` is UTF-8 (mime_decode_text); all that comes out is
 * clean UTF-8 in the arena. */
bool calendar_parse(struct arena *arena, struct str text, struct calendar *calendar);

/* Loads ICU's zones and libical's list of them; called once before the sandbox closes, which kills
 * who opens a file. */
void calendar_prepare(void);

#endif

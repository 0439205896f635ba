/* The answer to an invitation (iTIP REPLY, RFC 5546 section 3.2.3), as the text of a text/calendar
 * part with method=REPLY (RFC 6047). Made of the invitation by libical: what it says of the event
 * is taken over, never written by hand. */
#ifndef RESTANTE_MAIL_CALENDAR_REPLY_H
#define RESTANTE_MAIL_CALENDAR_REPLY_H

#include "server/base/arena.h"
#include "server/base/buf.h"

enum { CALENDAR_REPLY_BYTES_MAX = 256 * 1024 };

enum calendar_answer { CALENDAR_ACCEPTED, CALENDAR_TENTATIVE, CALENDAR_DECLINED, CALENDAR_ANSWERS };
/* "accepted", "tentative", "declined". */
const char *calendar_answer_name(enum calendar_answer answer);
/* False when the text is none of them. */
bool calendar_answer_read(struct str text, enum calendar_answer *answer);

struct calendar_answering {
    struct str email; /* who answers: the attendee of that address, or one that comes along */
    enum calendar_answer answer;
    int64_t now_us; /* DTSTAMP */
};

/* False when `text` (UTF-8) is no REQUEST with an event that has a UID and an organizer. Of a
 * series the series is answered, of its single occurrences the first. */
bool calendar_reply(struct arena *arena, struct str text, const struct calendar_answering *how,
                    struct buf *out);

#endif

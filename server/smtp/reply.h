/* What an SMTP server answers, line by line (RFC 5321 section 4.2, RFC 2034). Pure. */
#ifndef RESTANTE_SMTP_REPLY_H
#define RESTANTE_SMTP_REPLY_H

#include "server/base/str.h"

enum { SMTP_STATUS_BYTES = 16 };

struct smtp_line {
    int code;                       /* 200 to 599 */
    bool is_last;                   /* no further line belongs to this reply */
    char status[SMTP_STATUS_BYTES]; /* "5.7.8" (RFC 3463); empty: none in it */
    struct str text;                /* behind code and status */
};

/* False: that is no SMTP. */
bool smtp_parse_line(struct str line, struct smtp_line *parsed);

enum smtp_capability {
    SMTP_CAP_STARTTLS,
    SMTP_CAP_AUTH,
    SMTP_CAP_PIPELINING,          /* RFC 2920 */
    SMTP_CAP_SIZE,                /* RFC 1870 */
    SMTP_CAP_8BITMIME,            /* RFC 6152 */
    SMTP_CAP_SMTPUTF8,            /* RFC 6531 */
    SMTP_CAP_DSN,                 /* RFC 3461 */
    SMTP_CAP_CHUNKING,            /* RFC 3030 */
    SMTP_CAP_BINARYMIME,          /* RFC 3030 */
    SMTP_CAP_ENHANCEDSTATUSCODES, /* RFC 2034 */
    SMTP_CAPABILITIES
};

struct smtp_capabilities {
    unsigned offered;      /* 1 << enum smtp_capability */
    struct str mechanisms; /* of the last AUTH line: a slice of that line */
    uint64_t size_max;     /* bytes of a message; 0: not told */
};

/* Adds what one line of EHLO's answer (without its code) says. */
void smtp_parse_capability(struct str text, struct smtp_capabilities *capabilities);

#endif

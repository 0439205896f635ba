/* Delivery reports (RFC 3464) and read receipts (RFC 8098, 3798) in plain words: which of my
 * messages, to whom, and what became of it. */
#ifndef RESTANTE_MAIL_REPORT_H
#define RESTANTE_MAIL_REPORT_H

#include "server/mail/mime.h"

enum {
    REPORT_RECIPIENTS_MAX = 200,
    REPORT_BYTES_MAX = 256 * 1024, /* of the machine-readable part that are read */
};

enum report_kind { REPORT_DELIVERY, REPORT_RECEIPT };

enum report_action {
    REPORT_UNKNOWN,
    REPORT_FAILED,
    REPORT_DELAYED,
    REPORT_DELIVERED,
    REPORT_RELAYED,
    REPORT_EXPANDED,
    REPORT_DISPLAYED, /* receipts: it was opened */
    REPORT_DELETED,   /* receipts: it was not */
};

struct report_recipient {
    struct str email; /* the one I wrote to, when it is said (Original-Recipient), else the final */
    enum report_action action;
    struct str status;     /* "5.1.1"; empty: not said */
    struct str diagnostic; /* the server's sentence, without its type; empty: none */
    struct str remote_mta; /* host name; empty: not said */
};

struct report {
    enum report_kind kind;
    struct str message_id;    /* of my message, without <>; empty: not said */
    struct str reporting_mta; /* who reports: host name or program; empty: not said */
    struct report_recipient *recipients;
    size_t count;
    bool is_automatic; /* receipts: a program sent it, nobody saw the message */
    bool is_cut;
};

/* False when the message holds no report. All text is clean UTF-8, in the arena. */
bool report_parse(struct arena *arena, struct str raw, const struct mime_message *message,
                  struct report *report);

/* "failed", "delivered"... */
const char *report_action_name(enum report_action action);

#endif

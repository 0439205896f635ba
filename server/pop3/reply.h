/* What a POP3 server says, line by line, as structs. Pure: bytes in, slices of them out. Tolerant
 * where servers are known to be sloppy (ref/sync.md, quirk 26), strict where a guess could touch
 * the wrong message. */
#ifndef RESTANTE_POP3_REPLY_H
#define RESTANTE_POP3_REPLY_H

#include "server/base/str.h"

enum pop3_status {
    POP3_OK,
    POP3_ERR,
    POP3_CONTINUE, /* "+ ": a SASL challenge (RFC 5034) */
};

/* Response codes (RFC 2449 section 8, RFC 3206, RFC 6856). */
enum pop3_code {
    POP3_CODE_NONE,
    POP3_CODE_IN_USE,
    POP3_CODE_LOGIN_DELAY,
    POP3_CODE_SYS_TEMP,
    POP3_CODE_SYS_PERM,
    POP3_CODE_AUTH,
    POP3_CODE_UTF8,
    POP3_CODE_OTHER, /* one that is not known here */
};

struct pop3_reply {
    enum pop3_status status;
    enum pop3_code code;
    struct str text; /* behind status and code */
};

/* False: that is no POP3. */
bool pop3_parse_reply(struct str line, struct pop3_reply *reply);

/* Two numbers ("+OK 2 320", of STAT); false if there are none. */
bool pop3_parse_stat(struct str text, uint32_t *count, uint64_t *size_bytes);
/* What is told of a message's size beyond that is taken for that: such sizes can be added up. */
#define POP3_SIZE_MAX (UINT64_C(1) << 40)
/* A line of LIST: "2 200". "+OK" in front, several spaces and words behind are put up with. */
bool pop3_parse_list_line(struct str line, uint32_t *number, uint64_t *size_bytes);
/* A line of UIDL: "2 QhdPYR:00WBw1Ph7x7". The id is any 1 to 255 bytes but controls and spaces
 * (RFC 1939 allows 70 of ASCII); an empty one is none. */
bool pop3_parse_uidl_line(struct str line, uint32_t *number, struct str *uidl);

/* "<1896.697170952@dbc.mtview.ca.us>" of a greeting, for APOP; empty: not offered. */
struct str pop3_parse_timestamp(struct str greeting);

enum pop3_capability {
    POP3_CAP_CAPA, /* CAPA was answered, so what is not listed is not there */
    POP3_CAP_TOP,
    POP3_CAP_USER,
    POP3_CAP_SASL,
    POP3_CAP_RESP_CODES,
    POP3_CAP_AUTH_RESP_CODE,
    POP3_CAP_LOGIN_DELAY,
    POP3_CAP_PIPELINING,
    POP3_CAP_EXPIRE,
    POP3_CAP_UIDL,
    POP3_CAP_STLS,
    POP3_CAP_UTF8,
    POP3_CAPABILITIES
};

enum { POP3_EXPIRE_NEVER = -1, POP3_EXPIRE_UNKNOWN = -2 };

struct pop3_capabilities {
    unsigned offered;      /* 1 << enum pop3_capability */
    struct str mechanisms; /* arguments of the last SASL line: a slice of that line */
    int expire_days;       /* days the server keeps read mail, or POP3_EXPIRE_…; 0: none at all */
    uint32_t login_delay_s; /* 0: none told */
    bool takes_utf8_names;  /* UTF8 with USER */
};

/* Adds what one line of CAPA's answer says. */
void pop3_parse_capability(struct str line, struct pop3_capabilities *capabilities);

#endif

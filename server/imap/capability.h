/* What servers say they can, and what is known about those that say it wrongly. */
#ifndef RESTANTE_IMAP_CAPABILITY_H
#define RESTANTE_IMAP_CAPABILITY_H

#include "server/base/str.h"

enum imap_capability {
    IMAP_CAP_IMAP4REV1,
    IMAP_CAP_IMAP4REV2,
    IMAP_CAP_STARTTLS,
    IMAP_CAP_LOGINDISABLED,
    IMAP_CAP_SASL_IR,
    IMAP_CAP_ID,
    IMAP_CAP_ENABLE,
    IMAP_CAP_NAMESPACE,
    IMAP_CAP_LIST_EXTENDED,
    IMAP_CAP_LIST_STATUS,
    IMAP_CAP_SPECIAL_USE,
    IMAP_CAP_CREATE_SPECIAL_USE,
    IMAP_CAP_XLIST,
    IMAP_CAP_STATUS_SIZE,
    IMAP_CAP_OBJECTID,
    IMAP_CAP_CONDSTORE,
    IMAP_CAP_QRESYNC,
    IMAP_CAP_UIDPLUS,
    IMAP_CAP_MOVE,
    IMAP_CAP_IDLE,
    IMAP_CAP_NOTIFY,
    IMAP_CAP_ESEARCH,
    IMAP_CAP_SEARCHRES,
    IMAP_CAP_PARTIAL,
    IMAP_CAP_LITERAL_PLUS,
    IMAP_CAP_LITERAL_MINUS,
    IMAP_CAP_COMPRESS_DEFLATE,
    IMAP_CAP_BINARY,
    IMAP_CAP_REPLACE,
    IMAP_CAP_APPENDLIMIT,
    IMAP_CAP_MULTIAPPEND,
    IMAP_CAP_QUOTA,
    IMAP_CAP_UTF8_ACCEPT,
    IMAP_CAP_UNSELECT,
    IMAP_CAP_PREVIEW,
    IMAP_CAP_SAVEDATE,
    IMAP_CAP_CHILDREN,
    IMAP_CAP_GMAIL, /* X-GM-EXT-1 */
    IMAP_CAPABILITIES
};

/* As on the wire: "LIST-STATUS". */
const char *imap_capability_name(enum imap_capability capability);

enum imap_quirk {
    IMAP_QUIRK_ASK_CAPABILITY = 1 << 0, /* what the login's OK lists is not true: ask again */
    IMAP_QUIRK_ID_REQUIRED = 1 << 1,    /* SELECT is refused without ID, advertised or not */
    IMAP_QUIRK_NO_QRESYNC = 1 << 2,     /* its VANISHED cannot be trusted */
    IMAP_QUIRK_NO_ESEARCH = 1 << 3,
    IMAP_QUIRK_NO_ENVELOPE = 1 << 4,     /* its ENVELOPE cannot be read */
    IMAP_QUIRK_NO_SEARCH = 1 << 5,       /* answers everything or BAD */
    IMAP_QUIRK_RESELECT_TO_SEE = 1 << 6, /* an appended message shows only after SELECT */
    IMAP_QUIRK_FILES_SENT = 1 << 7,      /* puts submitted mail into Sent by itself */
    IMAP_QUIRK_GUID_AS_EMAILID = 1 << 8, /* Dovecot without OBJECTID: X-GUID */
};

/* A row for each host, or host suffix, or word in the greeting or ID, that needs one. */
struct imap_host {
    const char *name;    /* "icloud", for logs; "" for hosts without a row */
    unsigned quirks;     /* enum imap_quirk bits */
    int idle_ms;         /* renew IDLE after this long; 0: the default of 9 minutes */
    int poll_ms;         /* without a usable IDLE: ask this often; 0: no special need */
    int connections_max; /* for one account; 0: not known */
};

/* What is known of that host (by its name, ASCII) or of a server that greets like that. Never NULL.
 */
const struct imap_host *imap_host_find(struct str host, struct str greeting);

#endif

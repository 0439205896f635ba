#include "server/imap/capability.h"

static const char *const names[IMAP_CAPABILITIES] = {
    [IMAP_CAP_IMAP4REV1] = "IMAP4rev1",
    [IMAP_CAP_IMAP4REV2] = "IMAP4rev2",
    [IMAP_CAP_STARTTLS] = "STARTTLS",
    [IMAP_CAP_LOGINDISABLED] = "LOGINDISABLED",
    [IMAP_CAP_SASL_IR] = "SASL-IR",
    [IMAP_CAP_ID] = "ID",
    [IMAP_CAP_ENABLE] = "ENABLE",
    [IMAP_CAP_NAMESPACE] = "NAMESPACE",
    [IMAP_CAP_LIST_EXTENDED] = "LIST-EXTENDED",
    [IMAP_CAP_LIST_STATUS] = "LIST-STATUS",
    [IMAP_CAP_SPECIAL_USE] = "SPECIAL-USE",
    [IMAP_CAP_CREATE_SPECIAL_USE] = "CREATE-SPECIAL-USE",
    [IMAP_CAP_XLIST] = "XLIST",
    [IMAP_CAP_STATUS_SIZE] = "STATUS=SIZE",
    [IMAP_CAP_OBJECTID] = "OBJECTID",
    [IMAP_CAP_CONDSTORE] = "CONDSTORE",
    [IMAP_CAP_QRESYNC] = "QRESYNC",
    [IMAP_CAP_UIDPLUS] = "UIDPLUS",
    [IMAP_CAP_MOVE] = "MOVE",
    [IMAP_CAP_IDLE] = "IDLE",
    [IMAP_CAP_NOTIFY] = "NOTIFY",
    [IMAP_CAP_ESEARCH] = "ESEARCH",
    [IMAP_CAP_SEARCHRES] = "SEARCHRES",
    [IMAP_CAP_PARTIAL] = "PARTIAL",
    [IMAP_CAP_LITERAL_PLUS] = "LITERAL+",
    [IMAP_CAP_LITERAL_MINUS] = "LITERAL-",
    [IMAP_CAP_COMPRESS_DEFLATE] = "COMPRESS=DEFLATE",
    [IMAP_CAP_BINARY] = "BINARY",
    [IMAP_CAP_REPLACE] = "REPLACE",
    [IMAP_CAP_APPENDLIMIT] = "APPENDLIMIT",
    [IMAP_CAP_MULTIAPPEND] = "MULTIAPPEND",
    [IMAP_CAP_QUOTA] = "QUOTA",
    [IMAP_CAP_UTF8_ACCEPT] = "UTF8=ACCEPT",
    [IMAP_CAP_UNSELECT] = "UNSELECT",
    [IMAP_CAP_PREVIEW] = "PREVIEW",
    [IMAP_CAP_SAVEDATE] = "SAVEDATE",
    [IMAP_CAP_CHILDREN] = "CHILDREN",
    [IMAP_CAP_GMAIL] = "X-GM-EXT-1",
};

const char *imap_capability_name(enum imap_capability capability)
{
    return names[capability];
}

/* What is known of those that differ. Sources: ref/sync.md, where each quirk has its number. */
static const struct row {
    struct str suffix;   /* of the host name; empty: look at the greeting alone */
    struct str greeting; /* in the greeting, when the host says nothing; empty: never */
    struct imap_host host;
} rows[] = {
    /* 1, 7: rewrites capabilities; ENABLED, VANISHED, ENVELOPE and ESEARCH cannot be trusted */
    {{"mail.me.com", 11},
     {"iCloud", 6},
     {.name = "icloud",
      .quirks = IMAP_QUIRK_ASK_CAPABILITY | IMAP_QUIRK_NO_QRESYNC | IMAP_QUIRK_NO_ENVELOPE |
                IMAP_QUIRK_NO_ESEARCH | IMAP_QUIRK_FILES_SENT}},
    /* 2, 3: "Unsafe Login" without ID; no IDLE, NOOP does not keep the session */
    {{".163.com", 8},
     {"Coremail", 8},
     {.name = "netease", .quirks = IMAP_QUIRK_ID_REQUIRED, .poll_ms = 55000}},
    {{".126.com", 8},
     {"", 0},
     {.name = "netease", .quirks = IMAP_QUIRK_ID_REQUIRED, .poll_ms = 55000}},
    {{".yeah.net", 9},
     {"", 0},
     {.name = "netease", .quirks = IMAP_QUIRK_ID_REQUIRED, .poll_ms = 55000}},
    /* 4 */
    {{".qq.com", 7}, {"QQMail", 6}, {.name = "qq", .quirks = IMAP_QUIRK_NO_SEARCH}},
    /* 6; files submitted mail by itself */
    {{".gmail.com", 10},
     {"Gimap", 5},
     {.name = "gmail", .quirks = IMAP_QUIRK_FILES_SENT, .connections_max = 15}},
    {{".googlemail.com", 15},
     {"", 0},
     {.name = "gmail", .quirks = IMAP_QUIRK_FILES_SENT, .connections_max = 15}},
    /* 15, 16: no capabilities at login */
    {{".office365.com", 14},
     {"Microsoft Exchange", 18},
     {.name = "exchange", .quirks = IMAP_QUIRK_ASK_CAPABILITY | IMAP_QUIRK_FILES_SENT}},
    {{".outlook.com", 12},
     {"", 0},
     {.name = "exchange", .quirks = IMAP_QUIRK_ASK_CAPABILITY | IMAP_QUIRK_FILES_SENT}},
    /* 16, 17 */
    {{".yahoo.com", 10}, {"", 0}, {.name = "yahoo", .idle_ms = 3 * 60 * 1000}},
    {{".aol.com", 8}, {"", 0}, {.name = "yahoo", .idle_ms = 3 * 60 * 1000}},
    {{".rambler.ru", 11}, {"", 0}, {.name = "rambler", .idle_ms = 55000}},
    {{".zoho.com", 9}, {"", 0}, {.name = "zoho", .quirks = IMAP_QUIRK_FILES_SENT}},
    {{".zoho.eu", 8}, {"", 0}, {.name = "zoho", .quirks = IMAP_QUIRK_FILES_SENT}},
    /* 23 */
    {{"", 0}, {"Courier-IMAP", 12}, {.name = "courier", .quirks = IMAP_QUIRK_RESELECT_TO_SEE}},
    {{"", 0},
     {"Dovecot", 7},
     {.name = "dovecot", .quirks = IMAP_QUIRK_GUID_AS_EMAILID, .connections_max = 10}},
};

const struct imap_host *imap_host_find(struct str host, struct str greeting)
{
    static const struct imap_host ordinary = {.name = ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].suffix.length && str_ends_nocase(host, rows[i].suffix))
            return &rows[i].host;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].greeting.length && str_find_nocase(greeting, rows[i].greeting) >= 0)
            return &rows[i].host;
    return &ordinary;
}

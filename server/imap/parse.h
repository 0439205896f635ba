/* Responses of IMAP servers (RFC 3501, RFC 9051 and extensions) as structs. Pure: bytes in, structs
 * out. Tolerant of what real servers send, strict on sizes. Slices point into the response or into
 * the arena; strings are raw bytes (encoded words and all), NIL is the empty string. */
#ifndef RESTANTE_IMAP_PARSE_H
#define RESTANTE_IMAP_PARSE_H

#include "server/base/arena.h"
#include "server/base/error.h"
#include "server/imap/set.h"

/* --- a response as it was received ------------------------------------------------------------ */
enum {
    IMAP_RESPONSE_BYTES_MAX = 12 << 20, /* one response with the literals held inside it */
    IMAP_LITERALS_MAX = 65536,          /* in one response */
    IMAP_NODES_MAX = 50000, /* parts, addresses, parameters, list items of one response; what
                               follows is left out */
    IMAP_BODY_DEPTH_MAX = 100,
};

/* What is told of a message's size beyond that is taken for that: such sizes can be added up. */
#define IMAP_SIZE_MAX (UINT64_C(1) << 40)

/* Where a literal stands in a response. */
struct imap_literal {
    size_t marker;    /* offset of its "{" (or "~{") in the text */
    size_t at;        /* offset of its first byte */
    size_t held;      /* bytes in the text */
    uint64_t size;    /* bytes as announced */
    bool is_streamed; /* it went to a sink; `held` is 0 */
};

/* A whole response: its lines joined, line ends left out, literals in their places. */
struct imap_text {
    struct str bytes;
    const struct imap_literal *literals; /* ascending */
    size_t literal_count;
};

/* --- flags ------------------------------------------------------------------------------------ */
enum imap_flag {
    IMAP_SEEN = 1 << 0,
    IMAP_ANSWERED = 1 << 1,
    IMAP_FLAGGED = 1 << 2,
    IMAP_DELETED = 1 << 3,
    IMAP_DRAFT = 1 << 4,
    IMAP_RECENT = 1 << 5,
    IMAP_FLAG_ANY = 1 << 6, /* "\*" in PERMANENTFLAGS: new keywords may be made */
};
struct imap_flags {
    unsigned system;      /* enum imap_flag bits */
    struct str *keywords; /* as written; other \Flags among them */
    size_t keyword_count;
};

/* --- envelope and structure ------------------------------------------------------------------- */
struct imap_address {
    struct str name, route, mailbox,
        host; /* host empty: start (mailbox: its name) or end of group */
};
struct imap_addresses {
    struct imap_address *at;
    size_t count;
};
struct imap_envelope {
    struct str date, subject, in_reply_to, message_id;
    struct imap_addresses from, sender, reply_to, to, cc, bcc;
};

struct imap_pair {
    struct str name, value;
};
struct imap_body {
    struct str type, subtype; /* as written: "TEXT", "plain"; multiparts: "MULTIPART" */
    struct imap_pair *params;
    size_t param_count;
    struct str id, description, encoding; /* `id` with its <> */
    uint64_t size;                        /* bytes, encoded; 0 for multiparts */
    uint64_t lines;                       /* of text and message/rfc822 */
    struct imap_envelope *envelope;       /* of message/rfc822, else NULL */
    struct str md5, disposition, location;
    struct imap_pair *disposition_params;
    size_t disposition_param_count;
    struct str language; /* the first one */
    bool is_multipart;
    bool is_message;                      /* message/rfc822 or message/global with a body */
    struct imap_body *first_child, *next; /* of a message: its body */
};

/* --- FETCH ------------------------------------------------------------------------------------ */
enum imap_item {
    IMAP_ITEM_UID = 1 << 0,
    IMAP_ITEM_FLAGS = 1 << 1,
    IMAP_ITEM_INTERNALDATE = 1 << 2,
    IMAP_ITEM_SIZE = 1 << 3, /* RFC822.SIZE */
    IMAP_ITEM_ENVELOPE = 1 << 4,
    IMAP_ITEM_BODYSTRUCTURE = 1 << 5, /* also BODY without a section */
    IMAP_ITEM_MODSEQ = 1 << 6,        /* RFC 7162 */
    IMAP_ITEM_EMAILID = 1 << 7,       /* RFC 8474, or X-GUID where the quirk table says so */
    IMAP_ITEM_THREADID = 1 << 8,
    IMAP_ITEM_PREVIEW = 1 << 9,   /* RFC 8970 */
    IMAP_ITEM_SAVEDATE = 1 << 10, /* RFC 8514 */
    IMAP_ITEM_GM_MSGID = 1 << 11, /* X-GM-EXT-1 */
    IMAP_ITEM_GM_THRID = 1 << 12,
    IMAP_ITEM_GM_LABELS = 1 << 13,
};

struct imap_section {
    struct str
        name; /* what stands in the brackets: "", "HEADER", "1.2.MIME"; "HEADER.FIELDS (A B)" */
    bool is_binary;   /* BINARY[...] */
    bool is_size;     /* BINARY.SIZE[...]: only `size` */
    bool is_nil;      /* the server has nothing there */
    bool is_streamed; /* the bytes went to the sink */
    bool is_cut;      /* only the first bytes are here, the literal was too large to hold */
    uint64_t origin;  /* <n> of a partial */
    uint64_t size;    /* bytes as announced */
    struct str bytes; /* unless streamed */
};

struct imap_fetch {
    uint32_t seq; /* 0: UIDFETCH (RFC 9586) */
    unsigned has; /* enum imap_item bits: which of the following were told */
    uint32_t uid;
    struct imap_flags flags;
    int64_t internaldate_at; /* UTC microseconds */
    int64_t savedate_at;     /* 0: NIL */
    uint64_t size;           /* at most IMAP_SIZE_MAX */
    uint64_t modseq;
    struct imap_envelope envelope;
    struct imap_body *body;
    struct str email_id, thread_id; /* without parentheses */
    struct str preview;
    bool is_preview_nil;
    uint64_t gm_msgid, gm_thrid;
    struct str *gm_labels; /* wire mailbox names; "\Inbox" and the like among them */
    size_t gm_label_count;
    struct imap_section *sections;
    size_t section_count;
    bool is_broken; /* what came after a point could not be read; what is here was before it */
};

/* --- mailboxes -------------------------------------------------------------------------------- */
enum imap_attribute {
    IMAP_NOSELECT = 1 << 0,
    IMAP_NONEXISTENT = 1 << 1,
    IMAP_NOINFERIORS = 1 << 2,
    IMAP_HAS_CHILDREN = 1 << 3,
    IMAP_HAS_NO_CHILDREN = 1 << 4,
    IMAP_MARKED = 1 << 5,
    IMAP_UNMARKED = 1 << 6,
    IMAP_SUBSCRIBED = 1 << 7,
    IMAP_REMOTE = 1 << 8,
    /* SPECIAL-USE (RFC 6154, RFC 8457) */
    IMAP_USE_ALL = 1 << 9,
    IMAP_USE_ARCHIVE = 1 << 10,
    IMAP_USE_DRAFTS = 1 << 11,
    IMAP_USE_FLAGGED = 1 << 12,
    IMAP_USE_JUNK = 1 << 13, /* also XLIST's \Spam */
    IMAP_USE_SENT = 1 << 14,
    IMAP_USE_TRASH = 1 << 15,
    IMAP_USE_IMPORTANT = 1 << 16,
    IMAP_USE_INBOX = 1 << 17, /* XLIST's \Inbox, and INBOX by name */
    IMAP_USE_MEMOS = 1 << 18,
    IMAP_USES = 0x7fe00,
};

enum imap_status_item {
    IMAP_STATUS_MESSAGES = 1 << 0,
    IMAP_STATUS_UIDNEXT = 1 << 1,
    IMAP_STATUS_UIDVALIDITY = 1 << 2,
    IMAP_STATUS_UNSEEN = 1 << 3,
    IMAP_STATUS_RECENT = 1 << 4,
    IMAP_STATUS_HIGHESTMODSEQ = 1 << 5,
    IMAP_STATUS_SIZE = 1 << 6,
    IMAP_STATUS_MAILBOXID = 1 << 7,
    IMAP_STATUS_DELETED = 1 << 8,
    IMAP_STATUS_APPENDLIMIT = 1 << 9,
};
struct imap_status {
    struct str wire_path;
    unsigned has; /* enum imap_status_item bits */
    uint32_t messages, uidnext, uidvalidity, unseen, recent, deleted;
    uint64_t highestmodseq, size;
    uint64_t appendlimit; /* UINT64_MAX: NIL */
    struct str mailbox_id;
};

struct imap_mailbox {
    struct str wire_path;
    struct str path;          /* for people; filled by the client */
    struct str delimiter;     /* empty: flat */
    unsigned attributes;      /* enum imap_attribute bits */
    struct str old_wire_path; /* OLDNAME (RFC 9051 section 6.3.9); empty: not told */
    bool has_status;
    struct imap_status status; /* filled by the client from LIST-STATUS */
};

struct imap_namespace {
    struct str prefix, delimiter;
    enum { IMAP_NAMESPACE_PERSONAL, IMAP_NAMESPACE_OTHERS, IMAP_NAMESPACE_SHARED } kind;
};

/* --- searching, quota ------------------------------------------------------------------------- */
struct imap_found {
    struct str tag; /* of ESEARCH; empty: not told */
    bool is_uid;
    struct imap_set all; /* of SEARCH, ALL and PARTIAL */
    uint32_t min, max;   /* 0: not told */
    uint64_t count;
    bool has_count, has_all;
    uint64_t modseq; /* 0: not told */
};

struct imap_quota {
    struct str root;
    uint64_t storage_used, storage_limit; /* KiB; limit UINT64_MAX: none */
    uint64_t messages_used, messages_limit;
};

/* --- response codes --------------------------------------------------------------------------- */
enum imap_code {
    IMAP_CODE_NONE,
    IMAP_CODE_UNKNOWN, /* named in `code_text` */
    IMAP_CODE_ALERT,
    IMAP_CODE_ALREADYEXISTS,
    IMAP_CODE_APPENDUID,
    IMAP_CODE_AUTHENTICATIONFAILED,
    IMAP_CODE_AUTHORIZATIONFAILED,
    IMAP_CODE_BADCHARSET,
    IMAP_CODE_BADURL,
    IMAP_CODE_CANNOT,
    IMAP_CODE_CAPABILITY,
    IMAP_CODE_CLIENTBUG,
    IMAP_CODE_CLOSED,
    IMAP_CODE_COMPRESSIONACTIVE,
    IMAP_CODE_CONTACTADMIN,
    IMAP_CODE_COPYUID,
    IMAP_CODE_CORRUPTION,
    IMAP_CODE_EXPIRED,
    IMAP_CODE_EXPUNGEISSUED,
    IMAP_CODE_HASCHILDREN,
    IMAP_CODE_HIGHESTMODSEQ,
    IMAP_CODE_INUSE,
    IMAP_CODE_LIMIT,
    IMAP_CODE_MAILBOXID,
    IMAP_CODE_MODIFIED,
    IMAP_CODE_NOMODSEQ,
    IMAP_CODE_NONEXISTENT,
    IMAP_CODE_NOPERM,
    IMAP_CODE_NOTIFICATIONOVERFLOW,
    IMAP_CODE_NOTSAVED,
    IMAP_CODE_NOUPDATE,
    IMAP_CODE_OVERQUOTA,
    IMAP_CODE_PARSE,
    IMAP_CODE_PERMANENTFLAGS,
    IMAP_CODE_PRIVACYREQUIRED,
    IMAP_CODE_READ_ONLY,
    IMAP_CODE_READ_WRITE,
    IMAP_CODE_REFERRAL,
    IMAP_CODE_SERVERBUG,
    IMAP_CODE_THROTTLED,
    IMAP_CODE_TOOBIG,
    IMAP_CODE_TRYCREATE,
    IMAP_CODE_UIDNEXT,
    IMAP_CODE_UIDNOTSTICKY,
    IMAP_CODE_UIDVALIDITY,
    IMAP_CODE_UNAVAILABLE,
    IMAP_CODE_UNKNOWN_CTE,
    IMAP_CODE_UNSEEN,
    IMAP_CODE_USEATTR,
    IMAP_CODES
};

/* --- any response ----------------------------------------------------------------------------- */
enum imap_response_type {
    IMAP_RESPONSE_TAGGED,     /* tag, condition */
    IMAP_RESPONSE_CONTINUE,   /* "+": text */
    IMAP_RESPONSE_CONDITION,  /* untagged OK, NO, BAD, BYE, PREAUTH */
    IMAP_RESPONSE_CAPABILITY, /* words */
    IMAP_RESPONSE_ENABLED,    /* words */
    IMAP_RESPONSE_EXISTS,     /* number */
    IMAP_RESPONSE_RECENT,     /* number */
    IMAP_RESPONSE_EXPUNGE,    /* number */
    IMAP_RESPONSE_VANISHED,   /* set, is_earlier */
    IMAP_RESPONSE_FETCH,      /* fetch */
    IMAP_RESPONSE_FLAGS,      /* flags */
    IMAP_RESPONSE_LIST,       /* mailbox; also LSUB and XLIST */
    IMAP_RESPONSE_STATUS,     /* status */
    IMAP_RESPONSE_SEARCH,     /* found */
    IMAP_RESPONSE_NAMESPACE,  /* namespaces */
    IMAP_RESPONSE_QUOTA,      /* quota */
    IMAP_RESPONSE_QUOTAROOT,  /* mailbox.wire_path, words */
    IMAP_RESPONSE_ID,         /* pairs */
    IMAP_RESPONSE_OTHER,      /* something else, well formed or not: ignored */
};
enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

struct imap_response {
    enum imap_response_type type;
    struct str tag;
    enum imap_condition condition;
    enum imap_code code;
    struct str code_text; /* everything within the brackets */
    struct str text;      /* for people, behind the code; a server's words, from anyone */
    uint64_t number; /* EXISTS, EXPUNGE; argument of HIGHESTMODSEQ, UIDNEXT, UIDVALIDITY, UNSEEN,
                        first of APPENDUID and COPYUID */
    struct imap_set set; /* VANISHED, MODIFIED, APPENDUID's UIDs */
    bool is_earlier;
    /* COPYUID: pairs by place; 0 when the two sets do not match or are too many */
    uint32_t *copied_from, *copied_to;
    size_t copied_count;
    struct str id; /* MAILBOXID */
    bool is_lsub;  /* LSUB rather than LIST */
    struct str *words;
    size_t word_count;
    struct imap_pair *pairs;
    size_t pair_count;
    struct imap_namespace *namespaces;
    size_t namespace_count;
    struct imap_flags flags; /* FLAGS; argument of PERMANENTFLAGS */
    struct imap_fetch fetch;
    struct imap_mailbox mailbox;
    struct imap_status status;
    struct imap_found found;
    struct imap_quota quota;
};

/* Reads one response. Never fails on an untagged one: what makes no sense is IMAP_RESPONSE_OTHER.
 * False with ERROR_PROTOCOL when it cannot even be told what it is. */
bool imap_parse(struct arena *arena, const struct imap_text *text, struct imap_response *response,
                struct error *err);

/* What a FETCH that ends in a literal not received yet has told so far: `fetch` as known, `section`
 * whose bytes come next. False if the literal is no section's. */
bool imap_parse_fetch_start(struct arena *arena, const struct imap_text *text,
                            struct imap_fetch *fetch, struct imap_section *section);

/* "17-Jul-1996 02:44:25 -0700" (also without time or zone) as UTC microseconds; false if it is
 * none. */
bool imap_parse_date(struct str text, int64_t *at);
/* Milliseconds that a throttling text asks to wait ("Suggested Backoff Time: 18032 milliseconds"),
 * capped; 0 if it says nothing. */
int imap_parse_backoff_ms(struct str text);

#endif

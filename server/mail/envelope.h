/* The fields of a message's header that lists, threads and rules need, from one pass over it. All
 * text is valid UTF-8 without NUL and capped, so that any of it may go into the database. */
#ifndef RESTANTE_MAIL_ENVELOPE_H
#define RESTANTE_MAIL_ENVELOPE_H

#include "server/mail/address.h"

enum {
    ENVELOPE_ID_BYTES_MAX = 998,          /* longer Message-IDs are cut */
    ENVELOPE_REFERENCES_MAX = 100,        /* the first and the last 99 are kept */
    ENVELOPE_SUBJECT_BYTES_MAX = 4096,    /* of the decoded subject */
    ENVELOPE_TEXT_BYTES_MAX = 8192,       /* of the other texts */
    ENVELOPE_AUTHENTICATION_RESULTS = 10, /* fields kept, the topmost */
};

struct envelope {
    struct str message_id;  /* without <>; empty: none */
    struct str in_reply_to; /* ids without <>, separated by one space */
    struct str references;  /* the same, oldest first */
    struct mail_addresses from, sender, reply_to, to, cc, bcc;
    struct str subject; /* decoded; empty: none */
    struct str
        base_subject; /* RFC 5256 section 2.1: without Re:, Fwd:, [list]; lower case not folded */
    bool is_reply;    /* the subject had Re: or Fwd: or the like */
    int64_t sent_at;  /* Date, UTC microseconds; 0: none that can be read */
    int64_t received_at;              /* of the topmost Received field; 0: none */
    struct str list_id;               /* what stands in <> */
    struct str list_unsubscribe;      /* the field's URIs as written */
    struct str list_unsubscribe_post; /* "List-Unsubscribe=One-Click" (RFC 8058) */
    struct str list_post;             /* address of the list, without <mailto:> */
    struct str list_archive;
    struct str
        authentication_results[ENVELOPE_AUTHENTICATION_RESULTS]; /* unfolded, topmost first */
    size_t authentication_results_count;
    int priority;              /* 1 highest ... 3 normal ... 5 lowest (X-Priority, Importance) */
    struct str auto_submitted; /* lower case word: "auto-replied"; empty: none or "no" */
    struct str precedence;     /* lower case: "bulk", "list", "junk"; empty: none */
    struct str content_type;   /* "multipart/mixed": lower case, without parameters; empty: none */
    struct str disposition_notification_to; /* first address asking for a receipt (RFC 8098) */
    struct str spam_status;                 /* X-Spam-Status or X-Spam-Flag or X-Spam, unfolded */
    struct str return_path; /* address; "<>": of nobody, as bounces are; empty: not told */
    bool is_cut;            /* the header was longer than we read */
};

/* `header` may go on into the body. Slices live in the arena. */
void envelope_parse(struct arena *arena, struct str header, struct envelope *envelope);

/* The fields beyond the columns of `email`, as a JSON object for email.header_json: listId,
 * listUnsubscribe, listUnsubscribePost, listPost, listArchive, authenticationResults [], priority,
 * autoSubmitted, precedence, receiptTo, spamStatus, returnPath; absent ones left out. Returns false
 * (and writes nothing) when there are none. */
bool envelope_write_json(struct buf *out, const struct envelope *envelope);
/* Reads such an object and a From field's JSON back: the listed fields and `from`, all else empty.
 * What is no such JSON gives nothing. */
void envelope_read_json(struct arena *arena, struct str header_json, struct str from_json,
                        struct envelope *envelope);

#endif

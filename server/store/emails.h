/* Messages as people see them (RFC 8621 section 4). */
#ifndef RESTANTE_STORE_EMAILS_H
#define RESTANTE_STORE_EMAILS_H

#include "server/store/store.h"

/* Bits of placement.flags; each is a keyword of the IANA registry. */
enum email_flag {
    FLAG_SEEN = 1 << 0,
    FLAG_ANSWERED = 1 << 1,
    FLAG_FLAGGED = 1 << 2,
    FLAG_DELETED = 1 << 3, /* IMAP's \Deleted; never shown as a keyword (RFC 8621 4.1.1) */
    FLAG_DRAFT = 1 << 4,
    FLAG_FORWARDED = 1 << 5,
    FLAG_JUNK = 1 << 6,
    FLAG_NOT_JUNK = 1 << 7,
    FLAG_MDN_SENT = 1 << 8,
    FLAG_PHISHING = 1 << 9,
};
/* "$seen" and its upstream spelling "\\Seen", by bit; {NULL, NULL, 0} ends the table. */
struct flag_name {
    enum email_flag flag;
    const char *keyword;  /* JMAP; NULL for FLAG_DELETED */
    const char *upstream; /* IMAP */
};
extern const struct flag_name flag_names[];

enum email_state { EMAIL_ORDINARY, EMAIL_QUARANTINED };

struct email {
    int64_t account_id, id, thread_id;
    int64_t mailbox_id; /* the placement's; 0 from email_by_id */
    struct str message_id, in_reply_to, references;
    struct str subject;
    /* JSON arrays as in the schema; empty: null */
    struct str from_json, sender_json, reply_to_json, to_json, cc_json, bcc_json;
    int64_t sent_at; /* 0: no Date field */
    int64_t received_at;
    int64_t size_bytes;
    bool has_attachment;
    struct str preview;
    int flags;           /* enum email_flag */
    struct str keywords; /* the others, space separated */
    enum email_state state;
    /* only from threads_page */
    int thread_total; /* messages of the conversation, up to EMAIL_THREAD_MAX; 0, 1: this one */
    bool is_thread_unread; /* one that lies in the mailbox is */
    int thread_flags;      /* of all that lie there, or-ed */
    bool has_thread_attachment;
    struct str thread_ids;    /* of those, separated by '-'; empty: this one alone */
    struct str thread_people; /* JSON as from_json, oldest first; empty: nobody else */
    /* only from email_by_id */
    struct str structure;   /* JSON; empty: not known yet */
    struct str header_json; /* JSON object; empty: none */
    int64_t blob_id;        /* the whole message; 0: not here */
};

/* A place in the list: everything strictly beyond it comes next. {0, 0}: from the end. */
struct email_cursor {
    int64_t received_at, id;
};

enum { EMAIL_PAGE_MAX = 500 };
/* Newest first. `limit` rows beyond `cursor`; with `is_backward` the rows on its newer side (still
 * returned newest first). Asks for one more than `limit` to fill `*has_more`. One index range. */
bool emails_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                 struct email_cursor cursor, bool is_backward, int limit, struct email **emails,
                 size_t *count, bool *has_more, struct error *err);
/* The same by conversation (RFC 8621 section 4.4.3, collapseThreads): of each the newest message in
 * the mailbox. */
enum { EMAIL_THREAD_MAX = 100 };
bool threads_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                  struct email_cursor cursor, bool is_backward, int limit, struct email **emails,
                  size_t *count, bool *has_more, struct error *err);
/* All that a page of a folder asks, account_list, mailbox_list, label_list, operation_news and one
 * of the two above, in one round trip: the first of them that is called brings along what the
 * others return. */
void mailbox_page_foresee(struct db *db, int64_t user_id, int64_t account_id, int64_t mailbox_id,
                          struct email_cursor cursor, bool is_backward, bool by_thread, int limit);
bool email_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                 struct email *email, struct error *err);
/* Several, in the order of the ids; those that are not there or not seen are left out. `mailbox_id`
 * is one that shows it. Without structure, header_json and blob_id. */
bool emails_by_ids(struct db *db, struct arena *arena, int64_t account_id, const int64_t *ids,
                   size_t id_count, struct email **emails, size_t *count, struct error *err);
/* The visible placements of some emails: for mailboxIds and keywords of API objects. */
struct placement {
    int64_t email_id, mailbox_id;
    int flags;
    struct str keywords;
    bool is_upstream; /* has a uid */
};
bool placements_of(struct db *db, struct arena *arena, int64_t account_id, const int64_t *email_ids,
                   size_t email_count, struct placement **placements, size_t *count,
                   struct error *err);
/* The neighbours of an email in a mailbox's list; 0: none. */
bool email_neighbours(struct db *db, int64_t account_id, int64_t mailbox_id, int64_t email_id,
                      int64_t *newer_id, int64_t *older_id, struct error *err);
/* Ids of a conversation's emails, oldest first. */
bool thread_emails(struct db *db, struct arena *arena, int64_t account_id, int64_t thread_id,
                   int64_t **email_ids, size_t *count, struct error *err);

#endif

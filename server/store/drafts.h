/* Mail that is being written. A draft is an email in the folder with the role "drafts" (made here
 * when upstream has none) and beside it what the form holds, as typed. The web role writes it; the
 * message itself is made when it is sent. Whoever saves names the revision it began with, so that
 * two browsers do not write over each other. */
#ifndef RESTANTE_STORE_DRAFTS_H
#define RESTANTE_STORE_DRAFTS_H

#include "server/store/blobs.h"
#include "server/store/mailboxes.h"
#include "server/store/store.h"

enum answers_how { ANSWERS_NOTHING, ANSWERS_REPLY, ANSWERS_FORWARD };
enum draft_priority { PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_LOW };

struct draft {
    int64_t account_id, email_id; /* 0: a new one */
    int revision;
    int64_t identity_id;
    struct str to, cc, bcc; /* as typed */
    struct str subject, text, html;
    enum draft_priority priority;
    bool wants_receipt; /* of reading: RFC 8098 */
    bool wants_report;  /* of delivery: RFC 3461 */
    /* set once, when it is made */
    struct str in_reply_to, references; /* ids without <> */
    int64_t answers_id;                 /* 0: none */
    enum answers_how answers_how;
    struct str idempotency_key; /* empty: none; not read back */
    /* read only */
    int64_t changed_at, mailbox_id;
    bool is_hidden; /* it is being sent */
};
/* What lists and readers show of it; JSON as in the schema. */
struct draft_face {
    struct str from_json, to_json, cc_json, bcc_json;
    struct str preview;
    struct str structure; /* of one text part "1" whose bytes are draft.text */
    struct str words;     /* it is found by (tsvectorrecv form); empty: as before */
};

struct draft_attachment {
    int n; /* its place, for removing it */
    int64_t blob_id;
    struct str name, type, cid;
    int64_t size_bytes;
};

/* Makes the draft (filling email_id) or saves it over revision `expected` (0: whatever is there);
 * `draft->revision` is then the new one. ERROR_CONFLICT: it was changed elsewhere, or is being
 * sent. */
bool draft_put(struct db *db, struct draft *draft, const struct draft_face *face, int expected,
               struct error *err);
/* The draft that was made with that key and is still here; `*email_id` 0: none. */
bool draft_known(struct db *db, int64_t account_id, struct str idempotency_key, int64_t *email_id,
                 struct error *err);
bool draft_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                 struct draft *draft, struct error *err);
/* ERROR_CONFLICT while it is being sent. */
bool draft_delete(struct db *db, int64_t account_id, int64_t email_id, struct error *err);

/* An id for the bytes of an upload, which are then written by blob_begin (without email). */
bool upload_allocate(struct db *db, int64_t account_id, int64_t *blob_id, struct error *err);
bool draft_attachments(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                       struct draft_attachment **attachments, size_t *count, struct error *err);
/* `n` is filled. ERROR_NOT_FOUND: no such draft or bytes. */
bool draft_attach(struct db *db, int64_t account_id, int64_t email_id,
                  struct draft_attachment *attachment, struct error *err);
bool draft_detach(struct db *db, int64_t account_id, int64_t email_id, int n, struct error *err);

/* --- sync role ------------------------------------------------------------------------------- */

/* A draft that has settled and is not upstream as it is now. ERROR_NOT_FOUND: none. */
struct draft_unfiled {
    int64_t email_id, mailbox_id;
    int revision;
    uint32_t uid; /* of the revision that lies upstream; 0: none does */
};
bool draft_next_unfiled(struct db *db, int64_t account_id, int settled_s,
                        struct draft_unfiled *unfiled, struct error *err);
/* That revision lies upstream now, as `uid` (0: it cannot be filed there). */
bool draft_set_filed(struct db *db, int64_t account_id, const struct draft_unfiled *filed,
                     uint32_t uid, struct error *err);
/* One that was sent and still lies upstream, hidden here; and once it is removed there. */
bool draft_next_sent(struct db *db, int64_t account_id, struct draft_unfiled *sent,
                     struct error *err);
bool draft_remove_sent(struct db *db, int64_t account_id, int64_t email_id, struct error *err);

/* The folder of that role, preferring the mail server's; made here when there is none. */
bool draft_mailbox(struct db *db, int64_t account_id, enum mailbox_role role, int64_t *mailbox_id,
                   struct error *err);
/* The mail server has a folder for drafts after all: moves the drafts there from the one that was
 * made here, and deletes that when nothing else is in it. At most 1,000 at a time. */
bool drafts_adopt(struct db *db, int64_t account_id, int64_t from_id, int64_t to_id,
                  struct error *err);

#endif

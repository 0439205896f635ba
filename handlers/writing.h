/* Writing and sending as pages and API share it: saving a draft, taking uploads in, and making the
 * message that goes out. */
#ifndef RESTANTE_HANDLERS_WRITING_H
#define RESTANTE_HANDLERS_WRITING_H

#include "handlers/session.h"
#include "server/mail/compose.h"
#include "server/store/drafts.h"
#include "server/store/identities.h"
#include "server/store/submissions.h"

/* The sender of a draft: the one it names, else the account's first. */
const struct identity *writing_identity_choose(const struct identity *list, size_t count,
                                               int64_t identity_id, struct error *err);
bool writing_identity(const struct request *req, struct db *db, int64_t account_id,
                      int64_t identity_id, struct identity *identity, struct error *err);

/* What a sender may be: addresses that are some, texts not too long; the HTML signature becomes
 * what is safe. ERROR_INVALID, ERROR_LIMIT. */
bool writing_identity_check(struct request *req, struct identity *identity, struct error *err);

/* Saves (see draft_put). HTML is sanitised: what is kept is what is sent; where there is HTML and
 * no text, the text is made of it. ERROR_LIMIT for texts that are too long. */
bool writing_save(struct request *req, struct db *db, struct draft *draft, int expected,
                  struct error *err);

/* What comes along from the message that is answered or forwarded: the pictures within its text as
 * far as the draft's HTML shows them, also its attachments, or all of it as an attachment. */
enum take { TAKE_NOTHING, TAKE_PICTURES, TAKE_PARTS, TAKE_MESSAGE };
struct writing_take {
    enum take how;
    int64_t email_id;
};
/* The Content-ID by which a draft's HTML shows a picture of the original. */
struct str writing_picture_cid(struct arena *arena, int64_t email_id, struct str part_id);
/* Saves, and takes along. `db` is given back while the original is fetched. After a failure the
 * draft may be there (`draft->email_id`) without what was to come along. */
bool writing_begin(struct request *req, struct db **db, struct draft *draft, int expected,
                   const struct writing_take *take, struct error *err);

/* Bytes [offset, offset + length) of the request's body into a new blob, a chunk at a time. */
bool writing_upload(struct request *req, struct db *db, int64_t account_id, uint64_t offset,
                    uint64_t length, int64_t *blob_id, struct error *err);
/* The whole body, once for a request that comes again under its key (once.h). */
bool writing_upload_once(struct request *req, struct db *db, int64_t account_id, int64_t *blob_id,
                         struct error *err);
/* Bytes of a blob that is here, decoded, into a new one: what a message forwards. */
bool writing_copy(struct request *req, struct db *db, const struct blob *blob, int64_t offset,
                  int64_t length, enum mime_encoding encoding, int64_t *blob_id, struct error *err);

/* Bytes at hand into a new one. */
bool writing_put(struct db *db, int64_t account_id, struct str bytes, int64_t *blob_id,
                 struct error *err);

/* Addresses as typed, with the names of the address book's groups replaced by who is in them. */
bool writing_expand(struct request *req, struct db *db, struct str typed, struct str *expanded,
                    struct error *err);

struct writing_send {
    int64_t send_at;            /* UTC microseconds */
    struct str idempotency_key; /* empty: none */
    bool is_from_nobody; /* the envelope's sender is the null address: of no report of it is to
                            come another */
};
/* Makes the message of a draft and accepts it for sending: from then on it is not lost.
 * ERROR_INVALID says which address is none, or that there is nobody to send to. With a key that is
 * known already, the earlier submission. */
bool writing_send(struct request *req, struct db *db, int64_t account_id, int64_t draft_id,
                  const struct writing_send *how, struct submission *submission, struct error *err);

/* Minutes east of UTC, now, here. */
int writing_zone(void);

#endif

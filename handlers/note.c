#include "handlers/note.h"

#include "server/base/clock.h"
#include "server/store/emails.h"

static bool attach(struct db *db, const struct note *note, const struct draft *draft,
                   struct error *err)
{
    struct draft_attachment attachment = {.name = note->file_name,
                                          .type = note->file_type,
                                          .cid = STR_EMPTY,
                                          .size_bytes = (int64_t)note->file.length};
    return !note->file.length ||
           (writing_put(db, note->account_id, note->file, &attachment.blob_id, err) &&
            draft_attach(db, note->account_id, draft->email_id, &attachment, err));
}

static void set_answered(struct request *req, const struct note *note, struct draft *draft)
{
    const struct email *email = note->answers;
    draft->answers_id = email->id;
    draft->answers_how = ANSWERS_REPLY;
    draft->in_reply_to = email->message_id;
    draft->references =
        compose_references(req->arena, email->references, email->in_reply_to, email->message_id);
}

bool note_send(struct request *req, struct db *db, const struct note *note, int64_t *submission_id,
               struct error *err)
{
    int delay_s;
    struct submission submission;
    struct writing_send how = {.idempotency_key = note->key,
                               .is_from_nobody = note->is_from_nobody};
    struct draft draft = {.account_id = note->account_id,
                          .identity_id = note->identity_id,
                          .to = note->to,
                          .cc = STR_EMPTY,
                          .bcc = STR_EMPTY,
                          .subject = note->subject,
                          .text = note->text,
                          .html = STR_EMPTY,
                          .in_reply_to = STR_EMPTY,
                          .references = STR_EMPTY};
    if (!submission_known(db, note->account_id, note->key, submission_id, err))
        return false;
    if (*submission_id)
        return true;
    if (note->answers)
        set_answered(req, note, &draft);
    if (!send_delay(db, signed_in(req)->user_id, &delay_s, err) ||
        !writing_save(req, db, &draft, 0, err))
        return false;
    how.send_at = clock_now_us() + (int64_t)delay_s * 1000000;
    if (attach(db, note, &draft, err) &&
        writing_send(req, db, note->account_id, draft.email_id, &how, &submission, err)) {
        *submission_id = submission.id;
        return true;
    }
    struct error why = ERROR_INIT; /* nobody asked for a draft: the first error counts */
    draft_delete(db, note->account_id, draft.email_id, &why);
    return false;
}

/* Who asks to be told that a message was read is told only when the person says so (RFC 8098). */
#include "handlers/html/act.h"
#include "handlers/html/fates.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/note.h"
#include "server/mail/envelope.h"
#include "server/store/actions.h"

enum { ID_BYTES_MAX = 250 };

static const char receipt_type[] = "message/disposition-notification";

/* Empty: nobody, or nobody who may be answered. What comes from the null address is a report
 * itself, or wants no reports (RFC 8098 section 2.1). */
static struct str asks(const struct request *req, const struct email *email)
{
    struct envelope envelope;
    envelope_read_json(req->arena, email->header_json, email->from_json, &envelope);
    if (email->flags & (FLAG_MDN_SENT | FLAG_DRAFT) || str_equal(envelope.return_path, STR("<>")))
        return STR_EMPTY;
    return envelope.disposition_notification_to;
}

bool letter_set_receipt(struct request *req, struct db *db, struct value *view,
                        const struct email *email, struct error *err)
{
    struct str to = asks(req, email);
    bool is_own;
    struct str recipients;
    view_set_text(view, "receipt", NULL);
    if (!submission_recipients(db, req->arena, email->account_id, email->message_id, &recipients,
                               err))
        return false;
    fates_set(view, req->arena, recipients);
    if (!to.length)
        return true;
    if (!identity_has(db, req->arena, email->account_id, to, &is_own, err))
        return false;
    if (is_own) /* the receipt would go to us */
        return true;
    struct value *receipt = view_set_object(view, "receipt");
    view_set_str(receipt, "to", to);
    view_set_str(receipt, "key", act_form_key(req->arena));
    return true;
}

/* --- the form -------------------------------------------------------------------------------- */

/* Whether it may stand in a line of ours. */
static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.length; i++)
        if ((unsigned char)id.at[i] <= ' ' || (unsigned char)id.at[i] >= 0x7f ||
            strchr("<>", id.at[i]))
            return false;
    return id.length > 0 && id.length <= ID_BYTES_MAX;
}

static bool send(struct request *req, struct db *db, const struct email *email, struct str to,
                 struct str key, struct error *err)
{
    struct identity identity;
    bool has_id = is_id(email->message_id);
    int64_t id;
    if (!letter_identity(req, db, email, &identity, err))
        return false;
    const struct note note = {
        .account_id = email->account_id,
        .identity_id = identity.id,
        .to = to,
        .subject = arena_printf(req->arena, "Read: %" STR_FMT, STR_ARG(email->subject)),
        .text = arena_printf(req->arena,
                             "Your message \"%" STR_FMT "\" was shown to %" STR_FMT
                             ".\n\nThat does not say that it was understood.\n",
                             STR_ARG(email->subject), STR_ARG(identity.email)),
        .file = arena_printf(
            req->arena,
            "Reporting-UA: Restante\r\nFinal-Recipient: rfc822;%" STR_FMT "\r\n%s%" STR_FMT "%s"
            "Disposition: manual-action/MDN-sent-manually; displayed\r\n",
            STR_ARG(identity.email), has_id ? "Original-Message-ID: <" : "",
            STR_ARG(has_id ? email->message_id : STR_EMPTY), has_id ? ">\r\n" : ""),
        .file_type = str_of(receipt_type),
        .is_from_nobody = true, /* RFC 8098 section 3: nothing is ever told of a receipt */
        .key = key};
    return note_send(req, db, &note, &id, err);
}

/* Sent or not, the question is answered, for other programs too (RFC 3503). */
static bool settle(struct request *req, struct db *db, const struct email *email, struct error *err)
{
    struct action_result result;
    const struct action action = {
        .kind = ACTION_KEYWORDS, .email_ids = &email->id, .email_count = 1, .set = FLAG_MDN_SENT};
    return action_run(db, req->arena, email->account_id, &action, &result, err);
}

static bool refuse_form(struct error *err)
{
    error_set(err, ERROR_INVALID, "The question whether to send a receipt came back incomplete.");
    return error_hint(err, "Open the message again and answer it there.");
}

bool html_receipt(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct email email;
    if (!request_form(req, &form, err))
        return false;
    bool is_wanted = str_equal(form_text(&form, "do"), STR("send"));
    struct str key = form_text(&form, "key");
    struct db *db = app_db(req, err);
    bool is_good = db && session_email(req, db, &email, err);
    struct str to = is_good ? asks(req, &email) : STR_EMPTY;
    if (is_good && to.length)
        is_good =
            (!is_wanted || (key.length ? send(req, db, &email, to, key, err) : refuse_form(err))) &&
            settle(req, db, &email, err);
    store_release(app_of(req)->store, &db);
    if (is_good)
        page_go_back(res, &form);
    return is_good;
}

/* Where a message comes from, as far as it can be believed; its pictures from elsewhere; the way
 * off its list. */
#include "handlers/html/act.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/note.h"
#include "handlers/wait.h"
#include "server/mail/sender.h"
#include "server/store/operations.h"

enum { TRUSTED_MAX = 50, UNSUBSCRIBE_WAIT_MS = 12000 };

static void set_authentication(const struct request *req, struct value *view,
                               const struct envelope *envelope)
{
    struct str trusted[TRUSTED_MAX];
    struct sender_authentication found;
    const struct config_list *list = &app_of(req)->config->trusted_authserv;
    size_t count = list->count < TRUSTED_MAX ? list->count : TRUSTED_MAX;
    for (size_t i = 0; i < count; i++)
        trusted[i] = str_of(list->at[i]);
    sender_authenticate(req->arena, envelope, trusted, count, &found);
    view_set_text(view, "authentication", NULL);
    bool has_failed =
        found.dmarc == SENDER_FAIL ||
        (found.dmarc == SENDER_UNKNOWN && found.dkim != SENDER_PASS && found.spf == SENDER_FAIL);
    if (!found.server.length || (!found.is_aligned && !has_failed))
        return;
    struct value *mark = view_set_object(view, "authentication");
    view_set_bool(mark, "isTrue", found.is_aligned);
    view_set_str(mark, "server", found.server);
}

static void set_unsubscribe(const struct request *req, struct value *view,
                            const struct email *email, const struct envelope *envelope)
{
    struct sender_unsubscribe ways;
    view_set_text(view, "unsubscribe", NULL);
    if (!sender_unsubscribe(req->arena, envelope, &ways))
        return;
    struct value *way = view_set_object(view, "unsubscribe");
    view_set_str(way, "list", envelope->list_id);
    view_set_text(way, "postUrl", NULL);
    view_set_url(way, "webUrl", STR_EMPTY);
    view_set_url(way, "mailUrl", STR_EMPTY);
    if (ways.is_one_click)
        view_set_path(way, "postUrl", "/mail/%lld/message/%lld/unsubscribe",
                      (long long)email->account_id, (long long)email->id);
    else if (ways.mailto.length)
        view_set_path(way, "mailUrl", "/mail/%lld/message/%lld/unsubscribe-by-mail",
                      (long long)email->account_id, (long long)email->id);
    else
        view_set_url(way, "webUrl", ways.https);
}

/* What a careful reader would notice about the sender. */
static void set_looks(const struct request *req, struct value *view,
                      const struct envelope *envelope)
{
    struct sender_looks looks;
    struct sender_junk junk;
    sender_look(req->arena, &envelope->from, &looks);
    sender_junk(envelope, &junk);
    view_set_str(view, "called", looks.called);
    view_set_bool(view, "isLookalike", looks.is_lookalike);
    view_set_text(view, "junkScore", NULL);
    if (!junk.is_said)
        return;
    struct value *score = view_set_object(view, "junkScore");
    view_set_str(score, "score", junk.score);
    view_set_str(score, "limit", junk.limit);
    view_set_bool(score, "isJunk", junk.is_junk);
}

void letter_set_marks(const struct request *req, struct value *view, const struct email *email,
                      bool is_inner)
{
    struct envelope envelope;
    envelope_read_json(req->arena, email->header_json, email->from_json, &envelope);
    view_set_text(view, "authentication", NULL);
    view_set_text(view, "unsubscribe", NULL);
    if (!is_inner) {
        set_authentication(req, view, &envelope);
        set_unsubscribe(req, view, email, &envelope);
    }
    set_looks(req, view, &envelope);
    view_set_str(view, "list", envelope.list_id);
    view_set_bool(view, "isList", envelope.list_post.length > 0);
}

/* --- forms ------------------------------------------------------------------------------------ */

bool html_remote(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct email email;
    int64_t user_id = signed_in(req)->user_id;
    if (!request_form(req, &form, err))
        return false;
    struct str who = form_text(&form, "who");
    struct db *db = app_db(req, err);
    bool is_good = db && session_email(req, db, &email, err);
    struct str sender = is_good ? letter_sender(req->arena, &email) : STR_EMPTY;
    if (is_good && str_equal(who, STR("everybody")))
        is_good = remote_allow(db, user_id, STR_EMPTY, err);
    else if (is_good && str_equal(who, STR("sender")) && sender.length)
        is_good = remote_allow(db, user_id, sender, err);
    else if (is_good && str_equal(who, STR("nobody")))
        is_good =
            remote_forbid(db, user_id, STR_EMPTY, err) && remote_forbid(db, user_id, sender, err);
    store_release(app_of(req)->store, &db);
    if (is_good)
        page_go_back(res, &form);
    return is_good;
}

bool html_unsubscribe(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct operation operation;
    struct error why = ERROR_INIT;
    int64_t id = 0;
    struct db *db = app_db(req, err);
    bool is_good =
        db && session_email(req, db, &email, err) &&
        operation_enqueue(
            db, email.account_id, STR("unsubscribe"),
            arena_printf(req->arena, "{\"emailId\":%lld}", (long long)email.id), true,
            arena_printf(req->arena, "unsubscribe-%" STR_FMT, STR_ARG(str_of(req->id))), &id, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    bool is_told = wait_for_operation(req, email.account_id, id,
                                      deadline_in_ms(UNSUBSCRIBE_WAIT_MS), &operation, &why);
    struct value *page = page_new(req, "Unsubscribe");
    view_set_text(page, "sure", NULL);
    view_set_text(page, "sent", NULL);
    struct value *told = view_set_object(page, "told");
    view_set_bool(told, "isDone", is_told && operation.state == OPERATION_DONE);
    view_set_bool(told, "isUnderWay", !is_told);
    view_set_str(told, "failure", is_told ? operation.error : STR_EMPTY);
    view_set_path(page, "backUrl", "/mail/%lld", (long long)email.account_id);
    return page_send(req, res, "unsubscribe", page, err);
}

/* --- off a list by mail ----------------------------------------------------------------------- */

bool letter_identity(const struct request *req, struct db *db, const struct email *email,
                     struct identity *identity, struct error *err)
{
    struct person *people;
    size_t count;
    people_read(req->arena, email->to_json, &people, &count);
    struct str *emails = ARENA_ARRAY(req->arena, count + 1, struct str);
    for (size_t i = 0; i < count; i++)
        emails[i] = people[i].email;
    return identity_among(db, req->arena, email->account_id, emails, count, identity, err);
}

/* What the list wants to be written to it. */
static bool read_way(struct request *req, struct db *db, struct email *email,
                     struct sender_mail *mail, struct error *err)
{
    struct envelope envelope;
    struct sender_unsubscribe ways;
    struct str to;
    if (!session_email(req, db, email, err))
        return false;
    envelope_read_json(req->arena, email->header_json, email->from_json, &envelope);
    sender_unsubscribe(req->arena, &envelope, &ways);
    sender_read_mailto(req->arena, ways.mailto, mail);
    if (!mail->to.length || !compose_email_check(req->arena, mail->to, &to, NULL))
        return error_set(err, ERROR_NOT_FOUND, "This list names no address to leave it by mail.");
    mail->to = to;
    if (!mail->subject.length)
        mail->subject = STR("unsubscribe");
    return true;
}

bool html_unsubscribe_mail_form(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct sender_mail mail;
    struct identity as;
    struct db *db = app_db(req, err);
    bool is_good =
        db && read_way(req, db, &email, &mail, err) && letter_identity(req, db, &email, &as, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    struct value *page = page_new(req, "Unsubscribe");
    view_set_text(page, "sent", NULL);
    view_set_text(page, "told", NULL);
    struct value *sure = view_set_object(page, "sure");
    view_set_path(sure, "url", "/mail/%lld/message/%lld/unsubscribe-by-mail",
                  (long long)email.account_id, (long long)email.id);
    view_set_str(sure, "key", act_form_key(req->arena));
    view_set_str(sure, "to", mail.to);
    view_set_str(sure, "from", as.email);
    view_set_str(sure, "subject", mail.subject);
    view_set_str(sure, "text", mail.text);
    view_set_path(page, "backUrl", "/mail/%lld", (long long)email.account_id);
    return page_send(req, res, "unsubscribe", page, err);
}

bool html_unsubscribe_mail(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct email email;
    struct sender_mail mail;
    struct identity as;
    int64_t id;
    if (!request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good =
        db && read_way(req, db, &email, &mail, err) && letter_identity(req, db, &email, &as, err);
    if (is_good) {
        struct note note = {.account_id = email.account_id,
                            .identity_id = as.id,
                            .to = mail.to,
                            .subject = mail.subject,
                            .text = mail.text.length ? mail.text : STR("unsubscribe\n"),
                            .file = STR_EMPTY,
                            .key = arena_printf(req->arena, "leave-%lld-%" STR_FMT,
                                                (long long)email.id,
                                                STR_ARG(str_sub(form_text(&form, "key"), 0, 100)))};
        is_good = note_send(req, db, &note, &id, err);
    }
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    struct value *page = page_new(req, "Unsubscribe");
    view_set_text(page, "sure", NULL);
    view_set_text(page, "told", NULL);
    struct value *sent = view_set_object(page, "sent");
    view_set_str(sent, "to", mail.to);
    view_set_path(sent, "outboxUrl", "/mail/%lld/outbox", (long long)email.account_id);
    view_set_path(page, "backUrl", "/mail/%lld", (long long)email.account_id);
    return page_send(req, res, "unsubscribe", page, err);
}

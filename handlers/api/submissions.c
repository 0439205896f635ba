/* Sending: accepted at once, carried out by the sync role, told phase by phase. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/invitation.h"
#include "handlers/once.h"
#include "handlers/writing.h"
#include "server/base/clock.h"

enum { LIST_MAX = 200 };

static void write_submission(struct json *json, const struct submission *s)
{
    json_write_object(json);
    answer_id(json, "id", s->id);
    answer_text(json, "phase", submission_phase_name(s->phase));
    answer_id(json, "identityId", s->identity_id);
    answer_id(json, "draftId", s->draft_id);
    answer_str(json, "messageId", s->message_id);
    answer_str(json, "mailFrom", s->mail_from);
    answer_raw(json, "recipients", s->recipients);
    answer_str(json, "subject", s->subject);
    answer_str(json, "to", s->to);
    answer_time(json, "sendAt", s->send_at);
    answer_time(json, "nextTryAt",
                s->phase == SUBMISSION_QUEUED && s->attempts ? s->not_before : 0);
    answer_i64(json, "attempts", s->attempts);
    if (s->error.length)
        answer_str(json, "error", s->error);
    answer_bool(json, "canCancel", s->phase == SUBMISSION_QUEUED);
    answer_time(json, "createdAt", s->created_at);
    answer_time(json, "endedAt", s->ended_at);
    json_write_object_end(json);
}

static bool may_send(const struct request *req, struct error *err)
{
    return (signed_in(req)->scopes & TOKEN_SEND) ||
           error_set(err, ERROR_FORBIDDEN, "This token has not the scope \"send\".");
}

/* "sendAt" (UTCDate), or "delaySeconds"; neither: as long as the person wants to be able to undo.
 */
static bool read_time(struct request *req, struct db *db, const json_t *body, int64_t *send_at,
                      struct error *err)
{
    struct str text;
    int seconds = 0;
    if (!body_str(req->arena, body, "sendAt", false, &text, err))
        return false;
    if (text.length)
        return clock_parse_rfc3339(text, send_at) ||
               error_set(err, ERROR_INVALID, "\"sendAt\" is no date like 2026-11-25T08:00:00Z.");
    if (!json_object_get(body, "delaySeconds") &&
        !send_delay(db, signed_in(req)->user_id, &seconds, err))
        return false;
    int64_t delay = seconds;
    if (!body_int(body, "delaySeconds", 0, SEND_DELAY_MAX_S, &delay, err))
        return false;
    *send_at = clock_now_us() + delay * 1000000;
    return true;
}

static bool show(struct request *req, struct response *res, struct db *db, int64_t account_id,
                 int64_t id, struct error *err)
{
    struct submission submission;
    if (!submission_by_id(db, req->arena, account_id, id, &submission, err))
        return false;
    struct json json = answer_json(res);
    write_submission(&json, &submission);
    return true;
}

bool api_submission_create(struct request *req, struct response *res, struct error *err)
{
    struct db *db = NULL;
    int64_t account_id, draft_id = 0;
    struct submission submission;
    struct writing_send how = {.idempotency_key = once_key(req)};
    struct str draft;
    if (!may_send(req, err))
        return false;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "draftId", true, &draft, err) &&
                   ((str_to_i64(draft, &draft_id) && draft_id > 0) ||
                    error_set(err, ERROR_INVALID, "\"draftId\" is no id.")) &&
                   answer_account_known(req, &db, &account_id, err) &&
                   read_time(req, db, body, &how.send_at, err) &&
                   writing_send(req, db, account_id, draft_id, &how, &submission, err);
    json_decref(body);
    if (is_good) {
        struct json json = answer_json(res);
        write_submission(&json, &submission);
        res->status = 201;
    }
    return answer_done(req, &db, is_good);
}

bool api_submissions(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct submission *list;
    size_t count;
    if (!answer_account(req, &db, &account, err))
        return false;
    bool is_good = submissions_list(db, req->arena, account.id, LIST_MAX, &list, &count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "submissions");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_submission(&json, &list[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_submission(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "submission", &id, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    return answer_done(req, &db, show(req, res, db, account_id, id, err));
}

/* What is done about one on its way, and how it is then. */
static bool change(struct request *req, struct response *res,
                   bool (*act)(struct db *, struct submission *, struct error *), struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!may_send(req, err) || !request_param_id(req, "submission", &id, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    struct submission submission;
    bool is_good = submission_by_id(db, req->arena, account_id, id, &submission, err) &&
                   act(db, &submission, err) && show(req, res, db, account_id, id, err);
    return answer_done(req, &db, is_good);
}

static bool cancel(struct db *db, struct submission *s, struct error *err)
{
    return s->phase == SUBMISSION_CANCELLED ||
           submission_cancel(db, s->account_id, s->id, NULL, err);
}

static bool hurry(struct db *db, struct submission *s, struct error *err)
{
    return submission_hurry(db, s->account_id, s->id, err);
}

bool api_submission_cancel(struct request *req, struct response *res, struct error *err)
{
    return change(req, res, cancel, err);
}

/* What the person knows of one that "may have been sent": it has arrived. */
bool api_submission_settle(struct request *req, struct response *res, struct error *err)
{
    return change(req, res, submission_settle, err);
}

/* Now, rather than after the delay or the next back-off. */
bool api_submission_hurry(struct request *req, struct response *res, struct error *err)
{
    return change(req, res, hurry, err);
}

/* {"answer": "accepted"} to an invitation (a text/calendar part): the submission that carries it.
 */
bool api_invitation_answer(struct request *req, struct response *res, struct error *err)
{
    struct db *db = NULL;
    struct email email;
    struct str text, key = once_key(req);
    enum calendar_answer answer;
    int64_t id;
    if (!may_send(req, err))
        return false;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "answer", true, &text, err) &&
                   (calendar_answer_read(text, &answer) ||
                    error_set(err, ERROR_INVALID,
                              "\"answer\" is \"accepted\", \"tentative\" or \"declined\"."));
    json_decref(body);
    if (!is_good || !invitation_send(req, request_param(req, "part"), answer,
                                     key.length ? key : str_of(req->id), &email, &id, err))
        return false;
    db = app_db(req, err);
    is_good = db && show(req, res, db, email.account_id, id, err);
    if (is_good)
        res->status = 201;
    return answer_done(req, &db, is_good);
}

/* Messages out of the way until a time. POST .../snoozed {"emailIds": [...], "until": UTCDate,
 * "mailboxId": only where they lie in it}: they are moved to the folder "Snoozed" (made if there is
 * none), and at their time back to where they lay: unread, on top. Answers like an action. With a
 * "filter" instead of ids it is about everything that matches, in the background (bulk.c). GET
 * .../snoozed: {"snoozed": [{"emailId", "mailboxId", "until"}]}. DELETE .../snoozed/{email} brings
 * one back now. */
#include "server/store/snooze.h"
#include "handlers/api/actions.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/once.h"
#include "handlers/snooze.h"
#include "server/base/clock.h"

bool api_snoozed(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct snoozed *list;
    size_t count;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db, snooze_list(db, req->arena, account.id, &list, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "snoozed");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_id(&json, "emailId", list[i].email_id);
        answer_id(&json, "mailboxId", list[i].mailbox_id);
        answer_time(&json, "until", list[i].until);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

static bool read_until(struct request *req, const json_t *body, int64_t *until, struct error *err)
{
    struct str text;
    if (!body_str(req->arena, body, "until", true, &text, err))
        return false;
    if (!clock_parse_rfc3339(text, until))
        return error_set(err, ERROR_INVALID, "\"until\" is no date like 2026-11-25T08:00:00Z.");
    return *until > clock_now_us() ||
           error_set(err, ERROR_INVALID, "\"until\" does not lie ahead.");
}

bool api_snooze(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id;
    struct action action = {.kind = ACTION_MOVE, .idempotency_key = once_key(req)};
    struct action_result result;
    struct str query;
    json_t *body = body_json(req, err);
    bool is_good = body && api_read_places(req, body, &action, err) &&
                   read_until(req, body, &action.until, err) &&
                   api_read_filter(req, body, &action, &query, err);
    bool is_bulk = is_good && json_object_get(body, "filter");
    json_decref(body);
    if (is_bulk)
        return api_bulk_accept(req, res, &action, query, err);
    return is_good && answer_account_id(req, &db, &account_id, err) &&
           answer_done(req, &db,
                       snooze_prepare(req, db, account_id, action.until, &action, err) &&
                           action_run(db, req->arena, account_id, &action, &result, err)) &&
           api_answer_result(res, &result);
}

bool api_snooze_end(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "email", &id, err) ||
        !answer_account_id(req, &db, &account_id, err) ||
        !answer_done(req, &db, snooze_hurry(db, account_id, &id, 1, err)))
        return false;
    res->status = 204;
    return true;
}

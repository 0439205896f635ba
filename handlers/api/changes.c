/* What changed since a state, and how an operation is doing. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"

enum { CHANGES_MAX = 500 };

static const char *const type_names[] = {[CHANGE_MAILBOX] = "Mailbox",
                                         [CHANGE_EMAIL] = "Email",
                                         [CHANGE_THREAD] = "Thread",
                                         [CHANGE_OPERATION] = "Operation",
                                         [CHANGE_SUBMISSION] = "EmailSubmission",
                                         [CHANGE_IDENTITY] = "Identity",
                                         [CHANGE_ACCOUNT] = "Account"};

static void write_ids(struct json *json, const char *name, const int64_t *ids, size_t count)
{
    json_write_name(json, name);
    json_write_array(json);
    for (size_t i = 0; i < count; i++) {
        char text[24];
        int length = snprintf(text, sizeof text, "%lld", (long long)ids[i]);
        json_write_str(json, str_make(text, (size_t)length));
    }
    json_write_array_end(json);
}

void answer_change(struct json *json, const struct change *change)
{
    json_write_object(json);
    answer_i64(json, "state", change->modseq);
    answer_text(json, "type", type_names[change->type]);
    write_ids(json, "created", change->created, change->created_count);
    write_ids(json, "updated", change->updated, change->updated_count);
    write_ids(json, "destroyed", change->destroyed, change->destroyed_count);
    json_write_object_end(json);
}

/* ?since=<state>: 409 when that is too long ago to be told; then start anew. */
bool api_changes(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct change *changes;
    size_t count;
    int64_t since = 0, state;
    struct str text = request_argument(req, "since");
    if (text.at && !str_to_i64(text, &since))
        return error_set(err, ERROR_INVALID, "\"since\" is a state as the answers give it.");
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db,
                     changes_since(db, req->arena, account.id, since, CHANGES_MAX, &changes, &count,
                                   &state, err)))
        return false;
    int64_t last = count > 0 ? changes[count - 1].modseq : since;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_i64(&json, "oldState", since);
    answer_i64(&json, "newState", count > 0 ? last : state);
    answer_bool(&json, "hasMoreChanges", count > 0 && last < state);
    json_write_name(&json, "changes");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        answer_change(&json, &changes[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_operation(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct operation operation;
    int64_t account_id, id;
    if (!request_param_id(req, "operation", &id, err) ||
        !answer_account_id(req, &db, &account_id, err) ||
        !answer_done(req, &db, operation_by_id(db, req->arena, account_id, id, &operation, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "id", operation.id);
    answer_str(&json, "kind", operation.kind);
    answer_text(&json, "state", operation_state_name(operation.state));
    answer_i64(&json, "attempts", operation.attempts);
    answer_raw(&json, "result", operation.result);
    if (operation.error.length > 0)
        answer_str(&json, "error", operation.error);
    answer_time(&json, "createdAt", operation.created_at);
    answer_time(&json, "finishedAt", operation.finished_at);
    json_write_object_end(&json);
    return true;
}

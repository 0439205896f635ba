/* Acting on emails and folders. An answer means that it is accepted for good and seen from now on;
 * the mail server is told afterwards (GET .../operations/{operation} says how that is going).
 *
 * POST .../actions:
 *   {"action": "keywords"|"move"|"copy"|"trash"|"destroy",
 *    "emailIds": ["1", ...] or "threadId": "1" or neither: all of "mailboxId",
 *    or "filter": everything that matches, in the background (bulk.c),
 *    "mailboxId": only where they lie in it, "toId": of move and copy,
 *    "keywords": {"$seen": true, "$flagged": false, "label": true}}
 * Answers: {"operations": ["5"], "changed": 1}; POST .../actions/undo takes {"operations": [...]}.
 */
#include "handlers/api/actions.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/once.h"
#include "server/store/mailboxes.h"

enum { KEYWORDS_MAX = 64 };

/* --- reading --------------------------------------------------------------------------------- */

static bool read_id(const json_t *value, int64_t *id)
{
    const char *text = json_string_value(value);
    return text && str_to_i64(str_of(text), id) && *id > 0;
}

bool api_read_id(const json_t *body, const char *name, int64_t *id, struct error *err)
{
    const json_t *value = json_object_get(body, name);
    *id = 0;
    return !value || json_is_null(value) || read_id(value, id) ||
           error_set(err, ERROR_INVALID, "\"%s\" must be an id.", name);
}

static bool read_ids(struct arena *arena, const json_t *body, const char *name, const int64_t **ids,
                     size_t *count, struct error *err)
{
    const json_t *list = json_object_get(body, name);
    size_t length = json_array_size(list);
    *count = 0;
    if (!list)
        return true;
    if (!json_is_array(list) || length == 0)
        return error_set(err, ERROR_INVALID, "\"%s\" must be a list of ids.", name);
    if (length > ACTION_EMAILS_MAX)
        return error_set(err, ERROR_LIMIT, "\"%s\" holds at most %d ids.", name,
                         (int)ACTION_EMAILS_MAX);
    int64_t *read = ARENA_ARRAY(arena, length, int64_t);
    for (size_t i = 0; i < length; i++)
        if (!read_id(json_array_get(list, i), &read[i]))
            return error_set(err, ERROR_INVALID, "\"%s\" must be a list of ids.", name);
    *ids = read;
    *count = length;
    return true;
}

/* The bit of "$seen"; 0: a keyword without one. */
static int flag_of(struct str keyword)
{
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if (name->keyword && str_equal_nocase(keyword, str_of(name->keyword)))
            return name->flag;
    return 0;
}

bool api_read_keywords(struct arena *arena, json_t *map, struct action *action, struct error *err)
{
    struct str *add = ARENA_ARRAY(arena, KEYWORDS_MAX, struct str);
    struct str *remove = ARENA_ARRAY(arena, KEYWORDS_MAX, struct str);
    const char *name;
    json_t *value;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return error_set(err, ERROR_INVALID, "\"keywords\" must be an object of true and false.");
    if (json_object_size(map) > KEYWORDS_MAX)
        return error_set(err, ERROR_LIMIT, "\"keywords\" holds at most %d keywords.", KEYWORDS_MAX);
    json_object_foreach(map, name, value)
    {
        struct str keyword = arena_str(arena, str_of(name));
        bool is_set = json_is_true(value);
        int flag = flag_of(keyword);
        if (!json_is_boolean(value) && !json_is_null(value))
            return error_set(err, ERROR_INVALID, "A keyword is true, false or null.");
        action->set |= is_set ? flag : 0;
        action->clear |= is_set ? 0 : flag;
        if (!flag && is_set)
            add[action->add_count++] = keyword;
        else if (!flag)
            remove[action->remove_count++] = keyword;
    }
    action->add_words = add;
    action->remove_words = remove;
    return true;
}

static bool read_kind(struct arena *arena, json_t *body, struct action *action, struct error *err)
{
    static const struct {
        const char *name;
        enum action_kind kind;
    } kinds[] = {{"keywords", ACTION_KEYWORDS},
                 {"move", ACTION_MOVE},
                 {"copy", ACTION_COPY},
                 {"trash", ACTION_TRASH},
                 {"destroy", ACTION_DESTROY}};
    struct str name;
    if (!body_str(arena, body, "action", true, &name, err))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!str_equal(name, str_of(kinds[i].name)))
            continue;
        action->kind = kinds[i].kind;
        return true;
    }
    return error_set(err, ERROR_INVALID,
                     "\"action\" is \"keywords\", \"move\", \"copy\", \"trash\" or \"destroy\".");
}

bool api_read_places(struct request *req, const json_t *body, struct action *action,
                     struct error *err)
{
    return read_ids(req->arena, body, "emailIds", &action->email_ids, &action->email_count, err) &&
           api_read_id(body, "threadId", &action->thread_id, err) &&
           api_read_id(body, "mailboxId", &action->mailbox_id, err);
}

static bool read_action(struct request *req, json_t *body, struct action *action, struct error *err)
{
    *action = (struct action){.idempotency_key = once_key(req)};
    if (!read_kind(req->arena, body, action, err) || !api_read_places(req, body, action, err) ||
        !api_read_id(body, "toId", &action->target_id, err))
        return false;
    if ((action->kind == ACTION_MOVE || action->kind == ACTION_COPY) && !action->target_id)
        return error_set(err, ERROR_INVALID, "\"toId\" is missing.");
    bool may_mark = action->kind == ACTION_MOVE && json_object_get(body, "filter");
    json_t *keywords = json_object_get(body, "keywords");
    return (action->kind != ACTION_KEYWORDS && !(may_mark && keywords)) ||
           api_read_keywords(req->arena, keywords, action, err);
}

bool api_read_filter(struct request *req, const json_t *body, struct action *action,
                     struct str *query, struct error *err)
{
    const json_t *filter = json_object_get(body, "filter");
    *query = STR_EMPTY;
    if (!filter)
        return true;
    if (!json_is_object(filter) || action->email_count || action->thread_id || action->mailbox_id)
        return error_set(err, ERROR_INVALID,
                         "\"filter\" is an object, and stands alone: without ids beside it.");
    if (!body_str(req->arena, filter, "query", false, query, err) ||
        !api_read_id(filter, "mailboxId", &action->mailbox_id, err))
        return false;
    return query->length || action->mailbox_id ||
           error_set(err, ERROR_INVALID, "\"filter\" has a \"query\" or a \"mailboxId\".");
}

/* --- answering ------------------------------------------------------------------------------- */

static void write_id_text(struct json *json, int64_t id)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)id);
    json_write_str(json, str_make(text, (size_t)length));
}

bool api_answer_result(struct response *res, const struct action_result *result)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "operations");
    json_write_array(&json);
    for (size_t i = 0; i < result->operation_count; i++)
        write_id_text(&json, result->operation_ids[i]);
    json_write_array_end(&json);
    answer_i64(&json, "changed", (int64_t)result->changed);
    json_write_object_end(&json);
    return true;
}

bool api_actions(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id;
    struct action action;
    struct action_result result;
    struct str query;
    json_t *body = body_json(req, err);
    bool is_good = body && read_action(req, body, &action, err) &&
                   api_read_filter(req, body, &action, &query, err);
    bool is_bulk = is_good && json_object_get(body, "filter");
    json_decref(body);
    if (is_bulk)
        return api_bulk_accept(req, res, &action, query, err);
    return is_good && answer_account_known(req, &db, &account_id, err) &&
           answer_done(req, &db, action_run(db, req->arena, account_id, &action, &result, err)) &&
           api_answer_result(res, &result);
}

bool api_actions_undo(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id;
    const int64_t *ids = NULL;
    size_t count = 0;
    struct action_result result;
    json_t *body = body_json(req, err);
    bool is_good = body && read_ids(req->arena, body, "operations", &ids, &count, err);
    json_decref(body);
    if (is_good && count == 0)
        return error_set(err, ERROR_INVALID, "\"operations\" is missing.");
    return is_good && answer_account_id(req, &db, &account_id, err) &&
           answer_done(req, &db,
                       action_undo(db, req->arena, account_id, ids, count, &result, err)) &&
           api_answer_result(res, &result);
}

/* --- folders --------------------------------------------------------------------------------- */

bool api_mailbox_create(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct str name;
    int64_t account_id, parent_id;
    struct action_result result;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "name", true, &name, err) &&
                   api_read_id(body, "parentId", &parent_id, err);
    json_decref(body);
    return is_good && answer_account_id(req, &db, &account_id, err) &&
           answer_done(req, &db,
                       mailbox_create(db, req->arena, account_id, parent_id, name, once_key(req),
                                      &result, err)) &&
           api_answer_result(res, &result);
}

/* "sortOrder": a number, or null for the order of roles and names. */
static bool sort_as_asked(struct db *db, int64_t account_id, int64_t id, const json_t *body,
                          struct error *err)
{
    const json_t *order = json_object_get(body, "sortOrder");
    if (!order)
        return true;
    json_int_t number = json_is_null(order) ? MAILBOX_UNSORTED : json_integer_value(order);
    if (!json_is_null(order) &&
        (!json_is_integer(order) || number < 0 || number > MAILBOX_SORT_MAX))
        return error_set(err, ERROR_INVALID, "\"sortOrder\" is a number from 0 to %d, or null.",
                         (int)MAILBOX_SORT_MAX);
    return mailbox_sort(db, account_id, &id, 1, (int)number, err);
}

static void join_operations(struct arena *arena, struct action_result *result,
                            const struct action_result *other)
{
    size_t count = result->operation_count + other->operation_count;
    int64_t *ids = ARENA_ARRAY(arena, count + 1, int64_t);
    for (size_t i = 0; i < count; i++)
        ids[i] = i < result->operation_count ? result->operation_ids[i]
                                             : other->operation_ids[i - result->operation_count];
    result->operation_ids = ids;
    result->operation_count = count;
}

static bool run_mailbox_patch(struct request *req, struct db *db, int64_t account_id, int64_t id,
                              const json_t *body, struct action_result *result, struct error *err)
{
    struct mailbox mailbox;
    struct str name, key = once_key(req);
    struct action_result subscription = {0};
    const json_t *subscribed = json_object_get(body, "isSubscribed");
    int64_t parent_id;
    if (!mailbox_by_id(db, req->arena, account_id, id, &mailbox, err) ||
        !body_str(req->arena, body, "name", json_object_get(body, "name"), &name, err) ||
        !api_read_id(body, "parentId", &parent_id, err) ||
        !sort_as_asked(db, account_id, id, body, err))
        return false;
    if (subscribed && !json_is_boolean(subscribed))
        return error_set(err, ERROR_INVALID, "\"isSubscribed\" is true or false.");
    if (subscribed && !mailbox_subscribe(db, req->arena, account_id, id, json_is_true(subscribed),
                                         key, &subscription, err))
        return false;
    *result = subscription;
    if (key.length && subscription.operation_count)
        key = arena_printf(req->arena, "%" STR_FMT ".rename", STR_ARG(key));
    if (!json_object_get(body, "parentId"))
        parent_id = mailbox.parent_id;
    if (name.length == 0)
        name = mailbox.name;
    if (str_equal(name, mailbox.name) && parent_id == mailbox.parent_id)
        return true;
    if (!mailbox_rename(db, req->arena, account_id, id, parent_id, name, key, result, err))
        return false;
    result->changed += subscription.changed;
    join_operations(req->arena, result, &subscription); /* to be taken back together */
    return true;
}

bool api_mailbox_update(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct action_result result = {0};
    int64_t account_id, id;
    if (!request_param_id(req, "mailbox", &id, err))
        return false;
    json_t *body = body_json(req, err);
    bool is_good =
        body && answer_account_id(req, &db, &account_id, err) &&
        answer_done(req, &db, run_mailbox_patch(req, db, account_id, id, body, &result, err)) &&
        api_answer_result(res, &result);
    json_decref(body);
    return is_good;
}

bool api_mailbox_delete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct action_result result;
    int64_t account_id, id;
    bool with_emails = str_equal(request_argument(req, "withEmails"), STR("true"));
    return request_param_id(req, "mailbox", &id, err) &&
           answer_account_id(req, &db, &account_id, err) &&
           answer_done(req, &db,
                       mailbox_delete(db, req->arena, account_id, id, with_emails, once_key(req),
                                      &result, err)) &&
           api_answer_result(res, &result);
}

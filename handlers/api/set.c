/* Changing emails one by one, many in a request (Email/set, RFC 8621 section 4.6):
 *
 * POST .../emails/set
 *   {"update": {"12": PATCH, "13": PATCH}, "destroy": ["14"]}
 * PATCH .../emails/12   PATCH
 *
 * A PATCH is {"keywords": {"$seen": true, "label": false}} (those that are named), or a single
 * "keywords/$seen": true; and "mailboxId": where it is moved to. Of a set each email has a result
 * of its own, whatever becomes of the others:
 *   {"operations": ["5"], "updated": {"12": null}, "destroyed": ["14"], "notDestroyed": {},
 *    "notUpdated": {"13": {"type": "notFound", "description": "…"}}}
 * Types are those of RFC 8620 section 5.3. Emails with the same patch are changed together. */
#include "handlers/api/actions.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "server/store/mailboxes.h"

enum { SET_MAX = 500 };

/* What is to become of one email. */
struct patch {
    struct action mark; /* with keywords to set or clear when `marks` */
    bool marks;
    int64_t target_id; /* 0: it stays where it is */
    bool is_destroyed;
};

/* Why one is not changed. */
struct refusal {
    const char *type;     /* NULL: it is changed */
    const char *property; /* the one that is wrong; NULL: none */
    struct str description;
};

struct item {
    const char *name; /* the id as it was sent */
    int64_t id;
    json_t *patch; /* NULL: it is destroyed */
    bool is_done;  /* with its group */
    struct refusal refusal;
};

/* The emails of one patch, in a run that changes all of them. */
struct group {
    struct item **items;
    size_t count;
};

struct set {
    struct request *req;
    struct db *db;
    int64_t account_id;
    struct item *items;
    size_t count;
    json_t *operations; /* for undo */
    size_t changed;
};

/* --- reading --------------------------------------------------------------------------------- */

/* "keywords" and "keywords/…" as one object, to be json_decref'd. */
static json_t *keywords_of(json_t *patch)
{
    static const char prefix[] = "keywords/";
    json_t *whole = json_object_get(patch, "keywords");
    if (whole && !json_is_object(whole))
        return json_incref(whole); /* as it is, to be refused */
    json_t *all = whole ? json_copy(whole) : json_object();
    const char *name;
    json_t *value;
    json_object_foreach(patch, name, value)
    {
        if (strncmp(name, prefix, sizeof prefix - 1) == 0)
            json_object_set(all, name + sizeof prefix - 1, value);
    }
    return all;
}

static bool read_patch(struct request *req, json_t *body, struct patch *patch,
                       const char **property, struct error *err)
{
    const char *name;
    json_t *value;
    *patch = (struct patch){.mark = {.kind = ACTION_KEYWORDS}};
    json_object_foreach(body, name, value)
    {
        *property = arena_text(req->arena, str_of(name));
        if (strcmp(name, "keywords") == 0 || str_starts(str_of(name), STR("keywords/")))
            patch->marks = true;
        else if (strcmp(name, "mailboxId") != 0)
            return error_set(err, ERROR_INVALID, "An email has no \"%.100s\" that can be changed.",
                             name);
    }
    *property = "mailboxId";
    if (!api_read_id(body, "mailboxId", &patch->target_id, err))
        return false;
    *property = "keywords";
    if (!patch->marks)
        return patch->target_id ||
               error_set(err, ERROR_INVALID, "\"keywords\" or \"mailboxId\" is missing.");
    json_t *keywords = keywords_of(body);
    bool is_good = api_read_keywords(req->arena, keywords, &patch->mark, err);
    json_decref(keywords);
    return is_good;
}

static bool read_destroyed(struct set *set, const json_t *list, struct error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        bool is_known = false;
        if (!name)
            return error_set(err, ERROR_INVALID, "\"destroy\" must be a list of ids.");
        for (size_t k = 0; k < set->count; k++) {
            struct item *other = &set->items[k];
            if (strcmp(other->name, name) != 0)
                continue;
            if (other->patch)
                other->refusal = (struct refusal){
                    "willDestroy", NULL, STR("It is to be destroyed in the same request.")};
            is_known = is_known || !other->patch;
        }
        if (!is_known)
            set->items[set->count++] = (struct item){.name = name};
    }
    return true;
}

/* Which emails, and what of each. The texts are the body's. */
static bool read_set(struct set *set, json_t *body, struct error *err)
{
    json_t *update = json_object_get(body, "update"), *destroy = json_object_get(body, "destroy");
    size_t count = json_object_size(update) + json_array_size(destroy);
    const char *name;
    json_t *patch;
    if ((update && !json_is_object(update)) || (destroy && !json_is_array(destroy)) || count == 0)
        return error_set(err, ERROR_INVALID,
                         "\"update\" is an object of ids and patches, \"destroy\" a list of ids.");
    if (count > SET_MAX)
        return error_set(err, ERROR_LIMIT, "A request changes at most %d emails.", SET_MAX);
    set->items = ARENA_ARRAY(set->req->arena, count, struct item);
    json_object_foreach(update, name, patch)
    {
        set->items[set->count++] = (struct item){.name = name, .patch = patch};
    }
    if (!read_destroyed(set, destroy, err))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        struct item *item = &set->items[i];
        if (!str_to_i64(str_of(item->name), &item->id) || item->id <= 0)
            item->refusal = (struct refusal){"notFound", NULL, STR("There is no such message.")};
        else if (item->patch && !json_is_object(item->patch) && !item->refusal.type)
            item->refusal = (struct refusal){"invalidPatch", NULL, STR("A patch is an object.")};
    }
    return true;
}

/* --- changing -------------------------------------------------------------------------------- */

static const char *type_of(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NOT_FOUND:
        return "notFound";
    case ERROR_INVALID:
        return "invalidProperties";
    case ERROR_LIMIT:
        return "tooManyKeywords"; /* the only limit that one email can meet */
    case ERROR_CONFLICT:
    case ERROR_FORBIDDEN:
        return "forbidden";
    default:
        return "serverFail";
    }
}

static void refuse(struct set *set, const struct group *group, const char *property,
                   const struct error *why)
{
    bool is_ours = why->kind == ERROR_DATABASE || why->kind == ERROR_INTERNAL;
    struct refusal refusal = {
        .type = property && why->kind == ERROR_NOT_FOUND ? "invalidProperties" : type_of(why->kind),
        .property = property,
        .description = is_ours ? STR("Something went wrong on our side.")
                               : arena_str(set->req->arena, str_of(why->message))};
    for (size_t i = 0; i < group->count; i++)
        group->items[i]->refusal = refusal;
}

/* Runs one action on those of a group that are still to be changed; who is not there (any more) is
 * refused. */
static bool run(struct set *set, const struct group *group, struct action action,
                struct action_result *result, struct error *err)
{
    int64_t *ids = ARENA_ARRAY(set->req->arena, group->count, int64_t);
    static const struct refusal gone = {"notFound", NULL, STR("There is no such message.")};
    *result = (struct action_result){0};
    action.email_ids = ids;
    for (size_t i = 0; i < group->count; i++)
        if (!group->items[i]->refusal.type)
            ids[action.email_count++] = group->items[i]->id;
    if (action.email_count == 0)
        return true;
    struct error why = ERROR_INIT;
    bool is_good = action_run(set->db, set->req->arena, set->account_id, &action, result, &why);
    if (!is_good && (why.kind != ERROR_NOT_FOUND || result->found_count)) {
        *err = why;
        return false;
    }
    for (size_t i = 0; i < group->count; i++) {
        struct item *item = group->items[i];
        bool is_found = false;
        for (size_t k = 0; k < result->found_count; k++)
            is_found = is_found || result->found_ids[k] == item->id;
        if (!is_found && !item->refusal.type)
            item->refusal = gone;
    }
    return true;
}

static void note(struct set *set, const struct action_result *result)
{
    for (size_t i = 0; i < result->operation_count; i++)
        json_array_append_new(set->operations,
                              json_sprintf("%lld", (long long)result->operation_ids[i]));
    set->changed += result->changed;
}

/* Both halves of a patch, or neither. */
static bool change(struct set *set, const struct group *group, const struct patch *patch,
                   const char **property, struct error *err)
{
    struct action_result marked = {0}, moved = {0};
    struct action move = {.kind = patch->is_destroyed ? ACTION_DESTROY : ACTION_MOVE,
                          .target_id = patch->target_id};
    *property = "keywords";
    if (patch->marks && !run(set, group, patch->mark, &marked, err))
        return false;
    *property = patch->target_id ? "mailboxId" : NULL;
    if ((patch->target_id || patch->is_destroyed) && !run(set, group, move, &moved, err)) {
        action_undo(set->db, set->req->arena, set->account_id, marked.operation_ids,
                    marked.operation_count, NULL, NULL);
        return false;
    }
    note(set, &marked);
    note(set, &moved);
    return true;
}

/* A patch that can be carried out: well formed, and with a folder that is there. */
static bool read_wish(struct set *set, json_t *body, struct patch *patch, const char **property,
                      struct error *err)
{
    struct mailbox target;
    *patch = (struct patch){.is_destroyed = true};
    *property = NULL;
    if (!body)
        return true;
    if (!read_patch(set->req, body, patch, property, err))
        return false;
    *property = "mailboxId";
    if (!patch->target_id ||
        mailbox_by_id(set->db, set->req->arena, set->account_id, patch->target_id, &target, err))
        return true;
    return err->kind == ERROR_NOT_FOUND &&
           error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
}

static void change_group(struct set *set, struct group *group)
{
    struct patch patch;
    struct error why = ERROR_INIT;
    const char *property;
    bool is_sound = read_wish(set, group->items[0]->patch, &patch, &property, &why);
    if (is_sound && change(set, group, &patch, &property, &why))
        return;
    if (!is_sound || group->count == 1) {
        refuse(set, group, property, &why);
        return;
    }
    for (size_t i = 0; i < group->count; i++) { /* which of them is it? */
        struct group one = {&group->items[i], 1};
        why = ERROR_INIT;
        if (!group->items[i]->refusal.type && !change(set, &one, &patch, &property, &why))
            refuse(set, &one, property, &why);
    }
}

static bool is_same(const struct item *one, const struct item *other)
{
    return one->patch && other->patch ? json_equal(one->patch, other->patch)
                                      : !one->patch && !other->patch;
}

static void change_all(struct set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct group group = {.items = ARENA_ARRAY(set->req->arena, set->count - i, struct item *)};
        for (size_t k = i; k < set->count; k++) {
            struct item *item = &set->items[k];
            if (item->is_done || item->refusal.type || !is_same(&set->items[i], item))
                continue;
            item->is_done = true;
            group.items[group.count++] = item;
        }
        if (group.count)
            change_group(set, &group);
    }
}

/* --- answering ------------------------------------------------------------------------------- */

static void write_refused(struct json *json, const struct set *set, const char *name, bool is_patch)
{
    json_write_name(json, name);
    json_write_object(json);
    for (size_t i = 0; i < set->count; i++) {
        const struct item *item = &set->items[i];
        if (!item->refusal.type || !item->patch == is_patch)
            continue;
        json_write_name_str(json, str_of(item->name));
        json_write_object(json);
        answer_text(json, "type", item->refusal.type);
        answer_str(json, "description", item->refusal.description);
        if (item->refusal.property) {
            json_write_name(json, "properties");
            json_write_array(json);
            json_write_text(json, item->refusal.property);
            json_write_array_end(json);
        }
        json_write_object_end(json);
    }
    json_write_object_end(json);
}

static void write_operations(struct json *json, const struct set *set)
{
    json_write_name(json, "operations");
    json_write_array(json);
    for (size_t i = 0; i < json_array_size(set->operations); i++)
        json_write_text(json, json_string_value(json_array_get(set->operations, i)));
    json_write_array_end(json);
    answer_i64(json, "changed", (int64_t)set->changed);
}

static void write_set(struct response *res, const struct set *set)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    write_operations(&json, set);
    json_write_name(&json, "updated");
    json_write_object(&json);
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].patch && !set->items[i].refusal.type)
            answer_text(&json, set->items[i].name, NULL);
    json_write_object_end(&json);
    write_refused(&json, set, "notUpdated", true);
    json_write_name(&json, "destroyed");
    json_write_array(&json);
    for (size_t i = 0; i < set->count; i++)
        if (!set->items[i].patch && !set->items[i].refusal.type)
            json_write_text(&json, set->items[i].name);
    json_write_array_end(&json);
    write_refused(&json, set, "notDestroyed", false);
    json_write_object_end(&json);
}

bool api_emails_set(struct request *req, struct response *res, struct error *err)
{
    struct set set = {.req = req, .operations = json_array()};
    struct account account;
    json_t *body = body_json(req, err);
    bool is_good = body && read_set(&set, body, err) && answer_account(req, &set.db, &account, err);
    if (is_good) {
        set.account_id = account.id;
        change_all(&set);
        write_set(res, &set);
    }
    json_decref(body);
    json_decref(set.operations);
    return answer_done(req, &set.db, is_good);
}

bool api_email_patch(struct request *req, struct response *res, struct error *err)
{
    struct set set = {.req = req, .operations = json_array()};
    struct item item = {0}, *items[] = {&item};
    struct group group = {items, 1};
    struct patch patch;
    const char *property;
    json_t *body = NULL;
    bool is_good = request_param_id(req, "email", &item.id, err) && (body = body_json(req, err)) &&
                   read_patch(req, body, &patch, &property, err) &&
                   answer_account_id(req, &set.db, &set.account_id, err) &&
                   change(&set, &group, &patch, &property, err);
    json_decref(body);
    if (is_good && item.refusal.type)
        is_good = error_set(err, ERROR_NOT_FOUND, "There is no such message any more.");
    if (is_good) {
        struct json json = answer_json(res);
        json_write_object(&json);
        write_operations(&json, &set);
        json_write_object_end(&json);
    }
    json_decref(set.operations);
    return answer_done(req, &set.db, is_good);
}

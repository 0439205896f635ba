/* Groups of the address book. */
#include "server/store/contact_groups.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"

static void write_group(struct json *json, const struct contact_group *group)
{
    json_write_object(json);
    answer_id(json, "id", group->id);
    answer_str(json, "name", group->name);
    answer_i64(json, "memberCount", group->member_count);
    json_write_object_end(json);
}

bool api_contact_groups(struct request *req, struct response *res, struct error *err)
{
    struct contact_group *groups;
    size_t count;
    struct db *db = app_db(req, err);
    bool is_good =
        db && contact_group_list(db, req->arena, signed_in(req)->user_id, &groups, &count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "groups");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_group(&json, &groups[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

/* With its members: {"id", "name", "memberCount", "members": [{"id", "name", "emails"}]}. */
static bool show(struct request *req, struct response *res, struct db *db, int64_t id,
                 struct error *err)
{
    struct contact_group group;
    struct contact *members;
    size_t count;
    int64_t user_id = signed_in(req)->user_id;
    if (!contact_group_by_id(db, req->arena, user_id, id, &group, err) ||
        !contact_group_members(db, req->arena, user_id, id, &members, &count, err))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "id", group.id);
    answer_str(&json, "name", group.name);
    answer_i64(&json, "memberCount", group.member_count);
    json_write_name(&json, "members");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_id(&json, "id", members[i].id);
        answer_str(&json, "name", members[i].name);
        answer_words(&json, "emails", members[i].emails);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_contact_group(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "group", &id, err))
        return false;
    struct db *db = app_db(req, err);
    return answer_done(req, &db, db && show(req, res, db, id, err));
}

/* A list of ids of contacts; none where there is no such list. */
static bool read_contacts(struct request *req, const json_t *body, const char *name, int64_t **ids,
                          size_t *count, struct error *err)
{
    const json_t *list = json_object_get(body, name), *one;
    size_t i;
    *count = 0;
    *ids = NULL;
    if (!list)
        return true;
    if (!json_is_array(list) || json_array_size(list) > GROUP_MEMBERS_MAX)
        return error_set(err, ERROR_INVALID, "\"%s\" is a list of at most %d ids of contacts.",
                         name, GROUP_MEMBERS_MAX);
    *ids = ARENA_ARRAY(req->arena, json_array_size(list), int64_t);
    json_array_foreach(list, i, one)
    {
        if (!str_to_i64(str_of(json_string_value(one)), &(*ids)[i]))
            return error_set(err, ERROR_INVALID, "\"%s\" holds what is no id.", name);
    }
    *count = json_array_size(list);
    return true;
}

/* {"name", "add": [ids], "remove": [ids]}: all of it or nothing. */
static bool change(struct request *req, struct db *db, const json_t *body, int64_t *id,
                   struct error *err)
{
    struct contact_group group = {.id = *id};
    int64_t *add, *remove, user_id = signed_in(req)->user_id;
    size_t add_count, remove_count;
    if (!body_str(req->arena, body, "name", *id == 0, &group.name, err) ||
        !read_contacts(req, body, "add", &add, &add_count, err) ||
        !read_contacts(req, body, "remove", &remove, &remove_count, err) || !db_begin(db, err))
        return false;
    group.name = str_trim(group.name);
    bool is_good = *id && !group.name.length
                       ? contact_group_by_id(db, req->arena, user_id, *id, &group, err)
                       : contact_group_put(db, user_id, &group, err);
    is_good =
        is_good && (!add_count || contact_group_join(db, user_id, group.id, add, add_count, err)) &&
        (!remove_count || contact_group_leave(db, user_id, group.id, remove, remove_count, err)) &&
        db_commit(db, err);
    *id = group.id;
    if (!is_good)
        db_rollback(db);
    return is_good;
}

static bool save(struct request *req, struct response *res, int64_t id, struct error *err)
{
    bool was_new = id == 0;
    json_t *body = body_json(req, err);
    struct db *db = body ? app_db(req, err) : NULL;
    bool is_good = db && change(req, db, body, &id, err) && show(req, res, db, id, err);
    json_decref(body);
    if (is_good && was_new)
        res->status = 201;
    return answer_done(req, &db, is_good);
}

bool api_contact_group_create(struct request *req, struct response *res, struct error *err)
{
    return save(req, res, 0, err);
}

bool api_contact_group_save(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "group", &id, err) && save(req, res, id, err);
}

bool api_contact_group_delete(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "group", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_group_delete(db, signed_in(req)->user_id, id, err);
    if (is_good)
        res->status = 204;
    return answer_done(req, &db, is_good);
}

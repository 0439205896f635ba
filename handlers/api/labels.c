/* Labels of an account: names and colours of keywords (server/store/labels.h). A Label: {"id",
 * "name", "keyword", "colour"}; `keyword` is what Email objects and actions have, `colour` one of
 * teal, blue, violet, red, ochre, green, pink, indigo. POST makes one (201); given "keyword" it
 * names one that messages have already. PATCH {"name", "colour"} changes it, DELETE takes it off
 * all messages: both tell in "bulkId" the action that changes the keywords of messages in the
 * background, if there is one. */
#include "server/store/labels.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"

static void write_label(struct json *json, const struct label *label)
{
    answer_id(json, "id", label->id);
    answer_str(json, "name", label->name);
    answer_str(json, "keyword", label->keyword);
    answer_text(json, "colour", label_colours[label->colour]);
}

bool api_labels(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct label *labels;
    size_t count;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db, label_list(db, req->arena, account.id, &labels, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "labels");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        write_label(&json, &labels[i]);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

static bool read_label(struct request *req, const json_t *body, struct label *label,
                       struct error *err)
{
    struct str colour = STR_EMPTY;
    const struct body_text texts[] = {{"name", &label->name}};
    if (!body_texts(req->arena, body, texts, 1, err) ||
        !body_str(req->arena, body, "colour", false, &colour, err) ||
        (!label->id && !body_str(req->arena, body, "keyword", false, &label->keyword, err)))
        return false;
    if (!label->id && label->keyword.length && !label->name.length)
        label->name = label_name_of(req->arena, label->keyword);
    if (!colour.length)
        return true;
    for (int i = 0; i < LABEL_COLOURS; i++)
        if (str_equal(colour, str_of(label_colours[i]))) {
            label->colour = i;
            return true;
        }
    return error_set(err, ERROR_INVALID, "\"colour\" is no colour of labels.");
}

static bool save(struct request *req, struct response *res, int64_t id, struct error *err)
{
    struct db *db = NULL;
    struct account account;
    struct label label = {0};
    int64_t bulk_id = 0;
    json_t *body = body_json(req, err);
    bool is_good = body && answer_account(req, &db, &account, err) &&
                   (!id || label_by_id(db, req->arena, account.id, id, &label, err)) &&
                   read_label(req, body, &label, err);
    json_decref(body);
    label.account_id = is_good ? account.id : 0;
    is_good = is_good && label_put(db, req->arena, &label, &bulk_id, err);
    if (is_good) {
        struct json json = answer_json(res);
        res->status = id ? 200 : 201;
        json_write_object(&json);
        write_label(&json, &label);
        answer_id(&json, "bulkId", bulk_id);
        json_write_object_end(&json);
    }
    return answer_done(req, &db, is_good);
}

bool api_label_create(struct request *req, struct response *res, struct error *err)
{
    return save(req, res, 0, err);
}

bool api_label_save(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "label", &id, err) && save(req, res, id, err);
}

bool api_label_delete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t id, bulk_id = 0;
    if (!request_param_id(req, "label", &id, err) || !answer_account(req, &db, &account, err) ||
        !answer_done(req, &db, label_delete(db, req->arena, account.id, id, &bulk_id, err)))
        return false;
    struct json json = answer_json(res);
    res->status = 202;
    json_write_object(&json);
    answer_id(&json, "bulkId", bulk_id);
    json_write_object_end(&json);
    return true;
}

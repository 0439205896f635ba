/* Who a person writes as (RFC 8621 section 6). */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/writing.h"

static void write_identity(struct json *json, const struct identity *i)
{
    json_write_object(json);
    answer_id(json, "id", i->id);
    answer_str(json, "name", i->name);
    answer_str(json, "email", i->email);
    answer_str(json, "replyTo", i->reply_to);
    answer_str(json, "bcc", i->bcc);
    answer_str(json, "textSignature", i->text_signature);
    answer_str(json, "htmlSignature", i->html_signature);
    answer_text(json, "quoting", quoting_name(i->quoting));
    answer_bool(json, "isHtml", i->is_html);
    json_write_object_end(json);
}

static bool read_identity(struct request *req, const json_t *body, struct identity *i,
                          struct error *err)
{
    const struct body_text texts[] = {{"name", &i->name},
                                      {"email", &i->email},
                                      {"replyTo", &i->reply_to},
                                      {"bcc", &i->bcc},
                                      {"textSignature", &i->text_signature},
                                      {"htmlSignature", &i->html_signature}};
    struct str quoting = STR_EMPTY;
    if (!body_texts(req->arena, body, texts, sizeof texts / sizeof *texts, err) ||
        !body_str(req->arena, body, "quoting", false, &quoting, err))
        return false;
    if (quoting.length && !quoting_parse(quoting, &i->quoting))
        return error_set(err, ERROR_INVALID, "\"quoting\" is below, above or none.");
    if (json_object_get(body, "isHtml"))
        i->is_html = json_is_true(json_object_get(body, "isHtml"));
    return writing_identity_check(req, i, err);
}

bool api_identities(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct identity *list;
    size_t count;
    if (!answer_account(req, &db, &account, err))
        return false;
    if (!answer_done(req, &db, identity_list(db, req->arena, account.id, &list, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "identities");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_identity(&json, &list[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

static bool save(struct request *req, struct response *res, int64_t id, struct error *err)
{
    struct db *db = NULL;
    int64_t account_id;
    struct identity identity = {.email = STR_EMPTY};
    json_t *body = body_json(req, err);
    bool is_good = body && answer_account_id(req, &db, &account_id, err) &&
                   (!id || identity_by_id(db, req->arena, account_id, id, &identity, err)) &&
                   read_identity(req, body, &identity, err);
    json_decref(body);
    identity.account_id = is_good ? account_id : 0;
    is_good = is_good && identity_put(db, &identity, err);
    if (is_good) {
        struct json json = answer_json(res);
        res->status = id ? 200 : 201;
        write_identity(&json, &identity);
    }
    return answer_done(req, &db, is_good);
}

bool api_identity_create(struct request *req, struct response *res, struct error *err)
{
    return save(req, res, 0, err);
}

bool api_identity_save(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "identity", &id, err) && save(req, res, id, err);
}

bool api_identity_delete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "identity", &id, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good = identity_delete(db, account_id, id, err);
    if (is_good)
        res->status = 204;
    return answer_done(req, &db, is_good);
}

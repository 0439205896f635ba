/* Mail being written: drafts, uploads, attachments. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/once.h"
#include "handlers/writing.h"

enum { NAME_BYTES_MAX = 255, TYPE_BYTES_MAX = 127, CID_BYTES_MAX = 200 };

static const char *const priorities[] = {"normal", "high", "low"};
static const char *const answer_names[] = {NULL, "reply", "forward"};
static const char *const takes[] = {"nothing", "pictures", "parts", "message"};

/* --- writing --------------------------------------------------------------------------------- */

static void write_attachments(struct json *json, const struct draft_attachment *list, size_t count)
{
    json_write_name(json, "attachments");
    json_write_array(json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(json);
        answer_i64(json, "number", list[i].n);
        answer_id(json, "blobId", list[i].blob_id);
        answer_str(json, "name", list[i].name);
        answer_str(json, "type", list[i].type);
        answer_i64(json, "size", list[i].size_bytes);
        if (list[i].cid.length)
            answer_str(json, "cid", list[i].cid);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static void write_draft(struct response *res, const struct draft *d,
                        const struct draft_attachment *list, size_t count)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "id", d->email_id);
    answer_i64(&json, "revision", d->revision);
    answer_id(&json, "identityId", d->identity_id);
    answer_str(&json, "to", d->to);
    answer_str(&json, "cc", d->cc);
    answer_str(&json, "bcc", d->bcc);
    answer_str(&json, "subject", d->subject);
    answer_str(&json, "text", d->text);
    answer_str(&json, "html", d->html);
    answer_text(&json, "priority", priorities[d->priority]);
    answer_bool(&json, "requestReceipt", d->wants_receipt);
    answer_bool(&json, "requestReport", d->wants_report);
    answer_str(&json, "inReplyTo", d->in_reply_to);
    answer_str(&json, "references", d->references);
    answer_id(&json, "answersId", d->answers_id);
    answer_text(&json, "answersHow", answer_names[d->answers_how]);
    answer_bool(&json, "isBeingSent", d->is_hidden);
    answer_time(&json, "changedAt", d->changed_at);
    write_attachments(&json, list, count);
    json_write_object_end(&json);
}

/* --- reading --------------------------------------------------------------------------------- */

/* "to" and the like: a text as people type it, or [{"name", "email"}] as in RFC 8621. */
static bool read_people(struct request *req, const json_t *body, const char *name,
                        struct str *typed, struct error *err)
{
    const json_t *value = json_object_get(body, name);
    struct compose_address *list;
    if (!json_is_array(value))
        return !value || body_str(req->arena, body, name, false, typed, err);
    size_t count = json_array_size(value);
    if (count > COMPOSE_ADDRESSES_MAX)
        return error_set(err, ERROR_LIMIT, "\"%s\" has too many addresses.", name);
    list = ARENA_ARRAY(req->arena, count, struct compose_address);
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(value, i);
        if (!json_is_object(one) || !body_str(req->arena, one, "name", false, &list[i].name, err) ||
            !body_str(req->arena, one, "email", true, &list[i].email, err) ||
            !compose_email_check(req->arena, list[i].email, &list[i].email, err))
            return err->kind != ERROR_NONE
                       ? false
                       : error_set(err, ERROR_INVALID, "\"%s\" holds no addresses.", name);
    }
    *typed = compose_addresses_show(req->arena, (struct compose_addresses){list, count});
    return true;
}

static bool read_id(struct request *req, const json_t *body, const char *name, int64_t *id,
                    struct error *err)
{
    struct str text;
    if (!json_object_get(body, name))
        return true;
    *id = 0;
    if (!body_str(req->arena, body, name, false, &text, err))
        return false;
    return !text.length || (str_to_i64(text, id) && *id > 0) ||
           error_set(err, ERROR_INVALID, "\"%s\" is no id.", name);
}

static bool read_word(struct request *req, const json_t *body, const char *name,
                      const char *const *words, int count, int *found, struct error *err)
{
    struct str text;
    if (!json_object_get(body, name))
        return true;
    if (!body_str(req->arena, body, name, false, &text, err))
        return false;
    for (*found = 0; *found < count; ++*found)
        if (str_equal(text, str_of(words[*found])))
            return true;
    *found = 0;
    return !text.length || error_set(err, ERROR_INVALID, "\"%s\" has no such value.", name);
}

static bool read_draft(struct request *req, const json_t *body, struct draft *d, struct error *err)
{
    const struct body_text texts[] = {{"subject", &d->subject},
                                      {"text", &d->text},
                                      {"html", &d->html},
                                      {"inReplyTo", &d->in_reply_to},
                                      {"references", &d->references}};
    int priority = (int)d->priority, how = (int)d->answers_how;
    bool is_good = read_people(req, body, "to", &d->to, err) &&
                   read_people(req, body, "cc", &d->cc, err) &&
                   read_people(req, body, "bcc", &d->bcc, err) &&
                   body_texts(req->arena, body, texts, sizeof texts / sizeof *texts, err) &&
                   read_id(req, body, "identityId", &d->identity_id, err) &&
                   read_id(req, body, "answersId", &d->answers_id, err) &&
                   read_word(req, body, "priority", priorities, 3, &priority, err) &&
                   read_word(req, body, "answersHow", answer_names, 3, &how, err);
    d->priority = (enum draft_priority)priority;
    d->answers_how = d->answers_id ? (enum answers_how)how : ANSWERS_NOTHING;
    if (json_object_get(body, "requestReceipt"))
        d->wants_receipt = json_is_true(json_object_get(body, "requestReceipt"));
    if (json_object_get(body, "requestReport"))
        d->wants_report = json_is_true(json_object_get(body, "requestReport"));
    return is_good;
}

/* --- handlers -------------------------------------------------------------------------------- */

static bool show(struct request *req, struct response *res, struct db *db, int64_t account_id,
                 int64_t id, struct error *err)
{
    struct draft draft;
    struct draft_attachment *list;
    size_t count;
    if (!draft_by_id(db, req->arena, account_id, id, &draft, err) ||
        !draft_attachments(db, req->arena, account_id, id, &list, &count, err))
        return false;
    write_draft(res, &draft, list, count);
    return true;
}

/* "takeFrom" is the email whose "take" comes along: "pictures" that the HTML shows, "parts" (the
 * attachments too), or the "message" itself. */
static bool read_take(struct request *req, const json_t *body, struct writing_take *take,
                      struct error *err)
{
    int how = TAKE_PARTS;
    if (!read_id(req, body, "takeFrom", &take->email_id, err) ||
        !read_word(req, body, "take", takes, 4, &how, err))
        return false;
    take->how = take->email_id ? (enum take)how : TAKE_NOTHING;
    return true;
}

/* Makes it, or finds the one that this request made before its process died. */
static bool make(struct request *req, struct db **db, struct draft *draft,
                 const struct writing_take *take, struct error *err)
{
    int64_t known;
    if (!draft_known(*db, draft->account_id, draft->idempotency_key, &known, err))
        return false;
    draft->email_id = known;
    if (known || writing_begin(req, db, draft, 0, take, err))
        return true;
    if (*db && draft->email_id) /* half of it is not what was asked for */
        draft_delete(*db, draft->account_id, draft->email_id, NULL);
    return false;
}

bool api_draft_create(struct request *req, struct response *res, struct error *err)
{
    struct db *db = NULL;
    struct account account;
    struct draft draft = {.idempotency_key = once_key(req)};
    struct writing_take take = {TAKE_NOTHING, 0};
    json_t *body = body_json(req, err);
    bool is_good = body && read_draft(req, body, &draft, err) && read_take(req, body, &take, err) &&
                   answer_account(req, &db, &account, err);
    json_decref(body);
    draft.account_id = is_good ? account.id : 0;
    is_good = is_good && make(req, &db, &draft, &take, err) &&
              show(req, res, db, account.id, draft.email_id, err);
    if (is_good)
        res->status = 201;
    return answer_done(req, &db, is_good);
}

bool api_draft(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "draft", &id, err) || !answer_account_id(req, &db, &account_id, err))
        return false;
    return answer_done(req, &db, show(req, res, db, account_id, id, err));
}

/* "revision" is the one it began with: without it whatever is there is written over. */
bool api_draft_save(struct request *req, struct response *res, struct error *err)
{
    struct db *db = NULL;
    struct draft draft;
    int64_t account_id, id, revision = 0;
    if (!request_param_id(req, "draft", &id, err))
        return false;
    json_t *body = body_json(req, err);
    bool is_good = body && body_int(body, "revision", 0, INT32_MAX, &revision, err) &&
                   answer_account_id(req, &db, &account_id, err) &&
                   draft_by_id(db, req->arena, account_id, id, &draft, err) &&
                   read_draft(req, body, &draft, err) &&
                   writing_save(req, db, &draft, (int)revision, err) &&
                   show(req, res, db, account_id, id, err);
    json_decref(body);
    return answer_done(req, &db, is_good);
}

bool api_draft_delete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "draft", &id, err) || !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good = draft_delete(db, account_id, id, err);
    if (is_good)
        res->status = 204;
    return answer_done(req, &db, is_good);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static struct str type_of(const struct request *req)
{
    struct str type = request_header(req, "Content-Type");
    type = type.at ? str_trim(type) : STR_EMPTY;
    return type.length && type.length <= TYPE_BYTES_MAX ? type : STR("application/octet-stream");
}

/* The body as it is, of any type: {"blobId", "type", "size"}. Kept a day unless it is used. */
bool api_upload(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t blob_id;
    if (!answer_account(req, &db, &account, err))
        return false;
    bool is_good = writing_upload_once(req, db, account.id, &blob_id, err);
    if (is_good) {
        res->status = 201;
        struct json json = answer_json(res);
        json_write_object(&json);
        answer_id(&json, "accountId", account.id);
        answer_id(&json, "blobId", blob_id);
        answer_str(&json, "type", type_of(req));
        answer_i64(&json, "size", (int64_t)req->body_bytes);
        json_write_object_end(&json);
    }
    return answer_done(req, &db, is_good);
}

static struct str argument(const struct request *req, const char *name, size_t bytes_max)
{
    struct str text = request_argument(req, name);
    return text.at ? str_sub(text, 0, bytes_max) : STR_EMPTY;
}

/* Bytes that a crash leaves without their attachment are swept after a day. */
static bool attach(struct request *req, struct db *db, int64_t account_id, int64_t id,
                   struct draft_attachment *one, struct error *err)
{
    if (once_made(req))
        return true;
    if ((!one->blob_id &&
         !writing_upload(req, db, account_id, 0, req->body_bytes, &one->blob_id, err)) ||
        !db_begin(db, err))
        return false;
    bool is_good =
        draft_attach(db, account_id, id, one, err) && once_note_made(req, db, one->n, err);
    if (!is_good)
        db_rollback(db);
    return is_good && db_commit(db, err);
}

/* POST ?name=…&cid=…: the body's bytes, or with &blobId=… an upload's. */
bool api_draft_attach(struct request *req, struct response *res, struct error *err)
{
    struct db *db = NULL;
    int64_t account_id, id;
    struct draft_attachment one = {.name = argument(req, "name", NAME_BYTES_MAX),
                                   .cid = argument(req, "cid", CID_BYTES_MAX),
                                   .type = type_of(req)};
    struct str blob = argument(req, "blobId", 20), type = argument(req, "type", TYPE_BYTES_MAX);
    if (type.length)
        one.type = type;
    if (blob.length && (!str_to_i64(blob, &one.blob_id) || one.blob_id <= 0))
        return error_set(err, ERROR_INVALID, "\"blobId\" is no id.");
    struct draft draft;
    bool is_good =
        request_param_id(req, "draft", &id, err) && answer_account_id(req, &db, &account_id, err) &&
        draft_by_id(db, req->arena, account_id, id, &draft, err) &&
        attach(req, db, account_id, id, &one, err) && show(req, res, db, account_id, id, err);
    if (is_good)
        res->status = 201;
    return answer_done(req, &db, is_good);
}

bool api_draft_detach(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id, number;
    if (!request_param_id(req, "draft", &id, err) ||
        !request_param_id(req, "attachment", &number, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good =
        (number <= INT32_MAX || error_set(err, ERROR_NOT_FOUND, "There is no such attachment.")) &&
        draft_detach(db, account_id, id, (int)number, err) &&
        show(req, res, db, account_id, id, err);
    return answer_done(req, &db, is_good);
}

#include "handlers/api/answer.h"

#include "server/base/clock.h"
#include "server/base/utf8.h"

struct json answer_json(struct response *res)
{
    response_set_header(res, "Content-Type", STR("application/json"));
    return JSON_INIT(&res->body);
}

void answer_id(struct json *json, const char *name, int64_t id)
{
    char text[24];
    json_write_name(json, name);
    if (id == 0) {
        json_write_null(json);
        return;
    }
    json_write_str(json,
                   str_make(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)id)));
}

void answer_time(struct json *json, const char *name, int64_t at_us)
{
    char text[CLOCK_TEXT_BYTES];
    json_write_name(json, name);
    if (at_us == 0)
        json_write_null(json);
    else
        json_write_str(json, clock_format_utc(at_us, text));
}

void answer_str(struct json *json, const char *name, struct str text)
{
    json_write_name(json, name);
    json_write_str(json, text);
}

void answer_text(struct json *json, const char *name, const char *text)
{
    json_write_name(json, name);
    json_write_text(json, text);
}

void answer_i64(struct json *json, const char *name, int64_t number)
{
    json_write_name(json, name);
    json_write_i64(json, number);
}

void answer_bool(struct json *json, const char *name, bool is_true)
{
    json_write_name(json, name);
    json_write_bool(json, is_true);
}

void answer_words(struct json *json, const char *name, struct str words)
{
    json_write_name(json, name);
    json_write_array(json);
    while (words.at && words.length)
        json_write_str(json, str_cut(&words, ' '));
    json_write_array_end(json);
}

void answer_raw(struct json *json, const char *name, struct str text)
{
    json_write_name(json, name);
    if (text.length > 0)
        json_write_raw(json, text);
    else
        json_write_null(json);
}

/* --- reading --------------------------------------------------------------------------------- */

json_t *body_json(const struct request *req, struct error *err)
{
    json_error_t why;
    struct str body;
    struct str type = request_header(req, "Content-Type");
    type = str_trim(str_cut(&type, ';'));
    if (!str_equal_nocase(type, STR("application/json"))) {
        error_set(err, ERROR_UNSUPPORTED, "The body must be application/json.");
        return NULL;
    }
    if (!request_body(req, &body, err))
        return NULL;
    json_t *root = json_loadb(body.at, body.length, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        error_set(err, ERROR_INVALID, "The body is not JSON: line %d, column %d: %s.", why.line,
                  why.column, why.text);
        return NULL;
    }
    if (json_is_object(root))
        return root;
    json_decref(root);
    error_set(err, ERROR_INVALID, "The body must be a JSON object.");
    return NULL;
}

bool body_str(struct arena *arena, const json_t *object, const char *name, bool is_needed,
              struct str *text, struct error *err)
{
    const json_t *value = json_object_get(object, name);
    *text = STR_EMPTY;
    if (!value || json_is_null(value))
        return !is_needed || error_set(err, ERROR_INVALID, "\"%s\" is missing.", name);
    if (!json_is_string(value))
        return error_set(err, ERROR_INVALID, "\"%s\" must be a string.", name);
    *text = arena_str(arena, str_make(json_string_value(value), json_string_length(value)));
    return !is_needed || text->length > 0 ||
           error_set(err, ERROR_INVALID, "\"%s\" is empty.", name);
}

bool body_texts(struct arena *arena, const json_t *object, const struct body_text *texts,
                size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (json_object_get(object, texts[i].name) &&
            !body_str(arena, object, texts[i].name, false, texts[i].text, err))
            return false;
    return true;
}

bool body_int(const json_t *object, const char *name, int64_t low, int64_t high, int64_t *number,
              struct error *err)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high)
        return error_set(err, ERROR_INVALID, "\"%s\" must be a number from %lld to %lld.", name,
                         (long long)low, (long long)high);
    *number = json_integer_value(value);
    return true;
}

/* --- the account ----------------------------------------------------------------------------- */

bool answer_account(struct request *req, struct db **db, struct account *account, struct error *err)
{
    int64_t id;
    *db = NULL;
    return request_param_id(req, "account", &id, err) && (*db = app_db(req, err)) &&
           (session_account(req, *db, id, account, err) || answer_done(req, db, false));
}

bool answer_account_id(struct request *req, struct db **db, int64_t *account_id, struct error *err)
{
    struct account account;
    if (req->method & (HTTP_GET | HTTP_HEAD))
        return answer_account_known(req, db, account_id, err);
    *account_id = 0;
    if (!answer_account(req, db, &account, err))
        return false;
    *account_id = account.id;
    return true;
}

bool answer_account_known(struct request *req, struct db **db, int64_t *account_id,
                          struct error *err)
{
    *db = NULL;
    return request_param_id(req, "account", account_id, err) && (*db = app_db(req, err)) &&
           (session_owns(req, *db, *account_id, err) || answer_done(req, db, false));
}

/* --- emails ---------------------------------------------------------------------------------- */

static void write_keywords(struct json *json, int flags, struct str others)
{
    json_write_name(json, "keywords");
    json_write_object(json);
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if (name->keyword && (flags & name->flag))
            answer_bool(json, name->keyword, true);
    struct str rest = others;
    while (rest.at && others.length > 0) {
        struct str word = str_cut(&rest, ' ');
        if (word.length == 0)
            continue;
        json_write_name_str(json, word);
        json_write_bool(json, true);
    }
    json_write_object_end(json);
}

/* The mailboxes it is in; a list knows the one it lists when no placements were read. */
static void write_mailboxes(struct json *json, const struct email *email,
                            const struct placement *placements, size_t count)
{
    char text[24];
    json_write_name(json, "mailboxIds");
    json_write_object(json);
    for (size_t i = 0; i < count; i++) {
        if (placements[i].email_id != email->id)
            continue;
        snprintf(text, sizeof text, "%lld", (long long)placements[i].mailbox_id);
        answer_bool(json, text, true);
    }
    if (count == 0 && email->mailbox_id != 0) {
        snprintf(text, sizeof text, "%lld", (long long)email->mailbox_id);
        answer_bool(json, text, true);
    }
    json_write_object_end(json);
}

static void write_ids(struct json *json, const char *name, struct str ids)
{
    json_write_name(json, name);
    if (ids.length == 0) {
        json_write_null(json);
        return;
    }
    json_write_array(json);
    while (ids.at)
        json_write_str(json, str_cut(&ids, ' '));
    json_write_array_end(json);
}

void answer_email_metadata(struct json *json, const struct email *email,
                           const struct placement *placements, size_t count)
{
    answer_id(json, "id", email->id);
    answer_id(json, "threadId", email->thread_id);
    write_mailboxes(json, email, placements, count);
    write_keywords(json, email->flags, email->keywords);
    answer_i64(json, "size", email->size_bytes);
    answer_time(json, "receivedAt", email->received_at);
    write_ids(json, "messageId", email->message_id);
    write_ids(json, "inReplyTo", email->in_reply_to);
    write_ids(json, "references", email->references);
    answer_raw(json, "from", email->from_json);
    answer_raw(json, "sender", email->sender_json);
    answer_raw(json, "to", email->to_json);
    answer_raw(json, "cc", email->cc_json);
    answer_raw(json, "bcc", email->bcc_json);
    answer_raw(json, "replyTo", email->reply_to_json);
    answer_str(json, "subject", email->subject);
    answer_time(json, "sentAt", email->sent_at);
    answer_bool(json, "hasAttachment", email->has_attachment);
    answer_str(json, "preview", email->preview);
    if (email->state == EMAIL_QUARANTINED)
        answer_bool(json, "isQuarantined", true);
}

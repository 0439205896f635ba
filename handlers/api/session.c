/* Who is signed in, and the tokens of programs. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/limits.h"
#include "server/base/clock.h"

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {{"read", TOKEN_READ}, {"write", TOKEN_WRITE}, {"send", TOKEN_SEND}};
enum { SCOPES = sizeof scopes / sizeof *scopes, DAYS_MAX = 3650, NAME_BYTES_MAX = 200 };

static void write_scopes(struct json *json, unsigned set)
{
    json_write_name(json, "scopes");
    json_write_array(json);
    for (int i = 0; i < SCOPES; i++)
        if (set & scopes[i].scope)
            json_write_text(json, scopes[i].name);
    json_write_array_end(json);
}

static void write_session(struct response *res, const struct signed_in *who)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "userId", who->user_id);
    answer_str(&json, "username", who->login);
    answer_bool(&json, "isAdmin", who->is_admin);
    write_scopes(&json, who->scopes);
    if (who->csrf.length > 0)
        answer_str(&json, "csrf", who->csrf);
    answer_str(&json, "apiUrl", STR("/api/v1"));
    json_write_object_end(&json);
}

bool api_session(struct request *req, struct response *res, struct error *err)
{
    (void)err;
    write_session(res, signed_in(req));
    return true;
}

/* {"username", "password"}: a browser's program signs in and gets the cookie. */
bool api_session_begin(struct request *req, struct response *res, struct error *err)
{
    struct str name, password;
    int64_t user_id;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "username", true, &name, err) &&
                   body_str(req->arena, body, "password", true, &password, err) &&
                   sign_in(req, name, password, &user_id, err) &&
                   session_begin(req, res, user_id, err);
    json_decref(body);
    if (is_good)
        res->status = 204;
    return is_good;
}

bool api_session_end(struct request *req, struct response *res, struct error *err)
{
    if (signed_in(req)->is_token)
        return error_set(err, ERROR_INVALID, "A token is ended by DELETE /api/v1/tokens/{id}.");
    if (!session_end(req, res, err))
        return false;
    res->status = 204;
    return true;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void write_token(struct json *json, const struct token *token)
{
    answer_id(json, "id", token->id);
    answer_str(json, "name", token->name);
    write_scopes(json, token->scopes);
    answer_time(json, "createdAt", token->created_at);
    answer_time(json, "usedAt", token->used_at);
    answer_time(json, "expiresAt", token->expires_at);
}

bool api_tokens(struct request *req, struct response *res, struct error *err)
{
    struct token *tokens = NULL;
    size_t count = 0;
    struct db *db = app_db(req, err);
    bool is_good = db && token_list(db, req->arena, signed_in(req)->user_id, &tokens, &count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "tokens");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        write_token(&json, &tokens[i]);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

static bool read_scopes(const json_t *body, unsigned *set, struct error *err)
{
    const json_t *list = json_object_get(body, "scopes");
    *set = list ? 0 : TOKEN_READ;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int s = 0;
        while (s < SCOPES && (!name || strcmp(name, scopes[s].name) != 0))
            s++;
        if (s == SCOPES)
            return error_set(err, ERROR_INVALID, "Scopes are \"read\", \"write\" and \"send\".");
        *set |= scopes[s].scope;
    }
    return *set != 0 || error_set(err, ERROR_INVALID, "\"scopes\" names no scope.");
}

/* {"name", "scopes", "expiresInDays"}; the answer shows the token, this once. A token cannot make
 * one that may do more than itself. */
bool api_token_create(struct request *req, struct response *res, struct error *err)
{
    const struct signed_in *who = signed_in(req);
    struct token made = {.user_id = who->user_id};
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t days = 0;
    struct buf token = BUF_INIT(256);
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "name", true, &made.name, err) &&
                   read_scopes(body, &made.scopes, err) &&
                   body_int(body, "expiresInDays", 1, DAYS_MAX, &days, err);
    json_decref(body);
    if (is_good && made.name.length > NAME_BYTES_MAX)
        is_good = error_set(err, ERROR_INVALID, "\"name\" is too long.");
    if (is_good && (made.scopes & ~who->scopes))
        is_good = error_set(err, ERROR_FORBIDDEN, "A token cannot give more than it has.");
    if (!is_good)
        return false;
    made.created_at = clock_now_us();
    made.expires_at = days ? made.created_at + days * 86400 * 1000000 : 0;
    token_generate(&token);
    token_hash(buf_view(&token), hash);
    struct db *db = app_db(req, err);
    is_good = db && limit_hit(req, db, LIMIT_TOKENS, err) &&
              token_create(db, who->user_id, made.name, made.scopes, hash, made.expires_at,
                           &made.id, err);
    if (answer_done(req, &db, is_good)) {
        res->status = 201;
        struct json json = answer_json(res);
        json_write_object(&json);
        write_token(&json, &made);
        answer_str(&json, "token", buf_view(&token));
        json_write_object_end(&json);
    }
    secret_wipe(token.at, token.length);
    buf_free(&token);
    return is_good;
}

bool api_token_revoke(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "token", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && token_revoke(db, signed_in(req)->user_id, id, err);
    if (is_good)
        res->status = 204;
    return answer_done(req, &db, is_good);
}

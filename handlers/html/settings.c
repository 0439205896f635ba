/* What concerns the person rather than a mail account: password, browser sessions, API tokens. */
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/limits.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/utf8.h"

enum {
    PASSWORD_BYTES_MIN = 10,
    PASSWORD_BYTES_MAX = 1024,
    TOKEN_NAME_MAX = 100,
    HASH_TEXT_MAX = 80
};

/* "Firefox on Linux" of a User-Agent: enough to know one's own devices again. */
static struct str agent_words(struct arena *arena, struct str agent)
{
    static const char *const browsers[][2] = {{"Edg/", "Edge"},        {"OPR/", "Opera"},
                                              {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"},
                                              {"Safari/", "Safari"},   {"curl/", "curl"}};
    static const char *const systems[][2] = {{"iPhone", "iPhone"},   {"iPad", "iPad"},
                                             {"Android", "Android"}, {"Windows", "Windows"},
                                             {"Mac OS X", "macOS"},  {"Linux", "Linux"}};
    const char *browser = NULL, *system = NULL;
    for (size_t i = 0; i < sizeof browsers / sizeof *browsers && !browser; i++)
        if (str_find(agent, str_of(browsers[i][0])) >= 0)
            browser = browsers[i][1];
    for (size_t i = 0; i < sizeof systems / sizeof *systems && !system; i++)
        if (str_find(agent, str_of(systems[i][0])) >= 0)
            system = systems[i][1];
    if (!browser)
        return agent.length ? utf8_prefix(agent, 60) : STR("Unknown browser");
    return system ? arena_printf(arena, "%s on %s", browser, system) : str_of(browser);
}

static bool set_sessions(const struct request *req, struct db *db, struct value *page,
                         struct error *err)
{
    struct session *sessions;
    size_t count;
    const struct signed_in *who = signed_in(req);
    if (!session_list(db, req->arena, who->user_id, &sessions, &count, err))
        return false;
    struct value *list = view_set_list(page, "sessions");
    int64_t now = clock_now_us();
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(list);
        struct buf id = BUF_INIT(HASH_TEXT_MAX);
        encode_base64url(&id, str_make(sessions[i].token_hash, TOKEN_HASH_BYTES));
        view_set_str(view, "id", arena_str(req->arena, buf_view(&id)));
        buf_free(&id);
        view_set_str(view, "agent", agent_words(req->arena, sessions[i].agent));
        view_set_str(view, "remote", sessions[i].remote);
        view_set_str(view, "used", words_moment(req->arena, sessions[i].used_at, now));
        view_set_str(view, "created", words_moment(req->arena, sessions[i].created_at, now));
        view_set_bool(view, "isThis",
                      !memcmp(sessions[i].token_hash, who->token_hash, TOKEN_HASH_BYTES));
    }
    return true;
}

static struct str scope_words(struct arena *arena, unsigned scopes)
{
    struct str words = STR("read");
    if (scopes & TOKEN_WRITE)
        words = arena_printf(arena, "%" STR_FMT ", write", STR_ARG(words));
    if (scopes & TOKEN_SEND)
        words = arena_printf(arena, "%" STR_FMT ", send", STR_ARG(words));
    return words;
}

static bool set_tokens(const struct request *req, struct db *db, struct value *page,
                       struct error *err)
{
    struct token *tokens;
    size_t count;
    if (!token_list(db, req->arena, signed_in(req)->user_id, &tokens, &count, err))
        return false;
    struct value *list = view_set_list(page, "tokens");
    int64_t now = clock_now_us();
    for (size_t i = 0; i < count; i++) {
        const struct token *token = &tokens[i];
        struct value *view = view_add_object(list);
        view_set_i64(view, "id", token->id);
        view_set_str(view, "name", token->name);
        view_set_str(view, "scopes", scope_words(req->arena, token->scopes));
        view_set_str(view, "used",
                     token->used_at ? words_moment(req->arena, token->used_at, now) : STR_EMPTY);
        view_set_str(view, "created", words_moment(req->arena, token->created_at, now));
    }
    return true;
}

/* `fresh_token`: shown this once; empty otherwise. */
static bool show_settings(struct request *req, struct response *res, const struct error *problem,
                          struct str fresh_token, struct error *err)
{
    struct user user;
    struct value *page = page_new(req, "Settings");
    struct db *db = app_db(req, err);
    bool is_good = db && user_by_id(db, req->arena, signed_in(req)->user_id, &user, err) &&
                   set_sessions(req, db, page, err) && set_tokens(req, db, page, err) &&
                   page_set_accounts(req, db, page, 0, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    view_set_bool(page, "isMailLogin", user.is_mail_login);
    view_set_bool(page, "listsConversations", signed_in(req)->lists_conversations);
    view_set_i64(page, "passwordMin", PASSWORD_BYTES_MIN);
    view_set_str(page, "freshToken", fresh_token);
    view_set_bool(page, "isPasswordSaved",
                  str_equal(request_argument(req, "saved"), STR("password")));
    if (problem) {
        page_set_problem(page, problem);
        response_set_status(res, problem);
    }
    return page_send(req, res, "settings", page, err);
}

bool html_settings(struct request *req, struct response *res, struct error *err)
{
    return show_settings(req, res, NULL, STR_EMPTY, err);
}

/* --- password -------------------------------------------------------------------------------- */

static bool change_password(struct request *req, const struct http_fields *form, struct error *err)
{
    struct user user;
    struct buf hash = BUF_INIT(1024);
    struct str fresh = form_raw(form, "new");
    if (!str_equal(fresh, form_raw(form, "again")))
        return error_set(err, ERROR_INVALID, "The two new passwords differ.");
    if (fresh.length < PASSWORD_BYTES_MIN || fresh.length > PASSWORD_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "The new password needs at least %d characters.",
                         PASSWORD_BYTES_MIN);
    struct db *db = app_db(req, err);
    bool is_known = db && user_by_id(db, req->arena, signed_in(req)->user_id, &user, err);
    store_release(app_of(req)->store, &db); /* hashing takes its time: hold nothing meanwhile */
    if (!is_known)
        return false;
    if (user.is_mail_login || !password_verify(form_raw(form, "current"), user.password_hash))
        return error_set(err, ERROR_INVALID, "The present password is not right.");
    bool is_done = password_hash(fresh, &hash, err);
    db = is_done ? app_db(req, err) : NULL;
    is_done = db && db_begin(db, err) && user_set_password(db, user.id, buf_view(&hash), err) &&
              session_delete_all(db, user.id, err) && db_commit(db, err);
    store_release(app_of(req)->store, &db);
    buf_free(&hash);
    return is_done;
}

bool html_password(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct error why = ERROR_INIT;
    if (!request_form(req, &form, err))
        return false;
    if (!change_password(req, &form, &why)) {
        if (page_is_form_error(&why))
            return show_settings(req, res, &why, STR_EMPTY, err);
        *err = why;
        return false;
    }
    /* every session ended with the old password; this browser gets a new one */
    if (!session_begin(req, res, signed_in(req)->user_id, err))
        return false;
    response_redirect(res, STR("/settings?saved=password"));
    return true;
}

/* --- sessions -------------------------------------------------------------------------------- */

static bool end_session(struct request *req, struct db *db, struct str id, struct error *err)
{
    struct session *sessions;
    size_t count;
    struct buf hash = BUF_INIT(HASH_TEXT_MAX);
    bool is_hash = decode_base64url(&hash, id) && hash.length == TOKEN_HASH_BYTES;
    bool is_own = false;
    bool is_good =
        is_hash && session_list(db, req->arena, signed_in(req)->user_id, &sessions, &count, err);
    for (size_t i = 0; is_good && i < count; i++)
        is_own |= !memcmp(sessions[i].token_hash, hash.at, TOKEN_HASH_BYTES);
    if (is_own)
        is_good = session_delete(db, (const unsigned char *)hash.at, err);
    buf_free(&hash);
    return is_good || (!is_hash && error_set(err, ERROR_NOT_FOUND, "There is no such session."));
}

bool html_session_end(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    if (!request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && end_session(req, db, form_text(&form, "session"), err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res, STR("/settings#sessions"));
    return is_done;
}

bool html_sessions_end(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && session_delete_all(db, signed_in(req)->user_id, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res, STR("/sign-in"));
    return is_done;
}

/* --- tokens ---------------------------------------------------------------------------------- */

bool html_token_create(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t id;
    struct error why = ERROR_INIT;
    if (!request_form(req, &form, err))
        return false;
    struct str name = form_text(&form, "name");
    if (!name.length || name.length > TOKEN_NAME_MAX) {
        error_set(&why, ERROR_INVALID, "Say in a word what the token is for.");
        return show_settings(req, res, &why, STR_EMPTY, err);
    }
    unsigned scopes = TOKEN_READ;
    scopes |= http_field_value(&form, "write").at ? TOKEN_WRITE : 0;
    scopes |= http_field_value(&form, "send").at ? TOKEN_SEND : 0;
    struct buf token = BUF_INIT(HASH_TEXT_MAX);
    token_generate(&token);
    token_hash(buf_view(&token), hash);
    struct str text = arena_str(req->arena, buf_view(&token));
    buf_free(&token);
    struct db *db = app_db(req, err);
    bool is_made = db && limit_hit(req, db, LIMIT_TOKENS, &why) &&
                   token_create(db, signed_in(req)->user_id, name, scopes, hash, 0, &id, &why);
    store_release(app_of(req)->store, &db);
    if (page_is_form_error(&why))
        return show_settings(req, res, &why, STR_EMPTY, err);
    if (!is_made && why.kind != ERROR_NONE)
        *err = why;
    return is_made && show_settings(req, res, NULL, text, err);
}

bool html_token_revoke(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "token", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && token_revoke(db, signed_in(req)->user_id, id, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res, STR("/settings#tokens"));
    return is_done;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Conversations or single messages; back to the list that the form was on. */
bool html_lists(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    if (!request_form(req, &form, err))
        return false;
    bool by_thread = str_equal(form_text(&form, "conversations"), STR("1"));
    struct db *db = app_db(req, err);
    bool is_good = db && user_set_lists(db, signed_in(req)->user_id, by_thread, err);
    store_release(app_of(req)->store, &db);
    if (is_good && http_field_value(&form, "here").at)
        page_go_back(res, &form);
    else if (is_good)
        response_redirect(res, STR("/settings#lists"));
    return is_good;
}

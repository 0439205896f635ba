#include "handlers/session.h"

#include "handlers/lately.h"
#include "server/base/encode.h"
#include "server/base/json.h"
#include "server/store/accounts.h"
#include "server/store/emails.h"

enum {
    CSRF_BYTES = 32,
    MASKED_BYTES = 2 * CSRF_BYTES,
    COOKIE_BYTES_MAX = 512,
    REMOTE_BYTES_MAX = 64,
    AGENT_BYTES_MAX = 200,
    OWNED_MS = 60 * 1000, /* an old copy of the database may give an account's id anew */
};

/* --- cookies --------------------------------------------------------------------------------- */

static const char *session_cookie(const struct request *req)
{
    return config_is_https(app_of(req)->config) ? "__Host-session" : "session";
}

static const char *form_cookie(const struct request *req)
{
    return config_is_https(app_of(req)->config) ? "__Host-form" : "form";
}

/* A `max_age_s` of 0 clears it; below 0 it ends with the browser. */
static void set_cookie(const struct request *req, struct response *res, const char *name,
                       struct str value, int64_t max_age_s)
{
    struct buf cookie = BUF_INIT(COOKIE_BYTES_MAX);
    buf_printf(&cookie, "%s=%" STR_FMT "; Path=/; HttpOnly; SameSite=Lax", name, STR_ARG(value));
    if (config_is_https(app_of(req)->config))
        buf_text(&cookie, "; Secure");
    if (max_age_s >= 0)
        buf_printf(&cookie, "; Max-Age=%lld", (long long)max_age_s);
    response_add_header(res, "Set-Cookie", buf_view(&cookie));
    secret_wipe(cookie.at, cookie.length);
    buf_free(&cookie);
}

/* --- form tokens ----------------------------------------------------------------------------- */

/* The secret under a fresh mask, so that compression next to foreign text tells nothing (BREACH).
 */
static struct str mask_token(struct arena *arena, const unsigned char secret[CSRF_BYTES])
{
    unsigned char masked[MASKED_BYTES];
    struct buf text = BUF_INIT(256);
    random_bytes(masked, CSRF_BYTES);
    for (int i = 0; i < CSRF_BYTES; i++)
        masked[CSRF_BYTES + i] = masked[i] ^ secret[i];
    encode_base64url(&text, str_make(masked, sizeof masked));
    struct str copy = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static bool token_matches(struct str token, const unsigned char secret[CSRF_BYTES])
{
    unsigned char bare[CSRF_BYTES];
    struct buf masked = BUF_INIT(256);
    bool is_good = decode_base64url(&masked, token) && masked.length == MASKED_BYTES;
    for (int i = 0; is_good && i < CSRF_BYTES; i++)
        bare[i] = (unsigned char)(masked.at[i] ^ masked.at[CSRF_BYTES + i]);
    is_good = is_good && secret_equal(str_make(bare, CSRF_BYTES), str_make(secret, CSRF_BYTES));
    buf_free(&masked);
    return is_good;
}

static bool refuse_form(struct error *err)
{
    error_set(err, ERROR_FORBIDDEN, "This form is too old, or was not ours.");
    return error_hint(err, "Go back, reload the page and try again.");
}

/* The token a state-changing request carries: a header, or the field of whichever form it is. */
static struct str sent_token(const struct request *req)
{
    struct str header = request_header(req, "X-CSRF-Token");
    struct http_fields form;
    struct request_part *parts;
    size_t count;
    if (header.at)
        return header;
    if (request_form(req, &form, NULL))
        return http_field_value(&form, "csrf");
    if (!request_multipart(req, &parts, &count, NULL))
        return STR_EMPTY;
    for (size_t i = 0; i < count; i++) {
        if (!str_equal(parts[i].name, STR("csrf")) || parts[i].bytes > MASKED_BYTES * 2)
            continue;
        char *text = arena_alloc(req->arena, parts[i].bytes + 1);
        ssize_t got = request_body_read(req, parts[i].at, text, parts[i].bytes, NULL);
        return got > 0 ? str_make(text, (size_t)got) : STR_EMPTY;
    }
    return STR_EMPTY;
}

static void form_secret(struct str cookie, unsigned char secret[CSRF_BYTES])
{
    token_derive(cookie, STR("form"), secret);
}

struct str session_form_token(struct request *req, struct response *res)
{
    unsigned char secret[CSRF_BYTES];
    struct str cookie = request_cookie(req, form_cookie(req));
    struct buf fresh = BUF_INIT(COOKIE_BYTES_MAX);
    if (cookie.length == 0) {
        token_generate(&fresh);
        cookie = buf_view(&fresh);
        set_cookie(req, res, form_cookie(req), cookie, -1);
    }
    form_secret(cookie, secret);
    struct str token = mask_token(req->arena, secret);
    buf_free(&fresh);
    return token;
}

bool session_form_check(struct request *req, struct str csrf, struct error *err)
{
    unsigned char secret[CSRF_BYTES];
    struct str cookie = request_cookie(req, form_cookie(req));
    if (cookie.length == 0) {
        error_set(err, ERROR_FORBIDDEN, "Your browser sent no cookie.");
        return error_hint(err, "Allow cookies for this site, reload the page and try again.");
    }
    form_secret(cookie, secret);
    return token_matches(csrf, secret) || refuse_form(err);
}

/* --- the guard ------------------------------------------------------------------------------- */

static bool changes_state(const struct request *req)
{
    return !(req->method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS));
}

/* Fetch Metadata (W3C): what other sites may make a browser do here is to follow a link to a page,
 * nothing else: no forms, no frames, no pictures, no timed fetches. */
static bool check_site(const struct request *req, struct error *err)
{
    struct str site = request_header(req, "Sec-Fetch-Site");
    struct str mode = request_header(req, "Sec-Fetch-Mode");
    struct str target = request_header(req, "Sec-Fetch-Dest");
    if (!site.at || str_equal(site, STR("same-origin")) || str_equal(site, STR("none")))
        return true;
    if (!changes_state(req) && str_equal(mode, STR("navigate")) &&
        str_equal(target, STR("document")))
        return true;
    return error_set(err, ERROR_FORBIDDEN, "Another site asked for this in your name.");
}

static bool find_token(struct request *req, struct signed_in *who, struct error *err)
{
    struct token token;
    struct str credentials = request_header(req, "Authorization");
    struct str scheme = str_cut(&credentials, ' ');
    if (!str_equal_nocase(scheme, STR("Bearer")) || !credentials.at)
        return error_set(err, ERROR_AUTH, "Only bearer tokens are taken here.");
    token_hash(str_trim(credentials), who->token_hash);
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    bool is_found = db && token_use(db, req->arena, who->token_hash, &token, err);
    store_release(app_of(req)->store, &db);
    if (!is_found) {
        if (err->kind == ERROR_NOT_FOUND)
            error_set(err, ERROR_AUTH, "This token is unknown, ended or revoked.");
        return false;
    }
    who->user_id = token.user_id;
    who->login = token.login;
    who->is_admin = token.is_admin;
    who->is_token = true;
    who->scopes = token.scopes;
    return true;
}

/* False without an error: nobody is signed in. */
static bool find_session(struct request *req, struct signed_in *who, unsigned char csrf[CSRF_BYTES],
                         struct error *err)
{
    struct session session;
    struct str cookie = request_cookie(req, session_cookie(req));
    if (cookie.length == 0 || cookie.length > COOKIE_BYTES_MAX)
        return false;
    token_hash(cookie, who->token_hash);
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    bool is_found = db && session_use(db, req->arena, who->token_hash,
                                      app_of(req)->config->session_idle, &session, err);
    store_release(app_of(req)->store, &db);
    if (!is_found) {
        if (err->kind == ERROR_NOT_FOUND)
            *err = ERROR_INIT;
        return false;
    }
    who->user_id = session.user_id;
    who->login = session.login;
    who->is_admin = session.is_admin;
    who->lists_conversations = session.lists_conversations;
    who->scopes = TOKEN_READ | TOKEN_WRITE | TOKEN_SEND;
    memcpy(csrf, session.csrf, CSRF_BYTES);
    who->csrf = mask_token(req->arena, csrf);
    return true;
}

static bool ask_to_sign_in(struct request *req, const struct route *route, struct response *res,
                           struct error *err)
{
    error_set(err, ERROR_AUTH, "Sign in first.");
    if (route->flags & ROUTE_API) {
        error_hint(err, "Send an API token as `Authorization: Bearer …`.");
        return false;
    }
    struct buf path = BUF_INIT(16 * 1024);
    buf_text(&path, "/sign-in");
    if (req->method == HTTP_GET && req->path.length > 1) {
        buf_text(&path, "?next=");
        encode_percent(&path, req->path);
    }
    if (!path.is_full)
        response_redirect(res, buf_view(&path));
    buf_free(&path);
    return false;
}

static bool check_scope(const struct request *req, const struct signed_in *who, struct error *err)
{
    unsigned needed = changes_state(req) ? TOKEN_WRITE : TOKEN_READ;
    if (who->scopes & needed)
        return true;
    return error_set(err, ERROR_FORBIDDEN, "This token has not the scope \"%s\".",
                     needed == TOKEN_WRITE ? "write" : "read");
}

bool session_guard(struct request *req, const struct route *route, struct response *res,
                   struct error *err)
{
    unsigned char csrf[CSRF_BYTES] = {0};
    struct error why = ERROR_INIT;
    struct signed_in *who = ARENA_NEW(req->arena, struct signed_in);
    bool is_public = route->flags & ROUTE_PUBLIC;
    /* What is the same for everybody (static files), or has an authority of its own (tickets), asks
     * no database who is there. */
    if (is_public && (route->flags & ROUTE_NO_CSRF) && !changes_state(req))
        return true;
    bool has_token = (route->flags & ROUTE_API) && request_header(req, "Authorization").at;
    bool is_found = has_token ? find_token(req, who, &why) : find_session(req, who, csrf, &why);
    if (!is_found && why.kind != ERROR_NONE && !(is_public && !changes_state(req))) {
        *err = why;
        return false;
    }
    if (is_found)
        req->session = who;
    if (!has_token && (is_found || changes_state(req)) && !check_site(req, err))
        return false;
    if (!is_found)
        return is_public || ask_to_sign_in(req, route, res, err);
    if (has_token)
        return check_scope(req, who, err);
    bool needs_token = changes_state(req) && !(route->flags & ROUTE_NO_CSRF);
    return !needs_token || token_matches(sent_token(req), csrf) || refuse_form(err);
}

/* --- beginning and ending -------------------------------------------------------------------- */

bool session_begin(struct request *req, struct response *res, int64_t user_id, struct error *err)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    const struct signed_in *before = signed_in(req);
    int64_t lifetime_s = app_of(req)->config->session_lifetime;
    struct buf token = BUF_INIT(COOKIE_BYTES_MAX);
    token_generate(&token);
    token_hash(buf_view(&token), hash);
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    bool is_made =
        db && (!before || before->is_token || session_delete(db, before->token_hash, err)) &&
        session_create(db, hash, user_id, lifetime_s,
                       str_sub(req->remote_address, 0, REMOTE_BYTES_MAX),
                       str_sub(request_header(req, "User-Agent"), 0, AGENT_BYTES_MAX), err);
    store_release(app_of(req)->store, &db);
    if (is_made)
        set_cookie(req, res, session_cookie(req), buf_view(&token), lifetime_s);
    secret_wipe(token.at, token.length);
    buf_free(&token);
    return is_made;
}

bool session_end(struct request *req, struct response *res, struct error *err)
{
    const struct signed_in *who = signed_in(req);
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    bool is_gone = db && (!who || session_delete(db, who->token_hash, err));
    store_release(app_of(req)->store, &db);
    if (is_gone)
        set_cookie(req, res, session_cookie(req), STR_EMPTY, 0);
    return is_gone;
}

bool session_account(struct request *req, struct db *db, int64_t account_id,
                     struct account *account, struct error *err)
{
    int64_t user_id = signed_in(req)->user_id;
    if (account_by_id(db, req->arena, account_id, account, err) && account->user_id == user_id) {
        lately_note(app_of(req)->owned, user_id, account_id, OWNED_MS);
        return true;
    }
    if (err->kind == ERROR_NONE)
        error_set(err, ERROR_NOT_FOUND, "There is no such account.");
    return false;
}

bool session_owns(struct request *req, struct db *db, int64_t account_id, struct error *err)
{
    struct account account;
    return lately_knows(app_of(req)->owned, signed_in(req)->user_id, account_id) ||
           session_account(req, db, account_id, &account, err);
}

bool session_email(struct request *req, struct db *db, struct email *email, struct error *err)
{
    int64_t account_id, email_id;
    return request_param_id(req, "account", &account_id, err) &&
           request_param_id(req, "email", &email_id, err) &&
           session_owns(req, db, account_id, err) &&
           email_by_id(db, req->arena, account_id, email_id, email, err);
}

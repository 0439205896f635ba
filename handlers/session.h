/* Who is asking: browser sessions (cookie), API tokens (bearer), and the fence against requests
 * that other sites send in a person's name. The router's guard lives here. */
#ifndef RESTANTE_HANDLERS_SESSION_H
#define RESTANTE_HANDLERS_SESSION_H

#include "handlers/app.h"
#include "server/store/users.h"

struct request_key;

/* req->session of a route that is not public (and of public ones when someone is signed in). */
struct signed_in {
    int64_t user_id;
    struct str login;
    bool is_admin;
    bool lists_conversations;                   /* a conversation is one row of a list */
    bool is_token;                              /* a program with an API token, not a browser */
    unsigned scopes;                            /* enum token_scope; browsers have all */
    unsigned char token_hash[TOKEN_HASH_BYTES]; /* of this session or token */
    const struct request_key *request_key;      /* see handlers/once.h; NULL: none */
    struct str csrf; /* the form token of this session (also for sign-in forms); base64url */
};

static inline const struct signed_in *signed_in(const struct request *req)
{
    return req->session;
}

/* router_hooks.guard: see router.h. Cookies of browsers are `__Host-session` behind TLS and
 * `session` on plain loopback. State-changing requests with a cookie must carry the form token
 * (field "csrf" or header X-CSRF-Token) and must not be cross-site by Fetch Metadata. Tokens need
 * "read" for GET and HEAD, "write" for others. */
bool session_guard(struct request *req, const struct route *route, struct response *res,
                   struct error *err);

/* The form token for a page that nobody is signed in to yet (the sign-in form): sets a short-lived
 * cookie and returns the value for the hidden field "csrf". */
struct str session_form_token(struct request *req, struct response *res);
/* Checks it. ERROR_FORBIDDEN. */
bool session_form_check(struct request *req, struct str csrf, struct error *err);

/* A new session for the person (a new id always: no fixation) and its cookie; ends the one that the
 * browser had. */
bool session_begin(struct request *req, struct response *res, int64_t user_id, struct error *err);
/* Ends this one and clears the cookie. */
bool session_end(struct request *req, struct response *res, struct error *err);

/* Signs a person in by name (or mail address) and password, for pages and API alike: local hash,
 * else through the mail server of the address's domain where the configuration maps one (the
 * account is then made). Rate-limited by name and by address; the same answer, time and bytes for
 * an unknown name and a wrong password (ERROR_AUTH); ERROR_THROTTLED; ERROR_UNAVAILABLE when
 * the mail server of a new person cannot be asked. */
bool sign_in(struct request *req, struct str name, struct str password, int64_t *user_id,
             struct error *err);

/* A name as it is stored and compared: without space around it, ASCII letters lower. False for what
 * nobody can be called: empty, longer than a mail address, with spaces or controls in it. */
bool sign_in_name(struct arena *arena, struct str typed, struct str *name);

/* The person's account of that id, or ERROR_NOT_FOUND, indistinguishable from another's. */
struct account;
bool session_account(struct request *req, struct db *db, int64_t account_id,
                     struct account *account, struct error *err);
/* Whether it is the person's, where its row is not needed: the same error, and hardly ever a
 * question to the database, so that hot lists ask it too. An account never changes hands; one that
 * is gone meanwhile shows nothing by itself. */
bool session_owns(struct request *req, struct db *db, int64_t account_id, struct error *err);
/* The email of the path's {account} and {email}, in the same way. */
struct email;
bool session_email(struct request *req, struct db *db, struct email *email, struct error *err);

#endif

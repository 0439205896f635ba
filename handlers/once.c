#include "handlers/once.h"

#include <sodium.h>

#include "handlers/session.h"
#include "server/base/log.h"
#include "server/store/request_keys.h"

enum {
    KEY_BYTES_MAX = 200,
    HELD_S = 5 * 60, /* longer than any handler takes */
    COME_AGAIN_MS = 1000,
    PIECE_BYTES = 64 * 1024,
};

struct str once_key(const struct request *req)
{
    const struct request_key *key = signed_in(req)->request_key;
    return key ? arena_printf(req->arena, "request-%lld", (long long)key->id) : STR_EMPTY;
}

int64_t once_made(const struct request *req)
{
    const struct request_key *key = signed_in(req)->request_key;
    return key ? key->made_id : 0;
}

bool once_note_made(const struct request *req, struct db *db, int64_t id, struct error *err)
{
    const struct request_key *key = signed_in(req)->request_key;
    return !key || request_key_note_made(db, key, id, err);
}

static void add(crypto_generichash_state *hash, struct str bytes)
{
    uint64_t length = bytes.length; /* so that no two rows of pieces read the same */
    crypto_generichash_update(hash, (const unsigned char *)&length, sizeof length);
    crypto_generichash_update(hash, (const unsigned char *)bytes.at, bytes.length);
}

/* What is asked for: the method, the address, and the body with its type. */
static bool take_fingerprint(const struct request *req, unsigned char fingerprint[TOKEN_HASH_BYTES],
                             struct error *err)
{
    crypto_generichash_state hash;
    char *piece = arena_alloc(req->arena, PIECE_BYTES);
    uint64_t at = 0;
    ssize_t got;
    crypto_generichash_init(&hash, NULL, 0, TOKEN_HASH_BYTES);
    add(&hash, str_of(http_method_name(req->method)));
    add(&hash, req->path);
    add(&hash, req->query);
    add(&hash, request_header(req, "Content-Type"));
    while ((got = request_body_read(req, at, piece, PIECE_BYTES, err)) > 0) {
        crypto_generichash_update(&hash, (const unsigned char *)piece, (size_t)got);
        at += (uint64_t)got;
    }
    crypto_generichash_final(&hash, fingerprint, TOKEN_HASH_BYTES);
    return got == 0;
}

/* False without an error: the request has no key that counts. */
static bool read_key(const struct request *req, const struct route *route, struct request_key *key,
                     struct error *err)
{
    struct str given = request_header(req, "Idempotency-Key");
    bool is_reading = req->method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS);
    if (!given.at || is_reading || !(route->flags & ROUTE_API) || (route->flags & ROUTE_PUBLIC))
        return false;
    if (given.length == 0 || given.length > KEY_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "An Idempotency-Key has 1 to %d bytes.",
                         KEY_BYTES_MAX);
    key->user_id = signed_in(req)->user_id;
    content_hash(given, key->hash);
    return take_fingerprint(req, key->fingerprint, err);
}

static bool refuse(enum request_state state, struct error *err)
{
    if (state == REQUEST_OTHER) {
        error_set(err, ERROR_REFUSED, "This Idempotency-Key was used for another request.");
        return error_hint(err, "Take a new key for each thing that is to be done.");
    }
    error_set(err, ERROR_CONFLICT, "A request with this Idempotency-Key is being carried out.");
    error_hint(err, "Ask again in a moment for its answer.");
    err->retry_after_ms = COME_AGAIN_MS;
    return false;
}

static bool answer_again(struct response *res, const struct request_answer *answer,
                         struct error *err)
{
    if (answer->has_secret) {
        error_set(err, ERROR_CONFLICT, "This was done. Its answer held a secret and is not kept.");
        return error_hint(err, "Revoke what was made, and make another with a new key.");
    }
    res->status = answer->status;
    if (answer->media_type.length)
        response_set_header(res, "Content-Type", answer->media_type);
    if (answer->location.length)
        response_set_header(res, "Location", answer->location);
    buf_str(&res->body, answer->body);
    return true;
}

/* Keeps the answer. Of a failure it is at times open how far it came: then the same request may
 * come again under its id; otherwise it did nothing. */
static void settle(struct request *req, const struct route *route, const struct request_key *key,
                   const struct response *res, bool is_good, const struct error *failure)
{
    struct error err = ERROR_INIT;
    struct str type = response_header(res, "Content-Type");
    struct str location = response_header(res, "Location");
    struct request_answer answer = {.status = res->status,
                                    .media_type = type,
                                    .location = location,
                                    .body = response_body(res),
                                    .has_secret = route->flags & ROUTE_SECRET};
    struct db *db = app_db(req, &err);
    bool is_open = !is_good && http_status_of(failure->kind) >= 500;
    bool is_settled = db && (is_good   ? request_key_answer(db, key, &answer, &err)
                             : is_open ? request_key_let_go(db, key, &err)
                                       : request_key_forget(db, key, &err));
    store_release(app_of(req)->store, &db);
    if (!is_settled) /* it is held for HELD_S, then as if it were let go */
        LOG_WARN("api.request_key", log_str("request", str_of(req->id)), LOG_ERR(&err));
}

bool once_run(struct request *req, const struct route *route, struct response *res,
              struct error *err)
{
    struct request_key key = {0};
    struct request_answer answer = {0};
    struct error why = ERROR_INIT;
    enum request_state state = REQUEST_NEW;
    if (!read_key(req, route, &key, &why)) {
        if (why.kind == ERROR_NONE)
            return route->handler(req, res, err);
        *err = why;
        return false;
    }
    struct db *db = app_db(req, err);
    bool is_known = db && request_key_take(db, req->arena, &key, HELD_S, &state, &answer, err);
    store_release(app_of(req)->store, &db);
    if (!is_known)
        return false;
    if (state == REQUEST_ANSWERED)
        return answer_again(res, &answer, err);
    if (state != REQUEST_NEW)
        return refuse(state, err);
    struct signed_in *who = req->session;
    who->request_key = &key;
    bool is_good = route->handler(req, res, &why);
    who->request_key = NULL;
    settle(req, route, &key, res, is_good, &why);
    if (!is_good)
        *err = why;
    return is_good;
}

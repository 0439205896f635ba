/* Mail accounts: tried before they are saved. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/limits.h"
#include "handlers/setup.h"
#include "handlers/wait.h"

enum { TRIAL_MS = 45 * 1000, DISCOVER_MS = 45 * 1000, NAME_BYTES_MAX = 200, DAYS_MAX = 36500 };

/* --- writing --------------------------------------------------------------------------------- */

static void write_server(struct json *json, const char *name, const struct server_settings *server)
{
    json_write_name(json, name);
    if (server->host.length == 0) {
        json_write_null(json);
        return;
    }
    json_write_object(json);
    answer_str(json, "host", server->host);
    answer_i64(json, "port", server->port);
    answer_text(json, "tls", tls_mode_name(server->tls));
    answer_str(json, "username", server->username);
    json_write_object_end(json);
}

static void write_sync(struct json *json, const struct account *a)
{
    json_write_name(json, "sync");
    json_write_object(json);
    answer_text(json, "state", sync_state_name(a->sync_state));
    answer_time(json, "since", a->sync_since);
    answer_time(json, "syncedAt", a->synced_at);
    answer_time(json, "nextAt", a->next_sync_at);
    answer_i64(json, "done", a->sync_done);
    answer_i64(json, "total", a->sync_total);
    if (a->sync_error.length > 0) {
        answer_str(json, "error", a->sync_error);
        answer_str(json, "hint", a->sync_hint);
    }
    json_write_object_end(json);
}

/* "refused": the server for outgoing mail does not take the account; what is sent waits. */
static void write_sending(struct json *json, const struct account *a)
{
    bool is_refused = a->send_error.length > 0;
    json_write_name(json, "sending");
    json_write_object(json);
    answer_text(json, "state", is_refused ? "refused" : "ready");
    if (is_refused) {
        answer_str(json, "error", a->send_error);
        answer_str(json, "hint", a->send_hint);
    }
    json_write_object_end(json);
}

static void write_account(struct json *json, const struct account *a)
{
    json_write_object(json);
    answer_id(json, "id", a->id);
    answer_str(json, "name", a->name);
    answer_str(json, "email", a->email);
    answer_text(json, "kind", account_kind_name(a->kind));
    write_server(json, "incoming", &a->incoming);
    write_server(json, "smtp", &a->smtp);
    answer_text(json, "prefetch", prefetch_name(a->prefetch));
    answer_i64(json, "prefetchDays", a->prefetch_days);
    answer_i64(json, "pollSeconds", a->poll_seconds);
    if (a->kind == ACCOUNT_POP3) {
        answer_text(json, "pop3Policy", pop3_policy_name(a->pop3_policy));
        answer_i64(json, "pop3Days", a->pop3_days);
        answer_i64(json, "pop3MaxBytes", a->pop3_max_bytes);
        answer_bool(json, "pop3MayRemove", a->pop3_may_remove);
        if (a->pop3_expire_days >= 0)
            answer_i64(json, "pop3ExpireDays", a->pop3_expire_days);
    }
    write_sync(json, a);
    write_sending(json, a);
    answer_i64(json, "state", a->modseq);
    answer_time(json, "createdAt", a->created_at);
    json_write_object_end(json);
}

bool api_accounts(struct request *req, struct response *res, struct error *err)
{
    struct account *accounts = NULL;
    size_t count = 0;
    struct db *db = app_db(req, err);
    bool is_good =
        db && account_list(db, req->arena, signed_in(req)->user_id, &accounts, &count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "accounts");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_account(&json, &accounts[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

static bool answer_one(struct request *req, struct response *res, struct db *db, int64_t id,
                       struct error *err)
{
    struct account account;
    if (!session_account(req, db, id, &account, err))
        return false;
    struct json json = answer_json(res);
    write_account(&json, &account);
    return true;
}

bool api_account(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t id;
    return answer_account_id(req, &db, &id, err) &&
           answer_done(req, &db, answer_one(req, res, db, id, err));
}

/* --- setting up ------------------------------------------------------------------------------ */

static bool read_server(struct arena *arena, const json_t *body, const char *name, bool is_needed,
                        struct server_settings *server, struct error *err)
{
    const json_t *object = json_object_get(body, name);
    struct str tls;
    int64_t port = 0;
    *server = (struct server_settings){0};
    if (!object || json_is_null(object))
        return !is_needed || error_set(err, ERROR_INVALID, "\"%s\" is missing.", name);
    if (!json_is_object(object))
        return error_set(err, ERROR_INVALID, "\"%s\" must be an object.", name);
    if (!body_str(arena, object, "host", true, &server->host, err) ||
        !body_int(object, "port", 1, 65535, &port, err) ||
        !body_str(arena, object, "tls", false, &tls, err) ||
        !body_str(arena, object, "username", false, &server->username, err))
        return error_wrap(err, "%s", name);
    server->port = (int)port;
    return tls.length == 0 || tls_mode_parse(tls, &server->tls) ||
           error_set(err, ERROR_INVALID, "\"tls\" is \"implicit\", \"starttls\" or \"none\".");
}

static bool read_settings(struct request *req, const json_t *body, struct setup_settings *settings,
                          struct str *password, struct str *name, struct error *err)
{
    struct str kind;
    *settings = (struct setup_settings){0};
    return body_str(req->arena, body, "email", true, &settings->email, err) &&
           body_str(req->arena, body, "password", true, password, err) &&
           body_str(req->arena, body, "name", false, name, err) &&
           (name->length <= NAME_BYTES_MAX ||
            error_set(err, ERROR_INVALID, "\"name\" is too long.")) &&
           body_str(req->arena, body, "kind", true, &kind, err) &&
           (account_kind_parse(kind, &settings->kind) ||
            error_set(err, ERROR_INVALID, "\"kind\" is \"imap\" or \"pop3\".")) &&
           read_server(req->arena, body, "incoming", true, &settings->incoming, err) &&
           read_server(req->arena, body, "smtp", false, &settings->smtp, err) &&
           setup_check(req->arena, settings, app_of(req)->config->allow_plaintext, err);
}

static bool read_word(struct request *req, const json_t *body, const char *name, struct str *word,
                      struct error *err)
{
    return body_str(req->arena, body, name, false, word, err);
}

/* What is not named stays as it is. */
static bool read_pop3(struct request *req, const json_t *body, struct setup_pop3 *pop3,
                      struct error *err)
{
    struct str policy;
    int64_t days = pop3->days;
    if (!read_word(req, body, "pop3Policy", &policy, err) ||
        !body_int(body, "pop3Days", 0, DAYS_MAX, &days, err) ||
        !body_int(body, "pop3MaxBytes", 0, INT64_MAX, &pop3->max_bytes, err))
        return false;
    pop3->days = (int)days;
    pop3->is_chosen = policy.length > 0;
    return !pop3->is_chosen || pop3_policy_parse(policy, &pop3->policy) ||
           error_set(err, ERROR_INVALID,
                     "\"pop3Policy\" is \"remove\", \"leave\", "
                     "\"remove-after\" or \"remove-deleted\".");
}

static enum error_kind kind_of(struct str name)
{
    for (int kind = 0; kind < ERROR_KINDS; kind++)
        if (str_equal(name, str_of(error_kind_name((enum error_kind)kind))))
            return (enum error_kind)kind;
    return ERROR_INTERNAL;
}

/* What the mail server's answer means to the program: 422 with which step failed, rather than a 401
 * that would speak of our own sign-in. */
static bool judge(const struct setup_outcome *outcome, struct error *err)
{
    if (outcome->is_good)
        return true;
    enum error_kind kind = kind_of(outcome->kind);
    error_set(err, kind == ERROR_AUTH ? ERROR_REFUSED : kind,
              "%" STR_FMT " server, %" STR_FMT ": %" STR_FMT, STR_ARG(outcome->part),
              STR_ARG(outcome->step), STR_ARG(outcome->message));
    return error_hint(err, "%" STR_FMT, STR_ARG(outcome->hint));
}

static bool await_trial(struct request *req, const struct trial *trial, int64_t wait_ms,
                        struct trial *done, struct error *err)
{
    return wait_for_trial(req, str_of(trial->id), signed_in(req)->user_id, deadline_in_ms(wait_ms),
                          done, err);
}

bool api_account_create(struct request *req, struct response *res, struct error *err)
{
    struct setup_settings settings;
    struct setup_outcome outcome;
    struct trial trial, done;
    struct str password, name;
    struct setup_pop3 pop3 = setup_pop3_default;
    int64_t user_id = signed_in(req)->user_id, id = 0;
    json_t *body = body_json(req, err);
    bool is_good = body && read_settings(req, body, &settings, &password, &name, err) &&
                   read_pop3(req, body, &pop3, err);
    json_decref(body);
    struct db *db = is_good ? app_db(req, err) : NULL;
    is_good = db && limit_hit(req, db, LIMIT_TRIALS, err) &&
              setup_begin_trial(db, req->arena, &app_of(req)->seal_key, TRIAL_ACCOUNT, user_id, 0,
                                &settings, password, &trial, err);
    if (!answer_done(req, &db, is_good) || !await_trial(req, &trial, TRIAL_MS, &done, err) ||
        !setup_read_outcome(req->arena, &done, &outcome, err) || !judge(&outcome, err))
        return false;
    db = app_db(req, err);
    is_good = db &&
              setup_save(db, req->arena, user_id, name, &done, trial.secret, &pop3, &id, err) &&
              answer_one(req, res, db, id, err);
    if (!answer_done(req, &db, is_good))
        return false;
    res->status = 201;
    response_set_header(res, "Location",
                        arena_printf(req->arena, "/api/v1/accounts/%lld", (long long)id));
    return true;
}

/* What people choose by: "kinds" of what was found, in sentences. */
static void write_kinds(struct json *json, const struct setup_settings *found, size_t count)
{
    bool has_imap = false;
    for (size_t i = 0; i < count; i++)
        has_imap = has_imap || found[i].kind == ACCOUNT_IMAP;
    json_write_name(json, "kinds");
    json_write_array(json);
    for (enum account_kind kind = ACCOUNT_IMAP; kind <= ACCOUNT_POP3; kind++) {
        bool is_found = false;
        for (size_t i = 0; i < count; i++)
            is_found = is_found || found[i].kind == kind;
        if (!is_found)
            continue;
        json_write_object(json);
        answer_text(json, "kind", account_kind_name(kind));
        answer_bool(json, "isRecommended", kind == ACCOUNT_IMAP || !has_imap);
        json_write_name(json, "reasons");
        json_write_array(json);
        for (int i = 0; i < SETUP_REASONS; i++) {
            json_write_object(json);
            answer_text(json, "topic", setup_reasons[kind][i].topic);
            answer_text(json, "sentence", setup_reasons[kind][i].sentence);
            json_write_object_end(json);
        }
        json_write_array_end(json);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

/* {"email"} -> {"candidates": [...], "recommended": index, "kinds": [{"kind", "isRecommended",
 * "reasons": [{"topic", "sentence"}]}]} */
bool api_discover(struct request *req, struct response *res, struct error *err)
{
    struct trial trial, done;
    struct str email;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "email", true, &email, err);
    json_decref(body);
    struct db *db = is_good ? app_db(req, err) : NULL;
    is_good = db && limit_hit(req, db, LIMIT_DISCOVERIES, err) &&
              setup_begin_discovery(db, req->arena, signed_in(req)->user_id, email, &trial, err);
    if (!answer_done(req, &db, is_good) || !await_trial(req, &trial, DISCOVER_MS, &done, err))
        return false;
    struct setup_settings *found;
    size_t count, best;
    struct setup_outcome outcome;
    if (str_find(done.result, STR("\"candidates\"")) < 0)
        return setup_read_outcome(req->arena, &done, &outcome, err) && judge(&outcome, err);
    if (!setup_candidates(req->arena, &done, &found, &count, &best, err))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "candidates");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_str(&json, "source", found[i].source);
        answer_text(&json, "kind", account_kind_name(found[i].kind));
        write_server(&json, "incoming", &found[i].incoming);
        write_server(&json, "smtp", &found[i].smtp);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    if (count > 0)
        answer_i64(&json, "recommended", (int64_t)best);
    write_kinds(&json, found, count);
    json_write_object_end(&json);
    return true;
}

bool api_account_test(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct trial trial, done;
    struct setup_outcome outcome;
    struct db *db;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db,
                     limit_hit(req, db, LIMIT_TRIALS, err) &&
                         setup_begin_retrial(db, req->arena, &account, &trial, err)) ||
        !await_trial(req, &trial, TRIAL_MS, &done, err) ||
        !setup_read_outcome(req->arena, &done, &outcome, err))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_bool(&json, "ok", outcome.is_good);
    if (!outcome.is_good) {
        answer_str(&json, "part", outcome.part);
        answer_str(&json, "step", outcome.step);
        answer_str(&json, "kind", outcome.kind);
        answer_str(&json, "message", outcome.message);
        answer_str(&json, "hint", outcome.hint);
    }
    json_write_object_end(&json);
    return true;
}

/* --- changing -------------------------------------------------------------------------------- */

static bool read_changes(struct request *req, const json_t *body, struct account *a,
                         struct error *err)
{
    struct str name, prefetch;
    int64_t prefetch_days = a->prefetch_days, poll = a->poll_seconds;
    struct setup_pop3 pop3 = {
        .policy = a->pop3_policy, .days = a->pop3_days, .max_bytes = a->pop3_max_bytes};
    if (!read_word(req, body, "name", &name, err) ||
        !read_word(req, body, "prefetch", &prefetch, err) || !read_pop3(req, body, &pop3, err) ||
        !body_int(body, "prefetchDays", 0, DAYS_MAX, &prefetch_days, err) ||
        !body_int(body, "pollSeconds", 10, 86400, &poll, err))
        return false;
    if (prefetch.length > 0 && !prefetch_parse(prefetch, &a->prefetch))
        return error_set(err, ERROR_INVALID,
                         "\"prefetch\" is \"headers\", \"recent\", \"text\" or \"all\".");
    if (name.length > NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "\"name\" is too long.");
    if (name.length > 0)
        a->name = name;
    a->prefetch_days = (int)prefetch_days;
    a->poll_seconds = (int)poll;
    setup_choose_pop3(a, &pop3);
    return true;
}

bool api_account_update(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct db *db;
    json_t *body = body_json(req, err);
    if (!body)
        return false;
    bool is_good = answer_account(req, &db, &account, err);
    if (is_good)
        is_good = answer_done(req, &db,
                              read_changes(req, body, &account, err) &&
                                  account_update_policy(db, &account, err) &&
                                  answer_one(req, res, db, account.id, err));
    json_decref(body);
    return is_good;
}

bool api_account_delete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t id;
    res->status = 204;
    return answer_account_id(req, &db, &id, err) &&
           answer_done(req, &db, account_delete(db, id, err));
}

bool api_account_sync(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t id;
    res->status = 202;
    return answer_account_id(req, &db, &id, err) &&
           answer_done(req, &db, account_sync_now(db, id, err));
}

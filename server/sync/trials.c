#include "server/sync/trials.h"

#include <jansson.h>

#include "server/base/json.h"
#include "server/base/log.h"
#include "server/store/leases.h"
#include "server/sync/discover.h"
#include "server/sync/sign_in.h"

enum { RESULT_BYTES_MAX = 64 * 1024, CAPABILITIES_BYTES_MAX = 4096 };

static struct str member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
                                 : STR_EMPTY;
}

static void read_server(const json_t *object, struct server_settings *server)
{
    *server =
        (struct server_settings){.host = member(object, "host"),
                                 .username = member(object, "username"),
                                 .port = (int)json_integer_value(json_object_get(object, "port"))};
    tls_mode_parse(member(object, "tls"), &server->tls);
}

/* --- results --------------------------------------------------------------------------------- */

static void write_member(struct json *json, const char *name, struct str text)
{
    json_write_name(json, name);
    json_write_str(json, text);
}

static void write_failure(struct json *json, const char *part, const char *step,
                          const struct error *why)
{
    json_write_object(json);
    json_write_name(json, "ok");
    json_write_bool(json, false);
    write_member(json, "part", str_of(part));
    write_member(json, "step", str_of(step));
    write_member(json, "kind", str_of(error_kind_name(why->kind)));
    write_member(json, "message", str_of(why->message));
    write_member(json, "hint", str_of(why->hint));
    json_write_object_end(json);
}

/* --- account and sign-in --------------------------------------------------------------------- */

struct attempt {
    const char *part;
    enum sign_in_protocol protocol;
    struct server_settings server;
};

/* The password that came with the trial; or, for an account as it stands, the account's own with
 * its own servers: a stored password never goes to a host that a trial names. */
static bool open_attempts(const struct sync_context *sync, struct arena *arena,
                          const struct trial *trial, const json_t *settings,
                          struct attempt attempts[2], struct secret *secret, struct error *err)
{
    struct str sealed = trial->secret;
    struct str kind = member(settings, "kind");
    struct account_work work;
    read_server(json_object_get(settings, "incoming"), &attempts[0].server);
    read_server(json_object_get(settings, "smtp"), &attempts[1].server);
    if (sealed.length == 0) {
        struct db *db = store_acquire(sync->store, 0, err);
        bool is_loaded = db && account_work_load(db, arena, trial->account_id, &work, err);
        store_release(sync->store, &db);
        if (!is_loaded)
            return false;
        if (work.account.user_id != trial->user_id)
            return error_set(err, ERROR_NOT_FOUND, "There is no such account.");
        sealed = work.secret;
        kind = str_of(account_kind_name(work.account.kind));
        attempts[0].server = work.account.incoming;
        attempts[1].server = work.account.smtp;
    }
    attempts[0].part = "incoming";
    attempts[0].protocol = str_equal(kind, STR("pop3")) ? SIGN_IN_POP3 : SIGN_IN_IMAP;
    attempts[1].part = "smtp";
    attempts[1].protocol = SIGN_IN_SMTP;
    if (attempts[1].server.username.length == 0)
        attempts[1].server.username = attempts[0].server.username;
    return seal_open(sync->keys, arena_printf(arena, "account:%lld", (long long)trial->account_id),
                     sealed, secret, err);
}

static bool check_plaintext(const struct sync_context *sync, const struct trial *trial,
                            const struct server_settings *server, struct error *err)
{
    /* A sign-in goes to the server that the administrator configured, however. */
    if (server->tls != TLS_NONE || sync->allow_plaintext || trial->kind == TRIAL_SIGN_IN)
        return true;
    error_set(err, ERROR_FORBIDDEN, "Connections without TLS are not allowed here.");
    return error_hint(err, "Choose TLS or STARTTLS.");
}

static void try_account(const struct sync_context *sync, const struct trial *trial,
                        struct attempt attempts[2], const struct secret *secret, struct json *json)
{
    struct buf capabilities = BUF_INIT(CAPABILITIES_BYTES_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct error why = ERROR_INIT;
        enum stream_step step = STREAM_STEP_RESOLVE;
        struct server_settings *server = &attempts[i].server;
        if (server->host.length == 0)
            continue;
        if (check_plaintext(sync, trial, server, &why) &&
            sign_in_try(sync, attempts[i].protocol, server, secret, &step,
                        i == 0 ? &capabilities : NULL, &why))
            continue;
        write_failure(json, attempts[i].part, stream_step_name(step), &why);
        buf_free(&capabilities);
        return;
    }
    json_write_object(json);
    json_write_name(json, "ok");
    json_write_bool(json, true);
    write_member(json, "capabilities", buf_view(&capabilities));
    json_write_object_end(json);
    buf_free(&capabilities);
}

/* No connection to the database is held while a mail server is asked: that may take long. */
static bool carry_out(const struct sync_context *sync, struct arena *arena,
                      const struct trial *trial, struct json *json, struct error *err)
{
    struct secret secret = {0};
    json_t *settings = json_loadb(trial->settings.at, trial->settings.length, 0, NULL);
    bool is_done = settings || error_set(err, ERROR_INTERNAL, "the trial's settings are no JSON");
    if (is_done && trial->kind == TRIAL_DISCOVER) {
        is_done = discover_servers(sync, arena, member(settings, "email"), json, err);
    } else if (is_done) {
        struct attempt attempts[2] = {0};
        is_done = open_attempts(sync, arena, trial, settings, attempts, &secret, err);
        if (is_done)
            try_account(sync, trial, attempts, &secret, json);
    }
    secret_free(&secret);
    json_decref(settings);
    return is_done;
}

/* --- the queue ------------------------------------------------------------------------------- */

/* False without an error: nobody waits for a trial. */
static bool take(const struct sync_context *sync, struct arena *arena, struct trial *trial,
                 struct error *err)
{
    struct error why = ERROR_INIT;
    struct db *db = store_acquire(sync->store, 0, err);
    bool is_taken = db && trial_take(db, arena, trial, &why);
    if (db && !is_taken && why.kind != ERROR_NOT_FOUND)
        *err = why;
    store_release(sync->store, &db);
    return is_taken;
}

static bool finish(const struct sync_context *sync, const struct trial *trial, struct str result,
                   struct error *err)
{
    struct db *db = store_acquire(sync->store, 0, err);
    bool is_written = db && trial_finish(db, str_of(trial->id), result, err);
    store_release(sync->store, &db);
    return is_written;
}

/* False: there is nothing more to do, or (with an error) nothing can be done now. */
static bool run_one(const struct sync_context *sync, struct arena *arena, struct error *err)
{
    struct trial trial;
    struct error why = ERROR_INIT;
    if (!take(sync, arena, &trial, err))
        return false;
    struct buf text = BUF_INIT(RESULT_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    bool is_done = carry_out(sync, arena, &trial, &json, &why);
    if (sync_is_stopping(sync)) {
        is_done = error_set(&why, ERROR_UNAVAILABLE, "This service is being restarted.");
        error_hint(&why, "Try again in a minute.");
    }
    if (is_done && text.is_full)
        is_done = error_set(&why, ERROR_LIMIT, "The servers said too much.");
    if (!is_done) {
        buf_reset(&text);
        json = JSON_INIT(&text);
        write_failure(&json, "", "", &why);
    }
    bool is_written = finish(sync, &trial, buf_view(&text), err);
    LOG_INFO("sync.trial", log_str("trial", str_of(trial.id)),
             log_text("kind", trial.kind == TRIAL_DISCOVER ? "discover" : "sign-in"),
             log_text("error", error_kind_name(why.kind)));
    buf_free(&text);
    return is_written;
}

void trials_run(const struct sync_context *sync)
{
    struct error err = ERROR_INIT;
    bool has_more = true;
    while (has_more && !sync_is_stopping(sync)) {
        struct arena *arena = arena_new();
        has_more = run_one(sync, arena, &err);
        arena_free(&arena);
    }
    if (err.kind != ERROR_NONE)
        LOG_WARN("sync.trial", LOG_ERR(&err));
}

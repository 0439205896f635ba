#include "handlers/setup.h"

#include <jansson.h>
#include <string.h>

#include "server/base/error.h"
#include "server/base/json.h"

enum { SETTINGS_BYTES_MAX = 16 * 1024, SEALED_BYTES_MAX = 8192, HOST_BYTES_MAX = 253 };

/* --- settings -------------------------------------------------------------------------------- */

int setup_usual_port(enum account_kind kind, bool is_smtp, enum tls_mode tls)
{
    bool is_implicit = tls == TLS_IMPLICIT;
    if (is_smtp)
        return is_implicit ? 465 : 587;
    if (kind == ACCOUNT_IMAP)
        return is_implicit ? 993 : 143;
    return is_implicit ? 995 : 110;
}

static bool check_server(struct server_settings *server, const char *what, enum account_kind kind,
                         bool is_smtp, bool allow_plaintext, struct error *err)
{
    if (server->port == 0)
        server->port = setup_usual_port(kind, is_smtp, server->tls);
    if (server->host.length > HOST_BYTES_MAX || str_find_char(server->host, ' ') >= 0)
        return error_set(err, ERROR_INVALID, "The name of the %s server is not a host name.", what);
    if (server->port < 1 || server->port > 65535)
        return error_set(err, ERROR_INVALID, "The port of the %s server must be from 1 to 65535.",
                         what);
    if (server->tls == TLS_NONE && !allow_plaintext) {
        error_set(err, ERROR_INVALID,
                  "A connection without TLS would show the password and all mail to others.");
        return error_hint(err, "Choose TLS or STARTTLS. The administrator of this service can "
                               "allow plain connections (allow_plaintext).");
    }
    return true;
}

bool setup_check(struct arena *arena, struct setup_settings *settings, bool allow_plaintext,
                 struct error *err)
{
    settings->email = arena_str(arena, str_trim(settings->email));
    settings->incoming.host = arena_str(arena, str_trim(settings->incoming.host));
    settings->smtp.host = arena_str(arena, str_trim(settings->smtp.host));
    ptrdiff_t at = str_find_char(settings->email, '@');
    if (at <= 0 || (size_t)at + 1 >= settings->email.length || settings->email.length > 320)
        return error_set(err, ERROR_INVALID,
                         "That is not a mail address: it needs a name, an @ and a domain.");
    if (settings->incoming.host.length == 0)
        return error_set(err, ERROR_INVALID, "The mail server's name is missing.");
    if (settings->incoming.username.length == 0)
        settings->incoming.username = settings->email;
    if (!check_server(&settings->incoming, "incoming", settings->kind, false, allow_plaintext, err))
        return false;
    return settings->smtp.host.length == 0 ||
           check_server(&settings->smtp, "outgoing", settings->kind, true, allow_plaintext, err);
}

static void write_server(struct json *json, const struct server_settings *server)
{
    json_write_object(json);
    json_write_name(json, "host");
    json_write_str(json, server->host);
    json_write_name(json, "port");
    json_write_i64(json, server->port);
    json_write_name(json, "tls");
    json_write_text(json, tls_mode_name(server->tls));
    json_write_name(json, "username");
    json_write_str(json, server->username);
    json_write_object_end(json);
}

static struct str settings_json(struct arena *arena, const struct setup_settings *settings)
{
    struct buf text = BUF_INIT(SETTINGS_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    json_write_object(&json);
    json_write_name(&json, "email");
    json_write_str(&json, settings->email);
    json_write_name(&json, "kind");
    json_write_text(&json, account_kind_name(settings->kind));
    json_write_name(&json, "incoming");
    write_server(&json, &settings->incoming);
    json_write_name(&json, "smtp");
    if (settings->smtp.host.length > 0)
        write_server(&json, &settings->smtp);
    else
        json_write_null(&json);
    json_write_object_end(&json);
    struct str copy = text.is_full ? STR_EMPTY : arena_str(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static struct str member(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return STR_EMPTY;
    return arena_str(arena, str_make(json_string_value(value), json_string_length(value)));
}

static void read_server(struct arena *arena, const json_t *object, struct server_settings *server)
{
    *server = (struct server_settings){.host = member(arena, object, "host"),
                                       .username = member(arena, object, "username")};
    server->port = (int)json_integer_value(json_object_get(object, "port"));
    tls_mode_parse(member(arena, object, "tls"), &server->tls);
}

static void read_settings(struct arena *arena, const json_t *object,
                          struct setup_settings *settings)
{
    *settings = (struct setup_settings){.email = member(arena, object, "email"),
                                        .source = member(arena, object, "source")};
    account_kind_parse(member(arena, object, "kind"), &settings->kind);
    read_server(arena, json_object_get(object, "incoming"), &settings->incoming);
    read_server(arena, json_object_get(object, "smtp"), &settings->smtp);
}

/* Only what this service wrote itself is read here, so a fault is ours. */
static json_t *load(struct str text, struct error *err)
{
    json_t *root = json_loadb(text.at, text.length, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        error_set(err, ERROR_INTERNAL, "The trial's answer cannot be read.");
    return root;
}

bool setup_read_settings(struct arena *arena, const struct trial *trial,
                         struct setup_settings *settings, struct error *err)
{
    json_t *root = load(trial->settings, err);
    if (!root)
        return false;
    read_settings(arena, root, settings);
    json_decref(root);
    return true;
}

/* --- the steps ------------------------------------------------------------------------------- */

bool setup_begin_discovery(struct db *db, struct arena *arena, int64_t user_id, struct str email,
                           struct trial *trial, struct error *err)
{
    struct buf text = BUF_INIT(SETTINGS_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    json_write_object(&json);
    json_write_name(&json, "email");
    json_write_str(&json, email);
    json_write_object_end(&json);
    *trial = (struct trial){
        .kind = TRIAL_DISCOVER, .user_id = user_id, .settings = arena_str(arena, buf_view(&text))};
    bool is_full = text.is_full;
    buf_free(&text);
    if (is_full)
        return error_set(err, ERROR_INVALID, "That mail address is too long.");
    return trial_create(db, trial, err);
}

bool setup_candidates(struct arena *arena, const struct trial *trial,
                      struct setup_settings **candidates, size_t *count, size_t *recommended,
                      struct error *err)
{
    json_t *root = load(trial->result, err);
    if (!root)
        return false;
    const json_t *list = json_object_get(root, "candidates");
    struct str email = STR_EMPTY;
    struct setup_settings asked;
    if (setup_read_settings(arena, trial, &asked, NULL))
        email = asked.email;
    *count = json_array_size(list);
    *candidates = ARENA_ARRAY(arena, *count, struct setup_settings);
    for (size_t i = 0; i < *count; i++) {
        read_settings(arena, json_array_get(list, i), &(*candidates)[i]);
        (*candidates)[i].email = email;
    }
    *recommended = (size_t)json_integer_value(json_object_get(root, "recommended"));
    if (*recommended >= *count)
        *recommended = 0;
    json_decref(root);
    return true;
}

bool setup_begin_trial(struct db *db, struct arena *arena, const struct seal_public_key *key,
                       enum trial_kind kind, int64_t user_id, int64_t account_id,
                       const struct setup_settings *settings, struct str password,
                       struct trial *trial, struct error *err)
{
    *trial = (struct trial){.kind = kind, .user_id = user_id, .account_id = account_id};
    trial->settings = settings_json(arena, settings);
    if (trial->settings.length == 0 || password.length > SEALED_BYTES_MAX / 2)
        return error_set(err, ERROR_INVALID, "These settings are too long.");
    if (account_id == 0 && !account_allocate_id(db, &trial->account_id, err))
        return false;
    struct buf sealed = BUF_INIT(SEALED_BYTES_MAX);
    seal_secret(key, arena_printf(arena, "account:%lld", (long long)trial->account_id), password,
                &sealed);
    trial->secret = arena_str(arena, buf_view(&sealed));
    buf_free(&sealed);
    return trial_create(db, trial, err);
}

bool setup_begin_retrial(struct db *db, struct arena *arena, const struct account *account,
                         struct trial *trial, struct error *err)
{
    struct setup_settings settings = {.email = account->email,
                                      .kind = account->kind,
                                      .incoming = account->incoming,
                                      .smtp = account->smtp};
    *trial = (struct trial){.kind = TRIAL_ACCOUNT,
                            .user_id = account->user_id,
                            .account_id = account->id,
                            .settings = settings_json(arena, &settings)};
    return trial_create(db, trial, err);
}

bool setup_read_outcome(struct arena *arena, const struct trial *trial,
                        struct setup_outcome *outcome, struct error *err)
{
    json_t *root = load(trial->result, err);
    if (!root)
        return false;
    *outcome = (struct setup_outcome){
        .is_good = json_is_true(json_object_get(root, "ok")),
        .part = member(arena, root, "part"),
        .step = member(arena, root, "step"),
        .kind = member(arena, root, "kind"),
        .message = member(arena, root, "message"),
        .hint = member(arena, root, "hint"),
    };
    json_decref(root);
    return true;
}

const struct setup_reason setup_reasons[][SETUP_REASONS] = {
    [ACCOUNT_IMAP] =
        {{"folders", "Your mail and its folders stay on the server, and a copy is kept here."},
         {"devices", "All your devices are kept in step: what is read, moved or deleted on one is "
                     "so on the others."},
         {"speed", "The list is here within seconds, headers first; texts follow."}},
    [ACCOUNT_POP3] =
        {{"offline", "Whole messages are fetched into one Inbox here, and all of them can be read "
                     "while the server is down."},
         {"folders", "Folders, stars and what was read are known only here."},
         {"removal", "Unless you choose otherwise, each message is removed from the server once it "
                     "is stored here: then this is the only copy, and other devices no longer find "
                     "it."}},
};

const struct setup_pop3 setup_pop3_default = {.policy = POP3_REMOVE, .days = 14};

void setup_choose_pop3(struct account *account, const struct setup_pop3 *pop3)
{
    account->pop3_policy = pop3->policy;
    account->pop3_days = pop3->days;
    account->pop3_max_bytes = pop3->max_bytes;
    account->pop3_may_remove |= pop3->is_chosen && pop3->policy != POP3_LEAVE;
}

bool setup_save(struct db *db, struct arena *arena, int64_t user_id, struct str name,
                const struct trial *trial, struct str sealed, const struct setup_pop3 *pop3,
                int64_t *account_id, struct error *err)
{
    struct setup_settings settings;
    if (!setup_read_settings(arena, trial, &settings, err))
        return false;
    struct account account = {
        .id = trial->account_id,
        .user_id = user_id,
        .name = name.length > 0 ? name : settings.email,
        .email = settings.email,
        .kind = settings.kind,
        .incoming = settings.incoming,
        .smtp = settings.smtp,
        .prefetch = PREFETCH_RECENT,
        .prefetch_days = 30,
        .poll_seconds = 60,
    };
    setup_choose_pop3(&account, pop3);
    if (!account_create(db, &account, sealed, STR_EMPTY, err))
        return false;
    *account_id = account.id;
    struct error ignored = ERROR_INIT; /* the sweep takes what stays */
    trial_delete(db, str_of(trial->id), &ignored);
    return true;
}

bool setup_save_sign_in(struct db *db, struct arena *arena, int64_t user_id,
                        const struct trial *trial, struct str sealed, int64_t *account_id,
                        struct error *err)
{
    struct account account;
    struct error missing = ERROR_INIT;
    if (!account_by_id(db, arena, trial->account_id, &account, &missing))
        return missing.kind == ERROR_NOT_FOUND
                   ? setup_save(db, arena, user_id, STR_EMPTY, trial, sealed, &setup_pop3_default,
                                account_id, err)
                   : error_set(err, missing.kind, "%s", missing.message);
    *account_id = account.id;
    return account_update_servers(db, &account, sealed, (struct str){0}, err);
}

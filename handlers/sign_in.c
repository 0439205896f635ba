/* Name and password to person. See session.h for what it promises. */
#include "handlers/session.h"
#include "handlers/setup.h"
#include "handlers/wait.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/base/utf8.h"

enum {
    WINDOW_S = 15 * 60,
    NAME_BYTES_MAX = 320,
    PASSWORD_BYTES_MAX = 1024,
    HASH_BYTES_MAX = 1024,
    TRIAL_MS = 25 * 1000,
    BUCKET_BYTES = 96,
};

static bool refuse(struct error *err)
{
    error_set(err, ERROR_AUTH, "The name or the password is wrong.");
    return error_hint(err, "Check both and try again. If you forgot the password, ask the "
                           "administrator of this service.");
}

/* --- throttling ------------------------------------------------------------------------------ */

struct buckets {
    struct str name, address;
};

static struct str bucket_of(struct arena *arena, const char *kind, struct str of)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct buf text = BUF_INIT(BUCKET_BYTES);
    content_hash(of, hash); /* names are nobody's business in a table of counters */
    buf_printf(&text, "signin:%s:", kind);
    encode_hex(&text, str_make(hash, 16));
    struct str copy = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static bool hit(struct db *db, struct str bucket, int64_t limit, struct error *err)
{
    int hits, left_s;
    if (!rate_hit(db, bucket, WINDOW_S, &hits, &left_s, err))
        return false;
    if (hits <= limit)
        return true;
    error_set(err, ERROR_UNAVAILABLE, "Too many tries to sign in.");
    error_hint(err, "Wait %d minutes and try again.", (left_s + 59) / 60);
    err->retry_after_ms = left_s * 1000;
    return false;
}

/* Counted before the password is looked at, so that many tries at once do not slip through; taken
 * back when it was right. */
static bool throttle(struct db *db, const struct config *config, const struct buckets *buckets,
                     struct error *err)
{
    return hit(db, buckets->address, config->sign_in_tries_per_address, err) &&
           hit(db, buckets->name, config->sign_in_tries, err);
}

/* --- through the mail server ----------------------------------------------------------------- */

static struct str expand(struct arena *arena, const char *pattern, struct str address)
{
    struct str domain = address, rest = str_of(pattern);
    struct str local = str_cut(&domain, '@');
    struct buf text = BUF_INIT(2 * NAME_BYTES_MAX);
    for (size_t i = 0; i < rest.length; i++) {
        char next = i + 1 < rest.length ? rest.at[i + 1] : '\0';
        if (rest.at[i] != '%' || !strchr("und", next) || !next) {
            buf_char(&text, rest.at[i]);
            continue;
        }
        buf_str(&text, next == 'u' ? address : next == 'n' ? local : domain);
        i++;
    }
    struct str copy = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static bool domain_settings(struct arena *arena, const struct config_domain *domain,
                            struct str address, struct setup_settings *settings, struct error *err)
{
    *settings = (struct setup_settings){.email = address};
    account_kind_parse(str_of(domain->kind), &settings->kind);
    settings->incoming =
        (struct server_settings){.host = str_of(domain->host), .port = (int)domain->port};
    settings->incoming.username = expand(arena, domain->username, address);
    tls_mode_parse(str_of(domain->tls), &settings->incoming.tls);
    settings->smtp =
        (struct server_settings){.host = str_of(domain->smtp_host), .port = (int)domain->smtp_port};
    tls_mode_parse(str_of(domain->smtp_tls), &settings->smtp.tls);
    /* The administrator named this server, so plain connections are the administrator's choice. */
    return setup_check(arena, settings, true, err);
}

/* The person's first sign-in makes person and account; a later one with a password that is new here
 * notes it in both. */
static bool keep(struct request *req, const struct trial *trial, struct str sealed,
                 struct str password, const struct user *known, int64_t *user_id, struct error *err)
{
    struct setup_settings settings;
    struct buf hash = BUF_INIT(HASH_BYTES_MAX);
    int64_t account_id = 0;
    bool is_kept = setup_read_settings(req->arena, trial, &settings, err) &&
                   password_hash(password, &hash, err);
    struct db *db = is_kept ? store_acquire(app_of(req)->store, 0, err) : NULL;
    *user_id = known ? known->id : 0;
    is_kept = db && (known ? user_set_password(db, known->id, buf_view(&hash), err)
                           : user_create(db, settings.email, buf_view(&hash), true, user_id, err));
    store_release(app_of(req)->store, &db);
    buf_free(&hash);
    db = is_kept ? store_acquire(app_of(req)->store, *user_id, err) : NULL;
    is_kept = db && setup_save_sign_in(db, req->arena, *user_id, trial, sealed, &account_id, err);
    store_release(app_of(req)->store, &db);
    return is_kept;
}

/* What a failed trial means for a person at the sign-in form. */
static bool judge(const struct setup_outcome *outcome, struct error *err)
{
    if (outcome->is_good)
        return true;
    if (str_equal(outcome->kind, str_of(error_kind_name(ERROR_AUTH))))
        return refuse(err);
    error_set(err, ERROR_UNAVAILABLE, "Your mail server cannot be asked at the moment: %" STR_FMT,
              STR_ARG(outcome->message));
    return error_hint(err, "Try again in some minutes.");
}

/* The account that this person has on that server already, if any: a new password is sealed to it.
 */
static bool known_account(struct request *req, const struct user *known,
                          const struct setup_settings *settings, int64_t *account_id,
                          struct error *err)
{
    struct account *accounts;
    size_t count;
    *account_id = 0;
    if (!known)
        return true;
    struct db *db = store_acquire(app_of(req)->store, known->id, err);
    bool is_listed = db && account_list(db, req->arena, known->id, &accounts, &count, err);
    store_release(app_of(req)->store, &db);
    for (size_t i = 0; is_listed && i < count; i++)
        if (str_equal(accounts[i].incoming.host, settings->incoming.host) &&
            accounts[i].incoming.port == settings->incoming.port &&
            str_equal(accounts[i].incoming.username, settings->incoming.username))
            *account_id = accounts[i].id;
    return is_listed;
}

static bool ask_mail_server(struct request *req, const struct config_domain *domain,
                            struct str address, struct str password, const struct user *known,
                            int64_t *user_id, struct error *err)
{
    struct trial trial, done;
    struct setup_settings settings;
    struct setup_outcome outcome;
    int64_t account_id;
    const struct app *app = app_of(req);
    if (!domain_settings(req->arena, domain, address, &settings, err) ||
        !known_account(req, known, &settings, &account_id, err))
        return false;
    struct db *db = store_acquire(app->store, 0, err);
    bool is_asked = db && setup_begin_trial(db, req->arena, &app->seal_key, TRIAL_SIGN_IN, 0,
                                            account_id, &settings, password, &trial, err);
    store_release(app->store, &db);
    return is_asked &&
           wait_for_trial(req, str_of(trial.id), 0, deadline_in_ms(TRIAL_MS), &done, err) &&
           setup_read_outcome(req->arena, &done, &outcome, err) && judge(&outcome, err) &&
           keep(req, &done, trial.secret, password, known, user_id, err);
}

/* --- both ------------------------------------------------------------------------------------ */

static struct str fold_name(struct arena *arena, struct str name)
{
    struct str trimmed = str_trim(name);
    char *folded = arena_text(arena, trimmed);
    for (size_t i = 0; i < trimmed.length; i++)
        folded[i] = ascii_lower(folded[i]);
    return str_make(folded, trimmed.length);
}

static bool look_up(struct request *req, struct str name, const struct buckets *buckets,
                    struct user *user, bool *is_known, struct error *err)
{
    struct error missing = ERROR_INIT;
    const struct app *app = app_of(req);
    struct db *db = store_acquire(app->store, 0, err);
    if (!db)
        return false;
    bool is_good = throttle(db, app->config, buckets, err);
    *is_known = is_good && user_by_login(db, req->arena, name, user, &missing);
    if (is_good && !*is_known && missing.kind != ERROR_NOT_FOUND) {
        *err = missing;
        is_good = false;
    }
    store_release(app->store, &db);
    return is_good;
}

static void forgive(struct request *req, const struct buckets *buckets)
{
    struct error ignored = ERROR_INIT; /* the worst is a wait */
    struct db *db = store_acquire(app_of(req)->store, 0, &ignored);
    if (db && rate_clear(db, buckets->name, &ignored))
        rate_forgive(db, buckets->address, &ignored);
    store_release(app_of(req)->store, &db);
}

bool sign_in(struct request *req, struct str name, struct str password, int64_t *user_id,
             struct error *err)
{
    struct user user = {0};
    bool is_known = false;
    name = fold_name(req->arena, name);
    if (name.length == 0 || name.length > NAME_BYTES_MAX || !utf8_is_valid(name) ||
        str_find_char(name, '\0') >= 0 || password.length == 0 ||
        password.length > PASSWORD_BYTES_MAX)
        return refuse(err);
    struct buckets buckets = {bucket_of(req->arena, "name", name),
                              bucket_of(req->arena, "addr", req->remote_address)};
    if (!look_up(req, name, &buckets, &user, &is_known, err))
        return false;
    bool has_hash = is_known && user.password_hash.length > 0;
    bool is_right =
        password_verify(password, has_hash ? user.password_hash : password_dummy_hash()) &&
        has_hash;
    *user_id = user.id;
    struct str domain = name;
    str_cut(&domain, '@');
    const struct config_domain *mapped =
        domain.at ? config_domain_of(app_of(req)->config, domain) : NULL;
    if (!is_right && mapped && (!is_known || user.is_mail_login))
        is_right =
            ask_mail_server(req, mapped, name, password, is_known ? &user : NULL, user_id, err);
    else if (!is_right)
        refuse(err);
    LOG_INFO("signin", log_text("result", is_right ? "good" : error_kind_name(err->kind)),
             log_str("address", req->remote_address));
    if (is_right)
        forgive(req, &buckets);
    return is_right;
}

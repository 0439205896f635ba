/* Name and password to person. See session.h for what it promises. */
#include "handlers/session.h"
#include "handlers/setup.h"
#include "handlers/wait.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/base/utf8.h"
#include "server/http/door.h"

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
    error_set(err, ERROR_THROTTLED, "Too many tries to sign in.");
    error_hint(err, "Wait %d minutes and try again.", (left_s + 59) / 60);
    err->retry_after_ms = left_s * 1000;
    return false;
}

/* Whom a client's address stands for: who has one IPv6 address has 2^64 of them. */
static struct str client_network(struct arena *arena, struct str address)
{
    enum { NETWORK_BYTES = 8 };
    unsigned char bytes[16];
    bool is_v6 = str_find_char(address, ':') >= 0 && ip_parse(address, bytes);
    return is_v6 ? arena_str(arena, str_make(bytes, NETWORK_BYTES)) : address;
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

/* The person of that address, made if there is none; two first sign-ins at once make one. */
static bool ensure_user(struct request *req, struct str address, int64_t *user_id,
                        struct error *err)
{
    struct user user;
    struct error why = ERROR_INIT;
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    if (!db)
        return false;
    bool is_good = user_create(db, address, STR_EMPTY, true, user_id, &why);
    if (!is_good && why.kind == ERROR_CONFLICT) {
        is_good = user_by_login(db, req->arena, address, &user, err);
        *user_id = is_good ? user.id : 0;
    } else if (!is_good) {
        *err = why;
    }
    store_release(app_of(req)->store, &db);
    return is_good;
}

/* Of two sign-ins at once the other one has kept the same. */
static bool save_account(struct request *req, struct db *db, int64_t user_id,
                         const struct trial *trial, struct str sealed, struct error *err)
{
    int64_t account_id;
    struct error why = ERROR_INIT;
    if (setup_save_sign_in(db, req->arena, user_id, trial, sealed, &account_id, &why) ||
        why.kind == ERROR_CONFLICT)
        return true;
    *err = why;
    return false;
}

/* The person's first sign-in makes person and account; a later one with a password that is new here
 * notes it in both. The hash comes last: with it, the next sign-in does not come by here, so all
 * else must be in its place. */
static bool keep(struct request *req, const struct trial *trial, struct str sealed,
                 struct str password, const struct user *known, int64_t *user_id, struct error *err)
{
    struct setup_settings settings;
    struct buf hash = BUF_INIT(HASH_BYTES_MAX);
    *user_id = known ? known->id : 0;
    bool is_kept = setup_read_settings(req->arena, trial, &settings, err) &&
                   password_hash(password, &hash, err) &&
                   (known || ensure_user(req, settings.email, user_id, err));
    struct db *db = is_kept ? store_acquire(app_of(req)->store, *user_id, err) : NULL;
    is_kept = db && save_account(req, db, *user_id, trial, sealed, err) &&
              user_set_password(db, *user_id, buf_view(&hash), err);
    store_release(app_of(req)->store, &db);
    buf_free(&hash);
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

/* The account that this person has on that server already; NULL without an error: none. */
static bool known_account(struct request *req, int64_t user_id,
                          const struct setup_settings *settings, const struct account **found,
                          struct error *err)
{
    struct account *accounts;
    size_t count;
    *found = NULL;
    struct db *db = store_acquire(app_of(req)->store, user_id, err);
    bool is_listed = db && account_list(db, req->arena, user_id, &accounts, &count, err);
    store_release(app_of(req)->store, &db);
    for (size_t i = 0; is_listed && i < count; i++)
        if (str_equal(accounts[i].incoming.host, settings->incoming.host) &&
            accounts[i].incoming.port == settings->incoming.port &&
            str_equal(accounts[i].incoming.username, settings->incoming.username))
            *found = &accounts[i];
    return is_listed;
}

static bool await_answer(struct request *req, const struct trial *trial, struct trial *done,
                         struct error *err)
{
    if (wait_for_trial(req, str_of(trial->id), 0, deadline_in_ms(TRIAL_MS), done, err))
        return true;
    if (err->kind == ERROR_TIMEOUT) {
        error_set(err, ERROR_UNAVAILABLE, "Your mail server has not answered in time.");
        error_hint(err, "Try again in some minutes.");
    }
    return false;
}

static bool ask_mail_server(struct request *req, const struct setup_settings *settings,
                            const struct account *account, struct str password,
                            const struct user *known, int64_t *user_id, struct error *err)
{
    struct trial trial, done;
    struct setup_outcome outcome;
    const struct app *app = app_of(req);
    struct db *db = store_acquire(app->store, 0, err);
    bool is_asked =
        db && setup_begin_trial(db, req->arena, &app->seal_key, TRIAL_SIGN_IN, 0,
                                account ? account->id : 0, settings, password, &trial, err);
    store_release(app->store, &db);
    return is_asked && await_answer(req, &trial, &done, err) &&
           setup_read_outcome(req->arena, &done, &outcome, err) && judge(&outcome, err) &&
           keep(req, &done, trial.secret, password, known, user_id, err);
}

/* For who signs in with the mail password. A password that is right here is good without asking,
 * so that one can sign in while the mail server is away; but not when the server has refused it
 * since: then it was changed there, and the old one shall open nothing. */
static bool sign_in_by_mail(struct request *req, const struct config_domain *domain,
                            struct str address, struct str password, const struct user *known,
                            bool is_right, int64_t *user_id, struct error *err)
{
    struct setup_settings settings;
    const struct account *account = NULL;
    if (!domain_settings(req->arena, domain, address, &settings, err) ||
        (known && !known_account(req, known->id, &settings, &account, err)))
        return false;
    if (is_right && !(account && account->sync_state == SYNC_REFUSED))
        return true;
    return ask_mail_server(req, &settings, account, password, known, user_id, err);
}

/* --- both ------------------------------------------------------------------------------------ */

bool sign_in_name(struct arena *arena, struct str typed, struct str *name)
{
    struct str trimmed = str_trim(typed);
    if (trimmed.length == 0 || trimmed.length > NAME_BYTES_MAX || !utf8_is_valid(trimmed))
        return false;
    char *folded = arena_text(arena, trimmed);
    for (size_t i = 0; i < trimmed.length; i++) {
        if ((unsigned char)folded[i] <= ' ' || folded[i] == 0x7f)
            return false;
        folded[i] = ascii_lower(folded[i]);
    }
    *name = str_make(folded, trimmed.length);
    return true;
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

/* With the address, for those who lock out who guesses; never the name: people type passwords
 * there.
 */
static void log_result(const struct request *req, enum error_kind kind)
{
    LOG_INFO("signin", log_text("result", kind == ERROR_NONE ? "good" : error_kind_name(kind)),
             log_str("address", req->remote_address));
}

bool sign_in(struct request *req, struct str name, struct str password, int64_t *user_id,
             struct error *err)
{
    struct user user = {0};
    bool is_known = false;
    if (!sign_in_name(req->arena, name, &name) || password.length == 0 ||
        password.length > PASSWORD_BYTES_MAX)
        return refuse(err);
    struct buckets buckets = {
        bucket_of(req->arena, "name", name),
        bucket_of(req->arena, "addr", client_network(req->arena, req->remote_address))};
    if (!look_up(req, name, &buckets, &user, &is_known, err)) {
        log_result(req, err->kind);
        return false;
    }
    bool has_hash = is_known && user.password_hash.length > 0;
    struct str dummy = password_dummy_hash(); /* its making takes time, for known names too */
    bool is_right = password_verify(password, has_hash ? user.password_hash : dummy) && has_hash;
    *user_id = user.id;
    struct str domain = name;
    str_cut(&domain, '@');
    const struct config_domain *mapped =
        domain.at ? config_domain_of(app_of(req)->config, domain) : NULL;
    if (mapped && (!is_known || user.is_mail_login))
        is_right = sign_in_by_mail(req, mapped, name, password, is_known ? &user : NULL, is_right,
                                   user_id, err);
    else if (!is_right)
        refuse(err);
    log_result(req, is_right ? ERROR_NONE : err->kind);
    if (is_right)
        forgive(req, &buckets);
    return is_right;
}

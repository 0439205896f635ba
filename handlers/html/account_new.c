/* Adding a mail account, and giving an account other servers: settings are found, tried, and only
 * then saved. With a usual provider, address and password are all that is asked. */
#include "handlers/html/account_kind.h"
#include "handlers/html/page.h"
#include "handlers/html/pop3_choice.h"
#include "handlers/html/screens.h"
#include "handlers/limits.h"
#include "handlers/setup.h"
#include "handlers/wait.h"

enum {
    DISCOVERY_WAIT_MS = 12000,
    TRIAL_WAIT_MS = 30000,
    OTHER_WAIT_MS = 10000, /* for POP3 where IMAP works already */
    ADDRESS_BYTES_MAX = 320,
};

/* What the form holds, between requests and beside errors. The password never goes back. */
struct draft {
    int64_t account_id; /* 0: a new account */
    struct str name;
    struct setup_settings settings;
    struct setup_settings pop3_settings; /* proposed beside IMAP; host empty: none */
    struct setup_pop3 pop3;              /* what becomes of mail on a POP3 server */
    bool has_servers;                    /* step two */
    struct setup_outcome outcome;        /* of a trial that failed: `message` set */
    bool is_proposed, is_not_found;      /* where the settings come from */
};

/* --- showing --------------------------------------------------------------------------------- */

struct option {
    const char *value, *label;
};
static const struct option kinds[] = {
    {"imap", "IMAP4 (recommended): mail and folders stay on the server, all devices in step"},
    {"pop3", "POP3: whole messages come into one inbox here, and may be removed from the server"}};
static const struct option tls_modes[] = {
    {"implicit", "TLS"}, {"starttls", "STARTTLS"}, {"none", "Not encrypted"}};

static void set_options(struct value *view, const char *name, const struct option *options,
                        size_t count, const char *chosen)
{
    struct value *list = view_set_list(view, name);
    for (size_t i = 0; i < count; i++) {
        struct value *option = view_add_object(list);
        view_set_text(option, "value", options[i].value);
        view_set_text(option, "label", options[i].label);
        view_set_bool(option, "isChosen", !strcmp(options[i].value, chosen));
    }
}

static void set_server(struct value *form, const char *name, const struct server_settings *server,
                       bool allow_plaintext, struct arena *arena)
{
    struct value *view = view_set_object(form, name);
    view_set_str(view, "host", server->host);
    view_set_str(view, "port", server->port ? arena_printf(arena, "%d", server->port) : STR_EMPTY);
    view_set_str(view, "username", server->username);
    set_options(view, "tls", tls_modes, allow_plaintext ? 3 : 2, tls_mode_name(server->tls));
}

/* The steps of a trial in their order: those that went well, the one that failed, those not
 * reached. */
static void set_steps(struct value *page, const struct setup_outcome *outcome)
{
    static const struct {
        const char *step, *done, *failed;
    } steps[] = {{"resolve", "Found the server", "Finding the server"},
                 {"connect", "Connected to it", "Connecting to it"},
                 {"tls", "Encrypted the connection", "Encrypting the connection"},
                 {"greeting", "Were greeted", "Being greeted"},
                 {"sign-in", "Signed in", "Signing in"}};
    bool is_smtp = str_equal(outcome->part, STR("smtp"));
    struct value *failure = view_set_object(page, "failure");
    view_set_text(failure, "server", is_smtp ? "outgoing server (SMTP)" : "incoming server");
    view_set_str(failure, "message", outcome->message);
    view_set_str(failure, "hint", outcome->hint);
    struct value *list = view_set_list(failure, "steps");
    bool is_reached = true;
    for (size_t i = 0; outcome->step.length && i < sizeof steps / sizeof *steps; i++) {
        bool is_it = str_equal(outcome->step, str_of(steps[i].step));
        struct value *view = view_add_object(list);
        view_set_text(view, "label", is_reached && !is_it ? steps[i].done : steps[i].failed);
        view_set_bool(view, "isGood", is_reached && !is_it);
        view_set_bool(view, "isBad", is_it);
        is_reached = is_reached && !is_it;
    }
}

/* `problem`: what is wrong with the input, or with asking; NULL: nothing. */
static bool show_draft(struct request *req, struct response *res, const struct draft *draft,
                       const struct error *problem, struct error *err)
{
    bool allow_plaintext = app_of(req)->config->allow_plaintext;
    struct value *page =
        page_new(req, draft->account_id ? "Servers and password" : "Add a mail account");
    struct value *form = view_set_object(page, "form");
    view_set_str(form, "name", draft->name);
    view_set_str(form, "email", draft->settings.email);
    set_options(form, "kinds", kinds, 2, account_kind_name(draft->settings.kind));
    pop3_choice_set(form, &draft->pop3, req->arena);
    set_server(form, "incoming", &draft->settings.incoming, allow_plaintext, req->arena);
    set_server(form, "smtp", &draft->settings.smtp, allow_plaintext, req->arena);
    view_set_bool(page, "isNew", draft->account_id == 0);
    if (draft->account_id)
        view_set_path(page, "formUrl", "/accounts/%lld/servers", (long long)draft->account_id);
    else
        view_set_path(page, "formUrl", "/accounts/new");
    view_set_bool(page, "isProposed", draft->is_proposed);
    view_set_bool(page, "isNotFound", draft->is_not_found);
    view_set_text(page, "failure", NULL);
    if (problem)
        page_set_problem(page, problem);
    if (draft->outcome.message.length)
        set_steps(page, &draft->outcome);
    if (problem || draft->outcome.message.length)
        res->status = 422;
    if (problem && problem->kind == ERROR_THROTTLED)
        response_set_status(res, problem);
    struct db *db = app_db(req, err);
    bool is_good = db && page_set_accounts(req, db, page, draft->account_id, err);
    store_release(app_of(req)->store, &db);
    return is_good &&
           page_send(req, res, draft->has_servers ? "account-servers" : "account-new", page, err);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_server(const struct http_fields *form, const char *const names[4],
                        struct server_settings *server, struct error *err)
{
    uint32_t port = 0;
    struct str text = form_text(form, names[1]);
    server->host = form_text(form, names[0]);
    server->username = form_text(form, names[3]);
    if (!tls_mode_parse(form_text(form, names[2]), &server->tls))
        server->tls = TLS_IMPLICIT;
    if (text.length && (!str_to_u32(text, &port) || port < 1 || port > 65535))
        return error_set(err, ERROR_INVALID, "A port is a number from 1 to 65535.");
    server->port = (int)port;
    return true;
}

static bool read_draft(const struct request *req, const struct http_fields *form,
                       struct draft *draft, struct error *err)
{
    static const char *const incoming[] = {"host", "port", "tls", "username"};
    static const char *const smtp[] = {"smtpHost", "smtpPort", "smtpTls", "smtpUsername"};
    draft->name = form_text(form, "name");
    draft->settings.email = form_text(form, "email");
    draft->has_servers = http_field_value(form, "host").at != NULL;
    if (!account_kind_parse(form_text(form, "kind"), &draft->settings.kind))
        draft->settings.kind = ACCOUNT_IMAP;
    if (!form_raw(form, "password").length)
        return error_set(err, ERROR_INVALID, "The password is missing.");
    if (!draft->has_servers) {
        ptrdiff_t at = str_find_char(draft->settings.email, '@');
        if (at < 1 || (size_t)at + 1 >= draft->settings.email.length ||
            draft->settings.email.length > ADDRESS_BYTES_MAX)
            return error_set(err, ERROR_INVALID, "That is not a mail address.");
        return true;
    }
    return pop3_choice_read(form, &draft->pop3, err) &&
           read_server(form, incoming, &draft->settings.incoming, err) &&
           read_server(form, smtp, &draft->settings.smtp, err) &&
           setup_check(req->arena, &draft->settings, app_of(req)->config->allow_plaintext, err);
}

/* --- finding, trying, saving ------------------------------------------------------------------ */

/* Fills the draft's servers from the address. False with `why` when nothing answers in time. */
static bool discover(struct request *req, struct draft *draft, struct error *err)
{
    struct trial trial;
    struct setup_settings *candidates;
    size_t count, recommended;
    int64_t user_id = signed_in(req)->user_id;
    struct str email = draft->settings.email;
    struct db *db = app_db(req, err);
    bool is_asked = db && limit_hit(req, db, LIMIT_DISCOVERIES, err) &&
                    setup_begin_discovery(db, req->arena, user_id, email, &trial, err);
    store_release(app_of(req)->store, &db);
    if (!is_asked ||
        !wait_for_trial(req, arena_str(req->arena, str_of(trial.id)), user_id,
                        deadline_in_ms(DISCOVERY_WAIT_MS), &trial, err) ||
        !setup_candidates(req->arena, &trial, &candidates, &count, &recommended, err))
        return false;
    draft->is_proposed = count > 0;
    draft->is_not_found = count == 0;
    if (count)
        draft->settings = candidates[recommended];
    draft->settings.email = email;
    bool allow_plaintext = app_of(req)->config->allow_plaintext;
    for (size_t i = 0; draft->settings.kind == ACCOUNT_IMAP && i < count; i++) {
        struct setup_settings *other = &candidates[i];
        other->email = email;
        if (other->kind == ACCOUNT_POP3 && !draft->pop3_settings.incoming.host.length &&
            setup_check(req->arena, other, allow_plaintext, NULL))
            draft->pop3_settings = *other;
    }
    return !count || setup_check(req->arena, &draft->settings, allow_plaintext, err);
}

/* Tries settings; `*trial` and `*sealed` are what saving needs. */
static bool try_settings(struct request *req, const struct draft *draft,
                         const struct setup_settings *settings, struct str password, int wait_ms,
                         struct trial *trial, struct str *sealed, struct setup_outcome *outcome,
                         struct error *err)
{
    int64_t user_id = signed_in(req)->user_id;
    struct db *db = app_db(req, err);
    bool is_asked = db && limit_hit(req, db, LIMIT_TRIALS, err) &&
                    setup_begin_trial(db, req->arena, &app_of(req)->seal_key, TRIAL_ACCOUNT,
                                      user_id, draft->account_id, settings, password, trial, err);
    store_release(app_of(req)->store, &db);
    if (!is_asked)
        return false;
    *sealed = trial->secret;
    return wait_for_trial(req, arena_str(req->arena, str_of(trial->id)), user_id,
                          deadline_in_ms(wait_ms), trial, err) &&
           setup_read_outcome(req->arena, trial, outcome, err);
}

static bool try_draft(struct request *req, struct draft *draft, struct str password,
                      struct trial *trial, struct str *sealed, struct error *err)
{
    return try_settings(req, draft, &draft->settings, password, TRIAL_WAIT_MS, trial, sealed,
                        &draft->outcome, err);
}

/* Whether POP3 works where it was proposed beside IMAP. A password that IMAP refused is not tried a
 * second time: servers count. */
static bool try_pop3_too(struct request *req, struct draft *draft, struct str password,
                         struct trial *trial)
{
    struct str sealed;
    struct setup_outcome outcome;
    bool is_refused = !draft->outcome.is_good && str_equal(draft->outcome.step, STR("sign-in"));
    return draft->pop3_settings.incoming.host.length > 0 && !is_refused &&
           try_settings(req, draft, &draft->pop3_settings, password,
                        draft->outcome.is_good ? OTHER_WAIT_MS : TRIAL_WAIT_MS, trial, &sealed,
                        &outcome, NULL) &&
           outcome.is_good;
}

/* Address and password were all that was given, and the servers were found and tried: asks what
 * only the person can decide, if there is anything. `*is_asked` false: nothing is. */
static bool ask_kind(struct request *req, struct response *res, struct draft *draft,
                     const struct trial *trial, struct str password, bool *is_asked,
                     struct error *err)
{
    struct trial other;
    bool is_imap = draft->settings.kind == ACCOUNT_IMAP;
    struct account_kinds ways = {.name = draft->name,
                                 .email = draft->settings.email,
                                 .imap_why = is_imap ? draft->outcome.message : STR_EMPTY,
                                 .chosen = setup_pop3_default};
    if (is_imap && draft->outcome.is_good)
        ways.imap = str_of(trial->id);
    if (!is_imap && draft->outcome.is_good)
        ways.pop3 = str_of(trial->id);
    else if (is_imap && try_pop3_too(req, draft, password, &other))
        ways.pop3 = str_of(other.id);
    *is_asked = ways.pop3.length > 0;
    return !*is_asked || account_kind_show(req, res, &ways, NULL, err);
}

static bool save_draft(struct request *req, const struct draft *draft, const struct trial *trial,
                       struct str sealed, int64_t *account_id, struct error *err)
{
    struct account account;
    struct error ignored = ERROR_INIT; /* the sweep takes the trial if we cannot */
    struct db *db = app_db(req, err);
    bool is_saved = false;
    if (db && !draft->account_id) {
        is_saved = setup_save(db, req->arena, signed_in(req)->user_id, draft->name, trial, sealed,
                              &draft->pop3, account_id, err);
    } else if (db && session_account(req, db, draft->account_id, &account, err)) {
        account.email = draft->settings.email;
        account.incoming = draft->settings.incoming;
        account.smtp = draft->settings.smtp;
        *account_id = account.id;
        is_saved = account_update_servers(db, &account, sealed, STR_EMPTY, err);
        trial_delete(db, str_of(trial->id), &ignored);
    }
    store_release(app_of(req)->store, &db);
    return is_saved || (err->kind == ERROR_CONFLICT &&
                        error_set(err, ERROR_CONFLICT, "You have this account here already."));
}

/* The whole way of a filled form. Shows it again with what is wrong, or leads on. */
static bool take_draft(struct request *req, struct response *res, const struct http_fields *form,
                       struct draft *draft, struct error *err)
{
    struct trial trial;
    struct str sealed;
    int64_t account_id = 0;
    struct error why = ERROR_INIT;
    draft->pop3 = setup_pop3_default;
    bool is_good = read_draft(req, form, draft, &why);
    bool is_first = !draft->has_servers, is_asked;
    if (is_good && is_first) {
        is_good = discover(req, draft, &why);
        draft->has_servers = true;
        if (is_good && draft->is_not_found)
            return show_draft(req, res, draft, NULL, err);
    }
    is_good = is_good && try_draft(req, draft, form_raw(form, "password"), &trial, &sealed, &why);
    if (is_good && is_first) {
        is_good = ask_kind(req, res, draft, &trial, form_raw(form, "password"), &is_asked, &why);
        if (is_good && is_asked)
            return true;
    }
    if (is_good && !draft->outcome.is_good)
        return show_draft(req, res, draft, NULL, err);
    is_good = is_good && save_draft(req, draft, &trial, sealed, &account_id, &why);
    if (is_good) {
        response_redirect(res, arena_printf(req->arena, "/mail/%lld", (long long)account_id));
        return true;
    }
    if (!page_is_form_error(&why)) {
        *err = why;
        return false;
    }
    draft->outcome = (struct setup_outcome){0};
    return show_draft(req, res, draft, &why, err);
}

/* --- handlers -------------------------------------------------------------------------------- */

bool html_account_new_form(struct request *req, struct response *res, struct error *err)
{
    struct draft draft = {.has_servers = str_equal(request_argument(req, "manual"), STR("1")),
                          .pop3 = setup_pop3_default};
    return show_draft(req, res, &draft, NULL, err);
}

bool html_account_new(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct draft draft = {0};
    return request_form(req, &form, err) && take_draft(req, res, &form, &draft, err);
}

/* The draft of an account as it stands. */
static bool draft_of_account(struct request *req, struct draft *draft, struct error *err)
{
    struct account account;
    int64_t id;
    if (!request_param_id(req, "account", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_found = db && session_account(req, db, id, &account, err);
    store_release(app_of(req)->store, &db);
    if (!is_found)
        return false;
    *draft = (struct draft){.account_id = account.id,
                            .name = account.name,
                            .has_servers = true,
                            .pop3 = setup_pop3_default,
                            .settings = {.email = account.email,
                                         .kind = account.kind,
                                         .incoming = account.incoming,
                                         .smtp = account.smtp}};
    return true;
}

bool html_account_servers_form(struct request *req, struct response *res, struct error *err)
{
    struct draft draft;
    return draft_of_account(req, &draft, err) && show_draft(req, res, &draft, NULL, err);
}

bool html_account_servers(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct draft draft;
    if (!draft_of_account(req, &draft, err) || !request_form(req, &form, err))
        return false;
    enum account_kind kind = draft.settings.kind;
    struct str name = draft.name;
    struct draft filled = {.account_id = draft.account_id, .name = name};
    filled.settings.kind = kind;
    return take_draft(req, res, &form, &filled, err);
}

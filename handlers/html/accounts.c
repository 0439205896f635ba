/* The mail accounts of a person: their list, how each is kept, and taking one away. */
#include "handlers/html/page.h"
#include "handlers/html/pop3_choice.h"
#include "handlers/html/screens.h"

enum { POLL_SECONDS_MIN = 30, POLL_SECONDS_MAX = 86400, DAYS_MAX = 3650, NAME_BYTES_MAX = 200 };

/* A choice of the policy, said in a sentence. */
struct choice {
    const char *value, *label, *explanation;
};

static const struct choice prefetch_choices[] = {
    {"headers", "Only what lists show",
     "Senders, subjects and dates are kept here. A message's text is fetched when you open it."},
    {"recent", "Text of recent mail",
     "The text of recent messages is here at once, also while the server is down; older text and "
     "attachments are fetched when you open them."},
    {"text", "Text of all mail",
     "Every message's text is kept here and can be searched; attachments are fetched when you open "
     "them."},
    {"all", "Everything",
     "Whole messages with their attachments are kept here: a full copy of your mail."},
};

static void set_choices(struct value *page, const char *name, const struct choice *choices,
                        size_t count, const char *current)
{
    struct value *list = view_set_list(page, name);
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(list);
        view_set_text(view, "value", choices[i].value);
        view_set_text(view, "label", choices[i].label);
        view_set_text(view, "explanation", choices[i].explanation);
        view_set_bool(view, "isChosen", !strcmp(choices[i].value, current));
    }
}

bool html_accounts(struct request *req, struct response *res, struct error *err)
{
    struct value *page = page_new(req, "Mail accounts");
    struct db *db = app_db(req, err);
    bool is_done = db && page_set_accounts(req, db, page, 0, err) &&
                   page_send(req, res, "accounts", page, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static void set_server(struct value *page, const char *name, const struct server_settings *server)
{
    static const char *const tls_words[] = {
        [TLS_IMPLICIT] = "TLS", [TLS_STARTTLS] = "STARTTLS", [TLS_NONE] = "not encrypted"};
    if (!server->host.length) {
        view_set_text(page, name, NULL);
        return;
    }
    struct value *view = view_set_object(page, name);
    view_set_str(view, "host", server->host);
    view_set_i64(view, "port", server->port);
    view_set_text(view, "tls", tls_words[server->tls]);
    view_set_str(view, "username", server->username);
}

static struct setup_pop3 pop3_of(const struct account *account)
{
    return (struct setup_pop3){.policy = account->pop3_policy,
                               .days = account->pop3_days,
                               .max_bytes = account->pop3_max_bytes};
}

static void set_pop3(struct value *view, const struct account *account, struct arena *arena)
{
    struct setup_pop3 pop3 = pop3_of(account);
    pop3_choice_set(view, &pop3, arena);
    pop3_choice_ask(view, "removal", account, false, arena);
    /* RFC 2449 section 6.7: whatever is chosen here */
    struct str words = STR_EMPTY;
    if (account->pop3_expire_days == 0)
        words = STR("This server deletes messages by itself as soon as they were fetched, whatever "
                    "is chosen here.");
    else if (account->pop3_expire_days > 0)
        words = arena_printf(arena,
                             "This server deletes messages by itself %d days after they were "
                             "fetched, whatever is chosen here.",
                             account->pop3_expire_days);
    view_set_str(view, "expires", words);
}

static bool show_account(struct request *req, struct response *res, struct db *db,
                         const struct account *account, const struct error *problem,
                         struct error *err)
{
    struct value *page = page_new(req, arena_text(req->arena, account->name));
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    view_set_str(view, "email", account->email);
    view_set_bool(view, "isPop3", account->kind == ACCOUNT_POP3);
    view_set_text(view, "kind", account->kind == ACCOUNT_POP3 ? "POP3" : "IMAP");
    set_server(view, "incoming", &account->incoming);
    set_server(view, "smtp", &account->smtp);
    page_set_sync(view, account, req->arena);
    view_set_i64(view, "prefetchDays", account->prefetch_days);
    view_set_i64(view, "pollSeconds", account->poll_seconds);
    set_choices(view, "prefetch", prefetch_choices,
                sizeof prefetch_choices / sizeof *prefetch_choices,
                prefetch_name(account->prefetch));
    set_pop3(view, account, req->arena);
    view_set_bool(page, "isSaved", str_equal(request_argument(req, "saved"), STR("1")));
    if (problem)
        page_set_problem(page, problem);
    return page_set_accounts(req, db, page, account->id, err) &&
           page_send(req, res, "account", page, err);
}

static bool find_account(struct request *req, struct db *db, struct account *account,
                         struct error *err)
{
    int64_t id;
    return request_param_id(req, "account", &id, err) && session_account(req, db, id, account, err);
}

bool html_account(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct db *db = app_db(req, err);
    bool is_done = db && find_account(req, db, &account, err) &&
                   show_account(req, res, db, &account, NULL, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static bool read_number(const struct http_fields *form, const char *name, const char *what, int min,
                        int max, int *number, struct error *err)
{
    uint32_t value;
    struct str text = form_text(form, name);
    if (!text.length)
        return true;
    if (!str_to_u32(text, &value) || value < (uint32_t)min || value > (uint32_t)max)
        return error_set(err, ERROR_INVALID, "%s must be a number from %d to %d.", what, min, max);
    *number = (int)value;
    return true;
}

static bool read_policy(const struct http_fields *form, struct account *account, struct error *err)
{
    struct str name = form_text(form, "name");
    struct str prefetch = form_text(form, "prefetch");
    struct setup_pop3 pop3 = pop3_of(account);
    if (!name.length || name.length > NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "Give the account a short name.");
    account->name = name;
    if (prefetch.length && !prefetch_parse(prefetch, &account->prefetch))
        return error_set(err, ERROR_INVALID, "Choose what is kept here.");
    if (!pop3_choice_read(form, &pop3, err))
        return false;
    pop3.is_chosen = false; /* before anything is removed, the page asks in so many words */
    setup_choose_pop3(account, &pop3);
    return read_number(form, "prefetchDays", "The days of recent mail", 1, DAYS_MAX,
                       &account->prefetch_days, err) &&
           read_number(form, "pollSeconds", "The seconds between looks", POLL_SECONDS_MIN,
                       POLL_SECONDS_MAX, &account->poll_seconds, err);
}

static bool save_account(struct request *req, struct response *res, struct db *db,
                         const struct http_fields *form, struct error *err)
{
    struct account account;
    struct error why = ERROR_INIT;
    if (!find_account(req, db, &account, err))
        return false;
    if (!read_policy(form, &account, &why)) {
        res->status = http_status_of(why.kind);
        return show_account(req, res, db, &account, &why, err);
    }
    if (!account_update_policy(db, &account, err))
        return false;
    response_redirect(res,
                      arena_printf(req->arena, "/accounts/%lld?saved=1", (long long)account.id));
    return true;
}

bool html_account_save(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct db *db = app_db(req, err);
    bool is_done = db && request_form(req, &form, err) && save_account(req, res, db, &form, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* The answer to the question before the first removal. */
static bool answer_removal(struct request *req, struct response *res, struct db *db,
                           const struct http_fields *form, struct error *err)
{
    struct account account;
    if (!find_account(req, db, &account, err))
        return false;
    struct setup_pop3 pop3 = pop3_of(&account);
    if (!pop3_choice_read(form, &pop3, err))
        return false;
    setup_choose_pop3(&account, &pop3);
    if (!account_update_policy(db, &account, err))
        return false;
    response_redirect(
        res, arena_printf(req->arena,
                          form_text(form, "mail").length ? "/mail/%lld" : "/accounts/%lld?saved=1",
                          (long long)account.id));
    return true;
}

bool html_account_pop3(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct db *db = app_db(req, err);
    bool is_done = db && request_form(req, &form, err) && answer_removal(req, res, db, &form, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static bool show_delete(struct request *req, struct response *res, const struct account *account,
                        struct error *err)
{
    struct value *page = page_new(req, "Remove account");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    view_set_str(view, "email", account->email);
    view_set_bool(view, "isPop3", account->kind == ACCOUNT_POP3);
    return page_send(req, res, "account-delete", page, err);
}

bool html_account_delete_form(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct db *db = app_db(req, err);
    bool is_done =
        db && find_account(req, db, &account, err) && show_delete(req, res, &account, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_account_delete(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct db *db = app_db(req, err);
    bool is_done =
        db && find_account(req, db, &account, err) && account_delete(db, account.id, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res, STR("/accounts"));
    return is_done;
}

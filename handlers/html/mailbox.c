/* A folder's list of messages, and the way to the first one. */
#include "handlers/html/list.h"
#include "handlers/html/screens.h"

/* The account's inbox, or the first folder that holds messages; 0: no folder yet. */
static bool first_mailbox(struct request *req, struct db *db, int64_t account_id, int64_t *id,
                          struct error *err)
{
    struct mailbox *mailboxes;
    size_t count;
    if (!mailbox_list(db, req->arena, account_id, &mailboxes, &count, err))
        return false;
    *id = 0;
    for (size_t i = 0; i < count && !*id; i++)
        if (mailboxes[i].role == ROLE_INBOX)
            *id = mailboxes[i].id;
    for (size_t i = 0; i < count && !*id; i++)
        if (mailboxes[i].is_selectable)
            *id = mailboxes[i].id;
    return true;
}

/* The account is new: its folders are being looked at. The page asks again by itself. */
static bool show_preparing(struct request *req, struct response *res, struct db *db,
                           const struct account *account, struct error *err)
{
    struct value *page = page_new(req, account->name.at ? "Getting your mail" : "Mail");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    page_set_sync(view, account, req->arena);
    if (!page_set_accounts(req, db, page, account->id, err))
        return false;
    if (account->sync_state != SYNC_REFUSED)
        response_set_header(res, "Refresh", STR("2"));
    return page_send(req, res, "preparing", page, err);
}

static bool go_to_account(struct request *req, struct response *res, struct db *db,
                          const struct account *account, struct error *err)
{
    int64_t mailbox_id;
    if (!first_mailbox(req, db, account->id, &mailbox_id, err))
        return false;
    if (!mailbox_id)
        return show_preparing(req, res, db, account, err);
    response_redirect(res, arena_printf(req->arena, "/mail/%lld/%lld", (long long)account->id,
                                        (long long)mailbox_id));
    return true;
}

static bool home(struct request *req, struct response *res, struct db *db, struct error *err)
{
    struct account *accounts;
    size_t count;
    if (!account_list(db, req->arena, signed_in(req)->user_id, &accounts, &count, err))
        return false;
    if (count)
        return go_to_account(req, res, db, &accounts[0], err);
    response_redirect(res, STR("/accounts/new"));
    return true;
}

bool html_home(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && home(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_account_mail(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id;
    struct account account;
    if (!request_param_id(req, "account", &account_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && session_account(req, db, account_id, &account, err) &&
                   go_to_account(req, res, db, &account, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static bool show_mailbox(struct request *req, struct response *res, struct db *db,
                         int64_t account_id, int64_t mailbox_id, struct error *err)
{
    struct panes panes;
    list_foresee(req, db, account_id, mailbox_id);
    if (!list_load_panes(req, db, account_id, mailbox_id, &panes, err))
        return false;
    struct str name = list_folder_name(panes.mailbox);
    struct value *page = page_new(req, arena_text(req->arena, name));
    if (!list_set_panes(req, db, page, &panes, 0, err))
        return false;
    if (list_is_awaited(panes.account, panes.mailbox))
        response_set_header(res, "Refresh", STR("2"));
    return page_send(req, res, "mailbox", page, err);
}

bool html_mailbox(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, mailbox_id;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "mailbox", &mailbox_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && show_mailbox(req, res, db, account_id, mailbox_id, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_sync_now(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, mailbox_id;
    struct account account;
    struct http_fields form;
    if (!request_param_id(req, "account", &account_id, err) || !request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && session_account(req, db, account_id, &account, err) &&
                   account_sync_now(db, account_id, err);
    store_release(app_of(req)->store, &db);
    if (!is_done)
        return false;
    struct str path = arena_printf(req->arena, "/mail/%lld", (long long)account_id);
    if (str_to_i64(form_text(&form, "mailbox"), &mailbox_id))
        path = arena_printf(req->arena, "%s/%lld", path.at, (long long)mailbox_id);
    response_redirect(res, path);
    return true;
}

/* An account's folders: making, renaming, moving, subscribing and deleting them. */
#include "handlers/html/act.h"
#include "handlers/html/screens.h"
#include "handlers/html/told.h"
#include "handlers/html/words.h"
#include "server/store/actions.h"

enum { INDENT_MAX = 6, OPERATIONS_MAX = 16 };

struct place {
    struct account account;
    struct mailbox mailbox; /* of routes that name one */
    struct mailbox *mailboxes;
    size_t count;
};

static bool load(struct request *req, struct db *db, bool is_one, struct place *place,
                 struct error *err)
{
    int64_t account_id, mailbox_id;
    if (!request_param_id(req, "account", &account_id, err) ||
        !session_account(req, db, account_id, &place->account, err) ||
        !mailbox_list(db, req->arena, account_id, &place->mailboxes, &place->count, err))
        return false;
    return !is_one || (request_param_id(req, "mailbox", &mailbox_id, err) &&
                       mailbox_by_id(db, req->arena, account_id, mailbox_id, &place->mailbox, err));
}

/* --- pages ----------------------------------------------------------------------------------- */

static int level_of(const struct place *place, const struct mailbox *mailbox)
{
    int level = 0;
    for (int64_t parent_id = mailbox->parent_id; parent_id && level < INDENT_MAX; level++) {
        size_t i = 0;
        while (i < place->count && place->mailboxes[i].id != parent_id)
            i++;
        if (i == place->count)
            break;
        parent_id = place->mailboxes[i].parent_id;
    }
    return level;
}

static void add_folder(struct value *list, const struct place *place, const struct mailbox *mailbox,
                       int64_t parent_id, struct arena *arena)
{
    struct value *view = view_add_object(list);
    const char *role = mailbox_role_name(mailbox->role);
    view_set_i64(view, "id", mailbox->id);
    view_set_str(view, "name", list_folder_name(mailbox));
    view_set_str(view, "path", list_folder_path(arena, mailbox));
    view_set_text(view, "icon", role ? role : "folder");
    view_set_i64(view, "level", level_of(place, mailbox));
    view_set_str(view, "count", words_count(arena, mailbox->total));
    view_set_bool(view, "isOne", mailbox->total == 1);
    view_set_bool(view, "isChosen", mailbox->id == parent_id);
    view_set_bool(view, "isSelectable", mailbox->is_selectable);
    /* the inbox is shown whether or not it is subscribed */
    view_set_bool(view, "isSubscribed", mailbox->is_subscribed || mailbox->role == ROLE_INBOX);
    view_set_bool(view, "isLocal", mailbox->is_local);
    bool is_first = true, is_last = true; /* among those that lie in the same folder */
    for (const struct mailbox *m = place->mailboxes; m < place->mailboxes + place->count; m++) {
        is_first = is_first && (m >= mailbox || m->parent_id != mailbox->parent_id);
        is_last = is_last && (m <= mailbox || m->parent_id != mailbox->parent_id);
    }
    view_set_bool(view, "isFirst", is_first);
    view_set_bool(view, "isLast", is_last);
}

static struct value *new_page(const struct request *req, const char *title,
                              const struct place *place, int64_t parent_id)
{
    struct value *page = page_new(req, title);
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", place->account.id);
    view_set_str(view, "name", place->account.name);
    view_set_bool(view, "isPop3", place->account.kind == ACCOUNT_POP3);
    view_set_str(page, "formKey", act_form_key(req->arena));
    struct value *list = view_set_list(page, "mailboxes");
    for (size_t i = 0; i < place->count; i++)
        add_folder(list, place, &place->mailboxes[i], parent_id, req->arena);
    return page;
}

/* `db` NULL: with a problem, which is told rather than what was done before. */
static bool show_folders(struct request *req, struct response *res, struct db *db,
                         const struct place *place, const struct http_fields *form,
                         const struct error *problem, struct error *err)
{
    int64_t parent_id = 0;
    if (form)
        str_to_i64(form_text(form, "parent"), &parent_id);
    struct value *page = new_page(req, "Folders", place, parent_id);
    view_set_str(page, "typed", form ? form_text(form, "name") : STR_EMPTY);
    view_set_path(page, "undoUrl", "/accounts/%lld/folders", (long long)place->account.id);
    view_set_path(page, "hereUrl", "/accounts/%lld/folders", (long long)place->account.id);
    view_set_text(page, "openId", NULL);
    if (db && !told_set_notice(req, db, page, &place->account, err))
        return false;
    if (problem) {
        res->status = http_status_of(problem->kind);
        page_set_problem(page, problem);
    }
    return page_send(req, res, "folders", page, err);
}

static bool show_folder(struct request *req, struct response *res, const struct place *place,
                        const struct error *problem, struct error *err)
{
    const struct mailbox *mailbox = &place->mailbox;
    struct value *page =
        new_page(req, arena_text(req->arena, list_folder_name(mailbox)), place, mailbox->parent_id);
    struct value *view = view_set_object(page, "folder");
    view_set_i64(view, "id", mailbox->id);
    view_set_str(view, "name", list_folder_name(mailbox));
    view_set_str(view, "typed", mailbox->name);
    view_set_str(view, "count", words_count(req->arena, mailbox->total));
    view_set_bool(view, "isOne", mailbox->total == 1);
    view_set_bool(view, "hasEmails", mailbox->total > 0);
    view_set_bool(view, "isLocal", mailbox->is_local);
    view_set_bool(view, "isSubscribed", mailbox->is_subscribed);
    view_set_bool(view, "isInbox", mailbox->role == ROLE_INBOX);
    view_set_bool(view, "hasRole", mailbox->role != ROLE_NONE);
    bool has_trash = false;
    for (size_t i = 0; i < place->count; i++)
        has_trash = has_trash || place->mailboxes[i].role == ROLE_TRASH;
    view_set_bool(view, "keepsEmails", has_trash && mailbox->role != ROLE_TRASH);
    if (problem) {
        res->status = http_status_of(problem->kind);
        page_set_problem(page, problem);
    }
    return page_send(req, res, "folder", page, err);
}

bool html_folders(struct request *req, struct response *res, struct error *err)
{
    struct place place = {0};
    struct db *db = app_db(req, err);
    bool is_done = db && load(req, db, false, &place, err) &&
                   show_folders(req, res, db, &place, NULL, NULL, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_folder(struct request *req, struct response *res, struct error *err)
{
    struct place place = {0};
    struct db *db = app_db(req, err);
    bool is_done =
        db && load(req, db, true, &place, err) && show_folder(req, res, &place, NULL, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* --- changing -------------------------------------------------------------------------------- */

/* Back to the folders, with what was done and how to take it back; or with what is `said`. */
static void go_back(const struct request *req, struct response *res, int64_t account_id,
                    const struct action_result *result, const char *said)
{
    struct str url = arena_printf(req->arena, "/accounts/%lld/folders", (long long)account_id);
    if (said)
        url = arena_printf(req->arena, "%" STR_FMT "?said=%s", STR_ARG(url), said);
    for (size_t i = 0; i < result->operation_count; i++)
        url = arena_printf(req->arena, "%" STR_FMT "%s%lld", STR_ARG(url),
                           i ? "-" : "?done=", (long long)result->operation_ids[i]);
    response_redirect(res, url);
}

static bool is_form_error(const struct error *why, struct error *err)
{
    if (page_is_form_error(why))
        return true;
    *err = *why;
    return false;
}

static struct str key_of(const struct request *req, const struct http_fields *form,
                         const char *what)
{
    enum { KEY_LENGTH_MAX = 64 };
    struct str key = form_text(form, "key");
    if (!key.length || key.length > KEY_LENGTH_MAX)
        return STR_EMPTY;
    return arena_printf(req->arena, "%" STR_FMT ".%s", STR_ARG(key), what);
}

static int64_t parent_of(const struct http_fields *form)
{
    int64_t id;
    return str_to_i64(form_text(form, "parent"), &id) ? id : 0;
}

static bool is_step(const struct http_fields *form)
{
    struct str verb = form_text(form, "do");
    return str_equal(verb, STR("up")) || str_equal(verb, STR("down"));
}

/* One step among its siblings, which get numbers by that: what is new comes behind them. */
static bool step(const struct request *req, struct db *db, const struct place *place, bool is_up,
                 struct error *err)
{
    int64_t *ids = ARENA_ARRAY(req->arena, place->count, int64_t);
    size_t count = 0, at = 0;
    for (size_t i = 0; i < place->count; i++)
        if (place->mailboxes[i].parent_id == place->mailbox.parent_id)
            ids[count++] = place->mailboxes[i].id;
    while (at < count && ids[at] != place->mailbox.id)
        at++;
    size_t other = is_up ? at - 1 : at + 1;
    if (at >= count || other >= count)
        return true; /* it is at the end already */
    ids[at] = ids[other];
    ids[other] = place->mailbox.id;
    return mailbox_sort(db, place->account.id, ids, count, 1, err);
}

static bool sort_by_name(const struct request *req, struct db *db, const struct place *place,
                         struct error *err)
{
    int64_t *ids = ARENA_ARRAY(req->arena, place->count, int64_t);
    for (size_t i = 0; i < place->count; i++)
        ids[i] = place->mailboxes[i].id;
    return mailbox_sort(db, place->account.id, ids, place->count, MAILBOX_UNSORTED, err);
}

static bool undo(const struct request *req, struct db *db, const struct place *place,
                 const struct http_fields *form, struct error *err)
{
    int64_t ids[OPERATIONS_MAX];
    size_t count = 0;
    struct str rest = form_text(form, "operations");
    while (rest.at && count < OPERATIONS_MAX)
        if (!str_to_i64(str_cut(&rest, '-'), &ids[count++]))
            return error_set(err, ERROR_INVALID, "There is nothing to take back.");
    return action_undo(db, req->arena, place->account.id, ids, count, NULL, err);
}

/* On the account's folders as a whole; `*said` where there is nothing to take back. */
static bool change_all(const struct request *req, struct db *db, const struct place *place,
                       const struct http_fields *form, struct action_result *result,
                       const char **said, struct error *err)
{
    if (form_text(form, "operations").length) {
        *said = "undone";
        return undo(req, db, place, form, err);
    }
    if (str_equal(form_text(form, "do"), STR("sort")))
        return sort_by_name(req, db, place, err);
    return mailbox_create(db, req->arena, place->account.id, parent_of(form),
                          form_text(form, "name"), key_of(req, form, "create"), result, err);
}

bool html_folder_create(struct request *req, struct response *res, struct error *err)
{
    struct place place = {0};
    struct http_fields form;
    struct error why = ERROR_INIT;
    struct action_result result = {0};
    const char *said = NULL;
    if (!request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    if (!db || !load(req, db, false, &place, err)) {
        store_release(app_of(req)->store, &db);
        return false;
    }
    bool is_done = change_all(req, db, &place, &form, &result, &said, &why);
    store_release(app_of(req)->store, &db);
    if (is_done) {
        go_back(req, res, place.account.id, &result, said);
        return true;
    }
    return is_form_error(&why, err) && show_folders(req, res, NULL, &place, &form, &why, err);
}

static bool change(const struct request *req, struct db *db, const struct place *place,
                   const struct http_fields *form, struct action_result *result, struct error *err)
{
    struct str verb = form_text(form, "do");
    int64_t account_id = place->account.id, mailbox_id = place->mailbox.id;
    if (str_equal(verb, STR("rename")))
        return mailbox_rename(db, req->arena, account_id, mailbox_id, parent_of(form),
                              form_text(form, "name"), key_of(req, form, "rename"), result, err);
    if (str_equal(verb, STR("subscribe")) || str_equal(verb, STR("unsubscribe")))
        return mailbox_subscribe(db, req->arena, account_id, mailbox_id,
                                 str_equal(verb, STR("subscribe")),
                                 key_of(req, form, arena_text(req->arena, verb)), result, err);
    if (str_equal(verb, STR("delete")))
        return mailbox_delete(db, req->arena, account_id, mailbox_id,
                              str_equal(form_text(form, "withEmails"), STR("1")),
                              key_of(req, form, "delete"), result, err);
    if (is_step(form))
        return step(req, db, place, str_equal(verb, STR("up")), err);
    return error_set(err, ERROR_INVALID, "This page cannot do that.");
}

bool html_folder_change(struct request *req, struct response *res, struct error *err)
{
    struct place place = {0};
    struct http_fields form;
    struct error why = ERROR_INIT;
    struct action_result result = {0};
    if (!request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    if (!db || !load(req, db, true, &place, err)) {
        store_release(app_of(req)->store, &db);
        return false;
    }
    bool is_done = change(req, db, &place, &form, &result, &why);
    store_release(app_of(req)->store, &db);
    if (is_done && is_step(&form)) {
        response_redirect(res,
                          arena_printf(req->arena, "/accounts/%lld/folders#f%lld",
                                       (long long)place.account.id, (long long)place.mailbox.id));
        return true;
    }
    if (is_done) {
        go_back(req, res, place.account.id, &result, NULL);
        return true;
    }
    return is_form_error(&why, err) && show_folder(req, res, &place, &why, err);
}

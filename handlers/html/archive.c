/* Mail as files: taking it out, bringing it in, and how that is doing. */
#include <stdio.h>

#include "handlers/html/list.h"
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/transfer.h"
#include "server/base/clock.h"
#include "server/store/mailboxes.h"

enum { TRANSFERS_SHOWN = 20 };

static const char *const state_words[TRANSFER_STATES] = {[TRANSFER_RUNNING] = "under way",
                                                         [TRANSFER_DONE] = "done",
                                                         [TRANSFER_FAILED] = "ended early",
                                                         [TRANSFER_CANCELLED] = "stopped"};

static struct str count_words(struct arena *arena, const struct transfer *t)
{
    struct buf text = BUF_INIT(1000);
    buf_printf(&text, "%lld %s", (long long)t->done,
               t->kind == TRANSFER_IMPORT ? "imported" : "fetched");
    if (t->known)
        buf_printf(&text, ", %lld left out because they are here already", (long long)t->known);
    if (t->refused)
        buf_printf(&text, ", %lld that could not be had (too large, damaged or refused)",
                   (long long)t->refused);
    if (t->others)
        buf_printf(&text, ", %lld files that are no mail", (long long)t->others);
    struct str words = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return words;
}

static void set_transfers(struct value *page, struct arena *arena, const struct transfer *list,
                          size_t count)
{
    int64_t now = clock_now_us();
    struct value *rows = view_set_list(page, "transfers");
    for (size_t i = 0; i < count; i++) {
        const struct transfer *t = &list[i];
        struct value *row = view_add_object(rows);
        view_set_i64(row, "id", t->id);
        view_set_str(row, "name",
                     t->kind == TRANSFER_COMPLETE ? STR("Fetching everything")
                     : t->name.length             ? t->name
                                                  : STR("Import"));
        view_set_text(row, "state", state_words[t->state]);
        view_set_bool(row, "isRunning", t->state == TRANSFER_RUNNING);
        view_set_bool(row, "isBad", t->state == TRANSFER_FAILED);
        view_set_str(row, "counts", count_words(arena, t));
        view_set_str(row, "error", t->error);
        view_set_str(row, "when", words_moment(arena, t->created_at, now));
    }
}

static void set_mailboxes(struct value *page, const struct mailbox *mailboxes, size_t count,
                          struct arena *arena)
{
    struct value *list = view_set_list(page, "folders");
    for (size_t i = 0; i < count; i++) {
        if (!mailboxes[i].is_selectable)
            continue;
        struct value *row = view_add_object(list);
        view_set_i64(row, "id", mailboxes[i].id);
        view_set_str(row, "path", list_folder_path(arena, &mailboxes[i]));
    }
}

static bool is_any_running(const struct transfer *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].state == TRANSFER_RUNNING)
            return true;
    return false;
}

static bool show(struct request *req, struct response *res, struct db *db,
                 const struct account *account, const struct error *problem, struct error *err)
{
    struct mailbox *mailboxes;
    struct transfer *list;
    struct export_totals totals;
    size_t mailbox_count, count;
    if (!mailbox_list(db, req->arena, account->id, &mailboxes, &mailbox_count, err) ||
        !transfers_list(db, req->arena, account->id, TRANSFERS_SHOWN, &list, &count, err) ||
        !export_count(db, account->id, 0, &totals, err))
        return false;
    struct value *page = page_new(req, "Export and import");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    view_set_bool(view, "isPop3", account->kind == ACCOUNT_POP3);
    view_set_i64(view, "emails", totals.emails);
    view_set_i64(view, "missing", totals.missing);
    view_set_bool(view, "isMissing", totals.missing > 0);
    view_set_str(view, "size", words_size(req->arena, totals.size_bytes));
    set_mailboxes(view, mailboxes, mailbox_count, req->arena);
    set_transfers(view, req->arena, list, count);
    if (problem)
        page_set_problem(page, problem);
    if (!problem && is_any_running(list, count))
        response_set_header(res, "Refresh", STR("3"));
    return page_set_accounts(req, db, page, account->id, err) &&
           page_send(req, res, "archive", page, err);
}

static bool find(struct request *req, struct db *db, struct account *account, struct error *err)
{
    int64_t id;
    return request_param_id(req, "account", &id, err) && session_account(req, db, id, account, err);
}

bool html_archive(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct db *db = app_db(req, err);
    bool is_done = db && find(req, db, &account, err) && show(req, res, db, &account, NULL, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static bool go_back(struct request *req, struct response *res, int64_t account_id)
{
    response_redirect(res,
                      arena_printf(req->arena, "/accounts/%lld/archive", (long long)account_id));
    return true;
}

static bool read_form(const struct request *req, struct transfer_wish *wish, struct error *err)
{
    struct request_part *parts;
    size_t count;
    if (!request_multipart(req, &parts, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        char text[24];
        ssize_t n = parts[i].bytes < sizeof text
                        ? request_body_read(req, parts[i].at, text, (size_t)parts[i].bytes, err)
                        : 0;
        if (n < 0)
            return false;
        if (parts[i].file_name.at) {
            wish->name = parts[i].file_name;
            wish->offset = parts[i].at;
            wish->length = parts[i].bytes;
        } else if (str_equal(parts[i].name, STR("seen"))) {
            wish->is_seen = true;
        } else if (str_equal(parts[i].name, STR("mailbox")) &&
                   !str_to_i64(str_make(text, (size_t)n), &wish->mailbox_id)) {
            return error_set(err, ERROR_INVALID, "Choose a folder.");
        }
    }
    return true;
}

static bool import(struct request *req, struct response *res, struct db *db, struct error *err)
{
    struct account account;
    struct transfer_wish wish = {.name = STR_EMPTY};
    struct error why = ERROR_INIT;
    int64_t id;
    if (!find(req, db, &account, err))
        return false;
    wish.account_id = account.id;
    if (read_form(req, &wish, &why) && transfer_import(req, db, &wish, &id, &why))
        return go_back(req, res, account.id);
    if (!page_is_form_error(&why)) {
        *err = why;
        return false;
    }
    res->status = http_status_of(why.kind);
    return show(req, res, db, &account, &why, err);
}

bool html_import(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && import(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_export_complete(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    int64_t id;
    struct db *db = app_db(req, err);
    bool is_done = db && find(req, db, &account, err) &&
                   transfer_complete(req, db, account.id, &id, err) &&
                   go_back(req, res, account.id);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_transfer_cancel(struct request *req, struct response *res, struct error *err)
{
    struct account account;
    struct error why = ERROR_INIT;
    int64_t id;
    struct db *db = app_db(req, err);
    bool is_done =
        db && request_param_id(req, "transfer", &id, err) && find(req, db, &account, err);
    /* one that has ended meanwhile is no trouble */
    if (is_done && !transfer_cancel(db, account.id, id, &why) && why.kind != ERROR_CONFLICT) {
        *err = why;
        is_done = false;
    }
    store_release(app_of(req)->store, &db);
    return is_done && go_back(req, res, account.id);
}

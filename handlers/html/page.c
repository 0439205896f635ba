#include "handlers/html/page.h"

#include "handlers/html/html.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/http/static.h"

const struct value *html_asset(void *context, struct arena *arena, struct str text,
                               const struct value *page)
{
    (void)page;
    return value_url(arena, static_url(context, text));
}

struct value *page_new(const struct request *req, const char *title)
{
    struct value *page = view_object(req->arena);
    const struct signed_in *who = signed_in(req);
    view_set_text(page, "title", title);
    view_set_bool(page, "isSignedIn", who != NULL);
    view_set_str(page, "login", who ? who->login : STR_EMPTY);
    view_set_str(page, "csrf", who ? who->csrf : STR_EMPTY);
    view_set_text(page, "problem", NULL);
    view_set_text(page, "notice", NULL);
    view_set_text(page, "accounts", NULL);
    return page;
}

bool page_send(const struct request *req, struct response *res, const char *template,
               const struct value *page, struct error *err)
{
    response_set_header(res, "Content-Type", STR("text/html; charset=utf-8"));
    return template_render(app_of(req)->templates, template, page, req->arena, &res->body, err);
}

void page_set_problem(struct value *page, const struct error *err)
{
    struct value *problem = view_set_object(page, "problem");
    view_set_text(problem, "message", err->message);
    view_set_text(problem, "hint", err->hint);
}

bool page_is_form_error(const struct error *err)
{
    switch (err->kind) {
    case ERROR_INVALID:
    case ERROR_AUTH:
    case ERROR_CONFLICT:
    case ERROR_LIMIT:
    case ERROR_TIMEOUT:
    case ERROR_UNAVAILABLE:
    case ERROR_THROTTLED:
        return true;
    default:
        return false;
    }
}

void page_set_sync(struct value *view, const struct account *account, struct arena *arena)
{
    struct value *status = view_set_object(view, "status");
    bool is_new = account->sync_state == SYNC_NEW;
    view_set_text(status, "state", is_new ? "syncing" : sync_state_name(account->sync_state));
    view_set_str(status, "words", words_status(arena, account, clock_now_us()));
    view_set_bool(status, "needsPerson", account->sync_state == SYNC_REFUSED);
    view_set_bool(status, "isAway", account->sync_state == SYNC_UNREACHABLE);
    view_set_bool(status, "isPaused", account->sync_state == SYNC_PAUSED);
    view_set_str(status, "error", response_sentence(arena, account->sync_error));
    view_set_str(status, "hint", account->sync_hint);
    view_set_str(status, "sendError", response_sentence(arena, account->send_error));
    view_set_str(status, "sendHint", account->send_hint);
}

void page_show_accounts(struct value *page, const struct account *accounts, size_t count,
                        int64_t current_id, struct arena *arena)
{
    struct value *list = view_set_list(page, "accounts");
    for (size_t i = 0; i < count; i++) {
        const struct account *account = &accounts[i];
        struct value *view = view_add_object(list);
        view_set_i64(view, "id", account->id);
        view_set_str(view, "name", account->name);
        view_set_str(view, "email", account->email);
        view_set_bool(view, "isCurrent", account->id == current_id);
        view_set_text(view, "kind", account->kind == ACCOUNT_IMAP ? "IMAP" : "POP3");
        page_set_sync(view, account, arena);
    }
}

bool page_set_accounts(const struct request *req, struct db *db, struct value *page,
                       int64_t current_id, struct error *err)
{
    struct account *accounts;
    size_t count;
    if (!account_list(db, req->arena, signed_in(req)->user_id, &accounts, &count, err))
        return false;
    page_show_accounts(page, accounts, count, current_id, req->arena);
    return true;
}

struct str form_raw(const struct http_fields *form, const char *name)
{
    struct str value = http_field_value(form, name);
    return value.at ? value : STR_EMPTY;
}

struct str form_text(const struct http_fields *form, const char *name)
{
    return str_trim(form_raw(form, name));
}

void page_go_back(struct response *res, const struct http_fields *form)
{
    struct str here = form_text(form, "here");
    bool is_ours = str_starts(here, STR("/mail/")) && str_find_char(here, '\\') < 0;
    for (size_t i = 0; i < here.length; i++)
        is_ours = is_ours && here.at[i] > ' ' && here.at[i] < 0x7f;
    response_redirect(res, is_ours ? here : STR("/"));
}

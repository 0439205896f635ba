/* One message: who, when, what it says, what is attached. */
#include "handlers/html/act.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/list.h"
#include "handlers/html/screens.h"

enum { MESSAGE_WAIT_MS = 2500 };

/* What the request names. */
struct shown {
    struct panes panes;
    struct email email;
};

static bool find_shown(struct request *req, struct db *db, struct shown *shown, struct error *err)
{
    int64_t account_id, mailbox_id, email_id;
    return request_param_id(req, "account", &account_id, err) &&
           request_param_id(req, "mailbox", &mailbox_id, err) &&
           request_param_id(req, "email", &email_id, err) &&
           list_load_panes(req, db, account_id, mailbox_id, &shown->panes, err) &&
           email_by_id(db, req->arena, account_id, email_id, &shown->email, err);
}

static bool set_neighbours(const struct request *req, struct db *db, struct value *view,
                           const struct shown *shown, struct error *err)
{
    int64_t newer, older, account_id = shown->panes.account->id,
                          mailbox_id = shown->panes.mailbox->id;
    if (!email_neighbours(db, account_id, mailbox_id, shown->email.id, &newer, &older, err))
        return false;
    struct str query = list_query(req->arena, list_place_of(req));
    const struct {
        const char *name;
        int64_t id;
    } links[] = {{"newerUrl", newer}, {"olderUrl", older}};
    for (size_t i = 0; i < 2; i++) {
        view_set_text(view, links[i].name, NULL);
        if (links[i].id)
            view_set_path(view, links[i].name, "/mail/%lld/%lld/%lld%" STR_FMT "#m%lld",
                          (long long)account_id, (long long)mailbox_id, (long long)links[i].id,
                          STR_ARG(query), (long long)links[i].id);
    }
    view_set_path(view, "backUrl", "/mail/%lld/%lld%" STR_FMT, (long long)account_id,
                  (long long)mailbox_id, STR_ARG(query));
    return true;
}

static bool show_message(struct request *req, struct response *res, struct db **db,
                         struct error *err)
{
    struct shown shown;
    struct letter letter = {.email = &shown.email, .wait_ms = MESSAGE_WAIT_MS};
    if (!find_shown(req, *db, &shown, err))
        return false;
    bool was_unread = !(shown.email.flags & FLAG_SEEN);
    act_open(req, *db, &shown.email);
    if (was_unread && !find_shown(req, *db, &shown, err)) /* what the folders count has changed */
        return false;
    struct str subject = shown.email.subject;
    struct value *page =
        page_new(req, subject.length ? arena_text(req->arena, subject) : "(no subject)");
    struct value *view = view_set_object(page, "message");
    letter_read(req, &letter);
    letter.here = arena_printf(req->arena, "%" STR_FMT "%" STR_FMT, STR_ARG(req->path),
                               STR_ARG(list_query(req->arena, list_place_of(req))));
    letter.labels = shown.panes.labels;
    letter.label_count = shown.panes.label_count;
    letter.place = list_place_name(req->arena, shown.panes.account, shown.panes.mailbox);
    return letter_set(req, res, db, view, &letter, err) &&
           set_neighbours(req, *db, view, &shown, err) &&
           list_set_panes(req, *db, page, &shown.panes, shown.email.id, err) &&
           page_send(req, res, "message", page, err);
}

bool html_message(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && show_message(req, res, &db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

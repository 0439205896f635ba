/* What is on its way, and what became of it. */
#include "handlers/html/fates.h"
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/store/submissions.h"

enum { OUTBOX_ROWS = 100 };

static struct str phase_words(struct arena *arena, const struct account *account,
                              const struct submission *s, int64_t now)
{
    bool is_later = s->send_at > now;
    switch (s->phase) {
    case SUBMISSION_QUEUED:
        if (is_later && s->send_at - now < 130 * (int64_t)1000000)
            return arena_printf(arena, "Goes out in %lld s",
                                (long long)(s->send_at - now) / 1000000 + 1);
        if (is_later)
            return arena_printf(arena, "Goes out %" STR_FMT,
                                STR_ARG(words_moment(arena, s->send_at, now)));
        if (s->attempts && account->send_error.length)
            return STR("Waits: nothing can be sent");
        if (s->attempts && s->not_before > now)
            return arena_printf(arena, "Waits; tried again at %" STR_FMT,
                                STR_ARG(words_moment(arena, s->not_before, now)));
        return STR("Going out");
    case SUBMISSION_TRANSMITTING:
        return STR("Being handed to the mail server");
    case SUBMISSION_ACCEPTED:
        return STR("Sent; being copied to the Sent folder");
    case SUBMISSION_FILED:
        return STR("Sent");
    case SUBMISSION_FAILED:
        return STR("Not sent");
    case SUBMISSION_UNKNOWN:
        return STR("May have been sent");
    case SUBMISSION_CANCELLED:
        return STR("Called back");
    case SUBMISSION_PHASES:
        break;
    }
    return STR_EMPTY;
}

static void add_row(struct value *list, const struct account *account, const struct submission *s,
                    struct arena *arena, int64_t now)
{
    struct value *row = view_add_object(list);
    bool is_bad = s->phase == SUBMISSION_FAILED || s->phase == SUBMISSION_UNKNOWN;
    view_set_i64(row, "id", s->id);
    view_set_str(row, "subject", s->subject);
    view_set_str(row, "to", s->to);
    view_set_str(row, "words", phase_words(arena, account, s, now));
    view_set_str(row, "when", words_moment(arena, s->created_at, now));
    view_set_str(row, "error", s->error);
    view_set_bool(row, "isBad", is_bad);
    view_set_bool(row, "isUnknown", s->phase == SUBMISSION_UNKNOWN);
    view_set_bool(row, "canCancel", s->phase == SUBMISSION_QUEUED);
    view_set_text(row, "draftUrl", NULL);
    if (is_bad && s->draft_id)
        view_set_path(row, "draftUrl", "/mail/%lld/compose/%lld", (long long)s->account_id,
                      (long long)s->draft_id);
    fates_set(row, arena, s->recipients);
}

static bool show(struct request *req, struct response *res, struct db *db, int64_t account_id,
                 struct error *err)
{
    struct account account;
    struct submission *list;
    size_t count;
    bool is_open = false;
    if (!session_account(req, db, account_id, &account, err) ||
        !submissions_list(db, req->arena, account_id, OUTBOX_ROWS, &list, &count, err))
        return false;
    struct value *page = page_new(req, "Outbox");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account.id);
    view_set_str(view, "name", account.name);
    page_set_sync(view, &account, req->arena);
    struct value *rows = view_set_list(page, "rows");
    int64_t now = clock_now_us();
    for (size_t i = 0; i < count; i++) {
        add_row(rows, &account, &list[i], req->arena, now);
        bool is_soon = list[i].send_at - now < 130 * (int64_t)1000000;
        is_open |= submission_is_open(list[i].phase) && !list[i].attempts && is_soon;
    }
    if (is_open)
        response_set_header(res, "Refresh", STR("2"));
    return page_send(req, res, "outbox", page, err);
}

bool html_outbox(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id;
    if (!request_param_id(req, "account", &account_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && show(req, res, db, account_id, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* The submission of the path, if it is the person's. */
static bool find(struct request *req, struct db *db, struct submission *submission,
                 struct error *err)
{
    int64_t account_id, id;
    struct account account;
    return request_param_id(req, "account", &account_id, err) &&
           request_param_id(req, "submission", &id, err) &&
           session_account(req, db, account_id, &account, err) &&
           submission_by_id(db, req->arena, account_id, id, submission, err);
}

/* Undo: the draft is open again. */
bool html_outbox_cancel(struct request *req, struct response *res, struct error *err)
{
    struct submission s;
    int64_t draft_id = 0;
    struct db *db = app_db(req, err);
    bool is_done =
        db && find(req, db, &s, err) && submission_cancel(db, s.account_id, s.id, &draft_id, err);
    store_release(app_of(req)->store, &db);
    if (!is_done)
        return false;
    response_redirect(
        res, draft_id ? arena_printf(req->arena, "/mail/%lld/compose/%lld", (long long)s.account_id,
                                     (long long)draft_id)
                      : arena_printf(req->arena, "/mail/%lld/outbox", (long long)s.account_id));
    return true;
}

/* What else is done about one on its way leads back to the list. */
static bool change(struct request *req, struct response *res,
                   bool (*act)(struct db *, struct submission *, struct error *), struct error *err)
{
    struct submission s;
    struct db *db = app_db(req, err);
    bool is_done = db && find(req, db, &s, err) && act(db, &s, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res,
                          arena_printf(req->arena, "/mail/%lld/outbox", (long long)s.account_id));
    return is_done;
}

/* The person knows that it has arrived. */
bool html_outbox_settle(struct request *req, struct response *res, struct error *err)
{
    return change(req, res, submission_settle, err);
}

static bool hurry(struct db *db, struct submission *s, struct error *err)
{
    return submission_hurry(db, s->account_id, s->id, err);
}

bool html_outbox_hurry(struct request *req, struct response *res, struct error *err)
{
    return change(req, res, hurry, err);
}

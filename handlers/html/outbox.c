/* What is on its way, and what became of it. */
#include <jansson.h>

#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/store/submissions.h"

enum { OUTBOX_ROWS = 100 };

static struct str phase_words(struct arena *arena, const struct submission *s, int64_t now)
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

/* What became of it at a recipient's, in words; NULL: nothing is known. */
static const char *fate_words(struct str state, struct str delivery)
{
    static const char *const words[][2] = {
        {"delivered", "delivered to"},
        {"failed", "could not be delivered to"},
        {"delayed", "still under way to"},
        {"relayed", "passed on towards"},
        {"expanded", "passed on to the members of"},
        {"displayed", "opened by"},
        {"deleted", "deleted unread by"},
        {"unreported", "no report of delivery can be had here for"},
    };
    if (str_equal(state, STR("refused")))
        return "refused for";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(delivery, str_of(words[i][0])))
            return words[i][1];
    return NULL;
}

static void add_fates(struct value *view, struct arena *arena, struct str recipients)
{
    static const char *const names[] = {"email", "state", "reply", "delivery", "report"};
    struct value *list = view_set_list(view, "fates");
    json_t *all = json_loadb(recipients.at, recipients.length, 0, NULL), *one;
    size_t i;
    json_array_foreach(all, i, one)
    {
        struct str texts[5];
        for (size_t k = 0; k < 5; k++)
            texts[k] = arena_str(arena, str_of(json_string_value(json_object_get(one, names[k]))));
        const char *words = fate_words(texts[1], texts[3]);
        if (!words)
            continue;
        struct value *fate = view_add_object(list);
        view_set_text(fate, "words", words);
        view_set_str(fate, "email", texts[0]);
        view_set_str(fate, "why", str_equal(texts[1], STR("refused")) ? texts[2] : texts[4]);
        view_set_bool(fate, "isBad", str_equal(texts[3], STR("failed")));
    }
    json_decref(all);
}

static void add_row(struct value *list, const struct submission *s, struct arena *arena,
                    int64_t now)
{
    struct value *row = view_add_object(list);
    bool is_bad = s->phase == SUBMISSION_FAILED || s->phase == SUBMISSION_UNKNOWN;
    view_set_i64(row, "id", s->id);
    view_set_str(row, "subject", s->subject);
    view_set_str(row, "to", s->to);
    view_set_str(row, "words", phase_words(arena, s, now));
    view_set_str(row, "when", words_moment(arena, s->created_at, now));
    view_set_str(row, "error", s->error);
    view_set_bool(row, "isBad", is_bad);
    view_set_bool(row, "isUnknown", s->phase == SUBMISSION_UNKNOWN);
    view_set_bool(row, "canCancel", s->phase == SUBMISSION_QUEUED);
    view_set_text(row, "draftUrl", NULL);
    if (is_bad && s->draft_id)
        view_set_path(row, "draftUrl", "/mail/%lld/compose/%lld", (long long)s->account_id,
                      (long long)s->draft_id);
    add_fates(row, arena, s->recipients);
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
    view_set_i64(page, "accountId", account_id);
    view_set_str(page, "accountName", account.name);
    struct value *rows = view_set_list(page, "rows");
    int64_t now = clock_now_us();
    for (size_t i = 0; i < count; i++) {
        add_row(rows, &list[i], req->arena, now);
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

/* Undo: the draft is open again. */
bool html_outbox_cancel(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, id, draft_id = 0;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "submission", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && submission_cancel(db, account_id, id, &draft_id, err);
    store_release(app_of(req)->store, &db);
    if (!is_done)
        return false;
    response_redirect(
        res, draft_id ? arena_printf(req->arena, "/mail/%lld/compose/%lld", (long long)account_id,
                                     (long long)draft_id)
                      : arena_printf(req->arena, "/mail/%lld/outbox", (long long)account_id));
    return true;
}

/* The person knows that it has arrived. */
bool html_outbox_settle(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, id;
    struct submission submission;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "submission", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && submission_by_id(db, req->arena, account_id, id, &submission, err) &&
                   submission_settle(db, &submission, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res,
                          arena_printf(req->arena, "/mail/%lld/outbox", (long long)account_id));
    return is_done;
}

bool html_outbox_hurry(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, id;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "submission", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && submission_hurry(db, account_id, id, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res,
                          arena_printf(req->arena, "/mail/%lld/outbox", (long long)account_id));
    return is_done;
}

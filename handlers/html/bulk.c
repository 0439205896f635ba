#include "server/store/bulk.h"

#include "handlers/html/bulk.h"
#include "handlers/html/list.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/base/encode.h"

enum { SHOWN_MAX = 20, NAME_BYTES_MAX = 80, BACK_BYTES_MAX = 16 * 1024 };
static const int64_t told_for_us =
    5 * 60 * INT64_C(1000000); /* after its end; see operation_news */

/* --- words ----------------------------------------------------------------------------------- */

struct verb {
    const char *doing, *done;
};

static struct verb marking(const struct bulk *bulk)
{
    static const struct {
        int flag;
        struct verb set, clear;
    } marks[] = {
        {FLAG_SEEN,
         {"Marking as read", "marked as read"},
         {"Marking as unread", "marked as unread"}},
        {FLAG_FLAGGED, {"Starring", "starred"}, {"Taking stars away", "no longer starred"}}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (bulk->set & marks[i].flag)
            return marks[i].set;
        if (bulk->clear & marks[i].flag)
            return marks[i].clear;
    }
    return bulk->added.length ? (struct verb){"Labelling", "labelled"}
                              : (struct verb){"Taking a label off", "without the label now"};
}

static struct verb verb_of(const struct bulk *bulk)
{
    static const struct verb verbs[] = {[BULK_MOVE] = {"Moving", "moved"},
                                        [BULK_COPY] = {"Copying", "copied"},
                                        [BULK_TRASH] = {"Moving to Trash", "moved to Trash"},
                                        [BULK_DESTROY] = {"Deleting for good", "deleted for good"},
                                        [BULK_UNDO] = {"Taking back", "taken back"}};
    if (bulk->until)
        return (struct verb){"Snoozing", "snoozed"};
    return bulk->kind == BULK_KEYWORDS ? marking(bulk) : verbs[bulk->kind];
}

/* " to Archive" */
static struct str where_to(const struct request *req, struct db *db, const struct bulk *bulk)
{
    struct mailbox target;
    struct error gone = ERROR_INIT;
    if (!bulk->target_id || bulk->until ||
        !mailbox_by_id(db, req->arena, bulk->account_id, bulk->target_id, &target, &gone))
        return STR_EMPTY;
    return arena_printf(req->arena, " to %" STR_FMT,
                        STR_ARG(str_sub(list_folder_name(&target), 0, NAME_BYTES_MAX)));
}

static struct str words_of(const struct request *req, struct db *db, const struct bulk *bulk)
{
    struct arena *arena = req->arena;
    struct verb verb = verb_of(bulk);
    struct str to = where_to(req, db, bulk), changed = words_count(arena, bulk->changed);
    const char *plural = bulk->changed == 1 ? "" : "s";
    switch (bulk->state) {
    case BULK_RUNNING:
        if (!bulk->is_found || bulk->kind == BULK_UNDO)
            return arena_printf(arena, "%s%" STR_FMT "…", verb.doing, STR_ARG(to));
        return arena_printf(arena, "%s%" STR_FMT ": %" STR_FMT " of %" STR_FMT, verb.doing,
                            STR_ARG(to), STR_ARG(words_count(arena, bulk->done)),
                            STR_ARG(words_count(arena, bulk->total)));
    case BULK_FAILED:
        return arena_printf(arena, "%s%" STR_FMT " ended after %" STR_FMT " message%s.", verb.doing,
                            STR_ARG(to), STR_ARG(changed), plural);
    case BULK_CANCELLED:
        return arena_printf(arena, "Stopped: %" STR_FMT " message%s %s%" STR_FMT ".",
                            STR_ARG(changed), plural, verb.done, STR_ARG(to));
    case BULK_DONE:
        break;
    }
    if (bulk->kind == BULK_UNDO)
        return STR("Taken back.");
    return arena_printf(arena, "%" STR_FMT " message%s %s%" STR_FMT ".", STR_ARG(changed), plural,
                        verb.done, STR_ARG(to));
}

/* --- on pages -------------------------------------------------------------------------------- */

static void add_bulk(const struct request *req, struct db *db, struct value *list,
                     const struct bulk *bulk, struct str back)
{
    struct value *view = view_add_object(list);
    bool is_running = bulk->state == BULK_RUNNING;
    view_set_str(view, "words", words_of(req, db, bulk));
    view_set_str(view, "error", bulk->error);
    view_set_bool(view, "isBad", bulk->state == BULK_FAILED);
    view_set_bool(view, "isRunning", is_running);
    view_set_bool(view, "isFound", bulk->is_found && bulk->total > 0);
    view_set_i64(view, "done", bulk->done);
    view_set_i64(view, "total", bulk->total);
    view_set_bool(view, "canUndo",
                  bulk->kind != BULK_DESTROY && bulk->kind != BULK_UNDO &&
                      (is_running || bulk->changed > 0));
    view_set_path(view, "cancelUrl", "/mail/%lld/bulk/%lld/cancel?%" STR_FMT,
                  (long long)bulk->account_id, (long long)bulk->id, STR_ARG(back));
    view_set_path(view, "undoUrl", "/mail/%lld/bulk/%lld/undo?%" STR_FMT,
                  (long long)bulk->account_id, (long long)bulk->id, STR_ARG(back));
}

bool bulk_set_news(const struct request *req, struct db *db, struct value *list, int64_t account_id,
                   struct str back, struct error *err)
{
    struct bulk *bulks;
    size_t count;
    int64_t now = clock_now_us();
    if (!bulk_list(db, req->arena, account_id, SHOWN_MAX, &bulks, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool is_undone = false;
        for (size_t k = 0; k < i; k++) /* the newest come first */
            is_undone = is_undone || bulks[k].undoes_id == bulks[i].id;
        if (!is_undone && (bulks[i].state == BULK_RUNNING || bulks[i].ended_at > now - told_for_us))
            add_bulk(req, db, list, &bulks[i], back);
    }
    return true;
}

/* --- ending and taking back ------------------------------------------------------------------ */

/* To where it was asked from: a folder, or a search. */
static void go_back(const struct request *req, struct response *res, int64_t account_id,
                    const char *said)
{
    int64_t mailbox_id;
    struct str text = request_argument(req, "q"), account = request_argument(req, "account");
    struct buf url = BUF_INIT(BACK_BYTES_MAX);
    if (text.length) {
        buf_text(&url, "/search?q=");
        encode_percent(&url, text);
        buf_text(&url, "&account=");
        encode_percent(&url, account);
        buf_printf(&url, "&bulk=%lld", (long long)account_id);
    } else if (str_to_i64(request_argument(req, "mailbox"), &mailbox_id)) {
        buf_printf(&url, "/mail/%lld/%lld", (long long)account_id, (long long)mailbox_id);
    } else {
        buf_printf(&url, "/mail/%lld", (long long)account_id);
    }
    if (said)
        buf_printf(&url, "%ssaid=%s", text.length ? "&" : "?", said);
    response_redirect(res, arena_str(req->arena, buf_view(&url)));
    buf_free(&url);
}

typedef bool end_fn(const struct request *req, struct db *db, int64_t account_id, int64_t id,
                    struct error *err);

static bool cancel(const struct request *req, struct db *db, int64_t account_id, int64_t id,
                   struct error *err)
{
    (void)req;
    return bulk_cancel(db, account_id, id, err);
}

static bool undo(const struct request *req, struct db *db, int64_t account_id, int64_t id,
                 struct error *err)
{
    int64_t undo_id;
    /* who presses twice takes back once */
    struct str key = arena_printf(req->arena, "undo-bulk.%lld", (long long)id);
    return bulk_undo(db, req->arena, account_id, id, key, &undo_id, err);
}

static bool end(struct request *req, struct response *res, end_fn *how, struct error *err)
{
    int64_t account_id, id;
    struct account account;
    struct error why = ERROR_INIT;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "bulk", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && session_account(req, db, account_id, &account, err);
    bool is_done = is_good && how(req, db, account_id, id, &why);
    store_release(app_of(req)->store, &db);
    if (is_good && !is_done && why.kind != ERROR_CONFLICT && why.kind != ERROR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (is_good)
        go_back(req, res, account_id, is_done ? NULL : "too-late");
    return is_good;
}

bool html_bulk_cancel(struct request *req, struct response *res, struct error *err)
{
    return end(req, res, cancel, err);
}

bool html_bulk_undo(struct request *req, struct response *res, struct error *err)
{
    return end(req, res, undo, err);
}

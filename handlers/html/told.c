#include "handlers/html/told.h"

#include <jansson.h>

#include "handlers/html/bulk.h"
#include "handlers/html/list.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/store/snooze.h"

enum {
    OPERATIONS_MAX = 40,
    REFUSED_MAX = 100,
    NAME_BYTES_MAX = 80,
};
static const int64_t told_for_us = 3600 * INT64_C(1000000); /* older news are none */
static const int64_t quiet_us = 4 * INT64_C(1000000); /* what waits no longer goes without saying */

static const struct {
    const char *word, *text;
    bool is_bad;
} sayings[] = {
    {"choose", "Choose one or more messages first.", true},
    {"when", "Choose a time that lies ahead.", true},
    {"later", "Snoozed until another time now.", false},
    {"folder", "Choose the folder that they shall go to.", true},
    {"label", "Choose a label first.", true},
    {"gone", "That is no longer there.", true},
    {"there", "They lie in that folder already: nothing had to be done.", false},
    {"undone", "Taken back.", false},
    {"too-late", "It is too late to take that back.", true},
    {"told", "Put aside.", false},
};

/* --- words ----------------------------------------------------------------------------------- */

/* What an operation's arguments say. */
struct deed {
    struct str kind;
    int set, clear;
    int64_t target_id;
    size_t emails;
    bool is_labelled, is_unlabelled;
    bool is_final; /* there is no way back */
};

/* What lay in the target of a move already only leaves where it was: for people that is a move. */
static bool read_deed(const struct operation *operation, struct deed *deed)
{
    json_t *root = json_loadb(operation->arguments.at, operation->arguments.length, 0, NULL);
    json_int_t set = json_integer_value(json_object_get(root, "set"));
    json_int_t clear = json_integer_value(json_object_get(root, "clear"));
    json_int_t there = json_integer_value(json_object_get(root, "thereId"));
    *deed = (struct deed){.kind = operation->kind,
                          .set = (int)set,
                          .clear = (int)clear,
                          .target_id = json_integer_value(json_object_get(root, "toId")),
                          .emails = json_array_size(json_object_get(root, "emailIds")),
                          .is_final = !there && str_equal(operation->kind, STR("destroy"))};
    deed->is_labelled = json_array_size(json_object_get(root, "add")) > 0;
    deed->is_unlabelled = json_array_size(json_object_get(root, "remove")) > 0;
    if (there) {
        deed->kind = STR("move");
        deed->target_id = there;
    }
    json_decref(root);
    return deed->emails > 0;
}

static const char *marked(const struct deed *deed)
{
    static const struct {
        int flag;
        const char *set, *cleared;
    } words[] = {{FLAG_JUNK, "marked as junk", "marked as no junk"},
                 {FLAG_NOT_JUNK, "marked as no junk", "no longer marked as no junk"},
                 {FLAG_SEEN, "marked as read", "marked as unread"},
                 {FLAG_FLAGGED, "starred", "no longer starred"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (deed->set & words[i].flag)
            return words[i].set;
        if (deed->clear & words[i].flag)
            return words[i].cleared;
    }
    return deed->is_labelled     ? "labelled"
           : deed->is_unlabelled ? "without the label now"
                                 : "marked anew";
}

static struct str where_to(const struct request *req, struct db *db, int64_t account_id,
                           const struct deed *deed)
{
    struct mailbox target;
    struct error gone = ERROR_INIT;
    const char *verb = str_equal(deed->kind, STR("copy")) ? "copied" : "moved";
    if (!mailbox_by_id(db, req->arena, account_id, deed->target_id, &target, &gone))
        return arena_printf(req->arena, "%s", verb);
    if (target.role == ROLE_ARCHIVE && *verb == 'm')
        return STR("archived");
    if (str_equal_nocase(target.name, STR(SNOOZE_FOLDER)) && *verb == 'm')
        return STR("snoozed");
    return arena_printf(req->arena, "%s to %" STR_FMT, verb,
                        STR_ARG(str_sub(list_folder_name(&target), 0, NAME_BYTES_MAX)));
}

/* Moving says more than the marks that go with it. */
static bool says_more(const struct deed *a, const struct deed *b)
{
    static const char *const order[] = {"keywords", "destroy", "copy", "move"};
    size_t ranks[2] = {0};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        ranks[0] = str_equal(a->kind, str_of(order[i])) ? i : ranks[0];
        ranks[1] = str_equal(b->kind, str_of(order[i])) ? i : ranks[1];
    }
    return ranks[0] > ranks[1];
}

/* Empty: it is about messages. */
static struct str folder_words(const struct operation *operation)
{
    static const struct {
        const char *kind, *words;
    } kinds[] = {{"mailbox-create", "Folder made"},
                 {"mailbox-rename", "Folder renamed or moved"},
                 {"mailbox-delete", "Folder deleted"},
                 {"mailbox-subscribe", "Folder subscribed"},
                 {"mailbox-unsubscribe", "Folder unsubscribed"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal(operation->kind, str_of(kinds[i].kind)))
            return str_of(kinds[i].words);
    return STR_EMPTY;
}

struct str told_words(const struct request *req, struct db *db, const struct operation *operations,
                      size_t count)
{
    struct deed chosen = {0}, deed;
    size_t emails = 0;
    for (size_t i = 0; i < count; i++) { /* a folder's end says more than that of what lay in it */
        struct str words = folder_words(&operations[i]);
        if (words.length)
            return words;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_deed(&operations[i], &deed))
            continue;
        if (!chosen.emails || says_more(&deed, &chosen)) {
            chosen = deed;
            emails = 0;
        }
        if (str_equal(deed.kind, chosen.kind))
            emails += deed.emails;
    }
    if (!chosen.emails)
        return STR_EMPTY;
    struct str what = str_equal(chosen.kind, STR("keywords")) ? str_of(marked(&chosen))
                      : str_equal(chosen.kind, STR("destroy"))
                          ? STR("deleted for good")
                          : where_to(req, db, operations[0].account_id, &chosen);
    return arena_printf(req->arena, "%" STR_FMT " message%s %" STR_FMT,
                        STR_ARG(words_count(req->arena, (int64_t)emails)), emails == 1 ? "" : "s",
                        STR_ARG(what));
}

/* --- the notice ------------------------------------------------------------------------------ */

static void set_saying(const struct request *req, struct value *page)
{
    struct str word = request_argument(req, "said");
    for (size_t i = 0; word.at && i < sizeof sayings / sizeof *sayings; i++) {
        if (!str_equal(word, str_of(sayings[i].word)))
            continue;
        struct value *notice = view_set_object(page, "notice");
        view_set_text(notice, "message", sayings[i].text);
        view_set_bool(notice, "isBad", sayings[i].is_bad);
        view_set_text(notice, "undo", NULL);
        view_set_text(notice, "hint", NULL);
    }
}

/* The operations of ?done=, as far as they are fresh. */
static bool load_done(const struct request *req, struct db *db, int64_t account_id, struct str rest,
                      struct operation *operations, size_t *count, struct error *err)
{
    int64_t id, now = clock_now_us();
    while (rest.at && *count < OPERATIONS_MAX) {
        struct error gone = ERROR_INIT;
        if (!str_to_i64(str_cut(&rest, '-'), &id))
            return true;
        if (operation_by_id(db, req->arena, account_id, id, &operations[*count], &gone)) {
            if (operations[*count].created_at > now - told_for_us)
                ++*count;
        } else if (gone.kind != ERROR_NOT_FOUND) {
            *err = gone;
            return false;
        }
    }
    return true;
}

/* "12-13" */
static struct str list_of(struct arena *arena, const struct operation *operations, size_t count)
{
    struct str list = STR_EMPTY;
    for (size_t i = 0; i < count; i++)
        list = arena_printf(arena, "%" STR_FMT "%s%lld", STR_ARG(list), i ? "-" : "",
                            (long long)operations[i].id);
    return list;
}

static void set_done(const struct request *req, struct db *db, struct value *page,
                     const struct operation *operations, size_t count, struct str undo)
{
    struct str words = told_words(req, db, operations, count);
    const struct operation *failed = NULL;
    bool can_undo = true;
    for (size_t i = 0; i < count; i++) {
        struct deed deed;
        if (operations[i].state == OPERATION_FAILED)
            failed = &operations[i];
        can_undo = can_undo && !(read_deed(&operations[i], &deed) && deed.is_final) &&
                   operations[i].state != OPERATION_CANCELLED;
    }
    if (!words.length)
        return;
    struct value *notice = view_set_object(page, "notice");
    view_set_bool(notice, "isBad", failed != NULL);
    view_set_str(notice, "message",
                 failed ? STR("The mail server refused this change.")
                        : arena_printf(req->arena, "%" STR_FMT ".", STR_ARG(words)));
    view_set_str(notice, "hint", failed ? failed->error : STR_EMPTY);
    view_set_str(notice, "undo", can_undo && !failed ? undo : STR_EMPTY);
}

bool told_set_notice(const struct request *req, struct db *db, struct value *page,
                     const struct account *account, struct error *err)
{
    struct operation operations[OPERATIONS_MAX];
    size_t count = 0;
    set_saying(req, page);
    if (!load_done(req, db, account->id, request_argument(req, "done"), operations, &count, err))
        return false;
    if (count)
        set_done(req, db, page, operations, count, list_of(req->arena, operations, count));
    return true;
}

bool told_set_notice_of_all(const struct request *req, struct db *db, struct value *page,
                            struct error *err)
{
    struct operation operations[OPERATIONS_MAX];
    struct buf undo = BUF_INIT(OPERATIONS_MAX * 48);
    struct str rest = request_argument(req, "done");
    size_t count = 0;
    bool is_good = true;
    set_saying(req, page);
    while (rest.at && is_good) {
        struct str list = str_cut(&rest, '~'), account = str_cut(&list, '.');
        int64_t account_id;
        size_t before = count;
        if (!str_to_i64(account, &account_id))
            break;
        is_good = load_done(req, db, account_id, list, operations, &count, err);
        for (size_t i = before; i < count; i++) {
            if (i == before)
                buf_printf(&undo, "%s%lld.", before ? "~" : "", (long long)account_id);
            buf_printf(&undo, "%s%lld", i > before ? "-" : "", (long long)operations[i].id);
        }
    }
    if (is_good && count)
        set_done(req, db, page, operations, count, arena_str(req->arena, buf_view(&undo)));
    buf_free(&undo);
    return is_good;
}

/* --- what waits, what was refused ------------------------------------------------------------- */

static struct str changes_words(struct arena *arena, int64_t count, const char *one,
                                const char *many)
{
    return arena_printf(arena, "%" STR_FMT " %s", STR_ARG(words_count(arena, count)),
                        count == 1 ? one : many);
}

bool told_set_news(const struct request *req, struct db *db, struct value *view,
                   const struct account *account, struct str back, struct error *err)
{
    struct operation_news news;
    if (!operation_news(db, account->id, &news, err))
        return false;
    bool is_away = account->sync_state == SYNC_UNREACHABLE || account->sync_state == SYNC_REFUSED ||
                   account->sync_state == SYNC_PAUSED;
    bool is_slow = news.waiting && news.waiting_since < clock_now_us() - quiet_us;
    view_set_str(view, "waiting",
                 news.waiting && (is_away || is_slow)
                     ? changes_words(req->arena, news.waiting, "change waits for the mail server",
                                     "changes wait for the mail server")
                     : STR_EMPTY);
    struct value *bulks = view_set_list(view, "bulks");
    if (news.has_bulk && !bulk_set_news(req, db, bulks, account->id, back, err))
        return false;
    view_set_str(view, "refused",
                 news.refused ? changes_words(req->arena, news.refused,
                                              "change was refused by the mail server",
                                              "changes were refused by the mail server")
                              : STR_EMPTY);
    return true;
}

static bool show_refused(struct request *req, struct response *res, struct db *db,
                         struct error *err)
{
    int64_t account_id, now = clock_now_us();
    struct account account;
    struct operation *operations;
    size_t count;
    if (!request_param_id(req, "account", &account_id, err) ||
        !session_account(req, db, account_id, &account, err) ||
        !operations_refused(db, req->arena, account_id, REFUSED_MAX, &operations, &count, err))
        return false;
    struct value *page = page_new(req, "Changes that were refused");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account.id);
    view_set_str(view, "name", account.name);
    if (count)
        view_set_i64(page, "lastId", operations[0].id);
    struct value *list = view_set_list(page, "refused");
    for (size_t i = 0; i < count; i++) {
        struct value *item = view_add_object(list);
        struct str words = told_words(req, db, &operations[i], 1);
        view_set_str(item, "words", words.length ? words : STR("A change"));
        view_set_str(item, "why", operations[i].error);
        view_set_str(item, "when", words_moment(req->arena, operations[i].finished_at, now));
        view_set_str(item, "iso", words_iso(req->arena, operations[i].finished_at));
    }
    return page_send(req, res, "refused", page, err);
}

bool html_refused(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && show_refused(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_refused_told(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, last_id;
    struct account account;
    struct http_fields form;
    if (!request_param_id(req, "account", &account_id, err) || !request_form(req, &form, err))
        return false;
    if (!str_to_i64(form_text(&form, "last"), &last_id))
        return error_set(err, ERROR_INVALID, "Which changes?");
    struct db *db = app_db(req, err);
    bool is_done = db && session_account(req, db, account_id, &account, err) &&
                   operations_told(db, account_id, last_id, err);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res, arena_printf(req->arena, "/mail/%lld", (long long)account_id));
    return is_done;
}

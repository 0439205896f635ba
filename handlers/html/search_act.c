/* Acting on what a search found, across folders and accounts: on chosen messages at once, on
 * everything that it finds in the background (bulk.h). Moving concerns a message wherever it lies;
 * what lies in the trash stays there when the rest is deleted. */
#include "handlers/html/labels.h"
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/html/snooze.h"
#include "handlers/html/verbs.h"
#include "handlers/html/words.h"
#include "handlers/search.h"
#include "handlers/snooze.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/store/bulk.h"

enum {
    ACCOUNTS_MAX = 100,
    OPERATIONS_MAX = 40, /* told of in one address */
    URL_BYTES_MAX = 32 * 1024,
};

struct asked {
    struct http_fields form;
    const struct verb *verb;
    struct str row; /* "account.email" of the row whose own button it was */
    struct account *accounts;
    size_t account_count;
    int64_t only_id; /* the account that was searched; 0: all */
    int64_t target_id;
    int64_t until;      /* of verbs that snooze, UTC microseconds */
    struct label label; /* of verbs that are about one */
    bool is_everything;
    struct buf done; /* "1.12-13~2.5" */
    size_t done_count;
};

/* --- where it goes on ------------------------------------------------------------------------ */

static void go_back(const struct request *req, struct response *res, const char *name,
                    struct str value)
{
    struct buf url = BUF_INIT(URL_BYTES_MAX);
    static const char *const kept[] = {"account", "sort", "after"};
    buf_text(&url, "/search?q=");
    encode_percent(&url, request_argument(req, "q"));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct str argument = request_argument(req, kept[i]);
        if (!argument.length)
            continue;
        buf_printf(&url, "&%s=", kept[i]);
        encode_percent(&url, argument);
    }
    if (value.length) {
        buf_printf(&url, "&%s=", name);
        encode_percent(&url, value);
    }
    response_redirect(res, arena_str(req->arena, buf_view(&url)));
    buf_free(&url);
}

/* --- what is asked for ----------------------------------------------------------------------- */

static bool read_asked(struct request *req, struct db *db, struct asked *asked, struct error *err)
{
    if (!account_list(db, req->arena, signed_in(req)->user_id, &asked->accounts,
                      &asked->account_count, err))
        return false;
    struct str rest = form_text(&asked->form, "do");
    asked->verb = verb_find(str_cut(&rest, '.'));
    asked->row = rest;
    if (!asked->verb || asked->verb->is_whole || asked->verb->kind == ACTION_DESTROY)
        return error_set(err, ERROR_INVALID, "This page cannot do that.");
    asked->is_everything = !rest.length && str_equal(form_text(&asked->form, "all"), STR("1"));
    if (!str_to_i64(form_text(&asked->form, "target"), &asked->target_id))
        asked->target_id = 0;
    if (asked->verb->is_snooze) /* the same moment in all accounts */
        asked->until = snooze_until(req->arena, &asked->form, clock_now_us());
    if (!str_to_i64(request_argument(req, "account"), &asked->only_id))
        asked->only_id = 0;
    return true;
}

/* The chosen messages of one account. */
static size_t read_ids(const struct asked *asked, struct arena *arena, int64_t account_id,
                       int64_t **ids)
{
    size_t count = 0;
    *ids = ARENA_ARRAY(arena, asked->form.count + 1, int64_t);
    for (size_t i = 0; i <= asked->form.count; i++) {
        bool is_row = i == asked->form.count;
        int64_t id;
        if (is_row ? !asked->row.length
                   : asked->row.length || !str_equal(asked->form.at[i].name, STR("email")))
            continue;
        struct str rest = is_row ? asked->row : asked->form.at[i].value;
        int64_t of;
        if (str_to_i64(str_cut(&rest, '.'), &of) && of == account_id && str_to_i64(rest, &id) &&
            id > 0)
            (*ids)[count++] = id;
    }
    return count;
}

/* --- doing ----------------------------------------------------------------------------------- */

static struct str key_of(const struct asked *asked, const char *step, const int64_t *ids,
                         size_t count, struct arena *arena)
{
    return verb_key(arena, &asked->form, asked->verb, step,
                    asked->label.id ? asked->label.id
                    : asked->until  ? asked->until
                                    : asked->target_id,
                    0, ids, count);
}

static void note_done(struct asked *asked, int64_t account_id, const struct action_result *result,
                      bool *is_begun)
{
    for (size_t i = 0; i < result->operation_count && asked->done_count < OPERATIONS_MAX; i++) {
        if (!*is_begun)
            buf_printf(&asked->done, "%s%lld.", asked->done_count ? "~" : "",
                       (long long)account_id);
        buf_printf(&asked->done, "%s%lld", *is_begun ? "-" : "",
                   (long long)result->operation_ids[i]);
        *is_begun = true;
        asked->done_count++;
    }
}

static bool find_target(const struct request *req, struct db *db, const struct asked *asked,
                        int64_t account_id, struct action *action, struct error *err)
{
    struct mailbox target;
    if (asked->until)
        return snooze_prepare(req, db, account_id, asked->until, action, err);
    action->target_id = asked->verb->needs_target ? asked->target_id : 0;
    if (asked->verb->role == ROLE_NONE)
        return true;
    if (!mailbox_by_role(db, req->arena, account_id, asked->verb->role, &target, err))
        return false;
    action->target_id = target.id;
    return true;
}

static bool act_on_chosen(const struct request *req, struct db *db, struct asked *asked,
                          int64_t account_id, struct error *err)
{
    const struct verb *verb = asked->verb;
    struct action_result result;
    bool is_begun = false;
    int64_t *ids;
    struct action action = verb_action(req->arena, verb, &asked->label);
    action.email_count = read_ids(asked, req->arena, account_id, &ids);
    action.email_ids = ids;
    action.destroys_nothing = true;
    if (action.email_count == 0)
        return true;
    if (!find_target(req, db, asked, account_id, &action, err))
        return false;
    if (verb_marks(verb)) {
        action.kind = ACTION_KEYWORDS;
        action.idempotency_key = key_of(asked, ".mark", ids, action.email_count, req->arena);
        if (!action_run(db, req->arena, account_id, &action, &result, err))
            return false;
        note_done(asked, account_id, &result, &is_begun);
    }
    if (verb->kind == ACTION_KEYWORDS)
        return true;
    action.kind = verb->kind;
    action.idempotency_key = key_of(asked, "", ids, action.email_count, req->arena);
    if (!action_run(db, req->arena, account_id, &action, &result, err))
        return false;
    note_done(asked, account_id, &result, &is_begun);
    return true;
}

static bool act_on_everything(const struct request *req, struct db *db, const struct asked *asked,
                              int64_t account_id, struct error *err)
{
    int64_t id;
    struct str text = str_trim(request_argument(req, "q"));
    struct action action = verb_action(req->arena, asked->verb, &asked->label);
    action.idempotency_key = key_of(asked, ".all", NULL, 0, req->arena);
    return search_check(req, db, account_id, text, err) &&
           find_target(req, db, asked, account_id, &action, err) &&
           bulk_add(db, account_id, &action, text, search_clock().offset_minutes, &id, err);
}

static bool has_chosen(const struct asked *asked)
{
    bool has_any = asked->is_everything || asked->row.length;
    for (size_t i = 0; i < asked->form.count; i++)
        has_any = has_any || str_equal(asked->form.at[i].name, STR("email"));
    return has_any;
}

/* Labels are an account's own: pages offer them where one is searched. */
static bool find_label(const struct request *req, struct db *db, struct asked *asked)
{
    if (!asked->only_id && asked->account_count == 1)
        asked->only_id = asked->accounts[0].id;
    for (size_t i = 0; i < asked->account_count; i++)
        if (asked->accounts[i].id == asked->only_id)
            return labels_asked(req, db, asked->only_id, &asked->form, &asked->label);
    return false;
}

static bool act(struct request *req, struct response *res, struct db *db, struct asked *asked,
                struct error *err)
{
    if (!read_asked(req, db, asked, err))
        return false;
    if (!has_chosen(asked)) {
        go_back(req, res, "said", STR("choose"));
        return true;
    }
    if (asked->verb->needs_target && !asked->target_id) {
        go_back(req, res, "said", STR("folder"));
        return true;
    }
    if (asked->verb->is_snooze && !asked->until) {
        go_back(req, res, "said", STR("when"));
        return true;
    }
    if (asked->verb->is_label && !find_label(req, db, asked)) {
        go_back(req, res, "said", STR("label"));
        return true;
    }
    for (size_t i = 0; i < asked->account_count; i++) {
        int64_t id = asked->accounts[i].id;
        struct error why = ERROR_INIT;
        if (asked->only_id && asked->only_id != id)
            continue;
        if (asked->is_everything ? act_on_everything(req, db, asked, id, &why)
                                 : act_on_chosen(req, db, asked, id, &why))
            continue;
        if (why.kind != ERROR_NOT_FOUND) {
            *err = why;
            return false;
        }
        go_back(req, res, "said", STR("gone"));
        return true;
    }
    if (asked->is_everything)
        go_back(req, res, "bulk", STR("1"));
    else if (asked->done_count == 0 && asked->until)
        go_back(req, res, "said", STR("later"));
    else
        go_back(req, res, "done", buf_view(&asked->done));
    return true;
}

bool html_search_act(struct request *req, struct response *res, struct error *err)
{
    struct asked asked = {.done = BUF_INIT(OPERATIONS_MAX * 48)};
    if (!request_form(req, &asked.form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && act(req, res, db, &asked, err);
    store_release(app_of(req)->store, &db);
    buf_free(&asked.done);
    return is_done;
}

/* --- taking back ----------------------------------------------------------------------------- */

/* "1.12-13~2.5" */
static bool undo(struct request *req, struct db *db, struct str rest, struct error *err)
{
    while (rest.at) {
        struct str list = str_cut(&rest, '~'), name = str_cut(&list, '.');
        int64_t account_id, ids[OPERATIONS_MAX];
        size_t count = 0;
        struct account account;
        bool is_read = str_to_i64(name, &account_id);
        while (is_read && list.at && count < OPERATIONS_MAX)
            is_read = str_to_i64(str_cut(&list, '-'), &ids[count++]);
        if (!is_read)
            return error_set(err, ERROR_INVALID, "There is nothing to take back.");
        if (!session_account(req, db, account_id, &account, err) ||
            !action_undo(db, req->arena, account_id, ids, count, NULL, err))
            return false;
    }
    return true;
}

bool html_search_undo(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct error why = ERROR_INIT;
    if (!request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && undo(req, db, form_text(&form, "operations"), &why);
    store_release(app_of(req)->store, &db);
    if (!is_done && why.kind != ERROR_NOT_FOUND && why.kind != ERROR_CONFLICT) {
        if (why.kind != ERROR_NONE)
            *err = why;
        return false;
    }
    go_back(req, res, "said", is_done ? STR("undone") : STR("too-late"));
    return true;
}

#include "handlers/html/act.h"

#include "handlers/html/labels.h"
#include "handlers/html/screens.h"
#include "handlers/html/snooze.h"
#include "handlers/html/verbs.h"
#include "handlers/html/words.h"
#include "handlers/snooze.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/store/bulk.h"

enum {
    FORM_KEY_BYTES = 15,
    OPERATIONS_MAX = 40, /* told of in one address */
    AT_ONCE_MAX = 200,   /* messages of a folder that are acted upon while the person waits */
};

/* What a request asks for. */
struct asked {
    struct mailbox mailbox;
    struct http_fields form;
    const struct verb *verb;
    bool is_everything; /* all of the folder, whatever was chosen */
    int64_t *email_ids;
    size_t email_count;
    int64_t thread_id; /* all of a conversation instead; 0: not so */
    int64_t row_id;    /* the row whose own button it was; 0: the form's */
    int64_t open_id;   /* the message that is open; 0: none */
    int64_t target_id;
    int64_t until;      /* of those that snooze, UTC microseconds */
    struct label label; /* of verbs that are about one */
};

/* --- forms ----------------------------------------------------------------------------------- */

struct str act_form_key(struct arena *arena)
{
    unsigned char bytes[FORM_KEY_BYTES];
    struct buf text = BUF_INIT(64);
    random_bytes(bytes, sizeof bytes);
    encode_base64url(&text, str_make(bytes, sizeof bytes));
    struct str key = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return key;
}

static bool has_role(const struct mailbox *mailboxes, size_t count, enum mailbox_role role)
{
    for (size_t i = 0; i < count; i++)
        if (mailboxes[i].role == role && mailboxes[i].is_selectable)
            return true;
    return false;
}

static bool deletes_for_good(const struct mailbox *mailbox)
{
    return mailbox->role == ROLE_TRASH || mailbox->role == ROLE_JUNK;
}

void act_set_forms(const struct request *req, struct value *page, const struct mailbox *mailbox,
                   const struct mailbox *mailboxes, size_t count, int64_t open_id)
{
    struct str query = list_query(req->arena, list_place_of(req));
    long long account_id = mailbox->account_id, mailbox_id = mailbox->id;
    view_set_text(page, "openId", NULL);
    if (open_id)
        view_set_i64(page, "openId", open_id);
    struct str here = open_id ? arena_printf(req->arena, "/%lld", (long long)open_id) : STR_EMPTY;
    view_set_path(page, "eventsUrl", "/api/v1/accounts/%lld/events", account_id);
    view_set_path(page, "listUrl", "/mail/%lld/%lld%" STR_FMT, account_id, mailbox_id,
                  STR_ARG(query));
    view_set_path(page, "hereUrl", "/mail/%lld/%lld%" STR_FMT "%" STR_FMT, account_id, mailbox_id,
                  STR_ARG(here), STR_ARG(query));
    view_set_str(page, "formKey", act_form_key(req->arena));
    view_set_path(page, "actUrl", "/mail/%lld/%lld/act%" STR_FMT, account_id, mailbox_id,
                  STR_ARG(query));
    view_set_path(page, "undoUrl", "/mail/%lld/%lld/undo%" STR_FMT, account_id, mailbox_id,
                  STR_ARG(query));
    struct value *can = view_set_object(page, "can");
    bool is_ordinary = mailbox->role != ROLE_JUNK && mailbox->role != ROLE_DRAFTS &&
                       mailbox->role != ROLE_SENT && mailbox->role != ROLE_TRASH;
    view_set_bool(can, "archive",
                  mailbox->role != ROLE_ARCHIVE && mailbox->role != ROLE_DRAFTS &&
                      has_role(mailboxes, count, ROLE_ARCHIVE));
    view_set_bool(can, "junk", is_ordinary && has_role(mailboxes, count, ROLE_JUNK));
    view_set_bool(can, "notJunk", mailbox->role == ROLE_JUNK);
    view_set_bool(can, "empty", deletes_for_good(mailbox) && mailbox->total > 0);
    view_set_bool(page, "listsConversations", signed_in(req)->lists_conversations);
    view_set_bool(can, "readAll", mailbox->unread > 0);
    view_set_bool(can, "destroy", deletes_for_good(mailbox));
}

/* --- what is asked for ----------------------------------------------------------------------- */

/* Each "email" is an id, or those of a conversation: "12-13-14". */
static void read_ids(struct asked *asked, struct arena *arena)
{
    size_t room = 1;
    for (size_t i = 0; i < asked->form.count; i++)
        room += 1 + asked->form.at[i].value.length / 2;
    asked->email_ids = ARENA_ARRAY(arena, room, int64_t);
    if (asked->row_id) {
        asked->email_ids[asked->email_count++] = asked->row_id;
        return;
    }
    for (size_t i = 0; i < asked->form.count; i++) {
        struct str rest = asked->form.at[i].value;
        int64_t id;
        if (!str_equal(asked->form.at[i].name, STR("email")))
            continue;
        while (rest.at && asked->email_count < room)
            if (str_to_i64(str_cut(&rest, '-'), &id) && id > 0)
                asked->email_ids[asked->email_count++] = id;
    }
}

static int64_t form_id(const struct http_fields *form, const char *name)
{
    int64_t id;
    return str_to_i64(form_text(form, name), &id) ? id : 0;
}

static bool read_place(struct request *req, struct db *db, struct asked *asked, struct error *err)
{
    int64_t account_id, mailbox_id;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "mailbox", &mailbox_id, err) ||
        !request_form(req, &asked->form, err))
        return false;
    asked->open_id = form_id(&asked->form, "open");
    return mailbox_by_id(db, req->arena, account_id, mailbox_id, &asked->mailbox, err);
}

/* "do" is a verb, or with a row's own button "verb.id". */
static bool read_asked(struct request *req, struct db *db, struct asked *asked, struct error *err)
{
    if (!read_place(req, db, asked, err))
        return false;
    struct str rest = form_text(&asked->form, "do");
    asked->verb = verb_find(str_cut(&rest, '.'));
    if (!asked->verb || (rest.at && !str_to_i64(rest, &asked->row_id)))
        return error_set(err, ERROR_INVALID, "This page cannot do that.");
    asked->target_id = form_id(&asked->form, "target");
    asked->is_everything = asked->verb->is_whole ||
                           (!asked->row_id && str_equal(form_text(&asked->form, "all"), STR("1")));
    asked->thread_id = asked->is_everything ? 0 : form_id(&asked->form, "thread");
    if (!asked->is_everything)
        read_ids(asked, req->arena);
    /* what lies in Trash or Junk is not moved to Trash */
    if (asked->verb->kind == ACTION_TRASH && deletes_for_good(&asked->mailbox))
        asked->verb = verb_find(STR("destroy"));
    return true;
}

/* --- where it goes on ------------------------------------------------------------------------ */

/* The list as it was, or the message that is open, with one more argument. */
static struct str place_with(const struct request *req, const struct asked *asked,
                             bool is_message_left, struct str argument)
{
    struct str query = list_query(req->arena, list_place_of(req));
    struct str path =
        arena_printf(req->arena, "/mail/%lld/%lld", (long long)asked->mailbox.account_id,
                     (long long)asked->mailbox.id);
    if (asked->open_id && !is_message_left)
        path = arena_printf(req->arena, "%s/%lld", path.at, (long long)asked->open_id);
    path = arena_printf(req->arena, "%s%" STR_FMT "%s%" STR_FMT, path.at, STR_ARG(query),
                        !argument.length ? ""
                        : query.length   ? "&"
                                         : "?",
                        STR_ARG(argument));
    if (asked->row_id)
        path = arena_printf(req->arena, "%s#m%lld", path.at, (long long)asked->row_id);
    return path;
}

static void say(const struct request *req, struct response *res, const struct asked *asked,
                const char *word)
{
    struct str argument = arena_printf(req->arena, "said=%s", word);
    response_redirect(res, place_with(req, asked, str_equal(str_of(word), STR("gone")), argument));
}

/* Whether the open message is not to be shown again: it left the folder, or is to stay unread. */
static bool leaves_message(const struct asked *asked)
{
    const struct verb *verb = asked->verb;
    bool is_concerned = asked->is_everything || asked->thread_id;
    for (size_t i = 0; i < asked->email_count; i++)
        is_concerned = is_concerned || asked->email_ids[i] == asked->open_id;
    return is_concerned && (verb->kind == ACTION_MOVE || verb->kind == ACTION_TRASH ||
                            verb->kind == ACTION_DESTROY || (verb->clear & FLAG_SEEN));
}

static void tell_done(const struct request *req, struct response *res, const struct asked *asked,
                      const int64_t *ids, size_t count)
{
    struct buf list = BUF_INIT(1024);
    for (size_t i = 0; i < count && i < OPERATIONS_MAX; i++)
        buf_printf(&list, "%s%lld", i ? "-" : "done=", (long long)ids[i]);
    response_redirect(res, place_with(req, asked, leaves_message(asked), buf_view(&list)));
    buf_free(&list);
}

/* --- doing ----------------------------------------------------------------------------------- */

static struct str key_of(const struct asked *asked, const char *step, struct arena *arena)
{
    return verb_key(arena, &asked->form, asked->verb, step,
                    asked->verb->is_label    ? asked->label.id
                    : asked->verb->is_snooze ? asked->until
                                             : asked->target_id,
                    asked->thread_id, asked->email_ids, asked->email_count);
}

static bool run(struct request *req, struct db *db, const struct asked *asked,
                const struct action *how, const char *step, int64_t *ids, size_t *count,
                struct error *err)
{
    struct action action = *how;
    struct action_result result;
    action.email_ids = asked->email_ids;
    action.email_count = asked->email_count;
    action.thread_id = asked->thread_id;
    /* a mark belongs to the message wherever it lies */
    if (action.kind != ACTION_KEYWORDS || asked->is_everything)
        action.mailbox_id = asked->mailbox.id;
    action.idempotency_key = key_of(asked, step, req->arena);
    if (!action_run(db, req->arena, asked->mailbox.account_id, &action, &result, err))
        return false;
    for (size_t i = 0; i < result.operation_count && *count < OPERATIONS_MAX; i++)
        ids[(*count)++] = result.operation_ids[i];
    return true;
}

/* Many at once are accepted as one row, and go on in the background (told by bulk.h). */
static bool begin_bulk(struct request *req, struct response *res, struct db *db,
                       const struct asked *asked, const struct action *how, struct error *err)
{
    int64_t id;
    struct action action = verb_action(req->arena, asked->verb, &asked->label);
    action.mailbox_id = asked->mailbox.id;
    action.target_id = how->target_id;
    action.until = how->until;
    action.idempotency_key = key_of(asked, ".all", req->arena);
    if (!bulk_add(db, asked->mailbox.account_id, &action, STR_EMPTY, 0, &id, err))
        return false;
    response_redirect(res, place_with(req, asked, leaves_message(asked), STR_EMPTY));
    return true;
}

static bool do_asked(struct request *req, struct response *res, struct db *db, struct asked *asked,
                     struct error *err)
{
    const struct verb *verb = asked->verb;
    struct mailbox target;
    struct action action = {.kind = verb->kind, .target_id = asked->target_id};
    int64_t ids[OPERATIONS_MAX];
    size_t count = 0;
    if (verb->role != ROLE_NONE) {
        if (!mailbox_by_role(db, req->arena, asked->mailbox.account_id, verb->role, &target, err))
            return false;
        action.target_id = target.id;
    }
    if (verb->is_snooze &&
        !snooze_prepare(req, db, asked->mailbox.account_id, asked->until, &action, err))
        return false;
    if (asked->is_everything && asked->mailbox.total > AT_ONCE_MAX)
        return begin_bulk(req, res, db, asked, &action, err);
    if (verb_marks(verb)) {
        struct action marks = verb_action(req->arena, verb, &asked->label);
        marks.kind = ACTION_KEYWORDS;
        if (!run(req, db, asked, &marks, ".mark", ids, &count, err))
            return false;
    }
    if (verb->kind != ACTION_KEYWORDS && !run(req, db, asked, &action, "", ids, &count, err))
        return false;
    bool is_of_folders = verb->kind == ACTION_MOVE || verb->kind == ACTION_COPY;
    if (count == 0 && verb->is_snooze)
        say(req, res, asked, "later");
    else if (count == 0 && is_of_folders && !verb->is_whole)
        say(req, res, asked, "there");
    else
        tell_done(req, res, asked, ids, count);
    return true;
}

/* Deleting for good is asked about once more. */
static bool ask_again(struct request *req, struct response *res, const struct asked *asked,
                      struct error *err)
{
    struct value *page = page_new(req, "Delete for good?");
    struct value *sure = view_set_object(page, "sure");
    int64_t count = asked->is_everything ? asked->mailbox.total : (int64_t)asked->email_count;
    view_set_str(sure, "folder", list_folder_name(&asked->mailbox));
    view_set_bool(sure, "isWhole", asked->verb->is_whole);
    view_set_bool(sure, "isOne", count == 1);
    view_set_bool(sure, "isEverything", asked->is_everything);
    view_set_str(sure, "thread", asked->thread_id ? form_text(&asked->form, "thread") : STR_EMPTY);
    view_set_bool(sure, "isHere", asked->mailbox.is_local);
    view_set_str(sure, "count", words_count(req->arena, count));
    view_set_text(sure, "verb", asked->verb->name);
    view_set_str(sure, "key", form_text(&asked->form, "key"));
    view_set_str(sure, "open", asked->open_id ? form_text(&asked->form, "open") : STR_EMPTY);
    struct value *emails = view_set_list(sure, "emails");
    for (size_t i = 0; i < asked->email_count; i++)
        view_set_i64(view_add_object(emails), "id", asked->email_ids[i]);
    view_set_url(sure, "backUrl", place_with(req, asked, false, STR_EMPTY));
    view_set_path(sure, "actUrl", "/mail/%lld/%lld/act%" STR_FMT,
                  (long long)asked->mailbox.account_id, (long long)asked->mailbox.id,
                  STR_ARG(list_query(req->arena, list_place_of(req))));
    return page_send(req, res, "sure", page, err);
}

static bool act(struct request *req, struct response *res, struct db *db, struct error *err)
{
    struct asked asked = {0};
    struct error why = ERROR_INIT;
    if (!read_asked(req, db, &asked, err))
        return false;
    if (!asked.is_everything && !asked.thread_id && asked.email_count == 0) {
        say(req, res, &asked, "choose");
        return true;
    }
    if (asked.verb->needs_target && !asked.target_id) {
        say(req, res, &asked, "folder");
        return true;
    }
    asked.until = asked.verb->is_snooze ? snooze_until(req->arena, &asked.form, clock_now_us()) : 0;
    if (asked.verb->is_snooze && !asked.until) {
        say(req, res, &asked, "when");
        return true;
    }
    if (asked.verb->is_label &&
        !labels_asked(req, db, asked.mailbox.account_id, &asked.form, &asked.label)) {
        say(req, res, &asked, "label");
        return true;
    }
    if (asked.verb->kind == ACTION_DESTROY && !str_equal(form_text(&asked.form, "sure"), STR("1")))
        return ask_again(req, res, &asked, err);
    if (do_asked(req, res, db, &asked, &why))
        return true;
    if (why.kind == ERROR_NOT_FOUND && (asked.email_count || asked.thread_id)) {
        say(req, res, &asked, "gone");
        return true;
    }
    *err = why;
    return false;
}

bool html_act(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && act(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* --- taking back ----------------------------------------------------------------------------- */

static bool undo(struct request *req, struct response *res, struct db *db, struct error *err)
{
    struct asked asked = {0};
    struct error why = ERROR_INIT;
    int64_t ids[OPERATIONS_MAX];
    size_t count = 0;
    if (!read_place(req, db, &asked, err))
        return false;
    struct str rest = form_text(&asked.form, "operations");
    while (rest.at && count < OPERATIONS_MAX)
        if (!str_to_i64(str_cut(&rest, '-'), &ids[count++]))
            return error_set(err, ERROR_INVALID, "There is nothing to take back.");
    if (action_undo(db, req->arena, asked.mailbox.account_id, ids, count, NULL, &why)) {
        say(req, res, &asked, "undone");
        return true;
    }
    if (why.kind == ERROR_NOT_FOUND || why.kind == ERROR_CONFLICT) {
        say(req, res, &asked, "too-late");
        return true;
    }
    *err = why;
    return false;
}

bool html_undo(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && undo(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Other sites may make a browser follow a link here (session_guard lets nothing else pass), and
 * browsers load pages ahead that nobody may ever look at: neither opens a message. */
static bool is_opened_by_person(const struct request *req)
{
    struct str site = request_header(req, "Sec-Fetch-Site");
    bool is_ours = !site.at || str_equal(site, STR("same-origin")) || str_equal(site, STR("none"));
    return req->method == HTTP_GET && is_ours && !request_header(req, "Sec-Purpose").at &&
           !request_header(req, "Purpose").at;
}

void act_open(const struct request *req, struct db *db, struct email *email)
{
    struct error why = ERROR_INIT;
    struct action_result result;
    struct action action = {
        .kind = ACTION_KEYWORDS, .email_ids = &email->id, .email_count = 1, .set = FLAG_SEEN};
    if ((email->flags & FLAG_SEEN) || !is_opened_by_person(req))
        return;
    if (action_run(db, req->arena, email->account_id, &action, &result, &why))
        email->flags |= FLAG_SEEN;
    else
        LOG_WARN("html.open", log_int("account", email->account_id), log_int("email", email->id),
                 LOG_ERR(&why));
}

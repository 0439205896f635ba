/* A conversation on one page: the newest unread message is open (or the newest, or the one that was
 * asked for), the others are folded to a line each that leads to them. */
#include "handlers/html/act.h"
#include "handlers/html/labels.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/list.h"
#include "handlers/html/screens.h"
#include "handlers/html/told.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"

enum {
    CONVERSATION_WAIT_MS = 2500,
    CONVERSATION_MAX = 200,
    EARLIER_SHOWN_MAX = 3, /* folded ones before the open one; more than that lie in one fold */
};

/* Where the reader came from: which folder, and what leads back to its page. */
struct way {
    int64_t mailbox_id;
    struct str query; /* "?in=4&after=1-2" */
    struct label *labels;
    size_t label_count;
};

/* ?in=4 and the page of that folder's list; else the folder where the open message lies. */
static struct way way_of(const struct request *req, int64_t lies_in)
{
    struct way way = {.mailbox_id = lies_in, .query = STR("?")};
    struct str place = list_query(req->arena, list_place_of(req));
    int64_t asked;
    if (str_to_i64(request_argument(req, "in"), &asked) && asked > 0) {
        way.mailbox_id = asked;
        way.query = arena_printf(req->arena, "?in=%lld%s%" STR_FMT "&", (long long)asked,
                                 place.length ? "&" : "", STR_ARG(str_skip(place, 1)));
    }
    return way;
}

static size_t choose_open(const struct request *req, const struct email *emails, size_t count)
{
    int64_t asked;
    size_t open = count - 1;
    if (str_to_i64(request_argument(req, "open"), &asked))
        for (size_t i = 0; i < count; i++)
            if (emails[i].id == asked)
                return i;
    for (size_t i = 0; i < count; i++)
        if (!(emails[i].flags & FLAG_SEEN))
            open = i;
    return open;
}

/* The page with that message open. */
static struct str url_of(struct arena *arena, const struct email *email, const struct way *way)
{
    return arena_printf(arena, "/mail/%lld/thread/%lld%" STR_FMT "open=%lld",
                        (long long)email->account_id, (long long)email->thread_id,
                        STR_ARG(way->query), (long long)email->id);
}

static void add_folded(struct value *letter, const struct email *email, const struct way *way,
                       struct arena *arena)
{
    letter_set_head(letter, email, arena);
    labels_set_tags(letter, way->labels, way->label_count, email);
    view_set_bool(letter, "isOpen", false);
    view_set_path(letter, "openUrl", "%" STR_FMT "#m%lld", STR_ARG(url_of(arena, email, way)),
                  (long long)email->id);
}

static bool add_open(struct request *req, struct response *res, struct db **db,
                     struct value *letter_value, struct email *email, struct str place,
                     const struct way *way, struct error *err)
{
    struct letter letter = {.email = email, .place = place, .wait_ms = CONVERSATION_WAIT_MS};
    letter.labels = way->labels;
    letter.label_count = way->label_count;
    letter_read(req, &letter);
    letter.here = url_of(req->arena, email, way);
    view_set_bool(letter_value, "isOpen", true);
    return letter_set(req, res, db, letter_value, &letter, err);
}

/* What can be done with all of it that lies in the folder. */
static bool set_actions(const struct request *req, struct db *db, struct value *page,
                        const struct email *open, int64_t mailbox_id, const struct account *account,
                        struct str *place, struct error *err)
{
    struct mailbox mailbox, *mailboxes;
    size_t count;
    if (!mailbox_by_id(db, req->arena, open->account_id, mailbox_id, &mailbox, err) ||
        !mailbox_list(db, req->arena, open->account_id, &mailboxes, &count, err))
        return false;
    act_set_forms(req, page, &mailbox, mailboxes, count, 0);
    list_set_folders(req, page, mailboxes, count, mailbox.id);
    view_set_i64(page, "thread", open->thread_id);
    *place = list_place_name(req->arena, account, &mailbox);
    return true;
}

/* All of them, the earlier ones in a fold if they are many. */
static bool set_letters(struct request *req, struct response *res, struct db **db,
                        struct value *page, const struct email *emails, size_t count,
                        struct email *open, struct str place, const struct way *way,
                        struct error *err)
{
    size_t at = 0;
    while (emails[at].id != open->id)
        at++;
    size_t fold = at > EARLIER_SHOWN_MAX ? at : 0;
    view_set_text(page, "earlier", NULL);
    struct value *letters = NULL;
    if (fold) {
        struct value *earlier = view_set_object(page, "earlier");
        view_set_i64(earlier, "count", (int64_t)fold);
        letters = view_set_list(earlier, "letters");
    }
    for (size_t i = 0; i < count; i++) {
        if (i == fold)
            letters = view_set_list(page, "letters");
        struct value *letter = view_add_object(letters);
        if (i != at)
            add_folded(letter, &emails[i], way, req->arena);
        else if (!add_open(req, res, db, letter, open, place, way, err))
            return false;
    }
    return true;
}

static bool show(struct request *req, struct response *res, struct db **db, int64_t account_id,
                 int64_t thread_id, struct error *err)
{
    struct account account;
    struct email *emails, open;
    int64_t *ids;
    size_t count;
    if (!session_account(req, *db, account_id, &account, err) ||
        !thread_emails(*db, req->arena, account_id, thread_id, &ids, &count, err))
        return false;
    bool is_cut = count > CONVERSATION_MAX;
    if (is_cut) { /* the newest ones */
        ids += count - CONVERSATION_MAX;
        count = CONVERSATION_MAX;
    }
    if (!emails_by_ids(*db, req->arena, account_id, ids, count, &emails, &count, err))
        return false;
    if (count == 0)
        return error_set(err, ERROR_NOT_FOUND, "There is no such conversation.");
    size_t at = choose_open(req, emails, count);
    if (!email_by_id(*db, req->arena, account_id, emails[at].id, &open, err))
        return false;
    act_open(req, *db, &open);
    struct str subject = emails[0].subject;
    struct value *page =
        page_new(req, subject.length ? arena_text(req->arena, subject) : "(no subject)");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account.id);
    view_set_i64(view, "state", account.modseq);
    page_set_sync(view, &account, req->arena);
    view_set_str(page, "subject", subject);
    view_set_bool(page, "isCut", is_cut);
    view_set_i64(page, "count", (int64_t)count);
    struct way way = way_of(req, emails[at].mailbox_id);
    view_set_i64(page, "mailboxId", way.mailbox_id);
    view_set_i64(page, "openedId", open.id);
    view_set_url(page, "freshUrl", url_of(req->arena, &open, &way));
    struct str place;
    if (!label_list(*db, req->arena, account_id, &way.labels, &way.label_count, err))
        return false;
    labels_set_choice(page, account_id, way.labels, way.label_count, req->arena);
    if (!set_actions(req, *db, page, &open, way.mailbox_id, &account, &place, err) ||
        !told_set_notice(req, *db, page, &account, err))
        return false;
    return set_letters(req, res, db, page, emails, count, &open, place, &way, err) &&
           page_send(req, res, "conversation", page, err);
}

bool html_conversation(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, thread_id;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "thread", &thread_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && show(req, res, &db, account_id, thread_id, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* The search page: a form, what was found with the words marked, and searches to keep. */
#include "handlers/search.h"
#include "handlers/html/act.h"
#include "handlers/html/bulk.h"
#include "handlers/html/labels.h"
#include "handlers/html/screens.h"
#include "handlers/html/told.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/base/encode.h"

enum { SEARCH_ROWS = 50, UPSTREAM_WAIT_MS = 12000, NAME_BYTES_MAX = 200 };

/* What the page was asked for. */
struct asked {
    struct str text, cursor;
    int64_t account_id; /* 0: all accounts */
    bool is_ranked, is_upstream;
    struct label *labels; /* of the accounts that are searched */
    size_t label_count;
};

static struct asked read_asked(const struct request *req)
{
    struct asked asked = {.text = str_trim(request_argument(req, "q")),
                          .cursor = request_argument(req, "after")};
    if (!str_to_i64(request_argument(req, "account"), &asked.account_id))
        asked.account_id = 0;
    asked.is_ranked = str_equal(request_argument(req, "sort"), STR("relevance"));
    asked.is_upstream = str_equal(request_argument(req, "upstream"), STR("1"));
    return asked;
}

/* This search again with more arguments: "/search?q=…&account=1&sort=relevance". */
static struct str search_url(struct arena *arena, const struct asked *asked, bool is_ranked,
                             struct str cursor, bool is_upstream)
{
    struct buf url = BUF_INIT(QUERY_BYTES_MAX * 4);
    buf_text(&url, "/search?q=");
    encode_percent(&url, asked->text);
    if (asked->account_id)
        buf_printf(&url, "&account=%lld", (long long)asked->account_id);
    if (is_ranked)
        buf_text(&url, "&sort=relevance");
    if (cursor.length) {
        buf_text(&url, "&after=");
        encode_percent(&url, cursor);
    }
    if (is_upstream)
        buf_text(&url, "&upstream=1");
    struct str copy = arena_str(arena, buf_view(&url));
    buf_free(&url);
    return copy;
}

/* --- rows ------------------------------------------------------------------------------------- */

static void add_row(const struct request *req, struct value *list, const struct asked *asked,
                    const struct search_found *found, const struct email *email,
                    const struct account *accounts, size_t account_count)
{
    struct arena *arena = req->arena;
    struct value *row = view_add_object(list);
    struct person *people;
    struct str subject, preview;
    size_t count;
    static const struct person nobody = {.name = {"", 0}, .email = {"", 0}};
    people_read(arena, email->from_json, &people, &count);
    search_snippets(arena, found, email, &subject, &preview);
    view_set_i64(row, "id", email->id);
    view_set_i64(row, "accountId", email->account_id);
    view_set_path(row, "url", "/mail/%lld/%lld/%lld", (long long)email->account_id,
                  (long long)email->mailbox_id, (long long)email->id);
    view_set_str(row, "name", people_summary(arena, people, count));
    view_set_str(row, "initials", person_initials(arena, count ? &people[0] : &nobody));
    view_set_i64(row, "hue", person_hue(count ? &people[0] : &nobody));
    view_set_html(row, "subject", subject);
    view_set_html(row, "marked", preview);
    view_set_str(row, "preview", email->preview);
    view_set_str(row, "when", words_when(arena, email->received_at, clock_now_us()));
    view_set_str(row, "iso", words_iso(arena, email->received_at));
    view_set_str(row, "long", words_when_long(arena, email->received_at));
    view_set_bool(row, "isUnread", !(email->flags & FLAG_SEEN));
    view_set_bool(row, "isFlagged", email->flags & FLAG_FLAGGED);
    view_set_bool(row, "hasAttachment", email->has_attachment);
    view_set_text(row, "account", NULL);
    labels_set_tags(row, asked->labels, asked->label_count, email);
    for (size_t i = 0; i < account_count && account_count > 1; i++)
        if (accounts[i].id == email->account_id)
            view_set_str(row, "account", accounts[i].name);
}

static void set_results(const struct request *req, struct value *page, const struct asked *asked,
                        const struct search_found *found, const struct account *accounts,
                        size_t account_count)
{
    struct value *results = view_set_object(page, "results");
    struct value *rows = view_set_list(results, "rows");
    for (size_t i = 0; i < found->answer.count; i++)
        add_row(req, rows, asked, found, &found->answer.emails[i], accounts, account_count);
    view_set_bool(results, "hasRows", found->answer.count > 0);
    view_set_bool(results, "isFirst", asked->cursor.length == 0);
    view_set_url(results, "olderUrl",
                 found->next.length
                     ? search_url(req->arena, asked, asked->is_ranked, found->next, false)
                     : STR_EMPTY);
    view_set_url(results, "otherUrl",
                 search_url(req->arena, asked, !asked->is_ranked, STR_EMPTY, false));
    view_set_bool(results, "isRanked", asked->is_ranked);
    view_set_url(results, "upstreamUrl",
                 asked->account_id && !asked->is_upstream
                     ? search_url(req->arena, asked, asked->is_ranked, STR_EMPTY, true)
                     : STR_EMPTY);
}

/* What the mail server found beyond what is shown already. */
static bool set_upstream(struct request *req, struct value *page, const struct asked *asked,
                         const struct search_found *found, const struct account *account,
                         struct error *err)
{
    struct search_upstream upstream;
    struct email *emails;
    size_t count, more = 0;
    struct error why = ERROR_INIT;
    struct value *view = view_set_object(page, "upstream");
    view_set_text(view, "failure", NULL);
    view_set_text(view, "hint", NULL);
    struct value *rows = view_set_list(view, "rows");
    if (!search_upstream(req, account->id, asked->text, UPSTREAM_WAIT_MS, &upstream, &why)) {
        view_set_text(view, "failure", arena_text(req->arena, str_of(why.message)));
        view_set_text(view, "hint", arena_text(req->arena, str_of(why.hint)));
        return true;
    }
    struct db *db = app_db(req, err);
    bool is_good = db && emails_by_ids(db, req->arena, account->id, upstream.email_ids,
                                       upstream.count, &emails, &count, err);
    store_release(app_of(req)->store, &db);
    for (size_t i = 0; is_good && i < count; i++) {
        bool is_shown = false;
        for (size_t k = 0; k < found->answer.count; k++)
            is_shown = is_shown || found->answer.emails[k].id == emails[i].id;
        if (!is_shown && ++more)
            add_row(req, rows, asked, found, &emails[i], account, 1);
    }
    view_set_bool(view, "isNothing", more == 0 && upstream.unknown == 0);
    view_set_str(view, "unknown",
                 upstream.unknown ? words_count(req->arena, upstream.unknown) : STR_EMPTY);
    return is_good;
}

/* --- the page --------------------------------------------------------------------------------- */

static bool set_saved(const struct request *req, struct db *db, struct value *page,
                      struct error *err)
{
    struct saved_search *searches;
    size_t count;
    if (!saved_search_list(db, req->arena, signed_in(req)->user_id, &searches, &count, err))
        return false;
    struct value *list = view_set_list(page, "saved");
    for (size_t i = 0; i < count; i++) {
        struct asked asked = {.text = searches[i].query};
        struct value *view = view_add_object(list);
        view_set_i64(view, "id", searches[i].id);
        view_set_str(view, "name", searches[i].name);
        view_set_url(view, "url", search_url(req->arena, &asked, false, STR_EMPTY, false));
    }
    return true;
}

static const struct account *chosen_accounts(const struct asked *asked,
                                             const struct account *accounts, size_t *count)
{
    if (!asked->account_id)
        return accounts;
    for (size_t i = 0; i < *count; i++)
        if (accounts[i].id == asked->account_id) {
            *count = 1;
            return &accounts[i];
        }
    *count = 0;
    return accounts;
}

static void set_form(struct value *page, const struct asked *asked, const struct account *accounts,
                     size_t count)
{
    view_set_str(page, "query", asked->text);
    view_set_bool(page, "isRanked", asked->is_ranked);
    view_set_bool(page, "hasChoice", count > 1);
    struct value *list = view_set_list(page, "choices");
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(list);
        view_set_i64(view, "id", accounts[i].id);
        view_set_str(view, "name", accounts[i].name);
        view_set_bool(view, "isChosen", accounts[i].id == asked->account_id);
    }
}

/* What the form around the results needs. Folders to move to are shown where one account is
 * searched, since each has its own. */
static bool set_acting(const struct request *req, struct db *db, struct value *page,
                       const struct asked *asked, const struct account *accounts, size_t count,
                       struct error *err)
{
    struct mailbox *mailboxes;
    size_t mailbox_count;
    struct str here =
        search_url(req->arena, asked, asked->is_ranked, asked->cursor, asked->is_upstream);
    struct str arguments = str_sub(here, sizeof "/search" - 1, here.length);
    struct str back = str_sub(arguments, 1, arguments.length);
    view_set_str(page, "formKey", act_form_key(req->arena));
    view_set_url(page, "hereUrl", here);
    view_set_url(page, "listUrl", here);
    view_set_url(page, "actUrl",
                 arena_printf(req->arena, "/search/act%" STR_FMT, STR_ARG(arguments)));
    view_set_url(page, "undoUrl",
                 arena_printf(req->arena, "/search/undo%" STR_FMT, STR_ARG(arguments)));
    view_set_text(page, "eventsUrl", NULL);
    view_set_text(page, "openId", NULL);
    view_set_bool(page, "canMove", count == 1);
    if (count == 1) {
        view_set_path(page, "eventsUrl", "/api/v1/accounts/%lld/events", (long long)accounts->id);
        if (!mailbox_list(db, req->arena, accounts->id, &mailboxes, &mailbox_count, err))
            return false;
        list_set_folders(req, page, mailboxes, mailbox_count, 0);
        labels_set_choice(page, accounts->id, asked->labels, asked->label_count, req->arena);
    }
    struct value *bulks = view_set_list(page, "bulks");
    for (size_t i = 0; i < count && request_argument(req, "bulk").at; i++)
        if (!bulk_set_news(req, db, bulks, accounts[i].id, back, err))
            return false;
    return told_set_notice_of_all(req, db, page, err);
}

static bool load_labels(const struct request *req, struct db *db, struct asked *asked,
                        const struct account *accounts, size_t count, struct error *err)
{
    asked->labels = ARENA_ARRAY(req->arena, count * LABELS_MAX + 1, struct label);
    for (size_t i = 0; i < count; i++) {
        struct label *labels;
        size_t found;
        if (!label_list(db, req->arena, accounts[i].id, &labels, &found, err))
            return false;
        for (size_t k = 0; k < found; k++)
            asked->labels[asked->label_count++] = labels[k];
    }
    return true;
}

/* `*is_found` tells whether the search ran; what it could not understand stands in the page. */
static bool fill_page(const struct request *req, struct response *res, struct db *db,
                      struct value *page, struct asked *asked, struct search_found *found,
                      const struct account **accounts, bool *is_found, struct error *err)
{
    struct account *all;
    size_t count;
    struct error *why = ARENA_NEW(req->arena, struct error); /* the page borrows its texts */
    *why = ERROR_INIT;
    if (!account_list(db, req->arena, signed_in(req)->user_id, &all, &count, err) ||
        !set_saved(req, db, page, err))
        return false;
    set_form(page, asked, all, count);
    view_set_text(page, "results", NULL);
    view_set_text(page, "upstream", NULL);
    *is_found = false;
    if (!asked->text.length)
        return true;
    *accounts = chosen_accounts(asked, all, &count);
    if (!load_labels(req, db, asked, *accounts, count, err) ||
        !set_acting(req, db, page, asked, *accounts, count, err))
        return false;
    struct search_wanted wanted = {.text = asked->text,
                                   .accounts = *accounts,
                                   .account_count = count,
                                   .order =
                                       asked->is_ranked ? SEARCH_BY_RELEVANCE : SEARCH_NEWEST_FIRST,
                                   .cursor = asked->cursor,
                                   .limit = SEARCH_ROWS};
    if (!search_run(req, db, &wanted, found, why)) {
        if (!page_is_form_error(why)) {
            *err = *why;
            return false;
        }
        page_set_problem(page, why);
        res->status = http_status_of(why->kind);
        return true;
    }
    set_results(req, page, asked, found, *accounts, count);
    *is_found = count > 0;
    return true;
}

bool html_search(struct request *req, struct response *res, struct error *err)
{
    struct asked asked = read_asked(req);
    struct search_found found;
    const struct account *accounts = NULL;
    bool is_found = false;
    struct value *page = page_new(req, "Search");
    struct db *db = app_db(req, err);
    bool is_good = db && fill_page(req, res, db, page, &asked, &found, &accounts, &is_found, err);
    store_release(app_of(req)->store, &db);
    if (is_good && is_found && asked.account_id && asked.is_upstream)
        is_good = set_upstream(req, page, &asked, &found, accounts, err);
    return is_good && page_send(req, res, "search", page, err);
}

bool html_search_save(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    int64_t id;
    if (!request_form(req, &form, err))
        return false;
    struct asked asked = {.text = form_text(&form, "q")};
    struct str name = form_text(&form, "name");
    if (!name.length)
        name = asked.text;
    if (!query_parse(req->arena, asked.text, search_clock(), err))
        return false;
    if (name.length > NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "This name is too long.");
    struct db *db = app_db(req, err);
    bool is_good = db && saved_search_put(db, signed_in(req)->user_id, name, asked.text, &id, err);
    store_release(app_of(req)->store, &db);
    if (is_good)
        response_redirect(res, search_url(req->arena, &asked, false, STR_EMPTY, false));
    return is_good;
}

bool html_search_forget(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "search", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && saved_search_delete(db, signed_in(req)->user_id, id, err);
    store_release(app_of(req)->store, &db);
    if (is_good)
        response_redirect(res, STR("/search"));
    return is_good;
}

/* Searching: one account or all, with the same words as the search box; saved searches. */
#include "handlers/search.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"

enum { LIMIT_STANDARD = 50, UPSTREAM_WAIT_MS = 15000, NAME_BYTES_MAX = 200 };

static bool read_wanted(const struct request *req, struct search_wanted *wanted, struct error *err)
{
    uint32_t limit = LIMIT_STANDARD;
    struct str order = request_argument(req, "sort"), text = request_argument(req, "limit");
    *wanted = (struct search_wanted){.text = request_argument(req, "q"),
                                     .cursor = request_argument(req, "after")};
    if (!wanted->text.at) {
        error_set(err, ERROR_INVALID, "\"q\" is missing.");
        return error_hint(err, "For example q=from:ann subject:\"annual report\" after:2026-01");
    }
    if (text.at && (!str_to_u32(text, &limit) || limit < 1 || limit > SEARCH_PAGE_MAX))
        return error_set(err, ERROR_INVALID, "\"limit\" is a number from 1 to %d.",
                         SEARCH_PAGE_MAX);
    if (str_equal(order, STR("relevance")))
        wanted->order = SEARCH_BY_RELEVANCE;
    else if (order.length && !str_equal(order, STR("newest")))
        return error_set(err, ERROR_INVALID, "\"sort\" is \"newest\" or \"relevance\".");
    wanted->limit = (int)limit;
    return true;
}

static void write_html(struct json *json, const char *name, struct str html)
{
    json_write_name(json, name);
    if (html.length)
        json_write_str(json, html);
    else
        json_write_null(json);
}

static void write_emails(struct json *json, const struct request *req,
                         const struct search_found *found, const struct email *emails, size_t count)
{
    json_write_array(json);
    for (size_t i = 0; i < count; i++) {
        struct str subject, preview;
        search_snippets(req->arena, found, &emails[i], &subject, &preview);
        json_write_object(json);
        answer_id(json, "accountId", emails[i].account_id);
        answer_email_metadata(json, &emails[i], NULL, 0);
        json_write_name(json, "snippet");
        json_write_object(json);
        write_html(json, "subject", subject);
        write_html(json, "preview", preview);
        json_write_object_end(json);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

/* What the mail server found beyond: `emails` that are here, and how many are not. */
static bool write_upstream(struct request *req, struct json *json, const struct search_found *found,
                           int64_t account_id, struct str text, struct error *err)
{
    struct search_upstream upstream;
    struct email *emails;
    size_t count;
    if (!search_upstream(req, account_id, text, UPSTREAM_WAIT_MS, &upstream, err))
        return false;
    struct db *db = app_db(req, err);
    if (!db || !answer_done(req, &db,
                            emails_by_ids(db, req->arena, account_id, upstream.email_ids,
                                          upstream.count, &emails, &count, err)))
        return false;
    json_write_name(json, "upstream");
    json_write_object(json);
    json_write_name(json, "emails");
    write_emails(json, req, found, emails, count);
    answer_i64(json, "notHereYet", upstream.unknown);
    answer_bool(json, "hasMore", upstream.is_cut);
    json_write_object_end(json);
    return true;
}

static bool answer_search(struct request *req, struct response *res,
                          const struct search_wanted *wanted, const struct search_found *found,
                          struct error *err)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_str(&json, "query", found->understood);
    answer_text(&json, "sort", wanted->order == SEARCH_BY_RELEVANCE ? "relevance" : "newest");
    json_write_name(&json, "emails");
    write_emails(&json, req, found, found->answer.emails, found->answer.count);
    write_html(&json, "next", found->next);
    if (wanted->account_count == 1 && str_equal(request_argument(req, "upstream"), STR("1"))) {
        if (!write_upstream(req, &json, found, wanted->accounts[0].id, wanted->text, err))
            return false;
    } else {
        answer_text(&json, "upstream", NULL);
    }
    json_write_object_end(&json);
    return true;
}

bool api_search(struct request *req, struct response *res, struct error *err)
{
    struct search_wanted wanted;
    struct search_found found;
    struct account *accounts = NULL;
    if (!read_wanted(req, &wanted, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && account_list(db, req->arena, signed_in(req)->user_id, &accounts,
                                      &wanted.account_count, err);
    wanted.accounts = accounts;
    is_good = is_good && search_run(req, db, &wanted, &found, err);
    return answer_done(req, &db, is_good) && answer_search(req, res, &wanted, &found, err);
}

bool api_account_search(struct request *req, struct response *res, struct error *err)
{
    struct search_wanted wanted;
    struct search_found found;
    struct account account;
    struct db *db;
    if (!read_wanted(req, &wanted, err) || !answer_account(req, &db, &account, err))
        return false;
    wanted.accounts = &account;
    wanted.account_count = 1;
    return answer_done(req, &db, search_run(req, db, &wanted, &found, err)) &&
           answer_search(req, res, &wanted, &found, err);
}

/* --- saved searches --------------------------------------------------------------------------- */

bool api_saved_searches(struct request *req, struct response *res, struct error *err)
{
    struct saved_search *searches;
    size_t count;
    struct db *db = app_db(req, err);
    if (!db || !answer_done(req, &db,
                            saved_search_list(db, req->arena, signed_in(req)->user_id, &searches,
                                              &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "searches");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_id(&json, "id", searches[i].id);
        answer_str(&json, "name", searches[i].name);
        answer_str(&json, "query", searches[i].query);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_saved_search_put(struct request *req, struct response *res, struct error *err)
{
    struct str name, text;
    int64_t id;
    json_t *body = body_json(req, err);
    bool is_good = body && body_str(req->arena, body, "name", true, &name, err) &&
                   body_str(req->arena, body, "query", true, &text, err);
    json_decref(body);
    if (!is_good || !query_parse(req->arena, text, search_clock(), err))
        return false;
    if (name.length > NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "\"name\" is longer than %d bytes.", NAME_BYTES_MAX);
    struct db *db = app_db(req, err);
    if (!db ||
        !answer_done(req, &db, saved_search_put(db, signed_in(req)->user_id, name, text, &id, err)))
        return false;
    struct json json = answer_json(res);
    res->status = 201;
    json_write_object(&json);
    answer_id(&json, "id", id);
    answer_str(&json, "name", name);
    answer_str(&json, "query", text);
    json_write_object_end(&json);
    return true;
}

bool api_saved_search_delete(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "search", &id, err))
        return false;
    struct db *db = app_db(req, err);
    if (!db || !answer_done(req, &db, saved_search_delete(db, signed_in(req)->user_id, id, err)))
        return false;
    res->status = 204;
    return true;
}

#include "handlers/html/labels.h"

#include "handlers/html/act.h"
#include "handlers/html/bulk.h"
#include "handlers/html/screens.h"
#include "server/base/encode.h"

enum { URL_BYTES_MAX = 1024 };

/* --- on pages of mail ------------------------------------------------------------------------ */

void labels_set_tags(struct value *view, const struct label *labels, size_t count,
                     const struct email *email)
{
    struct value *tags = view_set_list(view, "tags");
    for (size_t i = 0; email->keywords.length && i < count; i++) {
        if (labels[i].account_id != email->account_id || !label_is_on(&labels[i], email->keywords))
            continue;
        struct value *tag = view_add_object(tags);
        view_set_str(tag, "label", labels[i].name);
        view_set_i64(tag, "colour", labels[i].colour);
    }
}

static struct str search_url(struct arena *arena, int64_t account_id, struct str name)
{
    struct buf url = BUF_INIT(URL_BYTES_MAX);
    buf_printf(&url, "/search?account=%lld&q=", (long long)account_id);
    encode_percent(&url, arena_printf(arena, "label:\"%" STR_FMT "\"", STR_ARG(name)));
    struct str made = arena_str(arena, buf_view(&url));
    buf_free(&url);
    return made;
}

void labels_set_choice(struct value *page, int64_t account_id, const struct label *labels,
                       size_t count, struct arena *arena)
{
    struct value *list = view_set_list(page, "labels");
    view_set_bool(page, "hasLabels", count > 0);
    view_set_path(page, "labelsUrl", "/accounts/%lld/labels", (long long)account_id);
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(list);
        view_set_i64(view, "id", labels[i].id);
        view_set_str(view, "label", labels[i].name);
        view_set_str(view, "keywords",
                     arena_printf(arena, "%" STR_FMT "%s%" STR_FMT, STR_ARG(labels[i].keyword),
                                  labels[i].former.length ? " " : "", STR_ARG(labels[i].former)));
        view_set_i64(view, "colour", labels[i].colour);
        view_set_url(view, "url", search_url(arena, account_id, labels[i].name));
    }
}

bool labels_asked(const struct request *req, struct db *db, int64_t account_id,
                  const struct http_fields *form, struct label *label)
{
    int64_t id;
    struct error gone = ERROR_INIT;
    return str_to_i64(form_text(form, "label"), &id) &&
           label_by_id(db, req->arena, account_id, id, label, &gone);
}

/* --- the page -------------------------------------------------------------------------------- */

static void add_colours(struct value *view, int chosen)
{
    struct value *list = view_set_list(view, "colours");
    for (int i = 0; i < LABEL_COLOURS; i++) {
        struct value *colour = view_add_object(list);
        view_set_i64(colour, "number", i);
        view_set_text(colour, "word", label_colours[i]);
        view_set_bool(colour, "isChosen", i == chosen);
    }
}

static void add_found(struct value *page, struct str keywords, struct arena *arena)
{
    struct value *list = view_set_list(page, "found");
    view_set_bool(page, "hasFound", keywords.length > 0);
    for (int64_t colour = 0; keywords.length; colour = (colour + 1) % LABEL_COLOURS) {
        struct value *view = view_add_object(list);
        struct str keyword = str_cut(&keywords, ' ');
        view_set_str(view, "keyword", keyword);
        view_set_i64(view, "colour", colour);
        view_set_str(view, "label", label_name_of(arena, keyword));
    }
}

/* What was typed comes back with `problem`, if there is one. */
static bool show(struct request *req, struct response *res, struct db *db,
                 const struct account *account, const struct label *typed,
                 const struct error *problem, struct error *err)
{
    struct label *labels;
    struct str found;
    size_t count;
    if (!label_list(db, req->arena, account->id, &labels, &count, err) ||
        !label_found(db, req->arena, account->id, &found, err))
        return false;
    struct value *page = page_new(req, "Labels");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    view_set_bool(view, "isPop3", account->kind == ACCOUNT_POP3);
    if (!bulk_set_news(req, db, view_set_list(page, "bulks"), account->id, STR_EMPTY, err))
        return false;
    view_set_str(page, "typed", typed && !typed->id ? typed->name : STR_EMPTY);
    add_colours(page, typed && !typed->id ? typed->colour : (int)(count % LABEL_COLOURS));
    view_set_bool(page, "isSaved", request_argument(req, "saved").at != NULL);
    labels_set_choice(page, account->id, NULL, 0, req->arena);
    struct value *rows = view_set_list(page, "rows");
    for (size_t i = 0; i < count; i++) {
        struct value *row = view_add_object(rows);
        bool is_typed = typed && typed->id == labels[i].id;
        view_set_i64(row, "id", labels[i].id);
        view_set_str(row, "label", labels[i].name);
        view_set_str(row, "typed", is_typed ? typed->name : labels[i].name);
        view_set_str(row, "keyword", labels[i].keyword);
        view_set_i64(row, "colour", labels[i].colour);
        view_set_url(row, "url", search_url(req->arena, account->id, labels[i].name));
        add_colours(row, is_typed ? typed->colour : labels[i].colour);
    }
    add_found(page, found, req->arena);
    if (problem) {
        res->status = http_status_of(problem->kind);
        page_set_problem(page, problem);
    }
    return page_send(req, res, "labels", page, err);
}

bool html_labels(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id;
    struct account account;
    struct db *db = app_db(req, err);
    bool is_done = db && request_param_id(req, "account", &account_id, err) &&
                   session_account(req, db, account_id, &account, err) &&
                   show(req, res, db, &account, NULL, NULL, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

static bool read_label(const struct request *req, const struct http_fields *form,
                       struct label *label)
{
    int64_t colour;
    bool is_found = form_text(form, "keyword").length > 0;
    if (is_found) {
        label->keyword = form_text(form, "keyword");
        label->name = label_name_of(req->arena, label->keyword);
    } else {
        label->name = form_text(form, "name");
    }
    if (str_to_i64(form_text(form, "colour"), &colour) && colour >= 0 && colour < LABEL_COLOURS)
        label->colour = (int)colour;
    return str_equal(form_text(form, "do"), STR("delete")) && label->id;
}

/* A new one (no id), one that another program made (its keyword), or one that is here. */
static bool save(struct request *req, struct response *res, struct db *db, struct label *label,
                 struct error *err)
{
    struct http_fields form;
    struct account account;
    struct error why = ERROR_INIT;
    int64_t bulk_id = 0;
    if (!request_form(req, &form, err) ||
        !session_account(req, db, label->account_id, &account, err))
        return false;
    bool is_removal = read_label(req, &form, label);
    bool is_done = is_removal ? label_delete(db, req->arena, account.id, label->id, &bulk_id, &why)
                              : label_put(db, req->arena, label, &bulk_id, &why);
    if (is_done) {
        response_redirect(
            res, arena_printf(req->arena, "/accounts/%lld/labels?saved=1", (long long)account.id));
        return true;
    }
    if (page_is_form_error(&why))
        return show(req, res, db, &account, label, &why, err);
    *err = why;
    return false;
}

bool html_label_create(struct request *req, struct response *res, struct error *err)
{
    struct label label = {0};
    struct db *db = app_db(req, err);
    bool is_done = db && request_param_id(req, "account", &label.account_id, err) &&
                   save(req, res, db, &label, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_label_save(struct request *req, struct response *res, struct error *err)
{
    struct label label = {0};
    struct db *db = app_db(req, err);
    bool is_done = db && request_param_id(req, "account", &label.account_id, err) &&
                   request_param_id(req, "label", &label.id, err) &&
                   save(req, res, db, &label, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

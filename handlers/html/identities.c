/* Who one writes as: name, address, where answers go, signature. */
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/writing.h"

static bool show(struct request *req, struct response *res, const struct identity *typed,
                 const struct error *problem, struct error *err)
{
    int64_t account_id;
    struct account account;
    struct identity *list;
    size_t count;
    if (!request_param_id(req, "account", &account_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && session_account(req, db, account_id, &account, err) &&
                   identity_list(db, req->arena, account_id, &list, &count, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    struct value *page = page_new(req, "Senders");
    view_set_i64(page, "accountId", account_id);
    view_set_str(page, "accountName", account.name);
    view_set_bool(page, "isSaved", request_argument(req, "saved").at != NULL);
    struct value *rows = view_set_list(page, "identities");
    for (size_t i = 0; i <= count; i++) { /* the last one is for a new sender */
        static const struct identity nobody = {.id = 0};
        const struct identity *one = i < count ? &list[i] : &nobody;
        if (typed && typed->id == one->id)
            one = typed;
        struct value *row = view_add_object(rows);
        view_set_i64(row, "id", one->id);
        view_set_bool(row, "isNew", one->id == 0);
        view_set_bool(row, "canDelete", one->id != 0 && count > 1);
        view_set_str(row, "name", one->name);
        view_set_str(row, "email", one->email);
        view_set_str(row, "replyTo", one->reply_to);
        view_set_str(row, "bcc", one->bcc);
        view_set_str(row, "signature", one->text_signature);
        view_set_str(row, "htmlSignature", one->html_signature);
        view_set_bool(row, "isHtml", one->is_html);
        view_set_bool(row, "isAbove", one->quoting == QUOTING_ABOVE);
        view_set_bool(row, "isNone", one->quoting == QUOTING_NONE);
    }
    if (problem) {
        page_set_problem(page, problem);
        res->status = 422;
    }
    return page_send(req, res, "identities", page, err);
}

bool html_identities(struct request *req, struct response *res, struct error *err)
{
    return show(req, res, NULL, NULL, err);
}

static bool read_identity(const struct http_fields *form, struct identity *identity,
                          struct error *err)
{
    identity->name = form_text(form, "name");
    identity->email = form_text(form, "email");
    identity->reply_to = form_text(form, "replyTo");
    identity->bcc = form_text(form, "bcc");
    identity->text_signature = form_text(form, "signature");
    /* a script brings it: without one it stays as it is */
    if (http_field_value(form, "htmlSignature").at)
        identity->html_signature = form_text(form, "htmlSignature");
    identity->is_html = str_equal(form_text(form, "format"), STR("html"));
    return quoting_parse(form_text(form, "quoting"), &identity->quoting) ||
           error_set(err, ERROR_INVALID, "Say where the quoted text goes.");
}

/* The row of the form: 0 in the path is a new sender. */
bool html_identity_save(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct identity identity = {0};
    struct error why = ERROR_INIT;
    struct account account;
    if (!request_param_id(req, "account", &identity.account_id, err) ||
        !request_form(req, &form, err))
        return false;
    struct str id = form_text(&form, "id");
    if (id.length && !str_to_i64(id, &identity.id))
        return error_set(err, ERROR_NOT_FOUND, "There is no such sender.");
    bool is_removal = str_equal(form_text(&form, "do"), STR("delete"));
    struct db *db = app_db(req, err);
    bool is_good = db && session_account(req, db, identity.account_id, &account, err) &&
                   (!identity.id || identity_by_id(db, req->arena, identity.account_id, identity.id,
                                                   &identity, err));
    bool is_done =
        is_good && (is_removal ? identity_delete(db, identity.account_id, identity.id, &why)
                               : read_identity(&form, &identity, &why) &&
                                     writing_identity_check(req, &identity, &why) &&
                                     identity_put(db, &identity, &why));
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    if (!is_done && page_is_form_error(&why))
        return show(req, res, &identity, &why, err);
    if (!is_done) {
        *err = why;
        return false;
    }
    response_redirect(res, arena_printf(req->arena, "/accounts/%lld/senders?saved=1",
                                        (long long)identity.account_id));
    return true;
}

#include "handlers/html/account_kind.h"

#include "handlers/html/page.h"
#include "handlers/html/pop3_choice.h"
#include "handlers/html/screens.h"

static void set_reasons(struct value *form, const char *name, enum account_kind kind, int count)
{
    struct value *reasons = view_set_list(form, name);
    for (int i = 0; i < count; i++)
        view_add_str(reasons, str_of(setup_reasons[kind][i].sentence));
}

bool account_kind_show(struct request *req, struct response *res, const struct account_kinds *kinds,
                       const struct error *problem, struct error *err)
{
    struct value *page =
        page_new(req, kinds->imap.length ? "How shall mail come here?" : "Mail by POP3");
    struct value *form = view_set_object(page, "form");
    view_set_str(form, "name", kinds->name);
    view_set_str(form, "email", kinds->email);
    view_set_str(form, "imap", kinds->imap);
    view_set_str(form, "pop3Trial", kinds->pop3);
    view_set_bool(form, "isBoth", kinds->imap.length > 0);
    view_set_str(form, "imapWhy", kinds->imap_why);
    set_reasons(form, "imapReasons", ACCOUNT_IMAP, SETUP_REASONS);
    set_reasons(form, "pop3Reasons", ACCOUNT_POP3, SETUP_REASONS);
    set_reasons(form, "pop3Differences", ACCOUNT_POP3,
                SETUP_REASONS - 1); /* removal is asked for */
    pop3_choice_set(form, &kinds->chosen, req->arena);
    if (problem) {
        page_set_problem(page, problem);
        res->status = 422;
    }
    struct db *db = app_db(req, err);
    bool is_good = db && page_set_accounts(req, db, page, 0, err);
    store_release(app_of(req)->store, &db);
    return is_good && page_send(req, res, "account-kind", page, err);
}

/* The trial of the chosen kind, if it is this person's, went well and is not too old. */
static bool find_trial(struct request *req, struct db *db, struct str id, struct trial *trial,
                       struct error *err)
{
    struct setup_outcome outcome;
    struct error why = ERROR_INIT;
    if (trial_by_id(db, req->arena, id, signed_in(req)->user_id, trial, &why) && trial->is_done &&
        trial->kind == TRIAL_ACCOUNT && trial->secret.length > 0 &&
        setup_read_outcome(req->arena, trial, &outcome, &why) && outcome.is_good)
        return true;
    if (why.kind != ERROR_NONE && why.kind != ERROR_NOT_FOUND) {
        *err = why;
        return false;
    }
    error_set(err, ERROR_CONFLICT, "That was a while ago: the password is no longer known here.");
    return error_hint(err, "Add the account once more; its servers are found as before.");
}

static bool save(struct request *req, struct db *db, const struct http_fields *form,
                 const struct account_kinds *kinds, int64_t *account_id, struct error *err)
{
    struct trial trial;
    bool is_pop3 = str_equal(form_text(form, "kind"), STR("pop3"));
    struct str other = is_pop3 ? kinds->imap : kinds->pop3;
    struct error ignored = ERROR_INIT; /* the sweep takes what stays */
    if (!find_trial(req, db, is_pop3 ? kinds->pop3 : kinds->imap, &trial, err))
        return false;
    if (!setup_save(db, req->arena, signed_in(req)->user_id, kinds->name, &trial, trial.secret,
                    &kinds->chosen, account_id, err))
        return err->kind == ERROR_CONFLICT &&
               error_set(err, ERROR_CONFLICT, "You have this account here already.");
    struct trial unused;
    if (other.length &&
        trial_by_id(db, req->arena, other, signed_in(req)->user_id, &unused, &ignored))
        trial_delete(db, other, &ignored);
    return true;
}

bool html_account_kind(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct error why = ERROR_INIT;
    int64_t account_id = 0;
    if (!request_form(req, &form, err))
        return false;
    struct account_kinds kinds = {.name = form_text(&form, "name"),
                                  .email = form_text(&form, "email"),
                                  .imap = form_text(&form, "imap"),
                                  .pop3 = form_text(&form, "pop3Trial"),
                                  .chosen = setup_pop3_default};
    bool is_good = pop3_choice_read(&form, &kinds.chosen, &why);
    struct db *db = is_good ? app_db(req, &why) : NULL;
    is_good = db && save(req, db, &form, &kinds, &account_id, &why);
    store_release(app_of(req)->store, &db);
    if (is_good) {
        response_redirect(res, arena_printf(req->arena, "/mail/%lld", (long long)account_id));
        return true;
    }
    if (page_is_form_error(&why))
        return account_kind_show(req, res, &kinds, &why, err);
    *err = why;
    return false;
}

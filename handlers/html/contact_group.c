/* A group of the address book: its name, who is in it. */
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/writing.h"
#include "server/store/contact_groups.h"

static bool show(struct request *req, struct response *res, int64_t id, const struct error *problem,
                 struct error *err)
{
    struct contact_group group;
    struct contact *members;
    size_t count;
    int64_t user_id = signed_in(req)->user_id;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_group_by_id(db, req->arena, user_id, id, &group, err) &&
                   contact_group_members(db, req->arena, user_id, id, &members, &count, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    struct value *page = page_new(req, arena_text(req->arena, group.name));
    view_set_i64(page, "id", group.id);
    view_set_str(page, "name", group.name);
    view_set_bool(page, "isSaved", request_argument(req, "saved").at != NULL);
    struct value *rows = view_set_list(page, "members");
    for (size_t i = 0; i < count; i++) {
        struct value *row = view_add_object(rows);
        view_set_i64(row, "id", members[i].id);
        view_set_str(row, "name", members[i].name);
        view_set_str(row, "emails", members[i].emails);
    }
    if (problem) {
        page_set_problem(page, problem);
        res->status = 422;
    }
    return page_send(req, res, "contact-group", page, err);
}

bool html_contact_group(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "group", &id, err) && show(req, res, id, NULL, err);
}

bool html_contact_group_add(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct contact_group group = {0};
    if (!request_form(req, &form, err))
        return false;
    group.name = form_text(&form, "name");
    struct db *db = app_db(req, err);
    bool is_good = db && contact_group_put(db, signed_in(req)->user_id, &group, err);
    store_release(app_of(req)->store, &db);
    if (is_good)
        response_redirect(res,
                          arena_printf(req->arena, "/contacts/groups/%lld", (long long)group.id));
    return is_good;
}

/* Addresses as typed: whose they are joins; who is not in the book yet is entered. */
static bool join(struct request *req, struct db *db, int64_t id, struct str typed,
                 struct error *err)
{
    struct compose_addresses people;
    int64_t user_id = signed_in(req)->user_id;
    bool is_good = compose_addresses_read(req->arena, typed, &people, err) &&
                   (people.count > 0 || error_set(err, ERROR_INVALID, "Say who joins the group."));
    for (size_t i = 0; is_good && i < people.count; i++) {
        struct contact contact = {.name = people.at[i].name, .emails = people.at[i].email};
        is_good = (contact_by_email(db, user_id, contact.emails, &contact.id, NULL) ||
                   contact_put(db, user_id, &contact, err)) &&
                  contact_group_join(db, user_id, id, &contact.id, 1, err);
    }
    return is_good;
}

static bool act(struct request *req, struct db *db, int64_t id, const struct http_fields *form,
                struct error *err)
{
    int64_t member, user_id = signed_in(req)->user_id;
    struct str what = form_text(form, "do");
    struct contact_group group = {.id = id, .name = form_text(form, "name")};
    if (str_equal(what, STR("delete")))
        return contact_group_delete(db, user_id, id, err);
    if (str_equal(what, STR("join")))
        return join(req, db, id, form_text(form, "emails"), err);
    if (str_starts(what, STR("leave-")) && str_to_i64(str_skip(what, 6), &member))
        return contact_group_leave(db, user_id, id, &member, 1, err);
    return contact_group_put(db, user_id, &group, err);
}

bool html_contact_group_save(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct error why = ERROR_INIT;
    int64_t id;
    if (!request_param_id(req, "group", &id, err) || !request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && db_begin(db, err);
    bool is_done = is_good && act(req, db, id, &form, &why) && db_commit(db, &why);
    if (is_good && !is_done)
        db_rollback(db);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    if (!is_done && page_is_form_error(&why))
        return show(req, res, id, &why, err);
    if (!is_done) {
        *err = why;
        return false;
    }
    bool is_gone = str_equal(form_text(&form, "do"), STR("delete"));
    response_redirect(
        res, is_gone ? STR("/contacts?saved=1")
                     : arena_printf(req->arena, "/contacts/groups/%lld?saved=1", (long long)id));
    return true;
}

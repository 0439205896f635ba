/* The address book. */
#include "handlers/contact_cards.h"
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "handlers/writing.h"
#include "server/store/contact_groups.h"

enum { PAGE_ROWS = 200 };

static bool show(struct request *req, struct response *res, const struct contact *typed,
                 const struct error *problem, struct error *err)
{
    struct contact *list;
    struct contact_group *groups;
    size_t count, group_count;
    int64_t after = 0;
    struct str place = request_argument(req, "after");
    bool with_collected = request_argument(req, "collected").at != NULL;
    if (place.at && !str_to_i64(place, &after))
        return error_set(err, ERROR_NOT_FOUND, "There is no such page.");
    struct db *db = app_db(req, err);
    bool is_good =
        db &&
        contact_list(db, req->arena, signed_in(req)->user_id, with_collected, after, PAGE_ROWS,
                     &list, &count, err) &&
        contact_group_list(db, req->arena, signed_in(req)->user_id, &groups, &group_count, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    struct value *page = page_new(req, "Contacts");
    struct value *rows = view_set_list(page, "contacts");
    for (size_t i = 0; i < count; i++) {
        struct value *row = view_add_object(rows);
        view_set_i64(row, "id", list[i].id);
        view_set_str(row, "name", list[i].name);
        view_set_str(row, "emails", list[i].emails);
        view_set_str(row, "organization", list[i].organization);
        view_set_bool(row, "isCollected", list[i].is_collected);
    }
    rows = view_set_list(page, "groups");
    for (size_t i = 0; i < group_count; i++) {
        struct value *row = view_add_object(rows);
        view_set_i64(row, "id", groups[i].id);
        view_set_str(row, "name", groups[i].name);
        view_set_i64(row, "count", groups[i].member_count);
    }
    view_set_bool(page, "withCollected", with_collected);
    view_set_bool(page, "isSaved", request_argument(req, "saved").at != NULL);
    view_set_text(page, "nextUrl", NULL);
    if (count == PAGE_ROWS)
        view_set_path(page, "nextUrl", "/contacts?after=%lld%s", (long long)list[count - 1].id,
                      with_collected ? "&collected=1" : "");
    struct value *form = view_set_object(page, "form");
    view_set_str(form, "name", typed ? typed->name : STR_EMPTY);
    view_set_str(form, "emails", typed ? typed->emails : STR_EMPTY);
    view_set_str(form, "organization", typed ? typed->organization : STR_EMPTY);
    view_set_str(form, "note", typed ? typed->note : STR_EMPTY);
    if (problem) {
        page_set_problem(page, problem);
        res->status = 422;
    }
    return page_send(req, res, "contacts", page, err);
}

bool html_contacts(struct request *req, struct response *res, struct error *err)
{
    return show(req, res, NULL, NULL, err);
}

static bool show_one(struct request *req, struct response *res, const struct contact *contact,
                     const struct error *problem, struct error *err)
{
    struct value *page =
        page_new(req, contact->name.length ? arena_text(req->arena, contact->name) : "Contact");
    view_set_i64(page, "id", contact->id);
    view_set_str(page, "name", contact->name);
    view_set_str(page, "emails", contact->emails);
    view_set_str(page, "organization", contact->organization);
    view_set_str(page, "note", contact->note);
    if (problem) {
        page_set_problem(page, problem);
        res->status = 422;
    }
    return page_send(req, res, "contact", page, err);
}

bool html_contact(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    struct contact contact;
    if (!request_param_id(req, "contact", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_by_id(db, req->arena, signed_in(req)->user_id, id, &contact, err);
    store_release(app_of(req)->store, &db);
    return is_good && show_one(req, res, &contact, NULL, err);
}

/* Addresses as people type them: separated by commas, spaces or lines. */
static bool read_contact(struct request *req, const struct http_fields *form,
                         struct contact *contact, struct error *err)
{
    struct compose_addresses people;
    struct buf emails = BUF_INIT(CONTACT_EMAILS_MAX * 600);
    contact->name = form_text(form, "name");
    contact->emails = form_text(form, "emails");
    contact->organization = form_text(form, "organization");
    contact->note = form_text(form, "note");
    char *typed = arena_text(req->arena, contact->emails);
    for (size_t i = 0; i < contact->emails.length; i++)
        if (ascii_is_space(typed[i]))
            typed[i] = ',';
    if (!compose_addresses_read(req->arena, str_make(typed, contact->emails.length), &people, err))
        return false;
    for (size_t i = 0; i < people.count && i < CONTACT_EMAILS_MAX; i++)
        buf_printf(&emails, "%s%" STR_FMT, i ? " " : "", STR_ARG(people.at[i].email));
    contact->emails = arena_str(req->arena, buf_view(&emails));
    buf_free(&emails);
    return contact_check(contact, err);
}

static bool save(struct request *req, struct response *res, struct contact *contact,
                 const struct http_fields *form, struct error *err)
{
    struct error why = ERROR_INIT;
    bool is_read = read_contact(req, form, contact, &why);
    struct db *db = is_read ? app_db(req, &why) : NULL;
    bool is_saved = db && contact_put(db, signed_in(req)->user_id, contact, &why);
    store_release(app_of(req)->store, &db);
    if (is_saved) {
        response_redirect(res, STR("/contacts?saved=1"));
        return true;
    }
    if (page_is_form_error(&why))
        return contact->id ? show_one(req, res, contact, &why, err)
                           : show(req, res, contact, &why, err);
    *err = why;
    return false;
}

bool html_contact_add(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct contact contact = {0};
    return request_form(req, &form, err) && save(req, res, &contact, &form, err);
}

bool html_contact_save(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct contact contact;
    int64_t id;
    if (!request_param_id(req, "contact", &id, err) || !request_form(req, &form, err))
        return false;
    struct db *db = app_db(req, err);
    int64_t user_id = signed_in(req)->user_id;
    bool is_removal = str_equal(form_text(&form, "do"), STR("delete"));
    bool is_good = db && (is_removal ? contact_delete(db, user_id, id, err)
                                     : contact_by_id(db, req->arena, user_id, id, &contact, err));
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    if (!is_removal)
        return save(req, res, &contact, &form, err);
    response_redirect(res, STR("/contacts?saved=1"));
    return true;
}

/* A file with vCards. */
bool html_contacts_import(struct request *req, struct response *res, struct error *err)
{
    struct request_part *parts;
    size_t count, imported = 0;
    struct error why = ERROR_INIT;
    struct str text = STR_EMPTY;
    if (!request_multipart(req, &parts, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!parts[i].file_name.at || !parts[i].bytes)
            continue;
        char *bytes = arena_alloc(req->arena, parts[i].bytes + 1);
        ssize_t got = request_body_read(req, parts[i].at, bytes, parts[i].bytes, err);
        if (got < 0)
            return false;
        text = str_make(bytes, (size_t)got);
    }
    if (!contact_cards_import(req, text, &imported, &why)) {
        if (page_is_form_error(&why))
            return show(req, res, NULL, &why, err);
        *err = why;
        return false;
    }
    response_redirect(res, STR("/contacts?saved=1"));
    return true;
}

bool html_contacts_export(struct request *req, struct response *res, struct error *err)
{
    return contact_cards_export(req, res, err);
}

/* The address book; completion of what is typed; vCard in and out. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/contact_cards.h"
#include "handlers/once.h"
#include "handlers/writing.h"
#include "server/store/contact_groups.h"

enum {
    LIST_MAX = 500,
    COMPLETE_MAX = 10,
    GROUPS_MAX = 3,
};

static void write_contact(struct json *json, const struct contact *c)
{
    json_write_object(json);
    answer_id(json, "id", c->id);
    answer_str(json, "name", c->name);
    answer_words(json, "emails", c->emails);
    answer_str(json, "organization", c->organization);
    answer_str(json, "note", c->note);
    answer_bool(json, "isCollected", c->is_collected);
    answer_time(json, "usedAt", c->used_at);
    json_write_object_end(json);
}

static bool read_emails(struct request *req, const json_t *body, struct str *emails,
                        struct error *err)
{
    const json_t *list = json_object_get(body, "emails"), *one;
    struct buf text = BUF_INIT(CONTACT_EMAILS_MAX * 600);
    bool is_good = !list || (json_is_array(list) && json_array_size(list) <= CONTACT_EMAILS_MAX);
    size_t i;
    if (!list)
        return true;
    if (!is_good)
        return error_set(err, ERROR_INVALID, "\"emails\" is a list of at most %d addresses.",
                         CONTACT_EMAILS_MAX);
    json_array_foreach(list, i, one)
    {
        struct str email = str_of(json_string_value(one)), checked;
        is_good = is_good && compose_email_check(req->arena, email, &checked, err);
        if (is_good)
            buf_printf(&text, "%s%" STR_FMT, i ? " " : "", STR_ARG(checked));
    }
    *emails = arena_str(req->arena, buf_view(&text));
    buf_free(&text);
    return is_good;
}

static bool read_contact(struct request *req, const json_t *body, struct contact *c,
                         struct error *err)
{
    const struct body_text texts[] = {
        {"name", &c->name}, {"organization", &c->organization}, {"note", &c->note}};
    if (!body_texts(req->arena, body, texts, sizeof texts / sizeof *texts, err))
        return false;
    return read_emails(req, body, &c->emails, err) && contact_check(c, err);
}

/* ?collected=1: people written to as well; ?after=<id>: the next ones. */
bool api_contacts(struct request *req, struct response *res, struct error *err)
{
    struct contact *list;
    size_t count;
    int64_t after = 0;
    struct str text = request_argument(req, "after");
    if (text.at && !str_to_i64(text, &after))
        return error_set(err, ERROR_INVALID, "\"after\" is no id.");
    bool with_collected = str_equal(request_argument(req, "collected"), STR("1"));
    struct db *db = app_db(req, err);
    bool is_good = db && contact_list(db, req->arena, signed_in(req)->user_id, with_collected,
                                      after, LIST_MAX, &list, &count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "contacts");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_contact(&json, &list[i]);
    json_write_array_end(&json);
    answer_id(&json, "next", count == LIST_MAX ? list[count - 1].id : 0);
    json_write_object_end(&json);
    return true;
}

bool api_contact(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    struct contact contact;
    if (!request_param_id(req, "contact", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_by_id(db, req->arena, signed_in(req)->user_id, id, &contact, err);
    if (is_good) {
        struct json json = answer_json(res);
        write_contact(&json, &contact);
    }
    return answer_done(req, &db, is_good);
}

static bool put(const struct request *req, struct db *db, struct contact *contact,
                struct error *err)
{
    if (!db_begin(db, err))
        return false;
    bool is_good = contact_put(db, signed_in(req)->user_id, contact, err) &&
                   once_note_made(req, db, contact->id, err);
    if (!is_good)
        db_rollback(db);
    return is_good && db_commit(db, err);
}

/* `id` 0: a new one, or what this very request has made already. */
static bool save(struct request *req, struct response *res, int64_t id, struct error *err)
{
    struct contact contact = {0};
    int64_t user_id = signed_in(req)->user_id, known_id = id ? id : once_made(req);
    json_t *body = body_json(req, err);
    struct db *db = body ? app_db(req, err) : NULL;
    bool is_good = db &&
                   (!known_id || contact_by_id(db, req->arena, user_id, known_id, &contact, err)) &&
                   read_contact(req, body, &contact, err) && put(req, db, &contact, err);
    json_decref(body);
    contact.is_collected = false;
    if (is_good) {
        struct json json = answer_json(res);
        res->status = id ? 200 : 201;
        write_contact(&json, &contact);
    }
    return answer_done(req, &db, is_good);
}

bool api_contact_create(struct request *req, struct response *res, struct error *err)
{
    return save(req, res, 0, err);
}

bool api_contact_save(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "contact", &id, err) && save(req, res, id, err);
}

bool api_contact_delete(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    if (!request_param_id(req, "contact", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_delete(db, signed_in(req)->user_id, id, err);
    if (is_good)
        res->status = 204;
    return answer_done(req, &db, is_good);
}

/* A match as what is typed instead: of a group all who are in it. */
static void write_match(struct json *json, struct arena *arena, struct str name,
                        const struct contact_match *people, size_t count)
{
    struct compose_address *all = ARENA_ARRAY(arena, count, struct compose_address);
    for (size_t i = 0; i < count; i++)
        all[i] = (struct compose_address){people[i].name, people[i].email};
    json_write_object(json);
    answer_str(json, "name", name);
    answer_str(json, "email", count == 1 ? people[0].email : STR_EMPTY);
    answer_i64(json, "memberCount", (int64_t)count);
    answer_str(json, "typed",
               compose_addresses_show(arena, (struct compose_addresses){all, count}));
    json_write_object_end(json);
}

static bool write_groups(struct request *req, struct db *db, struct str typed, struct json *json,
                         struct error *err)
{
    struct contact_group *groups;
    struct contact_match *people;
    size_t count, people_count;
    int64_t user_id = signed_in(req)->user_id;
    if (!contact_group_complete(db, req->arena, user_id, typed, GROUPS_MAX, &groups, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!contact_group_people(db, req->arena, user_id, groups[i].name, &people, &people_count,
                                  err))
            return false;
        if (people_count)
            write_match(json, req->arena, groups[i].name, people, people_count);
    }
    return true;
}

/* ?q=…: {"matches": [{"name", "email", "memberCount", "typed"}]}: groups, then people, likeliest
 * first. */
bool api_contacts_complete(struct request *req, struct response *res, struct error *err)
{
    struct contact_match *matches = NULL;
    size_t count = 0;
    struct str typed = request_argument(req, "q");
    typed = typed.at ? str_trim(typed) : STR_EMPTY;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "matches");
    json_write_array(&json);
    struct db *db = app_db(req, err);
    bool is_good =
        db && (!typed.length || (write_groups(req, db, typed, &json, err) &&
                                 contact_complete(db, req->arena, signed_in(req)->user_id, typed,
                                                  COMPLETE_MAX, &matches, &count, err)));
    if (!answer_done(req, &db, is_good))
        return false;
    for (size_t i = 0; i < count; i++)
        write_match(&json, req->arena, matches[i].name, &matches[i], 1);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

/* --- vCard ----------------------------------------------------------------------------------- */

bool api_contacts_export(struct request *req, struct response *res, struct error *err)
{
    return contact_cards_export(req, res, err);
}

/* The body is text/vcard with any number of cards: all of them or none. */
bool api_contacts_import(struct request *req, struct response *res, struct error *err)
{
    struct str body;
    size_t count;
    if (!request_body(req, &body, err) || !contact_cards_import(req, body, &count, err))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_i64(&json, "imported", (int64_t)count);
    json_write_object_end(&json);
    return true;
}

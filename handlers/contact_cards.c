#include "handlers/contact_cards.h"

#include <jansson.h>

#include "server/base/utf8.h"
#include "server/mail/compose.h"
#include "server/store/contact_groups.h"

enum { EXPORT_MAX = 20000, NAME_BYTES_MAX = 500, NOTE_BYTES_MAX = 16 * 1024, MEMBERS_MAX = 100 };

bool contact_check(const struct contact *contact, struct error *err)
{
    if (contact->name.length > NAME_BYTES_MAX || contact->organization.length > NAME_BYTES_MAX ||
        contact->note.length > NOTE_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "That is too long.");
    return contact->name.length || contact->emails.length ||
           error_set(err, ERROR_INVALID, "A contact has a name or an address.");
}

/* RFC 6350 section 3.4: commas, semicolons, backslashes and line ends escaped. */
static void write_property(struct buf *out, const char *name, struct str value)
{
    if (!value.length)
        return;
    buf_printf(out, "%s:", name);
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        if (c == '\r')
            continue;
        if (c == '\n') {
            buf_text(out, "\\n");
            continue;
        }
        if (strchr("\\,;", c))
            buf_char(out, '\\');
        buf_char(out, c);
    }
    buf_text(out, "\r\n");
}

static void write_vcard(struct buf *out, const struct contact *c)
{
    struct str emails = c->emails, rest = c->emails;
    buf_text(out, "BEGIN:VCARD\r\nVERSION:4.0\r\n");
    write_property(out, "FN", c->name.length ? c->name : str_cut(&rest, ' '));
    while (emails.at && emails.length)
        write_property(out, "EMAIL", str_cut(&emails, ' '));
    write_property(out, "ORG", c->organization);
    write_property(out, "NOTE", c->note);
    buf_text(out, "END:VCARD\r\n");
}

/* Members by their addresses: whoever reads it need not know our cards. */
static bool write_groups(struct request *req, struct db *db, struct buf *out, struct error *err)
{
    struct contact_group *groups;
    struct contact_match *people;
    size_t count, people_count;
    int64_t user_id = signed_in(req)->user_id;
    if (!contact_group_list(db, req->arena, user_id, &groups, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!contact_group_people(db, req->arena, user_id, groups[i].name, &people, &people_count,
                                  err))
            return false;
        buf_text(out, "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\n");
        write_property(out, "FN", groups[i].name);
        for (size_t k = 0; k < people_count; k++)
            buf_printf(out, "MEMBER:mailto:%" STR_FMT "\r\n", STR_ARG(people[k].email));
        buf_text(out, "END:VCARD\r\n");
    }
    return true;
}

bool contact_cards_export(struct request *req, struct response *res, struct error *err)
{
    struct contact *list;
    size_t count;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_list(db, req->arena, signed_in(req)->user_id, false, 0, EXPORT_MAX,
                                      &list, &count, err);
    for (size_t i = 0; is_good && i < count; i++)
        write_vcard(&res->body, &list[i]);
    is_good = is_good && write_groups(req, db, &res->body, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    response_set_header(res, "Content-Type", STR("text/vcard; charset=utf-8"));
    response_set_disposition(res, true, STR("contacts.vcf"));
    return !res->body.is_full || error_set(err, ERROR_LIMIT, "The address book is too large.");
}

static struct str text_of(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? arena_str(arena, str_make(json_string_value(value), json_string_length(value)))
               : STR_EMPTY;
}

/* What of a card we keep; addresses that are none are left out. */
static struct contact contact_of(struct request *req, const json_t *card)
{
    size_t i;
    const json_t *line;
    struct arena *arena = req->arena;
    struct contact contact = {
        .name = utf8_prefix(text_of(arena, card, "name"), NAME_BYTES_MAX),
        .organization = utf8_prefix(text_of(arena, card, "organization"), NAME_BYTES_MAX)};
    struct buf emails = BUF_INIT(CONTACT_EMAILS_MAX * 600);
    json_array_foreach(json_object_get(card, "lines"), i, line)
    {
        struct str checked, kind = text_of(arena, line, "kind");
        struct str value = text_of(arena, line, "value");
        if (str_equal(kind, STR("note")))
            contact.note = utf8_prefix(value, NOTE_BYTES_MAX);
        if (str_equal(kind, STR("email")) && compose_email_check(arena, value, &checked, NULL))
            buf_printf(&emails, "%s%" STR_FMT, emails.length ? " " : "", STR_ARG(checked));
    }
    contact.emails = arena_str(arena, buf_view(&emails));
    buf_free(&emails);
    return contact;
}

static bool has_word(struct str words, struct str word)
{
    while (words.at && words.length)
        if (str_equal_nocase(str_cut(&words, ' '), word))
            return true;
    return false;
}

/* Who is known by an address is not entered twice: what the card adds is added. */
static bool merge(struct request *req, struct db *db, int64_t id, struct contact *card,
                  struct error *err)
{
    struct contact known;
    struct buf emails = BUF_INIT(CONTACT_EMAILS_MAX * 600);
    if (!contact_by_id(db, req->arena, signed_in(req)->user_id, id, &known, err))
        return false;
    buf_str(&emails, known.emails);
    for (struct str rest = card->emails; rest.at && rest.length;) {
        struct str email = str_cut(&rest, ' ');
        if (!has_word(known.emails, email))
            buf_printf(&emails, " %" STR_FMT, STR_ARG(email));
    }
    known.emails = arena_str(req->arena, buf_view(&emails));
    buf_free(&emails);
    known.name = known.name.length && !known.is_collected ? known.name : card->name;
    known.organization = known.organization.length ? known.organization : card->organization;
    known.note = known.note.length ? known.note : card->note;
    card->id = id;
    return contact_put(db, signed_in(req)->user_id, &known, err);
}

static bool put_contact(struct request *req, struct db *db, struct contact *card, struct error *err)
{
    struct error why = ERROR_INIT;
    int64_t id, user_id = signed_in(req)->user_id;
    struct str first = card->emails;
    first = str_cut(&first, ' ');
    if (!first.length ||
        (!contact_by_email(db, user_id, first, &id, &why) && why.kind == ERROR_NOT_FOUND))
        return contact_put(db, user_id, card, err);
    if (why.kind != ERROR_NONE) {
        *err = why;
        return false;
    }
    return merge(req, db, id, card, err);
}

/* The contact that a line of a group names: by an address, or by the UID of a card of the file. */
static int64_t member_of(struct request *req, struct db *db, struct str value,
                         const struct str *uids, const int64_t *ids, size_t count)
{
    int64_t id = 0;
    struct str checked;
    for (size_t i = 0; i < count; i++)
        if (uids[i].length && str_equal(uids[i], value))
            return ids[i];
    if (compose_email_check(req->arena, value, &checked, NULL) &&
        !contact_by_email(db, signed_in(req)->user_id, checked, &id, NULL)) {
        struct contact unknown = {.name = STR_EMPTY, .emails = checked};
        return contact_put(db, signed_in(req)->user_id, &unknown, NULL) ? unknown.id : 0;
    }
    return id;
}

/* A group that is here already gets the members that are new to it. */
static bool put_group(struct request *req, struct db *db, const json_t *card,
                      const struct str *uids, const int64_t *ids, size_t count, struct error *err)
{
    size_t i, member_count = 0, group_count;
    const json_t *line;
    struct contact_group *groups, group = {.name = STR_EMPTY};
    int64_t members[MEMBERS_MAX], user_id = signed_in(req)->user_id;
    if (!contact_group_list(db, req->arena, user_id, &groups, &group_count, err))
        return false;
    struct buf name = BUF_INIT(GROUP_NAME_BYTES_MAX + 1);
    struct str given = utf8_prefix(text_of(req->arena, card, "name"), GROUP_NAME_BYTES_MAX);
    for (i = 0; i < given.length; i++) /* it is typed where addresses are */
        buf_char(&name, strchr("@,;<>\"\n", given.at[i]) ? ' ' : given.at[i]);
    group.name = arena_str(req->arena, str_trim(buf_view(&name)));
    buf_free(&name);
    if (!group.name.length)
        group.name = STR("Group");
    for (i = 0; i < group_count; i++)
        if (str_equal_nocase(groups[i].name, group.name))
            group.id = groups[i].id;
    json_array_foreach(json_object_get(card, "lines"), i, line)
    {
        if (!str_equal(text_of(req->arena, line, "kind"), STR("member")))
            continue;
        int64_t id = member_of(req, db, text_of(req->arena, line, "value"), uids, ids, count);
        if (id && member_count < MEMBERS_MAX)
            members[member_count++] = id;
    }
    return (group.id || contact_group_put(db, user_id, &group, err)) &&
           contact_group_join(db, user_id, group.id, members, member_count, err);
}

static bool put_cards(struct request *req, struct db *db, const json_t *cards, size_t *imported,
                      struct error *err)
{
    size_t i, count = json_array_size(cards);
    const json_t *card;
    struct str *uids = ARENA_ARRAY(req->arena, count, struct str);
    int64_t *ids = ARENA_ARRAY(req->arena, count, int64_t);
    json_array_foreach(cards, i, card)
    {
        struct contact contact = contact_of(req, card);
        ids[i] = 0;
        uids[i] = text_of(req->arena, card, "uid");
        if (json_is_true(json_object_get(card, "isGroup")) ||
            (!contact.name.length && !contact.emails.length))
            continue;
        if (!put_contact(req, db, &contact, err))
            return false;
        ids[i] = contact.id;
        ++*imported;
    }
    json_array_foreach(cards, i, card)
    {
        if (json_is_true(json_object_get(card, "isGroup")) &&
            !put_group(req, db, card, uids, ids, count, err))
            return false;
    }
    return true;
}

static bool put_all(struct request *req, const json_t *cards, size_t *imported, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_good = db && db_begin(db, err);
    if (is_good && !(put_cards(req, db, cards, imported, err) && db_commit(db, err))) {
        db_rollback(db);
        is_good = false;
    }
    store_release(app_of(req)->store, &db);
    return is_good;
}

bool contact_cards_import_part(struct request *req, const struct mime_part *part, struct str body,
                               size_t *imported, struct error *err)
{
    struct str text;
    *imported = 0;
    if (!parser_card(app_of(req)->parsers, req->arena, part, body, &text, err))
        return false;
    json_t *json = json_loadb(text.at, text.length, 0, NULL);
    const json_t *cards = json_object_get(json, "cards");
    bool is_good;
    if (json_array_size(cards) == 0)
        is_good = error_set(err, ERROR_INVALID, "There is no vCard in it.");
    else if (json_is_true(json_object_get(json, "isCut")))
        is_good =
            error_set(err, ERROR_LIMIT, "There are more contacts in it than fit in one go.") ||
            error_hint(err, "Split the file: at most 2,000 cards and 4 MB at a time.");
    else
        is_good = put_all(req, cards, imported, err);
    json_decref(json);
    return is_good;
}

bool contact_cards_import(struct request *req, struct str text, size_t *imported, struct error *err)
{
    const struct mime_part part = {
        .id = STR("1"), .type = STR("text/vcard"), .charset = STR("utf-8")};
    return contact_cards_import_part(req, &part, text, imported, err);
}

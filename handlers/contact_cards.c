#include "handlers/contact_cards.h"

#include <jansson.h>

#include "server/base/utf8.h"
#include "server/mail/compose.h"
#include "server/store/contacts.h"

enum { EXPORT_MAX = 20000, NAME_BYTES_MAX = 500, NOTE_BYTES_MAX = 16 * 1024 };

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

bool contact_cards_export(struct request *req, struct response *res, struct error *err)
{
    struct contact *list;
    size_t count;
    struct db *db = app_db(req, err);
    bool is_good = db && contact_list(db, req->arena, signed_in(req)->user_id, false, 0, EXPORT_MAX,
                                      &list, &count, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    response_set_header(res, "Content-Type", STR("text/vcard; charset=utf-8"));
    response_set_disposition(res, true, STR("contacts.vcf"));
    for (size_t i = 0; i < count; i++)
        write_vcard(&res->body, &list[i]);
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

static bool put_all(struct request *req, const json_t *cards, size_t *imported, struct error *err)
{
    size_t i;
    const json_t *card;
    struct db *db = app_db(req, err);
    bool is_good = db && db_begin(db, err);
    json_array_foreach(cards, i, card)
    {
        struct contact contact = contact_of(req, card);
        if (!is_good || (!contact.name.length && !contact.emails.length))
            continue;
        is_good = contact_put(db, signed_in(req)->user_id, &contact, err);
        *imported += is_good;
    }
    is_good = is_good && db_commit(db, err);
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

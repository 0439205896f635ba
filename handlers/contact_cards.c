#include "handlers/contact_cards.h"

#include "server/mail/compose.h"
#include "server/mail/vcard.h"
#include "server/store/contacts.h"

enum { EXPORT_MAX = 20000, NAME_BYTES_MAX = 500, NOTE_BYTES_MAX = 16 * 1024 };

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

/* What of a card we keep; addresses that are none are left out. */
static struct contact contact_of(struct request *req, const struct vcard *card)
{
    struct contact contact = {.name = str_sub(card->name, 0, NAME_BYTES_MAX),
                              .organization = str_sub(card->organization, 0, NAME_BYTES_MAX)};
    struct buf emails = BUF_INIT(CONTACT_EMAILS_MAX * 600);
    for (size_t i = 0; i < card->count; i++) {
        struct str checked;
        if (card->lines[i].kind == VCARD_NOTE)
            contact.note = str_sub(card->lines[i].value, 0, NOTE_BYTES_MAX);
        if (card->lines[i].kind == VCARD_EMAIL &&
            compose_email_check(req->arena, card->lines[i].value, &checked, NULL))
            buf_printf(&emails, "%s%" STR_FMT, emails.length ? " " : "", STR_ARG(checked));
    }
    contact.emails = arena_str(req->arena, buf_view(&emails));
    buf_free(&emails);
    return contact;
}

bool contact_cards_import(struct request *req, struct str text, size_t *imported, struct error *err)
{
    struct vcards cards;
    *imported = 0;
    if (!vcard_parse(req->arena, text, &cards))
        return error_set(err, ERROR_INVALID, "There is no vCard in it.");
    struct db *db = app_db(req, err);
    bool is_good = db && db_begin(db, err);
    for (size_t i = 0; is_good && i < cards.count; i++) {
        struct contact contact = contact_of(req, &cards.at[i]);
        if (!contact.name.length && !contact.emails.length)
            continue;
        is_good = contact_put(db, signed_in(req)->user_id, &contact, err);
        *imported += is_good;
    }
    is_good = is_good && db_commit(db, err);
    store_release(app_of(req)->store, &db);
    return is_good;
}

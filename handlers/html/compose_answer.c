/* What an answer begins with: whom, the subject, the quoted text, what comes along. */
#include <jansson.h>

#include "handlers/html/body.h"
#include "handlers/html/compose.h"
#include "server/mail/html_text.h"
#include "server/mail/text.h"

enum { ORIGINAL_WAIT_MS = 5000, QUOTED_BYTES_MAX = 256 * 1024, PEOPLE_MAX = 500 };

/* --- people ---------------------------------------------------------------------------------- */

struct people {
    struct compose_address at[PEOPLE_MAX];
    size_t count;
};

static void add_person(struct people *people, struct str name, struct str email)
{
    for (size_t i = 0; i < people->count; i++)
        if (str_equal_nocase(people->at[i].email, email))
            return;
    if (people->count < PEOPLE_MAX && email.length)
        people->at[people->count++] = (struct compose_address){name, email};
}

/* [{"name", "email"}] of an email's row. */
static void add_people(struct arena *arena, struct people *people, struct str json)
{
    json_t *list = json_loadb(json.at, json.length, 0, NULL), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct str name = str_of(json_string_value(json_object_get(one, "name")));
        struct str email = str_of(json_string_value(json_object_get(one, "email")));
        add_person(people, arena_str(arena, name), arena_str(arena, email));
    }
    json_decref(list);
}

static bool has_person(const struct people *people, struct str email)
{
    for (size_t i = 0; i < people->count; i++)
        if (str_equal_nocase(people->at[i].email, email))
            return true;
    return false;
}

static void remove_people(struct people *people, const struct people *others)
{
    size_t kept = 0;
    for (size_t i = 0; i < people->count; i++)
        if (!has_person(others, people->at[i].email))
            people->at[kept++] = people->at[i];
    people->count = kept;
}

static struct str show_people(struct arena *arena, const struct people *people)
{
    return compose_addresses_show(arena, (struct compose_addresses){people->at, people->count});
}

/* --- the original ---------------------------------------------------------------------------- */

struct original {
    struct email email;
    struct str text;
    struct people own; /* our addresses */
    struct identity identity;
};

/* The sender that the original was written to; else the account's first. */
static bool choose_identity(struct request *req, struct db *db, int64_t account_id,
                            struct original *o, struct error *err)
{
    struct identity *list;
    size_t count;
    struct people *written = ARENA_NEW(req->arena, struct people);
    if (!identity_list(db, req->arena, account_id, &list, &count, err))
        return false;
    add_people(req->arena, written, o->email.to_json);
    add_people(req->arena, written, o->email.cc_json);
    add_people(req->arena, written, o->email.from_json);
    for (size_t i = count; i-- > 0;) {
        add_person(&o->own, list[i].name, list[i].email);
        if (i == 0 && !o->identity.id)
            o->identity = list[i];
        else if (has_person(written, list[i].email))
            o->identity = list[i];
    }
    return true;
}

/* A text part as plain text: what was plain unflowed, of HTML what is seen. */
static bool add_part_text(struct request *req, struct db *db, const struct email *email,
                          const struct body_part *part, struct buf *text, struct error *err)
{
    struct content_place place;
    struct str bytes, decoded;
    bool is_cut, is_poison;
    if (part->rendered.verdict == PARSER_POISON)
        return true;
    if (part->rendered.is_html) { /* sanitised by the child already */
        html_to_text(text, part->rendered.html, QUOTED_BYTES_MAX);
        return true;
    }
    if (!content_find(req, db, email, part->part, &place, err) || !place.is_here ||
        !content_read(db, req->arena, &place, QUOTED_BYTES_MAX, &bytes, err) ||
        !parser_decode_text(app_of(req)->parsers, req->arena, place.part, bytes, QUOTED_BYTES_MAX,
                            &decoded, &is_cut, &is_poison, err))
        return false;
    if (place.part->is_flowed)
        text_unflow(text, decoded, place.part->is_delsp);
    else
        buf_str(text, decoded);
    return true;
}

static bool load_text(struct request *req, struct db **db, struct original *o, struct error *err)
{
    struct body body;
    struct body_options options = {.as_text = true, .wait_ms = ORIGINAL_WAIT_MS};
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX * 2);
    bool is_good = body_load(req, db, &o->email, &options, &body, err);
    for (size_t i = 0; is_good && body.is_here && i < body.count; i++) {
        is_good = add_part_text(req, *db, &o->email, &body.parts[i], &text, err);
        if (text.length && text.at[text.length - 1] != '\n')
            buf_char(&text, '\n');
    }
    o->text = arena_str(req->arena, buf_view(&text));
    buf_free(&text);
    return is_good;
}

static bool load(struct request *req, struct db **db, int64_t account_id, int64_t email_id,
                 struct original *o, struct error *err)
{
    return email_by_id(*db, req->arena, account_id, email_id, &o->email, err) &&
           choose_identity(req, *db, account_id, o, err) && load_text(req, db, o, err);
}

/* --- beginnings ------------------------------------------------------------------------------ */

static struct str with_signature(struct arena *arena, struct str text,
                                 const struct identity *identity)
{
    if (!identity->text_signature.length)
        return text;
    return arena_printf(arena, "%" STR_FMT "\n\n-- \n%" STR_FMT "\n", STR_ARG(text),
                        STR_ARG(identity->text_signature));
}

static struct str quoted_text(struct arena *arena, const struct original *o)
{
    struct people *from = ARENA_NEW(arena, struct people);
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX * 4);
    add_people(arena, from, o->email.from_json);
    struct str who = !from->count              ? STR("someone")
                     : from->at[0].name.length ? from->at[0].name
                                               : from->at[0].email;
    int64_t at = o->email.sent_at ? o->email.sent_at : o->email.received_at;
    buf_text(&text, "\n\n");
    buf_str(&text, compose_attribution(arena, who, at, writing_zone()));
    buf_char(&text, '\n');
    compose_quote(&text, o->text);
    struct str made = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return made;
}

static struct str forwarded_text(struct arena *arena, const struct original *o)
{
    struct people *from = ARENA_NEW(arena, struct people), *to = ARENA_NEW(arena, struct people),
                  *cc = ARENA_NEW(arena, struct people);
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX * 4);
    add_people(arena, from, o->email.from_json);
    add_people(arena, to, o->email.to_json);
    add_people(arena, cc, o->email.cc_json);
    struct compose_forwarded head = {.from = show_people(arena, from),
                                     .to = show_people(arena, to),
                                     .cc = show_people(arena, cc),
                                     .subject = o->email.subject,
                                     .at_us = o->email.sent_at,
                                     .offset_minutes = writing_zone()};
    buf_text(&text, "\n\n");
    compose_forward_block(&text, &head);
    buf_str(&text, o->text);
    struct str made = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return made;
}

/* The address that a list's List-Post names; empty: it is no list. */
static struct str list_address(struct arena *arena, const struct email *email)
{
    json_t *head = json_loadb(email->header_json.at, email->header_json.length, 0, NULL);
    struct str post = str_of(json_string_value(json_object_get(head, "listPost")));
    struct str found = arena_str(arena, post);
    json_decref(head);
    return found;
}

static void address_answer(struct arena *arena, const struct original *o, bool to_all, bool to_list,
                           struct draft *draft)
{
    struct people *to = ARENA_NEW(arena, struct people), *cc = ARENA_NEW(arena, struct people);
    struct str list = to_list ? list_address(arena, &o->email) : STR_EMPTY;
    if (list.length) {
        draft->to = list;
        return;
    }
    add_people(arena, to,
               o->email.reply_to_json.length ? o->email.reply_to_json : o->email.from_json);
    bool is_own = to->count > 0 && has_person(&o->own, to->at[0].email);
    if (is_own) { /* an answer to what we sent goes on to the same people */
        to->count = 0;
        add_people(arena, to, o->email.to_json);
    }
    if (to_all) {
        if (!is_own)
            add_people(arena, cc, o->email.to_json);
        add_people(arena, cc, o->email.cc_json);
        remove_people(cc, &o->own);
        remove_people(cc, to);
    }
    draft->to = show_people(arena, to);
    draft->cc = show_people(arena, cc);
}

static void begin_answer(struct request *req, const struct original *o, struct draft *draft)
{
    struct arena *arena = req->arena;
    address_answer(arena, o, request_argument(req, "all").at != NULL,
                   request_argument(req, "list").at != NULL, draft);
    draft->subject = compose_reply_subject(arena, o->email.subject);
    draft->text = with_signature(arena, quoted_text(arena, o), &o->identity);
    draft->in_reply_to = o->email.message_id;
    draft->references =
        compose_references(arena, o->email.references, o->email.in_reply_to, o->email.message_id);
    draft->answers_id = o->email.id;
    draft->answers_how = ANSWERS_REPLY;
}

static void begin_forward(struct request *req, const struct original *o, bool as_message,
                          struct composing *c)
{
    struct arena *arena = req->arena;
    struct str text = as_message ? STR_EMPTY : forwarded_text(arena, o);
    c->draft.subject = compose_forward_subject(arena, o->email.subject);
    c->draft.text = with_signature(arena, text, &o->identity);
    c->draft.references =
        compose_references(arena, o->email.references, o->email.in_reply_to, o->email.message_id);
    c->draft.answers_id = o->email.id;
    c->draft.answers_how = ANSWERS_FORWARD;
    c->take = as_message ? TAKE_MESSAGE : TAKE_PARTS;
    c->take_from = o->email.id;
}

static void begin_again(struct request *req, const struct original *o, struct composing *c)
{
    struct people *to = ARENA_NEW(req->arena, struct people),
                  *cc = ARENA_NEW(req->arena, struct people),
                  *bcc = ARENA_NEW(req->arena, struct people);
    add_people(req->arena, to, o->email.to_json);
    add_people(req->arena, cc, o->email.cc_json);
    add_people(req->arena, bcc, o->email.bcc_json);
    c->draft.to = show_people(req->arena, to);
    c->draft.cc = show_people(req->arena, cc);
    c->draft.bcc = show_people(req->arena, bcc);
    c->draft.subject = o->email.subject;
    c->draft.text = o->text;
    c->take = TAKE_PARTS;
    c->take_from = o->email.id;
}

static struct str argument(const struct request *req, const char *name)
{
    struct str text = request_argument(req, name);
    return text.at ? text : STR_EMPTY;
}

static bool begin_new(struct request *req, struct db *db, struct composing *c, struct error *err)
{
    struct identity identity;
    if (!writing_identity(req, db, c->account_id, 0, &identity, err))
        return false;
    c->draft.identity_id = identity.id;
    c->draft.to = argument(req, "to");
    c->draft.cc = argument(req, "cc");
    c->draft.subject = argument(req, "subject");
    c->draft.text = with_signature(req->arena, argument(req, "body"), &identity);
    return true;
}

bool compose_begin(struct request *req, struct db **db, struct composing *c, struct error *err)
{
    static const char *const ways[] = {"reply", "forward", "attach", "again"};
    struct original *o = ARENA_NEW(req->arena, struct original);
    int64_t email_id = 0;
    int way = -1;
    for (int i = 0; i < 4 && way < 0; i++)
        if (str_to_i64(argument(req, ways[i]), &email_id))
            way = i;
    if (way < 0)
        return begin_new(req, *db, c, err);
    if (!load(req, db, c->account_id, email_id, o, err))
        return false;
    c->draft.identity_id = o->identity.id;
    if (way == 0)
        begin_answer(req, o, &c->draft);
    else if (way == 3)
        begin_again(req, o, c);
    else
        begin_forward(req, o, way == 2, c);
    return true;
}

/* --- what comes along ------------------------------------------------------------------------ */

/* The bytes of a part, or of the whole message, fetched first where they are not here. */
static bool obtain(struct request *req, struct db **db, struct email *email,
                   const struct mime_part *part, struct content_place *place, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        bool is_good = part ? content_find(req, *db, email, part, place, err)
                            : content_find_whole(*db, req->arena, email, place, err);
        if (!is_good || place->is_here)
            return is_good;
        if (i == 1)
            break;
        store_release(app_of(req)->store, db);
        is_good =
            content_fetch(req, email, part ? &part->id : NULL, part != NULL, ORIGINAL_WAIT_MS, err);
        *db = is_good ? app_db(req, err) : app_db(req, NULL);
        if (!is_good || !*db)
            return false;
    }
    return error_set(err, ERROR_UNAVAILABLE, "The mail server did not give the attachment.");
}

static bool take_one(struct request *req, struct db **db, const struct composing *c,
                     struct email *email, const struct mime_part *part, struct error *err)
{
    struct content_place place;
    struct draft_attachment one = {.type = STR("message/rfc822")};
    if (!obtain(req, db, email, part, &place, err))
        return false;
    if (part) {
        one.type = part->type;
        one.name = part->name;
    } else {
        one.name = arena_printf(
            req->arena, "%" STR_FMT ".eml",
            STR_ARG(email->subject.length ? str_sub(email->subject, 0, 80) : STR("message")));
    }
    return writing_copy(req, *db, &place.blob, place.offset, place.length,
                        part ? place.part->encoding : MIME_8BIT, &one.blob_id, err) &&
           draft_attach(*db, c->account_id, c->draft.email_id, &one, err);
}

bool compose_take(struct request *req, struct db **db, const struct composing *c, struct error *err)
{
    struct email email;
    const struct mime_message *message;
    if (c->take == TAKE_NOTHING)
        return true;
    if (!email_by_id(*db, req->arena, c->account_id, c->take_from, &email, err))
        return false;
    if (c->take == TAKE_MESSAGE)
        return take_one(req, db, c, &email, NULL, err);
    if (!content_structure(req->arena, &email, &message, err))
        return false;
    for (size_t i = 0; message && i < message->attachments.count; i++)
        if (!take_one(req, db, c, &email, message->attachments.at[i], err))
            return false;
    return true;
}

#include "handlers/html/compose_original.h"

#include <jansson.h>

#include "server/mail/html_text.h"
#include "server/mail/text.h"

enum { ORIGINAL_WAIT_MS = 5000, HTML_BYTES_MAX = 1024 * 1024 };

/* --- people ---------------------------------------------------------------------------------- */

static void add_person(struct people *people, struct str name, struct str email)
{
    for (size_t i = 0; i < people->count; i++)
        if (str_equal_nocase(people->at[i].email, email))
            return;
    if (people->count < PEOPLE_MAX && email.length)
        people->at[people->count++] = (struct compose_address){name, email};
}

void people_add(struct arena *arena, struct people *people, struct str json)
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

bool people_have(const struct people *people, struct str email)
{
    for (size_t i = 0; i < people->count; i++)
        if (str_equal_nocase(people->at[i].email, email))
            return true;
    return false;
}

void people_remove(struct people *people, const struct people *others)
{
    size_t kept = 0;
    for (size_t i = 0; i < people->count; i++)
        if (!people_have(others, people->at[i].email))
            people->at[kept++] = people->at[i];
    people->count = kept;
}

struct str people_show(struct arena *arena, const struct people *people)
{
    return compose_addresses_show(arena, (struct compose_addresses){people->at, people->count});
}

/* --- the original ---------------------------------------------------------------------------- */

/* The sender that the original was written to; else the account's first. */
static bool choose_identity(struct request *req, struct db *db, int64_t account_id,
                            struct original *o, struct error *err)
{
    struct identity *list;
    size_t count;
    struct people *written = ARENA_NEW(req->arena, struct people);
    if (!identity_list(db, req->arena, account_id, &list, &count, err))
        return false;
    people_add(req->arena, written, o->email.to_json);
    people_add(req->arena, written, o->email.cc_json);
    people_add(req->arena, written, o->email.from_json);
    for (size_t i = count; i-- > 0;) {
        add_person(&o->own, list[i].name, list[i].email);
        if (i == 0 && !o->identity.id)
            o->identity = list[i];
        else if (people_have(written, list[i].email))
            o->identity = list[i];
    }
    return true;
}

bool original_find(struct request *req, struct db *db, int64_t account_id, int64_t email_id,
                   struct original *o, struct error *err)
{
    const struct mime_message *message;
    if (!email_by_id(db, req->arena, account_id, email_id, &o->email, err) ||
        !choose_identity(req, db, account_id, o, err) ||
        !content_structure(req->arena, &o->email, &message, err))
        return false;
    for (size_t i = 0; message && i < message->html_body.count; i++)
        o->has_html |= str_equal(message->html_body.at[i]->type, STR("text/html"));
    for (size_t i = 0; message && i < message->text_body.count; i++)
        o->has_text |= str_equal(message->text_body.at[i]->type, STR("text/plain"));
    return true;
}

/* --- its text -------------------------------------------------------------------------------- */

/* A text part as plain text: what was plain unflowed, of HTML what is seen. */
static bool add_part_text(struct request *req, struct db *db, const struct email *email,
                          const struct body_part *part, struct buf *text, struct error *err)
{
    struct content_place place;
    struct str bytes, decoded;
    bool is_cut, is_poison;
    if (part->rendered.verdict == PARSER_POISON)
        return true;
    if (str_equal(part->part->type, STR("text/html"))) { /* made safe, or its text, as HTML */
        html_to_letter(text, part->rendered.html, QUOTED_BYTES_MAX);
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

/* A part as formatted text. */
static bool add_part_html(struct request *req, struct db *db, const struct email *email,
                          const struct body_part *part, struct buf *html, struct error *err)
{
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX * 2);
    if (part->rendered.is_html && part->rendered.verdict != PARSER_POISON)
        return buf_str(html, part->rendered.html) ||
               error_set(err, ERROR_LIMIT, "The original is too long to be quoted.");
    bool is_good = add_part_text(req, db, email, part, &text, err) &&
                   (compose_text_html(html, buf_view(&text)) ||
                    error_set(err, ERROR_LIMIT, "The original is too long to be quoted."));
    buf_free(&text);
    return is_good;
}

static bool read_text(struct request *req, struct db **db, struct original *o, struct error *err)
{
    struct body *body = ARENA_NEW(req->arena, struct body);
    struct body_options options = {.as_text = o->has_text, .wait_ms = ORIGINAL_WAIT_MS};
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX * 2);
    bool is_good = body_load(req, db, &o->email, &options, body, err);
    o->is_here = is_good && body->is_here;
    for (size_t i = 0; o->is_here && is_good && i < body->count; i++) {
        is_good = add_part_text(req, *db, &o->email, &body->parts[i], &text, err);
        if (text.length && text.at[text.length - 1] != '\n')
            buf_char(&text, '\n');
    }
    o->text = arena_str(req->arena, buf_view(&text));
    buf_free(&text);
    return is_good;
}

static bool read_html(struct request *req, struct db **db, struct original *o, bool with_remote,
                      struct error *err)
{
    struct body *body = ARENA_NEW(req->arena, struct body);
    struct body_options options = {
        .allow_remote = with_remote,
        .picture_url =
            arena_printf(req->arena, "cid:%" STR_FMT,
                         STR_ARG(writing_picture_cid(req->arena, o->email.id, STR_EMPTY))),
        .wait_ms = ORIGINAL_WAIT_MS};
    struct buf html = BUF_INIT(HTML_BYTES_MAX);
    bool is_good = body_load(req, db, &o->email, &options, body, err);
    o->is_here = is_good && body->is_here;
    for (size_t i = 0; o->is_here && is_good && i < body->count; i++)
        is_good = add_part_html(req, *db, &o->email, &body->parts[i], &html, err);
    o->html = arena_str(req->arena, buf_view(&html));
    buf_free(&html);
    return is_good;
}

bool original_read(struct request *req, struct db **db, struct original *o, bool as_html,
                   bool with_remote, struct error *err)
{
    struct error why = ERROR_INIT;
    if (!read_text(req, db, o, err))
        return false;
    if (!as_html || !o->is_here || read_html(req, db, o, with_remote, &why))
        return true;
    if (why.kind != ERROR_LIMIT) {
        *err = why;
        return false;
    }
    struct buf html = BUF_INIT(HTML_BYTES_MAX * 4); /* its text, which is not that long */
    compose_text_html(&html, o->text);
    o->html = arena_str(req->arena, buf_view(&html));
    buf_free(&html);
    return true;
}

/* What an answer begins with: whom, the subject, the quoted text, what comes along. */
#include <jansson.h>

#include "handlers/html/compose.h"
#include "handlers/html/compose_original.h"
#include "server/mail/html_text.h"

enum { BODY_BYTES_MAX = 2 * 1024 * 1024 };

/* --- the text -------------------------------------------------------------------------------- */

static const struct str empty_line = {"<div><br></div>", 15};

/* "On …, Ada wrote:" */
static struct str attribution(struct arena *arena, const struct original *o)
{
    struct people *from = ARENA_NEW(arena, struct people);
    people_add(arena, from, o->email.from_json);
    struct str who = !from->count              ? STR("someone")
                     : from->at[0].name.length ? from->at[0].name
                                               : from->at[0].email;
    int64_t at = o->email.sent_at ? o->email.sent_at : o->email.received_at;
    return compose_attribution(arena, who, at, writing_zone());
}

static void add_quote(struct arena *arena, const struct original *o, struct buf *out, bool is_html)
{
    struct str head = attribution(arena, o);
    if (is_html) {
        compose_text_html(out, head);
        compose_quote_html(out, o->html);
        return;
    }
    buf_str(out, head);
    buf_char(out, '\n');
    compose_quote(out, o->text);
}

static void add_forwarded(struct arena *arena, const struct original *o, struct buf *out,
                          bool is_html)
{
    struct people *from = ARENA_NEW(arena, struct people), *to = ARENA_NEW(arena, struct people),
                  *cc = ARENA_NEW(arena, struct people);
    people_add(arena, from, o->email.from_json);
    people_add(arena, to, o->email.to_json);
    people_add(arena, cc, o->email.cc_json);
    struct compose_forwarded head = {.from = people_show(arena, from),
                                     .to = people_show(arena, to),
                                     .cc = people_show(arena, cc),
                                     .subject = o->email.subject,
                                     .at_us = o->email.sent_at,
                                     .offset_minutes = writing_zone()};
    if (!is_html) {
        compose_forward_block(out, &head);
        buf_str(out, o->text);
        return;
    }
    struct buf text = BUF_INIT(QUOTED_BYTES_MAX);
    compose_forward_block(&text, &head);
    compose_text_html(out, buf_view(&text));
    buf_str(out, o->html);
    buf_free(&text);
}

static void add_signature(struct buf *out, const struct identity *identity, bool is_html)
{
    if (is_html)
        compose_signature_html(out, identity->html_signature, identity->text_signature);
    else if (identity->text_signature.length)
        buf_printf(out, "\n\n-- \n%" STR_FMT "\n", STR_ARG(identity->text_signature));
}

static void add_lines(struct buf *out, int count, bool is_html)
{
    for (int i = 0; i < count; i++)
        buf_str(out, is_html ? empty_line : STR("\n"));
}

/* Into the draft: as HTML, and as the text that is seen where no script runs. */
static bool set_body(struct arena *arena, struct draft *draft, struct buf *body, bool is_html,
                     struct error *err)
{
    struct str made = arena_str(arena, buf_view(body));
    bool is_full = body->is_full;
    buf_free(body);
    if (is_full)
        return error_set(err, ERROR_LIMIT, "The original is too long to be quoted.");
    draft->html = is_html ? made : STR_EMPTY;
    draft->text = made;
    if (!is_html)
        return true;
    struct buf text = BUF_INIT(BODY_BYTES_MAX);
    html_to_letter(&text, made, BODY_BYTES_MAX - 1);
    draft->text = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return true;
}

/* What the request asks for, else what this sender is used to. */
static bool is_formatted(const struct request *req, const struct identity *identity)
{
    struct str as = request_argument(req, "as");
    return str_equal(as, STR("html")) || (identity->is_html && !str_equal(as, STR("plain")));
}

/* --- whom ------------------------------------------------------------------------------------ */

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
    people_add(arena, to,
               o->email.reply_to_json.length ? o->email.reply_to_json : o->email.from_json);
    bool is_own = to->count > 0 && people_have(&o->own, to->at[0].email);
    if (is_own) { /* an answer to what we sent goes on to the same people */
        to->count = 0;
        people_add(arena, to, o->email.to_json);
    }
    if (to_all) {
        if (!is_own)
            people_add(arena, cc, o->email.to_json);
        people_add(arena, cc, o->email.cc_json);
        people_remove(cc, &o->own);
        people_remove(cc, to);
    }
    draft->to = people_show(arena, to);
    draft->cc = people_show(arena, cc);
}

/* --- beginnings ------------------------------------------------------------------------------ */

static bool answer_body(struct request *req, struct db **db, struct original *o,
                        struct composing *c, struct error *err)
{
    struct arena *arena = req->arena;
    bool is_html = is_formatted(req, &o->identity);
    enum quoting quoting = o->identity.quoting;
    struct buf body = BUF_INIT(BODY_BYTES_MAX);
    if (quoting != QUOTING_NONE && !original_read(req, db, o, is_html, false, err))
        return false;
    c->quoting = quoting;
    c->is_quote_missing = quoting != QUOTING_NONE && !o->is_here;
    if (quoting != QUOTING_ABOVE || c->is_quote_missing)
        add_lines(&body, quoting == QUOTING_BELOW ? 2 : 1, is_html);
    if (quoting != QUOTING_NONE && o->is_here)
        add_quote(arena, o, &body, is_html);
    if (quoting == QUOTING_ABOVE && o->is_here)
        add_lines(&body, 2, is_html);
    add_signature(&body, &o->identity, is_html);
    return set_body(arena, &c->draft, &body, is_html, err);
}

static bool begin_answer(struct request *req, struct db **db, struct original *o,
                         struct composing *c, struct error *err)
{
    struct arena *arena = req->arena;
    struct draft *draft = &c->draft;
    address_answer(arena, o, request_argument(req, "all").at != NULL,
                   request_argument(req, "list").at != NULL, draft);
    draft->subject = compose_reply_subject(arena, o->email.subject);
    draft->in_reply_to = o->email.message_id;
    draft->references =
        compose_references(arena, o->email.references, o->email.in_reply_to, o->email.message_id);
    draft->answers_id = o->email.id;
    draft->answers_how = ANSWERS_REPLY;
    if (!answer_body(req, db, o, c, err))
        return false;
    if (draft->html.length) /* the pictures that the quote shows */
        c->take = (struct writing_take){TAKE_PICTURES, o->email.id};
    return true;
}

static bool begin_forward(struct request *req, struct db **db, struct original *o, bool as_message,
                          struct composing *c, struct error *err)
{
    struct arena *arena = req->arena;
    bool is_html = is_formatted(req, &o->identity);
    struct buf body = BUF_INIT(BODY_BYTES_MAX);
    if (!as_message && !original_read(req, db, o, is_html, true, err))
        return false;
    c->is_quote_missing = !as_message && !o->is_here;
    add_lines(&body, 2, is_html);
    if (!as_message)
        add_forwarded(arena, o, &body, is_html);
    add_signature(&body, &o->identity, is_html);
    c->draft.subject = compose_forward_subject(arena, o->email.subject);
    c->draft.references =
        compose_references(arena, o->email.references, o->email.in_reply_to, o->email.message_id);
    c->draft.answers_id = o->email.id;
    c->draft.answers_how = ANSWERS_FORWARD;
    c->take = (struct writing_take){as_message ? TAKE_MESSAGE : TAKE_PARTS, o->email.id};
    return set_body(arena, &c->draft, &body, is_html, err);
}

static bool begin_again(struct request *req, struct db **db, struct original *o,
                        struct composing *c, struct error *err)
{
    struct arena *arena = req->arena;
    struct people *to = ARENA_NEW(arena, struct people), *cc = ARENA_NEW(arena, struct people),
                  *bcc = ARENA_NEW(arena, struct people);
    struct buf body = BUF_INIT(BODY_BYTES_MAX);
    if (!original_read(req, db, o, o->has_html, true, err))
        return false;
    people_add(arena, to, o->email.to_json);
    people_add(arena, cc, o->email.cc_json);
    people_add(arena, bcc, o->email.bcc_json);
    c->draft.to = people_show(arena, to);
    c->draft.cc = people_show(arena, cc);
    c->draft.bcc = people_show(arena, bcc);
    c->draft.subject = o->email.subject;
    c->is_quote_missing = !o->is_here;
    c->take = (struct writing_take){TAKE_PARTS, o->email.id};
    buf_str(&body, o->has_html ? o->html : o->text);
    return set_body(arena, &c->draft, &body, o->has_html && o->is_here, err);
}

static struct str argument(const struct request *req, const char *name)
{
    struct str text = request_argument(req, name);
    return text.at ? text : STR_EMPTY;
}

static bool begin_new(struct request *req, struct db *db, struct composing *c, struct error *err)
{
    struct identity identity;
    struct buf body = BUF_INIT(BODY_BYTES_MAX);
    struct str text = argument(req, "body");
    if (!writing_identity(req, db, c->account_id, 0, &identity, err))
        return false;
    bool is_html = is_formatted(req, &identity);
    c->draft.identity_id = identity.id;
    c->draft.to = argument(req, "to");
    c->draft.cc = argument(req, "cc");
    c->draft.subject = argument(req, "subject");
    if (!is_html)
        buf_str(&body, text);
    else if (text.length)
        compose_text_html(&body, text);
    else
        add_lines(&body, 1, true);
    add_signature(&body, &identity, is_html);
    return set_body(req->arena, &c->draft, &body, is_html, err);
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
    if (!original_find(req, *db, c->account_id, email_id, o, err))
        return false;
    c->draft.identity_id = o->identity.id;
    if (way == 0)
        return begin_answer(req, db, o, c, err);
    return way == 3 ? begin_again(req, db, o, c, err) : begin_forward(req, db, o, way == 2, c, err);
}

/* --- later ----------------------------------------------------------------------------------- */

bool compose_add_quote(struct request *req, struct db **db, struct composing *c, struct error *err)
{
    struct original *o = ARENA_NEW(req->arena, struct original);
    struct draft *draft = &c->draft;
    struct buf body = BUF_INIT(BODY_BYTES_MAX);
    bool is_html = draft->html.length > 0, is_forward = draft->answers_how == ANSWERS_FORWARD;
    if (!original_find(req, *db, c->account_id, draft->answers_id, o, err) ||
        !original_read(req, db, o, is_html, is_forward, err))
        return false;
    if (!o->is_here) {
        error_set(err, ERROR_INVALID, "The original is still not here.");
        return error_hint(err, "The mail server has not given it yet. Try again in a moment, or "
                               "send your answer without it.");
    }
    bool is_above = o->identity.quoting == QUOTING_ABOVE && !is_forward;
    struct str own = is_html ? draft->html : draft->text;
    buf_str(&body, is_above ? STR_EMPTY : own);
    add_lines(&body, is_above ? 0 : 1, is_html);
    if (is_forward)
        add_forwarded(req->arena, o, &body, is_html);
    else
        add_quote(req->arena, o, &body, is_html);
    buf_str(&body, is_above ? own : STR_EMPTY);
    if (is_html && c->take.how == TAKE_NOTHING)
        c->take = (struct writing_take){TAKE_PICTURES, o->email.id};
    return set_body(req->arena, draft, &body, is_html, err);
}

#include "handlers/html/letter_view.h"

#include "handlers/html/attachments.h"
#include "handlers/html/cards.h"
#include "handlers/html/labels.h"
#include "handlers/html/letter.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/store/pop3.h"

/* --- header ---------------------------------------------------------------------------------- */

static void set_people(struct value *view, const char *name, struct str json, struct arena *arena)
{
    struct person *people;
    size_t count;
    people_read(arena, json, &people, &count);
    if (!count) {
        view_set_text(view, name, NULL);
        return;
    }
    struct value *group = view_set_object(view, name);
    view_set_str(group, "summary", people_summary(arena, people, count));
    struct value *all = view_set_list(group, "people");
    for (size_t i = 0; i < count; i++) {
        struct value *person = view_add_object(all);
        view_set_str(person, "name", people[i].name);
        view_set_str(person, "email", people[i].has_name ? people[i].email : STR_EMPTY);
        view_set_bool(person, "isLast", i + 1 == count);
    }
}

static void set_sender(struct value *view, const struct email *email, struct arena *arena)
{
    struct person *people;
    size_t count;
    people_read(arena, email->from_json, &people, &count);
    struct value *from = view_set_object(view, "from");
    static const struct person nobody = {.name = {"Nobody named", 12}, .email = {"", 0}};
    const struct person *person = count ? &people[0] : &nobody;
    view_set_str(from, "name", person->name);
    view_set_str(from, "email", person->has_name ? person->email : STR_EMPTY);
    view_set_str(from, "initials", person_initials(arena, person));
    view_set_i64(from, "hue", person_hue(person));
    if (count > 1)
        set_people(view, "senders", email->from_json, arena);
    else
        view_set_text(view, "senders", NULL);
}

void letter_set_head(struct value *view, const struct email *email, struct arena *arena)
{
    int64_t now = clock_now_us();
    int64_t at = email->sent_at ? email->sent_at : email->received_at;
    view_set_i64(view, "id", email->id);
    view_set_str(view, "subject", email->subject);
    set_sender(view, email, arena);
    set_people(view, "to", email->to_json, arena);
    set_people(view, "cc", email->cc_json, arena);
    set_people(view, "bcc", email->bcc_json, arena);
    set_people(view, "replyTo", email->reply_to_json, arena);
    view_set_str(view, "when", at ? words_moment(arena, at, now) : STR_EMPTY);
    view_set_str(view, "long", at ? words_when_long(arena, at) : STR_EMPTY);
    view_set_str(view, "received", words_when_long(arena, email->received_at));
    view_set_str(view, "iso", words_iso(arena, at));
    view_set_str(view, "size", words_size(arena, email->size_bytes));
    view_set_bool(view, "isFlagged", email->flags & FLAG_FLAGGED);
    view_set_bool(view, "isUnread", !(email->flags & FLAG_SEEN));
    view_set_bool(view, "isDraft", email->flags & FLAG_DRAFT);
    view_set_bool(view, "isQuarantined", email->state == EMAIL_QUARANTINED);
    view_set_str(view, "preview", email->preview);
    view_set_path(view, "threadUrl", "/mail/%lld/thread/%lld?open=%lld",
                  (long long)email->account_id, (long long)email->thread_id, (long long)email->id);
    view_set_path(view, "base", "/mail/%lld/message/%lld", (long long)email->account_id,
                  (long long)email->id);
}

/* --- body ------------------------------------------------------------------------------------ */

/* The page that shows it again, with one more argument. */
static struct str again(const struct request *req, const struct letter *letter,
                        const char *argument)
{
    const char *joint = !*argument ? "" : str_find_char(letter->here, '?') >= 0 ? "&" : "?";
    return arena_printf(req->arena, "%" STR_FMT "%s%s", STR_ARG(letter->here), joint, argument);
}

static void set_part(struct value *view, const struct body_part *part, const struct letter *letter,
                     struct arena *arena)
{
    const struct parser_rendered *rendered = &part->rendered;
    bool is_poison = rendered->verdict == PARSER_POISON ||
                     (!rendered->is_html && !letter_is_plain(rendered->html));
    view_set_bool(view, "isPoison", is_poison);
    view_set_bool(view, "isCut", rendered->is_cut);
    view_set_text(view, "frameUrl", NULL);
    view_set_text(view, "html", NULL);
    if (is_poison) {
        LOG_WARN("html.poison", log_int("account", letter->email->account_id),
                 log_int("email", letter->email->id));
        return;
    }
    if (!rendered->is_html) {
        view_set_html(view, "html", letter_fold_quotes(arena, rendered->html));
        return;
    }
    struct buf encoded = BUF_INIT(1024);
    encode_percent(&encoded, part->part->id);
    view_set_path(view, "frameUrl", "/mail/%lld/message/%lld/body?part=%" STR_FMT "%s%s%" STR_FMT,
                  (long long)letter->email->account_id, (long long)letter->email->id,
                  STR_ARG(buf_view(&encoded)), letter->allow_remote ? "&remote=1" : "",
                  letter->inside.length ? "&inside=" : "", STR_ARG(letter->inside));
    buf_free(&encoded);
}

/* "3 pictures from 2 places (a.example, b.example) are not loaded" */
static void set_remote(const struct request *req, struct value *view, const struct body *body,
                       const struct letter *letter)
{
    int count = 0, deceptive = 0;
    struct str hosts = STR_EMPTY;
    for (size_t i = 0; i < body->count; i++) {
        count += body->parts[i].rendered.remote_count;
        deceptive += body->parts[i].rendered.deceptive_links;
        if (!hosts.length)
            hosts = body->parts[i].rendered.remote_hosts;
    }
    view_set_text(view, "remote", NULL);
    view_set_text(view, "remoteKept", NULL);
    view_set_str(view, "deceptive", deceptive ? words_count(req->arena, deceptive) : STR_EMPTY);
    if (count && letter->remote != REMOTE_ASK) {
        struct value *kept = view_set_object(view, "remoteKept");
        view_set_bool(kept, "isEverybody", letter->remote == REMOTE_EVERYBODY);
    }
    if (!count || letter->allow_remote)
        return;
    struct value *remote = view_set_object(view, "remote");
    view_set_i64(remote, "count", count);
    view_set_bool(remote, "isOne", count == 1);
    view_set_str(remote, "hosts", hosts);
    view_set_url(remote, "showUrl", again(req, letter, "remote=1"));
}

static void set_body(struct request *req, struct response *res, struct value *view,
                     const struct body *body, const struct letter *letter)
{
    struct value *parts = view_set_list(view, "parts");
    view_set_bool(view, "isWaiting", !body->is_here && body->why.kind == ERROR_TIMEOUT);
    view_set_text(view, "failure", NULL);
    if (!body->is_here && body->why.kind == ERROR_TIMEOUT) {
        response_set_header(res, "Refresh", STR("2"));
        return;
    }
    if (!body->is_here) {
        struct value *failure = view_set_object(view, "failure");
        /* the body ends before the page is rendered */
        view_set_str(failure, "message", arena_str(req->arena, str_of(body->why.message)));
        view_set_str(failure, "hint", arena_str(req->arena, str_of(body->why.hint)));
        view_set_url(failure, "againUrl", again(req, letter, ""));
        return;
    }
    for (size_t i = 0; i < body->count; i++)
        set_part(view_add_object(parts), &body->parts[i], letter, req->arena);
    view_set_bool(view, "isEmpty", body->count == 0);
    set_remote(req, view, body, letter);
    bool has_choice = body->has_html && body->has_text;
    view_set_url(view, "textUrl",
                 has_choice && !letter->as_text ? again(req, letter, "view=text") : STR_EMPTY);
    view_set_url(view, "htmlUrl",
                 has_choice && letter->as_text ? again(req, letter, "") : STR_EMPTY);
}

/* Of a message that was larger than the account wants only the beginning is here, and the rest
 * comes when the person asks for it. False with `*waits` untouched: only for faults. */
static bool set_rest(struct request *req, struct db *db, struct value *view,
                     const struct letter *letter, bool *waits, struct error *err)
{
    struct pop3_uidl row;
    struct error why = ERROR_INIT;
    const struct email *email = letter->email;
    view_set_text(view, "rest", NULL);
    if (email->structure.length || str_equal(request_argument(req, "rest"), STR("1")))
        return true;
    if (!pop3_uidl_of_email(db, req->arena, email->account_id, email->id, &row, &why)) {
        if (why.kind != ERROR_NOT_FOUND)
            *err = why;
        return why.kind == ERROR_NOT_FOUND;
    }
    *waits = row.state == POP3_UIDL_PARTIAL || row.state == POP3_UIDL_OVERSIZED;
    if (!*waits)
        return true;
    struct value *rest = view_set_object(view, "rest");
    view_set_str(rest, "size", words_size(req->arena, email->size_bytes));
    view_set_bool(rest, "isNever", row.state == POP3_UIDL_OVERSIZED);
    view_set_url(rest, "url", again(req, letter, "rest=1"));
    return true;
}

/* --- all of it ------------------------------------------------------------------------------- */

struct str letter_sender(struct arena *arena, const struct email *email)
{
    struct person *people;
    size_t count;
    people_read(arena, email->from_json, &people, &count);
    return count ? people[0].email : STR_EMPTY;
}

void letter_read(const struct request *req, struct letter *letter)
{
    letter->as_text = str_equal(request_argument(req, "view"), STR("text"));
    letter->allow_remote = str_equal(request_argument(req, "remote"), STR("1"));
}

bool letter_set(struct request *req, struct response *res, struct db **db, struct value *view,
                struct letter *letter, struct error *err)
{
    struct body *body = ARENA_NEW(req->arena, struct body); /* the view borrows its texts */
    const struct email *email = letter->email, *head = letter->inner ? letter->inner : email;
    bool is_ordinary = email->state == EMAIL_ORDINARY;
    if (!remote_choice(*db, signed_in(req)->user_id, letter_sender(req->arena, head),
                       &letter->remote, err))
        return false;
    letter->allow_remote |= letter->remote != REMOTE_ASK;
    struct body_options options = {.as_text = letter->as_text,
                                   .allow_remote = letter->allow_remote,
                                   .inside = letter->inside,
                                   .wait_ms = letter->wait_ms};
    bool waits = false;
    if (!set_rest(req, *db, view, letter, &waits, err))
        return false;
    is_ordinary = is_ordinary && !waits;
    if (is_ordinary && !body_load(req, db, email, &options, body, err))
        return false;
    letter_set_head(view, head, req->arena);
    labels_set_tags(view, letter->labels, letter->label_count, email);
    letter_set_marks(req, view, head, letter->inner != NULL);
    if (letter->inner) {
        view_set_text(view, "receipt", NULL);
        view_set_list(view, "fates");
    } else if (!letter_set_receipt(req, *db, view, email, err)) {
        return false;
    }
    view_set_bool(view, "isInner", letter->inner != NULL);
    view_set_str(view, "here", letter->here);
    view_set_str(view, "place", letter->place);
    if (is_ordinary)
        set_body(req, res, view, body, letter);
    attachments_set(view, email, body, letter->as_text, req->arena);
    return cards_set(req, db, view, email, letter->inner ? NULL : body->message, err);
}

/* One message: who, when, what it says, what is attached. */
#include "handlers/html/act.h"
#include "handlers/html/body.h"
#include "handlers/html/letter.h"
#include "handlers/html/list.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/log.h"

enum { MESSAGE_WAIT_MS = 2500 };

/* What the request names. */
struct shown {
    struct account account;
    struct mailbox mailbox;
    struct email email;
    bool as_text, allow_remote;
};

static bool find_shown(struct request *req, struct db *db, struct shown *shown, struct error *err)
{
    int64_t account_id, mailbox_id, email_id;
    shown->as_text = str_equal(request_argument(req, "view"), STR("text"));
    shown->allow_remote = str_equal(request_argument(req, "remote"), STR("1"));
    return request_param_id(req, "account", &account_id, err) &&
           request_param_id(req, "mailbox", &mailbox_id, err) &&
           request_param_id(req, "email", &email_id, err) &&
           session_account(req, db, account_id, &shown->account, err) &&
           mailbox_by_id(db, req->arena, account_id, mailbox_id, &shown->mailbox, err) &&
           email_by_id(db, req->arena, account_id, email_id, &shown->email, err);
}

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

static void set_header(struct value *view, const struct email *email, struct arena *arena)
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
    view_set_str(view, "when", words_moment(arena, at, now));
    view_set_str(view, "long", words_when_long(arena, at));
    view_set_str(view, "received", words_when_long(arena, email->received_at));
    view_set_str(view, "iso", words_iso(arena, at));
    view_set_str(view, "size", words_size(arena, email->size_bytes));
    view_set_bool(view, "isFlagged", email->flags & FLAG_FLAGGED);
    view_set_bool(view, "isUnread", !(email->flags & FLAG_SEEN));
    view_set_bool(view, "isDraft", email->flags & FLAG_DRAFT);
    view_set_bool(view, "isQuarantined", email->state == EMAIL_QUARANTINED);
    view_set_str(view, "preview", email->preview);
    view_set_path(view, "base", "/mail/%lld/message/%lld", (long long)email->account_id,
                  (long long)email->id);
}

/* --- body ------------------------------------------------------------------------------------ */

/* This page again with other arguments, on the same page of the list. */
static struct str again(const struct request *req, const char *argument)
{
    struct str query = list_query(req->arena, list_place_of(req));
    const char *joint = !*argument ? "" : query.length ? "&" : "?";
    return arena_printf(req->arena, "%" STR_FMT "%" STR_FMT "%s%s", STR_ARG(req->path),
                        STR_ARG(query), joint, argument);
}

static void set_part(struct value *view, const struct body_part *part, const struct shown *shown)
{
    const struct parser_rendered *rendered = &part->rendered;
    bool is_poison = rendered->verdict == PARSER_POISON ||
                     (!rendered->is_html && !letter_is_plain(rendered->html));
    view_set_bool(view, "isPoison", is_poison);
    view_set_bool(view, "isCut", rendered->is_cut);
    view_set_text(view, "frameUrl", NULL);
    view_set_text(view, "html", NULL);
    if (is_poison) {
        LOG_WARN("html.poison", log_int("account", shown->email.account_id),
                 log_int("email", shown->email.id));
        return;
    }
    if (!rendered->is_html) {
        view_set_html(view, "html", rendered->html);
        return;
    }
    struct buf encoded = BUF_INIT(1024);
    encode_percent(&encoded, part->part->id);
    view_set_path(view, "frameUrl", "/mail/%lld/message/%lld/body?part=%" STR_FMT "%s",
                  (long long)shown->email.account_id, (long long)shown->email.id,
                  STR_ARG(buf_view(&encoded)), shown->allow_remote ? "&remote=1" : "");
    buf_free(&encoded);
}

/* "3 pictures from 2 places (a.example, b.example) are not loaded" */
static void set_remote(const struct request *req, struct value *view, const struct body *body,
                       const struct shown *shown)
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
    view_set_str(view, "deceptive", deceptive ? words_count(req->arena, deceptive) : STR_EMPTY);
    if (!count || shown->allow_remote)
        return;
    struct value *remote = view_set_object(view, "remote");
    view_set_i64(remote, "count", count);
    view_set_bool(remote, "isOne", count == 1);
    view_set_str(remote, "hosts", hosts);
    view_set_url(remote, "showUrl", again(req, "remote=1"));
}

static void set_body(struct request *req, struct response *res, struct value *view,
                     const struct body *body, const struct shown *shown)
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
        view_set_text(failure, "message", body->why.message);
        view_set_text(failure, "hint", body->why.hint);
        view_set_url(failure, "againUrl", again(req, ""));
        return;
    }
    for (size_t i = 0; i < body->count; i++)
        set_part(view_add_object(parts), &body->parts[i], shown);
    view_set_bool(view, "isEmpty", body->count == 0);
    set_remote(req, view, body, shown);
    bool has_choice = body->has_html && body->has_text;
    view_set_url(view, "textUrl",
                 has_choice && !shown->as_text ? again(req, "view=text") : STR_EMPTY);
    view_set_url(view, "htmlUrl", has_choice && shown->as_text ? again(req, "") : STR_EMPTY);
}

/* --- attachments ----------------------------------------------------------------------------- */

/* Which picture of the sprite stands for a type. */
static const char *icon_of(struct str type)
{
    static const struct {
        const char *begin, *icon;
    } icons[] = {{"image/", "image"},
                 {"audio/", "audio"},
                 {"video/", "video"},
                 {"text/calendar", "calendar"},
                 {"message/", "mail"},
                 {"application/zip", "archive-file"},
                 {"application/gzip", "archive-file"}};
    for (size_t i = 0; i < sizeof icons / sizeof *icons; i++)
        if (str_starts(type, str_of(icons[i].begin)))
            return icons[i].icon;
    return "file";
}

static struct str attachment_name(const struct mime_part *part)
{
    if (part->name.length)
        return part->name;
    if (str_starts(part->type, STR("message/")))
        return STR("Forwarded message");
    return str_equal(part->type, STR("text/calendar")) ? STR("Invitation") : STR("Unnamed");
}

/* A picture that the HTML shows in its place. */
static bool is_in_text(const struct mime_part *part, const struct body *body, bool as_text)
{
    return body->has_html && !as_text && part->cid.length &&
           str_starts(part->type, STR("image/")) &&
           !str_equal(part->disposition, STR("attachment"));
}

static void set_attachments(struct value *view, const struct body *body, bool as_text,
                            struct arena *arena)
{
    struct value *list = view_set_list(view, "attachments");
    const struct mime_message *message = body->message;
    int64_t total = 0, shown = 0;
    for (size_t i = 0; message && i < message->attachments.count; i++) {
        const struct mime_part *part = message->attachments.at[i];
        if (is_in_text(part, body, as_text))
            continue;
        struct value *item = view_add_object(list);
        view_set_str(item, "part", part->id);
        view_set_str(item, "name", attachment_name(part));
        view_set_str(item, "type", part->type);
        view_set_str(item, "size", words_size(arena, (int64_t)part->size));
        view_set_text(item, "icon", icon_of(part->type));
        total += (int64_t)part->size;
        shown++;
    }
    view_set_bool(view, "hasAttachments", shown > 0);
    view_set_i64(view, "attachmentCount", shown);
    view_set_bool(view, "hasOneAttachment", shown == 1);
    view_set_str(view, "attachmentSize", words_size(arena, total));
}

/* --- the page -------------------------------------------------------------------------------- */

static bool set_neighbours(const struct request *req, struct db *db, struct value *view,
                           const struct shown *shown, struct error *err)
{
    int64_t newer, older, account_id = shown->account.id, mailbox_id = shown->mailbox.id;
    if (!email_neighbours(db, account_id, mailbox_id, shown->email.id, &newer, &older, err))
        return false;
    struct str query = list_query(req->arena, list_place_of(req));
    const struct {
        const char *name;
        int64_t id;
    } links[] = {{"newerUrl", newer}, {"olderUrl", older}};
    for (size_t i = 0; i < 2; i++) {
        view_set_text(view, links[i].name, NULL);
        if (links[i].id)
            view_set_path(view, links[i].name, "/mail/%lld/%lld/%lld%" STR_FMT "#m%lld",
                          (long long)account_id, (long long)mailbox_id, (long long)links[i].id,
                          STR_ARG(query), (long long)links[i].id);
    }
    view_set_path(view, "backUrl", "/mail/%lld/%lld%" STR_FMT, (long long)account_id,
                  (long long)mailbox_id, STR_ARG(query));
    return true;
}

static bool show_message(struct request *req, struct response *res, struct db **db,
                         struct error *err)
{
    struct shown shown;
    struct body body = {0};
    if (!find_shown(req, *db, &shown, err))
        return false;
    act_open(req, *db, &shown.email);
    struct body_options options = {
        .as_text = shown.as_text, .allow_remote = shown.allow_remote, .wait_ms = MESSAGE_WAIT_MS};
    bool is_ordinary = shown.email.state == EMAIL_ORDINARY;
    if (is_ordinary && !body_load(req, db, &shown.email, &options, &body, err))
        return false;
    struct str subject = shown.email.subject;
    struct value *page =
        page_new(req, subject.length ? arena_text(req->arena, subject) : "(no subject)");
    struct value *view = view_set_object(page, "message");
    set_header(view, &shown.email, req->arena);
    if (is_ordinary)
        set_body(req, res, view, &body, &shown);
    set_attachments(view, &body, shown.as_text, req->arena);
    return set_neighbours(req, *db, view, &shown, err) &&
           list_set_panes(req, *db, page, &shown.account, &shown.mailbox, shown.email.id, err) &&
           page_send(req, res, "message", page, err);
}

bool html_message(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && show_message(req, res, &db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

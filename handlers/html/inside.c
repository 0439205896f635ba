/* A message within a message (message/rfc822), opened where it is, with its attachments and the
 * messages within it. Of one that is encoded nothing has a number on the mail server: it is decoded
 * here, shown as text, and its files are taken out of it. */
#include "handlers/download.h"
#include "handlers/html/attachments.h"
#include "handlers/html/letter.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/screens.h"
#include "server/mail/envelope.h"

enum { INSIDE_BYTES_MAX = 16 * 1024 * 1024, INSIDE_WAIT_MS = 2500 };

static bool refuse(struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "This message cannot be shown here.");
    return error_hint(err, "It can be downloaded.");
}

/* The bytes of the message that lies in the part. */
static bool read_inner(struct request *req, struct str *raw, struct content_place *place,
                       struct email *outer, struct error *err)
{
    struct str bytes;
    if (!download_obtain(req, request_param(req, "part"), outer, place, err))
        return false;
    if (!place->part || !str_starts(place->part->type, STR("message/")) ||
        place->length > INSIDE_BYTES_MAX)
        return refuse(err);
    struct db *db = app_db(req, err);
    bool is_read = db && content_read(db, req->arena, place, INSIDE_BYTES_MAX, &bytes, err);
    store_release(app_of(req)->store, &db);
    if (!is_read)
        return false;
    struct buf decoded = BUF_INIT(INSIDE_BYTES_MAX);
    mime_decode(&decoded, bytes, place->part->encoding);
    *raw = arena_str(req->arena, buf_view(&decoded));
    buf_free(&decoded);
    return true;
}

static bool set_texts(struct request *req, struct value *view, struct str raw,
                      const struct mime_message *message, struct error *err)
{
    struct value *parts = view_set_list(view, "parts");
    for (size_t i = 0; i < message->text_body.count && i < BODY_PARTS_MAX; i++) {
        const struct mime_part *part = message->text_body.at[i];
        struct parser_rendered rendered;
        struct parser_render_options options = {.as_text = true};
        if (!mime_is_text(part) || part->body_offset + part->body_length > raw.length)
            continue;
        if (!parser_render(app_of(req)->parsers, req->arena, part,
                           str_sub(raw, part->body_offset, part->body_length), &options, &rendered,
                           err))
            return false;
        bool is_poison = rendered.verdict == PARSER_POISON || !letter_is_plain(rendered.html);
        struct value *shown = view_add_object(parts);
        view_set_bool(shown, "isPoison", is_poison);
        view_set_bool(shown, "isCut", rendered.is_cut);
        view_set_text(shown, "frameUrl", NULL);
        if (is_poison)
            view_set_text(shown, "html", NULL);
        else
            view_set_html(shown, "html", letter_fold_quotes(req->arena, rendered.html));
    }
    view_set_bool(view, "isEmpty", message->text_body.count == 0);
    view_set_url(view, "textUrl", STR_EMPTY);
    view_set_url(view, "htmlUrl", STR_EMPTY);
    return true;
}

/* Its parts stand in the structure of the whole: shown like any message. */
static bool set_letter(struct request *req, struct response *res, struct value *view,
                       const struct email *outer, const struct email *inner, struct str part,
                       struct error *err)
{
    struct letter letter = {.email = outer,
                            .inner = inner,
                            .inside = part,
                            .here = req->path,
                            .wait_ms = INSIDE_WAIT_MS};
    letter_read(req, &letter);
    struct db *db = app_db(req, err);
    bool is_good = db && letter_set(req, res, &db, view, &letter, err);
    store_release(app_of(req)->store, &db);
    return is_good;
}

/* It was encoded: its texts, as text, and its files. */
static bool set_opaque(struct request *req, struct value *view, struct str raw,
                       const struct email *inner, const struct mime_message *message,
                       struct error *err)
{
    static const char *const nothing[] = {"remote", "deceptive", "failure"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        view_set_text(view, nothing[i], NULL);
    letter_set_head(view, inner, req->arena);
    letter_set_marks(req, view, inner, true);
    view_set_bool(view, "isWaiting", false);
    const struct body body = {.message = message, .wrapped = request_param(req, "part")};
    view_set_bool(view, "isInner", true);
    attachments_set(view, inner, &body, true, req->arena);
    return set_texts(req, view, raw, message, err);
}

static bool is_numbered(struct request *req, const struct email *outer, struct str id)
{
    const struct mime_message *whole;
    if (!content_structure(req->arena, outer, &whole, NULL) || !whole)
        return false;
    const struct mime_part *part = mime_find(whole, id);
    return part && mime_inner(req->arena, part);
}

/* The head of the message in the part, and what it is made of. */
static bool read_message(struct request *req, struct str raw, struct parser_summary *summary,
                         const struct mime_message **message, struct error *err)
{
    struct parser_input input = PARSER_BYTES(raw);
    if (!parser_message(app_of(req)->parsers, req->arena, &input, summary, err))
        return false;
    *message = summary->verdict == PARSER_PARSED
                   ? parser_structure_read(req->arena, summary->structure, NULL)
                   : NULL;
    if (!*message)
        refuse(err);
    return *message;
}

/* A file of a message that was encoded. */
bool html_inside_part(struct request *req, struct response *res, struct error *err)
{
    struct email outer;
    struct content_place place;
    struct parser_summary summary;
    const struct mime_message *message;
    struct str raw = STR_EMPTY;
    if (!read_inner(req, &raw, &place, &outer, err) ||
        !read_message(req, raw, &summary, &message, err))
        return false;
    const struct mime_part *part = mime_find(message, request_param(req, "inner"));
    if (!part || part->body_offset + part->body_length > raw.length)
        return error_set(err, ERROR_NOT_FOUND, "This part is not in the message.");
    download_headers(res, download_type(part->type),
                     part->name.length ? part->name : STR("attachment"));
    mime_decode(&res->body, mime_body(raw, part), part->encoding);
    return true;
}

bool html_inside(struct request *req, struct response *res, struct error *err)
{
    struct email outer;
    struct content_place place;
    struct str raw = STR_EMPTY;
    struct parser_summary summary;
    const struct mime_message *message;
    if (!read_inner(req, &raw, &place, &outer, err) ||
        !read_message(req, raw, &summary, &message, err))
        return false;
    struct email inner = {.account_id = outer.account_id,
                          .id = outer.id,
                          .thread_id = outer.thread_id,
                          .subject = summary.subject,
                          .from_json = summary.from_json,
                          .to_json = summary.to_json,
                          .cc_json = summary.cc_json,
                          .header_json = summary.header_json,
                          .sent_at = summary.sent_at,
                          .received_at =
                              summary.received_at ? summary.received_at : summary.sent_at,
                          .size_bytes = (int64_t)raw.length,
                          .flags = FLAG_SEEN};
    struct value *page = page_new(req, inner.subject.length ? arena_text(req->arena, inner.subject)
                                                            : "(no subject)");
    struct value *view = view_set_object(page, "message");
    struct value *account = view_set_object(page, "account");
    view_set_i64(account, "id", outer.account_id);
    view_set_path(view, "downloadUrl", "/mail/%lld/message/%lld/part/%" STR_FMT,
                  (long long)outer.account_id, (long long)outer.id, STR_ARG(place.part->id));
    view_set_str(view, "outer", outer.subject);
    bool is_good = is_numbered(req, &outer, place.part->id)
                       ? set_letter(req, res, view, &outer, &inner, place.part->id, err)
                       : set_opaque(req, view, raw, &inner, message, err);
    return is_good && page_send(req, res, "inside", page, err);
}

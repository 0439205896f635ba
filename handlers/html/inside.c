/* A message within a message (message/rfc822), opened where it is, with its attachments and the
 * messages within it. Of one that is encoded nothing has a number on the mail server: it is decoded
 * here, its text shown like any other but for the pictures it brings along, and these and its files
 * are taken out of it. */
#include "handlers/download.h"
#include "handlers/html/attachments.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/screens.h"
#include "server/mail/envelope.h"

enum { INSIDE_BYTES_MAX = 16 * 1024 * 1024, INSIDE_WAIT_MS = 2500 };

static bool refuse(struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "This message cannot be shown here.");
    return error_hint(err, "It can be downloaded.");
}

bool inside_read(struct request *req, struct db *db, const struct content_place *place,
                 struct str *raw, struct error *err)
{
    struct str bytes;
    if (!place->part || !str_starts(place->part->type, STR("message/")) ||
        place->length > INSIDE_BYTES_MAX)
        return refuse(err);
    if (!content_read(db, req->arena, place, INSIDE_BYTES_MAX, &bytes, err))
        return false;
    struct buf decoded = BUF_INIT(INSIDE_BYTES_MAX);
    mime_decode(&decoded, bytes, place->part->encoding);
    *raw = arena_str(req->arena, buf_view(&decoded));
    buf_free(&decoded);
    return true;
}

bool inside_parse(struct request *req, struct str raw, struct parser_summary *summary,
                  const struct mime_message **message, struct error *err)
{
    struct parser_input input = PARSER_BYTES(raw);
    if (!parser_message(app_of(req)->parsers, req->arena, &input, summary, err))
        return false;
    *message = summary->verdict == PARSER_PARSED
                   ? parser_structure_read(req->arena, summary->structure, NULL)
                   : NULL;
    return *message || refuse(err);
}

/* The message that lies in the part of the path. */
static bool read_inner(struct request *req, struct str *raw, struct parser_summary *summary,
                       const struct mime_message **message, struct content_place *place,
                       struct email *outer, struct error *err)
{
    if (!download_obtain(req, request_param(req, "part"), outer, place, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_read = db && inside_read(req, db, place, raw, err);
    store_release(app_of(req)->store, &db);
    return is_read && inside_parse(req, *raw, summary, message, err);
}

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

/* A file of a message that was encoded. */
bool html_inside_part(struct request *req, struct response *res, struct error *err)
{
    struct email outer;
    struct content_place place;
    struct parser_summary summary;
    const struct mime_message *message;
    struct str raw = STR_EMPTY;
    if (!read_inner(req, &raw, &summary, &message, &place, &outer, err))
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
    if (!read_inner(req, &raw, &summary, &message, &place, &outer, err))
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
    return set_letter(req, res, view, &outer, &inner, place.part->id, err) &&
           page_send(req, res, "inside", page, err);
}

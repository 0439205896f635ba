#include "handlers/html/attachments.h"

#include <string.h>

#include "handlers/download.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/mail/sniff.h"

enum {
    THUMB_BYTES_MAX = 3 * 1024 * 1024, /* larger pictures have no small one beside their name, */
    THUMB_FETCHED_MAX = 256 * 1024,    /* nor these, where they would have to be fetched for it */
    TEXT_SHOWN_BYTES_MAX = 1024 * 1024,
    SNIFFED_BYTES = 4096, /* as sent: enough for SNIFF_BYTES of any encoding */
};

/* How an attachment can be looked at here. */
enum view_kind { VIEW_NOT, VIEW_PICTURE, VIEW_TEXT, VIEW_PDF };

static enum view_kind view_kind_of(const struct mime_part *part)
{
    static const struct {
        const char *type;
        enum view_kind kind;
    } kinds[] = {{"image/png", VIEW_PICTURE},  {"image/jpeg", VIEW_PICTURE},
                 {"image/jpg", VIEW_PICTURE},  {"image/gif", VIEW_PICTURE},
                 {"image/webp", VIEW_PICTURE}, {"image/bmp", VIEW_PICTURE},
                 {"image/avif", VIEW_PICTURE}, {"application/pdf", VIEW_PDF}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal(part->type, str_of(kinds[i].type)))
            return kinds[i].kind;
    /* also what would run in a browser: it is shown as the text that it is */
    return str_starts(part->type, STR("text/")) ? VIEW_TEXT : VIEW_NOT;
}

/* --- the list --------------------------------------------------------------------------------- */

/* What people call a type, and which picture of the sprite stands for it; the first row that fits.
 * One that ends in a slash is told apart by its second half: "Picture (PNG)". */
static const struct kind {
    const char *begin, *icon, *words; /* no words: the type itself */
} kinds_of_file[] = {
    {"image/", "image", "Picture"},
    {"audio/", "audio", "Sound"},
    {"video/", "video", "Film"},
    {"text/calendar", "calendar", "Invitation"},
    {"text/vcard", "file", "Contact"},
    {"text/x-vcard", "file", "Contact"},
    {"text/html", "file", "Web page"},
    {"text/plain", "file", "Text"},
    {"text/csv", "file", "Table (CSV)"},
    {"message/rfc822", "mail", "Message"},
    {"message/global", "mail", "Message"},
    {"message/", "mail", NULL},
    {"application/pdf", "file", "PDF"},
    {"application/zip", "archive-file", "Archive (ZIP)"},
    {"application/x-zip-compressed", "archive-file", "Archive (ZIP)"},
    {"application/gzip", "archive-file", "Archive (GZIP)"},
    {"application/msword", "file", "Word document"},
    {"application/rtf", "file", "Text document (RTF)"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.", "file", "Word document"},
    {"application/vnd.ms-excel", "file", "Excel table"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.", "file", "Excel table"},
    {"application/vnd.ms-powerpoint", "file", "PowerPoint slides"},
    {"application/vnd.openxmlformats-officedocument.presentationml.", "file", "PowerPoint slides"},
    {"application/vnd.oasis.opendocument.text", "file", "Text document (ODT)"},
    {"application/vnd.oasis.opendocument.spreadsheet", "file", "Table (ODS)"},
    {"application/vnd.oasis.opendocument.presentation", "file", "Slides (ODP)"},
    {"application/octet-stream", "file", "File"},
    {"", "file", NULL},
};

static const struct kind *kind_of_file(struct str type)
{
    const struct kind *kind = kinds_of_file;
    while (!str_starts(type, str_of(kind->begin)))
        kind++;
    return kind;
}

/* "PDF", "Picture (PNG)" */
static struct str type_words(struct arena *arena, struct str type)
{
    char name[16] = "";
    const struct kind *kind = kind_of_file(type);
    struct str begin = str_of(kind->begin);
    if (!kind->words)
        return type;
    if (!str_ends(begin, STR("/")))
        return str_of(kind->words);
    struct str second = str_skip(type, begin.length);
    if (str_starts(second, STR("x-")))
        second = str_skip(second, 2);
    second = str_cut(&second, '+'); /* svg+xml */
    for (size_t i = 0; i < second.length && i < sizeof name - 1; i++)
        name[i] = ascii_upper(second.at[i]);
    return arena_printf(arena, "%s (%s)", kind->words, name);
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
    return body->has_html && !as_text && !body->wrapped.length && part->cid.length &&
           str_starts(part->type, STR("image/")) &&
           !str_equal(part->disposition, STR("attachment"));
}

/* Where it can be looked at, and a small picture of what is one. */
static void set_view(struct value *item, const struct email *email, const struct mime_part *part)
{
    enum view_kind kind = view_kind_of(part);
    if (str_equal(part->type, STR("message/rfc822")) ||
        str_equal(part->type, STR("message/global")))
        view_set_path(item, "viewUrl", "/mail/%lld/message/%lld/inside/%" STR_FMT,
                      (long long)email->account_id, (long long)email->id, STR_ARG(part->id));
    if (kind != VIEW_NOT)
        view_set_path(item, "viewUrl", "/mail/%lld/message/%lld/view/%" STR_FMT,
                      (long long)email->account_id, (long long)email->id, STR_ARG(part->id));
    if (kind == VIEW_PICTURE &&
        part->size <= (email->blob_id ? THUMB_BYTES_MAX : THUMB_FETCHED_MAX))
        view_set_path(item, "thumbUrl", "/mail/%lld/message/%lld/view/%" STR_FMT "?bytes=1",
                      (long long)email->account_id, (long long)email->id, STR_ARG(part->id));
}

void attachments_set(struct value *view, const struct email *email, const struct body *body,
                     bool as_text, struct arena *arena)
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
        view_set_str(item, "typeWords", type_words(arena, part->type));
        view_set_str(item, "size", words_size(arena, (int64_t)part->size));
        view_set_text(item, "icon", kind_of_file(part->type)->icon);
        view_set_text(item, "viewUrl", NULL);
        view_set_text(item, "thumbUrl", NULL);
        if (body->wrapped.length == 0)
            set_view(item, email, part);
        total += (int64_t)part->size;
        shown++;
    }
    view_set_bool(view, "hasAttachments", shown > 0);
    view_set_str(view, "wrapped", body->wrapped);
    view_set_i64(view, "attachmentCount", shown);
    view_set_bool(view, "hasOneAttachment", shown == 1);
    view_set_str(view, "attachmentSize", words_size(arena, total));
}

/* --- one of them, looked at ------------------------------------------------------------------- */

static bool refuse(struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "This attachment cannot be shown here.");
    return error_hint(err, "It may not be what it says it is. It can be downloaded.");
}

/* What its first bytes say it is. */
static bool sniff(struct request *req, const struct content_place *place, struct str *type,
                  struct error *err)
{
    struct str bytes;
    struct buf begin = BUF_INIT(SNIFFED_BYTES);
    struct db *db = app_db(req, err);
    bool is_read = db && content_read(db, req->arena, place, SNIFFED_BYTES, &bytes, err);
    store_release(app_of(req)->store, &db);
    if (is_read)
        mime_decode(&begin, bytes, place->part->encoding);
    *type = is_read ? sniff_type(buf_view(&begin)) : STR_EMPTY;
    buf_free(&begin);
    return is_read;
}

/* The bytes themselves, for an <img> or the browser's own viewer of PDF. */
static bool send_bytes(struct request *req, struct response *res, const struct content_place *place,
                       struct error *err)
{
    struct str type;
    if (!sniff(req, place, &type, err))
        return false;
    bool is_pdf = str_equal(type, STR("application/pdf"));
    if (!is_pdf && !sniff_is_raster(type))
        return refuse(err);
    response_set_header(res, "Content-Type", type);
    /* a sandbox would stop the viewer of PDF, which has one of its own */
    response_set_header(res, "Content-Security-Policy",
                        is_pdf ? STR("default-src 'none'; style-src 'unsafe-inline'; "
                                     "object-src 'self'; frame-ancestors 'none'")
                               : STR("default-src 'none'; sandbox"));
    response_set_disposition(res, false, place->part->name);
    response_set_header(res, "Cache-Control", STR("private, max-age=3600"));
    download_stream(req, res, place, place->part->encoding);
    return true;
}

static bool set_text(struct request *req, struct value *page, const struct content_place *place,
                     struct error *err)
{
    struct str bytes, text;
    bool is_cut = false, is_poison = false;
    struct db *db = app_db(req, err);
    bool is_read = db && content_read(db, req->arena, place, CONTENT_TEXT_BYTES_MAX, &bytes, err);
    store_release(app_of(req)->store, &db);
    if (!is_read || !parser_decode_text(app_of(req)->parsers, req->arena, place->part, bytes,
                                        TEXT_SHOWN_BYTES_MAX, &text, &is_cut, &is_poison, err))
        return false;
    if (is_poison)
        return refuse(err);
    view_set_str(page, "text", text);
    view_set_bool(page, "isCut", is_cut || place->length > CONTENT_TEXT_BYTES_MAX);
    return true;
}

static bool show_page(struct request *req, struct response *res, const struct email *email,
                      const struct content_place *place, enum view_kind kind, struct error *err)
{
    struct str name = attachment_name(place->part);
    struct value *page = page_new(req, arena_text(req->arena, name));
    view_set_str(page, "name", name);
    view_set_str(page, "type", place->part->type);
    view_set_str(page, "typeWords", type_words(req->arena, place->part->type));
    view_set_str(page, "size", words_size(req->arena, (int64_t)place->part->size));
    view_set_str(page, "subject", email->subject);
    view_set_text(page, "text", NULL);
    view_set_bool(page, "isCut", false);
    view_set_text(page, "pictureUrl", NULL);
    view_set_path(page, "downloadUrl", "/mail/%lld/message/%lld/part/%" STR_FMT,
                  (long long)email->account_id, (long long)email->id, STR_ARG(place->part->id));
    if (kind == VIEW_PICTURE)
        view_set_path(page, "pictureUrl", "/mail/%lld/message/%lld/view/%" STR_FMT "?bytes=1",
                      (long long)email->account_id, (long long)email->id, STR_ARG(place->part->id));
    return (kind != VIEW_TEXT || set_text(req, page, place, err)) &&
           page_send(req, res, "view", page, err);
}

bool html_view(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    struct str id = request_param(req, "part");
    if (!id.length)
        return refuse(err);
    if (!download_obtain(req, id, &email, &place, err))
        return false;
    enum view_kind kind = view_kind_of(place.part);
    if (kind == VIEW_NOT)
        return refuse(err);
    if (kind == VIEW_PDF || (kind == VIEW_PICTURE && request_argument(req, "bytes").length))
        return send_bytes(req, res, &place, err);
    return show_page(req, res, &email, &place, kind, err);
}

#include "handlers/download.h"

#include <string.h>

#include "handlers/session.h"
#include "server/base/utf8.h"
#include "server/mail/decode.h"
#include "server/store/accounts.h"

enum { DOWNLOAD_WAIT_MS = 25000, PIECE_BYTES = 4 * BLOB_CHUNK_BYTES };

/* What a stream needs once its handler has returned. */
struct download {
    struct store *store;
    int64_t user_id;
    struct content_place place;
    struct mime_decoder decoder;
    struct response_sink *sink;
};

/* Reads from one boundary of chunks to the next. The connection to the database is held for that
 * alone: a client may take its time, and there are fewer connections than clients. */
static bool read_piece(const struct download *download, int64_t offset, int64_t length,
                       struct buf *piece, struct error *err)
{
    struct db *db = store_acquire(download->store, download->user_id, err);
    bool is_read = db && blob_read(db, &download->place.blob, offset, length, piece, err);
    store_release(download->store, &db);
    return is_read;
}

static bool send_piece(struct download *download, struct str piece)
{
    struct buf out = BUF_INIT(2 * PIECE_BYTES);
    bool is_sent = mime_decoder_feed(&download->decoder, piece, &out) &&
                   response_write(download->sink, buf_view(&out));
    buf_free(&out);
    return is_sent;
}

static bool send_pieces(struct download *download, struct error *err)
{
    const struct content_place *place = &download->place;
    int64_t offset = place->offset, end = place->offset + place->length;
    bool is_good = true;
    while (is_good && offset < end) {
        int64_t next = (offset / PIECE_BYTES + 1) * PIECE_BYTES;
        struct buf piece = BUF_INIT(PIECE_BYTES);
        if (next > end)
            next = end;
        is_good = read_piece(download, offset, next - offset, &piece, err) &&
                  send_piece(download, buf_view(&piece));
        buf_free(&piece);
        offset = next;
    }
    return is_good;
}

static bool send_download(struct response_sink *sink, void *context, struct error *err)
{
    struct download *download = context;
    struct buf rest = BUF_INIT(1024);
    download->sink = sink;
    bool is_sent = send_pieces(download, err) && mime_decoder_finish(&download->decoder, &rest) &&
                   (!rest.length || response_write(sink, buf_view(&rest)));
    buf_free(&rest);
    return is_sent;
}

void download_stream(struct request *req, struct response *res, const struct content_place *place,
                     enum mime_encoding encoding)
{
    struct download *download = ARENA_NEW(res->arena, struct download);
    download->store = app_of(req)->store;
    download->user_id = signed_in(req)->user_id;
    download->place = *place;
    download->decoder = mime_decoder(encoding);
    res->stream = send_download;
    res->stream_context = download;
    res->stream_bytes = encoding == MIME_8BIT ? place->length : -1;
}

struct str download_type(struct str type)
{
    static const char *const active[] = {"text/html",
                                         "image/svg",
                                         "text/xml",
                                         "application/xml",
                                         "application/xhtml",
                                         "text/javascript",
                                         "application/javascript",
                                         "multipart/",
                                         "message/"};
    if (str_find_char(type, '/') <= 0 || type.length > 100)
        return STR("application/octet-stream");
    for (size_t i = 0; i < type.length; i++)
        if (!ascii_is_alpha(type.at[i]) && !ascii_is_digit(type.at[i]) &&
            !strchr("/.+-", type.at[i]))
            return STR("application/octet-stream");
    for (size_t i = 0; i < sizeof active / sizeof *active; i++)
        if (str_starts_nocase(type, str_of(active[i])))
            return STR("application/octet-stream");
    return type;
}

void download_headers(struct response *res, struct str type, struct str name)
{
    response_set_header(res, "Content-Type", type);
    response_set_header(res, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    response_set_disposition(res, true, name);
}

static bool find_email(struct request *req, struct db *db, struct email *email, struct error *err)
{
    int64_t account_id, email_id;
    struct account account;
    return request_param_id(req, "account", &account_id, err) &&
           request_param_id(req, "email", &email_id, err) &&
           session_account(req, db, account_id, &account, err) &&
           email_by_id(db, req->arena, account_id, email_id, email, err);
}

/* Finds what the request names, in one look at the replica: a part, or (empty id) all of it. */
static bool look(struct request *req, struct str part_id, struct email *email,
                 struct content_place *place, struct error *err)
{
    const struct mime_message *message = NULL;
    struct db *db = app_db(req, err);
    bool is_good = db && find_email(req, db, email, err) &&
                   content_structure(req->arena, email, &message, err);
    const struct mime_part *part = message ? mime_find(message, part_id) : NULL;
    if (is_good && !part_id.length)
        is_good = content_find_whole(db, req->arena, email, place, err);
    else if (is_good && part)
        is_good = content_find(req, db, email, part, place, err);
    else if (is_good)
        is_good = error_set(err, ERROR_NOT_FOUND, "This part is not in the message.");
    store_release(app_of(req)->store, &db);
    return is_good;
}

bool download_obtain(struct request *req, struct str part_id, struct email *email,
                     struct content_place *place, struct error *err)
{
    if (!look(req, part_id, email, place, err))
        return false;
    if (place->is_here)
        return true;
    if (!content_fetch(req, email, &part_id, part_id.length ? 1 : 0, DOWNLOAD_WAIT_MS, err) ||
        !look(req, part_id, email, place, err))
        return false;
    return place->is_here ||
           error_set(err, ERROR_UNAVAILABLE, "The mail server did not give this message.");
}

bool download_part(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    if (!download_obtain(req, request_param(req, "part"), &email, &place, err))
        return false;
    struct str name = place.part->name;
    if (!name.length)
        name =
            str_starts(place.part->type, STR("message/")) ? STR("message.eml") : STR("attachment");
    download_headers(res, download_type(place.part->type), name);
    download_stream(req, res, &place, place.part->encoding);
    return true;
}

bool download_raw(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    if (!download_obtain(req, STR_EMPTY, &email, &place, err))
        return false;
    struct str subject = email.subject.length ? email.subject : STR("message");
    download_headers(
        res, STR("message/rfc822"),
        arena_printf(req->arena, "%" STR_FMT ".eml", STR_ARG(utf8_prefix(subject, 100))));
    download_stream(req, res, &place, MIME_8BIT);
    return true;
}

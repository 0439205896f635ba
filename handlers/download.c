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
    enum mime_encoding encoding;
    int64_t first, last; /* of the decoded bytes; last < 0: to the end */
    int64_t at;          /* how many were decoded */
    struct response_sink *sink;
};

/* Reads from one boundary of chunks to the next. The connection to the database is held for that
 * alone: a client may take its time, and there are fewer connections than clients. */
static bool read_piece(struct store *store, int64_t user_id, const struct blob *blob,
                       int64_t offset, int64_t length, struct buf *piece, struct error *err)
{
    struct db *db = store_acquire(store, user_id, err);
    bool is_read = db && blob_read(db, blob, offset, length, piece, err);
    store_release(store, &db);
    return is_read;
}

static bool take_piece(struct mime_decoder *decoder, struct str piece, download_take *take,
                       void *context)
{
    struct buf out = BUF_INIT(2 * PIECE_BYTES);
    bool is_taken = mime_decoder_feed(decoder, piece, &out) && take(context, buf_view(&out));
    buf_free(&out);
    return is_taken;
}

bool download_each(struct store *store, int64_t user_id, const struct content_place *place,
                   enum mime_encoding encoding, download_take *take, void *context,
                   struct error *err)
{
    int64_t offset = place->offset, end = place->offset + place->length;
    struct mime_decoder decoder = mime_decoder(encoding);
    struct buf rest = BUF_INIT(1024);
    bool is_good = true;
    while (is_good && offset < end) {
        int64_t next = (offset / PIECE_BYTES + 1) * PIECE_BYTES;
        struct buf piece = BUF_INIT(PIECE_BYTES);
        if (next > end)
            next = end;
        is_good = read_piece(store, user_id, &place->blob, offset, next - offset, &piece, err) &&
                  take_piece(&decoder, buf_view(&piece), take, context);
        buf_free(&piece);
        offset = next;
    }
    is_good = is_good && mime_decoder_finish(&decoder, &rest) &&
              (!rest.length || take(context, buf_view(&rest)));
    buf_free(&rest);
    return is_good;
}

/* Sends what of these bytes was asked for. */
static bool send_bytes(void *context, struct str bytes)
{
    struct download *download = context;
    int64_t begin = download->first - download->at, end = (int64_t)bytes.length;
    if (download->last >= 0 && download->last + 1 - download->at < end)
        end = download->last + 1 - download->at;
    if (begin < 0)
        begin = 0;
    download->at += (int64_t)bytes.length;
    if (begin < end &&
        !response_write(download->sink, str_sub(bytes, (size_t)begin, (size_t)(end - begin))))
        return false;
    return download->last < 0 || download->at <= download->last;
}

static bool send_download(struct response_sink *sink, void *context, struct error *err)
{
    struct download *download = context;
    download->sink = sink;
    bool is_all = download_each(download->store, download->user_id, &download->place,
                                download->encoding, send_bytes, download, err);
    /* a range ends before the bytes do */
    return is_all ||
           (download->last >= 0 && download->at > download->last && err->kind == ERROR_NONE);
}

/* "bytes=0-99", "bytes=100-", "bytes=-100" (RFC 9110 section 14.1.2). Anything else, several ranges
 * too, is as if it had not been asked. */
static bool read_range(struct str text, int64_t total, int64_t *first, int64_t *last)
{
    if (!str_starts_nocase(text, STR("bytes=")) || str_find_char(text, ',') >= 0)
        return false;
    struct str end = str_trim(str_skip(text, 6)), begin = str_cut(&end, '-');
    *last = total - 1;
    if (!end.at)
        return false;
    if (!begin.length) {
        if (!str_to_i64(end, first) || *first <= 0)
            return false;
        *first = *first < total ? total - *first : 0;
        return true;
    }
    if (!str_to_i64(begin, first) || *first < 0 || (end.length && !str_to_i64(end, last)))
        return false;
    *last = *last < total ? *last : total - 1;
    return end.length == 0 || *first <= *last || *first >= total;
}

/* How many bytes it is once decoded; -1: not known before. */
static int64_t decoded_bytes(const struct content_place *place, enum mime_encoding encoding)
{
    if (encoding == MIME_8BIT)
        return place->length;
    return place->part && place->part->body_offset > 0 ? (int64_t)place->part->size : -1;
}

static bool count_bytes(void *context, struct str bytes)
{
    *(int64_t *)context += (int64_t)bytes.length;
    return true;
}

/* The same where a server's structure does not tell, by decoding it once for nothing: only when a
 * range is asked for, which needs to know. */
static int64_t counted_bytes(const struct request *req, const struct content_place *place,
                             enum mime_encoding encoding)
{
    int64_t total = 0;
    struct error why = ERROR_INIT;
    return download_each(app_of(req)->store, signed_in(req)->user_id, place, encoding, count_bytes,
                         &total, &why)
               ? total
               : -1;
}

/* Bytes that were stored once never change: where they lie is their version. */
static struct str version_of(struct arena *arena, const struct content_place *place,
                             enum mime_encoding encoding)
{
    return arena_printf(arena, "\"%lld-%lld-%lld-%d\"", (long long)place->blob.id,
                        (long long)place->offset, (long long)place->length, (int)encoding);
}

/* The range, unless it is meant of another version (RFC 9110 section 13.1.5). */
static struct str wanted_range(const struct request *req, struct str etag)
{
    struct str version = request_header(req, "If-Range");
    return version.at && !str_equal(version, etag) ? STR_EMPTY : request_header(req, "Range");
}

void download_stream(struct request *req, struct response *res, const struct content_place *place,
                     enum mime_encoding encoding)
{
    struct download *download = ARENA_NEW(res->arena, struct download);
    struct str etag = version_of(res->arena, place, encoding);
    struct str range = wanted_range(req, etag);
    if (response_is_known(res, req, etag))
        return;
    int64_t total = decoded_bytes(place, encoding);
    *download = (struct download){.store = app_of(req)->store,
                                  .user_id = signed_in(req)->user_id,
                                  .place = *place,
                                  .encoding = encoding,
                                  .last = -1};
    res->stream = send_download;
    res->stream_context = download;
    res->stream_bytes = encoding == MIME_8BIT ? place->length : -1;
    response_set_header(res, "Accept-Ranges", STR("bytes"));
    if (total < 0 && range.length)
        total = counted_bytes(req, place, encoding);
    if (total < 0)
        return;
    if (!read_range(range, total, &download->first, &download->last)) {
        download->first = 0;
        download->last = -1;
        return;
    }
    if (download->first >= total) {
        response_problem_status(res, req, 416, "range", STR("There are fewer bytes than that."));
        response_set_header(res, "Content-Range",
                            arena_printf(res->arena, "bytes */%lld", (long long)total));
        return;
    }
    res->status = 206;
    res->stream_bytes = download->last + 1 - download->first;
    response_set_header(res, "Content-Range",
                        arena_printf(res->arena, "bytes %lld-%lld/%lld", (long long)download->first,
                                     (long long)download->last, (long long)total));
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

/* Finds what the request names, in one look at the replica: a part, or (empty id) all of it. */
static bool look(struct request *req, struct str part_id, struct email *email,
                 struct content_place *place, struct error *err)
{
    const struct mime_message *message = NULL;
    *place = (struct content_place){0};
    struct db *db = app_db(req, err);
    bool is_good = db && session_email(req, db, email, err) &&
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
    if (!place.part)
        return error_set(err, ERROR_NOT_FOUND, "This part is not in the message.");
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

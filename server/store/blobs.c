/* Chunks are stored as they are or as one zstd frame each, whichever pays; what a chunk is shows in
 * its first bytes, and a blob without any frame says so, so that slices of it are cut by
 * PostgreSQL.
 */
#include "server/store/blobs.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <zstd.h>

#include "server/store/blobs_private.h"
#include "server/store/db.h"

enum {
    BLOB_MAGIC = 0x424c0b01,
    ZSTD_LEVEL = 1,           /* 0.4 GB/s a core; level 3 saves 4 % more of mail and halves that */
    COMPRESS_BYTES_MIN = 512, /* less is not worth a frame */
    PART_BYTES_MAX = 255,     /* an IMAP part number; indexed */
};

/* --- looking up ------------------------------------------------------------------------------ */

static void read_blob(struct db_rows *rows, struct arena *arena, int64_t account_id,
                      struct blob *blob)
{
    blob->account_id = account_id;
    blob->id = db_get_i64(rows);
    blob->email_id = db_get_i64(rows);
    blob->part = db_get_str(rows, arena);
    blob->size_bytes = db_get_i64(rows);
    blob->chunk_bytes = db_get_i32(rows);
    blob->is_zstd = db_get_bool(rows);
}

bool blob_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                   struct str part, struct blob *blob, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "blob_of_email", &rows, "these bytes are not here", err,
                       db_i64(account_id), db_i64(email_id), db_text(part)))
        return false;
    read_blob(&rows, arena, account_id, blob);
    db_rows_free(&rows);
    return true;
}

bool blobs_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                    struct blob **blobs, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "blobs_of_email", &rows, err, db_i64(account_id), db_i64(email_id)))
        return false;
    *blobs = ARENA_ARRAY(arena, (size_t)rows.row_count, struct blob);
    *count = 0;
    while (db_next(&rows))
        read_blob(&rows, arena, account_id, &(*blobs)[(*count)++]);
    db_rows_free(&rows);
    return true;
}

bool blob_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                struct blob *blob, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "blob_by_id", &rows, "these bytes are not here", err, db_i64(account_id),
                       db_i64(id)))
        return false;
    read_blob(&rows, arena, account_id, blob);
    db_rows_free(&rows);
    return true;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_frame(struct str bytes)
{
    static const struct str magic = STR("\x28\xb5\x2f\xfd"); /* RFC 8878 section 3.1.1 */
    return str_starts(bytes, magic);
}

/* Bytes [from, to) of the chunk `n`, whose whole length is `length`, to `write`. `plain` has room
 * for a chunk if the blob may hold frames. */
static bool read_chunk(struct db *db, const struct blob *blob, int64_t n, size_t length,
                       size_t from, size_t to, char *plain, blob_write_fn *write, void *context,
                       struct error *err)
{
    static const char missing[] = "these bytes were replaced by others meanwhile";
    struct db_rows rows;
    bool is_slice = !blob->is_zstd && (from > 0 || to < length);
    bool is_good =
        is_slice ? db_select_one(db, "blob_chunk_slice", &rows, missing, err,
                                 db_i64(blob->account_id), db_i64(blob->id), db_i32((int32_t)n),
                                 db_i32((int32_t)from + 1), db_i32((int32_t)(to - from)))
                 : db_select_one(db, "blob_chunk", &rows, missing, err, db_i64(blob->account_id),
                                 db_i64(blob->id), db_i32((int32_t)n));
    if (!is_good)
        return false;
    struct str bytes = db_get_slice(&rows);
    if (blob->is_zstd && is_frame(bytes)) {
        size_t got = ZSTD_decompress(plain, length, bytes.at, bytes.length);
        bytes = ZSTD_isError(got) ? STR_EMPTY : str_make(plain, got);
    }
    size_t expected = is_slice ? to - from : length;
    if (bytes.length != expected)
        is_good = error_set(err, ERROR_INTERNAL, "a stored piece of this message is damaged");
    else if (!write(context, is_slice ? bytes : str_sub(bytes, from, to - from)))
        is_good = error_set(err, ERROR_CLOSED, "the reader went away");
    db_rows_free(&rows);
    return is_good;
}

bool blob_stream(struct db *db, const struct blob *blob, int64_t offset, int64_t length,
                 blob_write_fn *write, void *context, struct error *err)
{
    assert(blob->chunk_bytes > 0 && offset >= 0 && length >= 0);
    if (offset > blob->size_bytes)
        return error_set(err, ERROR_INVALID, "the range begins behind the end");
    int64_t end = length > blob->size_bytes - offset ? blob->size_bytes : offset + length;
    char *plain = NULL;
    if (blob->is_zstd && offset < end && !(plain = malloc((size_t)blob->chunk_bytes)))
        abort();
    bool is_good = true;
    while (is_good && offset < end) {
        int64_t n = offset / blob->chunk_bytes, begin = n * blob->chunk_bytes;
        int64_t next = begin + blob->chunk_bytes;
        if (next > blob->size_bytes)
            next = blob->size_bytes;
        int64_t until = next < end ? next : end;
        is_good = read_chunk(db, blob, n, (size_t)(next - begin), (size_t)(offset - begin),
                             (size_t)(until - begin), plain, write, context, err);
        offset = until;
    }
    free(plain);
    return is_good;
}

static bool append_bytes(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

bool blob_read(struct db *db, const struct blob *blob, int64_t offset, int64_t length,
               struct buf *out, struct error *err)
{
    if (blob_stream(db, blob, offset, length, append_bytes, out, err))
        return true;
    if (out->is_full)
        return error_set(err, ERROR_LIMIT, "the message is larger than is read at once");
    return false;
}

/* --- writing --------------------------------------------------------------------------------- */

struct blob_writer {
    unsigned magic;
    struct db *db;
    int64_t account_id, id, email_id;
    char part[PART_BYTES_MAX + 1];
    int64_t size_bytes; /* of all chunks sent */
    int32_t chunks;
    bool is_zstd;
    struct buf chunk; /* not sent yet */
    struct blob_packer packer;
    crypto_generichash_state hash;
};

struct blob_writer *blob_begin(struct db *db, int64_t account_id, int64_t blob_id, int64_t email_id,
                               struct str part, struct error *err)
{
    assert(db_in_transaction(db));
    if (part.length > PART_BYTES_MAX || memchr(part.at, 0, part.length)) {
        error_set(err, ERROR_INVALID, "this is no part of a message");
        return NULL;
    }
    if (email_id &&
        !db_post(db, "blob_replace", err, db_i64(account_id), db_i64(email_id), db_text(part)))
        return NULL;
    struct blob_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        abort();
    *writer = (struct blob_writer){.magic = BLOB_MAGIC,
                                   .db = db,
                                   .account_id = account_id,
                                   .id = blob_id,
                                   .email_id = email_id,
                                   .chunk = BUF_INIT(BLOB_CHUNK_BYTES)};
    memcpy(writer->part, part.at, part.length);
    crypto_generichash_init(&writer->hash, NULL, 0, BLOB_HASH_BYTES);
    return writer;
}

struct str blob_pack(struct blob_packer *packer, struct str plain, bool *is_zstd)
{
    if (plain.length < COMPRESS_BYTES_MIN && !is_frame(plain))
        return plain;
    size_t room = ZSTD_compressBound(BLOB_CHUNK_BYTES);
    if (!packer->zstd && (!(packer->zstd = ZSTD_createCCtx()) || !(packer->frame = malloc(room))))
        abort();
    size_t length =
        ZSTD_compressCCtx(packer->zstd, packer->frame, room, plain.at, plain.length, ZSTD_LEVEL);
    assert(!ZSTD_isError(length)); /* the room is enough for anything */
    /* what looks like a frame but is none must become one */
    if (length > plain.length - plain.length / 10 && !is_frame(plain))
        return plain;
    *is_zstd = true;
    return str_make(packer->frame, length);
}

void blob_packer_free(struct blob_packer *packer)
{
    ZSTD_freeCCtx(packer->zstd);
    free(packer->frame);
    *packer = (struct blob_packer){0};
}

static bool send_chunk(struct blob_writer *writer, struct error *err)
{
    struct str plain = buf_view(&writer->chunk);
    crypto_generichash_update(&writer->hash, (const unsigned char *)plain.at, plain.length);
    if (!db_post(writer->db, "blob_chunk_put", err, db_i64(writer->account_id), db_i64(writer->id),
                 db_i32(writer->chunks),
                 db_bytes(blob_pack(&writer->packer, plain, &writer->is_zstd))))
        return false;
    writer->chunks++;
    writer->size_bytes += (int64_t)plain.length;
    buf_reset(&writer->chunk);
    return true;
}

bool blob_append(struct blob_writer *writer, struct str bytes, struct error *err)
{
    assert(writer->magic == BLOB_MAGIC);
    while (bytes.length) {
        struct str piece = str_sub(bytes, 0, BLOB_CHUNK_BYTES - writer->chunk.length);
        buf_str(&writer->chunk, piece);
        bytes = str_skip(bytes, piece.length);
        if (writer->chunk.length == BLOB_CHUNK_BYTES && !send_chunk(writer, err))
            return false;
    }
    return true;
}

bool blob_finish(struct blob_writer **writer_at, int64_t *size_bytes, struct error *err)
{
    struct blob_writer *writer = *writer_at;
    assert(writer->magic == BLOB_MAGIC);
    unsigned char hash[BLOB_HASH_BYTES];
    bool is_good = !writer->chunk.length || send_chunk(writer, err);
    if (is_good) {
        crypto_generichash_final(&writer->hash, hash, sizeof hash);
        if (size_bytes)
            *size_bytes = writer->size_bytes;
        is_good =
            db_post(writer->db, "blob_put", err, db_i64(writer->account_id), db_i64(writer->id),
                    db_or_null(db_i64(writer->email_id)), db_text(str_of(writer->part)),
                    db_i64(writer->size_bytes), db_i32(BLOB_CHUNK_BYTES), db_bool(writer->is_zstd),
                    db_bytes(str_make(hash, sizeof hash)));
    }
    blob_abandon(writer_at);
    return is_good;
}

void blob_abandon(struct blob_writer **writer_at)
{
    struct blob_writer *writer = *writer_at;
    if (!writer)
        return;
    *writer_at = NULL;
    blob_packer_free(&writer->packer);
    buf_free(&writer->chunk);
    writer->magic = 0;
    free(writer);
}

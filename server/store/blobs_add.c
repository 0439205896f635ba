/* Many whole messages at once: two COPYs, however many there are. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/store/blobs_private.h"
#include "server/store/db.h"

static bool read_chunk(int fd, uint64_t offset, char *at, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = pread(fd, at, length, (off_t)offset);
        if (n <= 0)
            return error_errno(err, ERROR_INTERNAL, "the spool of a message cannot be read");
        at += n;
        offset += (uint64_t)n;
        length -= (size_t)n;
    }
    return true;
}

static bool copy_chunks(struct db *db, int64_t account_id, int fd, struct blob_extent *source,
                        struct blob_packer *packer, char *plain, struct error *err)
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, BLOB_HASH_BYTES);
    int32_t n = 0;
    for (uint64_t done = 0; done < source->length; n++) {
        uint64_t left = source->length - done;
        size_t length = left < BLOB_CHUNK_BYTES ? (size_t)left : BLOB_CHUNK_BYTES;
        if (!read_chunk(fd, source->offset + done, plain, length, err))
            return false;
        crypto_generichash_update(&hash, (unsigned char *)plain, length);
        struct str packed = blob_pack(packer, str_make(plain, length), &source->sum.is_zstd);
        if (!db_copy_row(db, err, db_i64(account_id), db_i64(source->blob_id), db_i32(n),
                         db_bytes(packed)))
            return false;
        done += length;
    }
    crypto_generichash_final(&hash, source->sum.hash, BLOB_HASH_BYTES);
    return true;
}

bool blobs_copy_chunks(struct db *db, int64_t account_id, int fd, struct blob_extent *sources,
                       size_t count, struct error *err)
{
    assert(db_in_transaction(db));
    if (count == 0)
        return true;
    if (!db_copy_begin(db, "blobs_copy_chunks", err))
        return false;
    struct blob_packer packer = {0};
    char *plain = malloc(BLOB_CHUNK_BYTES);
    if (!plain)
        abort();
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++)
        is_good = copy_chunks(db, account_id, fd, &sources[i], &packer, plain, err);
    is_good = db_copy_end(db, is_good, err);
    blob_packer_free(&packer);
    free(plain);
    return is_good;
}

bool blobs_copy_rows(struct db *db, int64_t account_id, const struct blob_extent *sources,
                     size_t count, struct error *err)
{
    bool is_good = true;
    if (count == 0)
        return true;
    if (!db_copy_begin(db, "blobs_copy", err))
        return false;
    for (size_t i = 0; i < count && is_good; i++) {
        const struct blob_extent *source = &sources[i];
        is_good = db_copy_row(db, err, db_i64(account_id), db_i64(source->blob_id),
                              db_i64(source->email_id), db_text(STR_EMPTY),
                              db_i64((int64_t)source->length), db_i32(BLOB_CHUNK_BYTES),
                              db_bool(source->sum.is_zstd),
                              db_bytes(str_make((const char *)source->sum.hash, BLOB_HASH_BYTES)));
    }
    return db_copy_end(db, is_good, err);
}

bool blobs_of_emails_set(struct db *db, int64_t account_id, const struct blob_extent *sources,
                         size_t count, bool is_text_settled, struct error *err)
{
    struct arena *arena = arena_new();
    int64_t *email_ids = ARENA_ARRAY(arena, count, int64_t);
    int64_t *blob_ids = ARENA_ARRAY(arena, count, int64_t);
    for (size_t i = 0; i < count; i++) {
        email_ids[i] = sources[i].email_id;
        blob_ids[i] = sources[i].blob_id;
    }
    bool is_good =
        count == 0 || db_execute(db, "blobs_of_emails_set", NULL, err, db_i64(account_id),
                                 db_i64_array(email_ids, count), db_i64_array(blob_ids, count),
                                 db_bool(is_text_settled));
    arena_free(&arena);
    return is_good;
}

/* Bytes of messages and parts, in chunks, so that no reader or writer holds more than one. */
#ifndef RESTANTE_STORE_BLOBS_H
#define RESTANTE_STORE_BLOBS_H

#include "server/base/buf.h"
#include "server/store/store.h"

enum { BLOB_CHUNK_BYTES = 256 * 1024, BLOB_HASH_BYTES = 32 };

struct blob {
    int64_t account_id, id;
    int64_t email_id; /* 0: an upload not yet used */
    struct str part;  /* empty: the whole message; else as sent upstream, still encoded */
    int64_t size_bytes;
    int chunk_bytes;
    bool is_zstd;
};

/* ERROR_NOT_FOUND: not here (yet). `part` empty: the whole message. */
bool blob_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                   struct str part, struct blob *blob, struct error *err);
/* The parts (and whole) of an email that are here. */
bool blobs_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                    struct blob **blobs, size_t *count, struct error *err);
bool blob_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                struct blob *blob, struct error *err);
/* Appends bytes [offset, offset+length) to `out` (reads only the chunks concerned). */
bool blob_read(struct db *db, const struct blob *blob, int64_t offset, int64_t length,
               struct buf *out, struct error *err);
/* Calls `write` for each chunk of the range in turn; stops when it returns false (ERROR_CLOSED). */
typedef bool blob_write_fn(void *context, struct str bytes);
bool blob_stream(struct db *db, const struct blob *blob, int64_t offset, int64_t length,
                 blob_write_fn *write, void *context, struct error *err);

/* Writing: begin, any number of appends, finish; inside the caller's transaction. The blob replaces
 * one of the same email and part. Chunks are zstd-compressed where that saves a tenth. */
struct blob_writer;
struct blob_writer *blob_begin(struct db *db, int64_t account_id, int64_t blob_id, int64_t email_id,
                               struct str part, struct error *err);
bool blob_append(struct blob_writer *writer, struct str bytes, struct error *err);
/* Writes the row and frees the writer; `*writer` NULL afterwards in any case. `size_bytes` may be
 * NULL. */
bool blob_finish(struct blob_writer **writer, int64_t *size_bytes, struct error *err);
void blob_abandon(struct blob_writer **writer);

/* Whole messages that lie in one file, of emails that have none yet: written by COPY inside the
 * caller's transaction. The ids come from replica_allocate_ids. */
struct blob_extent {
    int64_t blob_id, email_id;
    uint64_t offset, length; /* in the file */
    struct blob_sum {
        unsigned char hash[BLOB_HASH_BYTES];
        bool is_zstd;
    } sum; /* of the chunks, once they are written */
};
/* First the chunks, which are most of the work: what else the transaction does need not be known
 * yet, nor `email_id`. */
bool blobs_copy_chunks(struct db *db, int64_t account_id, int fd, struct blob_extent *sources,
                       size_t count, struct error *err);
/* Then their rows. */
bool blobs_copy_rows(struct db *db, int64_t account_id, const struct blob_extent *sources,
                     size_t count, struct error *err);
/* Emails that were here before their bytes know their blobs now, and whether their words are here
 * too. */
bool blobs_of_emails_set(struct db *db, int64_t account_id, const struct blob_extent *sources,
                         size_t count, bool is_text_settled, struct error *err);

#endif

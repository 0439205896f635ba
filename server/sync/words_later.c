/* Words after the mail itself: messages are read back, taken apart once more, and found from then
 * on. */
#include "server/sync/words_later.h"

#include <unistd.h>

#include "server/store/blobs.h"
#include "server/store/pop3.h"
#include "server/store/replica.h"
#include "server/sync/spool.h"

enum { BATCH = 100, BATCH_BYTES = 8 << 20 };

static bool write_spool(void *context, struct str bytes)
{
    const int *spool = context;
    while (bytes.length > 0) {
        ssize_t n = write(*spool, bytes.at, bytes.length);
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

/* Adds a message to the spool; one that is not to be had or too large for a parser is empty there.
 */
static bool spool_message(struct slice *slice, int spool, int64_t email_id,
                          struct parser_extent *extent, struct error *err)
{
    struct blob blob;
    struct error why = ERROR_INIT;
    if (!blob_of_email(slice->db, slice->arena, slice->account->id, email_id, STR_EMPTY, &blob,
                       &why)) {
        if (why.kind != ERROR_NOT_FOUND)
            *err = why;
        return why.kind == ERROR_NOT_FOUND;
    }
    if (blob.size_bytes > PARSER_INPUT_BYTES_MAX)
        return true;
    extent->offset = (uint64_t)lseek(spool, 0, SEEK_END);
    extent->length = (uint64_t)blob.size_bytes;
    return blob_stream(slice->db, &blob, 0, blob.size_bytes, write_spool, &spool, err);
}

static bool store(struct slice *slice, const struct pop3_wordless *found,
                  const struct parser_summary *summaries, size_t count, struct error *err)
{
    int64_t *email_ids = ARENA_ARRAY(slice->arena, count, int64_t);
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    bool is_good = batch != NULL;
    for (size_t i = 0; i < count && is_good; i++) {
        email_ids[i] = found[i].email_id;
        if (summaries[i].words.length > 0)
            is_good = replica_words_put(batch, found[i].email_id, summaries[i].words, err);
    }
    if (is_good && replica_text_settled(batch, email_ids, count, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

static bool find_batch(struct slice *slice, bool *is_done, struct error *err)
{
    struct pop3_wordless *found;
    size_t count, taken = 0;
    int64_t bytes = 0;
    if (!pop3_wordless(slice->db, slice->arena, slice->account->id, BATCH, &found, &count, err))
        return false;
    *is_done = count == 0;
    if (*is_done)
        return true;
    struct parser_extent *extents = ARENA_ARRAY(slice->arena, count, struct parser_extent);
    struct parser_summary *summaries = ARENA_ARRAY(slice->arena, count, struct parser_summary);
    int spool = spool_open((uint64_t)found[0].size_bytes, NULL);
    bool is_good = spool >= 0 || error_errno(err, ERROR_INTERNAL, "no spool for messages");
    while (is_good && taken < count && (taken == 0 || bytes < BATCH_BYTES)) {
        is_good = spool_message(slice, spool, found[taken].email_id, &extents[taken], err);
        bytes += found[taken++].size_bytes;
    }
    is_good = is_good &&
              parser_messages(slice->sync->parsers, slice->arena, spool, extents, taken, true,
                              summaries, err) &&
              store(slice, found, summaries, taken, err);
    if (spool >= 0)
        close(spool);
    return is_good;
}

bool words_later(struct slice *slice, bool *is_done, struct error *err)
{
    *is_done = false;
    while (!*is_done && !slice_is_over(slice)) {
        arena_reset(slice->arena);
        if (!find_batch(slice, is_done, err))
            return false;
        if (atomic_load(&slice->account->has_operations))
            break; /* at once again, operations first */
    }
    return true;
}

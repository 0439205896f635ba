/* A batch of a file's messages: read and parsed in the children, what is here already left out, the
 * others written with their rows, bodies and the transfer's step in one transaction. */
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/base/log.h"
#include "server/base/seal.h"
#include "server/store/emails.h"
#include "server/store/replica.h"
#include "server/sync/summary.h"
#include "server/sync/transfer.h"

/* --- reading --------------------------------------------------------------------------------- */

static const char *const troubles[ARCHIVE_TROUBLES] = {
    [ARCHIVE_UNKNOWN] = "The file is neither a mailbox file (mbox) nor a zip archive of messages.",
    [ARCHIVE_BROKEN] = "The archive is damaged: its end, or what comes now, cannot be read.",
    [ARCHIVE_BOMB] = "The archive unpacks to far more than mail does: the rest was left out.",
};

static bool is_straight(struct str bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.at[i] == '\n' && (i == 0 || bytes.at[i - 1] != '\r'))
            return false;
    return true;
}

static struct str straighten(struct arena *arena, struct str bytes)
{
    if (is_straight(bytes))
        return bytes;
    struct buf out = BUF_INIT(2 * bytes.length);
    for (size_t i = 0; i < bytes.length; i++) {
        if (bytes.at[i] == '\n' && (i == 0 || bytes.at[i - 1] != '\r'))
            buf_char(&out, '\r');
        buf_char(&out, bytes.at[i]);
    }
    struct str straight = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return straight;
}

static bool write_spool(struct transfer_batch *batch, struct error *err)
{
    uint64_t offset = 0;
    batch->spool = memfd_create("import", MFD_CLOEXEC);
    for (size_t i = 0; batch->spool >= 0 && i < batch->count; i++) {
        struct str rest = batch->at[i].bytes;
        batch->at[i].offset = offset;
        while (rest.length > 0) {
            ssize_t n = write(batch->spool, rest.at, rest.length);
            if (n <= 0)
                return error_errno(err, ERROR_INTERNAL, "the spool of messages is full");
            offset += (uint64_t)n;
            rest = str_skip(rest, (size_t)n);
        }
    }
    return batch->spool >= 0 || error_errno(err, ERROR_INTERNAL, "no spool for messages");
}

/* When it arrived: as the file tells, else the topmost Received field; never later than now. */
static int64_t arrival(int64_t told, const struct parser_summary *s)
{
    int64_t now = clock_now_us();
    int64_t at = told ? told : s->received_at ? s->received_at : s->sent_at;
    return at > 0 && at < now ? at : now;
}

static bool parse(struct transfer_batch *batch, struct error *err)
{
    struct parser_summary *summaries =
        ARENA_ARRAY(batch->arena, batch->count, struct parser_summary);
    struct parser_extent *extents = ARENA_ARRAY(batch->arena, batch->count, struct parser_extent);
    for (size_t i = 0; i < batch->count; i++)
        extents[i] = (struct parser_extent){batch->at[i].offset, batch->at[i].bytes.length};
    if (!parser_messages(batch->slice->sync->parsers, batch->arena, batch->spool, extents,
                         batch->count, true, summaries, err))
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_message *message = &batch->at[i];
        unsigned char hash[TOKEN_HASH_BYTES];
        struct buf text = BUF_INIT(2 * sizeof hash);
        message->summary = &summaries[i];
        message->received_at = arrival(message->received_at, &summaries[i]);
        content_hash(message->bytes, hash);
        encode_hex(&text, str_make(hash, sizeof hash));
        str_copy(buf_view(&text), message->hash, sizeof message->hash);
        buf_free(&text);
    }
    return true;
}

/* --- what is new ----------------------------------------------------------------------------- */

static bool is_before(const struct transfer_batch *batch, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(batch->at[k].hash, batch->at[i].hash))
            return true;
    return false;
}

static bool leave_out_known(struct transfer_batch *batch, struct error *err)
{
    struct transfer_face *faces = ARENA_ARRAY(batch->arena, batch->count, struct transfer_face);
    bool *is_known = ARENA_ARRAY(batch->arena, batch->count, bool);
    for (size_t i = 0; i < batch->count; i++)
        faces[i] = (struct transfer_face){.message_key = batch->at[i].summary->message_key,
                                          .size_bytes = (int64_t)batch->at[i].bytes.length,
                                          .received_at = batch->at[i].received_at,
                                          .hash = str_of(batch->at[i].hash)};
    if (!transfer_known(batch->slice->db, batch->transfer, faces, batch->count, is_known, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        is_known[i] = is_known[i] || is_before(batch, i);
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (!is_known[i])
            batch->at[kept++] = batch->at[i];
    batch->step.known = (int64_t)(batch->count - kept);
    batch->count = kept;
    return true;
}

static void take_step(struct transfer_batch *batch)
{
    const struct parser_archive *a = &batch->archive;
    batch->step = (struct transfer_step){
        .to = {.entry = (int64_t)a->next.entry,
               .position = (int64_t)a->next.position,
               .unpacked = (int64_t)a->next.unpacked},
        .others = a->others,
        .state = a->trouble  ? TRANSFER_FAILED
                 : a->is_end ? TRANSFER_DONE
                             : TRANSFER_RUNNING,
        .error = a->trouble ? str_of(troubles[a->trouble]) : STR_EMPTY,
    };
}

bool transfer_read(struct transfer_batch *batch, struct transfer_spool *file,
                   bool is_straight_wanted, struct error *err)
{
    const struct transfer_place *at = &batch->transfer->at;
    const struct archive_cursor cursor = {.entry = (uint64_t)at->entry,
                                          .position = (uint64_t)at->position,
                                          .unpacked = (uint64_t)at->unpacked};
    struct parser_archive *a = &batch->archive;
    if (!parser_archive(batch->slice->sync->parsers, batch->arena, file->fd, file->length, cursor,
                        &file->point, a, err))
        return false;
    take_step(batch);
    batch->at = ARENA_ARRAY(batch->arena, a->count, struct transfer_message);
    for (size_t i = 0; i < a->count; i++) {
        struct str bytes = str_sub(a->bytes, a->at[i].offset, a->at[i].length);
        if (a->at[i].fate != ARCHIVE_MESSAGE || bytes.length == 0) {
            batch->step.refused++;
            continue;
        }
        batch->at[batch->count++] = (struct transfer_message){
            .bytes = is_straight_wanted ? straighten(batch->arena, bytes) : bytes,
            .received_at = a->at[i].received_at,
        };
    }
    return batch->count == 0 ||
           (write_spool(batch, err) && parse(batch, err) && leave_out_known(batch, err));
}

/* --- writing --------------------------------------------------------------------------------- */

static void fill_email(const struct transfer_batch *batch, const struct transfer_message *message,
                       struct replica_email *email)
{
    *email = (struct replica_email){.placed = {.flags = batch->transfer->is_seen ? FLAG_SEEN : 0},
                                    .received_at = message->received_at,
                                    .size_bytes = (int64_t)message->bytes.length};
    summary_fill(message->summary, email);
}

static bool write_body(struct transfer_batch *batch, struct replica_batch *rows,
                       const struct transfer_message *message, int64_t email_id, int64_t blob_id,
                       struct error *err)
{
    struct db *db = batch->slice->db;
    struct blob_writer *writer =
        blob_begin(db, batch->transfer->account_id, blob_id, email_id, STR_EMPTY, err);
    bool is_good = writer && blob_append(writer, message->bytes, err) &&
                   blob_finish(&writer, NULL, err) &&
                   replica_email_blob(rows, email_id, blob_id, err);
    blob_abandon(&writer);
    if (is_good && message->summary->verdict == PARSER_POISON) {
        LOG_WARN("sync.quarantine", log_int("email", email_id));
        return replica_email_quarantine(rows, email_id, err);
    }
    return is_good && replica_text_settled(rows, &email_id, 1, err);
}

static bool write_all(struct transfer_batch *batch, struct replica_batch *rows, int64_t blob_id,
                      struct error *err)
{
    struct replica_email *emails = ARENA_ARRAY(batch->arena, batch->count, struct replica_email);
    for (size_t i = 0; i < batch->count; i++)
        fill_email(batch, &batch->at[i], &emails[i]);
    if (batch->count > 0 &&
        !replica_emails_add(rows, batch->transfer->mailbox_id, emails, batch->count, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (!write_body(batch, rows, &batch->at[i], emails[i].id, blob_id + (int64_t)i, err))
            return false;
    batch->step.done = (int64_t)batch->count;
    return transfer_advance(batch->slice->db, batch->transfer, &batch->step, err);
}

bool transfer_store(struct transfer_batch *batch, struct error *err)
{
    struct db *db = batch->slice->db;
    int64_t account_id = batch->transfer->account_id, blob_id = 0;
    if (batch->count == 0)
        return transfer_advance(db, batch->transfer, &batch->step, err);
    if (!replica_allocate_ids(db, account_id, (int)batch->count, &blob_id, err))
        return false;
    struct replica_batch *rows = replica_begin(db, account_id, err);
    if (rows && write_all(batch, rows, blob_id, err))
        return replica_commit(&rows, err);
    replica_abandon(&rows);
    return false;
}

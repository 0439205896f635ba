/* A file that somebody brings to be imported: read by the child (mail/archive.h), a batch a
 * request.
 */
#include <sys/mman.h>

#include "server/mail/archive.h"
#include "server/parser/answer_private.h"
#include "server/parser/pool.h"

/* --- both sides ------------------------------------------------------------------------------ */

static void put_point(struct buf *out, const struct archive_point *point)
{
    wire_put_u64(out, point->entry);
    wire_put_u64(out, point->at.packed);
    wire_put_u64(out, point->at.unpacked);
    wire_put_u32(out, point->at.crc);
    wire_put_u8(out, point->at.bits);
    wire_put_str(out, str_make(point->at.window, point->at.window_length));
}

static void read_point(struct wire *in, struct archive_point *point)
{
    point->entry = wire_u64(in);
    point->at.packed = wire_u64(in);
    point->at.unpacked = wire_u64(in);
    point->at.crc = wire_u32(in);
    point->at.bits = wire_u8(in);
    struct str window = wire_str(in);
    if (window.length > sizeof point->at.window) {
        in->is_bad = true;
        return;
    }
    if (window.length > 0)
        memcpy(point->at.window, window.at, window.length);
    point->at.window_length = (uint16_t)window.length;
}

/* --- the child's side ------------------------------------------------------------------------- */

static void put_batch(struct buf *reply, const struct archive_batch *batch)
{
    wire_put_u64(reply, batch->next.entry);
    wire_put_u64(reply, batch->next.position);
    wire_put_u64(reply, batch->next.unpacked);
    put_point(reply, &batch->point);
    wire_put_u8(reply, batch->is_end);
    wire_put_u8(reply, (uint8_t)batch->trouble);
    wire_put_u32(reply, batch->others);
    wire_put_u32(reply, (uint32_t)batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        wire_put_u64(reply, batch->at[i].length);
        wire_put_u64(reply, (uint64_t)batch->at[i].received_at);
        wire_put_u8(reply, (uint8_t)batch->at[i].fate);
    }
    wire_put_str(reply, buf_view(&batch->bytes));
}

bool answer_archive(struct wire *in, int fd, struct buf *reply)
{
    struct archive_cursor cursor;
    uint64_t length = wire_u64(in);
    cursor.entry = wire_u64(in);
    cursor.position = wire_u64(in);
    cursor.unpacked = wire_u64(in);
    struct archive_batch *batch = archive_batch_new();
    read_point(in, &batch->point);
    void *map = MAP_FAILED;
    if (wire_is_done(in) && fd >= 0 && length > 0 && length <= PARSER_ARCHIVE_BYTES_MAX)
        map = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED) {
        archive_read(str_make(map, (size_t)length), cursor, batch);
        put_batch(reply, batch);
        munmap(map, (size_t)length);
    }
    archive_batch_free(&batch);
    return map != MAP_FAILED;
}

/* --- the caller's side ------------------------------------------------------------------------ */

struct reading {
    struct arena *arena;
    struct parser_archive *archive;
    struct archive_point *point;
};

static bool read_archive(void *context, struct wire *in)
{
    struct reading *reading = context;
    struct parser_archive *a = reading->archive;
    uint64_t offset = 0;
    *a = (struct parser_archive){0};
    a->next.entry = wire_u64(in);
    a->next.position = wire_u64(in);
    a->next.unpacked = wire_u64(in);
    read_point(in, reading->point);
    a->is_end = wire_u8(in);
    uint8_t trouble = wire_u8(in);
    a->others = wire_u32(in);
    a->count = wire_count(in, 17, ARCHIVE_MESSAGES_MAX);
    struct archive_message *at = ARENA_ARRAY(reading->arena, a->count, struct archive_message);
    for (size_t i = 0; i < a->count; i++) {
        at[i].offset = offset;
        at[i].length = wire_u64(in);
        at[i].received_at = (int64_t)wire_u64(in);
        uint8_t fate = wire_u8(in);
        if (fate >= ARCHIVE_FATES || at[i].length > ARCHIVE_MESSAGE_BYTES_MAX)
            in->is_bad = true;
        at[i].fate = (enum archive_fate)fate;
        offset += at[i].length;
    }
    struct str bytes = wire_str(in);
    if (in->is_bad || trouble >= ARCHIVE_TROUBLES || bytes.length != offset)
        return false;
    a->trouble = (enum archive_trouble)trouble;
    a->at = at;
    a->bytes = arena_str(reading->arena, bytes);
    return true;
}

bool parser_archive(struct parser_pool *pool, struct arena *arena, int fd, uint64_t length,
                    struct archive_cursor cursor, struct archive_point *point,
                    struct parser_archive *archive, struct error *err)
{
    struct buf head = BUF_INIT(64 + sizeof *point);
    struct reading reading = {arena, archive, point};
    if (length == 0 || length > PARSER_ARCHIVE_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "The file is empty or larger than %d GB.",
                         (int)(PARSER_ARCHIVE_BYTES_MAX >> 30));
    wire_put_u64(&head, length);
    wire_put_u64(&head, cursor.entry);
    wire_put_u64(&head, cursor.position);
    wire_put_u64(&head, cursor.unpacked);
    put_point(&head, point);
    const struct parser_ask ask = {
        .kind = PROTOCOL_ARCHIVE, .head = buf_view(&head), .tail = STR_EMPTY, .fd = fd, .tries = 2};
    enum parser_outcome outcome = parser_exchange(pool, &ask, read_archive, &reading, err);
    buf_free(&head);
    if (outcome == PARSER_FELLED) {
        parser_count_poison(pool);
        return error_set(err, ERROR_INVALID, "The file cannot be read from here on.");
    }
    return outcome == PARSER_ANSWERED;
}

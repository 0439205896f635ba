#include "server/mail/unzip.h"

#define ZLIB_CONST
#include <zlib.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    LOCATOR64_BYTES = 20,
    END64_BYTES = 56,
    COMMENT_BYTES_MAX = 65535,
    EXTRA_ZIP64 = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    PIECE_BYTES = 64 * 1024,
    POINT_STRIDE_BYTES = 256 * 1024, /* moving costs copying the window */
};
static const uint32_t SEE_ZIP64 = 0xffffffff;

/* The number at `at`, which must lie within. */
static uint64_t number(struct str bytes, size_t at, size_t length)
{
    uint64_t n = 0;
    for (size_t i = length; i-- > 0;)
        n = n << 8 | (unsigned char)bytes.at[at + i];
    return n;
}

/* `length` bytes at `at`, or an empty slice with a NULL pointer when they do not lie within. */
static struct str within(struct str file, uint64_t at, uint64_t length)
{
    if (at > file.length || length > file.length - at)
        return (struct str){0};
    return str_make(file.at + at, (size_t)length);
}

/* Where the end record lies; -1: nowhere. Its comment may look like one, too: the last one counts.
 */
static ptrdiff_t find_end(struct str file)
{
    size_t lowest = file.length > END_BYTES + COMMENT_BYTES_MAX
                        ? file.length - END_BYTES - COMMENT_BYTES_MAX
                        : 0;
    for (size_t at = file.length < END_BYTES ? 0 : file.length - END_BYTES + 1; at-- > lowest;)
        if (memcmp(file.at + at, "PK\5\6", 4) == 0 &&
            at + END_BYTES + number(file, at + 20, 2) <= file.length)
            return (ptrdiff_t)at;
    return -1;
}

bool unzip_open(struct str file, struct unzip *zip)
{
    ptrdiff_t end = file.length < END_BYTES ? -1 : find_end(file);
    if (end < 0)
        return false;
    uint64_t length = number(file, (size_t)end + 12, 4), at = number(file, (size_t)end + 16, 4);
    struct str locator = {0};
    if (end >= LOCATOR64_BYTES)
        locator = within(file, (uint64_t)end - LOCATOR64_BYTES, LOCATOR64_BYTES);
    if (locator.at && memcmp(locator.at, "PK\6\7", 4) == 0) {
        struct str end64 = within(file, number(locator, 8, 8), END64_BYTES);
        if (!end64.at || memcmp(end64.at, "PK\6\6", 4) != 0)
            return false;
        length = number(end64, 40, 8);
        at = number(end64, 48, 8);
    }
    *zip = (struct unzip){.file = file, .directory_at = at, .directory_end = at + length};
    return within(file, at, length).at != NULL;
}

/* The sizes and the offset that did not fit their four bytes, in this order, as far as needed. */
static bool read_zip64(struct str extra, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
    uint64_t *const wanted[] = {size, packed, offset};
    while (extra.length >= 4) {
        uint64_t id = number(extra, 0, 2), length = number(extra, 2, 2);
        struct str field = within(extra, 4, length);
        if (!field.at)
            return false;
        for (size_t i = 0; id == EXTRA_ZIP64 && i < 3; i++) {
            if (*wanted[i] != SEE_ZIP64)
                continue;
            if (field.length < 8)
                return false;
            *wanted[i] = number(field, 0, 8);
            field = str_skip(field, 8);
        }
        extra = str_skip(extra, 4 + (size_t)length);
    }
    return true;
}

enum unzip_step unzip_next(const struct unzip *zip, uint64_t *at, struct unzip_entry *entry)
{
    if (*at >= zip->directory_end)
        return UNZIP_END;
    struct str record = within(zip->file, *at, CENTRAL_BYTES);
    if (*at < zip->directory_at || !record.at || memcmp(record.at, "PK\1\2", 4) != 0)
        return UNZIP_BROKEN;
    uint64_t packed = number(record, 20, 4), size = number(record, 24, 4);
    uint64_t offset = number(record, 42, 4);
    size_t name_length = number(record, 28, 2), extra_length = number(record, 30, 2);
    struct str name = within(zip->file, *at + CENTRAL_BYTES, name_length);
    struct str extra = within(zip->file, *at + CENTRAL_BYTES + name_length, extra_length);
    if (!name.at || !extra.at || !read_zip64(extra, &size, &packed, &offset))
        return UNZIP_BROKEN;
    struct str local = within(zip->file, offset, LOCAL_BYTES);
    if (!local.at || memcmp(local.at, "PK\3\4", 4) != 0)
        return UNZIP_BROKEN;
    /* the names and extras of both records may differ in length */
    uint64_t start = offset + LOCAL_BYTES + number(local, 26, 2) + number(local, 28, 2);
    *entry = (struct unzip_entry){.name = name,
                                  .packed = within(zip->file, start, packed),
                                  .crc = (uint32_t)number(record, 16, 4),
                                  .method = (uint16_t)number(record, 10, 2),
                                  .is_encrypted = number(record, 8, 2) & 1};
    if (!entry->packed.at)
        return UNZIP_BROKEN;
    *at += CENTRAL_BYTES + name_length + extra_length + number(record, 32, 2);
    return UNZIP_ENTRY;
}

/* --- unpacking -------------------------------------------------------------------------------- */

/* What comes out: the first `skip` bytes are dropped, all are counted into the checksum. */
struct outlet {
    uint64_t skip;
    uint32_t crc;
    struct buf *out;
};

/* False: the buffer came to its limit. */
static bool let_out(struct outlet *outlet, struct str bytes)
{
    outlet->crc =
        (uint32_t)crc32_z(outlet->crc, (const unsigned char *)bytes.at, (z_size_t)bytes.length);
    size_t dropped = outlet->skip < bytes.length ? (size_t)outlet->skip : bytes.length;
    outlet->skip -= dropped;
    bytes = str_skip(bytes, dropped);
    size_t room = outlet->out->limit - outlet->out->length;
    return buf_str(outlet->out, str_sub(bytes, 0, room)) && bytes.length <= room;
}

/* Moves the point to the block that begins here, unless it would move but little. */
static void move_point(struct unzip_point *point, struct str packed, z_stream *stream,
                       const struct outlet *outlet, uint64_t unpacked)
{
    uInt length = 0;
    if (unpacked < point->unpacked + POINT_STRIDE_BYTES ||
        inflateGetDictionary(stream, (unsigned char *)point->window, &length) != Z_OK)
        return;
    point->packed = packed.length - stream->avail_in;
    point->unpacked = unpacked;
    point->crc = outlet->crc;
    point->bits = stream->data_type & 7;
    point->window_length = (uint16_t)length;
}

/* Begins at the point. */
static bool begin_inflating(z_stream *stream, struct str packed, const struct unzip_point *point)
{
    if (packed.length > UINT32_MAX || inflateInit2(stream, -MAX_WBITS) != Z_OK)
        return false;
    if (point->unpacked == 0)
        return true;
    const char *last = packed.at + point->packed - 1;
    int bits = (unsigned char)*last >> (8 - point->bits);
    if ((point->bits == 0 || inflatePrime(stream, point->bits, bits) == Z_OK) &&
        inflateSetDictionary(stream, (const unsigned char *)point->window, point->window_length) ==
            Z_OK)
        return true;
    inflateEnd(stream);
    return false;
}

/* The point may be anybody's: it need not make sense, but it must lie within. */
static bool is_usable(const struct unzip_point *point, struct str packed, uint64_t skip)
{
    return point->unpacked > 0 && point->unpacked <= skip && point->packed > 0 &&
           point->packed <= packed.length && point->bits < 8 &&
           point->window_length <= sizeof point->window;
}

static enum unzip_result inflate_all(struct outlet *outlet, struct str packed,
                                     struct unzip_point *point)
{
    unsigned char piece[PIECE_BYTES];
    uint64_t skip = outlet->skip, unpacked;
    if (!is_usable(point, packed, skip))
        point->packed = point->unpacked = point->crc = 0;
    z_stream stream = {.next_in = (const unsigned char *)packed.at + point->packed};
    if (!begin_inflating(&stream, packed, point))
        return UNZIP_WRONG;
    stream.avail_in = (uInt)(packed.length - point->packed);
    outlet->crc = point->crc;
    outlet->skip -= point->unpacked;
    unpacked = point->unpacked;
    enum unzip_result result = UNZIP_WRONG;
    for (;;) {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        int status = inflate(&stream, Z_BLOCK);
        bool is_block = stream.data_type & 128; /* it stopped in front of one */
        if (status != Z_OK && status != Z_STREAM_END && !(status == Z_BUF_ERROR && is_block))
            break;
        size_t length = sizeof piece - stream.avail_out;
        unpacked += length;
        if (!let_out(outlet, str_make(piece, length))) {
            result = UNZIP_FULL;
            break;
        }
        if (status == Z_STREAM_END) {
            result = UNZIP_ALL;
            break;
        }
        if (is_block && unpacked <= skip)
            move_point(point, packed, &stream, outlet, unpacked);
    }
    inflateEnd(&stream);
    return result;
}

enum unzip_result unzip_read(const struct unzip_entry *entry, uint64_t skip,
                             struct unzip_point *point, struct buf *out)
{
    struct outlet outlet = {.skip = skip, .out = out};
    struct unzip_point beginning = {0};
    enum unzip_result result = UNZIP_WRONG;
    if (entry->is_encrypted)
        return UNZIP_WRONG;
    if (entry->method == METHOD_STORED)
        result = let_out(&outlet, entry->packed) ? UNZIP_ALL : UNZIP_FULL;
    else if (entry->method == METHOD_DEFLATE)
        result = inflate_all(&outlet, entry->packed, point ? point : &beginning);
    return result == UNZIP_ALL && outlet.crc != entry->crc ? UNZIP_WRONG : result;
}

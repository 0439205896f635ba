#include "server/base/zip.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "server/base/buf.h"

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    DESCRIPTOR_SIGNATURE = 0x08074b50,
    CENTRAL_SIGNATURE = 0x02014b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR64_SIGNATURE = 0x07064b50,
    END_SIGNATURE = 0x06054b50,
    VERSION = 20,
    VERSION_ZIP64 = 45,
    MADE_BY_UNIX = 3 << 8,
    FLAGS = 1 << 3 | 1 << 11, /* sizes follow the bytes; the name is UTF-8 */
    METHOD_DEFLATE = 8,
    EXTRA_ZIP64 = 1,
    EXTRA_TIME = 0x5455, /* Info-ZIP: seconds since 1970, as DOS times know no zone */
    NAME_BYTES_MAX = 65535,
    OUT_BYTES = 64 * 1024,
    HEAD_BYTES_MAX = 128 + NAME_BYTES_MAX,
    DIRECTORY_BYTES = 256 * 1024, /* of the directory in memory; the rest waits in a file */
};
static const uint64_t SMALL_MAX = 0xffffffff; /* this value itself means "see Zip64" */

struct zip {
    zip_write_fn *write;
    void *context;
    z_stream deflate;
    char *out;         /* OUT_BYTES */
    uint64_t offset;   /* bytes written */
    uint64_t count;    /* entries ended */
    struct buf recent; /* the end of the directory */
    int file;          /* its beginning; -1: all is in `recent` */
    uint64_t file_bytes;
    /* of the entry under way */
    bool is_open, is_huge;
    struct buf name;
    uint32_t crc, modified_s, dos_time;
    uint64_t size, start; /* `start`: of its local header */
    uint64_t data_start;
};

struct zip *zip_new(zip_write_fn *write, void *context)
{
    struct zip *zip = calloc(1, sizeof *zip);
    char *out = malloc(OUT_BYTES);
    if (!zip || !out)
        abort();
    zip->write = write;
    zip->context = context;
    zip->out = out;
    zip->file = -1;
    zip->recent = BUF_INIT(DIRECTORY_BYTES + HEAD_BYTES_MAX);
    zip->name = BUF_INIT(NAME_BYTES_MAX);
    if (deflateInit2(&zip->deflate, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return zip;
}

void zip_free(struct zip **zip)
{
    struct zip *z = *zip;
    *zip = NULL;
    if (!z)
        return;
    deflateEnd(&z->deflate);
    if (z->file >= 0)
        close(z->file);
    buf_free(&z->recent);
    buf_free(&z->name);
    free(z->out);
    free(z);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void put(struct buf *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_char(out, (char)(number >> 8 * i));
}

/* Date and time as MS-DOS keeps them, from 1980 on, in UTC. */
static uint32_t dos_time(int64_t seconds)
{
    const int64_t earliest = 315532800;  /* 1980-01-01 */
    const int64_t latest = 4354819198LL; /* 2107-12-31 23:59:58 */
    time_t at = (time_t)(seconds < earliest ? earliest : seconds > latest ? latest : seconds);
    struct tm tm;
    gmtime_r(&at, &tm);
    return (uint32_t)(tm.tm_year - 80) << 25 | (uint32_t)(tm.tm_mon + 1) << 21 |
           (uint32_t)tm.tm_mday << 16 | (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 |
           (uint32_t)tm.tm_sec / 2;
}

static void put_time_extra(struct buf *out, uint32_t seconds)
{
    put(out, EXTRA_TIME, 2);
    put(out, 5, 2);
    put(out, 1, 1); /* only the time of modification */
    put(out, seconds, 4);
}
enum { TIME_EXTRA_BYTES = 9 };

/* --- writing ---------------------------------------------------------------------------------- */

static bool send(struct zip *zip, struct str bytes, struct error *err)
{
    zip->offset += bytes.length;
    return !bytes.length || zip->write(zip->context, bytes) ||
           error_set(err, ERROR_CLOSED, "nobody takes the archive any more");
}

static bool send_head(struct zip *zip, struct buf *head, struct error *err)
{
    assert(!head->is_full);
    bool is_good = send(zip, buf_view(head), err);
    buf_free(head);
    return is_good;
}

static bool run_deflate(struct zip *zip, int flush, struct error *err)
{
    int status;
    do {
        zip->deflate.next_out = (unsigned char *)zip->out;
        zip->deflate.avail_out = OUT_BYTES;
        status = deflate(&zip->deflate, flush);
        assert(status != Z_STREAM_ERROR);
        if (!send(zip, str_make(zip->out, OUT_BYTES - zip->deflate.avail_out), err))
            return false;
    } while (zip->deflate.avail_out == 0);
    return true;
}

bool zip_begin(struct zip *zip, const struct zip_entry *entry, struct error *err)
{
    assert(!zip->is_open);
    if (entry->name.length == 0 || entry->name.length > NAME_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "the name of a file in an archive is too long");
    int64_t seconds = entry->modified_at / 1000000;
    zip->is_open = true;
    zip->is_huge = entry->may_be_huge;
    buf_reset(&zip->name);
    buf_str(&zip->name, entry->name);
    zip->crc = 0;
    zip->size = 0;
    zip->start = zip->offset;
    zip->modified_s = seconds < 0 ? 0 : seconds > INT32_MAX ? INT32_MAX : (uint32_t)seconds;
    zip->dos_time = dos_time(seconds);
    deflateReset(&zip->deflate);
    deflateParams(&zip->deflate, entry->is_compressed ? Z_NO_COMPRESSION : Z_BEST_SPEED,
                  Z_DEFAULT_STRATEGY);
    struct buf head = BUF_INIT(HEAD_BYTES_MAX);
    put(&head, LOCAL_SIGNATURE, 4);
    put(&head, zip->is_huge ? VERSION_ZIP64 : VERSION, 2);
    put(&head, FLAGS, 2);
    put(&head, METHOD_DEFLATE, 2);
    put(&head, zip->dos_time, 4);
    put(&head, 0, 4);
    put(&head, zip->is_huge ? SMALL_MAX : 0, 4);
    put(&head, zip->is_huge ? SMALL_MAX : 0, 4);
    put(&head, zip->name.length, 2);
    put(&head, TIME_EXTRA_BYTES + (zip->is_huge ? 20 : 0), 2);
    buf_str(&head, buf_view(&zip->name));
    put_time_extra(&head, zip->modified_s);
    if (zip->is_huge) { /* says that the sizes behind the bytes have eight bytes each */
        put(&head, EXTRA_ZIP64, 2);
        put(&head, 16, 2);
        put(&head, 0, 8);
        put(&head, 0, 8);
    }
    bool is_good = send_head(zip, &head, err);
    zip->data_start = zip->offset;
    return is_good;
}

bool zip_append(struct zip *zip, struct str bytes, struct error *err)
{
    assert(zip->is_open);
    while (bytes.length > 0) {
        struct str piece = str_sub(bytes, 0, 1 << 30);
        zip->crc = (uint32_t)crc32(zip->crc, (const unsigned char *)piece.at, (uInt)piece.length);
        zip->size += piece.length;
        zip->deflate.next_in = (const unsigned char *)piece.at;
        zip->deflate.avail_in = (uInt)piece.length;
        if (!run_deflate(zip, Z_NO_FLUSH, err))
            return false;
        if (!zip->is_huge && (zip->size >= SMALL_MAX || zip->offset - zip->data_start >= SMALL_MAX))
            return error_set(err, ERROR_LIMIT, "a file is too large for its place in the archive");
        bytes = str_skip(bytes, piece.length);
    }
    return true;
}

/* --- the directory ---------------------------------------------------------------------------- */

static bool spill(struct zip *zip, struct error *err)
{
    const char *folder = getenv("TMPDIR");
    if (zip->file < 0)
        zip->file = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (zip->file < 0)
        return error_errno(err, ERROR_INTERNAL, "no room for an archive's directory");
    for (size_t done = 0; done < zip->recent.length;) {
        ssize_t n = write(zip->file, zip->recent.at + done, zip->recent.length - done);
        if (n <= 0)
            return error_errno(err, ERROR_INTERNAL, "no room for an archive's directory");
        done += (size_t)n;
        zip->file_bytes += (uint64_t)n;
    }
    buf_reset(&zip->recent);
    return true;
}

static void put_central(struct zip *zip, uint64_t packed)
{
    struct buf *out = &zip->recent;
    bool is_far = zip->start >= SMALL_MAX;
    uint64_t extra64 = (zip->is_huge ? 16U : 0) + (is_far ? 8U : 0);
    put(out, CENTRAL_SIGNATURE, 4);
    put(out, MADE_BY_UNIX | VERSION_ZIP64, 2);
    put(out, extra64 ? VERSION_ZIP64 : VERSION, 2);
    put(out, FLAGS, 2);
    put(out, METHOD_DEFLATE, 2);
    put(out, zip->dos_time, 4);
    put(out, zip->crc, 4);
    put(out, zip->is_huge ? SMALL_MAX : packed, 4);
    put(out, zip->is_huge ? SMALL_MAX : zip->size, 4);
    put(out, zip->name.length, 2);
    put(out, TIME_EXTRA_BYTES + (extra64 ? 4 + extra64 : 0), 2);
    put(out, 0, 2);              /* no comment */
    put(out, 0, 2);              /* disk */
    put(out, 0, 2);              /* not known to be text */
    put(out, 0100644U << 16, 4); /* an ordinary file; upper half: Unix */
    put(out, is_far ? SMALL_MAX : zip->start, 4);
    buf_str(out, buf_view(&zip->name));
    put_time_extra(out, zip->modified_s);
    if (!extra64)
        return;
    put(out, EXTRA_ZIP64, 2);
    put(out, extra64, 2);
    if (zip->is_huge) {
        put(out, zip->size, 8);
        put(out, packed, 8);
    }
    if (is_far)
        put(out, zip->start, 8);
}

bool zip_end(struct zip *zip, struct error *err)
{
    assert(zip->is_open);
    struct buf tail = BUF_INIT(HEAD_BYTES_MAX);
    zip->deflate.next_in = NULL;
    zip->deflate.avail_in = 0;
    if (!run_deflate(zip, Z_FINISH, err))
        return false;
    uint64_t packed = zip->offset - zip->data_start;
    int size_bytes = zip->is_huge ? 8 : 4;
    put(&tail, DESCRIPTOR_SIGNATURE, 4);
    put(&tail, zip->crc, 4);
    put(&tail, packed, size_bytes);
    put(&tail, zip->size, size_bytes);
    if (!send_head(zip, &tail, err))
        return false;
    zip->is_open = false;
    zip->count++;
    put_central(zip, packed);
    return zip->recent.length < DIRECTORY_BYTES || spill(zip, err);
}

static bool send_directory(struct zip *zip, struct error *err)
{
    for (uint64_t done = 0; done < zip->file_bytes;) {
        ssize_t n = pread(zip->file, zip->out, OUT_BYTES, (off_t)done);
        if (n <= 0)
            return error_errno(err, ERROR_INTERNAL, "an archive's directory cannot be read");
        if (!send(zip, str_make(zip->out, (size_t)n), err))
            return false;
        done += (uint64_t)n;
    }
    return send(zip, buf_view(&zip->recent), err);
}

bool zip_finish(struct zip *zip, struct error *err)
{
    assert(!zip->is_open);
    uint64_t start = zip->offset;
    struct buf tail = BUF_INIT(HEAD_BYTES_MAX);
    if (!send_directory(zip, err))
        return false;
    uint64_t end = zip->offset, length = end - start;
    if (zip->count >= 0xffff || start >= SMALL_MAX || length >= SMALL_MAX) {
        put(&tail, END64_SIGNATURE, 4);
        put(&tail, 44, 8); /* what follows of this record */
        put(&tail, MADE_BY_UNIX | VERSION_ZIP64, 2);
        put(&tail, VERSION_ZIP64, 2);
        put(&tail, 0, 4); /* disks */
        put(&tail, 0, 4);
        put(&tail, zip->count, 8);
        put(&tail, zip->count, 8);
        put(&tail, length, 8);
        put(&tail, start, 8);
        put(&tail, LOCATOR64_SIGNATURE, 4);
        put(&tail, 0, 4);
        put(&tail, end, 8);
        put(&tail, 1, 4);
    }
    put(&tail, END_SIGNATURE, 4);
    put(&tail, 0, 4); /* disks */
    put(&tail, zip->count < 0xffff ? zip->count : 0xffff, 2);
    put(&tail, zip->count < 0xffff ? zip->count : 0xffff, 2);
    put(&tail, length < SMALL_MAX ? length : SMALL_MAX, 4);
    put(&tail, start < SMALL_MAX ? start : SMALL_MAX, 4);
    put(&tail, 0, 2); /* no comment */
    return send_head(zip, &tail, err);
}

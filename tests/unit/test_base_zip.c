/* The zip writer. What other programs make of its archives is asked in test_mail_archive.c (our
 * reader) and tests/integration/test_archive.py (Python's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ZLIB_CONST
#include <zlib.h>

#include "server/base/buf.h"
#include "server/base/zip.h"

enum { ARCHIVE_BYTES_MAX = 64 * 1024 * 1024 };

static bool keep(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

static uint64_t number_at(const struct buf *b, size_t at, int bytes)
{
    uint64_t n = 0;
    for (int i = bytes; i-- > 0;)
        n = n << 8 | (unsigned char)b->at[at + (size_t)i];
    return n;
}

static void add(struct zip *zip, const struct zip_entry *entry, struct str bytes)
{
    struct error err = ERROR_INIT;
    assert_true(zip_begin(zip, entry, &err));
    assert_true(zip_append(zip, str_sub(bytes, 0, bytes.length / 2), &err));
    assert_true(zip_append(zip, str_skip(bytes, bytes.length / 2), &err));
    assert_true(zip_end(zip, &err));
}

/* The bytes of the first entry, unpacked. */
static void unpack_first(const struct buf *archive, struct buf *plain)
{
    size_t start = 30 + number_at(archive, 26, 2) + number_at(archive, 28, 2);
    z_stream inflate_stream = {.next_in = (const unsigned char *)archive->at + start,
                               .avail_in = (uInt)(archive->length - start)};
    assert_int_equal(inflateInit2(&inflate_stream, -MAX_WBITS), Z_OK);
    int status;
    do {
        char *at = buf_reserve(plain, 4096);
        assert_non_null(at);
        inflate_stream.next_out = (unsigned char *)at;
        inflate_stream.avail_out = 4096;
        status = inflate(&inflate_stream, Z_NO_FLUSH);
        assert_true(status == Z_OK || status == Z_STREAM_END);
        plain->length += 4096 - inflate_stream.avail_out;
    } while (status != Z_STREAM_END);
    inflateEnd(&inflate_stream);
}

static void check_bytes(bool is_compressed, bool may_be_huge)
{
    struct error err = ERROR_INIT;
    struct buf archive = BUF_INIT(ARCHIVE_BYTES_MAX), plain = BUF_INIT(ARCHIVE_BYTES_MAX),
               text = BUF_INIT(ARCHIVE_BYTES_MAX);
    while (text.length < 300000)
        buf_printf(&text, "line %zu\r\n", text.length);
    struct zip *zip = zip_new(keep, &archive);
    const struct zip_entry entry = {.name = STR("In/a letter.eml"),
                                    .modified_at = 1700000000LL * 1000000,
                                    .is_compressed = is_compressed,
                                    .may_be_huge = may_be_huge};
    add(zip, &entry, buf_view(&text));
    assert_true(zip_finish(zip, &err));
    zip_free(&zip);
    assert_null(zip);
    unpack_first(&archive, &plain);
    assert_int_equal(plain.length, text.length);
    assert_memory_equal(plain.at, text.at, text.length);
    assert_true((archive.length < text.length) == !is_compressed);
    buf_free(&archive);
    buf_free(&plain);
    buf_free(&text);
}

static void test_bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    check_bytes(false, false);
    check_bytes(true, false);
    check_bytes(false, true);
}

static void test_an_empty_archive_is_one(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct buf archive = BUF_INIT(ARCHIVE_BYTES_MAX);
    struct zip *zip = zip_new(keep, &archive);
    assert_true(zip_finish(zip, &err));
    zip_free(&zip);
    assert_int_equal(archive.length, 22);
    assert_int_equal(number_at(&archive, 0, 4), 0x06054b50);
    buf_free(&archive);
}

static void test_many_entries_need_zip64(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct buf archive = BUF_INIT(ARCHIVE_BYTES_MAX);
    struct zip *zip = zip_new(keep, &archive);
    enum { COUNT = 70000 };
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "%d.eml", i);
        add(zip, &(struct zip_entry){.name = str_make(name, (size_t)length)}, STR("x"));
    }
    assert_true(zip_finish(zip, &err));
    zip_free(&zip);
    size_t end = archive.length - 22;
    assert_int_equal(number_at(&archive, end + 8, 2), 0xffff);
    assert_int_equal(number_at(&archive, end - 20, 4), 0x07064b50);
    size_t end64 = number_at(&archive, end - 20 + 8, 8);
    assert_int_equal(number_at(&archive, end64, 4), 0x06064b50);
    assert_int_equal(number_at(&archive, end64 + 32, 8), COUNT);
    /* the directory, most of which went through a file, is whole */
    size_t at = number_at(&archive, end64 + 48, 8);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "%d.eml", i);
        assert_int_equal(number_at(&archive, at, 4), 0x02014b50);
        assert_int_equal(number_at(&archive, at + 28, 2), length);
        assert_memory_equal(archive.at + at + 46, name, (size_t)length);
        at += 46 + (size_t)length + number_at(&archive, at + 30, 2);
    }
    assert_int_equal(at, end64);
    buf_free(&archive);
}

static void test_a_reader_who_leaves_ends_the_writing(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct buf archive = BUF_INIT(1000);
    struct zip *zip = zip_new(keep, &archive);
    char noise[64 * 1024];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)rand();
    assert_true(zip_begin(zip, &(struct zip_entry){.name = STR("a")}, &err));
    bool is_good = true;
    for (int i = 0; i < 8 && is_good; i++)
        is_good = zip_append(zip, str_make(noise, sizeof noise), &err);
    assert_false(is_good);
    assert_int_equal(err.kind, ERROR_CLOSED);
    zip_free(&zip);
    buf_free(&archive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_out_as_they_went_in),
        cmocka_unit_test(test_an_empty_archive_is_one),
        cmocka_unit_test(test_many_entries_need_zip64),
        cmocka_unit_test(test_a_reader_who_leaves_ends_the_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files that somebody brings: what our own writer makes is read back, in batches that end; hostile
 * ones are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/base/zip.h"
#include "server/mail/archive.h"
#include "server/mail/mbox.h"

enum { LIMIT = 256 * 1024 * 1024 };

static bool keep(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

static void add(struct zip *zip, const char *name, struct str bytes)
{
    struct error err = ERROR_INIT;
    const struct zip_entry entry = {.name = str_of(name), .may_be_huge = bytes.length % 2};
    assert_true(zip_begin(zip, &entry, &err) && zip_append(zip, bytes, &err) && zip_end(zip, &err));
}

static void finish(struct zip **zip)
{
    struct error err = ERROR_INIT;
    assert_true(zip_finish(*zip, &err));
    zip_free(zip);
}

/* What reading a whole file came to. */
struct outcome {
    struct buf bytes;
    int messages, batches, others;
    int fates[ARCHIVE_FATES];
    enum archive_trouble trouble;
};

static struct outcome read_all(struct str file)
{
    struct outcome all = {.bytes = BUF_INIT(LIMIT)};
    struct archive_batch *batch = archive_batch_new();
    struct archive_cursor cursor = {0};
    do {
        archive_read(file, cursor, batch);
        buf_str(&all.bytes, buf_view(&batch->bytes));
        for (size_t i = 0; i < batch->count; i++)
            all.fates[batch->at[i].fate]++;
        all.messages += (int)batch->count;
        all.others += (int)batch->others;
        all.batches++;
        cursor = batch->next;
    } while (!batch->is_end);
    all.trouble = batch->trouble;
    archive_batch_free(&batch);
    return all;
}

static void test_messages_and_mailbox_files_of_an_archive_are_read(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(LIMIT);
    struct zip *zip = zip_new(keep, &file);
    add(zip, "In/a.EML", STR("Subject: a\r\n\r\nA\r\n"));
    add(zip, "b.mbox",
        STR("From x Mon Jan  2 15:04:05 2006\nSubject: b\n\n>From B\n\n"
            "From x Mon Jan  2 15:04:05 2006\nSubject: c\n\nC\n\n"));
    add(zip, "README.txt", STR("no mail"));
    add(zip, "__MACOSX/._a.eml", STR("no mail"));
    finish(&zip);
    struct outcome all = read_all(buf_view(&file));
    assert_int_equal(all.messages, 3);
    assert_int_equal(all.others, 1);
    assert_int_equal(all.trouble, ARCHIVE_FINE);
    assert_string_equal(all.bytes.at, "Subject: a\r\n\r\nA\r\nSubject: b\r\n\r\nFrom B\r\n"
                                      "Subject: c\r\n\r\nC\r\n");
    buf_free(&all.bytes);
    buf_free(&file);
}

/* 3,000 messages of 5 kB: several batches, and several windows of a packed mailbox file. */
static void make_mbox(struct buf *mbox)
{
    for (int i = 0; i < 3000; i++) {
        struct mbox_quoter quoter = {0};
        struct buf message = BUF_INIT(LIMIT);
        buf_printf(&message, "Subject: %d\r\n\r\n", i);
        while (message.length < 5000)
            buf_text(&message, "From time to time a line\r\n");
        mbox_write_from(mbox, STR("a@b"), 1700000000LL * 1000000);
        mbox_quote(&quoter, buf_view(&message), mbox);
        mbox_quote_end(&quoter, mbox);
        buf_free(&message);
    }
}

static void test_a_mailbox_file_is_read_in_batches_packed_or_not(void **state)
{
    (void)state;
    struct buf mbox = BUF_INIT(LIMIT), file = BUF_INIT(LIMIT);
    make_mbox(&mbox);
    struct zip *zip = zip_new(keep, &file);
    add(zip, "all.mbox", buf_view(&mbox));
    finish(&zip);
    struct outcome plain = read_all(buf_view(&mbox)), packed = read_all(buf_view(&file));
    assert_int_equal(plain.messages, 3000);
    assert_int_equal(packed.messages, 3000);
    assert_true(plain.batches > 10 && packed.batches > 10);
    assert_int_equal(plain.bytes.length, packed.bytes.length);
    assert_memory_equal(plain.bytes.at, packed.bytes.at, plain.bytes.length);
    buf_free(&plain.bytes);
    buf_free(&packed.bytes);
    buf_free(&mbox);
    buf_free(&file);
}

/* 3,000 messages of 3 kB that hardly can be packed, so that there are many blocks. */
static void make_dense_mbox(struct buf *mbox)
{
    uint32_t dice = 1;
    for (int i = 0; i < 3000; i++) {
        buf_printf(mbox, "From a@b Mon Jan  2 15:04:05 2006\nSubject: %d\n\n", i);
        for (int k = 0; k < 3000; k++) {
            dice = dice * 1664525 + 1013904223;
            buf_char(mbox, k % 72 == 71 ? '\n' : (char)(' ' + (dice >> 16) % 95));
        }
        buf_text(mbox, "\n\n");
    }
}

/* What lies before the point is made unreadable: whoever needed it again would find damage. */
static void test_a_packed_mailbox_file_is_not_unpacked_from_its_beginning_each_time(void **state)
{
    (void)state;
    struct buf mbox = BUF_INIT(LIMIT), file = BUF_INIT(LIMIT);
    enum { CONTENT_AT = 30 + sizeof "all.mbox" - 1 }; /* a local header, its name */
    make_dense_mbox(&mbox);
    struct zip *zip = zip_new(keep, &file);
    add(zip, "all.mbox", buf_view(&mbox));
    finish(&zip);
    struct archive_batch *batch = archive_batch_new();
    struct archive_cursor cursor = {0};
    uint64_t extra = (unsigned char)file.at[28];
    int messages = 0, batches = 0;
    do {
        if (batch->point.at.packed > 1)
            memset(file.at + CONTENT_AT + extra, 0xff, batch->point.at.packed - 1);
        archive_read(buf_view(&file), cursor, batch);
        for (size_t i = 0; i < batch->count; i++)
            messages += batch->at[i].fate == ARCHIVE_MESSAGE;
        if (cursor.position > 0)
            assert_in_range(cursor.position - batch->point.at.unpacked, 0, 1024 * 1024);
        cursor = batch->next;
        batches++;
    } while (!batch->is_end);
    assert_int_equal(batch->trouble, ARCHIVE_FINE);
    assert_int_equal(messages, 3000); /* so the checksum of the whole was right, too */
    assert_true(batches > 5);
    archive_batch_free(&batch);
    buf_free(&mbox);
    buf_free(&file);
}

static void test_a_message_that_is_too_large_is_left_out_and_the_next_one_is_not(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(LIMIT), large = BUF_INIT(LIMIT);
    while (large.length <= ARCHIVE_MESSAGE_BYTES_MAX)
        buf_text(&large,
                 "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
    struct zip *zip = zip_new(keep, &file);
    add(zip, "large.eml", buf_view(&large));
    add(zip, "small.eml", STR("Subject: small\r\n\r\n"));
    finish(&zip);
    struct outcome all = read_all(buf_view(&file));
    assert_int_equal(all.fates[ARCHIVE_TOO_LARGE], 1);
    assert_int_equal(all.fates[ARCHIVE_MESSAGE], 1);
    assert_int_equal(all.trouble, ARCHIVE_FINE);
    buf_free(&all.bytes);
    buf_free(&large);
    buf_free(&file);
}

static void test_what_is_no_mail_at_all_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum archive_trouble trouble;
    } cases[] = {
        {"", ARCHIVE_UNKNOWN},
        {"Subject: a message alone\n\nx\n", ARCHIVE_UNKNOWN},
        {"PK\3\4 and nothing more", ARCHIVE_BROKEN},
        {"PK\5\6", ARCHIVE_BROKEN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome all = read_all(str_of(cases[i].file));
        assert_int_equal(all.trouble, cases[i].trouble);
        assert_int_equal(all.messages, 0);
        buf_free(&all.bytes);
    }
}

/* Every byte of an archive changed in turn, and every length it may be cut to. */
static void test_damage_anywhere_ends_and_stays_within(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(LIMIT);
    struct zip *zip = zip_new(keep, &file);
    add(zip, "a.eml", STR("Subject: a\r\n\r\nA\r\n"));
    add(zip, "b.mbox", STR("From x Mon Jan  2 15:04:05 2006\nSubject: b\n\nB\n\n"));
    finish(&zip);
    for (size_t i = 0; i < file.length; i++) {
        static const char values[] = {0, 1, 0x7f, (char)0x80, (char)0xff};
        char before = file.at[i];
        for (size_t k = 0; k < sizeof values; k++) {
            file.at[i] = values[k];
            struct outcome all = read_all(buf_view(&file));
            assert_true(all.messages <= 2);
            buf_free(&all.bytes);
        }
        file.at[i] = before;
        struct outcome cut = read_all(str_sub(buf_view(&file), 0, i));
        assert_int_equal(cut.messages, 0);
        buf_free(&cut.bytes);
    }
    buf_free(&file);
}

/* The same packed bytes under very many names. */
static void test_an_archive_that_unpacks_to_too_much_is_given_up(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(LIMIT), text = BUF_INIT(LIMIT), bomb = BUF_INIT(LIMIT);
    while (text.length < 16 * 1024 * 1024)
        buf_text(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct zip *zip = zip_new(keep, &file);
    add(zip, "a.eml", buf_view(&text));
    finish(&zip);
    struct str end = str_skip(buf_view(&file), file.length - 22);
    uint32_t at, length, count = 500, all_length;
    memcpy(&length, end.at + 12, 4);
    memcpy(&at, end.at + 16, 4);
    buf_append(&bomb, file.at, at);
    for (uint32_t i = 0; i < count; i++)
        buf_append(&bomb, file.at + at, length);
    all_length = length * count;
    buf_str(&bomb, end);
    memcpy(bomb.at + bomb.length - 10, &all_length, 4);
    struct outcome all = read_all(buf_view(&bomb));
    assert_int_equal(all.trouble, ARCHIVE_BOMB);
    assert_true(all.messages < 200);
    buf_free(&all.bytes);
    buf_free(&file);
    buf_free(&text);
    buf_free(&bomb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_and_mailbox_files_of_an_archive_are_read),
        cmocka_unit_test(test_a_mailbox_file_is_read_in_batches_packed_or_not),
        cmocka_unit_test(test_a_packed_mailbox_file_is_not_unpacked_from_its_beginning_each_time),
        cmocka_unit_test(test_a_message_that_is_too_large_is_left_out_and_the_next_one_is_not),
        cmocka_unit_test(test_what_is_no_mail_at_all_is_told),
        cmocka_unit_test(test_damage_anywhere_ends_and_stays_within),
        cmocka_unit_test(test_an_archive_that_unpacks_to_too_much_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

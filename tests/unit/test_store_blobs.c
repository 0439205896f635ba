/* Bytes in chunks: what goes in comes out, whole and in ranges. */
#include <sys/mman.h>

#include "tests/unit/store_mail_fixture.h"

enum { CHUNK = BLOB_CHUNK_BYTES, LENGTH = 2 * CHUNK + 12345 };

static char text[LENGTH], noise[LENGTH];

static void fill(void)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < LENGTH; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        noise[i] = (char)x;
        text[i] = "All work and no play makes Jack a dull boy.\r\n"[i % 45];
    }
}

/* Writes in pieces of odd lengths. */
static struct blob store_blob(int64_t email_id, struct str part, struct str bytes, size_t piece)
{
    int64_t id, size_bytes;
    struct blob blob;
    assert_good(replica_allocate_ids(mail_db, ALICE, 1, &id, &err));
    assert_good(db_begin(mail_db, &err));
    struct blob_writer *writer = blob_begin(mail_db, ALICE, id, email_id, part, &err);
    assert_good(writer != NULL);
    for (size_t at = 0; at < bytes.length; at += piece)
        assert_good(blob_append(writer, str_sub(bytes, at, piece), &err));
    assert_good(blob_finish(&writer, &size_bytes, &err));
    assert_null(writer);
    assert_int_equal(size_bytes, bytes.length);
    assert_good(db_commit(mail_db, &err));
    assert_good(blob_by_id(mail_db, mail_arena, ALICE, id, &blob, &err));
    assert_int_equal(blob.size_bytes, bytes.length);
    return blob;
}

static int64_t chunk_bytes(int64_t blob_id, const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT coalesce(%s, 0) FROM blob_chunk WHERE blob_id = %lld", what,
             (long long)blob_id);
    return mail_number(sql);
}

static void assert_range(const struct blob *blob, struct str bytes, int64_t offset, int64_t length)
{
    struct buf out = BUF_INIT(LENGTH);
    assert_good(blob_read(mail_db, blob, offset, length, &out, &err));
    assert_true(str_equal(buf_view(&out), str_sub(bytes, (size_t)offset, (size_t)length)));
    buf_free(&out);
}

static void assert_all_ranges(const struct blob *blob, struct str bytes)
{
    static const int64_t edges[] = {0,         1,         100,           CHUNK - 1,  CHUNK,
                                    CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, LENGTH - 1, LENGTH};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t j = i; j < sizeof edges / sizeof *edges; j++)
            assert_range(blob, bytes, edges[i], edges[j] - edges[i]);
    assert_range(blob, bytes, 17, INT64_MAX); /* to the end */
}

static void test_ranges_of_text_are_read_across_chunks(void **state)
{
    (void)state;
    struct str bytes = str_make(text, LENGTH);
    struct blob blob = store_blob(0, STR_EMPTY, bytes, 7777);
    assert_true(blob.is_zstd);
    assert_int_equal(chunk_bytes(blob.id, "count(*)"), 3);
    assert_true(chunk_bytes(blob.id, "sum(length(bytes))") < LENGTH / 10);
    assert_all_ranges(&blob, bytes);
}

static void test_noise_is_stored_as_it_is(void **state)
{
    (void)state;
    struct str bytes = str_make(noise, LENGTH);
    struct blob blob = store_blob(0, STR_EMPTY, bytes, LENGTH);
    assert_false(blob.is_zstd);
    assert_int_equal(chunk_bytes(blob.id, "sum(length(bytes))"), LENGTH);
    assert_all_ranges(&blob, bytes);
}

static void test_chunks_are_compressed_one_by_one(void **state)
{
    (void)state;
    static char mixed[LENGTH];
    memcpy(mixed, noise, LENGTH);
    memcpy(mixed + CHUNK, text, CHUNK);
    struct str bytes = str_make(mixed, LENGTH);
    struct blob blob = store_blob(0, STR_EMPTY, bytes, CHUNK + 1);
    assert_true(blob.is_zstd);
    assert_int_equal(chunk_bytes(blob.id, "max(length(bytes))"), CHUNK);
    assert_true(chunk_bytes(blob.id, "sum(length(bytes))") < CHUNK + CHUNK / 10 + 12345);
    assert_all_ranges(&blob, bytes);
}

static void test_bytes_that_look_like_a_frame_come_back_as_they_were(void **state)
{
    (void)state;
    static char fake[LENGTH];
    memcpy(fake, noise, LENGTH);
    memcpy(fake, "\x28\xb5\x2f\xfd", 4);
    memcpy(fake + CHUNK, text, CHUNK);
    struct blob blob = store_blob(0, STR_EMPTY, str_make(fake, LENGTH), 1000000);
    assert_all_ranges(&blob, str_make(fake, LENGTH));
    blob = store_blob(0, STR_EMPTY, str_make(fake, 9), 9);
    assert_range(&blob, str_make(fake, 9), 0, 9);
    assert_range(&blob, str_make(fake, 9), 2, 5);
}

static void test_an_empty_blob_and_a_range_behind_the_end(void **state)
{
    (void)state;
    struct blob blob = store_blob(0, STR_EMPTY, STR_EMPTY, 1);
    struct buf out = BUF_INIT(100);
    assert_range(&blob, STR_EMPTY, 0, 10);
    assert_kind(blob_read(mail_db, &blob, 1, 1, &out, &err), ERROR_INVALID);
    buf_free(&out);
}

static void test_more_than_the_reader_takes_is_a_limit(void **state)
{
    (void)state;
    struct blob blob = store_blob(0, STR_EMPTY, str_make(text, LENGTH), LENGTH);
    struct buf out = BUF_INIT(CHUNK + 5);
    assert_kind(blob_read(mail_db, &blob, 0, LENGTH, &out, &err), ERROR_LIMIT);
    buf_free(&out);
}

static bool take_once(void *context, struct str bytes)
{
    int *calls = context;
    assert_true(bytes.length <= CHUNK);
    return ++*calls < 2;
}

static void test_a_stream_stops_when_the_reader_does(void **state)
{
    (void)state;
    int calls = 0;
    struct blob blob = store_blob(0, STR_EMPTY, str_make(noise, LENGTH), LENGTH);
    assert_kind(blob_stream(mail_db, &blob, 0, LENGTH, take_once, &calls, &err), ERROR_CLOSED);
    assert_int_equal(calls, 2);
    assert_false(db_in_transaction(mail_db));
}

static void test_a_blob_replaces_one_of_the_same_part(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "blobs", ROLE_NONE, 0);
    int64_t email = add_email(ALICE, mailbox, make_email(1, "blob@x", 1, 0));
    struct blob whole, old, *all;
    size_t count;
    struct buf out = BUF_INIT(100);
    old = store_blob(email, STR("1.2"), str_make(noise, LENGTH), LENGTH);
    store_blob(email, STR_EMPTY, STR("whole"), 5);
    struct blob part = store_blob(email, STR("1.2"), STR("new"), 3);
    assert_good(blob_of_email(mail_db, mail_arena, ALICE, email, STR_EMPTY, &whole, &err));
    assert_int_equal(whole.size_bytes, 5);
    assert_good(blobs_of_email(mail_db, mail_arena, ALICE, email, &all, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(all[1].id, part.id);
    assert_string_equal(all[1].part.at, "1.2");
    assert_int_equal(chunk_bytes(old.id, "count(*)"), 0);
    /* a reader that began before the replacement gets an error, never other bytes */
    assert_kind(blob_read(mail_db, &old, 0, 10, &out, &err), ERROR_NOT_FOUND);
    assert_kind(blob_of_email(mail_db, mail_arena, ALICE, email, STR("2"), &whole, &err),
                ERROR_NOT_FOUND);
    /* the email's end is theirs */
    uint32_t uid = 1;
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(replica_expunge(batch, mailbox, &uid, 1, NULL, &err));
    assert_good(replica_commit(&batch, &err));
    assert_int_equal(chunk_bytes(part.id, "count(*)"), 0);
    buf_free(&out);
}

static void test_an_abandoned_blob_leaves_nothing(void **state)
{
    (void)state;
    int64_t id;
    struct blob blob;
    assert_good(replica_allocate_ids(mail_db, ALICE, 1, &id, &err));
    assert_good(db_begin(mail_db, &err));
    struct blob_writer *writer = blob_begin(mail_db, ALICE, id, 0, STR_EMPTY, &err);
    assert_good(blob_append(writer, str_make(noise, LENGTH), &err));
    blob_abandon(&writer);
    assert_null(writer);
    db_rollback(mail_db);
    assert_kind(blob_by_id(mail_db, mail_arena, ALICE, id, &blob, &err), ERROR_NOT_FOUND);
    assert_int_equal(chunk_bytes(id, "count(*)"), 0);
    /* chunks whose blob was never finished cannot be committed */
    assert_good(db_begin(mail_db, &err));
    writer = blob_begin(mail_db, ALICE, id, 0, STR_EMPTY, &err);
    assert_good(blob_append(writer, str_make(noise, LENGTH), &err));
    blob_abandon(&writer);
    assert_kind(db_commit(mail_db, &err), ERROR_NOT_FOUND);
}

static void test_the_web_role_stores_uploads_and_sees_only_its_own(void **state)
{
    (void)state;
    int64_t id, size_bytes;
    struct blob blob;
    struct db *alice = store_acquire(mail_web, ALICE, &err);
    struct db *bob = store_acquire(mail_web, BOB, &err);
    struct buf out = BUF_INIT(LENGTH);
    assert_good(alice && bob);
    assert_good(replica_allocate_ids(mail_db, ALICE, 2, &id, &err));
    assert_good(db_begin(alice, &err));
    struct blob_writer *writer = blob_begin(alice, ALICE, id, 0, STR_EMPTY, &err);
    assert_good(writer && blob_append(writer, STR("an upload"), &err));
    assert_good(blob_finish(&writer, &size_bytes, &err) && db_commit(alice, &err));
    assert_good(blob_by_id(alice, mail_arena, ALICE, id, &blob, &err));
    assert_good(blob_read(alice, &blob, 3, 6, &out, &err));
    assert_string_equal(out.at, "upload");
    assert_kind(blob_read(bob, &blob, 0, 9, &out, &err), ERROR_NOT_FOUND);
    assert_kind(blob_by_id(bob, mail_arena, ALICE, id, &blob, &err), ERROR_NOT_FOUND);
    assert_good(db_begin(bob, &err));
    writer = blob_begin(bob, ALICE, id + 1, 0, STR_EMPTY, &err);
    assert_good(writer && blob_append(writer, STR("planted"), &err));
    assert_good(blob_finish(&writer, &size_bytes, &err));
    assert_kind(db_commit(bob, &err), ERROR_FORBIDDEN);
    store_release(mail_web, &alice);
    store_release(mail_web, &bob);
    buf_free(&out);
}

/* --- whole messages of one file --------------------------------------------------------------- */

static bool add_from(int fd, struct blob_extent *sources, size_t count, bool is_settled)
{
    bool is_good = db_begin(mail_db, &err) &&
                   blobs_copy_chunks(mail_db, ALICE, fd, sources, count, &err) &&
                   blobs_copy_rows(mail_db, ALICE, sources, count, &err) &&
                   blobs_of_emails_set(mail_db, ALICE, sources, count, is_settled, &err);
    if (is_good)
        return db_commit(mail_db, &err);
    db_rollback(mail_db);
    return false;
}

static void test_messages_of_a_file_are_stored_all_at_once(void **state)
{
    (void)state;
    const struct str bytes[] = {str_make(text, LENGTH), STR("short\r\n"), STR_EMPTY,
                                str_make(noise, LENGTH), str_make(text, CHUNK)};
    enum { COUNT = sizeof bytes / sizeof *bytes };
    struct blob_extent sources[COUNT];
    int64_t inbox = add_mailbox(ALICE, "Spooled", ROLE_NONE, 0), id;
    int fd = memfd_create("messages", MFD_CLOEXEC);
    assert_good(replica_allocate_ids(mail_db, ALICE, COUNT, &id, &err));
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(write(fd, "gap", 3), 3);
        sources[i] = (struct blob_extent){
            .blob_id = id + (int64_t)i,
            .email_id = add_email(ALICE, inbox, make_email((uint32_t)i + 1, "spooled", 1000, 0)),
            .offset = (uint64_t)lseek(fd, 0, SEEK_CUR),
            .length = bytes[i].length};
        assert_int_equal(write(fd, bytes[i].at, bytes[i].length), bytes[i].length);
    }
    assert_true(add_from(fd, sources, COUNT, true));
    for (size_t i = 0; i < COUNT; i++) {
        struct blob blob;
        assert_good(
            blob_of_email(mail_db, mail_arena, ALICE, sources[i].email_id, STR_EMPTY, &blob, &err));
        assert_int_equal(blob.id, sources[i].blob_id);
        assert_int_equal(blob.size_bytes, bytes[i].length);
        struct buf out = BUF_INIT(LENGTH);
        assert_good(blob_read(mail_db, &blob, 0, blob.size_bytes, &out, &err));
        assert_true(str_equal(buf_view(&out), bytes[i]));
        buf_free(&out);
    }
    assert_true(chunk_bytes(sources[0].blob_id, "sum(octet_length(bytes))") < LENGTH / 4);
    assert_int_equal(chunk_bytes(sources[3].blob_id, "sum(octet_length(bytes))"), LENGTH);
    close(fd);
}

/* A file that ends too soon: nothing of the batch is kept. */
static void test_a_file_that_is_too_short_stores_nothing(void **state)
{
    (void)state;
    int64_t inbox = add_mailbox(ALICE, "Short", ROLE_NONE, 0), id;
    int fd = memfd_create("messages", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, 1000), 1000);
    assert_good(replica_allocate_ids(mail_db, ALICE, 2, &id, &err));
    struct blob_extent sources[2];
    for (size_t i = 0; i < 2; i++)
        sources[i] = (struct blob_extent){
            .blob_id = id + (int64_t)i,
            .email_id = add_email(ALICE, inbox, make_email((uint32_t)i + 1, "short", 1000, 0)),
            .offset = 600 * i,
            .length = 600};
    assert_false(add_from(fd, sources, 2, false));
    struct blob blob;
    for (size_t i = 0; i < 2; i++)
        assert_kind(blob_by_id(mail_db, mail_arena, ALICE, sources[i].blob_id, &blob, &err),
                    ERROR_NOT_FOUND);
    assert_int_equal(chunk_bytes(id, "count(*)"), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_of_text_are_read_across_chunks),
        cmocka_unit_test(test_noise_is_stored_as_it_is),
        cmocka_unit_test(test_chunks_are_compressed_one_by_one),
        cmocka_unit_test(test_bytes_that_look_like_a_frame_come_back_as_they_were),
        cmocka_unit_test(test_an_empty_blob_and_a_range_behind_the_end),
        cmocka_unit_test(test_more_than_the_reader_takes_is_a_limit),
        cmocka_unit_test(test_a_stream_stops_when_the_reader_does),
        cmocka_unit_test(test_a_blob_replaces_one_of_the_same_part),
        cmocka_unit_test(test_an_abandoned_blob_leaves_nothing),
        cmocka_unit_test(test_the_web_role_stores_uploads_and_sees_only_its_own),
        cmocka_unit_test(test_messages_of_a_file_are_stored_all_at_once),
        cmocka_unit_test(test_a_file_that_is_too_short_stores_nothing),
    };
    fill();
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

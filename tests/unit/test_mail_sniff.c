/* What bytes are, whatever they are called. */
#include "server/mail/envelope.h"
#include "server/mail/sniff.h"
#include "tests/unit/mail_fixture.h"

static void test_types_are_told_by_the_first_bytes(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *type;
        bool is_raster;
    } rows[] = {
        {STR("\x89PNG\r\n\x1a\n...."), "image/png", true},
        {STR("\xff\xd8\xff\xe0"), "image/jpeg", true},
        {STR("GIF89a"), "image/gif", true},
        {STR("RIFF\x10\x20\x30\x40WEBPVP8 "), "image/webp", true},
        {STR("\x01\x02\x03\x04"
             "ftypavif"),
         "image/avif", true},
        {STR("\x01\x02\x03\x04"
             "ftypisom"),
         "video/mp4", false},
        {STR("%PDF-1.7"), "application/pdf", false},
        {STR("PK\x03\x04"), "application/zip", false},
        {STR("<svg xmlns="), "", false},
        {STR("<html>"), "", false},
        {STR("GIF8"), "", false},
        {STR(""), "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_str_of(rows[i].type, sniff_type(rows[i].bytes), rows[i].type);
        assert_int_equal(sniff_is_raster(sniff_type(rows[i].bytes)), rows[i].is_raster);
    }
}

static void test_the_kept_fields_of_an_envelope_are_read_back(void **state)
{
    struct arena *arena = *state;
    struct envelope written, read;
    struct buf json = BUF_INIT(4096);
    envelope_parse(arena,
                   STR("List-ID: News <news.example>\r\n"
                       "List-Unsubscribe: <https://news.example/leave>\r\n"
                       "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
                       "Authentication-Results: mx.example; spf=pass\r\n"
                       "Authentication-Results: other.example; spf=fail\r\nX-Priority: 1\r\n\r\n"),
                   &written);
    assert_true(envelope_write_json(&json, &written));
    envelope_read_json(arena, buf_view(&json), STR("[{\"name\":null,\"email\":\"a@b.example\"}]"),
                       &read);
    assert_str(read.list_id, "news.example");
    assert_true(str_equal(read.list_unsubscribe, written.list_unsubscribe));
    assert_true(str_equal(read.list_unsubscribe_post, written.list_unsubscribe_post));
    assert_int_equal(read.authentication_results_count, 2);
    assert_true(str_equal(read.authentication_results[1], written.authentication_results[1]));
    assert_int_equal(read.priority, 1);
    assert_int_equal(read.from.count, 1);
    assert_str(read.from.at[0].email, "a@b.example");
    buf_free(&json);
}

static void test_what_is_no_json_gives_an_empty_envelope(void **state)
{
    struct arena *arena = *state;
    static const char *const rows[] = {"", "x", "[]", "{\"listId\": 7}", "{\"listId\": [\"a\"]}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct envelope read;
        envelope_read_json(arena, str_of(rows[i]), str_of(rows[i]), &read);
        assert_int_equal(read.list_id.length, 0);
        assert_int_equal(read.from.count, 0);
        assert_int_equal(read.priority, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_types_are_told_by_the_first_bytes),
        MAIL_TEST(test_the_kept_fields_of_an_envelope_are_read_back),
        MAIL_TEST(test_what_is_no_json_gives_an_empty_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

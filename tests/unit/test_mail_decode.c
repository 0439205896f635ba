/* Transfer encodings, whole and in chunks of every size. */
#include "server/mail/decode.h"
#include "tests/unit/mail_fixture.h"

static const struct {
    enum mime_encoding encoding;
    const char *body, *bytes;
} rows[] = {
    {MIME_8BIT, "as = it\r\nis", "as = it\r\nis"},
    {MIME_BASE64, "aGVsbG8=", "hello"},
    {MIME_BASE64, "aGVs\r\nbG8=\r\n", "hello"},
    {MIME_BASE64, "aGVsbG8", "hello"},
    {MIME_BASE64, "aG Vs*bG\t8=", "hello"},
    {MIME_BASE64, "aGVsbG8gd29ybGQ", "hello world"},
    /* "=" in mid-stream: what comes behind it is not lost (ref libraries, GMime 2) */
    {MIME_BASE64, "aGVsbG8=IHdvcmxk", "hello world"},
    {MIME_BASE64, "aA==aQ==ag==", "hij"},
    {MIME_BASE64, "-_-_", "\xfb\xff\xbf"},
    {MIME_BASE64, "", ""},
    {MIME_BASE64, "====", ""},
    {MIME_BASE64, "A", ""},
    {MIME_QUOTED_PRINTABLE, "caf=C3=A9", "café"},
    {MIME_QUOTED_PRINTABLE, "caf=c3=a9", "café"},
    {MIME_QUOTED_PRINTABLE, "a=\r\nb", "ab"},
    {MIME_QUOTED_PRINTABLE, "a=\nb", "ab"},
    {MIME_QUOTED_PRINTABLE, "a= \t\r\nb", "ab"},
    {MIME_QUOTED_PRINTABLE, "a  \r\nb", "a\r\nb"},
    {MIME_QUOTED_PRINTABLE, "a  b", "a  b"},
    {MIME_QUOTED_PRINTABLE, "1+1=2", "1+1=2"},
    {MIME_QUOTED_PRINTABLE, "100 =% x=", "100 =% x"},
    {MIME_QUOTED_PRINTABLE, "a==3Db", "a==b"},
    {MIME_QUOTED_PRINTABLE, "=4", "=4"},
    {MIME_UUENCODE, "begin 644 a\n#0V%T\n`\nend\n", "Cat"},
    {MIME_UUENCODE, "prose\r\nbegin 644 a\r\n#0V%T\r\n`\r\nend\r\nprose", "Cat"},
    {MIME_UUENCODE, "no begin", ""},
    {MIME_UUENCODE, "begin 644 a\nM0V%T\n", "Cat"}, /* says 45, has 3 */
};

static void test_bodies_decode_the_same_in_chunks_of_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str body = str_of(rows[i].body);
        for (size_t step = 1; step <= body.length + 1; step++) {
            struct mime_decoder decoder = mime_decoder(rows[i].encoding);
            struct buf out = BUF_INIT(1024);
            for (size_t at = 0; at < body.length; at += step)
                mime_decoder_feed(&decoder, str_sub(body, at, step), &out);
            mime_decoder_finish(&decoder, &out);
            assert_str_of(rows[i].body, buf_view(&out), rows[i].bytes);
            buf_free(&out);
        }
        assert_int_equal(mime_decoded_size(body, rows[i].encoding), strlen(rows[i].bytes));
    }
}

static void test_what_fits_is_kept_when_the_buffer_is_full(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1024 * 1024), out = BUF_INIT(100 * 1000);
    repeat(&body, "QUFB", 100 * 1000);
    assert_false(mime_decode(&out, buf_view(&body), MIME_BASE64));
    assert_true(out.length > 90 * 1000);
    buf_free(&body);
    buf_free(&out);
}

static void test_encodings_have_names(void **state)
{
    (void)state;
    assert_int_equal(mime_encoding_of(STR("Base64")), MIME_BASE64);
    assert_int_equal(mime_encoding_of(STR(" quoted-printable ")), MIME_QUOTED_PRINTABLE);
    assert_int_equal(mime_encoding_of(STR("x-uuencode")), MIME_UUENCODE);
    assert_int_equal(mime_encoding_of(STR("x-whatever")), MIME_8BIT);
    assert_int_equal(mime_encoding_of(STR("")), MIME_8BIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_decode_the_same_in_chunks_of_every_size),
        cmocka_unit_test(test_what_fits_is_kept_when_the_buffer_is_full),
        cmocka_unit_test(test_encodings_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

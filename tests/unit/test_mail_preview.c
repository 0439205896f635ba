/* The line under the subject. */
#include "server/mail/preview.h"
#include "tests/unit/mail_fixture.h"

static void test_previews_of_text(void **state)
{
    static const char *const rows[][2] = {
        {"Hello\n\n  there,\tfriend", "Hello there, friend"},
        {"", ""},
        {" \n\t\n", ""},
        {"> quoted\nmine", "mine"},
        {"On Monday Ann wrote:\n> quoted\n\nmine", "mine"},
        {"On Monday, 24 November 2026 at 10:00, Ann\n<ann@example.org> wrote:\n\n> quoted\nmine",
         "mine"},
        {"Am Montag schrieb Ann:\n> zitiert\nIch", "Ich"},
        {"He wrote:\nno quote follows", "He wrote: no quote follows"},
        {"text\n-- \nsignature", "text"},
        {"text\n-----Original Message-----\nFrom: x", "text"},
        {"-----Original Message-----\nforwarded", "forwarded"},
        {"=====\nTitle\n-----\nbody *** more...", "Title body more..."},
        {"> only\n> quotes", "> only > quotes"},
        {"a\u200b\u034f \u200c \u00a0b", "a b"},
        {"می\u200cخواهم", "می\u200cخواهم"},
        {"日本語\u3000テスト", "日本語 テスト"},
        {"a\r\nb\r\n", "a b"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], preview_of_text(*state, str_of(rows[i][0])), rows[i][1]);
}

static void test_a_preview_is_256_characters_long_at_most(void **state)
{
    struct buf text = BUF_INIT(64 * 1024);
    repeat(&text, "日本 ", 2000);
    struct str preview = preview_of_text(*state, buf_view(&text));
    assert_text(preview);
    size_t characters = 0;
    while (preview.length) {
        utf8_next(&preview);
        characters++;
    }
    assert_int_equal(characters, PREVIEW_CHARACTERS);
    buf_free(&text);
}

static void test_a_preview_of_html_is_of_what_is_seen(void **state)
{
    assert_str(preview_of_html(*state, STR("<head><title>no</title><style>p{}</style></head>"
                                           "<p>Caf&eacute;&nbsp;<b>au</b> lait<script>no</script>"
                                           "<p>second")),
               "Café au lait second");
}

static void test_a_message_shows_its_first_part_with_text(void **state)
{
    static const char *const rows[][2] = {
        {"Subject: x\r\n\r\nhello", "hello"},
        {"Content-Type: text/html\r\n\r\n<p>hello", "hello"},
        {"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; "
         "charset=iso-8859-1\r\n\r\ncaf=E9",
         "café"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\n\r\nsecond\r\n"
         "--b--",
         "second"},
        {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n"
         "\r\n<b>only</b>\r\n--b--",
         "only"},
        {"Content-Type: application/pdf\r\n\r\nx", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = str_of(rows[i][0]);
        struct mime_message *m = mime_parse(*state, raw);
        assert_str_of(rows[i][0], preview_of_message(*state, raw, m), rows[i][1]);
    }
}

static void test_a_part_that_is_cut_has_a_preview_all_the_same(void **state)
{
    struct mime_part part = {
        .type = STR("text/plain"), .charset = STR("utf-8"), .encoding = MIME_QUOTED_PRINTABLE};
    assert_str(preview_of_part(*state, &part, STR("caf=C3=A9 or caf=C3")), "café or caf\uFFFD");
    part.type = STR("image/png");
    assert_str(preview_of_part(*state, &part, STR("x")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_previews_of_text),
        MAIL_TEST(test_a_preview_is_256_characters_long_at_most),
        MAIL_TEST(test_a_preview_of_html_is_of_what_is_seen),
        MAIL_TEST(test_a_message_shows_its_first_part_with_text),
        MAIL_TEST(test_a_part_that_is_cut_has_a_preview_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

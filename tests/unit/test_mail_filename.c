/* Names of attachments: safe to show, to save and to send in a header. */
#include "server/mail/filename.h"
#include "tests/unit/mail_fixture.h"

static void test_names_are_made_safe(void **state)
{
    static const char *const rows[][2] = {
        {"report.pdf", "report.pdf"},
        {"Ünïcode 日本.pdf", "Ünïcode 日本.pdf"},
        {"../../etc/passwd", "passwd"},
        {"C:\\Users\\ann\\x.txt", "x.txt"},
        {"dir/", "dir"},
        {"..", ""},
        {"/", ""},
        {"", ""},
        {" . ", ""},
        {".htaccess", "htaccess"},
        {"x.exe. ", "x.exe"},
        {"a\r\nSet-Cookie: b", "aSet-Cookie_ b"},
        {"a\"b<c>d|e?f*g:h", "a_b_c_d_e_f_g_h"},
        /* ref security 18: what is shown as "invoiceexe.jpg" */
        {"invoice\xe2\x80\xaegpj.exe", "invoicegpj.exe"},
        {"a\xe2\x80\x8b.\xef\xbb\xbftxt", "a.txt"},
        {"CON", "_CON"},
        {"nul.txt", "_nul.txt"},
        {"com1.log", "_com1.log"},
        {"console.txt", "console.txt"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], filename_clean(*state, str_of(rows[i][0])), rows[i][1]);
}

static void test_long_names_keep_their_extension(void **state)
{
    static const size_t lengths[] = {250, 256, 5000, 10 * 1024};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buf name = BUF_INIT(64 * 1024);
        repeat(&name, "é", lengths[i]);
        buf_text(&name, ".tar.gz");
        struct str clean = filename_clean(*state, buf_view(&name));
        assert_true(clean.length <= FILENAME_BYTES_MAX && clean.length > 200);
        assert_text(clean);
        assert_true(str_equal(str_skip(clean, clean.length - 3), STR(".gz")));
        buf_free(&name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_names_are_made_safe),
        MAIL_TEST(test_long_names_keep_their_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

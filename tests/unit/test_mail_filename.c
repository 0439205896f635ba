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
        assert_str(filename_extension(*state, clean), "gz");
        buf_free(&name);
    }
}

static void test_the_extension_is_the_true_one(void **state)
{
    static const char *const rows[][2] = {
        {"a.PDF", "pdf"},
        {"a.pdf.exe", "exe"},
        {"a", ""},
        {"a.", ""},
        {".bashrc", ""},
        {"a.b c", ""},
        {"a.verylongextensionindeed", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], filename_extension(*state, str_of(rows[i][0])), rows[i][1]);
}

static void test_a_disposition_is_a_header_whatever_the_name(void **state)
{
    static const char *const rows[][2] = {
        {"a.txt", "attachment; filename=\"a.txt\""},
        {"", "attachment"},
        {"café.txt", "attachment; filename=\"caf_.txt\"; filename*=UTF-8''caf%C3%A9.txt"},
        {"100%.txt", "attachment; filename=\"100%.txt\"; filename*=UTF-8''100%25.txt"},
        {"a\"b\\c\r\nX: y", "attachment; filename=\"a_b_c__X: y\"; "
                            "filename*=UTF-8''a%22b%5Cc%0D%0AX%3A%20y"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(1024);
        filename_write_disposition(&out, str_of(rows[i][0]), false);
        assert_str_of(rows[i][0], buf_view(&out), rows[i][1]);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_names_are_made_safe),
        MAIL_TEST(test_long_names_keep_their_extension),
        MAIL_TEST(test_the_extension_is_the_true_one),
        MAIL_TEST(test_a_disposition_is_a_header_whatever_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

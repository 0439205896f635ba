/* Any charset as UTF-8, by its label or by guessing. */
#include "server/mail/charset.h"
#include "tests/unit/mail_fixture.h"

static struct str decoded(struct arena *arena, struct str bytes, const char *label, bool *is_clean)
{
    struct buf out = BUF_INIT(1024 * 1024);
    *is_clean = charset_decode(&out, bytes, str_of(label));
    struct str text = arena_str(arena, buf_view(&out));
    buf_free(&out);
    assert_text(text);
    return text;
}

static void test_labelled_bytes_are_converted(void **state)
{
    static const struct {
        const char *label, *bytes, *text;
    } rows[] = {
        {"utf-8", "caf\xc3\xa9", "café"},
        {"UTF8", "\xef\xbb\xbfx", "x"},
        {"us-ascii", "plain", "plain"},
        {"us-ascii", "caf\xc3\xa9", "café"},
        {"iso-8859-1", "caf\xe9 \x80 \x93q\x94", "café € “q”"},
        {"latin1", "\xfc", "ü"},
        {"ISO_8859-2", "\xb1\xb6", "ąś"},
        {"iso-8859-15", "\xa4", "€"},
        {"iso-8859-16", "\xaa", "Ș"},
        {"windows-1251", "\xef\xf0\xe8\xe2\xe5\xf2", "привет"},
        {"cp1251", "\xef", "п"},
        {"koi8-r", "\xcd\xc9\xd2", "мир"},
        {"windows-1253", "\xe1", "α"},
        {"windows-1255", "\xf9\xec\xe5\xed", "שלום"},
        {"windows-1256", "\xe3\xd1\xcd\xc8\xc7", "مرحبا"},
        {"tis-620", "\xca\xc7", "สว"},
        {"gb2312", "\xc4\xe3\xba\xc3", "你好"},
        {"gbk", "\x81\x40", "丂"},
        {"gb18030", "\x81\x30\x81\x30", "\xc2\x80"},
        {"hz-gb-2312", "~{VPND~}", "中文"},
        {"big5", "\xa7\x41\xa6\x6e", "你好"},
        {"shift_jis", "\x93\xfa\x96\x7b", "日本"},
        {"euc-jp", "\xc6\xfc\xcb\xdc", "日本"},
        {"iso-2022-jp", "\x1b$BF|K\\\x1b(B!", "日本!"},
        {"ks_c_5601-1987", "\xc7\xd1", "한"},
        {"iso-2022-kr", "\x1b$)C\x0eGQ\x0f", "한"},
        {"utf-7", "+AOk-", "é"},
        {"cp437", "\x81", "ü"},
        {"cp850", "\x84", "ä"},
        {"macintosh", "\x8a", "ä"},
        {"", "caf\xe9", "café"},
        {"x-unknown", "caf\xc3\xa9", "café"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_clean;
        struct str text = decoded(*state, str_of(rows[i].bytes), rows[i].label, &is_clean);
        assert_str_of(rows[i].label, text, rows[i].text);
        assert_true(is_clean);
    }
}

static void test_utf16_is_converted(void **state)
{
    bool is_clean;
    assert_str(decoded(*state,
                       STR("\xff\xfe"
                           "a\0\xe9\0"),
                       "utf-16", &is_clean),
               "aé");
    assert_str(decoded(*state, STR("\0a\0\xe9"), "utf-16be", &is_clean), "aé");
    assert_str(decoded(*state, STR("=\xd8\0\xde"), "utf-16le", &is_clean), "😀");
    assert_str(decoded(*state,
                       STR("\xff\xfe"
                           "a\0"),
                       "", &is_clean),
               "a");
}

/* Overlong forms, surrogates, cut characters, NUL (ref security 23, 25, 26). */
static void test_broken_bytes_are_replaced_and_said_so(void **state)
{
    static const struct {
        const char *label, *bytes, *text;
    } rows[] = {
        {"utf-8", "éa\xc3", "éa\uFFFD"},   {"utf-8", "éüß\xc1\xbe", "éüß\uFFFD\uFFFD"},
        {"utf-8", "é\xff", "é\uFFFD"},     {"iso-2022-jp", "\x1b$BF", "\uFFFD"},
        {"shift_jis", "a\x93", "a\uFFFD"}, {"windows-1252", "\x81", "\uFFFD"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_clean;
        struct str text = decoded(*state, str_of(rows[i].bytes), rows[i].label, &is_clean);
        assert_str_of(rows[i].bytes, text, rows[i].text);
        assert_false(is_clean);
    }
    bool is_clean;
    assert_str(decoded(*state, STR("a\0b"), "utf-8", &is_clean), "a\uFFFD"
                                                                 "b");
    assert_false(is_clean);
    assert_str(decoded(*state, STR("a\0b"), "iso-8859-1", &is_clean), "a\uFFFD"
                                                                      "b");
    /* UTF-7 that would be markup is text: the sanitiser sees it decoded */
    assert_str(decoded(*state, STR("+ADw-script+AD4-"), "utf-7", &is_clean), "<script>");
}

static void test_labels_have_one_name(void **state)
{
    static const char *const rows[][2] = {
        {"latin1", "windows-1252"}, {"ISO-8859-1", "windows-1252"}, {"\"utf-8\"", "utf-8"},
        {"GB2312", "gb18030"},      {"ks_c_5601-1987", "euc-kr"},   {"utf_8", "utf-8"},
        {"cp1252", "windows-1252"}, {"sjis", "shift_jis"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = charset_name(str_of(rows[i][0]));
        assert_non_null(name);
        assert_string_equal(name, rows[i][1]);
    }
    /* Never asked of the machine: CVE-2024-2961 was such a charset */
    static const char *const unknown[] = {
        "", "iso-2022-cn-ext", "../../etc/passwd", "utf-8//TRANSLIT", "x", "----"};
    for (size_t i = 0; i < COUNT(unknown); i++)
        if (charset_name(str_of(unknown[i])))
            fail_msg("known: %s", unknown[i]);
}

static void test_unlabelled_bytes_are_guessed(void **state)
{
    (void)state;
    assert_string_equal(charset_guess(STR("caf\xc3\xa9")), "utf-8");
    assert_string_equal(charset_guess(STR("\x1b$BF|K\\\x1b(B")), "iso-2022-jp");
    assert_string_equal(charset_guess(STR("plain")), "utf-8");
    static const char russian[] =
        "\xcf\xf0\xe8\xe2\xe5\xf2\x21\x20\xca\xe0\xea\x20\xf2\xe2\xee\xe8\x20\xe4"
        "\xe5\xeb\xe0\x3f\x20\xc2\xf1\xe5\x20\xf5\xee\xf0\xee\xf8\xee\x2c\x20\xf1"
        "\xef\xe0\xf1\xe8\xe1\xee\x2e\x20\xc7\xe0\xe2\xf2\xf0\xe0\x20\xec\xfb\x20"
        "\xe5\xe4\xe5\xec\x20\xed\xe0\x20\xe4\xe0\xf7\xf3\x2c\x20\xe8\x20\xe4\xe5"
        "\xf2\xe8\x20\xee\xf7\xe5\xed\xfc\x20\xf0\xe0\xe4\xfb\x2e\x20\xcf\xf0\xe8"
        "\xe5\xe7\xe6\xe0\xe9\x20\xea\x20\xed\xe0\xec\x2c\x20\xe5\xf1\xeb\xe8\x20"
        "\xe1\xf3\xe4\xe5\xf2\x20\xe2\xf0\xe5\xec\xff\x2e";
    assert_string_equal(charset_guess(str_of(russian)), "windows-1251");
    assert_string_equal(charset_guess(STR("\xfc")), "windows-1252");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_labelled_bytes_are_converted),          MAIL_TEST(test_utf16_is_converted),
        MAIL_TEST(test_broken_bytes_are_replaced_and_said_so), MAIL_TEST(test_labels_have_one_name),
        MAIL_TEST(test_unlabelled_bytes_are_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

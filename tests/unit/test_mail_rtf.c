/* Rich text of winmail.dat: unpacked as MS-OXRTFCP shows it, read as text, and bounded. */
#include "server/mail/rtf.h"

#include "server/mail/tnef.h"
#include "tests/unit/mail_fixture.h"

static struct str unpacked(struct arena *arena, struct str packed, bool *is_cut)
{
    struct buf out = BUF_INIT(64 * 1024);
    struct str rtf =
        rtf_unpack(&out, packed, is_cut) ? arena_str(arena, buf_view(&out)) : STR("(none)");
    buf_free(&out);
    return rtf;
}

static struct str text_of(struct arena *arena, const char *rtf)
{
    struct buf out = BUF_INIT(64 * 1024);
    struct str text =
        rtf_to_text(&out, str_of(rtf), 0) ? arena_str(arena, buf_view(&out)) : STR("(none)");
    buf_free(&out);
    return text;
}

/* MS-OXRTFCP sections 4.1.1 and 4.1.2. */
static const char simple[] = "\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125B2\x0a\xf3"
                             " hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
static const char crossing[] = "\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4KQA\0\x04 WXYZ\x0dn}\x01\x0e\xb0";

static void test_the_examples_of_the_specification_are_unpacked(void **state)
{
    bool is_cut;
    assert_str(unpacked(*state, str_make(simple, sizeof simple - 1), &is_cut),
               "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
    assert_false(is_cut);
    assert_str(unpacked(*state, str_make(crossing, sizeof crossing - 1), &is_cut),
               "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
    assert_false(is_cut);
    assert_str(unpacked(*state, STR("\x10\0\0\0\x05\0\0\0MELA\0\0\0\0{\\rtf"), &is_cut), "{\\rtf");
}

static void test_what_is_cut_off_gives_its_beginning(void **state)
{
    bool is_cut;
    for (size_t length = 16; length < sizeof simple - 1; length++) {
        struct str rtf = unpacked(*state, str_make(simple, length), &is_cut);
        assert_true(is_cut);
        assert_true(str_starts(STR("{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"), rtf));
    }
    assert_str(unpacked(*state, str_make(simple, 15), &is_cut), "(none)");
    assert_str(unpacked(*state, STR("0123456789abcdef0123"), &is_cut), "(none)");
}

static void test_a_bomb_ends_at_the_buffer(void **state)
{
    bool is_cut;
    struct buf bomb = BUF_INIT(4 * 1024 * 1024), out = BUF_INIT(1000);
    (void)state;
    buf_str(&bomb, str_make("\0\0\0\0\xff\xff\xff\xffLZFu\0\0\0\0", 16));
    for (int i = 0; i < 100000; i++)
        buf_str(
            &bomb,
            str_make("\xff\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f", 17));
    assert_true(rtf_unpack(&out, buf_view(&bomb), &is_cut));
    assert_true(is_cut && out.length <= 1000);
    buf_free(&bomb);
    buf_free(&out);
}

static void test_rich_text_is_read_as_text(void **state)
{
    static const struct {
        const char *rtf, *text;
    } rows[] = {
        {"{\\rtf1 one\\par two\\line three\\tab x}", "one\ntwo\nthree\tx"},
        {"{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}\\pard bold {\\b is} here}",
         "bold is here"},
        {"{\\rtf1 caf\\'e9 \\u8364?1 \\{x\\}}", "caf\xc3\xa9 \xe2\x82\xac"
                                                "1 {x}"},
        {"{\\rtf1\\uc2 \\u228ae\\u246oe!}", "\xc3\xa4\xc3\xb6!"},
        {"{\\rtf1 \\u-10179?\\u-8704?}", "\xf0\x9f\x98\x80"},
        {"{\\rtf1\\ansicpg1251 \\'cf\\'f0}", "\xd0\x9f\xd1\x80"},
        {"{\\rtf1\\ansicpg932 \\'93\\'fa\\'96\\'7b}", "\xe6\x97\xa5\xe6\x9c\xac"},
        {"{\\rtf1{\\pict\\bin4 }}\\{ab}after}", "after"},
        {"{\\rtf1{\\*\\unknown hidden {deeper}}shown}", "shown"},
        /* HTML within (MS-OXRTFEX): its marks are left out, and what stands for them too */
        {"{\\rtf1\\fromhtml1 {\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 hello"
         "{\\*\\htmltag84 &nbsp;}\\htmlrtf \\'a0\\htmlrtf0 you\\htmlrtf\\par}\\htmlrtf0}",
         "helloyou"},
        {"{\\rtf1 \\", ""},
        {"{\\rtf1 \\'4", "4"},
        {"}}}}{\\rtf1", "(none)"},
        {"{\\rtf1 a}}}}b", "ab"},
        {"text", "(none)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i].rtf, text_of(*state, rows[i].rtf), rows[i].text);
}

static void test_depth_is_bounded(void **state)
{
    struct buf deep = BUF_INIT(1024 * 1024), out = BUF_INIT(1024);
    (void)state;
    buf_text(&deep, "{\\rtf1 a");
    repeat(&deep, "{", 100000);
    buf_text(&deep, "b");
    repeat(&deep, "}", 100000);
    buf_text(&deep, "c}");
    assert_true(rtf_to_text(&out, buf_view(&deep), 0));
    assert_str(buf_view(&out), "ac");
    buf_free(&deep);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_the_examples_of_the_specification_are_unpacked),
        MAIL_TEST(test_what_is_cut_off_gives_its_beginning),
        MAIL_TEST(test_a_bomb_ends_at_the_buffer),
        MAIL_TEST(test_rich_text_is_read_as_text),
        MAIL_TEST(test_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

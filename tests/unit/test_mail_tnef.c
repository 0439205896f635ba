/* winmail.dat: the attachments are found, and nothing hostile goes beyond its bounds. */
#include "server/mail/tnef.h"
#include "tests/unit/mail_fixture.h"

static void put(struct buf *out, uint32_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_char(out, (char)(number >> (8 * i)));
}

static void put_attribute(struct buf *out, unsigned level, uint32_t id, struct str value)
{
    put(out, level, 1);
    put(out, id, 4);
    put(out, (uint32_t)value.length, 4);
    buf_str(out, value);
    put(out, 0, 2); /* the checksum that nobody looks at */
}

static void put_property(struct buf *out, uint32_t type, uint32_t id, struct str value)
{
    put(out, type, 2);
    put(out, id, 2);
    put(out, 1, 4);
    put(out, (uint32_t)value.length, 4);
    buf_str(out, value);
    for (size_t i = value.length; i % 4; i++)
        buf_char(out, '\0');
}

static void begin(struct buf *out)
{
    put(out, 0x223e9f78, 4);
    put(out, 1, 2);
    put_attribute(out, 1, 0x69007, STR("\xe4\x04\0\0\0\0\0\0")); /* 1252 */
}

static void test_attachments_have_names_types_and_bytes(void **state)
{
    struct buf file = BUF_INIT(4096), properties = BUF_INIT(4096);
    begin(&file);
    put_attribute(&file, 1, 0x2800c, STR("body \x80\0"));
    put_attribute(&file, 2, 0x69002, STR("rendering data"));
    put_attribute(&file, 2, 0x18010, STR("SHORT~1.TXT\0"));
    put_attribute(&file, 2, 0x6800f, STR("first"));
    put(&properties, 5, 4);
    put(&properties, 0x3, 2); /* a number */
    put(&properties, 0x3705, 2);
    put(&properties, 1, 4);
    put_property(&properties, 0x1f, 0x3707, STR("l\0\xf6\0n\0g\0.\0p\0n\0g\0\0\0"));
    put_property(&properties, 0x1e, 0x370e, STR("Image/PNG\0"));
    put_property(&properties, 0x1e, 0x3712, STR("pic@x\0"));
    put_property(&properties, 0x102, 0x3701, STR("second"));
    put_attribute(&file, 2, 0x69002, STR("x"));
    put_attribute(&file, 2, 0x69005, buf_view(&properties));
    struct tnef tnef;
    assert_true(tnef_parse(*state, buf_view(&file), &tnef));
    assert_false(tnef.is_cut);
    assert_int_equal(tnef.codepage, 1252);
    assert_str(tnef.text, "body €");
    assert_int_equal(tnef.count, 2);
    assert_str(tnef.attachments[0].name, "SHORT~1.TXT");
    assert_str(tnef.attachments[0].bytes, "first");
    assert_str(tnef.attachments[1].name, "löng.png");
    assert_str(tnef.attachments[1].type, "image/png");
    assert_str(tnef.attachments[1].cid, "pic@x");
    assert_str(tnef.attachments[1].bytes, "second");
    buf_free(&file);
    buf_free(&properties);
}

static void test_html_and_messages_within_are_found(void **state)
{
    struct buf file = BUF_INIT(4096), properties = BUF_INIT(4096), inner = BUF_INIT(4096);
    begin(&file);
    put(&properties, 2, 4);
    /* a named property, skipped: GUID, kind 1, a name of four bytes */
    put(&properties, 0x1e, 2);
    put(&properties, 0x8001, 2);
    buf_append(&properties, "0123456789abcdef", 16);
    put(&properties, 1, 4);
    put(&properties, 4, 4);
    buf_append(&properties, "a\0b\0", 4);
    put(&properties, 1, 4);
    put(&properties, 2, 4);
    buf_append(&properties, "x\0\0\0", 4);
    put_property(&properties, 0x102, 0x1013, STR("<p>html"));
    put_attribute(&file, 1, 0x69003, buf_view(&properties));
    put(&inner, 1, 4);
    put_property(&inner, 0x0d, 0x3701, STR("0123456789abcdef\x78\x9f\x3e\x22"));
    put_attribute(&file, 2, 0x69002, STR(""));
    put_attribute(&file, 2, 0x69005, buf_view(&inner));
    struct tnef tnef;
    assert_true(tnef_parse(*state, buf_view(&file), &tnef));
    assert_str(tnef.html, "<p>html");
    assert_int_equal(tnef.count, 1);
    assert_str(tnef.attachments[0].type, "application/ms-tnef");
    assert_int_equal(tnef.attachments[0].bytes.length, 4);
    buf_free(&file);
    buf_free(&properties);
    buf_free(&inner);
}

static void test_every_cut_of_a_file_is_read_as_far_as_it_goes(void **state)
{
    struct buf file = BUF_INIT(4096);
    begin(&file);
    put_attribute(&file, 2, 0x69002, STR("x"));
    put_attribute(&file, 2, 0x6800f, STR("bytes"));
    for (size_t length = 0; length < file.length; length++) {
        /* memory of exactly this size, so that ASan sees a read beyond it */
        struct str cut = arena_str(*state, str_sub(buf_view(&file), 0, length));
        struct tnef tnef;
        assert_int_equal(tnef_parse(*state, cut, &tnef), length >= 4);
    }
    buf_free(&file);
}

/* ref security 24 */
static void test_hostile_files_are_cut(void **state)
{
    struct buf file = BUF_INIT(4 * 1024 * 1024);
    struct tnef tnef;
    begin(&file);
    for (int i = 0; i < 5000; i++)
        put_attribute(&file, 2, 0x69002, STR("x"));
    assert_true(tnef_parse(*state, buf_view(&file), &tnef));
    assert_true(tnef.is_cut);
    assert_int_equal(tnef.count, TNEF_ATTACHMENTS_MAX);
    static const char *const properties[] = {
        "\xff\xff\xff\xff\x1e\x00\x01\x30\xff\xff\xff\xff\xff\xff\xff\xff",
        "\xff\xff\xff\xff\x03\x10\x01\x30\xff\xff\xff\xff\x01\x01\x01\x01",
        "\xff\xff\xff\xff\x01\x00\x01\x30\x01\x01\x01\x01",
    };
    for (size_t i = 0; i < COUNT(properties); i++) {
        buf_reset(&file);
        begin(&file);
        put_attribute(&file, 1, 0x69003, str_make(properties[i], i == 2 ? 12 : 16));
        assert_true(tnef_parse(*state, buf_view(&file), &tnef));
    }
    buf_free(&file);
}

static void test_what_is_no_tnef_is_refused(void **state)
{
    struct tnef tnef;
    assert_false(tnef_parse(*state, STR(""), &tnef));
    assert_false(tnef_parse(*state, STR("PK\3\4 a zip"), &tnef));
    assert_true(tnef_is_likely(STR("application/ms-tnef"), STR("")));
    assert_true(tnef_is_likely(STR("application/octet-stream"), STR("WINMAIL.DAT")));
    assert_false(tnef_is_likely(STR("application/pdf"), STR("a.dat")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_attachments_have_names_types_and_bytes),
        MAIL_TEST(test_html_and_messages_within_are_found),
        MAIL_TEST(test_every_cut_of_a_file_is_read_as_far_as_it_goes),
        MAIL_TEST(test_hostile_files_are_cut),
        MAIL_TEST(test_what_is_no_tnef_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

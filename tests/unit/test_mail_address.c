/* Address lists as they are found in the wild, and the real address always shown. */
#include "server/mail/address.h"
#include "tests/unit/mail_fixture.h"

/* "name <email> {group}" for each, separated by " | ": what the rows compare. */
static struct str written(struct arena *arena, struct str value)
{
    struct mail_addresses list;
    struct buf out = BUF_INIT(1024 * 1024);
    address_parse(arena, value, &list);
    for (size_t i = 0; i < list.count; i++) {
        buf_text(&out, i ? " | " : "");
        buf_str(&out, list.at[i].name);
        buf_printf(&out, "<%" STR_FMT ">", STR_ARG(list.at[i].email));
        if (list.at[i].group.length)
            buf_printf(&out, "{%" STR_FMT "}", STR_ARG(list.at[i].group));
    }
    struct str text = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return text;
}

static void test_lists_are_read(void **state)
{
    static const char *const rows[][2] = {
        {"ann@example.org", "<ann@example.org>"},
        {"Ann <ann@example.org>", "Ann<ann@example.org>"},
        {"\"Ann, A.\" <ann@example.org>, b@c", "Ann, A.<ann@example.org> | <b@c>"},
        {"ann@example.org (Ann A.)", "Ann A.<ann@example.org>"},
        {"=?utf-8?Q?J=C3=BCrgen?= <j@x.org>", "Jürgen<j@x.org>"},
        {"=?utf-8?Q?a,b?= <j@x.org>", "a,b<j@x.org>"},
        {"\"=?utf-8?Q?J=C3=BCrgen?=\" <j@x.org>", "Jürgen<j@x.org>"},
        {"J\xfcrgen <j@x.org>", "Jürgen<j@x.org>"},
        {"a@b, , c@d", "<a@b> | <c@d>"},
        {"a@b; c@d", "<a@b> | <c@d>"},
        {"Friends: a@b, C <c@d>;, e@f", "<a@b>{Friends} | C<c@d>{Friends} | <e@f>"},
        {"undisclosed-recipients:;", "undisclosed-recipients<>{undisclosed-recipients}"},
        {"<@r1,@r2:a@b>", "<a@b>"},
        {"john . doe @ example . com", "<john.doe@example.com>"},
        {"\"john\"@example.com", "<john@example.com>"},
        {"\"john doe\"@example.com", "<\"john doe\"@example.com>"},
        {"a@[127.0.0.1]", "<a@[127.0.0.1]>"},
        {"a@[IPv6:::1], b@c", "<a@[IPv6:::1]> | <b@c>"},
        {"mailto:a@b", "<a@b>"},
        {"Ann a@b", "Ann<a@b>"},
        {"Ann\r\n <a@b>", "Ann<a@b>"},
        {"'Ann' <a@b>", "Ann<a@b>"},
        {"<a@b", "<a@b>"},
        {"Ann <>", "Ann<>"},
        {"Nobody at all", "Nobody at all<>"},
        {"用户@例子.中国", "<用户@例子.中国>"},
        {"(((((a)))))b@c", "((((a))))<b@c>"},
        {"", ""},
        {"<>", ""},
        {",,,;;;", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], written(*state, str_of(rows[i][0])), rows[i][1]);
}

/* Mailsploit and its like (ref security 19): what looks like an address in the name stays a name,
 * and no address of several is hidden. */
static void test_the_real_address_is_always_there(void **state)
{
    static const char *const rows[][2] = {
        {"\"president@example.gov\" <evil@example.com>", "president@example.gov<evil@example.com>"},
        {"president@example.gov <evil@example.com>", "president@example.gov<evil@example.com>"},
        {"<a@b>c@d", "<a@b> | <c@d>"},
        {"<a@b> <c@d>", "<a@b> | <c@d>"},
        {"=?utf-8?Q?potus@example.gov=0A?= <evil@example.com>",
         "potus@example.gov<evil@example.com>"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], written(*state, str_of(rows[i][0])), rows[i][1]);
    struct str nul = written(*state, STR("=?utf-8?Q?potus@example.gov=00?= <evil@example.com>"));
    assert_text(nul);
    assert_true(str_ends(nul, STR("<evil@example.com>")));
    struct str turned = written(*state, STR("\xe2\x80\xaegro.elpmaxe <evil@example.com>"));
    assert_str(turned, "gro.elpmaxe<evil@example.com>");
}

static void test_domains_are_shown_in_their_script_only_when_honest(void **state)
{
    static const char *const rows[][2] = {
        {"a@example.org", "a@example.org"},
        {"a@xn--bcher-kva.example", "a@bücher.example"},
        {"a@xn--r8jz45g.xn--zckzah", "a@例え.テスト"},
        /* "аррӏе" in Cyrillic */
        {"a@xn--80ak6aa92e.com", "a@xn--80ak6aa92e.com"},
        /* Cyrillic "а" among Latin letters */
        {"a@p\xd0\xb0ypal.com", "a@xn--pypal-4ve.com"},
        {"a@xn--a", "a@xn--a"},
        {"xn--nothing", "xn--nothing"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], address_display(*state, str_of(rows[i][0])), rows[i][1]);
}

/* Each could begin a quoted string, and none ends: were each looked at to the end of all, this
 * would take an hour. */
static void test_a_million_quotes_without_their_pair_are_looked_at_once(void **state)
{
    struct buf value = BUF_INIT(4 * 1024 * 1024);
    struct mail_addresses list;
    repeat(&value, "\"\\", 1000 * 1000);
    address_parse(*state, buf_view(&value), &list);
    assert_int_equal(list.count, 1);
    buf_free(&value);
}

static void test_floods_are_cut_and_said_so(void **state)
{
    static const char *const pieces[] = {"a@b,", "<a@b>", "(", "\"", "<",  "a:",         "=?",
                                         "[",    "@",     ";", "x ", "\\", "=?utf-8?Q?x"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf value = BUF_INIT(4 * 1024 * 1024);
        struct mail_addresses list;
        repeat(&value, pieces[i], 100 * 1000);
        address_parse(*state, buf_view(&value), &list);
        assert_true(list.count <= ADDRESS_MAX);
        if (i < 2)
            assert_true(list.is_cut);
        for (size_t k = 0; k < list.count; k++)
            assert_true(list.at[k].email.length <= ADDRESS_EMAIL_BYTES_MAX);
        buf_free(&value);
    }
}

static void test_json_names_both(void **state)
{
    struct mail_addresses list;
    struct buf out = BUF_INIT(1000);
    struct json json = JSON_INIT(&out);
    address_parse(*state, STR("\"A \\\"B\\\"\" <a@b>, c@d"), &list);
    address_write_json(&json, &list);
    assert_str(buf_view(&out), "[{\"name\":\"A \\\"B\\\"\",\"email\":\"a@b\"},"
                               "{\"name\":null,\"email\":\"c@d\"}]");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_lists_are_read),
        MAIL_TEST(test_the_real_address_is_always_there),
        MAIL_TEST(test_domains_are_shown_in_their_script_only_when_honest),
        MAIL_TEST(test_a_million_quotes_without_their_pair_are_looked_at_once),
        MAIL_TEST(test_floods_are_cut_and_said_so),
        MAIL_TEST(test_json_names_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

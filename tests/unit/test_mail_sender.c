/* Who may be believed, and the ways off a list. */
#include "server/mail/sender.h"
#include "tests/unit/mail_fixture.h"

static const char *const verdicts[] = {"?", "pass", "fail"};

/* "server spf dkim(domain) dmarc", with "!" when the sender's address is true. */
static struct str judged(struct arena *arena, const char *header)
{
    const struct str trusted[] = {STR("mx.example"), STR("other.example")};
    struct envelope e;
    struct sender_authentication a;
    envelope_parse(arena, str_of(header), &e);
    sender_authenticate(arena, &e, trusted, COUNT(trusted), &a);
    return arena_printf(arena, "%" STR_FMT " %s %s(%" STR_FMT ") %s%s", STR_ARG(a.server),
                        verdicts[a.spf], verdicts[a.dkim], STR_ARG(a.dkim_domain),
                        verdicts[a.dmarc], a.is_aligned ? " !" : "");
}

#define FROM "From: Ann <ann@example.org>\r\n"
#define RESULTS "Authentication-Results: "

static void test_only_trusted_servers_are_believed(void **state)
{
    static const char *const rows[][2] = {
        {FROM, " ? ?() ?"},
        {RESULTS "mx.example; spf=pass smtp.mailfrom=ann@example.org; dkim=pass\r\n "
                 "header.d=Example.org; dmarc=pass header.from=example.org\r\n" FROM,
         "mx.example pass pass(example.org) pass !"},
        {RESULTS "MX.EXAMPLE 1; dkim=pass header.d=mail.example.org\r\n" FROM,
         "MX.EXAMPLE ? pass(mail.example.org) ? !"},
        {RESULTS "mx.example; dkim=pass header.d=evil.example\r\n" FROM,
         "mx.example ? pass(evil.example) ?"},
        {RESULTS "mx.example; dkim=pass header.d=notexample.org\r\n" FROM,
         "mx.example ? pass(notexample.org) ?"},
        {RESULTS "mx.example; dkim=pass header.d=org\r\n" FROM, "mx.example ? pass(org) ?"},
        {RESULTS "mx.example; dkim=fail header.d=a.org; dkim=pass header.i=@example.org\r\n" FROM,
         "mx.example ? pass(example.org) ? !"},
        {RESULTS "mx.example; dmarc=fail; dkim=pass header.d=example.org\r\n" FROM,
         "mx.example ? pass(example.org) fail"},
        {RESULTS "mx.example; spf=softfail\r\n" RESULTS "mx.example; spf=pass; dmarc=pass\r\n" FROM,
         "mx.example fail ?() pass !"},
        {RESULTS "mx.example; none\r\n" FROM, "mx.example ? ?() ?"},
        /* ref security 20: forged ones */
        {RESULTS "evil.example; dmarc=pass\r\n" FROM, " ? ?() ?"},
        {RESULTS "evil.example; x\r\n" RESULTS "mx.example; dmarc=pass\r\n" FROM, " ? ?() ?"},
        {RESULTS "mx.example.evil; dmarc=pass\r\n" FROM, " ? ?() ?"},
        {RESULTS "mx.example; spf=fail (dmarc=pass; dkim=pass)\r\n" FROM, "mx.example fail ?() ?"},
        {RESULTS "mx.example; spf=fail reason=\"x; dmarc=pass\"\r\n" FROM, "mx.example fail ?() ?"},
        {RESULTS "(mx.example); dmarc=pass\r\n" FROM, " ? ?() ?"},
        {RESULTS "mx.example; dkim=pass header.d=example.org\r\nFrom: a@example.org, b@evil\r\n",
         "mx.example ? pass(example.org) ?"},
        {RESULTS "\r\n" FROM, " ? ?() ?"},
        {RESULTS "mx.example; ;; = ; dkim ; dkim= ; =pass\r\n" FROM, "mx.example ? ?() ?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], judged(*state, rows[i][0]), rows[i][1]);
}

static void test_ways_off_a_list(void **state)
{
    static const struct {
        const char *header, *https, *mailto;
        bool is_one_click;
    } rows[] = {
        {"List-Unsubscribe: <https://example.org/u?x=1>, <mailto:u@example.org?subject=x>\r\n"
         "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
         "https://example.org/u?x=1", "mailto:u@example.org?subject=x", true},
        {"List-Unsubscribe: <mailto:u@example.org>\r\n"
         "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
         "", "mailto:u@example.org", false},
        {"List-Unsubscribe: <https://example.org/u>\r\n", "https://example.org/u", "", false},
        {"List-Unsubscribe: (text) <https://a.example/>\r\n <https://b.example/>\r\n",
         "https://a.example/", "", false},
        /* none that may be followed */
        {"List-Unsubscribe: <http://example.org/u>\r\n", "", "", false},
        {"List-Unsubscribe: <javascript:alert(1)>, <data:x>\r\n", "", "", false},
        {"List-Unsubscribe: <https://ann@evil.example/>\r\n", "", "", false},
        {"List-Unsubscribe: <https:///x>\r\n", "", "", false},
        {"List-Unsubscribe: <https://a.example/\"x>\r\n", "", "", false},
        {"List-Unsubscribe: <https://a.example/ x>\r\n", "", "", false},
        {"List-Unsubscribe: https://example.org/u\r\n", "", "", false},
        {"List-Unsubscribe: <https://example.org/u\r\n", "", "", false},
        {"List-Unsubscribe: <mailto:>\r\n", "", "", false},
        {"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct envelope e;
        struct sender_unsubscribe ways;
        envelope_parse(*state, str_of(rows[i].header), &e);
        bool has_any = sender_unsubscribe(*state, &e, &ways);
        assert_str_of(rows[i].header, ways.https, rows[i].https);
        assert_str_of(rows[i].header, ways.mailto, rows[i].mailto);
        assert_int_equal(ways.is_one_click, rows[i].is_one_click);
        assert_int_equal(has_any, rows[i].https[0] || rows[i].mailto[0]);
    }
}

static void test_a_mailto_uri_says_what_to_write(void **state)
{
    static const struct {
        const char *uri, *to, *subject, *text;
    } rows[] = {
        {"mailto:leave@example.org", "leave@example.org", "", ""},
        {"MAILTO:a%2Bb@example.org?subject=take%20me%20off&body=one%0D%0Atwo", "a+b@example.org",
         "take me off", "one\ntwo"},
        {"mailto:a@example.org?subject=x%0D%0ABcc:%20eve@example.org&bcc=eve@example.org&cc=eve@x."
         "y",
         "a@example.org", "x  Bcc: eve@example.org", ""},
        {"mailto:a@example.org,b@example.org", "", "", ""},
        {"mailto:?subject=x", "", "x", ""},
        {"mailto:a@example.org?subject=%ff%00", "a@example.org", NULL, ""},
        {"https://example.org/", "", "", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sender_mail mail;
        sender_read_mailto(*state, str_of(rows[i].uri), &mail);
        assert_str_of(rows[i].uri, mail.to, rows[i].to);
        if (rows[i].subject)
            assert_str_of(rows[i].uri, mail.subject, rows[i].subject);
        assert_str_of(rows[i].uri, mail.text, rows[i].text);
    }
}

static void test_senders_that_look_like_others(void **state)
{
    static const struct {
        const char *from, *called;
        bool is_lookalike;
    } rows[] = {
        {"Ann <ann@example.org>", "", false},
        {"\"ann@example.org\" <ann@example.org>", "", false},
        {"\"Ann (ann@bank.example)\" <eve@evil.example>", "ann@bank.example", false},
        {"\"service@bank.example via x\" <eve@evil.example>", "service@bank.example", false},
        {"\"ann@mail.example.org\" <ann@example.org>", "", false},
        {"\"ann@notexample.org\" <ann@example.org>", "ann@notexample.org", false},
        {"\"me @ work\" <ann@example.org>", "", false},
        {"Bank <x@xn--pypal-4ve.com>", "", true},
        {"B\xc3\xbc"
         "cher <x@b\xc3\xbc"
         "cher.example>",
         "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mail_addresses from;
        struct sender_looks looks;
        address_parse(*state, str_of(rows[i].from), &from);
        sender_look(*state, &from, &looks);
        assert_str_of(rows[i].from, looks.called, rows[i].called);
        assert_int_equal(looks.is_lookalike, rows[i].is_lookalike);
    }
}

static void test_what_is_said_of_junk(void **state)
{
    static const struct {
        const char *status, *score, *limit;
        bool is_junk;
    } rows[] = {
        {"X-Spam-Status: Yes, score=8.2 required=5.0 tests=A,B\n", "8.2", "5.0", true},
        {"X-Spam-Status: No, hits=-1.5 required=7\n", "-1.5", "7", false},
        {"X-Spam-Flag: YES\n", "", "", true},
        {"X-Spam-Status: score=<script>\n", "", "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct envelope e;
        struct sender_junk junk;
        envelope_parse(*state, str_of(rows[i].status), &e);
        sender_junk(&e, &junk);
        assert_true(junk.is_said);
        assert_int_equal(junk.is_junk, rows[i].is_junk);
        assert_str_of(rows[i].status, junk.score, rows[i].score);
        assert_str_of(rows[i].status, junk.limit, rows[i].limit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_only_trusted_servers_are_believed),
        MAIL_TEST(test_ways_off_a_list),
        MAIL_TEST(test_a_mailto_uri_says_what_to_write),
        MAIL_TEST(test_senders_that_look_like_others),
        MAIL_TEST(test_what_is_said_of_junk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where people may make this machine connect to. Each form of ref/security.md 40 is a row. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/net/egress.h"
#include "server/net/resolve.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct address address_of(const char *text)
{
    struct address address = {0};
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
        address.v4.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
        address.v6.sin6_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return address;
}

static bool is_allowed(const struct egress *egress, const char *host, const char *text)
{
    struct address address = address_of(text);
    struct error err = ERROR_INIT;
    bool is_good = egress_check_address(egress, str_of(host), &address.any, &err);
    if (!is_good)
        assert_int_equal(err.kind, ERROR_FORBIDDEN);
    return is_good;
}

static void test_special_addresses_are_forbidden(void **state)
{
    (void)state;
    static const char *const special[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.1.2.3",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:1:2:3:4:80ff:fffe",
        "2001:db8::1",
        "3fff::1",
        "fe80::1",
        "febf::1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "5f00::1",
    };
    struct egress *egress = egress_new(STR_EMPTY, STR_EMPTY, NULL);
    for (size_t i = 0; i < COUNT(special); i++)
        if (is_allowed(egress, "mail.example.org", special[i]))
            fail_msg("%s was allowed", special[i]);
    egress_free(&egress);
}

static void test_public_addresses_are_allowed(void **state)
{
    (void)state;
    static const char *const ordinary[] = {
        "1.1.1.1",     "9.255.255.255",  "11.0.0.1",         "100.63.255.255",
        "100.128.0.1", "172.15.0.1",     "172.32.0.1",       "192.167.0.1",
        "198.17.0.1",  "198.20.0.1",     "223.0.0.1",        "2606:4700::1",
        "2a01:4f8::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
    };
    struct egress *egress = egress_new(STR_EMPTY, STR_EMPTY, NULL);
    for (size_t i = 0; i < COUNT(ordinary); i++)
        if (!is_allowed(egress, "mail.example.org", ordinary[i]))
            fail_msg("%s was forbidden", ordinary[i]);
    egress_free(&egress);
}

static void test_the_administrator_allows_networks_and_hosts(void **state)
{
    (void)state;
    struct egress *egress =
        egress_new(STR("127.0.0.0/8, ::1 10.1.0.0/16\nfd00:1::/32 Mail.Lan."), STR_EMPTY, NULL);
    assert_non_null(egress);
    assert_true(is_allowed(egress, "x.org", "127.0.0.1"));
    assert_true(is_allowed(egress, "x.org", "::ffff:127.0.0.1"));
    assert_true(is_allowed(egress, "x.org", "::1"));
    assert_true(is_allowed(egress, "x.org", "10.1.255.255"));
    assert_false(is_allowed(egress, "x.org", "10.2.0.1"));
    assert_true(is_allowed(egress, "x.org", "fd00:1::5"));
    assert_false(is_allowed(egress, "x.org", "fd00:2::5"));
    assert_true(is_allowed(egress, "mail.lan", "192.168.7.7"));
    assert_true(is_allowed(egress, "MAIL.LAN.", "192.168.7.7"));
    assert_false(is_allowed(egress, "a.mail.lan", "192.168.7.7"));
    egress_free(&egress);
}

static void test_a_wrong_word_of_the_configuration_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"10.0.0.0/33", "::/129", "10.0.0/8", "127.1",
                                        "a..b",        "-x",     "/8",       "fe80::1%eth0"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct error err = ERROR_INIT;
        assert_null(egress_new(str_of(wrong[i]), STR_EMPTY, &err));
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_non_null(strstr(err.message, wrong[i]));
    }
    assert_null(egress_new(STR_EMPTY, STR("143 65536"), NULL));
    assert_null(egress_new(STR_EMPTY, STR("imap"), NULL));
}

static void test_only_listed_ports_are_reached(void **state)
{
    (void)state;
    struct egress *usual = egress_new(STR_EMPTY, STR_EMPTY, NULL);
    struct egress *own = egress_new(STR_EMPTY, STR("1143,1993"), NULL);
    static const int mail[] = {25, 110, 143, 465, 587, 993, 995};
    for (size_t i = 0; i < COUNT(mail); i++)
        assert_true(egress_check_port(usual, mail[i], NULL));
    assert_false(egress_check_port(usual, 22, NULL));
    assert_false(egress_check_port(usual, 5432, NULL));
    assert_true(egress_check_port(own, 1993, NULL));
    assert_false(egress_check_port(own, 993, NULL));
    egress_free(&usual);
    egress_free(&own);
}

static void test_hosts_that_resolvers_read_differently_are_refused(void **state)
{
    (void)state;
    static const char *const tricks[] = {
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.0x7f",
        "x.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "fe80::1%lo",
        "",
        ".",
        "a b",
        "a/b",
        "a@b",
        "a:b",
        "a..b",
        ".a",
        "-a.org",
        "a-.org",
        "a\nb",
        "http://a",
        "a?b",
        "a#b",
        "a\\b",
        "::ffff:1.2.3",
        "1e3.0x",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org",
    };
    for (size_t i = 0; i < COUNT(tricks); i++) {
        struct error err = ERROR_INIT;
        if (egress_check_host(str_of(tricks[i]), &err))
            fail_msg("\"%s\" was taken", tricks[i]);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    assert_false(egress_check_host(STR("a\0b"), NULL));
}

static void test_names_and_plain_addresses_are_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {"imap.example.org",  "localhost.",
                                        "127.0.0.1",         "::1",
                                        "2001:db8::1",       "a",
                                        "1and1.com",         "x-y.org",
                                        "_imaps._tcp.a.org", "m\xc3\xbcller.de",
                                        "::ffff:127.0.0.1"};
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (!egress_check_host(str_of(hosts[i]), NULL))
            fail_msg("\"%s\" was refused", hosts[i]);
}

static void test_international_names_become_ascii(void **state)
{
    (void)state;
    char ascii[RESOLVE_HOST_BYTES];
    assert_true(resolve_ascii(STR("IMAP.M\xc3\x9cLLER.de."), ascii, NULL));
    assert_string_equal(ascii, "imap.xn--mller-kva.de");
    /* Full-width digits and the ideographic full stop spell an address only once converted. */
    if (resolve_ascii(STR("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97\xe3\x80\x82\xef\xbc\x91"), ascii,
                      NULL))
        fail_msg("became %s", ascii);
}

static void test_addresses_resolve_to_themselves(void **state)
{
    (void)state;
    struct resolver resolver = {.deadline = DEADLINE_NEVER, .cancel_fd = -1};
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    char text[ADDRESS_TEXT_BYTES];
    assert_int_equal(resolve_host(&resolver, STR("192.0.2.7"), 143, addresses, NULL), 1);
    assert_string_equal(address_text(&addresses[0].any, text), "192.0.2.7");
    assert_int_equal(ntohs(addresses[0].v4.sin_port), 143);
    assert_int_equal(resolve_host(&resolver, STR("2001:DB8::7"), 993, addresses, NULL), 1);
    assert_string_equal(address_text(&addresses[0].any, text), "2001:db8::7");
    assert_int_equal(resolve_host(&resolver, STR("127.1"), 143, addresses, NULL), -1);
}

static void test_localhost_is_judged_by_its_address(void **state)
{
    (void)state;
    struct resolver resolver = {.deadline = deadline_in_ms(10000), .cancel_fd = -1};
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    struct egress *egress = egress_new(STR_EMPTY, STR_EMPTY, NULL);
    int count = resolve_host(&resolver, STR("localhost."), 143, addresses, NULL);
    assert_true(count > 0);
    for (int i = 0; i < count; i++)
        assert_false(egress_check_address(egress, STR("localhost."), &addresses[i].any, NULL));
    egress_free(&egress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_addresses_are_forbidden),
        cmocka_unit_test(test_public_addresses_are_allowed),
        cmocka_unit_test(test_the_administrator_allows_networks_and_hosts),
        cmocka_unit_test(test_a_wrong_word_of_the_configuration_is_named),
        cmocka_unit_test(test_only_listed_ports_are_reached),
        cmocka_unit_test(test_hosts_that_resolvers_read_differently_are_refused),
        cmocka_unit_test(test_names_and_plain_addresses_are_hosts),
        cmocka_unit_test(test_international_names_become_ascii),
        cmocka_unit_test(test_addresses_resolve_to_themselves),
        cmocka_unit_test(test_localhost_is_judged_by_its_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

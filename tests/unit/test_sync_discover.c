/* Which servers an address has: the table of providers, SRV records from a name server of the
 * test's own, and what is no address. The domains are such that nothing leaves the machine: names
 * under .invalid do not resolve, and the rules refuse loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/net/egress.h"
#include "server/net/stream.h"
#include "server/sync/discover.h"
#include "server/sync/providers.h"
#include "tests/unit/dns_fixture.h"

#define DOMAIN(name) "\4_tcp" name "\7invalid"
static const struct record zone[] = {
    RECORD("\6_imaps" DOMAIN("\4both"), ns_t_srv, "\0\1\0\1\3\xe1\4imap\4both\7invalid"),
    RECORD("\6_pop3s" DOMAIN("\4both"), ns_t_srv, "\0\1\0\1\3\xe3\4pop3\4both\7invalid"),
    RECORD("\x0c_submissions" DOMAIN("\4both"), ns_t_srv, "\0\1\0\1\1\xd1\4smtp\4both\7invalid"),
    RECORD("\5_imap" DOMAIN("\5plain"), ns_t_srv, "\0\1\0\1\0\x8f\4mail\5plain\7invalid"),
    RECORD("\x0b_submission" DOMAIN("\5plain"), ns_t_srv, "\0\1\0\1\2\x4b\4mail\5plain\7invalid"),
    RECORD("\6_imaps" DOMAIN("\4pop3"), ns_t_srv, "\0\0\0\0\0\0"), /* "not offered" */
    RECORD("\6_pop3s" DOMAIN("\4pop3"), ns_t_srv, "\0\1\0\1\3\xe3\4mail\4pop3\7invalid"),
};

static struct arena *arena;
static struct sync_context sync_context;

static int set_up(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;
    struct egress *egress = egress_new(STR_EMPTY, STR_EMPTY, &err);
    arena = arena_new();
    sync_context = (struct sync_context){.egress = egress, .tls = tls_context_new(NULL, &err)};
    sync_context.name_servers = dns.servers;
    return !egress || !sync_context.tls || dns_start(zone, sizeof zone / sizeof *zone);
}

static int tear_down(void **state)
{
    (void)state;
    struct egress *egress = (struct egress *)(uintptr_t)sync_context.egress;
    egress_free(&egress);
    tls_context_free(&sync_context.tls);
    arena_free(&arena);
    return dns_stop();
}

/* What is found out of an address; NULL with `err`. To be json_decref'd. */
static json_t *discover(const char *email, struct error *err)
{
    struct buf text = BUF_INIT(64 * 1024);
    struct json json = JSON_INIT(&text);
    json_t *found = NULL;
    if (discover_servers(&sync_context, arena, str_of(email), &json, err)) {
        found = json_loadb(text.at, text.length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(found);
    }
    buf_free(&text);
    return found;
}

static void assert_server(const json_t *server, const char *host, int port, const char *tls,
                          const char *username)
{
    assert_string_equal(json_string_value(json_object_get(server, "host")), host);
    assert_int_equal(json_integer_value(json_object_get(server, "port")), port);
    assert_string_equal(json_string_value(json_object_get(server, "tls")), tls);
    assert_string_equal(json_string_value(json_object_get(server, "username")), username);
}

static const json_t *candidate(const json_t *found, size_t number, const char *source,
                               const char *kind)
{
    const json_t *one = json_array_get(json_object_get(found, "candidates"), number);
    assert_non_null(one);
    assert_string_equal(json_string_value(json_object_get(one, "source")), source);
    assert_string_equal(json_string_value(json_object_get(one, "kind")), kind);
    return one;
}

static size_t count_of(const json_t *found)
{
    return json_array_size(json_object_get(found, "candidates"));
}

static void test_a_large_provider_is_known_without_asking_anybody(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    json_t *found = discover("Somebody@GMail.com", &err);
    assert_non_null(found);
    assert_int_equal(count_of(found), 2);
    const json_t *imap = candidate(found, 0, "table", "imap");
    assert_server(json_object_get(imap, "incoming"), "imap.gmail.com", 993, "implicit",
                  "Somebody@GMail.com");
    assert_server(json_object_get(imap, "smtp"), "smtp.gmail.com", 465, "implicit",
                  "Somebody@GMail.com");
    candidate(found, 1, "table", "pop3");
    assert_int_equal(json_integer_value(json_object_get(found, "recommended")), 0);
    assert_non_null(strstr(json_string_value(json_object_get(found, "hint")), "app password"));
    json_decref(found);
}

static void test_srv_records_name_the_servers(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    json_t *found = discover("ada@both.invalid", &err);
    assert_non_null(found);
    assert_int_equal(count_of(found), 2);
    const json_t *imap = candidate(found, 0, "srv", "imap");
    assert_server(json_object_get(imap, "incoming"), "imap.both.invalid", 993, "implicit",
                  "ada@both.invalid");
    assert_server(json_object_get(imap, "smtp"), "smtp.both.invalid", 465, "implicit",
                  "ada@both.invalid");
    assert_server(json_object_get(candidate(found, 1, "srv", "pop3"), "incoming"),
                  "pop3.both.invalid", 995, "implicit", "ada@both.invalid");
    assert_int_equal(json_integer_value(json_object_get(found, "recommended")), 0);
    json_decref(found);
}

static void test_srv_records_of_plain_ports_mean_starttls(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    json_t *found = discover("ada@plain.invalid", &err);
    assert_non_null(found);
    assert_int_equal(count_of(found), 1);
    const json_t *imap = candidate(found, 0, "srv", "imap");
    assert_server(json_object_get(imap, "incoming"), "mail.plain.invalid", 143, "starttls",
                  "ada@plain.invalid");
    assert_server(json_object_get(imap, "smtp"), "mail.plain.invalid", 587, "starttls",
                  "ada@plain.invalid");
    json_decref(found);
}

static void test_a_service_that_a_domain_says_it_has_not_is_not_proposed(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    json_t *found = discover("ada@pop3.invalid", &err);
    assert_non_null(found);
    assert_int_equal(count_of(found), 1);
    assert_true(json_is_null(json_object_get(candidate(found, 0, "srv", "pop3"), "smtp")));
    json_decref(found);
}

static void test_nothing_found_is_no_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    json_t *found = discover("ada@nowhere.invalid", &err);
    assert_non_null(found);
    assert_int_equal(count_of(found), 0);
    json_decref(found);
}

static void test_what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",         "ada",       "ada@",       "ada@two words.org", "ada@-.-",
        "ada@a..b", "ada@[::1]", "ada@0x7f.1", "ada@127.1",         "ada@2130706433"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = ERROR_INIT;
        json_t *found = discover(wrong[i], &err);
        if (found || err.kind != ERROR_INVALID)
            fail_msg("\"%s\" was taken: %s", wrong[i], err.message);
    }
}

static void test_providers_are_found_by_domain_and_by_host(void **state)
{
    (void)state;
    assert_non_null(provider_of(STR("googlemail.com")));
    assert_ptr_equal(provider_of(STR("GMX.de")), provider_of(STR("gmx.net")));
    assert_null(provider_of(STR("gmail.com.example")));
    assert_null(provider_of(STR("mail.com")));
    assert_null(provider_of(STR("")));
    assert_ptr_equal(provider_of_host(STR("IMAP.gmail.com")), provider_of(STR("gmail.com")));
    assert_null(provider_of_host(STR("gmail.com")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_provider_is_known_without_asking_anybody),
        cmocka_unit_test(test_srv_records_name_the_servers),
        cmocka_unit_test(test_srv_records_of_plain_ports_mean_starttls),
        cmocka_unit_test(test_a_service_that_a_domain_says_it_has_not_is_not_proposed),
        cmocka_unit_test(test_nothing_found_is_no_error),
        cmocka_unit_test(test_what_is_no_address_is_refused),
        cmocka_unit_test(test_providers_are_found_by_domain_and_by_host),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Looking up names, from a name server of the test's own. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/net/resolve.h"
#include "server/net/stream.h"
#include "tests/unit/dns_fixture.h"

static const struct record zone[] = {
    RECORD("\6rebind\4test", ns_t_a, "\x7f\0\0\1"),
    RECORD("\4dual\4test", ns_t_a, "\xc0\0\2\1"),
    RECORD("\4dual\4test", ns_t_a, "\xc0\0\2\2"),
    RECORD("\4dual\4test", ns_t_aaaa, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
    RECORD("\6_imaps\4_tcp\4good\4test", ns_t_srv, "\0\x14\0\0\3\xe1\6second\4test"),
    RECORD("\6_imaps\4_tcp\4good\4test", ns_t_srv, "\0\x0a\0\5\0\x8f\5light\4test"),
    RECORD("\6_imaps\4_tcp\4good\4test", ns_t_srv, "\0\x0a\0\x32\3\xe1\5heavy\4test"),
    RECORD("\6_imaps\4_tcp\4none\4test", ns_t_srv, "\0\0\0\0\0\0"),
};

static int set_up(void **state)
{
    (void)state;
    return dns_start(zone, sizeof zone / sizeof *zone);
}

static int tear_down(void **state)
{
    (void)state;
    return dns_stop();
}

/* --- the tests -------------------------------------------------------------------------------- */

static struct resolver resolver_for(int patience_ms)
{
    return (struct resolver){
        .servers = dns.servers, .deadline = deadline_in_ms(patience_ms), .cancel_fd = -1};
}

static void test_families_alternate_and_the_new_one_is_first(void **state)
{
    (void)state;
    struct resolver resolver = resolver_for(20000);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    char text[ADDRESS_TEXT_BYTES];
    struct error err = ERROR_INIT;
    int count = resolve_host(&resolver, STR("Dual.TEST."), 993, addresses, &err);
    if (count != 3)
        fail_msg("%d %s", count, err.message);
    assert_string_equal(address_text(&addresses[0].any, text), "2001:db8::1");
    assert_string_equal(address_text(&addresses[1].any, text), "192.0.2.1");
    assert_string_equal(address_text(&addresses[2].any, text), "192.0.2.2");
    assert_int_equal(ntohs(addresses[2].v4.sin_port), 993);
}

static void test_a_name_that_is_not_there_is_said(void **state)
{
    (void)state;
    struct resolver resolver = resolver_for(20000);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    struct error err = ERROR_INIT;
    assert_int_equal(resolve_host(&resolver, STR("absent.test"), 993, addresses, &err), -1);
    assert_int_equal(err.kind, ERROR_UNREACHABLE);
    assert_string_equal(err.message, "There is no host named absent.test");
}

static void test_a_silent_name_server_ends_at_the_deadline(void **state)
{
    (void)state;
    struct resolver resolver = resolver_for(50);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    struct error err = ERROR_INIT;
    assert_int_equal(resolve_host(&resolver, STR("silent.test"), 993, addresses, &err), -1);
    assert_int_equal(err.kind, ERROR_TIMEOUT);
}

static void test_a_look_up_can_be_cancelled(void **state)
{
    (void)state;
    struct resolver resolver = resolver_for(20000);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    struct error err = ERROR_INIT;
    resolver.cancel_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(resolve_host(&resolver, STR("silent.test"), 993, addresses, &err), -1);
    assert_int_equal(err.kind, ERROR_CLOSED);
    close(resolver.cancel_fd);
}

static void test_services_come_by_priority_and_weight(void **state)
{
    (void)state;
    struct resolver resolver = resolver_for(20000);
    struct arena *arena = arena_new();
    struct srv services[RESOLVE_SRV_MAX];
    struct error err = ERROR_INIT;
    int count = resolve_srv(&resolver, arena, STR("_imaps._tcp.good.test"), services, &err);
    if (count != 3)
        fail_msg("%d %s", count, err.message);
    assert_true(str_equal(services[0].host, STR("heavy.test")));
    assert_int_equal(services[0].port, 993);
    assert_true(str_equal(services[1].host, STR("light.test")));
    assert_int_equal(services[1].port, 143);
    assert_true(str_equal(services[2].host, STR("second.test")));
    assert_int_equal(resolve_srv(&resolver, arena, STR("_imaps._tcp.none.test"), services, NULL),
                     0); /* "." : decidedly not */
    assert_int_equal(resolve_srv(&resolver, arena, STR("_pop3s._tcp.good.test"), services, NULL),
                     0);
    arena_free(&arena);
}

/* DNS rebinding: a public name that leads to this machine. */
static void test_a_name_that_leads_inside_is_forbidden(void **state)
{
    (void)state;
    struct egress *egress = egress_new(STR_EMPTY, STR_EMPTY, NULL);
    enum stream_step step;
    struct stream_params params = {.host = STR("rebind.test"),
                                   .port = 143,
                                   .security = STREAM_PLAIN,
                                   .egress = egress,
                                   .dns_servers = dns.servers,
                                   .step = &step};
    struct error err = ERROR_INIT;
    assert_null(stream_connect(&params, &err));
    assert_int_equal(err.kind, ERROR_FORBIDDEN);
    assert_int_equal(step, STREAM_STEP_CONNECT);
    params.port = 22;
    assert_null(stream_connect(&params, &err));
    assert_int_equal(step, STREAM_STEP_RESOLVE);
    egress_free(&egress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_alternate_and_the_new_one_is_first),
        cmocka_unit_test(test_a_name_that_is_not_there_is_said),
        cmocka_unit_test(test_a_silent_name_server_ends_at_the_deadline),
        cmocka_unit_test(test_a_look_up_can_be_cancelled),
        cmocka_unit_test(test_services_come_by_priority_and_weight),
        cmocka_unit_test(test_a_name_that_leads_inside_is_forbidden),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

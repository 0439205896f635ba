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

/* --- the name server ---------------------------------------------------------------------------
 */

struct record {
    const char *name; /* as on the wire, without the last byte (the root) */
    int type;
    const char *bytes;
    size_t length;
};
#define RECORD(name, type, bytes)            \
    {                                        \
        name, type, bytes, sizeof(bytes) - 1 \
    }

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
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct {
    int fd, stop_fd;
    char servers[32];
    pthread_t thread;
} dns;

static size_t put_record(unsigned char *at, const struct record *record)
{
    size_t length = record->length + (record->type == ns_t_srv); /* the root behind the target */
    unsigned char head[12] = {0xc0, 12, 0, (unsigned char)record->type, 0, 1, 0, 0,
                              0,    60, 0, (unsigned char)length};
    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, record->bytes, record->length);
    at[sizeof head + length - 1] = record->type == ns_t_srv ? 0 : at[sizeof head + length - 1];
    return sizeof head + length;
}

/* The length of the answer made from a question in place; 0: none. */
static size_t answer(unsigned char *message, size_t length)
{
    char *name = (char *)message + 12;
    size_t name_length = strnlen(name, length - 12), end = 12 + name_length + 1 + 4;
    int type = message[end - 3];
    if (strstr(name, "silent"))
        return 0;
    unsigned char count = 0;
    bool is_known = false;
    for (size_t i = 0; i < COUNT(zone); i++) {
        if (strcasecmp(zone[i].name, name) != 0)
            continue;
        is_known = true;
        if (zone[i].type == type) {
            end += put_record(message + end, &zone[i]);
            count++;
        }
    }
    message[2] = 0x81;
    message[3] = is_known ? 0x80 : 0x83;
    message[6] = 0;
    message[7] = count;
    memset(message + 8, 0, 4);
    return end;
}

static void *serve(void *context)
{
    struct pollfd fds[2] = {{.fd = dns.fd, .events = POLLIN},
                            {.fd = dns.stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        unsigned char message[2048] = {0};
        struct sockaddr_in from;
        socklen_t from_length = sizeof from;
        ssize_t n = recvfrom(dns.fd, message, 512, 0, (struct sockaddr *)&from, &from_length);
        size_t length = n > 17 ? answer(message, (size_t)n) : 0;
        if (length)
            sendto(dns.fd, message, length, 0, (struct sockaddr *)&from, from_length);
    }
    return context;
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    dns.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (bind(dns.fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(dns.fd, (struct sockaddr *)&address, &length))
        return 1;
    snprintf(dns.servers, sizeof dns.servers, "127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&dns.thread, NULL, serve, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    eventfd_write(dns.stop_fd, 1);
    pthread_join(dns.thread, NULL);
    close(dns.fd);
    close(dns.stop_fd);
    return 0;
}

/* --- the tests ---------------------------------------------------------------------------------
 */

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

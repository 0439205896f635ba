/* Addresses of web servers that strangers name (a list's way off, a domain's file of settings) lead
 * nowhere inside, however they are written. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/net/egress.h"
#include "server/sync/web_fetch.h"

enum { TIMEOUT_MS = 1000 }; /* who comes waits that long: nobody speaks there */

static int listener, port;

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&at, length) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&at, &length))
        return -1;
    port = ntohs(at.sin_port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return close(listener);
}

/* Asks in both ways; whether somebody came to the listener. */
static bool comes(const char *allow, const char *host, enum error_kind *kind)
{
    char url[128];
    struct error err = ERROR_INIT, posted = ERROR_INIT;
    struct buf body = BUF_INIT(1000);
    struct egress *egress = egress_new(str_of(allow), STR_EMPTY, &err);
    assert_non_null(egress);
    struct sync_context sync = {.egress = egress};
    snprintf(url, sizeof url, "https://%s:%d/", host, port);
    bool has_come = false;
    for (int i = 0; i < 2; i++) {
        assert_false(i ? web_post(&sync, url, "a=b", TIMEOUT_MS, &posted)
                       : web_fetch(&sync, url, TIMEOUT_MS, &body, &err));
        int peer = accept(listener, NULL, NULL);
        has_come = has_come || peer >= 0;
        if (peer >= 0)
            close(peer);
    }
    assert_int_equal(err.kind, posted.kind);
    *kind = err.kind;
    egress_free(&egress);
    buf_free(&body);
    return has_come;
}

static void test_nothing_inside_is_reached_however_it_is_written(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1",  "localhost",  "localhost.",
                                        "2130706433", "0x7f000001", "0177.0.0.1",
                                        "127.1",      "0",          "[::ffff:127.0.0.1]"};
    enum error_kind kind;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (comes("", hosts[i], &kind))
            fail_msg("somebody came by https://%s", hosts[i]);
        assert_true(kind == ERROR_FORBIDDEN || kind == ERROR_UNREACHABLE);
    }
    assert_true(comes("127.0.0.0/8", "127.0.0.1", &kind)); /* or nothing would be shown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_inside_is_reached_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

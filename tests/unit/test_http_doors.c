/* The HTTP door as clients see it, honest, slow and hostile: real sockets on the loopback. (FastCGI
 * and CGI: test_http_gateways.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "server/http/door_http.h"
#include "tests/unit/http_client.h"
#include "tests/unit/http_house.h"

static struct house house;
static struct router *router;
static struct door_options options;
static struct door_http *door;
static uint16_t port;
static struct buf heard;

static void open_door(void)
{
    struct error err = ERROR_INIT;
    int fd = listen_open(STR("127.0.0.1:0"), &err);
    assert_true(fd >= 0);
    port = port_of(fd);
    door = door_http_start(&options, fd, &err);
    assert_non_null(door);
}

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    router = house_open(&house);
    options = door_defaults(router);
    options.workers = 4;
    options.per_address_max = 1000;
    heard = BUF_INIT(PLENTY_BYTES * 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    door_http_stop(&door);
    house_close(&house, &router);
    buf_free(&heard);
    return 0;
}

/* Sends all, hears all until the door closes. */
static void exchange_all(const char *text)
{
    int fd = dial(port);
    say(fd, str_of(text));
    buf_reset(&heard);
    hear_all(fd, &heard);
    close(fd);
}

static int ask(int fd, const char *text)
{
    assert_true(say(fd, str_of(text)));
    return hear_answer(fd, &heard, !str_starts(str_of(text), STR("HEAD")));
}

static void test_a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
        assert_true(str_ends(buf_view(&heard), STR("\r\n\r\nhello")));
    }
    close(fd);
    assert_int_equal(atomic_load(&house.served), 20);
}

static void test_each_answer_has_the_security_headers_and_an_id(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    static const char *const requests[] = {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        ask(fd, requests[i]);
        assert_true(holds(&heard, "\r\nContent-Security-Policy: default-src 'none'; "));
        assert_true(holds(&heard, "\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_true(holds(&heard, "\r\nX-Request-Id: "));
    }
    close(fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    say(fd, STR("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(hear_answer(fd, &heard, true), 200);
    assert_true(holds(&heard, "hello"));
    assert_int_equal(hear_answer(fd, &heard, true), 200);
    assert_true(holds(&heard, "POST 3 294 memory"));
    assert_int_equal(hear_answer(fd, &heard, true), 404);
    close(fd);
}

static void test_head_has_the_length_and_no_body(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    assert_int_equal(ask(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_true(holds(&heard, "Content-Length: 5\r\n"));
    /* A stream's writer does not run for it, and nothing is left on the line. */
    assert_int_equal(ask(fd, "HEAD /plenty?known=1 HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_int_equal(ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    close(fd);
    assert_int_equal(house.streams_ended, 0);
}

static void test_what_proxies_read_differently_is_refused_and_closed(void **state)
{
    (void)state;
    open_door();
    static const char *const bad[] = {
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-\x01: b\r\n\r\n",
        "GET /hello HTTP/1.1\nHost: a\n\n",
        "GET /hello HTTP/1.1\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\n\n",
        "GET /hello HTTP/1.1\r\nHost: a\nX: b  \r\n\r\n",
        "GET /hello HTTP/1.1\r\nX: b \nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
        "GET hello HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        exchange_all(bad[i]);
        if (!str_starts(buf_view(&heard), STR("HTTP/1.1 400 ")))
            fail_msg("case %zu: %.300s", i, heard.at ? heard.at : "(nothing)");
    }
    assert_int_equal(atomic_load(&house.served), 0);
}

static void test_odd_but_lawful_heads_are_taken(void **state)
{
    (void)state;
    open_door();
    static const char *const good[] = {
        "GET /hello HTTP/1.1\r\nHost: a\r\nX:\r\nY:  \r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost:a\r\nX: b  \t\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\nCookie: e\r\n\r\n",
        "GET /hello?a=%41&b&c= HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n",
        "GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int fd = dial(port);
        if (ask(fd, good[i]) != 200)
            fail_msg("case %zu: %.300s", i, heard.at);
        close(fd);
    }
}

static void test_a_huge_head_is_refused(void **state)
{
    (void)state;
    open_door();
    struct buf head = BUF_INIT(200000);
    buf_text(&head, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 100000; i++)
        buf_char(&head, 'a');
    buf_text(&head, "\r\n\r\n");
    exchange_all(head.at);
    assert_false(holds(&heard, "hello"));
    buf_reset(&head);
    buf_text(&head, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 150; i++)
        buf_text(&head, "X: a\r\n");
    buf_text(&head, "\r\n");
    exchange_all(head.at);
    assert_true(str_starts(buf_view(&heard), STR("HTTP/1.1 400 ")));
    buf_free(&head);
    assert_int_equal(atomic_load(&house.served), 0);
}

static void test_a_large_body_is_refused_before_it_is_read(void **state)
{
    (void)state;
    open_door();
    exchange_all("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n"
                 "Expect: 100-continue\r\n\r\n");
    assert_true(str_starts(buf_view(&heard), STR("HTTP/1.1 413 ")));
    assert_true(holds(&heard, "application/problem+json"));
    exchange_all("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n");
    assert_true(str_starts(buf_view(&heard), STR("HTTP/1.1 413 ")));
}

/* Else its client, still sending, would see a reset instead of the reason. */
static void test_a_body_somewhat_too_large_is_read_and_then_refused(void **state)
{
    (void)state;
    open_door();
    struct buf request = BUF_INIT(4000000);
    buf_text(&request, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for (int i = 0; i < 3000000; i++)
        buf_char(&request, 'a');
    int fd = dial(port);
    assert_true(say(fd, buf_view(&request)));
    assert_int_equal(hear_answer(fd, &heard, true), 413);
    assert_true(holds(&heard, "Connection: close"));
    assert_int_equal(atomic_load(&house.served), 0);
    close(fd);
    buf_free(&request);
}

static void test_an_upload_goes_to_a_file_and_arrives_whole(void **state)
{
    (void)state;
    open_door();
    struct buf request = BUF_INIT(UPLOAD_BYTES + 1000);
    buf_printf(&request, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
               UPLOAD_BYTES);
    for (int i = 0; i < UPLOAD_BYTES; i++)
        buf_char(&request, '\1');
    int fd = dial(port);
    assert_true(say(fd, buf_view(&request)));
    assert_int_equal(hear_answer(fd, &heard, true), 200);
    assert_true(holds(&heard, "POST 4194304 4194304 file"));
    close(fd);
    buf_free(&request);
}

static void test_a_chunked_body_is_limited_too(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    assert_int_equal(ask(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
                     200);
    assert_true(holds(&heard, "POST 5 495 memory"));
    struct buf chunks = BUF_INIT(3000000);
    buf_text(&chunks, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1100; i++) { /* 1,100 kB where 1 MiB is allowed */
        buf_text(&chunks, "400\r\n");
        for (int j = 0; j < 1024; j++)
            buf_char(&chunks, 'a');
        buf_text(&chunks, "\r\n");
    }
    buf_text(&chunks, "0\r\n\r\n");
    say(fd, buf_view(&chunks));
    assert_int_equal(hear_answer(fd, &heard, true), 413);
    close(fd);
    buf_free(&chunks);
}

/* Each byte resets libmicrohttpd's time-out; only our deadline ends these. */
static void trickle(const char *beginning)
{
    int fd = dial(port);
    bool is_open = say(fd, str_of(beginning));
    while (is_open) {
        usleep(20 * 1000);
        is_open = say(fd, STR("a"));
    }
    close(fd);
}

static void test_a_slow_head_is_cut_off(void **state)
{
    (void)state;
    options.head_ms = 300;
    open_door();
    trickle("GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    assert_int_equal(atomic_load(&house.served), 0);
}

static void test_a_slow_body_is_cut_off(void **state)
{
    (void)state;
    options.transfer_ms = 300;
    open_door();
    trickle("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    assert_int_equal(atomic_load(&house.served), 0);
}

static void test_a_slow_reader_of_a_stream_is_cut_off(void **state)
{
    (void)state;
    options.transfer_ms = 300;
    options.transfer_rate = 1000000;
    open_door();
    int fd = dial(port);
    say(fd, STR("GET /plenty HTTP/1.1\r\nHost: a\r\n\r\n"));
    house_wait_for_ends(&house, 1); /* it read nothing */
    assert_int_equal(house.streams_refused, 1);
    close(fd);
}

static void test_a_stream_arrives_whole(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    assert_int_equal(ask(fd, "GET /plenty?known=1 HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_true(holds(&heard, "Content-Length: 33554432\r\n"));
    assert_true(heard.length > PLENTY_BYTES);
    say(fd, STR("GET /plenty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    buf_reset(&heard);
    hear_all(fd, &heard);
    assert_true(holds(&heard, "Transfer-Encoding: chunked\r\n"));
    assert_true(str_ends(buf_view(&heard), STR("\r\n0\r\n\r\n")));
    assert_true(heard.length > PLENTY_BYTES);
    close(fd);
    house_wait_for_ends(&house, 2);
    assert_int_equal(house.streams_refused, 0);
}

static void test_a_stream_that_fails_is_seen_to_be_cut(void **state)
{
    (void)state;
    open_door();
    exchange_all("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(holds(&heard, "half of it"));
    assert_false(str_ends(buf_view(&heard), STR("0\r\n\r\n")));
    exchange_all("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(holds(&heard, "Content-Length: 6\r\n"));
    assert_true(str_ends(buf_view(&heard), STR("\r\n\r\nshort")));
}

static void test_a_client_that_leaves_ends_its_stream(void **state)
{
    (void)state;
    open_door();
    for (int i = 0; i < 10; i++) {
        int fd = dial(port);
        char some[1000];
        say(fd, STR("GET /plenty HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_true(recv(fd, some, sizeof some, 0) > 0);
        close(fd);
    }
    house_wait_for_ends(&house, 10);
    assert_int_equal(house.streams_refused, 10);
    int fd = dial(port);
    assert_int_equal(ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    close(fd);
}

static void test_event_streams_do_not_take_the_workers(void **state)
{
    (void)state;
    enum { LISTENERS = 20 };
    options.workers = 2;
    options.events_max = LISTENERS;
    open_door();
    int fds[LISTENERS];
    for (int i = 0; i < LISTENERS; i++) {
        fds[i] = dial(port);
        say(fds[i], STR("GET /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        char one[4096] = "";
        size_t length = 0;
        while (!strstr(one, "data: one")) {
            ssize_t got = recv(fds[i], one + length, sizeof one - length - 1, 0);
            assert_true(got > 0);
            length += (size_t)got;
        }
    }
    int fd = dial(port);
    assert_int_equal(ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_int_equal(ask(fd, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"), 503);
    assert_true(holds(&heard, "Retry-After: 60\r\n"));
    close(fd);
    assert_int_equal(door_gauges.streams, LISTENERS);
    assert_int_equal(door_gauges.waiting, 0);
    close(fds[0]); /* one has left unseen */
    house_let_events_go_on(&house);
    for (int i = 1; i < LISTENERS; i++) {
        buf_reset(&heard);
        hear_all(fds[i], &heard);
        assert_true(holds(&heard, "data: two\n\n"));
        close(fds[i]);
    }
    house_wait_for_ends(&house, LISTENERS);
}

static void *hammer(void *context)
{
    struct buf answer = BUF_INIT(65536);
    int fd = dial(port), *good = context;
    for (int i = 0; i < 5; i++) {
        say(fd, STR("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
        *good += hear_answer(fd, &answer, true) == 200;
        say(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"));
        *good += hear_answer(fd, &answer, true) == 200;
    }
    close(fd);
    buf_free(&answer);
    return NULL;
}

static void test_two_hundred_connections_at_once_are_served(void **state)
{
    (void)state;
    enum { CLIENTS = 200 };
    static int good[CLIENTS];
    pthread_t threads[CLIENTS];
    open_door();
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &good[i]), 0);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 10);
    }
}

static void test_an_address_has_only_so_many_connections(void **state)
{
    (void)state;
    options.per_address_max = 3;
    open_door();
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(port);
        assert_int_equal(ask(fds[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    }
    exchange_all("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(heard.length, 0);
    assert_int_equal(ask(fds[0], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void test_only_a_trusted_proxy_speaks_for_others(void **state)
{
    (void)state;
    static const char request[] = "GET /who?a=1&b HTTP/1.1\r\nHost: a\r\n"
                                  "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3\r\n"
                                  "X-Forwarded-Proto: https\r\n\r\n";
    open_door();
    int fd = dial(port);
    ask(fd, request);
    assert_true(holds(&heard, "127.0.0.1 http q=a=1&b path=/who"));
    close(fd);
    door_http_stop(&door);
    struct network networks[2];
    assert_true(network_parse(STR("127.0.0.0/8"), &networks[0], NULL));
    assert_true(network_parse(STR("10.0.0.0/8"), &networks[1], NULL));
    options.proxies = networks;
    options.proxy_count = 2;
    open_door();
    fd = dial(port);
    ask(fd, request);
    assert_true(holds(&heard, "192.0.2.7 https q=a=1&b"));
    assert_true(holds(&heard, "Strict-Transport-Security: "));
    close(fd);
}

static void test_stopping_cuts_a_stream_and_forgets_nothing(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    say(fd, STR("GET /plenty HTTP/1.1\r\nHost: a\r\n\r\n"));
    char one;
    assert_int_equal(recv(fd, &one, 1, 0), 1);
    int idle = dial(port);
    door_http_stop(&door);
    assert_int_equal(house.streams_ended, 1);
    assert_true(recv(idle, &one, 1, 0) <= 0);
    close(fd);
    close(idle);
}

static void test_a_unix_socket_is_replaced_when_stale_and_kept_when_alive(void **state)
{
    (void)state;
    char folder[] = "/tmp/restante-door-XXXXXX", path[64];
    struct error err = ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    int alive = listen_open(str_of(path), &err);
    assert_true(alive >= 0);
    assert_int_equal(listen_open(str_of(path), &err), -1);
    close(alive);
    int again = listen_open(str_of(path), &err);
    assert_true(again >= 0);
    close(again);
    unlink(path);
    rmdir(folder);
    static const char *const bad[] = {
        "", ":80", "8080", "localhost:80", "127.0.0.1", "[::1]", "127.0.0.1:70000", "::1:80:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(listen_open(str_of(bad[i]), &err), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_connection_serves_one_request_after_the_other),
        TEST(test_each_answer_has_the_security_headers_and_an_id),
        TEST(test_pipelined_requests_are_answered_in_order),
        TEST(test_head_has_the_length_and_no_body),
        TEST(test_what_proxies_read_differently_is_refused_and_closed),
        TEST(test_odd_but_lawful_heads_are_taken),
        TEST(test_a_huge_head_is_refused),
        TEST(test_a_large_body_is_refused_before_it_is_read),
        TEST(test_a_body_somewhat_too_large_is_read_and_then_refused),
        TEST(test_an_upload_goes_to_a_file_and_arrives_whole),
        TEST(test_a_chunked_body_is_limited_too),
        TEST(test_a_slow_head_is_cut_off),
        TEST(test_a_slow_body_is_cut_off),
        TEST(test_a_slow_reader_of_a_stream_is_cut_off),
        TEST(test_a_stream_arrives_whole),
        TEST(test_a_stream_that_fails_is_seen_to_be_cut),
        TEST(test_a_client_that_leaves_ends_its_stream),
        TEST(test_event_streams_do_not_take_the_workers),
        TEST(test_two_hundred_connections_at_once_are_served),
        TEST(test_an_address_has_only_so_many_connections),
        TEST(test_only_a_trusted_proxy_speaks_for_others),
        TEST(test_stopping_cuts_a_stream_and_forgets_nothing),
        TEST(test_a_unix_socket_is_replaced_when_stale_and_kept_when_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

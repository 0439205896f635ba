/* The FastCGI door, with records made by hand, and the CGI door, in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "server/base/log.h"
#include "server/http/door_cgi.h"
#include "server/http/door_fcgi.h"
#include "server/http/fcgi_head.h"
#include "tests/unit/http_client.h"
#include "tests/unit/http_house.h"

static struct house house;
static struct router *router;
static struct door_options options;
static struct door_fcgi *door;
static uint16_t port;
static struct buf records, body;
static const char *own_path;

static void open_door(void)
{
    struct error err = ERROR_INIT;
    int fd = listen_open(STR("127.0.0.1:0"), &err);
    assert_true(fd >= 0);
    port = port_of(fd);
    door = door_fcgi_start(&options, fd, &err);
    assert_non_null(door);
}

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    router = house_open(&house);
    options = door_defaults(router);
    options.workers = 2;
    records = BUF_INIT(16 * 1024 * 1024);
    body = BUF_INIT(PLENTY_BYTES * 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    door_fcgi_stop(&door);
    house_close(&house, &router);
    buf_free(&records);
    buf_free(&body);
    return 0;
}

/* --- records --- */

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static void add_record(int type, struct str content)
{
    unsigned char head[8] = {1,
                             (unsigned char)type,
                             0,
                             1,
                             (unsigned char)(content.length >> 8),
                             (unsigned char)content.length};
    buf_append(&records, head, sizeof head);
    buf_str(&records, content);
}

static void begin(bool keeps)
{
    buf_reset(&records);
    add_record(BEGIN, str_make((char[8]){0, 1, keeps, 0, 0, 0, 0, 0}, 8));
}

static void add_length(struct buf *params, size_t length)
{
    if (length > 127)
        buf_append(params,
                   (unsigned char[4]){0x80, 0, (unsigned char)(length >> 8), (unsigned char)length},
                   4);
    else
        buf_char(params, (char)length);
}

/* Pairs of name and value, NULL at the end. */
static void add_params(const char *const *pairs)
{
    struct buf params = BUF_INIT(60000);
    for (; *pairs; pairs += 2) {
        add_length(&params, strlen(pairs[0]));
        add_length(&params, strlen(pairs[1]));
        buf_text(&params, pairs[0]);
        buf_text(&params, pairs[1]);
    }
    add_record(PARAMS, buf_view(&params));
    add_record(PARAMS, STR_EMPTY);
    buf_free(&params);
}

static void add_stdin(struct str bytes)
{
    while (bytes.length > 0) {
        struct str piece = str_sub(bytes, 0, 60000);
        add_record(STDIN, piece);
        bytes = str_skip(bytes, piece.length);
    }
    add_record(STDIN, STR_EMPTY);
}

static void make_request(const char *method, const char *uri, struct str content, bool keeps)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", content.length);
    const char *const pairs[] = {"REQUEST_METHOD", method, "REQUEST_URI", uri,
                                 "CONTENT_LENGTH", length, "REMOTE_ADDR", "192.0.2.9",
                                 "HTTPS",          "on",   NULL};
    begin(keeps);
    add_params(pairs);
    add_stdin(content);
}

static bool take(int fd, void *target, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = recv(fd, (char *)target + length, size - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
    }
    return true;
}

/* Collects what one request writes to STDOUT in `body`; false if the connection ends before
 * END_REQUEST. */
static bool hear_request(int fd)
{
    buf_reset(&body);
    for (;;) {
        unsigned char head[8];
        char content[65536 + 256];
        if (!take(fd, head, sizeof head))
            return false;
        size_t length = (size_t)(head[4] << 8 | head[5]);
        if (!take(fd, content, length + head[6]))
            return false;
        if (head[1] == STDOUT)
            buf_append(&body, content, length);
        if (head[1] == END)
            return true;
    }
}

static void assert_answered(int fd, const char *status, const char *text)
{
    assert_true(say(fd, buf_view(&records)));
    assert_true(hear_request(fd));
    if (!str_starts(buf_view(&body), str_of(status)) || !holds(&body, text))
        fail_msg("wanted %s and %s, got %.400s", status, text, body.at);
}

/* --- FastCGI --- */

static void test_a_kept_connection_serves_many_requests(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    for (int i = 0; i < 20; i++) {
        make_request("GET", "/hello", STR_EMPTY, true);
        assert_answered(fd, "Status: 200 OK\r\n", "\r\n\r\nhello");
    }
    make_request("POST", "/echo", STR("abc"), true);
    assert_answered(fd, "Status: 200 OK\r\n", "POST 3 294 memory");
    make_request("GET", "/who?x=%41", STR_EMPTY, false);
    assert_answered(fd, "Status: 200 OK\r\n", "192.0.2.9 https q=x=%41 path=/who");
    char one;
    assert_int_equal(recv(fd, &one, 1, 0), 0); /* not kept */
    close(fd);
}

static void test_stalled_peers_do_not_block_others(void **state)
{
    (void)state;
    options.workers = 1;
    open_door();
    enum { STALLED = 30 };
    int stalled[STALLED];
    make_request("GET", "/hello", STR_EMPTY, false);
    size_t head = records.length - 8 - 8; /* without the ends of PARAMS and STDIN */
    for (int i = 0; i < STALLED; i++) {
        stalled[i] = dial(port);
        say(stalled[i], str_sub(buf_view(&records), 0, (size_t)i * head / STALLED));
    }
    int fd = dial(port);
    assert_answered(fd, "Status: 200 OK\r\n", "hello");
    close(fd);
    /* One of them goes on, a byte at a time. */
    struct str rest = str_skip(buf_view(&records), (STALLED - 1) * head / STALLED);
    for (; rest.length > 0; rest = str_skip(rest, 1))
        assert_true(say(stalled[STALLED - 1], str_sub(rest, 0, 1)));
    assert_true(hear_request(stalled[STALLED - 1]));
    assert_true(holds(&body, "hello"));
    for (int i = 0; i < STALLED; i++)
        close(stalled[i]);
}

static void test_a_head_that_never_ends_is_cut_off(void **state)
{
    (void)state;
    options.head_ms = 300;
    open_door();
    int fd = dial(port);
    begin(false);
    bool is_open = say(fd, buf_view(&records));
    for (struct str piece = STR("\1\4\0\1\0\377\0"); is_open; piece = STR("a")) {
        usleep(20 * 1000);
        is_open = say(fd, piece);
    }
    close(fd);
    assert_int_equal(atomic_load(&house.served), 0);
}

static void test_params_that_claim_two_gibibytes_are_refused(void **state)
{
    (void)state;
    open_door();
    static const struct str claims[] = {
        STR("\xff\xff\xff\xff\xff\xff\xff\xff"
            "ab"), /* CVE-2025-23016: the sum overflows */
        STR("\x80\x00\x00\x02\x7f\xff\xff\xff"
            "ab"),
        STR("\x02\xff\xff\xff\xff"
            "ab"),
        STR("\x04\x02"
            "NAM"),
        STR("\x01"),
        STR("\x01\x01\x00"
            "a"),
        STR("\x00\x01"
            "a"),
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        begin(false);
        add_record(PARAMS, claims[i]);
        add_record(PARAMS, STR_EMPTY);
        assert_int_equal(fcgi_check_head(buf_view(&records)), FCGI_HEAD_BAD);
        add_record(STDIN, STR_EMPTY);
        int fd = dial(port);
        say(fd, buf_view(&records));
        assert_false(hear_request(fd));
        assert_int_equal(body.length, 0);
        close(fd);
    }
    int fd = dial(port);
    make_request("GET", "/hello", STR_EMPTY, false);
    assert_answered(fd, "Status: 200 OK\r\n", "hello");
    close(fd);
}

static void test_a_head_is_complete_only_at_its_last_byte(void **state)
{
    (void)state;
    begin(false);
    add_params((const char *const[]){"REQUEST_METHOD", "GET", "X", "", NULL});
    for (size_t i = 0; i < records.length; i++)
        assert_int_equal(fcgi_check_head(str_sub(buf_view(&records), 0, i)), FCGI_HEAD_MORE);
    assert_int_equal(fcgi_check_head(buf_view(&records)), FCGI_HEAD_COMPLETE);
    records.at[9] = 3; /* a filter, not a responder */
    assert_int_equal(fcgi_check_head(buf_view(&records)), FCGI_HEAD_BAD);
    assert_int_equal(fcgi_check_head(STR("GET / HTTP/1.1\r\n")), FCGI_HEAD_BAD);
    begin(false);
    char filler[60000];
    memset(filler, 0, sizeof filler);
    add_record(PARAMS, str_make(filler, sizeof filler));
    add_record(PARAMS, str_make(filler, sizeof filler));
    assert_int_equal(fcgi_check_head(str_sub(buf_view(&records), 0, FCGI_HEAD_BYTES)),
                     FCGI_HEAD_BAD);
}

static void test_a_fastcgi_upload_arrives_whole_and_too_large_is_refused(void **state)
{
    (void)state;
    open_door();
    struct buf content = BUF_INIT(UPLOAD_BYTES + 1);
    for (int i = 0; i < UPLOAD_BYTES; i++)
        buf_char(&content, '\1');
    int fd = dial(port);
    make_request("POST", "/upload", buf_view(&content), true);
    assert_answered(fd, "Status: 200 OK\r\n", "POST 4194304 4194304 file");
    make_request("POST", "/echo", str_sub(buf_view(&content), 0, ROUTER_BODY_BYTES - 1), true);
    assert_answered(fd, "Status: 200 OK\r\n", "POST 1048575 1048575 file");
    make_request("POST", "/echo", str_sub(buf_view(&content), 0, ROUTER_BODY_BYTES + 1), true);
    say(fd, buf_view(&records));
    hear_request(fd);
    assert_true(str_starts(buf_view(&body), STR("Status: 413 Content Too Large\r\n")));
    close(fd);
    buf_free(&content);
}

static void test_fastcgi_streams_arrive_whole_or_are_cut(void **state)
{
    (void)state;
    open_door();
    int fd = dial(port);
    make_request("GET", "/plenty", STR_EMPTY, true);
    assert_answered(fd, "Status: 200 OK\r\n", "xxxx");
    assert_true(body.length > PLENTY_BYTES);
    make_request("HEAD", "/plenty?known=1", STR_EMPTY, true);
    assert_answered(fd, "Status: 200 OK\r\n", "Content-Length: 33554432\r\n");
    assert_true(str_ends(buf_view(&body), STR("\r\n\r\n")));
    make_request("GET", "/half", STR_EMPTY, true);
    say(fd, buf_view(&records));
    assert_false(hear_request(fd));
    close(fd);
    fd = dial(port);
    make_request("GET", "/short", STR_EMPTY, true);
    say(fd, buf_view(&records));
    assert_false(hear_request(fd));
    close(fd);
    /* One that leaves. */
    fd = dial(port);
    make_request("GET", "/plenty", STR_EMPTY, false);
    char one;
    say(fd, buf_view(&records));
    assert_int_equal(recv(fd, &one, 1, 0), 1);
    close(fd);
    house_wait_for_ends(&house, 3);
    assert_int_equal(house.streams_refused, 1);
}

static void test_fastcgi_events_have_threads_of_their_own(void **state)
{
    (void)state;
    options.workers = 1;
    options.events_max = 5;
    open_door();
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = dial(port);
        make_request("GET", "/events", STR_EMPTY, false);
        say(fds[i], buf_view(&records));
        char some[4096] = "";
        size_t length = 0;
        while (!memmem(some, length, "data: one", 9)) {
            ssize_t got = recv(fds[i], some + length, sizeof some - length, 0);
            assert_true(got > 0);
            length += (size_t)got;
        }
    }
    int fd = dial(port);
    make_request("GET", "/hello", STR_EMPTY, true);
    assert_answered(fd, "Status: 200 OK\r\n", "hello");
    make_request("GET", "/events", STR_EMPTY, true);
    assert_answered(fd, "Status: 503 ", "Retry-After: 60\r\n");
    close(fd);
    house_let_events_go_on(&house);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    house_wait_for_ends(&house, 5);
}

static void test_fastcgi_slow_takers_of_large_answers_hold_no_worker(void **state)
{
    (void)state;
    options.workers = 1;
    open_door();
    int fds[3];
    for (int i = 0; i < 3; i++) {
        char one;
        fds[i] = dial(port);
        make_request("GET", "/plenty", STR_EMPTY, false);
        say(fds[i], buf_view(&records));
        assert_int_equal(recv(fds[i], &one, 1, 0), 1);
    }
    int fd = dial(port);
    make_request("GET", "/hello", STR_EMPTY, true);
    assert_answered(fd, "Status: 200 OK\r\n", "hello");
    close(fd);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    house_wait_for_ends(&house, 3);
}

/* --- CGI --- */

extern char **environ;

/* This program as the web server's child. */
static int serve_cgi(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    router = house_open(&house);
    options = door_defaults(router);
    bool is_good = door_cgi_serve(&options, environ, 0, 1);
    house_close(&house, &router);
    return is_good ? 0 : 1;
}

static int run_cgi(const char *const *variables, struct str input)
{
    int in[2], out[2], status = -1;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        char *const argv[] = {(char *)own_path, NULL};
        execve(own_path, argv, (char *const *)(uintptr_t)variables);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], input.at, input.length), input.length);
    close(in[1]);
    buf_reset(&body);
    ssize_t got;
    do {
        char *room = buf_reserve(&body, 65536);
        got = room ? read(out[0], room, 65536) : 0;
        body.length += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    close(out[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CGI_WORDS "GATEWAY_INTERFACE=CGI/1.1", "REMOTE_ADDR=192.0.2.1"

static void test_cgi_answers_one_request(void **state)
{
    (void)state;
    static const struct {
        const char *const variables[8];
        const char *input, *status, *text;
        int exit_code;
    } cases[] = {
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/who?q", NULL},
         "",
         "Status: 200 OK\r\n",
         "192.0.2.1 http q=q path=/who",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "SCRIPT_NAME=/mail.cgi", "PATH_INFO=/who",
          "REQUEST_URI=/mail.cgi/who?q", NULL},
         "",
         "Status: 200 OK\r\n",
         "q=q path=/who",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "SCRIPT_NAME=/cgi-bin/mail", "PATH_INFO=/who",
          "QUERY_STRING=a=b", NULL},
         "",
         "Status: 200 OK\r\n",
         "q=a=b path=/who",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=3", NULL},
         "abcdef",
         "Status: 200 OK\r\n",
         "POST 3 294 memory",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=9", NULL},
         "abc",
         "Status: 400 ",
         "cut off",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=9999999", NULL},
         "abc",
         "Status: 413 ",
         "larger than",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=-1", NULL},
         "",
         "Status: 400 ",
         "not a number",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=HEAD", "REQUEST_URI=/hello", NULL},
         "",
         "Status: 200 OK\r\n",
         "Content-Length: 5\r\n\r\n",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/none", NULL},
         "",
         "Status: 404 Not Found\r\n",
         "problem+json",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/events", NULL},
         "",
         "Status: 503 ",
         "poll instead",
         0},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/half", NULL},
         "",
         "Status: 200 OK\r\n",
         "half of it",
         1},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/short", NULL},
         "",
         "Status: 200 OK\r\n",
         "\r\n\r\nshort",
         1},
        {{CGI_WORDS, "REQUEST_METHOD=GET", "REQUEST_URI=/hello", "HTTP_X=a\nb", NULL},
         "",
         "Status: 400 ",
         "not well formed",
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = run_cgi(cases[i].variables, str_of(cases[i].input));
        if (code != cases[i].exit_code || !str_starts(buf_view(&body), str_of(cases[i].status)) ||
            !holds(&body, cases[i].text))
            fail_msg("case %zu: exit %d, %.*s", i, code, (int)body.length, body.at);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    (void)argc;
    if (door_cgi_is_asked(environ))
        return serve_cgi();
    own_path = argv[0];
    const struct CMUnitTest tests[] = {
        TEST(test_a_kept_connection_serves_many_requests),
        TEST(test_stalled_peers_do_not_block_others),
        TEST(test_a_head_that_never_ends_is_cut_off),
        TEST(test_params_that_claim_two_gibibytes_are_refused),
        TEST(test_a_head_is_complete_only_at_its_last_byte),
        TEST(test_a_fastcgi_upload_arrives_whole_and_too_large_is_refused),
        TEST(test_fastcgi_streams_arrive_whole_or_are_cut),
        TEST(test_fastcgi_events_have_threads_of_their_own),
        TEST(test_fastcgi_slow_takers_of_large_answers_hold_no_worker),
        TEST(test_cgi_answers_one_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

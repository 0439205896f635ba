/* Streams in the clear: lines, bytes, limits, stalls, cancelling, compression, connecting. */
#include "tests/unit/script_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <zlib.h>

#include "server/base/secret.h"
#include "server/net/stream.h"

static struct stream *adopt(struct script *script, struct stream_params params)
{
    params.host = STR("mail.example.org");
    params.security = STREAM_PLAIN;
    struct stream *stream = stream_adopt(script->client_fd, &params, NULL);
    assert_non_null(stream);
    return stream;
}

static void test_lines_end_with_crlf_or_lf_and_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct script *script = script_start("split 1\nS: one\nS~: two\\n\nS:\nS~: th\\rree\\r\\n\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    static const char *const lines[] = {"one", "two", "", "th\rree"};
    struct buf line = BUF_INIT(100);
    for (int i = 0; i < 4; i++) {
        buf_reset(&line);
        assert_true(stream_read_line(stream, &line, NULL));
        assert_true(str_equal(buf_view(&line), str_of(lines[i])));
    }
    struct error err = ERROR_INIT;
    assert_false(stream_read_line(stream, &line, &err));
    assert_int_equal(err.kind, ERROR_CLOSED);
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void test_a_line_without_end_is_a_limit(void **state)
{
    (void)state;
    struct script *script = script_start("S* 100000: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\n\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    struct buf line = BUF_INIT(10);
    struct error err = ERROR_INIT;
    assert_false(stream_read_line(stream, &line, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_false(stream_flush(stream, NULL)); /* final */
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void test_no_more_bytes_are_read_than_asked_for(void **state)
{
    (void)state;
    struct script *script = script_start("split 3\nS~: 0123456789ab\nS: c\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    char bytes[11] = "";
    struct buf line = BUF_INIT(100);
    for (ptrdiff_t at = 0, n; at < 10; at += n)
        assert_true((n = stream_read_some(stream, bytes + at, (size_t)(10 - at), NULL)) > 0);
    assert_string_equal(bytes, "0123456789");
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(str_equal(buf_view(&line), STR("abc")));
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void test_silence_ends_at_the_stall_time(void **state)
{
    (void)state;
    struct script *script = script_start("S~: half a li\nstall\n");
    struct stream *stream = adopt(script, (struct stream_params){.stall_ms = 50});
    struct buf line = BUF_INIT(100);
    struct error err = ERROR_INIT;
    assert_false(stream_read_line(stream, &line, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static const char *dripped = "x";

static void *drip(void *context)
{
    int fd = *(int *)context;
    while (send(fd, dripped, strlen(dripped), MSG_NOSIGNAL) > 0)
        usleep(5000);
    return NULL;
}

static void test_a_byte_now_and_then_does_not_count_as_progress(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_params params = {.host = STR("x.org"), .stall_ms = 100};
    struct stream *stream = stream_adopt(fds[1], &params, NULL);
    pthread_create(&thread, NULL, drip, &fds[0]);
    struct error err = ERROR_INIT;
    char byte;
    ptrdiff_t n;
    while ((n = stream_read_some(stream, &byte, 1, &err)) > 0)
        ;
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    stream_free(&stream);
    pthread_join(thread, NULL);
    close(fds[0]);
}

/* Each line is progress, and yet there is no end to it. */
static void test_a_line_now_and_then_is_too_slow_in_the_long_run(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_params params = {.host = STR("x.org"), .stall_ms = 60000, .rate_ms = 200};
    struct stream *stream = stream_adopt(fds[1], &params, NULL);
    stream_set_deadline(stream, DEADLINE_NEVER);
    dripped = "x\r\n";
    pthread_create(&thread, NULL, drip, &fds[0]);
    struct error err = ERROR_INIT;
    struct buf line = BUF_INIT(100);
    while (stream_read_line(stream, &line, &err))
        buf_reset(&line);
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    buf_free(&line);
    stream_free(&stream);
    pthread_join(thread, NULL);
    dripped = "x";
    close(fds[0]);
}

static void test_the_deadline_ends_what_is_not_silent(void **state)
{
    (void)state;
    struct script *script = script_start("stall\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    struct buf line = BUF_INIT(100);
    struct error err = ERROR_INIT;
    stream_set_deadline(stream, deadline_in_ms(20));
    assert_false(stream_read_line(stream, &line, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void *cancel_by_event(void *context)
{
    usleep(20000);
    eventfd_write(*(int *)context, 1);
    return NULL;
}

static void *cancel_by_flag(void *context)
{
    usleep(20000);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

static void test_a_wait_can_be_cancelled(void **state)
{
    (void)state;
    atomic_bool flag = false;
    int event = eventfd(0, EFD_CLOEXEC);
    struct stream_params ways[] = {{.cancel_fd = event}, {.cancel = &flag}};
    void *(*cancel[])(void *) = {cancel_by_event, cancel_by_flag};
    void *contexts[] = {&event, &flag};
    for (int i = 0; i < 2; i++) {
        struct script *script = script_start("stall\n");
        struct stream *stream = adopt(script, ways[i]);
        pthread_t thread;
        pthread_create(&thread, NULL, cancel[i], contexts[i]);
        struct buf line = BUF_INIT(100);
        struct error err = ERROR_INIT;
        assert_false(stream_read_line(stream, &line, &err));
        assert_int_equal(err.kind, ERROR_CLOSED);
        pthread_join(thread, NULL);
        buf_free(&line);
        stream_free(&stream);
        script_finish(&script);
    }
    close(event);
}

static void test_waiting_tells_whether_there_is_news(void **state)
{
    (void)state;
    struct script *script = script_start("C: go\nS: news\nS: more\nstall\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    struct buf line = BUF_INIT(100);
    assert_int_equal(stream_wait(stream, 0, NULL), 0);
    assert_true(stream_is_quiet(stream));
    stream_park(stream);
    assert_true(stream_put(stream, STR("go\r\n"), NULL) && stream_flush(stream, NULL));
    assert_int_equal(stream_wait(stream, 10000, NULL), 1);
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(str_equal(buf_view(&line), STR("newsmore")));
    assert_true(stream_is_quiet(stream));
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void trace(void *context, enum stream_direction direction, struct str bytes)
{
    buf_text(context, direction == STREAM_SENT ? ">" : "<");
    buf_str(context, bytes);
}

static void test_secrets_are_not_traced(void **state)
{
    (void)state;
    struct script *script = script_start("C: LOGIN sesame\nS: ok\n");
    struct buf seen = BUF_INIT(1000), line = BUF_INIT(100);
    struct stream *stream =
        adopt(script, (struct stream_params){.trace = trace, .trace_context = &seen});
    assert_true(stream_put(stream, STR("LOGIN "), NULL));
    assert_true(stream_put_secret(stream, STR("sesame"), NULL));
    assert_true(stream_put(stream, STR("\r\n"), NULL));
    assert_true(stream_flush(stream, NULL));
    assert_true(stream_read_line(stream, &line, NULL));
    assert_string_equal(seen.at, ">LOGIN >[...]>\r\n<ok\r\n");
    buf_free(&seen);
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

static void test_what_is_large_is_sent_whole(void **state)
{
    (void)state;
    struct script *script = script_start("C~: 1000000\nS: thanks\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    struct buf line = BUF_INIT(100);
    char *bytes = calloc(1, 1000000);
    assert_true(stream_put(stream, str_make(bytes, 1000000), NULL));
    assert_true(stream_flush(stream, NULL));
    assert_true(stream_read_line(stream, &line, NULL));
    free(bytes);
    buf_free(&line);
    stream_free(&stream);
    script_finish(&script);
}

/* --- deflate ---------------------------------------------------------------------------------- */

static size_t squeeze(const void *bytes, size_t length, unsigned char *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)bytes;
    z.avail_in = (uInt)length;
    z.next_out = out;
    z.avail_out = (uInt)size;
    deflate(&z, Z_SYNC_FLUSH);
    size_t used = size - z.avail_out;
    deflateEnd(&z);
    return used;
}

static void test_deflate_goes_both_ways(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_params params = {.host = STR("x.org")};
    struct stream *a = stream_adopt(fds[0], &params, NULL);
    struct stream *b = stream_adopt(fds[1], &params, NULL);
    assert_true(stream_start_deflate(a, NULL) && stream_start_deflate(b, NULL));
    struct buf line = BUF_INIT(1 << 20);
    for (int round = 0; round < 100; round++) {
        char text[200];
        snprintf(text, sizeof text, "* %d EXISTS and some more of it\r\n", round);
        struct str piece = str_of(text);
        struct stream *from = round % 2 ? a : b;
        assert_true(stream_put(from, piece, NULL) && stream_flush(from, NULL));
        buf_reset(&line);
        assert_true(stream_read_line(round % 2 ? b : a, &line, NULL));
        assert_int_equal(line.length, piece.length - 2);
    }
    assert_true(stream_is_quiet(a) && stream_is_quiet(b));
    buf_free(&line);
    stream_free(&a);
    stream_free(&b);
}

static void test_bytes_received_before_deflate_began_are_compressed(void **state)
{
    (void)state;
    int fds[2];
    unsigned char out[200];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_params params = {.host = STR("x.org")};
    struct stream *stream = stream_adopt(fds[0], &params, NULL);
    memcpy(out, "A1 OK\r\n", 7);
    size_t length = 7 + squeeze("* BYE\r\n", 7, out + 7, sizeof out - 7);
    assert_int_equal(write(fds[1], out, length), (ssize_t)length);
    struct buf line = BUF_INIT(100);
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(stream_start_deflate(stream, NULL));
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(str_equal(buf_view(&line), STR("A1 OK* BYE")));
    buf_free(&line);
    stream_free(&stream);
    close(fds[1]);
}

static void *send_bomb(void *context)
{
    static char zeros[4 << 20];
    static unsigned char out[64 << 10];
    int fd = *(int *)context;
    size_t length = squeeze(zeros, sizeof zeros, out, sizeof out);
    while (send(fd, out, length, MSG_NOSIGNAL) == (ssize_t)length)
        ;
    return NULL;
}

static void test_a_compression_bomb_is_a_limit(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_params params = {.host = STR("x.org")};
    struct stream *stream = stream_adopt(fds[0], &params, NULL);
    pthread_create(&thread, NULL, send_bomb, &fds[1]);
    assert_true(stream_start_deflate(stream, NULL));
    struct error err = ERROR_INIT;
    char piece[4096];
    size_t total = 0;
    ptrdiff_t n;
    while ((n = stream_read_some(stream, piece, sizeof piece, &err)) > 0)
        total += (size_t)n;
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_true(total < 4u << 20);
    stream_free(&stream);
    pthread_join(thread, NULL);
    close(fds[1]);
}

static void test_what_is_not_deflate_is_a_protocol_error(void **state)
{
    (void)state;
    struct script *script = script_start("S: \\xff\\xff\\xff\\xff not compressed\nstall\n");
    struct stream *stream = adopt(script, (struct stream_params){0});
    struct error err = ERROR_INIT;
    char byte;
    assert_true(stream_start_deflate(stream, NULL));
    assert_int_equal(stream_read_some(stream, &byte, 1, &err), -1);
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    stream_free(&stream);
    script_finish(&script);
}

/* --- connecting ------------------------------------------------------------------------------- */

/* A listener on 127.0.0.1; `*port` is filled in. */
static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static struct egress *allow(const char *networks, int port)
{
    char ports[16];
    snprintf(ports, sizeof ports, "%d", port);
    struct egress *egress = egress_new(str_of(networks), str_of(ports), NULL);
    assert_non_null(egress);
    return egress;
}

static void test_connecting_falls_back_to_the_address_that_answers(void **state)
{
    (void)state;
    int port, fd = listen_somewhere(&port);
    struct egress *egress = allow("127.0.0.0/8 ::1", port);
    enum stream_step step = STREAM_STEP_DONE;
    struct stream_params params = {.host = STR("localhost"), /* ::1 too, where nobody listens */
                                   .port = port,
                                   .security = STREAM_PLAIN,
                                   .egress = egress,
                                   .step = &step};
    struct error err = ERROR_INIT;
    struct stream *stream = stream_connect(&params, &err);
    if (!stream)
        fail_msg("%s", err.message);
    assert_int_equal(step, STREAM_STEP_GREETING);
    stream_free(&stream);
    egress_free(&egress);
    close(fd);
}

/* A silent IDLE that a NAT has forgotten is found by the kernel asking: within 60 + 3 * 20 s. */
static void test_a_silent_connection_is_kept_alive_or_found_dead(void **state)
{
    (void)state;
    int port, fd = listen_somewhere(&port);
    struct egress *egress = allow("127.0.0.0/8", port);
    struct stream_params params = {
        .host = STR("127.0.0.1"), .port = port, .security = STREAM_PLAIN, .egress = egress};
    struct stream *stream = stream_connect(&params, NULL);
    assert_non_null(stream);
    static const int wanted[][3] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                                    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
                                    {IPPROTO_TCP, TCP_KEEPINTVL, 20},
                                    {IPPROTO_TCP, TCP_KEEPCNT, 3}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int value = -1;
        socklen_t size = sizeof value;
        getsockopt(stream_fd(stream), wanted[i][0], wanted[i][1], &value, &size);
        assert_int_equal(value, wanted[i][2]);
    }
    stream_free(&stream);
    egress_free(&egress);
    close(fd);
}

static void test_the_connected_address_is_what_the_rules_see(void **state)
{
    (void)state;
    int port, fd = listen_somewhere(&port);
    struct egress *egress = allow("10.0.0.0/8", port);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "localhost.", "::ffff:127.0.0.1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct stream_params params = {
            .host = str_of(hosts[i]), .port = port, .security = STREAM_PLAIN, .egress = egress};
        struct error err = ERROR_INIT;
        assert_null(stream_connect(&params, &err));
        assert_int_equal(err.kind, ERROR_FORBIDDEN);
    }
    struct pollfd listener = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&listener, 1, 0), 0); /* nobody even knocked */
    egress_free(&egress);
    close(fd);
}

static void test_a_closed_port_is_unreachable(void **state)
{
    (void)state;
    int port, fd = listen_somewhere(&port);
    close(fd);
    struct egress *egress = allow("127.0.0.0/8", port);
    enum stream_step step;
    struct stream_params params = {.host = STR("127.0.0.1"),
                                   .port = port,
                                   .security = STREAM_PLAIN,
                                   .egress = egress,
                                   .step = &step};
    struct error err = ERROR_INIT;
    assert_null(stream_connect(&params, &err));
    assert_int_equal(err.kind, ERROR_UNREACHABLE);
    assert_int_equal(step, STREAM_STEP_CONNECT);
    egress_free(&egress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_end_with_crlf_or_lf_and_may_come_byte_by_byte),
        cmocka_unit_test(test_a_line_without_end_is_a_limit),
        cmocka_unit_test(test_no_more_bytes_are_read_than_asked_for),
        cmocka_unit_test(test_silence_ends_at_the_stall_time),
        cmocka_unit_test(test_a_line_now_and_then_is_too_slow_in_the_long_run),
        cmocka_unit_test(test_a_byte_now_and_then_does_not_count_as_progress),
        cmocka_unit_test(test_the_deadline_ends_what_is_not_silent),
        cmocka_unit_test(test_a_wait_can_be_cancelled),
        cmocka_unit_test(test_waiting_tells_whether_there_is_news),
        cmocka_unit_test(test_secrets_are_not_traced),
        cmocka_unit_test(test_what_is_large_is_sent_whole),
        cmocka_unit_test(test_deflate_goes_both_ways),
        cmocka_unit_test(test_bytes_received_before_deflate_began_are_compressed),
        cmocka_unit_test(test_a_compression_bomb_is_a_limit),
        cmocka_unit_test(test_what_is_not_deflate_is_a_protocol_error),
        cmocka_unit_test(test_connecting_falls_back_to_the_address_that_answers),
        cmocka_unit_test(test_a_silent_connection_is_kept_alive_or_found_dead),
        cmocka_unit_test(test_the_connected_address_is_what_the_rules_see),
        cmocka_unit_test(test_a_closed_port_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

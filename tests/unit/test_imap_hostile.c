/* Servers that mean harm (ref/security.md 30-33): a clean error, bounded memory, in time. */
#include <malloc.h>

#include "tests/unit/imap_house.h"

static bool fetch_section(struct house *house, const char *section)
{
    struct imap_set one = set_of(house, "1");
    struct imap_fetch_params params = {
        .uids = &one, .sections = {{.name = str_of(section)}}, .section_count = 1};
    return imap_fetch(house->client, &params, each, house, &house->err);
}

static void test_a_literal_that_is_only_announced_costs_nothing(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "hostile_literal");
    must_fail(&house, ERROR_LIMIT, fetch_section(&house, ""));
    assert_false(imap_is_alive(house.client));
    must_fail(&house, ERROR_LIMIT, imap_noop(house.client, &house.err)); /* the first cause */
    end(&house);
}

static void test_a_literal_that_does_not_come_times_out(void **state)
{
    (void)state;
    struct house house = {.params.stream.stall_ms = 50};
    sign_in(&house, "hostile_stall");
    must_fail(&house, ERROR_TIMEOUT, fetch_section(&house, ""));
    assert_false(imap_is_alive(house.client));
    end(&house);
}

static void test_a_literal_too_large_to_hold_is_cut(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "cut_literal");
    must(&house, fetch_section(&house, "HEADER"));
    assert_events(&house, "seq 1 uid 1 flags 0 [HEADER] abcdefghijklmnopqrst;");
    must(&house, imap_noop(house.client, &house.err));
    end(&house);
}

static void test_a_literal_byte_by_byte_is_what_it_is(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "hostile_split");
    must(&house, fetch_section(&house, "HEADER"));
    assert_events(&house, "seq 1 uid 1 flags 0 [HEADER] abcdefghijklmnopqrst;");
    end(&house);
}

/* --- servers that are no script --------------------------------------------------------------- */

/* A session over `client_fd` with a server that signs in by itself. */
static struct imap_client *attach(int client_fd, bool use_deflate)
{
    struct imap_params params = {.stream = {.host = STR("x.org"), .security = STREAM_PLAIN},
                                 .use_deflate = use_deflate};
    struct stream *stream = stream_adopt(client_fd, &params.stream, NULL);
    struct imap_client *client = imap_attach(stream, &params, NULL);
    assert_non_null(client);
    return client;
}

/* What a server sends, and then sends and sends again. */
struct endless {
    const char *first, *more;
    int fd;
};

static void *send_without_end(void *context)
{
    static const char greeting[] = "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n";
    struct endless *endless = context;
    struct buf chunk = BUF_INIT(1 << 20); /* few calls: there is much to send */
    while (chunk.length < 60000)
        buf_text(&chunk, endless->more);
    ssize_t n = send(endless->fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
    if (n > 0)
        n = send(endless->fd, endless->first, strlen(endless->first), MSG_NOSIGNAL);
    while (n >= 0)
        n = send(endless->fd, chunk.at, chunk.length, MSG_NOSIGNAL);
    buf_free(&chunk);
    return NULL;
}

static bool ask_noop(struct imap_client *client, struct error *err)
{
    return imap_noop(client, err);
}

/* The session ends with a clean error, and with no more than 64 MiB (oracle N). */
static void must_end_when(bool (*ask)(struct imap_client *, struct error *), const char *first,
                          const char *more)
{
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct endless endless = {.first = first, .more = more, .fd = fds[0]};
    pthread_create(&thread, NULL, send_without_end, &endless);
    struct imap_client *client = attach(fds[1], false);
    struct error err = ERROR_INIT;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_false(ask(client, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_true(after < before + (64u << 20));
    assert_false(imap_is_alive(client));
    imap_free(&client);
    pthread_join(thread, NULL);
    close(fds[0]);
}

static void must_end(const char *first, const char *more)
{
    must_end_when(ask_noop, first, more);
}

static void test_a_line_without_end_takes_bounded_memory(void **state)
{
    (void)state;
    must_end("* SEARCH", " 123456 123457 123458 123459 123460 123461 123462");
}

static void test_parentheses_without_end_take_bounded_memory(void **state)
{
    (void)state;
    must_end("* 1 FETCH ", "((((((((((((((((((((((((((((((((((((((((((((((");
}

static void test_literals_without_end_take_bounded_memory(void **state)
{
    (void)state;
    must_end("* 1 FETCH (FLAGS (", "{1}\r\na {0}\r\n ");
}

static bool begin_any(void *context, const struct imap_fetch *fetch,
                      const struct imap_section *section)
{
    (void)fetch;
    (void)section;
    ++*(int *)context;
    return true;
}

static bool write_any(void *context, struct str bytes)
{
    (void)context;
    (void)bytes;
    return true;
}

static bool end_any(void *context)
{
    (void)context;
    return true;
}

static bool on_any(void *context, const struct imap_fetch *fetch)
{
    (void)context;
    (void)fetch;
    return true;
}

static bool ask_for_bodies(struct imap_client *client, struct error *err)
{
    int begun = 0;
    struct imap_sink sink = {&begun, 4096, begin_any, write_any, end_any};
    struct imap_fetch_params params = {
        .seq_low = 1, .seq_high = 1, .section_count = 1, .sink = &sink};
    bool is_good = imap_fetch(client, &params, on_any, NULL, err);
    assert_true(begun > 0 && begun < 100);
    return is_good;
}

/* At each of these the response so far is read from its beginning: many flags, many times. */
static void test_literals_without_end_for_a_sink_take_bounded_memory(void **state)
{
    (void)state;
    struct buf first = BUF_INIT(1 << 20), more = BUF_INIT(1 << 20);
    buf_text(&first, "* 1 FETCH (FLAGS (");
    for (int i = 0; i < 40000; i++)
        buf_text(&first, "a ");
    buf_text(&first, ")");
    buf_text(&more, " BODY[] {4096}\r\n");
    for (int i = 0; i < 4096; i++)
        buf_char(&more, 'x');
    must_end_when(ask_for_bodies, first.at, more.at);
    buf_free(&first);
    buf_free(&more);
}

static void test_responses_without_end_take_bounded_memory(void **state)
{
    (void)state;
    must_end("", "* 9 EXISTS\r\n");
}

static void say(struct stream *stream, struct str line)
{
    stream_put(stream, line, NULL);
    stream_flush(stream, NULL);
}

static void *compress_from_the_second_command_on(void *context)
{
    struct stream_params params = {.host = STR("x.org")};
    struct stream *stream = stream_adopt(*(int *)context, &params, NULL);
    struct buf line = BUF_INIT(1000);
    struct str says[] = {STR("* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n"),
                         STR("A1 OK\r\n"), STR("* 5 EXISTS\r\nA2 OK\r\n")};
    say(stream, says[0]);
    stream_read_line(stream, &line, NULL);
    if (str_equal(buf_view(&line), STR("A1 COMPRESS DEFLATE"))) {
        say(stream, says[1]);
        stream_start_deflate(stream, NULL);
        stream_read_line(stream, &line, NULL);
        say(stream, says[2]);
        stream_read_line(stream, &line, NULL);
    }
    buf_free(&line);
    stream_free(&stream);
    return NULL;
}

static void test_a_session_is_compressed_where_that_is_offered(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pthread_create(&thread, NULL, compress_from_the_second_command_on, &fds[0]);
    struct imap_client *client = attach(fds[1], true);
    assert_true(imap_noop(client, NULL));
    assert_int_equal(imap_selected(client)->exists, 5);
    imap_free(&client);
    pthread_join(thread, NULL);
}

static void test_a_renumbered_mailbox_ends_the_session(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "hostile_uidvalidity");
    must(&house, select_mailbox(&house, "A", NULL));
    must_fail(&house, ERROR_PROTOCOL, imap_noop(house.client, &house.err));
    assert_int_equal(house.err.retry, ERROR_RETRY_NOW);
    assert_false(imap_is_alive(house.client));
    end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_literal_that_is_only_announced_costs_nothing),
        cmocka_unit_test(test_a_literal_that_does_not_come_times_out),
        cmocka_unit_test(test_a_literal_too_large_to_hold_is_cut),
        cmocka_unit_test(test_a_literal_byte_by_byte_is_what_it_is),
        cmocka_unit_test(test_a_line_without_end_takes_bounded_memory),
        cmocka_unit_test(test_parentheses_without_end_take_bounded_memory),
        cmocka_unit_test(test_literals_without_end_take_bounded_memory),
        cmocka_unit_test(test_literals_without_end_for_a_sink_take_bounded_memory),
        cmocka_unit_test(test_responses_without_end_take_bounded_memory),
        cmocka_unit_test(test_a_session_is_compressed_where_that_is_offered),
        cmocka_unit_test(test_a_renumbered_mailbox_ends_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

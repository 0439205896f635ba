/* TLS: only a certificate of a known CA, for this host, valid now, will do (ref/security.md 27-29).
 */
#include "tests/unit/tls_fixture.h"

#include "server/net/stream.h"

static struct tls_identity ca, other_ca;
static struct tls_context *context;
static char ca_path[] = "/tmp/restante-ca-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    close(mkstemp(ca_path));
    ca = tls_make(NULL, NULL, 86400);
    other_ca = tls_make(NULL, NULL, 86400);
    tls_write(&ca, ca_path);
    context = tls_context_new(ca_path, NULL);
    return !context;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(ca_path);
    tls_context_free(&context);
    tls_drop(&ca);
    tls_drop(&other_ca);
    return 0;
}

/* Makes TLS with a server of that identity; NULL with `err` filled when it is refused. */
static struct stream *connect_to(struct tls_server *server, const char *host, struct error *err)
{
    tls_server_start(server);
    struct stream_params params = {
        .host = str_of(host), .port = 993, .security = STREAM_TLS_IMPLICIT, .tls = context};
    struct stream *stream = stream_adopt(server->client_fd, &params, err);
    assert_non_null(stream);
    if (!stream_start_tls(stream, err))
        stream_free(&stream);
    return stream;
}

static void refuse(struct tls_identity identity, const char *host, const char *why)
{
    struct tls_server server = {.identity = &identity, .after = "* OK ready\r\n"};
    struct error err = ERROR_INIT;
    assert_null(connect_to(&server, host, &err));
    tls_server_finish(&server);
    tls_drop(&identity);
    assert_int_equal(err.kind, ERROR_TLS);
    if (!strstr(err.message, why) || !err.hint[0])
        fail_msg("%s / %s", err.message, err.hint);
}

static void accept_for(const char *names, const char *host)
{
    struct tls_identity identity = tls_make(&ca, names, 86400);
    struct tls_server server = {.identity = &identity, .after = "* OK ready\r\n"};
    struct error err = ERROR_INIT;
    struct stream *stream = connect_to(&server, host, &err);
    struct buf line = BUF_INIT(100);
    if (!stream)
        fail_msg("%s for %s: %s", names, host, err.message);
    assert_true(stream_read_line(stream, &line, NULL));
    assert_true(str_equal(buf_view(&line), STR("* OK ready")));
    assert_true(stream_is_encrypted(stream));
    assert_string_equal(stream_tls_version(stream), "TLSv1.3");
    assert_int_equal(stream_wait(stream, 0, NULL), 0);
    assert_true(stream_is_quiet(stream));
    stream_park(stream);
    stream_free(&stream);
    tls_server_finish(&server);
    tls_drop(&identity);
    buf_free(&line);
}

static void test_a_good_certificate_is_taken_for_name_and_address(void **state)
{
    (void)state;
    accept_for("DNS:mail.example.org", "mail.example.org");
    accept_for("DNS:mail.example.org", "Mail.Example.ORG.");
    accept_for("DNS:*.example.org", "mail.example.org");
    accept_for("DNS:a.org,IP:127.0.0.1", "127.0.0.1");
    accept_for("IP:::1", "::1");
    accept_for("DNS:xn--mller-kva.de", "m\xc3\xbcller.de");
}

static void test_an_expired_certificate_is_refused(void **state)
{
    (void)state;
    refuse(tls_make(&ca, "DNS:mail.example.org", -3600), "mail.example.org", "has expired");
}

static void test_a_certificate_for_another_host_is_refused(void **state)
{
    (void)state;
    refuse(tls_make(&ca, "DNS:mail.example.com", 3600), "mail.example.org", "another name");
    refuse(tls_make(&ca, "DNS:m*.example.org", 3600), "mail.example.org", "another name");
    refuse(tls_make(&ca, "DNS:*.example.org", 3600), "a.mail.example.org", "another name");
    refuse(tls_make(&ca, "DNS:127.0.0.1", 3600), "127.0.0.1", "this address");
}

static void test_a_self_signed_certificate_is_refused(void **state)
{
    (void)state;
    refuse(tls_make(NULL, "DNS:mail.example.org", 3600), "mail.example.org", "self-signed");
}

static void test_an_unknown_authority_is_refused(void **state)
{
    (void)state;
    refuse(tls_make(&other_ca, "DNS:mail.example.org", 3600), "mail.example.org",
           "authority that is not known");
}

static void test_outdated_tls_is_refused(void **state)
{
    (void)state;
    struct tls_identity identity = tls_make(&ca, "DNS:mail.example.org", 3600);
    struct tls_server server = {.identity = &identity, .version = TLS1_1_VERSION};
    struct error err = ERROR_INIT;
    assert_null(connect_to(&server, "mail.example.org", &err));
    tls_server_finish(&server);
    tls_drop(&identity);
    assert_int_equal(err.kind, ERROR_TLS);
}

static void test_a_server_without_tls_is_told_apart(void **state)
{
    (void)state;
    struct tls_server server = {.before = "* OK IMAP4rev1 ready\r\n"};
    struct error err = ERROR_INIT;
    assert_null(connect_to(&server, "mail.example.org", &err));
    tls_server_finish(&server);
    assert_int_equal(err.kind, ERROR_TLS);
    assert_non_null(strstr(err.message, "does not speak TLS on port 993"));
}

static void test_a_server_that_goes_away_is_closed(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    struct stream_params params = {.host = STR("x.org"), .tls = context};
    struct stream *stream = stream_adopt(fds[1], &params, NULL);
    struct error err = ERROR_INIT;
    assert_false(stream_start_tls(stream, &err));
    assert_int_equal(err.kind, ERROR_CLOSED);
    stream_free(&stream);
}

/* CVE-2021-22947: what came in the clear must not be taken for the server's words within TLS. */
static void test_bytes_before_tls_end_the_session(void **state)
{
    (void)state;
    struct tls_identity identity = tls_make(&ca, "DNS:mail.example.org", 3600);
    struct tls_server server = {.before = "A1 OK go\r\n* PREAUTH injected\r\n",
                                .identity = &identity};
    tls_server_start(&server);
    struct stream_params params = {.host = STR("mail.example.org"), .tls = context};
    struct stream *stream = stream_adopt(server.client_fd, &params, NULL);
    struct buf line = BUF_INIT(100);
    struct error err = ERROR_INIT;
    assert_true(stream_read_line(stream, &line, NULL));
    assert_false(stream_start_tls(stream, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_false(stream_put(stream, STR("x"), NULL) && stream_flush(stream, NULL));
    buf_free(&line);
    stream_free(&stream);
    tls_server_finish(&server);
    tls_drop(&identity);
    assert_int_equal(server.seen_length, 0);
}

static void test_a_file_without_certificates_is_said(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_null(tls_context_new("/dev/null", &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_certificate_is_taken_for_name_and_address),
        cmocka_unit_test(test_an_expired_certificate_is_refused),
        cmocka_unit_test(test_a_certificate_for_another_host_is_refused),
        cmocka_unit_test(test_a_self_signed_certificate_is_refused),
        cmocka_unit_test(test_an_unknown_authority_is_refused),
        cmocka_unit_test(test_outdated_tls_is_refused),
        cmocka_unit_test(test_a_server_without_tls_is_told_apart),
        cmocka_unit_test(test_a_server_that_goes_away_is_closed),
        cmocka_unit_test(test_bytes_before_tls_end_the_session),
        cmocka_unit_test(test_a_file_without_certificates_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

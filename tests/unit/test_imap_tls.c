/* IMAP with STARTTLS against servers, or someone between, that cheat (ref/security.md 27-29): no
 * credential byte in the clear, nothing from before TLS counts or is shown after it. */
#include "tests/unit/tls_fixture.h"

#include "server/imap/client.h"

static struct tls_identity ca, good, expired, stranger;
static struct tls_context *context;
static char ca_path[] = "/tmp/restante-ca-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    close(mkstemp(ca_path));
    ca = tls_make(NULL, NULL, 86400);
    good = tls_make(&ca, "DNS:mail.example.org", 3600);
    expired = tls_make(&ca, "DNS:mail.example.org", -3600);
    stranger = tls_make(&ca, "DNS:mail.example.com", 3600);
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
    tls_drop(&good);
    tls_drop(&expired);
    tls_drop(&stranger);
    return 0;
}

/* A session with that server; NULL with `err` filled. The server is at its end afterwards. */
static bool sign_in(struct tls_server *server, enum stream_step *step, struct error *err)
{
    struct secret secret = secret_new(STR("sesame"));
    struct imap_params params = {.stream = {.host = STR("mail.example.org"),
                                            .port = 143,
                                            .security = STREAM_TLS_STARTTLS,
                                            .tls = context,
                                            .step = step},
                                 .username = STR("ada"),
                                 .secret = &secret};
    tls_server_start(server);
    struct stream *stream = stream_adopt(server->client_fd, &params.stream, err);
    assert_non_null(stream);
    struct imap_client *client = imap_attach(stream, &params, err);
    bool is_good = client;
    if (client)
        assert_true(stream_is_encrypted(imap_stream(client)));
    imap_free(&client);
    tls_server_finish(server);
    secret_free(&secret);
    return is_good;
}

static void refuse(struct tls_server server, enum error_kind kind)
{
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct error err = ERROR_INIT;
    assert_false(sign_in(&server, &step, &err));
    if (err.kind != kind)
        fail_msg("%s: %s", error_kind_name(err.kind), err.message);
    if (strstr(err.message, "evil") || strstr(err.hint, "evil"))
        fail_msg("shown: %s", err.message);
    if (strstr(server.seen, "AUTHENTICATE") || strstr(server.seen, "LOGIN"))
        fail_msg("sent: %s", server.seen);
    assert_true(step < STREAM_STEP_SIGN_IN);
}

static void test_starttls_comes_first_and_capabilities_are_asked_again(void **state)
{
    (void)state;
    struct tls_server server = {
        .before = "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n|A1 OK go\r\n",
        .after = "|* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nA2 OK\r\n|"
                 "A3 OK [CAPABILITY IMAP4rev1] in\r\n",
        .identity = &good};
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct error err = ERROR_INIT;
    if (!sign_in(&server, &step, &err))
        fail_msg("%s: %s", error_kind_name(err.kind), err.message);
    assert_int_equal(step, STREAM_STEP_DONE);
    server.seen[server.clear_length] = '\0';
    assert_string_equal(server.seen, "A1 STARTTLS\r\n");
    assert_non_null(strstr(server.seen + server.clear_length + 1,
                           "CAPABILITY\r\nA3 AUTHENTICATE PLAIN AGFkYQBzZXNhbWU=\r\n"));
}

static void test_a_server_without_starttls_gets_no_password(void **state)
{
    (void)state;
    refuse((struct tls_server){.before = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] evil\r\n"},
           ERROR_PROTOCOL);
}

static void test_a_refused_starttls_ends_it(void **state)
{
    (void)state;
    refuse((struct tls_server){.before = "* OK [CAPABILITY STARTTLS] hi\r\n|A1 NO evil\r\n"},
           ERROR_PROTOCOL);
    refuse((struct tls_server){.before = "* OK [CAPABILITY STARTTLS] hi\r\n|A1 BAD evil\r\n"},
           ERROR_PROTOCOL);
    refuse((struct tls_server){.before = "* BYE evil\r\n"}, ERROR_UNAVAILABLE);
}

static void test_a_preauth_before_tls_ends_it(void **state)
{
    (void)state;
    refuse((struct tls_server){.before = "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] evil\r\n"},
           ERROR_PROTOCOL);
}

static void test_words_injected_behind_the_ok_end_it(void **state)
{
    (void)state;
    refuse((struct tls_server){.before = "* OK [CAPABILITY STARTTLS] hi\r\n|"
                                         "A1 OK go\r\n* OK [CAPABILITY AUTH=PLAIN] evil\r\n",
                               .identity = &good},
           ERROR_PROTOCOL);
}

static void test_an_early_ok_does_not_start_tls_for_the_server(void **state)
{
    (void)state;
    /* Sent before the command was: the server's own OK then breaks the handshake. */
    refuse((struct tls_server){.before = "* OK [CAPABILITY STARTTLS] hi\r\nA1 OK evil\r\n|"
                                         "A1 OK go\r\n"},
           ERROR_TLS);
}

static void test_bad_certificates_are_refused_on_starttls_too(void **state)
{
    (void)state;
    const char *before = "* OK [CAPABILITY STARTTLS] hi\r\n|A1 OK go\r\n";
    refuse((struct tls_server){.before = before, .identity = &expired}, ERROR_TLS);
    refuse((struct tls_server){.before = before, .identity = &stranger}, ERROR_TLS);
}

static void test_nonsense_is_no_greeting(void **state)
{
    (void)state;
    refuse((struct tls_server){.before = "220 smtp.example.org ESMTP evil\r\n"}, ERROR_PROTOCOL);
    refuse((struct tls_server){.before = "HTTP/1.1 400 Bad Request\r\n"}, ERROR_PROTOCOL);
    refuse((struct tls_server){.before = "* 5 EXISTS\r\n"}, ERROR_PROTOCOL);
    refuse((struct tls_server){.before = "A1 OK early\r\n"}, ERROR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starttls_comes_first_and_capabilities_are_asked_again),
        cmocka_unit_test(test_a_server_without_starttls_gets_no_password),
        cmocka_unit_test(test_a_refused_starttls_ends_it),
        cmocka_unit_test(test_a_preauth_before_tls_ends_it),
        cmocka_unit_test(test_words_injected_behind_the_ok_end_it),
        cmocka_unit_test(test_an_early_ok_does_not_start_tls_for_the_server),
        cmocka_unit_test(test_bad_certificates_are_refused_on_starttls_too),
        cmocka_unit_test(test_nonsense_is_no_greeting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

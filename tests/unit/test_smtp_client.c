/* The submission client in front of the conversations of tests/protocol/smtp/: each row is one,
 * what is sent, and what the client told of it. */
#include "tests/unit/script_fixture.h"

#include "server/smtp/client.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char letter[] = "Subject: x\r\n\r\n.a dot\r\n...";

struct conversation {
    const char *file;
    const char *told;
    const char *message; /* NULL: only the session */
    enum stream_security security;
    const char *from, *to; /* NULL: Ada to Bob and Carol */
    bool has_options;      /* 8 bit, DSN, a size */
    bool gives_up;         /* in the commit */
};

struct house {
    struct buf told;
    struct str rest; /* of the message */
    bool gives_up;
};

static char *read_script(const char *name)
{
    char path[200];
    struct buf text = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "tests/protocol/smtp/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    for (int c; (c = getc(file)) != EOF;)
        buf_char(&text, (char)c);
    fclose(file);
    return text.at;
}

/* Some bytes at a time, so that line ends are cut too. */
static ptrdiff_t give(void *context, char *at, size_t length)
{
    struct house *house = context;
    struct str piece = str_sub(house->rest, 0, length < 3 ? length : 3);
    memcpy(at, piece.at, piece.length);
    house->rest = str_skip(house->rest, piece.length);
    return (ptrdiff_t)piece.length;
}

static bool commit(void *context)
{
    struct house *house = context;
    buf_text(&house->told, "commit;");
    return !house->gives_up;
}

static const char *const fates[] = {"untried", "accepted", "deferred", "rejected"};

static void send_letter(struct house *house, struct smtp_client *client,
                        const struct conversation *c)
{
    struct error err = ERROR_INIT;
    struct smtp_result result;
    struct smtp_recipient recipients[] = {
        {.address = c->to ? str_of(c->to) : STR("bob@example.org"),
         .notify = c->has_options ? STR("FAILURE,DELAY") : STR_EMPTY},
        {.address = STR("carol@example.org"), .notify = STR_EMPTY},
    };
    struct smtp_message message = {
        .from = c->from ? str_of(c->from) : STR("ada@example.org"),
        .recipients = recipients,
        .recipient_count = c->to ? 1 : 2,
        .size_bytes = c->has_options ? house->rest.length : 0,
        .is_8bit = c->has_options,
        .envelope_id = c->has_options ? STR("a+b") : STR_EMPTY,
        .source = give,
        .source_context = house,
        .commit = commit,
        .commit_context = house,
    };
    if (smtp_send(client, &message, &result, &err))
        buf_text(&house->told, result.is_accepted ? "accepted;" : "what;");
    else
        buf_printf(&house->told, "%s%s;", error_kind_name(err.kind),
                   result.is_unknown ? " unknown" : "");
    for (size_t i = 0; i < message.recipient_count; i++)
        buf_printf(&house->told, "%s%s ", fates[recipients[i].fate], recipients[i].status);
}

static void play(const struct conversation *c)
{
    char *text = read_script(c->file);
    struct script *script = script_start(text);
    struct error err = ERROR_INIT;
    struct secret secret = secret_new(STR("secret"));
    struct tls_context *tls = tls_context_new(NULL, NULL);
    struct smtp_params params = {
        .stream = {.host = STR("smtp.example.org"),
                   .port = 587,
                   .security = c->security == STREAM_TLS_IMPLICIT ? STREAM_PLAIN : c->security,
                   .stall_ms = 5000,
                   .tls = tls},
        .username = strcmp(c->file, "helo") == 0 ? STR_EMPTY : STR("ada"),
        .credential = SASL_PASSWORD,
        .secret = &secret,
    };
    struct house house = {.told = BUF_INIT(10000),
                          .rest = str_of(c->message ? c->message : ""),
                          .gives_up = c->gives_up};
    struct stream *stream = stream_adopt(script->client_fd, &params.stream, &err);
    assert_non_null(stream);
    struct smtp_client *client = smtp_attach(stream, &params, &err);
    if (!client)
        buf_printf(&house.told, "no session: %s;", error_kind_name(err.kind));
    else if (c->message)
        send_letter(&house, client, c);
    else
        buf_text(&house.told, "signed in;");
    smtp_quit(&client);
    script_finish(&script);
    struct str told = str_trim(buf_view(&house.told));
    if (!str_equal(told, str_of(c->told)))
        fail_msg("%s: \"%" STR_FMT "\" rather than \"%s\"", c->file, STR_ARG(told), c->told);
    buf_free(&house.told);
    secret_free(&secret);
    tls_context_free(&tls);
    free(text);
}

static void play_all(const struct conversation *conversations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play(&conversations[i]);
}

static void test_a_letter_is_sent_with_what_the_server_has(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "plain", .message = letter, .told = "commit;accepted;accepted accepted"},
        {.file = "chunking", .message = letter, .told = "commit;accepted;accepted accepted"},
        {.file = "smtputf8",
         .message = letter,
         .to = "j\xc3\xb6rg@example.org",
         .told = "commit;accepted;accepted"},
        {.file = "no_smtputf8",
         .message = letter,
         .to = "j\xc3\xb6rg@example.org",
         .told = "refused;untried"},
        {.file = "too_large",
         .message = letter,
         .has_options = true,
         .told = "limit;untried untried"},
        {.file = "no_8bitmime",
         .message = letter,
         .has_options = true,
         .told = "commit;accepted;accepted accepted"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_each_recipient_has_a_fate_of_its_own(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "one_refused",
         .message = letter,
         .told = "commit;accepted;accepted2.1.5 rejected5.1.1"},
        {.file = "all_refused",
         .message = letter,
         .has_options = true,
         .told = "unavailable;rejected5.1.1 deferred4.7.1"},
        {.file = "sender_refused", .message = letter, .told = "refused;untried untried"},
        {.file = "content_refused", .message = letter, .told = "commit;refused;accepted accepted"},
        {.file = "content_deferred",
         .message = letter,
         .told = "commit;unavailable;accepted accepted"},
        {.file = "bdat_refused", .message = letter, .told = "commit;limit;accepted accepted"},
        {.file = "mail_throttled", .message = letter, .told = "throttled;untried untried"},
        {.file = "shutdown_mail", .message = letter, .told = "throttled;untried untried"},
        {.file = "shutdown_rcpt", .message = letter, .told = "throttled;accepted untried"},
        {.file = "shutdown_data", .message = letter, .told = "throttled;accepted accepted"},
        {.file = "shutdown_end", .message = letter, .told = "commit;throttled;accepted accepted"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

/* Of several chunks: 256 kB, and a rest. */
static const char *large_letter(void)
{
    static char text[300 * 1024 + 1];
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    return text;
}

static void test_a_chunk_that_is_refused_ends_the_message_and_not_the_session(void **state)
{
    const struct conversation conversations[] = {
        {.file = "bdat_refused_midway",
         .message = large_letter(),
         .told = "unavailable;accepted accepted"},
        {.file = "bdat_refused_midway_for_good",
         .message = large_letter(),
         .told = "refused;accepted accepted"},
        {.file = "bdat_cut_midway", .message = large_letter(), .told = "closed;accepted accepted"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_only_an_answer_lost_after_the_end_is_unknown(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "answer_lost",
         .message = letter,
         .told = "commit;closed unknown;accepted accepted"},
        {.file = "bdat_lost", .message = letter, .told = "commit;closed unknown;accepted accepted"},
        {.file = "cut_in_recipients", .message = letter, .told = "closed;accepted untried"},
        {.file = "cut_before_data", .message = letter, .told = "closed;accepted accepted"},
        {.file = "given_up",
         .message = letter,
         .gives_up = true,
         .told = "commit;closed;accepted accepted"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_nothing_in_a_letter_or_an_address_becomes_a_command(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "smuggling",
         .message = "a\n.\r\nMAIL FROM:<evil@example.org>\r\nb\r\n.\nc\n.\nd\n",
         .told = "commit;accepted;accepted accepted"},
        {.file = "no_smtputf8",
         .message = letter,
         .to = "bob@x>\r\nDATA",
         .told = "invalid;untried"},
        {.file = "no_smtputf8", .message = letter, .to = "bob@x y", .told = "invalid;untried"},
        {.file = "no_smtputf8", .message = letter, .to = "bob", .told = "invalid;untried"},
        {.file = "no_smtputf8", .message = letter, .to = "bob@", .told = "invalid;untried"},
        {.file = "no_smtputf8",
         .message = letter,
         .from = "ada@example.org> SIZE=1",
         .told = "invalid;untried untried"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_signing_in_tells_what_is_wrong(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "auth_login", .told = "signed in;"},
        {.file = "auth_refused", .told = "no session: auth;"},
        {.file = "auth_deferred", .told = "no session: unavailable;"},
        {.file = "starttls_missing",
         .security = STREAM_TLS_STARTTLS,
         .told = "no session: protocol;"},
        {.file = "starttls_injected",
         .security = STREAM_TLS_STARTTLS,
         .told = "no session: protocol;"},
        {.file = "nonsense", .told = "no session: protocol;"},
        {.file = "too_busy", .told = "no session: throttled;"},
        {.file = "endless", .told = "no session: limit;"},
        {.file = "mixed_codes", .told = "no session: protocol;"},
        {.file = "helo", .told = "signed in;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_is_sent_with_what_the_server_has),
        cmocka_unit_test(test_each_recipient_has_a_fate_of_its_own),
        cmocka_unit_test(test_a_chunk_that_is_refused_ends_the_message_and_not_the_session),
        cmocka_unit_test(test_only_an_answer_lost_after_the_end_is_unknown),
        cmocka_unit_test(test_nothing_in_a_letter_or_an_address_becomes_a_command),
        cmocka_unit_test(test_signing_in_tells_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

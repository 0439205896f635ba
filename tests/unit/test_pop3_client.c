/* The POP3 client in front of the conversations of tests/protocol/pop3/: each row is one, what is
 * done meanwhile, and what the client told of it. */
#include "tests/unit/script_fixture.h"

#include "server/pop3/client_private.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum deed { LIST = 1, GET = 2, DELETE = 4, QUIT = 8, HEADERS = 16, PAUSE = 32 };

struct conversation {
    const char *file;
    unsigned deeds; /* after the sign-in, in their order */
    const char *told;
    enum stream_security security;
    const char *secret; /* NULL: "secret" */
    enum sasl_credential credential;
    enum sasl_mechanism mechanism; /* SASL_NONE: the best there is */
};

struct house {
    struct pop3_client *client;
    struct arena *arena;
    struct buf told;
};

static char *read_script(const char *name)
{
    char path[200];
    struct buf text = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "tests/protocol/pop3/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    for (int c; (c = getc(file)) != EOF;)
        buf_char(&text, (char)c);
    fclose(file);
    return text.at;
}

static void tell_error(struct house *house, const struct error *err)
{
    buf_printf(&house->told, "%s", error_kind_name(err->kind));
    if (err->retry_after_ms)
        buf_printf(&house->told, " after %d", err->retry_after_ms);
    buf_text(&house->told, ";");
}

static void begin(void *context, size_t index)
{
    struct house *house = context;
    buf_printf(&house->told, "%zu \"", index + 1);
}

static bool take(void *context, struct str bytes)
{
    struct house *house = context;
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.at[i] == '\r' || bytes.at[i] == '\n')
            buf_char(&house->told, bytes.at[i] == '\r' ? '<' : '/');
        else
            buf_char(&house->told, bytes.at[i]);
    return true;
}

static bool end(void *context, size_t index)
{
    struct house *house = context;
    (void)index;
    buf_text(&house->told, "\";");
    return true;
}

static void failed(void *context, size_t index, const struct error *why)
{
    struct house *house = context;
    buf_printf(&house->told, "%zu ", index + 1);
    tell_error(house, why);
}

static void do_deeds(struct house *house, unsigned deeds)
{
    struct error err = ERROR_INIT;
    struct pop3_maildrop maildrop = {0};
    struct pop3_wanted wanted[8] = {{1, -1}};
    uint32_t numbers[8] = {1};
    bool is_marked[8] = {0};
    size_t count = 1;
    struct pop3_sink sink = {
        .context = house, .begin = begin, .write = take, .end = end, .failed = failed};
    if (deeds & LIST) {
        if (!pop3_list(house->client, house->arena, &maildrop, &err)) {
            tell_error(house, &err);
            return;
        }
        buf_text(&house->told, maildrop.has_uidl ? "listed" : "listed without uidl");
        for (size_t i = 0; i < maildrop.count; i++)
            buf_printf(&house->told, " %u:%llu:%" STR_FMT, maildrop.at[i].number,
                       (unsigned long long)maildrop.at[i].size_bytes, STR_ARG(maildrop.at[i].uidl));
        buf_text(&house->told, ";");
        count = maildrop.count < COUNT(wanted) ? maildrop.count : COUNT(wanted);
        for (size_t i = 0; i < count; i++) {
            wanted[i] = (struct pop3_wanted){maildrop.at[i].number, deeds & HEADERS ? 0 : -1};
            numbers[i] = maildrop.at[i].number;
        }
    }
    if (deeds & GET && !pop3_retrieve(house->client, wanted, count, &sink, &err)) {
        tell_error(house, &err);
        return;
    }
    if (deeds & PAUSE) {
        if (!pop3_keep_alive(house->client, &err)) /* says nothing yet */
            tell_error(house, &err);
        house->client->spoke_ms -= CLIENT_QUIET_MS;
        if (!pop3_keep_alive(house->client, &err)) {
            tell_error(house, &err);
            return;
        }
        buf_text(&house->told, "kept;");
    }
    if (deeds & DELETE) {
        if (!pop3_delete(house->client, numbers, count, is_marked, &err)) {
            tell_error(house, &err);
            return;
        }
        buf_text(&house->told, "marked");
        for (size_t i = 0; i < count; i++)
            buf_printf(&house->told, " %s", is_marked[i] ? "yes" : "no");
        buf_text(&house->told, ";");
    }
    if (deeds & QUIT) {
        if (pop3_quit(&house->client, &err))
            buf_text(&house->told, "bye;");
        else
            tell_error(house, &err);
    }
}

static void play(const struct conversation *c)
{
    char *text = read_script(c->file);
    struct script *script = script_start(text);
    struct error err = ERROR_INIT;
    struct secret secret = secret_new(str_of(c->secret ? c->secret : "secret"));
    struct tls_context *tls = tls_context_new(NULL, NULL);
    struct pop3_params params = {
        .stream = {.host = STR("pop.example.org"),
                   .port = 110,
                   .security = c->security == STREAM_TLS_IMPLICIT ? STREAM_PLAIN : c->security,
                   .stall_ms = 5000,
                   .tls = tls},
        .username = STR("ada"),
        .credential = c->credential,
        .secret = &secret,
        .mechanism = c->mechanism,
    };
    struct house house = {.arena = arena_new(), .told = BUF_INIT(1 << 20)};
    struct stream *stream = stream_adopt(script->client_fd, &params.stream, &err);
    assert_non_null(stream);
    house.client = pop3_attach(stream, &params, &err);
    if (!house.client) {
        buf_text(&house.told, "no session: ");
        tell_error(&house, &err);
        assert_true(err.message[0] != '\0');
    } else {
        if (c->deeds == 0)
            buf_printf(&house.told, "expire %d delay %u;", pop3_expire_days(house.client),
                       pop3_login_delay_s(house.client));
        do_deeds(&house, c->deeds ? c->deeds : QUIT);
    }
    pop3_free(&house.client);
    script_finish(&script);
    struct str told = buf_view(&house.told);
    if (!str_equal(told, str_of(c->told)))
        fail_msg("%s: \"%" STR_FMT "\" rather than \"%s\"", c->file, STR_ARG(told), c->told);
    buf_free(&house.told);
    arena_free(&house.arena);
    secret_free(&secret);
    tls_context_free(&tls);
    free(text);
}

static void play_all(const struct conversation *conversations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play(&conversations[i]);
}

static void test_a_session_lists_gets_and_deletes(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "plain_session",
         .deeds = LIST | GET | DELETE | QUIT,
         .told = "listed 1:120:whqtswO00WBw418f9t5JxYwZ 2:200:QhdPYR:00WBw1Ph7x7;"
                 "1 \"Subject: one</</.a dot</..two</\";2 \"Subject: two</</\";"
                 "marked yes yes;bye;"},
        {.file = "user_pass", .deeds = LIST | QUIT, .told = "listed;bye;"},
        {.file = "no_capa",
         .deeds = LIST | GET | DELETE | QUIT,
         .told = "listed without uidl 1:10:;1 \"x</\";marked yes;bye;"},
        {.file = "message_refused",
         .deeds = LIST | GET | DELETE | QUIT,
         .told = "listed 1:10:a 2:10:b 3:10:c;1 \"one</\";2 unavailable;3 \"three</\";"
                 "marked yes no yes;bye;"},
        {.file = "expire", .told = "expire 30 delay 120;bye;"},
        {.file = "keep_alive", .deeds = PAUSE | DELETE | QUIT, .told = "kept;marked yes;bye;"},
        {.file = "keep_alive_closed", .deeds = PAUSE | DELETE | QUIT, .told = "closed;"},
        {.file = "utf8", .deeds = QUIT, .told = "bye;"},
        {.file = "top",
         .deeds = LIST | HEADERS | GET | QUIT,
         .told = "listed 1:10:a;1 \"Subject: x</</\";bye;"},
        {.file = "no_top",
         .deeds = LIST | HEADERS | GET | QUIT,
         .told = "listed 1:10:a;1 \"Subject: x</</y</\";bye;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_signing_in_takes_the_best_way_there_is(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "apop", .deeds = QUIT, .told = "bye;"},
        {.file = "long_answer",
         .deeds = QUIT,
         .told = "bye;",
         .secret =
             "secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret"
             "secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret"
             "secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret"},
        {.file = "scram", .told = "no session: protocol;"},
        {.file = "sasl_cram_md5", .deeds = QUIT, .told = "bye;"},
        {.file = "sasl_login", .deeds = QUIT, .told = "bye;", .mechanism = SASL_LOGIN},
        {.file = "sasl_xoauth2",
         .deeds = QUIT,
         .told = "bye;",
         .credential = SASL_TOKEN,
         .mechanism = SASL_XOAUTH2},
        {.file = "sasl_xoauth2_refused",
         .told = "no session: auth;",
         .credential = SASL_TOKEN,
         .mechanism = SASL_XOAUTH2},
        {.file = "apop_hostile", .deeds = QUIT, .told = "bye;"},
        {.file = "user_pass_pipelined", .told = "no session: auth;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_a_refusal_is_told_by_what_it_means(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "in_use", .told = "no session: unavailable;"},
        {.file = "in_use_in_words", .told = "no session: unavailable;"},
        {.file = "login_delay", .told = "no session: unavailable after 900000;"},
        {.file = "auth_code", .told = "no session: auth;"},
        {.file = "auth_code_missing", .told = "no session: unavailable;"},
        {.file = "sys_perm", .told = "no session: refused;"},
        {.file = "not_open", .told = "no session: unavailable;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_sloppy_servers_are_put_up_with(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "quirk_26_listing",
         .deeds = LIST | QUIT,
         .told = "listed 2:100:aa 5:100:bb 6:100:bb 9:100: 11:100:\xc3\xa4%;bye;"},
        {.file = "quirk_26_quit_refused", .deeds = DELETE | QUIT, .told = "marked yes;refused;"},
        {.file = "quirk_26_idle_drop", .deeds = DELETE | QUIT, .told = "closed;"},
        {.file = "bare_lf_server",
         .deeds = LIST | GET | QUIT,
         .told = "listed 1:10:a;1 \"x/.y/\";bye;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_hostile_servers_get_nothing_and_an_end(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "bare_lf", .deeds = GET | QUIT, .told = "1 \"a/./+OK not an answer</<.</\";bye;"},
        {.file = "stls_injected", .security = STREAM_TLS_STARTTLS, .told = "no session: protocol;"},
        {.file = "stls_missing", .security = STREAM_TLS_STARTTLS, .told = "no session: protocol;"},
        {.file = "stls_refused", .security = STREAM_TLS_STARTTLS, .told = "no session: protocol;"},
        {.file = "nonsense", .told = "no session: protocol;"},
        {.file = "endless_line", .told = "no session: limit;"},
        {.file = "endless_capa", .told = "no session: limit;"},
        {.file = "endless_list", .deeds = LIST, .told = "limit;"},
        {.file = "empty_uidls", .deeds = LIST | QUIT, .told = "listed 4294967295:10:;bye;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

static void test_names_and_passwords_cannot_end_their_line(void **state)
{
    static const struct conversation conversations[] = {
        {.file = "line_end", .secret = "sec\r\nDELE 1", .told = "no session: invalid;"},
    };
    (void)state;
    play_all(conversations, COUNT(conversations));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_lists_gets_and_deletes),
        cmocka_unit_test(test_signing_in_takes_the_best_way_there_is),
        cmocka_unit_test(test_a_refusal_is_told_by_what_it_means),
        cmocka_unit_test(test_sloppy_servers_are_put_up_with),
        cmocka_unit_test(test_hostile_servers_get_nothing_and_an_end),
        cmocka_unit_test(test_names_and_passwords_cannot_end_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Settings of an account before anything is tried, what trials answer, and names to sign in with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/session.h"
#include "handlers/setup.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct setup_settings usual(void)
{
    return (struct setup_settings){.email = STR("ada@example.org"),
                                   .incoming = {.host = STR("imap.example.org")}};
}

static void assert_str(struct str text, const char *expected)
{
    if (!str_equal(text, str_of(expected)))
        fail_msg("\"%" STR_FMT "\" is not \"%s\"", STR_ARG(text), expected);
}

static void test_usual_ports(void **state)
{
    (void)state;
    assert_int_equal(setup_usual_port(ACCOUNT_IMAP, false, TLS_IMPLICIT), 993);
    assert_int_equal(setup_usual_port(ACCOUNT_IMAP, false, TLS_STARTTLS), 143);
    assert_int_equal(setup_usual_port(ACCOUNT_POP3, false, TLS_IMPLICIT), 995);
    assert_int_equal(setup_usual_port(ACCOUNT_POP3, false, TLS_NONE), 110);
    assert_int_equal(setup_usual_port(ACCOUNT_IMAP, true, TLS_IMPLICIT), 465);
    assert_int_equal(setup_usual_port(ACCOUNT_POP3, true, TLS_STARTTLS), 587);
}

static void test_what_was_left_out_is_filled_in(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct setup_settings settings = usual();
    settings.email = STR("  ada@example.org ");
    settings.incoming.host = STR(" imap.example.org\t");
    settings.smtp.host = STR("smtp.example.org");
    settings.smtp.tls = TLS_STARTTLS;
    assert_true(setup_check(arena, &settings, false, &err));
    assert_str(settings.email, "ada@example.org");
    assert_str(settings.incoming.host, "imap.example.org");
    assert_str(settings.incoming.username, "ada@example.org");
    assert_int_equal(settings.incoming.port, 993);
    assert_int_equal(settings.smtp.port, 587);
}

static void test_settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *email, *host;
        int port;
        enum tls_mode tls;
        const char *says;
    } cases[] = {
        {"", "h", 0, TLS_IMPLICIT, "mail address"},
        {"ada", "h", 0, TLS_IMPLICIT, "mail address"},
        {"@example.org", "h", 0, TLS_IMPLICIT, "mail address"},
        {"ada@", "h", 0, TLS_IMPLICIT, "mail address"},
        {"ada@example.org", "", 0, TLS_IMPLICIT, "missing"},
        {"ada@example.org", "two words", 0, TLS_IMPLICIT, "host name"},
        {"ada@example.org", "h", -1, TLS_IMPLICIT, "from 1 to 65535"},
        {"ada@example.org", "h", 65536, TLS_IMPLICIT, "from 1 to 65535"},
        {"ada@example.org", "h", 143, TLS_NONE, "without TLS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        struct setup_settings settings = {.email = str_of(cases[i].email),
                                          .incoming = {.host = str_of(cases[i].host),
                                                       .port = cases[i].port,
                                                       .tls = cases[i].tls}};
        if (setup_check(arena, &settings, false, &err) || err.kind != ERROR_INVALID ||
            !strstr(err.message, cases[i].says))
            fail_msg("%zu: %s", i, err.message);
    }
}

static void test_no_tls_is_the_administrators_to_allow(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct setup_settings settings = usual();
    settings.incoming.tls = TLS_NONE;
    assert_false(setup_check(arena, &settings, false, &err));
    assert_non_null(strstr(err.hint, "allow_plaintext"));
    assert_true(setup_check(arena, &settings, true, &err));
    settings.smtp = (struct server_settings){.host = STR("smtp"), .tls = TLS_NONE};
    assert_false(setup_check(arena, &settings, false, &err));
}

static void test_proposals_are_read_with_the_address_that_was_asked_for(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct setup_settings *found;
    size_t count, best;
    struct trial trial = {
        .settings = STR("{\"email\": \"ada@example.org\"}"),
        .result = STR("{\"candidates\": [{\"source\": \"srv\", \"kind\": \"pop3\", \"incoming\": "
                      "{\"host\": \"pop\", \"port\": 110, \"tls\": \"starttls\", \"username\": "
                      "\"ada\"}, \"smtp\": null}, {\"source\": \"srv\", \"kind\": \"imap\", "
                      "\"incoming\": {\"host\": \"imap\", \"port\": 993, \"tls\": \"implicit\", "
                      "\"username\": \"ada\"}, \"smtp\": {\"host\": \"smtp\", \"port\": 465, "
                      "\"tls\": \"implicit\", \"username\": \"\"}}], \"recommended\": 1}")};
    assert_true(setup_candidates(arena, &trial, &found, &count, &best, &err));
    assert_int_equal(count, 2);
    assert_int_equal(best, 1);
    assert_str(found[0].email, "ada@example.org");
    assert_str(found[0].source, "srv");
    assert_int_equal(found[0].kind, ACCOUNT_POP3);
    assert_int_equal(found[0].incoming.tls, TLS_STARTTLS);
    assert_int_equal(found[0].smtp.host.length, 0);
    assert_str(found[1].smtp.host, "smtp");
    assert_int_equal(found[1].smtp.port, 465);
}

static void test_no_proposals_and_odd_answers_do_no_harm(void **state)
{
    (void)state;
    static const char *const results[] = {
        "{}", "{\"candidates\": []}", "{\"candidates\": [], \"recommended\": 7}",
        "{\"ok\": false, \"kind\": \"timeout\"}", "{\"candidates\": 5, \"recommended\": \"x\"}"};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        struct error err = ERROR_INIT;
        struct setup_settings *found;
        size_t count = 9, best = 9;
        struct trial trial = {.settings = STR("{}"), .result = str_of(results[i])};
        assert_true(setup_candidates(arena, &trial, &found, &count, &best, &err));
        assert_int_equal(count, 0);
        assert_int_equal(best, 0);
    }
    struct error err = ERROR_INIT;
    struct setup_outcome outcome;
    struct trial broken = {.settings = STR("{}"), .result = STR("{\"ok\": ")};
    assert_false(setup_read_outcome(arena, &broken, &outcome, &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void test_an_outcome_says_which_step_failed(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct setup_outcome outcome;
    struct trial failed = {.result =
                               STR("{\"ok\": false, \"part\": \"smtp\", \"step\": \"tls\", "
                                   "\"kind\": \"tls\", \"message\": \"m\", \"hint\": \"h\"}")};
    assert_true(setup_read_outcome(arena, &failed, &outcome, &err));
    assert_false(outcome.is_good);
    assert_str(outcome.part, "smtp");
    assert_str(outcome.step, "tls");
    assert_str(outcome.message, "m");
    struct trial good = {.result = STR("{\"ok\": true, \"capabilities\": \"IMAP4rev1\"}")};
    assert_true(setup_read_outcome(arena, &good, &outcome, &err));
    assert_true(outcome.is_good);
}

static void test_a_name_has_one_spelling(void **state)
{
    (void)state;
    static const char *const spellings[] = {"ada@example.org", " Ada@Example.ORG",
                                            "ADA@example.org\n"};
    struct str name;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        assert_true(sign_in_name(arena, str_of(spellings[i]), &name));
        assert_str(name, "ada@example.org");
    }
    assert_true(sign_in_name(arena, STR("J\xc3\xb6rg"), &name));
}

static void test_names_that_nobody_has_are_refused(void **state)
{
    (void)state;
    char longest[322];
    struct str name;
    static const struct str wrong[] = {STR(""),         STR("  "),      STR("a b"),  STR("a\tb"),
                                       STR("a\0b"),     STR("a\x7f"),   STR("a\nb"), STR("\xff"),
                                       STR("\xc1\xbe"), STR("a\x1b[0m")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sign_in_name(arena, wrong[i], &name))
            fail_msg("%zu is taken for a name", i);
    memset(longest, 'x', sizeof longest);
    assert_true(sign_in_name(arena, str_make(longest, 320), &name));
    assert_false(sign_in_name(arena, str_make(longest, 321), &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_ports),
        cmocka_unit_test(test_what_was_left_out_is_filled_in),
        cmocka_unit_test(test_settings_that_cannot_be_are_refused),
        cmocka_unit_test(test_no_tls_is_the_administrators_to_allow),
        cmocka_unit_test(test_proposals_are_read_with_the_address_that_was_asked_for),
        cmocka_unit_test(test_no_proposals_and_odd_answers_do_no_harm),
        cmocka_unit_test(test_an_outcome_says_which_step_failed),
        cmocka_unit_test(test_a_name_has_one_spelling),
        cmocka_unit_test(test_names_that_nobody_has_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

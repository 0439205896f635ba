/* Signing in: each mechanism's bytes, and servers that cheat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/net/sasl.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct exchange {
    struct secret secret; /* pointed at by `sasl`: an exchange stays where it was begun */
    struct sasl *sasl;
    struct buf answer;
};

static void begin(struct exchange *exchange, enum sasl_mechanism mechanism, const char *name,
                  const char *secret)
{
    *exchange = (struct exchange){.secret = secret_new(str_of(secret)), .answer = BUF_INIT(65536)};
    struct sasl_params params = {.username = str_of(name),
                                 .secret = &exchange->secret,
                                 .host = STR("imap.example.org"),
                                 .port = 993};
    exchange->sasl = sasl_new(mechanism, &params, NULL);
    assert_non_null(exchange->sasl);
}

static void end(struct exchange *exchange)
{
    sasl_free(&exchange->sasl);
    secret_free(&exchange->secret);
    buf_free(&exchange->answer);
}

static bool step(struct exchange *exchange, struct str challenge, struct error *err)
{
    buf_reset(&exchange->answer);
    return sasl_step(exchange->sasl, challenge, &exchange->answer, err);
}

#define assert_answer(exchange, text) \
    assert_true(str_equal(buf_view(&(exchange)->answer), STR(text)))

static void test_plain_sends_name_and_password_at_once(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_PLAIN, "ada", "se\"s\xc3\xa4me");
    assert_true(sasl_is_client_first(x.sasl));
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_answer(&x, "\0ada\0se\"s\xc3\xa4me");
    assert_true(sasl_finish(x.sasl, STR_EMPTY, NULL));
    assert_false(step(&x, STR("more?"), NULL));
    end(&x);
}

static void test_login_answers_in_order_whatever_the_prompts(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_LOGIN, "ada", "sesame");
    assert_false(sasl_is_client_first(x.sasl));
    assert_true(step(&x, STR("User Name\0"), NULL));
    assert_answer(&x, "ada");
    assert_true(step(&x, STR("?"), NULL));
    assert_answer(&x, "sesame");
    end(&x);
}

static void test_cram_md5_answers_the_example_of_its_rfc(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_CRAM_MD5, "tim", "tanstaaftanstaaf");
    assert_true(step(&x, STR("<1896.697170952@postoffice.reston.mci.net>"), NULL));
    assert_answer(&x, "tim b913a602c7eda7a495b4e6e7334d3890");
    end(&x);
}

static void test_tokens_go_as_google_and_rfc_7628_have_it(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_XOAUTH2, "a@x.org", "tok");
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_answer(&x, "user=a@x.org\1auth=Bearer tok\1\1");
    end(&x);
    begin(&x, SASL_OAUTHBEARER, "a,b=@x.org", "tok");
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_answer(&x, "n,a=a=2Cb=3D@x.org,\1host=imap.example.org\1port=993\1auth=Bearer tok\1\1");
    assert_true(step(&x, STR("{\"status\":\"invalid_token\"}"), NULL));
    assert_answer(&x, "\1");
    struct error err = ERROR_INIT;
    assert_false(sasl_finish(x.sasl, STR_EMPTY, &err));
    assert_int_equal(err.kind, ERROR_AUTH);
    end(&x);
}

static void test_external_names_the_identity(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_EXTERNAL, "ada", "");
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_answer(&x, "ada");
    end(&x);
}

/* The server's first message for the nonce that the client chose. */
static void challenge_for(struct exchange *x, const char *rest, struct buf *challenge)
{
    struct str first = buf_view(&x->answer);
    ptrdiff_t at = str_find(first, STR("r="));
    assert_true(at > 0);
    buf_reset(challenge);
    buf_str(challenge, str_skip(first, (size_t)at));
    buf_text(challenge, rest);
}

static void test_scram_begins_as_its_rfc_says(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_SCRAM_SHA_256, "us,er", "pencil");
    assert_true(sasl_is_client_first(x.sasl));
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_true(str_starts(buf_view(&x.answer), STR("n,,n=us=2Cer,r=")));
    struct buf challenge = BUF_INIT(1000);
    challenge_for(&x, "SERVER,s=QSXCR+Q6sek8bf92,i=4096", &challenge);
    assert_true(step(&x, buf_view(&challenge), NULL));
    assert_true(str_starts(buf_view(&x.answer), STR("c=biws,r=")));
    /* A server that does not know the password cannot sign: whatever it claims afterwards. */
    struct error err = ERROR_INIT;
    assert_false(sasl_finish(x.sasl, STR_EMPTY, &err));
    assert_int_equal(err.kind, ERROR_AUTH);
    assert_false(step(&x, STR("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &err));
    assert_int_equal(err.kind, ERROR_AUTH);
    buf_free(&challenge);
    end(&x);
}

static void test_a_scram_that_costs_too_much_is_refused(void **state)
{
    (void)state;
    static const char *const costly[] = {"S,s=QSXCR+Q6sek8bf92,i=4294967295",
                                         "S,s=QSXCR+Q6sek8bf92,i=1000001",
                                         "S,s=QSXCR+Q6sek8bf92,i=99999999999999999999",
                                         "S,s=QSXCR+Q6sek8bf92,i=0",
                                         "S,s=QSXCR+Q6sek8bf92,i=-1",
                                         "S,s=QSXCR+Q6sek8bf92"};
    for (size_t i = 0; i < COUNT(costly); i++) {
        struct exchange x;
        begin(&x, SASL_SCRAM_SHA_1, "ada", "pencil");
        struct buf challenge = BUF_INIT(1000);
        assert_true(step(&x, STR_EMPTY, NULL));
        challenge_for(&x, costly[i], &challenge);
        assert_false(step(&x, buf_view(&challenge), NULL));
        buf_free(&challenge);
        end(&x);
    }
}

static void test_another_nonce_or_a_long_challenge_is_refused(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, SASL_SCRAM_SHA_256, "ada", "pencil");
    assert_true(step(&x, STR_EMPTY, NULL));
    assert_false(step(&x, STR("r=someoneelse,s=QSXCR+Q6sek8bf92,i=4096"), NULL));
    end(&x);
    static char much[SASL_CHALLENGE_BYTES_MAX + 1];
    begin(&x, SASL_CRAM_MD5, "ada", "pencil");
    struct error err = ERROR_INIT;
    assert_false(step(&x, str_make(much, sizeof much), &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    end(&x);
}

static void test_the_choice_depends_on_what_protects_it(void **state)
{
    (void)state;
    unsigned all = ~0u;
    struct sasl_params password = {.credential = SASL_PASSWORD, .is_encrypted = true};
    assert_int_equal(sasl_choose(all, &password), SASL_PLAIN);
    password.is_encrypted = false;
    assert_int_equal(sasl_choose(all, &password), SASL_SCRAM_SHA_256);
    assert_int_equal(sasl_choose(1u << SASL_PLAIN | 1u << SASL_CRAM_MD5, &password), SASL_CRAM_MD5);
    struct sasl_params token = {.credential = SASL_TOKEN, .is_encrypted = true};
    assert_int_equal(sasl_choose(all, &token), SASL_OAUTHBEARER);
    assert_int_equal(sasl_choose(1u << SASL_PLAIN | 1u << SASL_XOAUTH2, &token), SASL_XOAUTH2);
    token.is_encrypted = false;
    assert_int_equal(sasl_choose(all, &token), SASL_NONE);
    assert_int_equal(sasl_choose(1u << SASL_NONE, &password), SASL_NONE);
    assert_int_equal(sasl_by_name(STR("scram-sha-256")), SASL_SCRAM_SHA_256);
    assert_int_equal(sasl_by_name(STR("GSSAPI")), SASL_NONE);
}

static void test_a_nul_byte_has_no_place_in_a_password(void **state)
{
    (void)state;
    struct secret secret = secret_new(STR("a\0b"));
    struct sasl_params params = {.username = STR("ada"), .secret = &secret};
    assert_null(sasl_new(SASL_PLAIN, &params, NULL));
    secret_free(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_sends_name_and_password_at_once),
        cmocka_unit_test(test_login_answers_in_order_whatever_the_prompts),
        cmocka_unit_test(test_cram_md5_answers_the_example_of_its_rfc),
        cmocka_unit_test(test_tokens_go_as_google_and_rfc_7628_have_it),
        cmocka_unit_test(test_external_names_the_identity),
        cmocka_unit_test(test_scram_begins_as_its_rfc_says),
        cmocka_unit_test(test_a_scram_that_costs_too_much_is_refused),
        cmocka_unit_test(test_another_nonce_or_a_long_challenge_is_refused),
        cmocka_unit_test(test_the_choice_depends_on_what_protects_it),
        cmocka_unit_test(test_a_nul_byte_has_no_place_in_a_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

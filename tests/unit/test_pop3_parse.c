/* Lines and dots of POP3, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/base/buf.h"
#include "server/pop3/dots.h"
#include "server/pop3/reply.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool append(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

/* Feeds `input` in pieces of that size; what is left after the end goes to `*rest`. */
static void unstuff(struct str input, size_t piece, bool is_lf_only, struct buf *out,
                    struct str *rest, bool *is_done)
{
    struct pop3_dots dots = {.is_lf_only = is_lf_only};
    bool is_wanted = true;
    while (input.length > 0 && dots.state != POP3_DOTS_DONE) {
        struct str bytes = str_sub(input, 0, piece);
        size_t taken = pop3_dots_feed(&dots, bytes, append, out, &is_wanted);
        assert_true(taken == bytes.length || dots.state == POP3_DOTS_DONE);
        input = str_skip(input, taken);
    }
    *rest = input;
    *is_done = dots.state == POP3_DOTS_DONE;
}

static void test_dots_are_unstuffed_however_the_bytes_are_cut(void **state)
{
    static const struct {
        const char *wire, *message, *rest;
        bool is_lf_only, is_endless;
    } rows[] = {
        {".\r\n", "", "", false, false},
        {"a\r\n.\r\n+OK", "a\r\n", "+OK", false, false},
        {"..\r\n.\r\n", ".\r\n", "", false, false},
        {"...a\r\n..b\r\n.\r\nx", "..a\r\n.b\r\n", "x", false, false},
        {".a\r\n.\r\n", "a\r\n", "", false, false}, /* a dot that nobody stuffed */
        {"a.\r\n.\r\n", "a.\r\n", "", false, false},
        {"a\n.\n.\r\n", "a\n.\n.\r\n", "", false, true},
        {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "", false, false},
        {"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "", false, false},
        {"a\r.\r\n.\r\n", "a\r.\r\n", "", false, false},
        {".\r\r\n.\r\n", "\r\r\n", "", false, false},
        {".\ra\r\n.\r\n", "\ra\r\n", "", false, false},
        {"a\n..b\n.\n+OK", "a\n.b\n", "+OK", true, false},
        {"a\r\n.\r\n+OK", "a\r\n", "+OK", true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t piece = 1; piece < 20; piece++) {
            struct buf out = BUF_INIT(1000);
            struct str rest;
            bool is_done;
            unstuff(str_of(rows[i].wire), piece, rows[i].is_lf_only, &out, &rest, &is_done);
            if (!str_equal(buf_view(&out), str_of(rows[i].message)) ||
                !str_equal(rest, str_of(rows[i].rest)) || is_done == rows[i].is_endless)
                fail_msg("row %zu in pieces of %zu: \"%s\"", i, piece, out.at ? out.at : "");
            buf_free(&out);
        }
}

static void test_replies_are_read_with_their_codes(void **state)
{
    static const struct {
        const char *line;
        bool is_reply;
        enum pop3_status status;
        enum pop3_code code;
        const char *text;
    } rows[] = {
        {"+OK", true, POP3_OK, POP3_CODE_NONE, ""},
        {"+OK ready", true, POP3_OK, POP3_CODE_NONE, "ready"},
        {"  +ok  ready ", true, POP3_OK, POP3_CODE_NONE, "ready"},
        {"-ERR [IN-USE] busy", true, POP3_ERR, POP3_CODE_IN_USE, "busy"},
        {"-err [in-use]", true, POP3_ERR, POP3_CODE_IN_USE, ""},
        {"-ERR [SYS/TEMP]x", true, POP3_ERR, POP3_CODE_SYS_TEMP, "x"},
        {"-ERR [NEW/THING] x", true, POP3_ERR, POP3_CODE_OTHER, "x"},
        {"-ERR [open", true, POP3_ERR, POP3_CODE_NONE, "[open"},
        {"+ cGFzc3dvcmQ=", true, POP3_CONTINUE, POP3_CODE_NONE, "cGFzc3dvcmQ="},
        {"+", true, POP3_CONTINUE, POP3_CODE_NONE, ""},
        {"", false, POP3_OK, POP3_CODE_NONE, ""},
        {"OK", false, POP3_OK, POP3_CODE_NONE, ""},
        {"+OKAY", false, POP3_OK, POP3_CODE_NONE, ""},
        {"* OK", false, POP3_OK, POP3_CODE_NONE, ""},
        {"220 smtp", false, POP3_OK, POP3_CODE_NONE, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pop3_reply reply;
        bool is_reply = pop3_parse_reply(str_of(rows[i].line), &reply);
        if (is_reply != rows[i].is_reply ||
            (is_reply && (reply.status != rows[i].status || reply.code != rows[i].code ||
                          !str_equal(reply.text, str_of(rows[i].text)))))
            fail_msg("\"%s\"", rows[i].line);
    }
}

static void test_listings_are_read_with_what_servers_add(void **state)
{
    static const struct {
        const char *line;
        uint32_t number; /* 0: must fail */
        uint64_t size;
    } sizes[] = {
        {"1 120", 1, 120},
        {" 2   200 bytes", 2, 200},
        {"+OK 3 300", 3, 300},
        {"4\t10", 4, 10},
        {"5 9223372036854775807", 5, POP3_SIZE_MAX},
        {"6 18446744073709551615", 6, POP3_SIZE_MAX},
        {"0 10", 0, 0},
        {"x 10", 0, 0},
        {"1", 0, 0},
        {"", 0, 0},
        {"1 99999999999999999999", 0, 0},
        {"4294967296 1", 0, 0},
    };
    static const struct {
        const char *line;
        uint32_t number;
        const char *uidl;
    } ids[] = {
        {"1 abc", 1, "abc"}, {"+OK 2  d", 2, "d"}, {"3 a b", 3, "a"},
        {"4", 0, ""},        {"5 \x01", 0, ""},    {"6 \xc3\xa4", 6, "\xc3\xa4"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint32_t number = 0;
        uint64_t size = 0;
        bool is_line = pop3_parse_list_line(str_of(sizes[i].line), &number, &size);
        if (is_line != (sizes[i].number > 0) ||
            (is_line && (number != sizes[i].number || size != sizes[i].size)))
            fail_msg("\"%s\"", sizes[i].line);
    }
    for (size_t i = 0; i < COUNT(ids); i++) {
        uint32_t number = 0;
        struct str uidl = STR_EMPTY;
        bool is_line = pop3_parse_uidl_line(str_of(ids[i].line), &number, &uidl);
        if (is_line != (ids[i].number > 0) ||
            (is_line && (number != ids[i].number || !str_equal(uidl, str_of(ids[i].uidl)))))
            fail_msg("\"%s\"", ids[i].line);
    }
}

static void test_a_timestamp_is_a_message_id(void **state)
{
    static const char *const rows[][2] = {
        {"+OK ready <1.2@a>", "<1.2@a>"},
        {"+OK <1.2@a> ready", "<1.2@a>"},
        {"+OK ready", ""},
        {"+OK <no at>", ""},
        {"+OK <a b@c>", ""},
        {"+OK <a@b", ""},
        {"+OK <\xd1\x31@x>", ""},
        {"+OK <a\x01@x>", ""},
        {"+OK <a\x7f@x>", ""},
        {"+OK <a<b@x>", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(str_equal(pop3_parse_timestamp(str_of(rows[i][0])), str_of(rows[i][1])));
}

static void test_capabilities_have_their_arguments(void **state)
{
    static const char *const lines[] = {"TOP",
                                        "sasl PLAIN  LOGIN",
                                        "EXPIRE NEVER",
                                        "LOGIN-DELAY 60",
                                        "UTF8 USER",
                                        "X-NEW thing",
                                        "",
                                        "LOGIN-DELAY 9999999999"};
    struct pop3_capabilities c = {.expire_days = POP3_EXPIRE_UNKNOWN};
    (void)state;
    for (size_t i = 0; i < COUNT(lines) - 1; i++)
        pop3_parse_capability(str_of(lines[i]), &c);
    assert_int_equal(c.offered, 1u << POP3_CAP_TOP | 1u << POP3_CAP_SASL | 1u << POP3_CAP_EXPIRE |
                                    1u << POP3_CAP_LOGIN_DELAY | 1u << POP3_CAP_UTF8);
    assert_true(str_equal(c.mechanisms, STR("PLAIN  LOGIN")));
    assert_int_equal(c.expire_days, POP3_EXPIRE_NEVER);
    assert_int_equal(c.login_delay_s, 60);
    assert_true(c.takes_utf8_names);
    pop3_parse_capability(str_of(lines[COUNT(lines) - 1]), &c);
    assert_int_equal(c.login_delay_s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dots_are_unstuffed_however_the_bytes_are_cut),
        cmocka_unit_test(test_replies_are_read_with_their_codes),
        cmocka_unit_test(test_listings_are_read_with_what_servers_add),
        cmocka_unit_test(test_a_timestamp_is_a_message_id),
        cmocka_unit_test(test_capabilities_have_their_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

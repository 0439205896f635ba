/* Mailbox files: what is quoted comes back, and what other programs write is understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/mail/mbox.h"

enum { LIMIT = 1024 * 1024 };
static const int64_t second = 1000000;

#define assert_text(got, want)                                \
    do {                                                      \
        struct str got_ = (got), want_ = str_of(want);        \
        assert_int_equal(got_.length, want_.length);          \
        assert_memory_equal(got_.at, want_.at, want_.length); \
    } while (0)

static void quote(struct buf *out, struct str message, size_t piece)
{
    struct mbox_quoter quoter = {0};
    for (size_t at = 0; at < message.length; at += piece)
        mbox_quote(&quoter, str_sub(message, at, piece), out);
    mbox_quote_end(&quoter, out);
}

static void test_lines_that_begin_like_an_envelope_are_quoted_whatever_the_pieces(void **state)
{
    (void)state;
    static const char message[] = "From me\r\n>From you\r\n>>From\r\n> From\r\nFro\r\nFrom\r\n"
                                  ">>From all\r\nx From y\r\n";
    static const char file[] = ">From me\n>>From you\n>>From\n> From\nFro\nFrom\n"
                               ">>>From all\nx From y\n\n";
    for (size_t piece = 1; piece <= sizeof message; piece++) {
        struct buf out = BUF_INIT(LIMIT);
        quote(&out,
              STR("From me\r\n>From you\r\n>>From\r\n> From\r\nFro\r\nFrom\r\n"
                  ">>From all\r\nx From y\r\n"),
              piece);
        assert_text(buf_view(&out), file);
        buf_free(&out);
    }
}

static void test_a_message_without_a_last_line_end_gets_one(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a\n\n"}, {"", "\n"}, {"a\r\nFro", "a\nFro\n\n"}, {"a\r", "a\r\n\n"}, {">", ">\n\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(LIMIT);
        quote(&out, str_of(cases[i][0]), 1);
        assert_text(buf_view(&out), cases[i][1]);
        buf_free(&out);
    }
}

static void test_an_envelope_tells_sender_and_time(void **state)
{
    (void)state;
    static const struct {
        const char *sender, *line;
    } cases[] = {
        {"ada@example.org", "From ada@example.org Tue Nov 14 22:13:20 2023\n"},
        {"", "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n"},
        {"a b\nFrom c", "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(LIMIT);
        mbox_write_from(&out, str_of(cases[i].sender), 1700000000 * second);
        assert_text(buf_view(&out), cases[i].line);
        buf_free(&out);
    }
}

static void test_dates_of_envelopes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t at;
    } cases[] = {
        {"From a@b Tue Nov 14 22:13:20 2023\n", 1700000000},
        {"From - Tue Nov 14 22:13:20 2023\r\n", 1700000000},
        {"From a@b  Tue Nov 14 22:13:20 +0000 2023\n", 1700000000},
        {"From a@b Wed Nov 15 00:13:20 2023 +0200\n", 1700000000},
        {"From a@b Tue Nov 14 22:13 2023\n", 1699999980},
        {"From a@b Tue Nov 14 22:13:20 MET 2023\n", 1700000000},
        {"From a@b at 12:30 some day\n", 0},
        {"From a@b Tue Nov 99 22:13:20 2023\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mbox_message message;
        size_t at = 0;
        assert_int_equal(mbox_next(str_of(cases[i].line), true, &at, &message), MBOX_MESSAGE);
        assert_int_equal(message.received_at, cases[i].at * second);
        assert_int_equal(message.text.length, 0);
    }
}

#define ENVELOPE "From a@b Mon Jan  2 15:04:05 2006\n"

static void test_a_file_is_cut_at_envelopes_behind_empty_lines_alone(void **state)
{
    (void)state;
    struct str file =
        STR("\n" ENVELOPE "S: 1\n\nbody\nFrom here at 12:30 on\n\nFrom now on\n\n" ENVELOPE
            "S: 2\r\n\r\nx\r\n\r\n" ENVELOPE "S: 3\n\nlast");
    static const char *const texts[] = {"S: 1\n\nbody\nFrom here at 12:30 on\n\nFrom now on\n",
                                        "S: 2\r\n\r\nx\r\n", "S: 3\n\nlast"};
    struct mbox_message message;
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(mbox_next(file, true, &at, &message), MBOX_MESSAGE);
        assert_text(message.text, texts[i]);
    }
    assert_int_equal(mbox_next(file, true, &at, &message), MBOX_END);
}

static void test_a_message_whose_end_is_not_there_yet_is_waited_for(void **state)
{
    (void)state;
    struct mbox_message message;
    size_t at = 0;
    assert_int_equal(mbox_next(STR(ENVELOPE "S: 1\n\nbo"), false, &at, &message), MBOX_MORE);
    assert_int_equal(at, 0);
    assert_int_equal(mbox_next(STR("no mail at all"), false, &at, &message), MBOX_MORE);
    assert_int_equal(mbox_next(STR("no mail at all"), true, &at, &message), MBOX_END);
}

static void test_quoting_is_undone_and_lines_end_as_in_mail(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(LIMIT);
    mbox_unquote(STR(">From a\n>>From b\n> From c\n>Fro\nx\r\n\nend"), &out);
    assert_text(buf_view(&out), "From a\r\n>From b\r\n> From c\r\n>Fro\r\nx\r\n\r\nend");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_begin_like_an_envelope_are_quoted_whatever_the_pieces),
        cmocka_unit_test(test_a_message_without_a_last_line_end_gets_one),
        cmocka_unit_test(test_an_envelope_tells_sender_and_time),
        cmocka_unit_test(test_dates_of_envelopes_are_read),
        cmocka_unit_test(test_a_file_is_cut_at_envelopes_behind_empty_lines_alone),
        cmocka_unit_test(test_a_message_whose_end_is_not_there_yet_is_waited_for),
        cmocka_unit_test(test_quoting_is_undone_and_lines_end_as_in_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

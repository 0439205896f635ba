/* Header fields, their text, encoded words, parameters and ids; what an envelope is. */
#include "server/mail/envelope.h"
#include "server/mail/header.h"
#include "tests/unit/mail_fixture.h"

static void test_fields_are_walked_with_their_places(void **state)
{
    (void)state;
    struct str block = STR("From x@y Mon\r\nA: 1\r\nB : 2\r\n 3\r\nno field\r\nC:\r\n\r\nbody");
    struct header_walk walk = header_begin(block);
    struct header_field field;
    static const char *const expected[][2] = {{"A", " 1"}, {"B", " 2\r\n 3"}, {"C", ""}};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(header_next(&walk, &field));
        assert_str(field.name, expected[i][0]);
        assert_str(field.value, expected[i][1]);
        assert_true(str_starts(str_skip(block, field.offset), field.name));
    }
    assert_false(header_next(&walk, &field));
    assert_str(str_skip(block, walk.offset), "body");
    assert_false(walk.is_cut || walk.has_no_empty_line);
}

static void test_a_header_without_its_empty_line_ends_where_it_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *block, *body;
    } rows[] = {
        {"A: 1\r\nHello there\r\n\r\nmore", "Hello there\r\n\r\nmore"},
        {"A: 1\n--boundary\nB: 2\n", "--boundary\nB: 2\n"},
        {"\r\nbody", "body"},
        {"Just text", "Just text"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct header_walk walk = header_begin(str_of(rows[i].block));
        struct header_field field;
        while (header_next(&walk, &field))
            ;
        assert_str(str_skip(str_of(rows[i].block), walk.offset), rows[i].body);
    }
}

static void test_text_is_decoded(void **state)
{
    static const char *const rows[][2] = {
        {" plain", "plain"},
        {"=?utf-8?Q?caf=C3=A9?=", "café"},
        {"=?UTF-8?b?Y2Fmw6k=?= au lait", "café au lait"},
        {"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"},
        {"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab"},
        {"=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b"},
        {"=?utf-8?Q?a_b=5F?=", "a b_"},
        /* a character split across words, as Q and as B */
        {"=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "é"},
        {"=?utf-8?B?w?= =?utf-8?B?6k=?=", "é"},
        {"=?iso-8859-1?Q?=E9?=", "é"},
        {"=?ISO-8859-1*fr?Q?=E9?=", "é"},
        {"=?iso-2022-jp?B?GyRCJCIbKEI=?=", "あ"},
        {"=?gb2312?B?xOO6ww==?=", "你好"},
        {"=?koi8-r?Q?=CD=C9=D2?=", "мир"},
        {"=?utf-7?Q?+AOk-?=", "é"},
        {"=?unknown-charset?Q?abc?=", "abc"},
        {"=?utf-8?Q?white in it?=", "white in it"},
        {"\"=?utf-8?Q?a?=\"", "\"a\""},
        {"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
        {"=?utf-8?Q?never closed", "=?utf-8?Q?never closed"},
        {"=?utf-8?Q?=ZZ?=", "=ZZ"},
        {"raw caf\xc3\xa9", "raw café"},
        {"raw caf\xe9", "raw café"},
        {"fold\r\n ed", "fold ed"},
        {"tab\tbell\a", "tab bell"},
        {"=?utf-8?Q?=0D=0ABcc:_x?=", "Bcc: x"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], header_text(*state, str_of(rows[i][0])), rows[i][1]);
}

static void test_nul_never_comes_out(void **state)
{
    struct str text = header_text(*state, STR("=?utf-8?Q?a=00b?= c\0d"));
    assert_text(text);
    assert_str(text, "a\uFFFDb c\uFFFDd");
}

static void test_values_have_parameters(void **state)
{
    static const struct {
        const char *given, *value, *name, *param;
    } rows[] = {
        {"text/plain; charset=utf-8", "text/plain", "charset", "utf-8"},
        {"TEXT/HTML;CHARSET=\"UTF-8\"", "text/html", "charset", "UTF-8"},
        {"text/plain charset=utf-8", "text/plain", "charset", "utf-8"},
        {"text/plain (a comment) ; charset=us-ascii (another)", "text/plain", "charset",
         "us-ascii"},
        {"attachment; filename=two words.pdf", "attachment", "filename", "two words.pdf"},
        {"attachment; filename=\"a\\\"b\\\\c.txt\"", "attachment", "filename", "a\"b\\c.txt"},
        {"attachment; filename=\"C:\\dir\\file\"", "attachment", "filename", "C:\\dir\\file"},
        {"attachment; filename*=utf-8''caf%C3%A9", "attachment", "filename", "café"},
        {"attachment; filename*=iso-8859-1'en'%A3", "attachment", "filename", "£"},
        {"a; filename=x; filename*=utf-8''y", "a", "filename", "y"},
        {"a; filename*0=one; filename*1=two", "a", "filename", "onetwo"},
        {"a; filename*1=two; filename*0=one", "a", "filename", "onetwo"},
        {"a; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.txt", "a", "filename",
         "café.txt"},
        {"a; filename*0=one; filename*2=three", "a", "filename", "one"},
        {"a; filename==?utf-8?Q?caf=C3=A9?=", "a", "filename", "café"},
        {"a; filename=\"=?utf-8?B?Y2Fmw6k=?=\"", "a", "filename", "café"},
        {"a; filename=\"caf\xc3\xa9\"", "a", "filename", "café"},
        {"a; filename*=%", "a", "filename", "%"},
        {"a; filename", "a", "filename", ""},
        {"a; =x; ;;; b=c", "a", "b", "c"},
        {"", "", "x", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct header_value parsed;
        header_parse_value(*state, str_of(rows[i].given), &parsed);
        assert_str_of(rows[i].given, parsed.value, rows[i].value);
        assert_str_of(rows[i].given, header_param(&parsed, str_of(rows[i].name)), rows[i].param);
    }
}

static void test_ids_are_taken_from_their_brackets(void **state)
{
    static const char *const rows[][2] = {
        {" <a@b>", "a@b"},
        {"<a @\r\n b>", "a@b"},
        {"text <a@b> more", "a@b"},
        {"a@b (comment)", "a@b"},
        {"<never", "never"},
        {"<>", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], header_id(*state, str_of(rows[i][0])), rows[i][1]);
}

/* --- caps (ref security 22, 26; ref libraries, GMime 3) --------------------------------------- */

static void test_a_million_tiny_fields_are_cut_and_said_so(void **state)
{
    (void)state;
    struct buf block = BUF_INIT(16 * 1024 * 1024);
    repeat(&block, "a: b\r\n", 1000 * 1000);
    struct header_walk walk = header_begin(buf_view(&block));
    struct header_field field;
    size_t count = 0;
    while (header_next(&walk, &field))
        count++;
    assert_true(walk.is_cut);
    assert_true(count <= HEADER_LINES_MAX);
    buf_free(&block);
}

static void test_one_field_of_ten_megabytes_is_cut_and_said_so(void **state)
{
    (void)state;
    struct buf block = BUF_INIT(16 * 1024 * 1024);
    buf_text(&block, "Subject: x\r\nTo: ");
    repeat(&block, "a@example.org,\r\n ", 600 * 1000);
    struct envelope e;
    envelope_parse(*state, buf_view(&block), &e);
    assert_true(e.is_cut);
    assert_str(e.subject, "x");
    assert_true(e.to.count <= ADDRESS_MAX && e.to.is_cut);
    buf_free(&block);
}

static void test_a_hundred_thousand_pieces_of_a_parameter_are_cut(void **state)
{
    struct buf value = BUF_INIT(16 * 1024 * 1024);
    buf_text(&value, "attachment");
    for (int i = 0; i < 100000; i++)
        buf_printf(&value, "; filename*%d=x", i);
    struct header_value parsed;
    header_parse_value(*state, buf_view(&value), &parsed);
    assert_true(parsed.is_cut);
    assert_true(header_param(&parsed, STR("filename")).length <= HEADER_PARAMS_MAX);
    buf_free(&value);
}

static void test_long_runs_of_space_and_open_words_take_no_time(void **state)
{
    static const char *const pieces[] = {" ", "=?",    "=?utf-8?Q?", "(", "\"",
                                         ";", "\r\n ", "<",          "\\"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf value = BUF_INIT(16 * 1024 * 1024);
        buf_text(&value, "text/plain");
        repeat(&value, pieces[i], 300 * 1000);
        struct header_value parsed;
        header_parse_value(*state, buf_view(&value), &parsed);
        assert_text(header_text(*state, buf_view(&value)));
        assert_text(header_id(*state, buf_view(&value)));
        buf_free(&value);
    }
}

/* --- envelopes -------------------------------------------------------------------------------- */

static void test_an_envelope_has_what_lists_and_threads_need(void **state)
{
    struct envelope e;
    envelope_parse(*state,
                   STR("Return-Path: <bounce@example.org>\r\n"
                       "Received: from a by b; Tue, 24 Nov 2026 10:00:01 +0000\r\n"
                       "Received: from c by a; Tue, 24 Nov 2026 09:00:00 +0000\r\n"
                       "Authentication-Results: mx.example; spf=pass\r\n"
                       "Authentication-Results: forged; dkim=pass\r\n"
                       "From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\n"
                       "From: second@example.org\r\n"
                       "To: a@example.org, b@example.org\r\n"
                       "Subject: [list] Re: Lunch\r\n"
                       "Date: Tue, 24 Nov 2026 11:00:00 +0100\r\n"
                       "Message-ID: <m@example.org>\r\n"
                       "In-Reply-To: Your message of yesterday <r@example.org>\r\n"
                       "References: <one@example.org>\r\n <r@example.org> <one@example.org>\r\n"
                       "List-Id: A list <list.example.org>\r\n"
                       "List-Post: <mailto:list@example.org?subject=x>\r\n"
                       "List-Unsubscribe: <https://example.org/u>, <mailto:u@example.org>\r\n"
                       "X-Priority: 1 (Highest)\r\n"
                       "Importance: low\r\n"
                       "Auto-Submitted: auto-replied; x=y\r\n"
                       "Precedence: Bulk\r\n"
                       "Content-Type: multipart/mixed; boundary=x\r\n"
                       "Disposition-Notification-To: Ann <ann@example.org>\r\n\r\nSubject: no"),
                   &e);
    assert_int_equal(e.from.count, 1);
    assert_str(e.from.at[0].name, "Jürgen");
    assert_str(e.from.at[0].email, "j@example.org");
    assert_int_equal(e.to.count, 2);
    assert_str(e.subject, "[list] Re: Lunch");
    assert_str(e.base_subject, "Lunch");
    assert_true(e.is_reply);
    assert_int_equal(e.sent_at, 1795514400000000);
    assert_int_equal(e.received_at, 1795514401000000);
    assert_str(e.message_id, "m@example.org");
    assert_str(e.in_reply_to, "r@example.org");
    assert_str(e.references, "one@example.org r@example.org");
    assert_str(e.list_id, "list.example.org");
    assert_str(e.list_post, "list@example.org");
    assert_str(e.list_unsubscribe, "<https://example.org/u>, <mailto:u@example.org>");
    assert_int_equal(e.priority, 1);
    assert_str(e.auto_submitted, "auto-replied");
    assert_str(e.precedence, "bulk");
    assert_str(e.content_type, "multipart/mixed");
    assert_str(e.disposition_notification_to, "ann@example.org");
    assert_str(e.return_path, "bounce@example.org");
    assert_int_equal(e.authentication_results_count, 2);
    assert_str(e.authentication_results[0], "mx.example; spf=pass");
    struct buf json = BUF_INIT(4096);
    assert_true(envelope_write_json(&json, &e));
    assert_true(str_starts(buf_view(&json), STR("{\"listId\":\"list.example.org\"")));
    assert_true(str_find(buf_view(&json), STR("\"priority\":1,\"autoSubmitted\"")) > 0);
    buf_free(&json);
}

static void test_the_null_return_path_is_told_from_none(void **state)
{
    struct envelope e;
    envelope_parse(*state, STR("Return-Path: <>\r\n\r\n"), &e);
    assert_str(e.return_path, "<>");
    envelope_parse(*state, STR("Return-Path: < a@example.org >\r\n\r\n"), &e);
    assert_str(e.return_path, "a@example.org");
}

static void test_an_envelope_of_nothing_is_empty(void **state)
{
    struct envelope e;
    struct buf json = BUF_INIT(100);
    buf_text(&json, "kept");
    envelope_parse(*state, STR(""), &e);
    assert_int_equal(e.sent_at, 0);
    assert_int_equal(e.priority, 3);
    assert_int_equal(e.subject.length + e.message_id.length + e.from.count, 0);
    assert_false(envelope_write_json(&json, &e));
    assert_str(buf_view(&json), "kept");
    buf_free(&json);
}

static void test_poison_is_cut_to_what_the_database_takes(void **state)
{
    struct buf block = BUF_INIT(1024 * 1024);
    buf_text(&block, "Message-ID: <");
    repeat(&block, "x", 15 * 1024);
    buf_text(&block, "@y>\r\nSubject: a\xff\xfe");
    buf_append(&block, "\0", 1);
    repeat(&block, "\xe2\x82\xac", 5000);
    buf_text(&block, "\r\nIn-Reply-To: Message from Ann of yesterday\r\n\r\n");
    struct envelope e;
    envelope_parse(*state, buf_view(&block), &e);
    assert_int_equal(e.message_id.length, ENVELOPE_ID_BYTES_MAX);
    assert_true(e.subject.length <= ENVELOPE_SUBJECT_BYTES_MAX && e.subject.length > 4000);
    assert_text(e.subject);
    assert_str(e.in_reply_to, "");
    buf_free(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_fields_are_walked_with_their_places),
        MAIL_TEST(test_a_header_without_its_empty_line_ends_where_it_is_none),
        MAIL_TEST(test_text_is_decoded),
        MAIL_TEST(test_nul_never_comes_out),
        MAIL_TEST(test_values_have_parameters),
        MAIL_TEST(test_ids_are_taken_from_their_brackets),
        MAIL_TEST(test_a_million_tiny_fields_are_cut_and_said_so),
        MAIL_TEST(test_one_field_of_ten_megabytes_is_cut_and_said_so),
        MAIL_TEST(test_a_hundred_thousand_pieces_of_a_parameter_are_cut),
        MAIL_TEST(test_long_runs_of_space_and_open_words_take_no_time),
        MAIL_TEST(test_an_envelope_has_what_lists_and_threads_need),
        MAIL_TEST(test_the_null_return_path_is_told_from_none),
        MAIL_TEST(test_an_envelope_of_nothing_is_empty),
        MAIL_TEST(test_poison_is_cut_to_what_the_database_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

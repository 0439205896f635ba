/* Delivery reports and read receipts. */
#include "server/mail/report.h"
#include "tests/unit/mail_fixture.h"

#define REPORT(type, body)                                                                      \
    "Content-Type: multipart/report; report-type=x; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n"    \
    "--b\r\nContent-Type: " type "\r\n\r\n" body "\r\n--b\r\n"                                  \
    "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <mine@example.org>\r\n" \
    "--b--\r\n"

static bool parse(struct arena *arena, const char *text, struct report *report)
{
    struct str raw = str_of(text);
    return report_parse(arena, raw, mime_parse(arena, raw), report);
}

static void test_a_delivery_report_names_each_recipient(void **state)
{
    struct report r;
    assert_true(parse(*state,
                      REPORT("message/delivery-status",
                             "Reporting-MTA: dns; mx.example.com\r\n"
                             "Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n"
                             "Final-Recipient: rfc822; ann@inner.example.com\r\n"
                             "Original-Recipient: rfc822;ann@example.com\r\n"
                             "Action: Failed\r\n"
                             "Status: 5.1.1 (no; such user)\r\n"
                             "Remote-MTA: dns; in.example.com\r\n"
                             "Diagnostic-Code: smtp; 550 5.1.1 no such\r\n user\r\n\r\n\r\n"
                             "Final-Recipient: rfc822; bob@example.com\r\n"
                             "Action: delayed\r\nStatus: 4.4.1\r\n"),
                      &r));
    assert_int_equal(r.kind, REPORT_DELIVERY);
    assert_str(r.reporting_mta, "mx.example.com");
    assert_str(r.message_id, "mine@example.org");
    assert_int_equal(r.count, 2);
    assert_str(r.recipients[0].email, "ann@example.com");
    assert_int_equal(r.recipients[0].action, REPORT_FAILED);
    assert_str(r.recipients[0].status, "5.1.1");
    assert_str(r.recipients[0].diagnostic, "550 5.1.1 no such user");
    assert_str(r.recipients[0].remote_mta, "in.example.com");
    assert_str(r.recipients[1].email, "bob@example.com");
    assert_string_equal(report_action_name(r.recipients[1].action), "delayed");
}

static void test_the_envelope_id_names_the_message(void **state)
{
    static const char *const rows[][2] = {
        {"a@b.example", "a@b.example"},
        {"a+40b.example", "a@b.example"}, /* xtext still */
        {"a+2Bb@c.example", "a+b@c.example"},
        {"a+zz@b.example", "a+zz@b.example"},
        {"a@b.example+", "a@b.example+"},
        {"QUEUE123", "mine@example.org"}, /* no id of ours: what came back tells */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report r;
        struct buf text = BUF_INIT(2000);
        buf_printf(&text,
                   REPORT("message/delivery-status",
                          "Original-Envelope-Id: %s\r\n\r\nFinal-Recipient: rfc822; a@b\r\n"
                          "Action: failed\r\n"),
                   rows[i][0]);
        assert_true(parse(*state, text.at, &r));
        assert_str_of(rows[i][0], r.message_id, rows[i][1]);
        buf_free(&text);
    }
}

static void test_a_receipt_says_whether_a_person_saw_it(void **state)
{
    struct report r;
    assert_true(parse(*state,
                      REPORT("message/disposition-notification",
                             "Reporting-UA: pc.example.com; Some Mailer 1.0\r\n"
                             "Final-Recipient: rfc822;ann@example.com\r\n"
                             "Original-Message-ID: <other@example.org>\r\n"
                             "Disposition: manual-action/MDN-sent-manually; displayed\r\n"),
                      &r));
    assert_int_equal(r.kind, REPORT_RECEIPT);
    assert_str(r.message_id, "other@example.org");
    assert_str(r.reporting_mta, "Some Mailer 1.0");
    assert_int_equal(r.count, 1);
    assert_str(r.recipients[0].email, "ann@example.com");
    assert_int_equal(r.recipients[0].action, REPORT_DISPLAYED);
    assert_false(r.is_automatic);
    assert_true(parse(*state,
                      REPORT("message/disposition-notification",
                             "Disposition: automatic-action/MDN-sent-automatically; "
                             "deleted/error\r\nError: full\r\n"),
                      &r));
    assert_int_equal(r.recipients[0].action, REPORT_DELETED);
    assert_str(r.recipients[0].diagnostic, "full");
    assert_true(r.is_automatic);
}

static void test_what_is_broken_is_a_report_with_less_in_it(void **state)
{
    static const char *const rows[] = {
        REPORT("message/delivery-status", ""),
        REPORT("message/delivery-status", "no fields at all"),
        REPORT("message/delivery-status", "Action\r\n\r\nAction: nonsense; x"),
        REPORT("message/disposition-notification", "Disposition:"),
        REPORT("message/disposition-notification", "\r\n\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report r;
        assert_true(parse(*state, rows[i], &r));
        for (size_t k = 0; k < r.count; k++) {
            assert_int_equal(r.recipients[k].action, REPORT_UNKNOWN);
            assert_str(r.recipients[k].email, "");
        }
    }
    struct report r;
    assert_false(parse(*state, "Subject: Undeliverable\r\n\r\nnot a report", &r));
}

static void test_many_recipients_are_cut_and_said_so(void **state)
{
    struct buf raw = BUF_INIT(1024 * 1024);
    buf_text(&raw, "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n");
    repeat(&raw, "Final-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n", 1000);
    struct report r;
    assert_true(report_parse(*state, buf_view(&raw), mime_parse(*state, buf_view(&raw)), &r));
    assert_true(r.is_cut);
    assert_int_equal(r.count, REPORT_RECIPIENTS_MAX);
    buf_free(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_a_delivery_report_names_each_recipient),
        MAIL_TEST(test_the_envelope_id_names_the_message),
        MAIL_TEST(test_a_receipt_says_whether_a_person_saw_it),
        MAIL_TEST(test_what_is_broken_is_a_report_with_less_in_it),
        MAIL_TEST(test_many_recipients_are_cut_and_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

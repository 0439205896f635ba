/* Mail that we write: read back by our own parser, and looked at byte by byte. (Python's reader has
 * its say in tests/integration/test_compose.py.) */
#include "server/mail/compose.h"

#include "server/mail/header.h"
#include "server/mail/mime.h"
#include "tests/unit/mail_fixture.h"

static bool take(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

static bool give_text(void *source, compose_write_fn *write, void *context, struct error *err)
{
    (void)err;
    struct str text = str_of(source);
    /* in two pieces, cut anywhere */
    return write(context, str_sub(text, 0, text.length / 2)) &&
           write(context, str_skip(text, text.length / 2));
}

static struct compose plain(void)
{
    return (struct compose){.from = {STR("Ada"), STR("ada@example.org")},
                            .subject = STR("hello"),
                            .text = STR("hello\n"),
                            .message_id = STR("1@example.org"),
                            .date_at = 1795500000000000};
}

/* The bytes of a message, and that they are what may go over the wire. */
static struct str written(struct arena *arena, const struct compose *compose,
                          struct compose_needs *needs)
{
    struct buf out = BUF_INIT(64 * 1024 * 1024);
    struct error err = ERROR_INIT;
    struct compose_needs ignored;
    if (!compose_write(compose, take, &out, needs ? needs : &ignored, &err))
        fail_msg("not written: %s", err.message);
    size_t line = 0;
    for (size_t i = 0; i < out.length; i++) {
        bool is_end = out.at[i] == '\n';
        assert_true(!is_end || (i > 0 && out.at[i - 1] == '\r'));
        assert_true(out.at[i] != '\r' || out.at[i + 1] == '\n');
        assert_true(out.at[i] != '\0');
        line = is_end ? 0 : line + 1;
        assert_in_range(line, 0, 998);
    }
    struct str bytes = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return bytes;
}

static struct str field_of(struct arena *arena, struct str message, const char *name)
{
    struct str value;
    if (!header_find(message, str_of(name), &value))
        return STR("(none)");
    return header_text(arena, value);
}

static void test_a_plain_message_has_what_it_needs(void **state)
{
    struct arena *arena = *state;
    struct compose m = plain();
    struct str bytes = written(arena, &m, NULL);
    assert_str(field_of(arena, bytes, "From"), "Ada <ada@example.org>");
    assert_str(field_of(arena, bytes, "Subject"), "hello");
    assert_str(field_of(arena, bytes, "Message-ID"), "<1@example.org>");
    assert_str(field_of(arena, bytes, "Bcc"), "(none)");
    assert_true(str_ends(bytes, STR("\r\n\r\nhello\r\n")));
}

static void test_subjects_come_back_as_they_were(void **state)
{
    struct arena *arena = *state;
    struct buf longest = BUF_INIT(8000);
    repeat(&longest, "x", 5000);
    const char *const subjects[] = {
        "plain",
        "Grüße aus Köln",
        "日本語の件名はとても長いので折り返されなければなりません。本当に長い。",
        "=?utf-8?q?not_encoded?=",
        "two  spaces",
        longest.at,
        "Ein langer Betreff in ASCII, der in zwei Zeilen gehört, weil er nicht in eine passt, so "
        "ist es"};
    for (size_t i = 0; i < COUNT(subjects); i++) {
        struct compose m = plain();
        m.subject = str_of(subjects[i]);
        assert_str_of(subjects[i], field_of(arena, written(arena, &m, NULL), "Subject"),
                      subjects[i]);
    }
    buf_free(&longest);
}

static void test_nothing_foreign_begins_a_header_line(void **state)
{
    struct arena *arena = *state;
    const struct compose_address evil = {STR("x\r\nBcc: a@b.example"), STR("c@d.example")};
    const struct compose_attachment file = {.type = STR("text/plain\r\nX-Evil: 1"),
                                            .name = STR("a\r\nX-Evil: 1"),
                                            .stream = give_text,
                                            .source = "x"};
    struct compose m = plain();
    m.subject = STR("hi\r\nX-Evil: 1\r\n\r\nbody");
    m.to = (struct compose_addresses){&evil, 1};
    m.in_reply_to = STR("a>\r\nX-Evil:<1");
    m.references = STR("good@x bad\r\nX-Evil:1");
    m.attachments = &file;
    m.attachment_count = 1;
    struct str bytes = written(arena, &m, NULL);
    assert_true(str_find(bytes, STR("\r\nX-Evil")) < 0);
    assert_true(str_find(bytes, STR("\r\nBcc")) < 0);
    assert_str(field_of(arena, bytes, "References"), "<good@x>");
}

static void test_addresses_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "",      "a",      "a@",   "@b",   "a b@c",     "a@b\r\nc", "a@b c",      "a\n@b.example",
        "<a@b>", "a@b..c", "a@b>", "a@-b", "a\"b@c.de", "a@b,c@d",  "\xff\xfe@b", "a@\xc3\x28.de"};
    static const struct {
        const char *given, *checked;
    } good[] = {{"a@b", "a@b"},
                {"ada+tag@example.org", "ada+tag@example.org"},
                {"\"a b\"@example.org", "\"a b\"@example.org"},
                {"grüße@example.org", "grüße@example.org"},
                {"ada@köln.example", "ada@xn--kln-sna.example"},
                {"a@[127.0.0.1]", "a@[127.0.0.1]"}};
    struct str checked;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (compose_email_check(*state, str_of(bad[i]), &checked, &err))
            fail_msg("\"%s\" was taken", bad[i]);
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!compose_email_check(*state, str_of(good[i].given), &checked, &err))
            fail_msg("%s", err.message);
        assert_str(checked, good[i].checked);
    }
}

static void test_what_people_type_becomes_addresses(void **state)
{
    struct compose_addresses list;
    struct error err = ERROR_INIT;
    assert_true(compose_addresses_read(
        *state, STR("Ada Lovelace <ada@example.org>; b@c,\n\"Doe, J.\" <j@d.example>,"), &list,
        &err));
    assert_int_equal(list.count, 3);
    assert_str(compose_addresses_show(*state, list),
               "Ada Lovelace <ada@example.org>, b@c, \"Doe, J.\" <j@d.example>");
    assert_false(compose_addresses_read(*state, STR("ada@example.org, nobody"), &list, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_non_null(strstr(err.message, "nobody"));
}

static void test_an_address_beyond_ascii_needs_smtputf8(void **state)
{
    struct compose m = plain();
    struct compose_needs needs;
    struct compose_address to = {STR_EMPTY, STR("ada@köln.example")};
    m.to = (struct compose_addresses){&to, 1};
    written(*state, &m, &needs);
    assert_false(needs.smtputf8);
    to.email = STR("grüße@example.org");
    written(*state, &m, &needs);
    assert_true(needs.smtputf8);
}

static void test_all_parts_come_back_equal(void **state)
{
    struct arena *arena = *state;
    static const struct compose_attachment files[] = {
        {.type = STR("image/png"),
         .name = STR("a.png"),
         .cid = STR("p1@x"),
         .stream = give_text,
         .source = "\x89PNG picture"},
        {.type = STR("application/pdf"),
         .name = STR("Übersicht der allerletzten Änderungen an unserem gemeinsamen Haushalt.pdf"),
         .stream = give_text,
         .source = "%PDF with\r\nlines\n"},
        {.type = STR("message/rfc822"),
         .name = STR("m.eml"),
         .stream = give_text,
         .source = "Subject: gr\xc3\xbc\xc3\x9f\n\nbare\n.\nline ends\r"},
    };
    struct compose m = plain();
    struct compose_needs needs;
    m.text = STR("Grüße\n> quoted\n");
    m.html = STR("<p>Grüße <img src=\"cid:p1@x\"></p>\n");
    m.attachments = files;
    m.attachment_count = COUNT(files);
    struct str bytes = written(arena, &m, &needs);
    assert_true(needs.eightbit);
    struct mime_message *message = mime_parse(arena, bytes);
    assert_str(message->root->type, "multipart/mixed");
    assert_int_equal(message->text_body.count, 1);
    assert_str(message->html_body.at[0]->type, "text/html");
    struct buf text = BUF_INIT(10000);
    const struct mime_part *png = message->root;
    while (png && !str_equal(png->cid, STR("p1@x")))
        png = mime_next(png);
    assert_non_null(png);
    mime_decode(&text, mime_body(bytes, png), png->encoding);
    assert_str(buf_view(&text), files[0].source);
    buf_reset(&text);
    const struct mime_part *pdf = NULL, *eml = NULL;
    for (const struct mime_part *part = message->root; part; part = mime_next(part)) {
        pdf = str_equal(part->type, STR("application/pdf")) ? part : pdf;
        eml = str_equal(part->type, STR("message/rfc822")) ? part : eml;
    }
    assert_true(pdf && eml);
    assert_str(pdf->name, files[1].name.at);
    mime_decode(&text, mime_body(bytes, pdf), pdf->encoding);
    assert_str(buf_view(&text), files[1].source);
    assert_true(str_starts(mime_body(bytes, eml),
                           STR("Subject: gr\xc3\xbc\xc3\x9f\r\n\r\nbare\r\n.\r\nline ends\r\n")));
    buf_free(&text);
}

static void test_text_flows_and_quotes_stay(void **state)
{
    (void)state;
    static const struct {
        const char *given, *flowed;
    } texts[] = {
        {"", ""},
        {"one\r\ntwo\rthree", "one\r\ntwo\r\nthree\r\n"},
        {"trailing  \n-- \nme", "trailing\r\n-- \r\nme\r\n"},
        {" indented\nFrom here", "  indented\r\n From here\r\n"},
        {"> a\n>> b\n> > c\n>", "> a\r\n>> b\r\n>> c\r\n>\r\n"},
        {"aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg hhhhhhhhh i",
         "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg \r\n"
         "hhhhhhhhh i\r\n"},
        {"https://example.org/a-very-long-address-that-cannot-be-broken-anywhere-at-all-in-here",
         "https://example.org/a-very-long-address-that-cannot-be-broken-anywhere-at-all-in-here"
         "\r\n"},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf out = BUF_INIT(10000);
        assert_true(compose_flow(&out, str_of(texts[i].given)));
        assert_str_of(texts[i].given, buf_view(&out), texts[i].flowed);
        buf_free(&out);
    }
}

static void test_an_answer_quotes_without_the_signature(void **state)
{
    struct arena *arena = *state;
    struct buf out = BUF_INIT(10000);
    compose_quote(&out, STR("hello\n\n> older\n-- \nAda"));
    assert_str(buf_view(&out), "> hello\n>\n>> older\n");
    buf_free(&out);
    assert_str(compose_reply_subject(arena, STR("AW: Re: lunch")), "Re: lunch");
    assert_str(compose_forward_subject(arena, STR("Fwd: lunch")), "Fwd: lunch");
    assert_str(compose_attribution(arena, STR("Ada"), 1795500000000000, 60),
               "On 24 November 2026 at 07:00, Ada wrote:");
    assert_str(compose_references(arena, STR("a@x b@x"), STR("b@x"), STR("c@x")), "a@x b@x c@x");
    assert_str(compose_references(arena, STR_EMPTY, STR("b@x"), STR("c@x")), "b@x c@x");
}

static void test_ids_are_of_the_address_s_domain(void **state)
{
    struct str one = compose_message_id(*state, STR("ada@köln.example"));
    struct str two = compose_message_id(*state, STR("ada@köln.example"));
    assert_true(str_ends(one, STR("@xn--kln-sna.example")));
    assert_false(str_equal(one, two));
}

static void test_an_answer_to_an_invitation_is_the_other_form_of_its_text(void **state)
{
    struct arena *arena = *state;
    struct compose m = plain();
    const struct compose_attachment reply = {.type = STR("text/calendar; method=REPLY"),
                                             .name = STR("answer.ics"),
                                             .stream = give_text,
                                             .source = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"};
    m.attachments = &reply;
    m.attachment_count = 1;
    struct str bytes = written(arena, &m, NULL);
    struct mime_message *message = mime_parse(arena, bytes);
    assert_str(message->root->type, "multipart/alternative");
    const struct mime_part *part = message->root->first_child->next;
    assert_str(part->type, "text/calendar");
    assert_true(str_find(bytes, STR("text/calendar; method=REPLY;\r\n charset=utf-8")) > 0);
    assert_null(part->next);
    /* no other parameter gets into a header line that way */
    struct compose_attachment odd = reply;
    odd.type = STR("text/calendar; method=REPLY; x=\"\r\nBcc: eve@example.org");
    m.attachments = &odd;
    bytes = written(arena, &m, NULL);
    assert_str(field_of(arena, bytes, "Bcc"), "(none)");
    assert_true(str_find(bytes, STR("eve@example.org")) < 0);
}

static void test_a_receipt_makes_the_message_one_unless_its_lines_are_odd(void **state)
{
    struct arena *arena = *state;
    struct compose m = plain();
    struct compose_attachment receipt = {.type = STR("message/disposition-notification"),
                                         .name = STR("r"),
                                         .stream = give_text,
                                         .source = "Final-Recipient: rfc822;a@b\nDisposition: "
                                                   "manual-action/MDN-sent-manually; displayed\n"};
    m.attachments = &receipt;
    m.attachment_count = 1;
    struct str bytes = written(arena, &m, NULL);
    assert_str(mime_parse(arena, bytes)->root->type, "multipart/report");
    assert_true(str_find(bytes, STR("report-type=disposition-notification")) > 0);
    assert_true(str_find(bytes, STR("\r\nFinal-Recipient: rfc822;a@b\r\nDisposition: ")) > 0);
    char odd[1200];
    memset(odd, 'x', sizeof odd - 1);
    odd[sizeof odd - 1] = '\0';
    receipt.source = odd; /* a line that no server takes: written() looks at their length */
    bytes = written(arena, &m, NULL);
    assert_true(str_find(bytes, STR("application/octet-stream")) > 0);
}

static void test_text_becomes_html_with_its_quotes(void **state)
{
    static const char *const rows[][2] = {
        {"a\n\nb", "<div>a</div><div><br></div><div>b</div>"},
        {"<b> & \"", "<div>&lt;b&gt; &amp; &quot;</div>"},
        {"x\n> y\n>> z\n> w\nv",
         "<div>x</div><blockquote type=\"cite\"><div>y</div><blockquote type=\"cite\">"
         "<div>z</div></blockquote><div>w</div></blockquote><div>v</div>"},
        {"> open", "<blockquote type=\"cite\"><div>open</div></blockquote>"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(10000);
        compose_text_html(&out, str_of(rows[i][0]));
        assert_str_of(rows[i][0], buf_view(&out), rows[i][1]);
        buf_free(&out);
    }
    struct buf out = BUF_INIT(10000);
    compose_signature_html(&out, STR_EMPTY, STR_EMPTY);
    assert_int_equal(out.length, 0);
    compose_signature_html(&out, STR("<i>x</i>"), STR("plain"));
    assert_string_equal(out.at, "<div><br></div><div>-- </div><i>x</i>");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_a_plain_message_has_what_it_needs),
        MAIL_TEST(test_subjects_come_back_as_they_were),
        MAIL_TEST(test_nothing_foreign_begins_a_header_line),
        MAIL_TEST(test_addresses_that_are_none_are_refused),
        MAIL_TEST(test_what_people_type_becomes_addresses),
        MAIL_TEST(test_an_address_beyond_ascii_needs_smtputf8),
        MAIL_TEST(test_all_parts_come_back_equal),
        MAIL_TEST(test_text_flows_and_quotes_stay),
        MAIL_TEST(test_an_answer_quotes_without_the_signature),
        MAIL_TEST(test_ids_are_of_the_address_s_domain),
        MAIL_TEST(test_an_answer_to_an_invitation_is_the_other_form_of_its_text),
        MAIL_TEST(test_a_receipt_makes_the_message_one_unless_its_lines_are_odd),
        MAIL_TEST(test_text_becomes_html_with_its_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

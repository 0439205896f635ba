/* The structure of messages, what is shown of them, and the caps. */
#include "server/mail/mime.h"
#include "tests/unit/mail_fixture.h"

static void write_part(struct buf *out, const struct mime_part *part)
{
    buf_printf(out, "%" STR_FMT "%s%" STR_FMT, STR_ARG(part->id), part->id.length ? "=" : "",
               STR_ARG(part->type));
    if (!part->first_child)
        return;
    buf_char(out, '(');
    for (const struct mime_part *child = part->first_child; child; child = child->next) {
        write_part(out, child);
        buf_text(out, child->next ? " " : "");
    }
    buf_char(out, ')');
}

static void write_list(struct buf *out, const char *name, const struct mime_list *list)
{
    buf_printf(out, " %s:", name);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%" STR_FMT, i ? "," : "", STR_ARG(list->at[i]->id));
}

/* "1=text/plain text:1 html:1 att:": the tree and the three lists; "+" when a person would say that
 * there is an attachment, "!" when it was cut. */
static struct str summary(struct arena *arena, const struct mime_message *m)
{
    struct buf out = BUF_INIT(1024 * 1024);
    write_part(&out, m->root);
    write_list(&out, "text", &m->text_body);
    write_list(&out, "html", &m->html_body);
    write_list(&out, "att", &m->attachments);
    buf_text(&out, m->has_attachment ? " +" : "");
    buf_text(&out, m->is_cut ? " !" : "");
    struct str text = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return text;
}

#define MULTIPART(subtype, boundary) \
    "Content-Type: multipart/" subtype "; boundary=" boundary "\r\n\r\n"

static void test_structures(void **state)
{
    static const char *const rows[][2] = {
        {"Subject: x\r\n\r\nhello", "1=text/plain text:1 html:1 att:"},
        {"", "1=text/plain text:1 html:1 att:"},
        {"no header at all", "1=text/plain text:1 html:1 att:"},
        {"Content-Type: text/html\n\n<p>", "1=text/html text:1 html:1 att:"},
        {"Content-Type: text\r\n\r\nx", "1=text/plain text:1 html:1 att:"},
        {"Content-Type: application/pdf\r\n\r\nx", "1=application/pdf text: html: att:1 +"},
        {"Content-Type: text/plain; name=a.c\r\nContent-Disposition: attachment\r\n\r\nx",
         "1=text/plain text: html: att:1 +"},
        {"Content-Disposition: attachment; filename=a.bin\r\n\r\nx",
         "1=application/octet-stream text: html: att:1 +"},
        {MULTIPART("alternative",
                   "b") "--b\r\n\r\nt\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n"
                        "--b--\r\n",
         "multipart/alternative(1=text/plain 2=text/html) text:1 html:2 att:"},
        {MULTIPART("mixed", "b") "pre\r\n--b\r\n\r\nt\r\n--b\r\nContent-Type: image/png\r\n"
                                 "Content-Disposition: attachment\r\n\r\nx\r\n--b--\r\nepilogue",
         "multipart/mixed(1=text/plain 2=image/png) text:1 html:1 att:2 +"},
        /* an inline picture belongs to the body; HTML's own pictures are no attachments to people
         */
        {MULTIPART("related", "b") "--b\r\nContent-Type: text/html\r\n\r\n<img>\r\n--b\r\n"
                                   "Content-Type: image/png\r\nContent-ID: <c>\r\n\r\nx\r\n--b--",
         "multipart/related(1=text/html 2=image/png) text:1 html:1 att:2"},
        {MULTIPART("mixed", "b") "--b\r\n" MULTIPART(
             "alternative",
             "c") "--c\r\n\r\nt\r\n--c\r\nContent-Type: text/html\r\n\r\nh\r\n--c--\r\n--b\r\n"
                  "Content-Type: application/pdf\r\n\r\nx\r\n--b--",
         "multipart/mixed(1=multipart/alternative(1.1=text/plain 1.2=text/html) 2=application/pdf) "
         "text:1.1 html:1.2 att:2 +"},
        {MULTIPART("mixed", "b") "--b\r\n\r\nt\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
                                 "Subject: in\r\n\r\ninner\r\n--b--",
         "multipart/mixed(1=text/plain 2=message/rfc822(2.1=text/plain)) text:1 html:1 att:2 +"},
        {"Content-Type: message/rfc822\r\n\r\n" MULTIPART("mixed", "b") "--b\r\n\r\nx\r\n--b--",
         "1=message/rfc822(multipart/mixed(1.1=text/plain)) text: html: att:1 +"},
        {MULTIPART("digest", "b") "--b\r\n\r\nSubject: 1\r\n\r\none\r\n--b--",
         "multipart/digest(1=message/rfc822(1.1=text/plain)) text: html: att:1 +"},
        {MULTIPART("signed",
                   "b") "--b\r\n\r\nt\r\n--b\r\nContent-Type: application/pgp-signature\r\n"
                        "\r\ns\r\n--b--",
         "multipart/signed(1=text/plain 2=application/pgp-signature) text:1 html:1 att:2"},
        {MULTIPART("alternative", "b") "--b\r\nContent-Type: text/html\r\n\r\nh\r\n--b--",
         "multipart/alternative(1=text/html) text:1 html:1 att:"},
        {MULTIPART("alternative", "b") "--b\r\n\r\nt\r\n--b\r\nContent-Type: text/calendar\r\n\r\nc"
                                       "\r\n--b--",
         "multipart/alternative(1=text/plain 2=text/calendar) text:1 html:1 att:2 +"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mime_message *m = mime_parse(*state, str_of(rows[i][0]));
        assert_str_of(rows[i][0], summary(*state, m), rows[i][1]);
    }
}

static void test_broken_structures_lose_no_text(void **state)
{
    static const char *const rows[][2] = {
        /* never closed */
        {MULTIPART("mixed", "b") "--b\r\n\r\none\r\n--b\r\n\r\ntwo",
         "multipart/mixed(1=text/plain 2=text/plain) text:1,2 html:1,2 att:"},
        /* no boundary parameter */
        {"Content-Type: multipart/mixed\r\n\r\n--x1\r\n\r\none\r\n--x1--",
         "multipart/mixed(1=text/plain) text:1 html:1 att:"},
        /* a boundary that never comes */
        {MULTIPART("mixed", "b") "text all the same", "1=text/plain text:1 html:1 att:"},
        {"Content-Type: multipart/mixed\r\n\r\ntext all the same",
         "1=text/plain text:1 html:1 att:"},
        /* a boundary that begins with another */
        {MULTIPART("mixed", "b") "--b\r\n" MULTIPART("mixed", "bb") "--bb\r\n\r\nin\r\n--bb--\r\n"
                                                                    "--b\r\n\r\nout\r\n--b--",
         "multipart/mixed(1=multipart/mixed(1.1=text/plain) 2=text/plain) text:1.1,2 html:1.1,2 "
         "att:"},
        /* the inner one is never closed */
        {MULTIPART("mixed", "b") "--b\r\n" MULTIPART("mixed", "c") "--c\r\n\r\nin\r\n--b\r\n\r\nout"
                                                                   "\r\n--b--",
         "multipart/mixed(1=multipart/mixed(1.1=text/plain) 2=text/plain) text:1.1,2 html:1.1,2 "
         "att:"},
        /* header without its empty line */
        {MULTIPART("mixed", "b") "--b\r\nContent-Type: text/html\r\n--b\r\n\r\nout\r\n--b--",
         "multipart/mixed(1=text/html 2=text/plain) text:1,2 html:1,2 att:"},
        /* words behind the boundary */
        {MULTIPART("mixed", "b") "--b and words\r\n\r\none\r\n--bc\r\n--b-- more words\r\n--b\r\n",
         "multipart/mixed(1=text/plain) text:1 html:1 att:"},
        /* white space behind the boundary, and bare line feeds */
        {MULTIPART("mixed", "b") "--b  \n\none\n--b--\t\n",
         "multipart/mixed(1=text/plain) text:1 html:1 att:"},
        /* a second Content-Type says nothing */
        {"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx",
         "1=text/plain text:1 html:1 att:"},
        {"Content-Type: text/plain charset=utf-8\r\n\r\nx", "1=text/plain text:1 html:1 att:"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mime_message *m = mime_parse(*state, str_of(rows[i][0]));
        assert_str_of(rows[i][0], summary(*state, m), rows[i][1]);
    }
}

static void test_parts_have_their_bytes_and_their_names(void **state)
{
    struct str raw = STR("Subject: x\r\n" MULTIPART(
        "mixed", "b") "--b\r\n"
                      "Content-Type: TEXT/Plain; charset=ISO-8859-1; format=flowed; delsp=yes\r\n"
                      "Content-Transfer-Encoding: quoted-printable\r\n"
                      "Content-Language: fr\r\n\r\n"
                      "caf=E9\r\nau lait\r\n"
                      "--b\r\n"
                      "Content-Type: image/png; name=\"old.png\"\r\n"
                      "Content-Disposition: ATTACHMENT; filename*=utf-8''n%C3%A9w.png\r\n"
                      "Content-Transfer-Encoding: base64\r\n"
                      "Content-ID: <pic@x>\r\n"
                      "Content-Description: =?utf-8?Q?caf=C3=A9?=\r\n\r\n"
                      "aGVsbG8=\r\n"
                      "--b--\r\n");
    struct mime_message *m = mime_parse(*state, raw);
    struct mime_part *text = mime_find(m, STR("1")), *picture = mime_find(m, STR("2"));
    assert_str(text->type, "text/plain");
    assert_str(text->charset, "iso-8859-1");
    assert_str(text->language, "fr");
    assert_true(text->is_flowed && text->is_delsp);
    assert_str(mime_body(raw, text), "caf=E9\r\nau lait");
    assert_int_equal(text->lines, 1);
    assert_int_equal(text->size, 13);
    struct buf out = BUF_INIT(100);
    assert_true(mime_decode_text(&out, mime_body(raw, text), text));
    assert_str(buf_view(&out), "café\nau lait");
    assert_str(picture->name, "néw.png");
    assert_str(picture->disposition, "attachment");
    assert_str(picture->description, "café");
    assert_int_equal(picture->size, 5);
    assert_str(picture->cid, "pic@x");
    assert_null(mime_find(m, STR("3")));
    assert_ptr_equal(mime_find(m, STR("")), m->root);
    buf_free(&out);
}

static void test_text_is_utf8_with_plain_line_ends(void **state)
{
    static const struct {
        const char *raw, *text;
    } rows[] = {
        {"Content-Type: text/plain; charset=utf-8\r\n\r\na\r\nb\rc\n", "a\nb\nc\n"},
        {"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xcd\xc9\xd2", "мир"},
        {"Content-Type: text/html\r\n\r\n<meta charset=koi8-r>\xcd", "<meta charset=koi8-r>м"},
        {"Content-Type: text/html\r\n\r\n<META http-equiv=x content=\"text/html; charset=koi8-r\">"
         "\xcd",
         "<META http-equiv=x content=\"text/html; charset=koi8-r\">м"},
        {"Content-Type: text/html; charset=utf-8\r\n\r\n<meta charset=koi8-r>é",
         "<meta charset=koi8-r>é"},
        {"Content-Type: text/html\r\n\r\n<meta charset=utf-16>é", "<meta charset=utf-16>é"},
        {"Content-Transfer-Encoding: base64\r\n\r\nYQ0KYg==", "a\nb"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = str_of(rows[i].raw);
        struct mime_message *m = mime_parse(*state, raw);
        struct buf out = BUF_INIT(1000);
        assert_true(mime_decode_text(&out, mime_body(raw, m->root), m->root));
        assert_str_of(rows[i].raw, buf_view(&out), rows[i].text);
        buf_free(&out);
    }
}

static void test_uuencoded_files_in_text_are_parts(void **state)
{
    struct str raw = STR("Subject: x\r\n\r\nSee:\r\nbegin 644 dir/cat.txt\r\n#0V%T\r\n`\r\nend\r\n"
                         "begin with 644 words\r\nbegin 600 b\r\n#0V%T\r\nend\r\nBye\r\n");
    struct mime_message *m = mime_parse(*state, raw);
    assert_str(summary(*state, m), "1=text/plain(1.u1=application/octet-stream "
                                   "1.u2=application/octet-stream) text:1 html:1 att:1.u1,1.u2 +");
    struct mime_part *file = mime_find(m, STR("1.u1"));
    assert_str(file->name, "cat.txt");
    assert_int_equal(file->size, 3);
    struct buf out = BUF_INIT(1000);
    assert_true(mime_decode(&out, mime_body(raw, file), file->encoding));
    assert_str(buf_view(&out), "Cat");
    buf_reset(&out);
    assert_true(mime_decode_text(&out, mime_body(raw, m->root), m->root));
    assert_str(buf_view(&out), "See:\nbegin with 644 words\nBye\n");
    buf_free(&out);
}

static void test_what_only_looks_uuencoded_stays_text(void **state)
{
    static const char *const rows[] = {
        "begin 644 a\r\nthis is prose\r\nend\r\n",
        "begin 644 a\r\n#0V%T\r\n", /* no end */
        "begin 999 a\r\n#0V%T\r\nend\r\n",
        "begin 644\r\n#0V%T\r\nend\r\n",
        "begin 644 a\r\nend\r\n",
        "xbegin 644 a\r\n#0V%T\r\nend\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf raw = BUF_INIT(1000);
        buf_printf(&raw, "Subject: x\r\n\r\n%s", rows[i]);
        struct mime_message *m = mime_parse(*state, buf_view(&raw));
        if (m->part_count != 1)
            fail_msg("a file was seen in: %s", rows[i]);
        buf_free(&raw);
    }
}

/* A tree as IMAP's BODYSTRUCTURE gives it is chosen from like one that was parsed. */
static void test_a_tree_from_bodystructure_is_chosen_from(void **state)
{
    struct mime_part root = {.type = STR("multipart/mixed")}, text = {.type = STR("text/plain")};
    struct mime_part picture = {.type = STR("image/jpeg"),
                                .disposition = STR("attachment"),
                                .encoding = MIME_BASE64,
                                .body_length = 78 * 1000};
    root.first_child = &text;
    text.next = &picture;
    text.parent = picture.parent = &root;
    struct mime_message m = {.root = &root};
    mime_choose(*state, &m);
    assert_str(summary(*state, &m),
               "multipart/mixed(1=text/plain 2=image/jpeg) text:1 html:1 att:2 +");
    assert_int_equal(m.part_count, 3);
    assert_int_equal(picture.size, 57000);
}

static void test_json_is_an_email_body_part(void **state)
{
    struct mime_message *m = mime_parse(
        *state, STR(MULTIPART("mixed", "b") "--b\r\nContent-Type: text/plain; charset=utf-8; "
                                            "format=flowed\r\n\r\nx\r\n--b--"));
    struct buf out = BUF_INIT(4096);
    struct json json = JSON_INIT(&out);
    mime_write_json(&json, m->root);
    assert_str(buf_view(&out),
               "{\"partId\":null,\"size\":0,\"name\":null,\"type\":\"multipart/mixed\","
               "\"charset\":null,\"disposition\":null,\"cid\":null,\"language\":null,"
               "\"location\":null,\"headerOffset\":0,\"offset\":45,\"length\":71,\"lines\":0,"
               "\"encoding\":\"8bit\",\"subParts\":[{\"partId\":\"1\",\"size\":1,\"name\":null,"
               "\"type\":\"text/plain\",\"charset\":\"utf-8\",\"disposition\":null,\"cid\":null,"
               "\"language\":null,\"location\":null,\"headerOffset\":50,\"offset\":108,"
               "\"length\":1,\"lines\":0,\"encoding\":\"8bit\",\"flowed\":true,"
               "\"delsp\":false}]}");
    buf_free(&out);
}

/* --- caps (ref security 21; ref libraries, GMime 1 and 3)
 * -----------------------------------------
 */

static void test_half_a_million_parts_are_cut_and_said_so(void **state)
{
    struct buf raw = BUF_INIT(64 * 1024 * 1024);
    buf_text(&raw, MULTIPART("mixed", "b"));
    repeat(&raw, "--b\r\n\r\nx\r\n", 500 * 1000);
    struct mime_message *m = mime_parse(*state, buf_view(&raw));
    assert_true(m->is_cut);
    assert_non_null(m->cut_why);
    assert_int_equal(m->part_count, MIME_PARTS_MAX);
    assert_int_equal(m->text_body.count, MIME_SHOWN_MAX);
    const struct mime_part *last = m->root;
    for (const struct mime_part *part = m->root; part; part = mime_next(part))
        last = part;
    assert_int_equal(last->body_offset + last->body_length, raw.length);
    buf_free(&raw);
}

static void test_a_hundred_thousand_levels_are_cut_and_said_so(void **state)
{
    struct buf raw = BUF_INIT(64 * 1024 * 1024);
    for (int i = 0; i < 100 * 1000; i++)
        buf_printf(&raw, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    struct mime_message *m = mime_parse(*state, buf_view(&raw));
    assert_true(m->is_cut);
    assert_true(m->part_count <= MIME_DEPTH_MAX + 2);
    assert_int_equal(m->text_body.count, 1);
    buf_reset(&raw);
    repeat(&raw, "Content-Type: message/rfc822\r\n\r\n", 100 * 1000);
    m = mime_parse(*state, buf_view(&raw));
    assert_true(m->is_cut && m->part_count <= MIME_DEPTH_MAX + 2);
    buf_free(&raw);
}

static void test_many_lines_that_are_nearly_delimiters_take_no_time(void **state)
{
    struct buf raw = BUF_INIT(64 * 1024 * 1024);
    for (int i = 0; i < MIME_DEPTH_MAX; i++)
        buf_printf(&raw, "Content-Type: multipart/mixed; boundary=b%03d\r\n\r\n--b%03d\r\n", i, i);
    repeat(&raw, "\r\n--b00x", 100 * 1000);
    struct mime_message *m = mime_parse(*state, buf_view(&raw));
    assert_int_equal(m->part_count, MIME_DEPTH_MAX + 1);
    buf_free(&raw);
}

static void test_a_multipart_without_boundary_and_a_long_parameter_ends(void **state)
{
    struct buf raw = BUF_INIT(1024 * 1024);
    buf_text(&raw, "Content-Type: multipart/mixed; x=\"");
    repeat(&raw, "\\\"a ", 1000);
    buf_text(&raw, "\"\r\n\r\nx");
    struct mime_message *m = mime_parse(*state, buf_view(&raw));
    assert_str(m->root->type, "text/plain");
    buf_free(&raw);
}

static void test_a_million_header_lines_leave_the_body_where_it_is(void **state)
{
    struct buf raw = BUF_INIT(64 * 1024 * 1024);
    repeat(&raw, "a: b\r\n", 1000 * 1000);
    buf_text(&raw, "\r\nbody");
    struct mime_message *m = mime_parse(*state, buf_view(&raw));
    assert_true(m->is_cut);
    assert_str(mime_body(buf_view(&raw), m->root), "body");
    buf_free(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_structures),
        MAIL_TEST(test_broken_structures_lose_no_text),
        MAIL_TEST(test_parts_have_their_bytes_and_their_names),
        MAIL_TEST(test_text_is_utf8_with_plain_line_ends),
        MAIL_TEST(test_uuencoded_files_in_text_are_parts),
        MAIL_TEST(test_what_only_looks_uuencoded_stays_text),
        MAIL_TEST(test_a_tree_from_bodystructure_is_chosen_from),
        MAIL_TEST(test_json_is_an_email_body_part),
        MAIL_TEST(test_half_a_million_parts_are_cut_and_said_so),
        MAIL_TEST(test_a_hundred_thousand_levels_are_cut_and_said_so),
        MAIL_TEST(test_many_lines_that_are_nearly_delimiters_take_no_time),
        MAIL_TEST(test_a_multipart_without_boundary_and_a_long_parameter_ends),
        MAIL_TEST(test_a_million_header_lines_leave_the_body_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What parser children answer: messages, heads, HTML, text, files of messages. */
#include <sys/mman.h>

#include "server/parser/child.h"
#include "tests/unit/parser_fixture.h"

static void test_a_message_comes_back_as_its_columns(void **state)
{
    (void)state;
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct arena *arena = arena_new();
    struct parser_summary s;
    struct error err = ERROR_INIT;
    assert_true(parser_message(pool, arena, &PARSER_BYTES(str_of(simple)), &s, &err));
    assert_int_equal(s.verdict, PARSER_PARSED);
    assert_string_equal(s.message_id.at, "a@b");
    assert_string_equal(s.subject.at, "Gr\xc3\xbc\xc3\x9f"
                                      "e");
    assert_non_null(strstr(s.from_json.at, "ann@example.org"));
    assert_int_equal(s.bcc_json.length, 0);
    assert_string_equal(s.preview.at, "Hello there, world.");
    assert_true(s.has_attachment);
    assert_true(s.thread_key_count > 0);
    assert_true(s.message_key != 0);
    assert_true(str_find(s.words, STR("world")) > 0 && str_find(s.words, STR("ann")) > 0);
    struct mime_message *message = parser_structure_read(arena, s.structure, &err);
    assert_non_null(message);
    assert_int_equal(message->part_count, 3);
    assert_int_equal(message->text_body.count, 1);
    assert_string_equal(message->attachments.at[0]->name.at, "a.pdf");
    assert_string_equal(message->attachments.at[0]->id.at, "2");
    assert_true(message->has_attachment);
    assert_null(parser_structure_read(arena, STR("{\"bodyStructure\":3}"), &err));
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_a_message_can_be_given_by_descriptor(void **state)
{
    (void)state;
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct arena *arena = arena_new();
    struct parser_summary s;
    struct error err = ERROR_INIT;
    int fd = memfd_create("message", MFD_CLOEXEC);
    assert_int_equal(write(fd, "garbage", 7), 7);
    assert_int_equal(write(fd, simple, sizeof simple - 1), sizeof simple - 1);
    const struct parser_input input = {.fd = fd, .offset = 7, .length = sizeof simple - 1};
    for (int i = 0; i < 40; i++) { /* more than a child may have open */
        assert_true(parser_message(pool, arena, &input, &s, &err));
        assert_int_equal(s.verdict, PARSER_PARSED);
        assert_string_equal(s.preview.at, "Hello there, world.");
    }
    const struct parser_input beyond = {.fd = fd, .offset = 1 << 20, .length = 1 << 20};
    assert_true(parser_message(pool, arena, &beyond, &s, &err));
    assert_int_equal(s.verdict, PARSER_POISON);
    close(fd);
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_headers_come_with_their_structure_and_text(void **state)
{
    (void)state;
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct arena *arena = arena_new();
    struct error err = ERROR_INIT;
    struct mime_part file = {.type = STR("application/pdf"),
                             .disposition = STR("attachment"),
                             .name = STR("; filename*0*=utf-8''r%C3%A9; filename*1=\"sum.pdf\""),
                             .body_length = 10};
    struct mime_part text = {.type = STR("text/html"), .charset = STR("utf-8"), .next = &file};
    struct mime_part root = {.type = STR("multipart/mixed"), .first_child = &text};
    text.parent = file.parent = &root;
    const struct parser_headers_item items[] = {
        {.header = STR("Subject: one\r\n"),
         .structure = &root,
         .text = STR("<p>Hi &amp; bye</p>"),
         .text_part = &text},
        {.header = STR("Subject: two\r\n"), .text = STR_EMPTY},
    };
    struct parser_summary s[2];
    assert_true(parser_headers(pool, arena, items, 2, s, &err));
    assert_string_equal(s[0].subject.at, "one");
    assert_string_equal(s[0].preview.at, "Hi & bye");
    assert_true(s[0].has_attachment);
    struct mime_message *message = parser_structure_read(arena, s[0].structure, &err);
    assert_string_equal(message->attachments.at[0]->name.at, "r\xc3\xa9sum.pdf");
    assert_string_equal(message->text_body.at[0]->id.at, "1");
    assert_string_equal(s[1].subject.at, "two");
    assert_int_equal(s[1].structure.length, 0);
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_html_is_rendered_with_the_pictures_of_its_own_message(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct error err = ERROR_INIT;
    struct mime_part nested = {.id = STR("3.1"), .type = STR("image/png"), .cid = STR("n@x")};
    struct mime_part inner = {
        .id = STR("3"), .type = STR("message/rfc822"), .first_child = &nested};
    struct mime_part svg = {
        .id = STR("2.2"), .type = STR("image/svg+xml"), .cid = STR("s@x"), .next = &inner};
    struct mime_part picture = {
        .id = STR("2.1"), .type = STR("image/png"), .cid = STR("p@x"), .next = &svg};
    struct mime_part html = {
        .id = STR("1"), .type = STR("text/html"), .charset = STR("utf-8"), .next = &picture};
    struct mime_part root = {.type = STR("multipart/related"), .first_child = &html};
    html.parent = picture.parent = svg.parent = inner.parent = &root;
    nested.parent = &inner;
    struct mime_message message = {.root = &root};
    struct parser_render_options options = {.part_url_prefix = STR("/m/7/part/"),
                                            .message = &message};
    struct str body = STR("<style>p{color:red}</style><p>x<img src=cid:p@x><img src=cid:s@x>"
                          "<img src=cid:n@x><img src=http://t.example/x><script>alert(1)</script>"
                          "<a href=http://evil.example>bank.com</a>");
    struct parser_rendered r;
    assert_true(parser_render(pool, arena, &html, body, &options, &r, &err));
    assert_int_equal(r.verdict, PARSER_PARSED);
    assert_true(r.is_html && r.brings_own_colours && !r.is_cut);
    assert_non_null(strstr(r.html.at, "<p>x<img src=\"/m/7/part/2.1\"><img><img><img>"));
    assert_string_equal(r.css.at, "p{color:red}");
    assert_int_equal(r.remote_count, 1);
    assert_string_equal(r.remote_hosts.at, "t.example");
    assert_int_equal(r.deceptive_links, 1);
    options.as_text = true;
    assert_true(parser_render(pool, arena, &html, body, &options, &r, &err));
    assert_false(r.is_html);
    assert_string_equal(r.html.at, "xbank.com");
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_html_beyond_the_fences_is_shown_as_its_text(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 60000, 0);
    struct error err = ERROR_INIT;
    struct mime_part part = {.id = STR("1"), .type = STR("text/html"), .charset = STR("utf-8")};
    struct buf html = BUF_INIT(4 << 20);
    buf_text(&html, "words here");
    while (html.length < 1500000)
        buf_text(&html, "<div>");
    struct parser_rendered r;
    const struct parser_render_options options = {.part_url_prefix = STR_EMPTY};
    assert_true(parser_render(pool, arena, &part, buf_view(&html), &options, &r, &err));
    assert_int_equal(r.verdict, PARSER_PARSED);
    assert_true(!r.is_html && r.is_cut);
    assert_string_equal(r.html.at, "words here");
    buf_free(&html);
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_text_is_decoded_and_rendered(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct error err = ERROR_INIT;
    struct mime_part part = {.id = STR("1"),
                             .type = STR("text/plain"),
                             .charset = STR("iso-8859-1"),
                             .encoding = MIME_QUOTED_PRINTABLE,
                             .is_flowed = true};
    struct parser_rendered r;
    const struct parser_render_options options = {.part_url_prefix = STR_EMPTY};
    assert_true(
        parser_render(pool, arena, &part, STR("caf=E9 <b>=20\r\ngoes on\r\n"), &options, &r, &err));
    assert_string_equal(r.html.at, "caf\xc3\xa9 &lt;b&gt; goes on");
    struct str text;
    bool is_cut, is_poison;
    assert_true(parser_decode_text(pool, arena, &part, STR("caf=E9 au lait"), 1000, &text, &is_cut,
                                   &is_poison, &err));
    assert_string_equal(text.at, "caf\xc3\xa9 au lait");
    assert_true(!is_cut && !is_poison);
    assert_true(parser_decode_text(pool, arena, &part, STR("caf=E9 au lait"), 4, &text, &is_cut,
                                   &is_poison, &err));
    assert_string_equal(text.at, "caf"); /* the \xc3\xa9 does not fit */
    assert_true(is_cut);
    struct parser_header_field *fields;
    size_t count;
    assert_true(parser_header_fields(pool, arena, STR("A: =?utf-8?Q?=C3=A9?=\r\nb:c\r\n\r\nd: e"),
                                     &fields, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(fields[0].value.at, "\xc3\xa9");
    assert_string_equal(fields[1].name.at, "b");
    const struct parser_text_item items[] = {{&part, STR("see you")}, {&part, STR_EMPTY}};
    struct parser_text_summary texts[2];
    assert_true(parser_texts(pool, arena, items, 2, texts, &err));
    assert_string_equal(texts[0].preview.at, "see you");
    assert_true(str_find(texts[0].words, STR("see")) > 0);
    assert_int_equal(texts[1].preview.length, 0);
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_all_charsets_and_scripts_work_inside(void **state)
{
    (void)state;
    static const char *const labels[] = {
        "utf-7",        "utf-16",       "utf-16be",     "iso-2022-jp",
        "iso-2022-kr",  "hz-gb-2312",   "gb2312",       "gb18030",
        "big5",         "euc-jp",       "shift_jis",    "euc-kr",
        "koi8-r",       "koi8-u",       "macintosh",    "ibm866",
        "iso-8859-2",   "iso-8859-8-i", "windows-1250", "windows-1251",
        "windows-1255", "windows-874",  "iso-8859-15",  "no-such",
        "iso-8859-16",  "tis-620",      "us-ascii",     "",
    };
    static const char *const texts[] = {
        "\xe0\xb8\xaa\xe0\xb8\xa7\xe0\xb8\xb1\xe0\xb8\xaa\xe0\xb8\x94\xe0\xb8\xb5\xe0\xb8"
        "\x8a"
        "\xe0\xb8\xb2\xe0\xb8\xa7\xe0\xb9\x82\xe0\xb8\xa5\xe0\xb8\x81", /* Thai */
        "\xe0\xba\xaa\xe0\xba\xb0\xe0\xba\x9a\xe0\xba\xb2\xe0\xba\x8d\xe0\xba\x94\xe0\xba"
        "\xb5", /* Lao */
        "\xe1\x9e\x87\xe1\x9f\x86\xe1\x9e\x9a\xe1\x9e\xb6\xe1\x9e\x94\xe1\x9e\x9f\xe1\x9e"
        "\xbd"
        "\xe1\x9e\x9a", /* Khmer */
        "\xe1\x80\x99\xe1\x80\x84\xe1\x80\xba\xe1\x80\xb9\xe1\x80\x82\xe1\x80\x9c\xe1\x80"
        "\xac"
        "\xe1\x80\x95\xe1\x80\xab",                                                 /* Burmese */
        "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x81\x93\xe3\x82\x93\xec\x95\x88\xeb\x85\x95", /* CJK
                                                                                     */
        "+AOk-\x1b$B$3$s\x1b(B~{VP~}\xc4\xe3\xba\xc3\x82\xb1",                      /* any */
    };
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct parser_counts counts;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            const struct mime_part part = {.type = STR("text/plain"), .charset = str_of(labels[i])};
            const struct parser_text_item item = {&part, str_of(texts[k])};
            struct parser_text_summary summary;
            assert_true(parser_texts(pool, arena, &item, 1, &summary, &err));
            assert_int_equal(summary.verdict, PARSER_PARSED);
        }
    parser_pool_counts(pool, &counts);
    assert_int_equal(counts.deaths, 0);
    parser_pool_free(&pool);
    arena_free(&arena);
}

/* --- a file of messages ----------------------------------------------------------------------- */

/* Puts texts into a file, a gap before each, and says where they lie. */
static int spool_of(const struct str *messages, size_t count, struct parser_extent *extents)
{
    int fd = memfd_create("messages", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(write(fd, "garbage\r\n", 9), 9);
        extents[i] = (struct parser_extent){(uint64_t)lseek(fd, 0, SEEK_CUR), messages[i].length};
        assert_int_equal(write(fd, messages[i].at, messages[i].length), messages[i].length);
    }
    return fd;
}

static void test_messages_of_a_file_come_back_in_their_order(void **state)
{
    (void)state;
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct arena *arena = arena_new();
    struct error err = ERROR_INIT;
    const struct str messages[] = {STR("Subject: one\r\n\r\nfirst\r\n"), STR(""), str_of(simple),
                                   STR("Subject: no end")};
    struct parser_extent extents[4];
    struct parser_summary s[4];
    int fd = spool_of(messages, 4, extents);
    for (int with_words = 0; with_words < 2; with_words++) {
        assert_true(parser_messages(pool, arena, fd, extents, 4, with_words, s, &err));
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(s[i].verdict, PARSER_PARSED);
        assert_string_equal(s[0].subject.at, "one");
        assert_string_equal(s[0].preview.at, "first");
        assert_int_equal(s[1].subject.length, 0);
        assert_string_equal(s[2].message_id.at, "a@b");
        assert_true(s[2].has_attachment);
        assert_string_equal(s[3].subject.at, "no end");
        assert_int_equal(s[2].words.length > 4, with_words); /* 4: a tsvector of none */
    }
    /* the same file in another order, one of them twice, and nothing at all */
    const struct parser_extent some[] = {extents[2], extents[0], extents[2]};
    assert_true(parser_messages(pool, arena, fd, some, 3, false, s, &err));
    assert_string_equal(s[0].message_id.at, "a@b");
    assert_string_equal(s[1].subject.at, "one");
    assert_string_equal(s[2].message_id.at, "a@b");
    assert_true(parser_messages(pool, arena, fd, NULL, 0, true, s, &err));
    close(fd);
    arena_free(&arena);
    parser_pool_free(&pool);
}

static void test_an_extent_beyond_the_file_costs_nobody_else(void **state)
{
    (void)state;
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct arena *arena = arena_new();
    struct error err = ERROR_INIT;
    const struct str messages[] = {STR("Subject: one\r\n\r\n"), STR("Subject: two\r\n\r\n")};
    struct parser_extent extents[3];
    struct parser_summary s[3];
    int fd = spool_of(messages, 2, extents);
    extents[2] = extents[1];
    extents[1] = (struct parser_extent){1 << 20, 100};
    assert_true(parser_messages(pool, arena, fd, extents, 3, true, s, &err));
    assert_string_equal(s[0].subject.at, "one");
    assert_int_equal(s[1].verdict, PARSER_POISON);
    assert_string_equal(s[2].subject.at, "two");
    close(fd);
    arena_free(&arena);
    parser_pool_free(&pool);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "parser"))
        _exit(parser_child_serve(STDIN_FILENO, parser_answer));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_comes_back_as_its_columns),
        cmocka_unit_test(test_a_message_can_be_given_by_descriptor),
        cmocka_unit_test(test_headers_come_with_their_structure_and_text),
        cmocka_unit_test(test_html_is_rendered_with_the_pictures_of_its_own_message),
        cmocka_unit_test(test_html_beyond_the_fences_is_shown_as_its_text),
        cmocka_unit_test(test_text_is_decoded_and_rendered),
        cmocka_unit_test(test_all_charsets_and_scripts_work_inside),
        cmocka_unit_test(test_messages_of_a_file_come_back_in_their_order),
        cmocka_unit_test(test_an_extent_beyond_the_file_costs_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

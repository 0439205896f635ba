/* The fast HTML parser against gumbo: random markup, every reference that we know, and every mail
 * of ../shared/corpus (when it is there), which also shows how much of it takes the fast way. */
#include "server/mail/mime.h"
#include "tests/html_fast_check.h"
#include "tests/read_file.h"
#include "tests/unit/mail_fixture.h"

enum { FILE_BYTES_MAX = 32 * 1024 * 1024, RANDOM_DOCUMENTS = 20000, PIECES_MAX = 40 };

static const struct html_options open_to_remote = {.allow_remote = true};

/* --- random markup ---------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252U; /* xorshift64: the same documents on every machine */

static unsigned random_below(unsigned limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 32) % limit;
}

#define PICK(rows) ((rows)[random_below(COUNT(rows))])

static const char *const blocks[] = {
    "div", "p",  "p",   "center", "blockquote", "ul",      "ol", "li",   "h1",       "h2",  "dl",
    "dt",  "dd", "pre", "form",   "section",    "address", "hr", "main", "fieldset", "menu"};
static const char *const inlines[] = {"b",   "i",     "a",   "font",  "span", "u",     "strong",
                                      "em",  "br",    "img", "o:p",   "nobr", "small", "code",
                                      "sub", "label", "q",   "input", "wbr",  "x-y",   "tt"};
static const char *const tables[] = {"table", "tr", "td",      "td",       "th",  "tbody",
                                     "thead", "tr", "caption", "colgroup", "col", "tfoot"};
static const char *const frames[] = {"html",  "head",   "body", "meta", "title",
                                     "style", "script", "link", "base"};
static const char *const texts[] = {"x",
                                    " ",
                                    "\n",
                                    "a b",
                                    "&nbsp;",
                                    "&amp;",
                                    "&lt;b&gt;",
                                    "\r\n",
                                    "&copy",
                                    "&#8217;",
                                    "http://a.example/",
                                    "1 < 2",
                                    "\xc3\xa9",
                                    "<!-- c -->",
                                    "<![if !mso]>",
                                    "<?xml?>",
                                    "</>",
                                    "&x",
                                    "&"};
static const char *const attributes[] = {"",
                                         "",
                                         "",
                                         " class=a",
                                         " style='color:red'",
                                         " href=http://b.example/?a=1&b=2&copy=3",
                                         " width=\"10\" HEIGHT='20%'",
                                         " align = center",
                                         " title=\"a&quot;b\" title=c",
                                         " id=x dir=rtl",
                                         " src=http://c.example/x.png",
                                         " bgcolor=#fff /",
                                         " nowrap",
                                         " x x x text=red",
                                         " text=blue class"};

static void append_name(struct buf *html, unsigned kind)
{
    buf_text(html, kind < 4   ? PICK(blocks)
                   : kind < 7 ? PICK(inlines)
                   : kind < 9 ? PICK(tables)
                              : PICK(frames));
}

/* `kinds`: up to 4 blocks only, up to 7 inlines too, up to 9 tables too, 10 all. */
static void append_piece(struct buf *html, unsigned kinds)
{
    unsigned what = random_below(10);
    if (what < 3) {
        buf_text(html, PICK(texts));
        return;
    }
    unsigned kind = random_below(kinds);
    buf_text(html, what < 7 ? "<" : "</");
    append_name(html, kind);
    if (what < 7)
        buf_text(html, PICK(attributes));
    buf_char(html, '>');
}

/* Tags that are closed again as they should be, with pieces that are not. */
static void append_nested(struct buf *html, unsigned kinds, unsigned depth)
{
    static const char *const shells[][2] = {
        {"<table><tr><td>", "</td></tr></table>"},
        {"<table><tbody><tr><td align=center>\n", "</table>"},
        {"<p>", "</p>"},
        {"<div style='color:red'>", "</div>"},
        {"<ul>\n<li>", "</ul>"},
        {"<a href=http://x.example/>", "</a>"},
        {"<b><font color=red>", "</font></b>"},
        {"<html><head><style>p{color:red}</style></head><body>", "</body></html>\n"},
    };
    unsigned shell = random_below(COUNT(shells));
    buf_text(html, shells[shell][0]);
    for (unsigned i = random_below(4); i--;)
        if (depth && random_below(2))
            append_nested(html, kinds, depth - 1);
        else
            append_piece(html, kinds);
    buf_text(html, shells[shell][1]);
}

static void test_random_markup_gives_what_gumbo_gives(void **state)
{
    (void)state;
    static const unsigned kinds[] = {4, 7, 9, 10};
    unsigned taken = 0;
    for (unsigned i = 0; i < RANDOM_DOCUMENTS; i++) {
        struct buf html = BUF_INIT(1 << 20);
        unsigned kind = PICK(kinds);
        if (i % 2)
            for (unsigned pieces = 1 + random_below(PIECES_MAX); pieces--;)
                append_piece(&html, kind);
        else
            append_nested(&html, kind, 4);
        taken += html_fast_check(buf_view(&html), &open_to_remote);
        buf_free(&html);
    }
    print_message("%u of %u random documents took the fast way\n", taken, RANDOM_DOCUMENTS);
    assert_true(taken > RANDOM_DOCUMENTS / 4);
}

/* --- what the fuzzer found -------------------------------------------------------------------- */

static void test_what_once_differed_does_not(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "<body x x text=black>y",              /* the value behind a repeated name */
        "<pre></>\n\nx",                       /* the line end is still the first of the <pre> */
        "<ol><p>x</ol></p>",                   /* an empty paragraph */
        "<b><b><b><b>x</b></b></b></b>y",      /* the first of four alike is forgotten */
        "<p>&#4294967295;&lang;&notit;&AMP",   /* numbers that overflow, names of two kinds */
        "<p>\xc2\x80\x01\xef\xb7\x90",         /* controls, non-characters */
        "a<x y='&#xfffffffffffffffff'>b",      /* where gumbo would stop to read */
        "<!x>&#1</i>(\n",                      /* text that writes nothing, and a line end */
        "<table><form><tr><td></form>x<form>", /* a form that is never open */
    };
    for (size_t i = 0; i < COUNT(documents); i++)
        html_fast_check(str_of(documents[i]), &open_to_remote);
    assert_true(html_fast_takes(str_of(documents[2])) && html_fast_takes(str_of(documents[3])) &&
                html_fast_takes(str_of(documents[8])));
}

static void test_a_flood_is_left_to_the_fences(void **state)
{
    (void)state;
    static const char *const pieces[] = {"<br>", "<body dir=rtl>", "<p>", "<div>", "a<b>"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf html = BUF_INIT(HTML_INPUT_BYTES_MAX);
        while (buf_text(&html, pieces[i]))
            continue;
        struct arena *arena = arena_new();
        html_fast_parse(arena, buf_view(&html));
        assert_true(arena_used(arena) < HTML_PARSE_BYTES_MAX);
        arena_free(&arena);
        buf_free(&html);
    }
}

/* "<x aaa… aaa…b>": half of it is a name that the other half might be. */
static void test_long_names_take_linear_time(void **state)
{
    (void)state;
    struct buf html = BUF_INIT(HTML_INPUT_BYTES_MAX);
    buf_text(&html, "<body><x ");
    for (int i = 0; i < 1200000; i++)
        buf_char(&html, i == 800000 ? ' ' : 'a');
    for (int i = 0; i < 30; i++)
        buf_printf(&html, " %*d", 2000, i);
    buf_text(&html, "b>y");
    assert_true(html_fast_takes(buf_view(&html))); /* this year */
    buf_free(&html);
}

/* --- every mail ------------------------------------------------------------------------------- */

static size_t documents, taken_documents, bytes, taken_bytes;

static void check_parts(struct str raw)
{
    struct arena *arena = arena_new();
    struct mime_message *m = mime_parse(arena, raw);
    for (const struct mime_part *part = m->root; part; part = mime_next(part)) {
        if (!str_equal(part->type, STR("text/html")))
            continue;
        struct buf text = BUF_INIT(4 * FILE_BYTES_MAX);
        if (mime_decode_text(&text, mime_body(raw, part), part) && text.length) {
            bool is_taken = html_fast_check(buf_view(&text), &open_to_remote);
            documents++;
            bytes += text.length;
            taken_documents += is_taken;
            taken_bytes += is_taken ? text.length : 0;
            if (!is_taken && getenv("RESTANTE_TEST_VERBOSE"))
                print_message("not taken: part %" STR_FMT "\n", STR_ARG(part->id));
        }
        buf_free(&text);
    }
    arena_free(&arena);
}

static size_t samples;

static int check_seed(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    struct buf html = BUF_INIT(FILE_BYTES_MAX);
    if (read_found_file(path, info, type, &html)) {
        bool is_taken = html_fast_check(buf_view(&html), &open_to_remote);
        bool is_sample = str_starts(str_of(path + ftw->base), STR("sample-"));
        samples += is_sample;
        if (is_sample && !is_taken)
            fail_msg("%s did not take the fast way", path);
    }
    buf_free(&html);
    return 0;
}

static void test_the_html_of_our_sample_mail_takes_the_fast_way(void **state)
{
    (void)state;
    assert_int_equal(nftw("tests/fuzz/seeds/mail_html_fast", check_seed, 16, FTW_PHYS), 0);
    assert_int_equal(samples, 3);
}

static int check_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    struct buf raw = BUF_INIT(FILE_BYTES_MAX);
    if (!read_found_file(path, info, type, &raw))
        return 0;
    if (getenv("RESTANTE_TEST_VERBOSE"))
        print_message("%s\n", path);
    check_parts(buf_view(&raw));
    buf_free(&raw);
    return 0;
}

static void test_every_html_of_the_corpus_gives_what_gumbo_gives(void **state)
{
    (void)state;
    enum { OPEN_DIRECTORIES = 16 };
    if (nftw("../shared/corpus", check_file, OPEN_DIRECTORIES, FTW_PHYS) != 0 || documents == 0) {
        print_message("skipped: ../shared/corpus is not there\n");
        skip();
    }
    print_message("%zu of %zu documents, %zu of %zu bytes took the fast way\n", taken_documents,
                  documents, taken_bytes, bytes);
    assert_true(taken_bytes > bytes / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_markup_gives_what_gumbo_gives),
        cmocka_unit_test(test_what_once_differed_does_not),
        cmocka_unit_test(test_a_flood_is_left_to_the_fences),
        cmocka_unit_test(test_long_names_take_linear_time),
        cmocka_unit_test(test_the_html_of_our_sample_mail_takes_the_fast_way),
        cmocka_unit_test(test_every_html_of_the_corpus_gives_what_gumbo_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

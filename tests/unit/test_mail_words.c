/* Words as a tsvector, and queries that meet them. */
#include "server/mail/words.h"
#include "tests/unit/mail_fixture.h"

static unsigned take_u16(struct str *s)
{
    unsigned number = (unsigned)(unsigned char)s->at[0] << 8 | (unsigned char)s->at[1];
    *s = str_skip(*s, 2);
    return number;
}

/* The binary tsvector as PostgreSQL would print it: "word:1,3A other:2"; those with a tag or those
 * without. */
static struct str printed_if(struct arena *arena, struct words *words, bool is_tagged)
{
    struct buf vector = BUF_INIT(4 * 1024 * 1024), out = BUF_INIT(4 * 1024 * 1024);
    words_write_tsvector(words, &vector);
    struct str rest = buf_view(&vector);
    size_t count = take_u16(&rest) << 16;
    count |= take_u16(&rest);
    for (size_t i = 0; i < count; i++) {
        struct str lexeme = str_cut(&rest, '\0');
        unsigned positions = take_u16(&rest);
        if (str_starts(lexeme, STR("\1")) != is_tagged) {
            rest = str_skip(rest, 2 * positions);
            continue;
        }
        buf_text(&out, out.length ? " " : "");
        buf_str(&out, lexeme);
        for (unsigned k = 0; k < positions; k++) {
            unsigned place = take_u16(&rest);
            buf_printf(&out, "%c%u%.1s", k ? ',' : ':', place & 16383, &"\0CBA"[place >> 14]);
        }
    }
    assert_int_equal(rest.length, 0);
    struct str text = arena_str(arena, buf_view(&out));
    buf_free(&vector);
    buf_free(&out);
    return text;
}

static struct str printed(struct arena *arena, struct words *words)
{
    return printed_if(arena, words, false);
}

static void test_words_of_fields_stand_there_with_a_tag_too(void **state)
{
    struct arena *arena = *state;
    struct words *words = words_new(arena);
    words_add(words, STR("Lunch today"), WORDS_SUBJECT);
    words_add(words, STR("Ann"), WORDS_FROM);
    words_add(words, STR("lunch with Ann"), WORDS_BODY);
    assert_str(printed_if(arena, words, true), "\1Alunch:2A \1Atoday:3A \1Bann:5B");
    assert_str(words_tagged(arena, STR("lunch"), WORDS_SUBJECT), "\1Alunch");
    struct words *others = words_new(arena);
    words_add(others, STR("a"), WORDS_TO);
    words_add(others, STR("a"), WORDS_CC);
    words_add(others, STR("a"), WORDS_BCC);
    words_add(others, STR("a"), WORDS_FILENAME);
    assert_str(printed_if(arena, others, true), "\1Ca:2C \1Fa:8C \1Ka:4C \1La:6C");
    assert_str(printed(arena, others), "a:2C,4C,6C,8C");
    assert_str(words_tagged(arena, STR("lunch"), WORDS_BODY), "lunch");
}

static void test_text_becomes_words(void **state)
{
    static const char *const rows[][2] = {
        {"Hello, hello World", "hello:2,3 world:4"},
        {"", ""},
        {"... !?", ""},
        {"john.doe@example.org", "doe:3 example:4 john:2 org:5"},
        {"e-mail don't A4", "a4:6 don:4 e:2 mail:3 t:5"},
        {"Straße STRASSE", "strasse:2,3"},
        {"Café cafe\u0301 CAFÉ", "cafe:2,3,4"},
        {"Ångström Łódź Øre Æon", "aeon:5 angstrom:2 lodz:3 ore:4"},
        {"ΣΊΣΥΦΟΣ", "σισυφοσ:2"},
        {"Привёт ЙОД", "иод:3 привет:2"},
        {"ﬁne ＡＢＣ", "abc:3 fine:2"},
        {"soft\u00adhyphen", "softhyphen:2"},
        {"مُحَمَّد محمد", "محمد:2,3"},
        {"שָׁלוֹם", "שלום:2"},
        {"हिन्दी", "हिन्दी:2"},
        {"日本語", "日本:2 本語:3 語:4"},
        {"日", "日:2"},
        {"abc日本123", "123:5 abc:2 日本:3 本:4"},
        {"メール ﾒｰﾙ", "メー:2,5 ル:4,7 ール:3,6"},
        {"한국어", "국어:3 어:4 한국:2"},
        {"ภาษาไทย", "ภาษา:2 ไทย:3"},
        {"a\xff"
         "b",
         "a:2 b:3"},
        {"😀 emoji", "emoji:2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct words *words = words_new(*state);
        words_add(words, str_of(rows[i][0]), WORDS_BODY);
        assert_str_of(rows[i][0], printed(*state, words), rows[i][1]);
    }
}

static void test_fields_have_weights_and_phrases_end_with_them(void **state)
{
    struct words *words = words_new(*state);
    words_add(words, STR("Lunch"), WORDS_SUBJECT);
    words_add(words, STR("Ann"), WORDS_FROM);
    words_add(words, STR("Bob"), WORDS_TO);
    words_add(words, STR("lunch with ann"), WORDS_BODY);
    assert_str(printed(*state, words), "ann:4B,10 bob:6C lunch:2A,8 with:9");
}

/* "lexeme@position" and "*" for a prefix. */
static struct str query_of(struct arena *arena, const char *text)
{
    size_t count;
    struct word *query = words_of_query(arena, str_of(text), &count);
    struct buf out = BUF_INIT(64 * 1024);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%s%" STR_FMT "@%u%s", i ? " " : "", STR_ARG(query[i].lexeme),
                   query[i].position, query[i].is_prefix ? "*" : "");
    struct str written = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return written;
}

static void test_queries_go_the_same_way(void **state)
{
    static const char *const rows[][2] = {
        {"Straße", "strasse@1*"},
        {"Café ", "cafe@1"},
        {"two words", "two@1 words@2*"},
        {"again again ", "again@1 again@2"},
        {"日本語", "日本@1 本語@2"},
        {"日", "日@1*"},
        {"日 x", "日@1* x@2*"},
        /* the place of the last character is kept: "abc" stands behind it in the text */
        {"日本 abc ", "日本@1 abc@3"},
        {"", ""},
        {"-- !", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], query_of(*state, rows[i][0]), rows[i][1]);
    struct buf many = BUF_INIT(4096);
    repeat(&many, "x ", 500);
    size_t count;
    words_of_query(*state, buf_view(&many), &count);
    assert_int_equal(count, 100);
    buf_free(&many);
}

static void test_long_words_are_cut_to_what_postgresql_takes(void **state)
{
    struct buf text = BUF_INIT(64 * 1024);
    repeat(&text, "x", 10000);
    buf_text(&text, " é");
    repeat(&text, "é", 10000);
    struct words *words = words_new(*state);
    assert_true(words_add(words, buf_view(&text), WORDS_BODY));
    struct str shown = printed(*state, words);
    assert_int_equal(shown.length, 2 * (WORDS_LEXEME_BYTES_MAX + 2) + 1);
    buf_free(&text);
}

static void test_caps_are_kept_and_said(void **state)
{
    struct buf text = BUF_INIT(4 * 1024 * 1024);
    repeat(&text, "same ", 20000);
    struct words *words = words_new(*state);
    assert_true(words_add(words, buf_view(&text), WORDS_BODY));
    assert_true(words_add(words, STR("same"), WORDS_SUBJECT));
    struct str shown = printed(*state, words);
    size_t commas = 0;
    for (size_t i = 0; i < shown.length; i++)
        commas += shown.at[i] == ',';
    assert_int_equal(commas + 1, WORDS_POSITIONS_MAX);
    /* the input's cap, over all adds */
    buf_reset(&text);
    for (int i = 0; text.length < 2 * WORDS_INPUT_BYTES_MAX; i++)
        buf_printf(&text, "%x ", i);
    words = words_new(*state);
    assert_false(words_add(words, buf_view(&text), WORDS_BODY));
    assert_false(words_add(words, STR("later"), WORDS_BODY));
    shown = printed(*state, words);
    assert_true(str_find(shown, STR("later")) < 0);
    assert_true(str_find(shown, STR("16383")) > 0);
    buf_free(&text);
}

/* Pairs cost more than their text: the vector's own cap. */
static void test_a_vector_is_never_larger_than_postgresql_takes(void **state)
{
    struct buf text = BUF_INIT(4 * 1024 * 1024);
    for (uint32_t i = 0; text.length + 4 < WORDS_INPUT_BYTES_MAX; i++)
        utf8_write(&text, 0x4e00 + i * 7919 % 20000);
    struct words *words = words_new(*state);
    words_add(words, buf_view(&text), WORDS_BODY);
    struct buf vector = BUF_INIT(8 * 1024 * 1024);
    words_write_tsvector(words, &vector);
    assert_true(vector.length > 100 * 1000);
    assert_true(vector.length < WORDS_VECTOR_BYTES_MAX + 64 * 1024);
    buf_free(&vector);
    buf_free(&text);
}

int main(void)
{
    words_prepare();
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_text_becomes_words),
        MAIL_TEST(test_words_of_fields_stand_there_with_a_tag_too),
        MAIL_TEST(test_fields_have_weights_and_phrases_end_with_them),
        MAIL_TEST(test_queries_go_the_same_way),
        MAIL_TEST(test_long_words_are_cut_to_what_postgresql_takes),
        MAIL_TEST(test_caps_are_kept_and_said),
        MAIL_TEST(test_a_vector_is_never_larger_than_postgresql_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

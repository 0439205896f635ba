/* Words: a tsvector that PostgreSQL takes, and a query that finds each word of its own text. */
#include "server/mail/snippet.h"
#include "server/mail/words.h"
#include "tests/fuzz/mail_fuzz.h"

static unsigned read_u16(struct str *s)
{
    REQUIRE(s->length >= 2);
    unsigned number = (unsigned)(unsigned char)s->at[0] << 8 | (unsigned char)s->at[1];
    *s = str_skip(*s, 2);
    return number;
}

/* As tsvectorrecv checks it. Returns whether `wanted` (or a lexeme it begins) is there. */
static bool check_vector(struct str vector, const struct word *wanted)
{
    size_t count = (size_t)read_u16(&vector) << 16;
    count |= read_u16(&vector);
    bool is_found = false;
    struct str previous = STR_EMPTY;
    for (size_t i = 0; i < count; i++) {
        struct str lexeme = str_cut(&vector, '\0');
        REQUIRE(vector.at && lexeme.length > 0 && lexeme.length <= WORDS_LEXEME_BYTES_MAX);
        require_text(lexeme);
        REQUIRE(i == 0 || str_compare(previous, lexeme) < 0);
        previous = lexeme;
        if (wanted)
            is_found |= wanted->is_prefix ? str_starts(lexeme, wanted->lexeme)
                                          : str_equal(lexeme, wanted->lexeme);
        unsigned positions = read_u16(&vector), last = 0;
        REQUIRE(positions >= 1 && positions <= WORDS_POSITIONS_MAX);
        for (unsigned k = 0; k < positions; k++) {
            unsigned place = read_u16(&vector) & WORDS_POSITION_MAX;
            REQUIRE(place > last);
            last = place;
        }
    }
    REQUIRE(vector.length == 0);
    return is_found;
}

/* Whatever is marked, nothing of the text is markup. */
static void check_snippet(struct str text, const struct word *query, size_t count)
{
    struct buf out = BUF_INIT(1024 * 1024);
    bool is_found = snippet_write_html(&out, text, query, count);
    REQUIRE(is_found == (count > 0));
    snippet_write_whole_html(&out, text, query, count);
    REQUIRE(!out.is_full);
    for (size_t i = 0; i < out.length; i++) {
        struct str rest = str_skip(buf_view(&out), i);
        REQUIRE(rest.at[0] != '<' || str_starts(rest, STR("<mark>")) ||
                str_starts(rest, STR("</mark>")));
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str text = fuzz_input(bytes, length > 8000 ? 8000 : length);
    struct words *words = words_new(arena);
    words_add(words, text, WORDS_SUBJECT);
    words_add(words, str_sub(text, 0, 20), WORDS_BODY);
    struct buf vector = BUF_INIT(2 * WORDS_VECTOR_BYTES_MAX);
    words_write_tsvector(words, &vector);
    size_t count;
    struct word *query = words_of_query(arena, text, &count);
    check_vector(buf_view(&vector), NULL);
    for (size_t i = 0; i < count; i++)
        REQUIRE(check_vector(buf_view(&vector), &query[i]));
    check_snippet(text, query, count);
    buf_free(&vector);
    arena_free(&arena);
    return 0;
}

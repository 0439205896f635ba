#include "server/mail/snippet.h"

#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/words_private.h"

enum {
    MATCHES_MAX = 500,
    LEAD_CHARACTERS = 60, /* before the first mark */
    WORDS_COUNTED_MAX = 64,
};

struct match {
    size_t start, end; /* bytes of the text */
    size_t word;
};

struct search {
    struct str text;
    const struct word *words;
    size_t word_count;
    struct match matches[MATCHES_MAX];
    size_t count;
};

/* A single ideograph is looked for as the beginning of a pair: only it is marked. */
static struct str marked_part(struct str source, const struct word *word)
{
    struct str rest = word->lexeme, behind = source;
    uint32_t c = rest.length ? utf8_next(&rest) : 0;
    if (!word->is_prefix || rest.length > 0 || c < 0x2e80)
        return source;
    utf8_next(&behind);
    return str_sub(source, 0, source.length - behind.length);
}

static bool take_segment(void *context, const struct segment *segment)
{
    struct search *search = context;
    for (size_t i = 0; i < search->word_count; i++) {
        const struct word *word = &search->words[i];
        bool is_match = word->is_prefix ? str_starts(segment->lexeme, word->lexeme)
                                        : str_equal(segment->lexeme, word->lexeme);
        if (!is_match || segment->source.length == 0)
            continue;
        struct str part = marked_part(segment->source, word);
        size_t start = (size_t)(part.at - search->text.at);
        search->matches[search->count++] = (struct match){start, start + part.length, i};
        return search->count < MATCHES_MAX;
    }
    return true;
}

static void find_matches(struct search *search, struct str text, const struct word *words,
                         size_t count)
{
    search->text = utf8_prefix(text, SNIPPET_TEXT_BYTES_MAX);
    search->words = words;
    search->word_count = count;
    words_segment(search->text, take_segment, search);
}

/* --- which place ------------------------------------------------------------------------------ */

/* How many different words stand within the snippet that begins with `first`. */
static unsigned count_words(const struct search *search, size_t first)
{
    uint64_t seen = 0;
    size_t end = search->matches[first].start + SNIPPET_CHARACTERS - LEAD_CHARACTERS;
    for (size_t i = first; i < search->count && search->matches[i].end <= end; i++)
        seen |= (uint64_t)1 << search->matches[i].word % WORDS_COUNTED_MAX;
    return (unsigned)__builtin_popcountll(seen);
}

static size_t best_match(const struct search *search)
{
    size_t best = 0;
    unsigned most = 0;
    for (size_t i = 0; i < search->count; i++) {
        unsigned words = count_words(search, i);
        if (words > most) {
            most = words;
            best = i;
        }
    }
    return best;
}

static bool is_inside_character(struct str text, size_t at)
{
    return at < text.length && ((unsigned char)text.at[at] & 0xc0) == 0x80;
}

/* About LEAD_CHARACTERS before `at`, behind white space when there is some. */
static size_t start_before(struct str text, size_t at)
{
    size_t start = at, characters = 0, space = at;
    while (start > 0 && characters < LEAD_CHARACTERS) {
        do
            start--;
        while (start > 0 && is_inside_character(text, start));
        characters++;
        if (ascii_is_space(text.at[start]))
            space = start + 1;
    }
    return start == 0 || space == at ? start : space;
}

/* About SNIPPET_CHARACTERS behind `start`, at white space when there is some near. */
static size_t end_behind(struct str text, size_t start)
{
    struct str rest = str_skip(text, start);
    size_t space = 0;
    for (size_t i = 0; i < SNIPPET_CHARACTERS && rest.length; i++) {
        if (ascii_is_space(rest.at[0]) && i > SNIPPET_CHARACTERS - LEAD_CHARACTERS)
            space = text.length - rest.length;
        utf8_next(&rest);
    }
    return rest.length == 0 || space == 0 ? text.length - rest.length : space;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Escaped, each run of white space as one space. */
static void write_text(struct buf *out, struct str text)
{
    size_t i = 0;
    while (i < text.length) {
        size_t end = i;
        bool is_space = ascii_is_space(text.at[i]);
        while (end < text.length && ascii_is_space(text.at[end]) == is_space)
            end++;
        if (is_space)
            buf_char(out, ' ');
        else
            encode_html(out, str_sub(text, i, end - i));
        i = end;
    }
}

/* The text from `start` to `end`; marks that touch (the pairs of ideographs) are one. */
static void write_marked(struct buf *out, const struct search *search, size_t start, size_t end)
{
    size_t at = start;
    for (size_t i = 0; i < search->count; i++) {
        struct match mark = search->matches[i];
        while (i + 1 < search->count && search->matches[i + 1].start <= mark.end) {
            i++;
            mark.end = search->matches[i].end > mark.end ? search->matches[i].end : mark.end;
        }
        if (mark.start < at || mark.end > end)
            continue;
        write_text(out, str_sub(search->text, at, mark.start - at));
        buf_text(out, "<mark>");
        write_text(out, str_sub(search->text, mark.start, mark.end - mark.start));
        buf_text(out, "</mark>");
        at = mark.end;
    }
    write_text(out, str_sub(search->text, at, end - at));
}

bool snippet_write_html(struct buf *out, struct str text, const struct word *words, size_t count)
{
    struct search search = {.count = 0};
    find_matches(&search, text, words, count);
    if (search.count == 0)
        return false;
    struct match first = search.matches[best_match(&search)];
    size_t start = start_before(search.text, first.start), end = end_behind(search.text, start);
    if (end < first.end && first.end - first.start <= 4 * SNIPPET_CHARACTERS)
        end = first.end; /* a long word; one that is longer still is cut and not marked */
    buf_text(out, start > 0 ? "…" : "");
    write_marked(out, &search, start, end);
    buf_text(out, end < search.text.length ? "…" : "");
    return true;
}

void snippet_write_whole_html(struct buf *out, struct str text, const struct word *words,
                              size_t count)
{
    struct search search = {.count = 0};
    find_matches(&search, text, words, count);
    write_marked(out, &search, 0, search.text.length);
}

#include "server/mail/words.h"

#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/mail/words_private.h"

/* --- lexemes and where they stand ------------------------------------------------------------- */

struct lexeme {
    struct str text; /* in the arena */
    uint32_t hash;
    uint32_t count;   /* of its positions */
    uint16_t last;    /* its last position, with the weight above */
    size_t last_slot; /* where that one is in `occurrences` */
};

struct occurrence {
    uint32_t lexeme;
    uint16_t place; /* weight << 14 | position, as PostgreSQL's WordEntryPos */
};

struct words {
    struct arena *arena;
    struct lexeme *lexemes;
    size_t count, capacity;
    uint32_t seed; /* of hashes */
    /* Open addressing: index + 1 of a lexeme, 0: free; their number is a power of two, at most half
     * of them are taken. */
    uint32_t *slots;
    size_t slot_count;
    struct occurrence *occurrences;
    size_t occurrence_count, occurrence_capacity;
    unsigned position;
    size_t input_bytes;
    size_t vector_bytes; /* as PostgreSQL counts them */
    enum words_place place;
    bool is_full;
};

struct words *words_new(struct arena *arena)
{
    struct words *words = ARENA_NEW(arena, struct words);
    *words = (struct words){.arena = arena, .slot_count = 256};
    words->slots = ARENA_ARRAY(arena, words->slot_count, uint32_t);
    /* Where it happens to lie in memory: nobody can choose words whose hashes meet. What comes out
     * is sorted, and does not depend on it. */
    words->seed = (uint32_t)((uint64_t)(uintptr_t)words * 0x9e3779b97f4a7c15u >> 32);
    return words;
}

/* FNV-1a, from the seed on. */
static uint32_t hash_of(const struct words *words, struct str s)
{
    uint32_t hash = 2166136261u ^ words->seed;
    for (size_t i = 0; i < s.length; i++)
        hash = (hash ^ (unsigned char)s.at[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* `array` with room for twice as many; the arena keeps the old one until its end. */
static void *grow(struct arena *arena, const void *array, size_t count, size_t *capacity,
                  size_t size)
{
    *capacity = *capacity ? *capacity * 2 : 128;
    void *grown = arena_array(arena, *capacity, size);
    if (count)
        memcpy(grown, array, count * size);
    return grown;
}

static uint32_t *find_slot(struct words *words, struct str text, uint32_t hash)
{
    size_t mask = words->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t index = words->slots[at];
        if (index == 0)
            return &words->slots[at];
        const struct lexeme *lexeme = &words->lexemes[index - 1];
        if (lexeme->hash == hash && str_equal(lexeme->text, text))
            return &words->slots[at];
    }
}

static void double_slots(struct words *words)
{
    words->slot_count *= 2;
    words->slots = ARENA_ARRAY(words->arena, words->slot_count, uint32_t);
    size_t mask = words->slot_count - 1;
    for (size_t i = 0; i < words->count; i++) {
        size_t at = words->lexemes[i].hash & mask;
        while (words->slots[at])
            at = (at + 1) & mask;
        words->slots[at] = (uint32_t)i + 1;
    }
}

/* What a lexeme takes in a tsvector beside its entry: its text to an even length, a count. */
static size_t vector_cost(struct str text)
{
    return ((text.length + 1) & ~(size_t)1) + 2;
}

/* The lexeme of that text; NULL when there is no room for one more. */
static struct lexeme *lexeme_for(struct words *words, struct str text)
{
    uint32_t hash = hash_of(words, text), *slot = find_slot(words, text, hash);
    if (*slot)
        return &words->lexemes[*slot - 1];
    if (words->vector_bytes + vector_cost(text) + 2 > WORDS_VECTOR_BYTES_MAX)
        return NULL;
    words->vector_bytes += vector_cost(text);
    if (words->count == words->capacity)
        words->lexemes = grow(words->arena, words->lexemes, words->count, &words->capacity,
                              sizeof *words->lexemes);
    words->lexemes[words->count++] =
        (struct lexeme){.text = arena_str(words->arena, text), .hash = hash};
    *slot = (uint32_t)words->count;
    struct lexeme *lexeme = &words->lexemes[words->count - 1];
    if (words->count * 2 > words->slot_count)
        double_slots(words);
    return lexeme;
}

/* Of enum words_place. */
static const struct {
    unsigned weight; /* D is 0 */
    char tag;
} marks[] = {
    [WORDS_BODY] = {0, 0},       [WORDS_TO] = {1, 'C'}, [WORDS_FROM] = {2, 'B'},
    [WORDS_SUBJECT] = {3, 'A'},  [WORDS_CC] = {1, 'K'}, [WORDS_BCC] = {1, 'L'},
    [WORDS_FILENAME] = {1, 'F'},
};

/* False when there is no room for one more lexeme. */
static bool note(struct words *words, struct str text)
{
    struct lexeme *lexeme = lexeme_for(words, text);
    if (!lexeme)
        return false;
    uint16_t place = (uint16_t)(marks[words->place].weight << 14 | words->position);
    if (lexeme->count && (lexeme->last & WORDS_POSITION_MAX) == words->position) {
        /* At the last position there is room for one: the highest weight stays. */
        if (place > lexeme->last)
            words->occurrences[lexeme->last_slot].place = lexeme->last = place;
        return true;
    }
    if (lexeme->count == WORDS_POSITIONS_MAX || words->vector_bytes + 2 > WORDS_VECTOR_BYTES_MAX)
        return true; /* it is found all the same */
    if (words->occurrence_count == words->occurrence_capacity)
        words->occurrences = grow(words->arena, words->occurrences, words->occurrence_count,
                                  &words->occurrence_capacity, sizeof *words->occurrences);
    lexeme->last_slot = words->occurrence_count;
    lexeme->last = place;
    lexeme->count++;
    words->vector_bytes += 2;
    words->occurrences[words->occurrence_count++] =
        (struct occurrence){(uint32_t)(lexeme - words->lexemes), place};
    return true;
}

/* "\1A" and the word, into `text`. */
static struct str tag(char text[WORDS_LEXEME_BYTES_MAX], struct str lexeme, enum words_place place)
{
    text[0] = WORDS_TAG;
    text[1] = marks[place].tag;
    memcpy(text + WORDS_TAG_BYTES, lexeme.at, lexeme.length);
    return str_make(text, lexeme.length + WORDS_TAG_BYTES);
}

struct str words_tagged(struct arena *arena, struct str lexeme, enum words_place place)
{
    char text[WORDS_LEXEME_BYTES_MAX];
    if (place == WORDS_BODY || lexeme.length > WORDS_LEXEME_BYTES_MAX - WORDS_TAG_BYTES)
        return lexeme;
    return arena_str(arena, tag(text, lexeme, place));
}

static bool take_lexeme(void *context, const struct segment *segment)
{
    char text[WORDS_LEXEME_BYTES_MAX];
    struct words *words = context;
    struct str lexeme = segment->lexeme;
    bool is_tagged =
        words->place != WORDS_BODY && lexeme.length <= WORDS_LEXEME_BYTES_MAX - WORDS_TAG_BYTES;
    if (words->position < WORDS_POSITION_MAX)
        words->position++;
    if (note(words, lexeme) && (!is_tagged || note(words, tag(text, lexeme, words->place))))
        return true;
    words->is_full = true;
    return false;
}

bool words_add(struct words *words, struct str text, enum words_place place)
{
    struct str taken = utf8_prefix(text, WORDS_INPUT_BYTES_MAX - words->input_bytes);
    words->input_bytes += taken.length;
    words->place = place;
    if (words->position < WORDS_POSITION_MAX) /* no phrase from one field into the next */
        words->position++;
    if (!words->is_full)
        words_segment(taken, take_lexeme, words);
    if (taken.length < text.length)
        words->is_full = true;
    return !words->is_full;
}

/* --- the tsvector ----------------------------------------------------------------------------- */

static int compare_lexemes(const void *a, const void *b)
{
    const struct lexeme *const *x = a, *const *y = b;
    return str_compare((*x)->text, (*y)->text);
}

static void write_u16(struct buf *out, unsigned number)
{
    unsigned char bytes[2] = {(unsigned char)(number >> 8), (unsigned char)number};
    buf_append(out, bytes, 2);
}

static void write_u32(struct buf *out, uint32_t number)
{
    write_u16(out, number >> 16);
    write_u16(out, number & 0xffff);
}

/* The number of lexemes; then each, sorted as PostgreSQL sorts them (or it would sort again): its
 * text with a NUL behind, the number of its positions, the positions in ascending order. */
void words_write_tsvector(struct words *words, struct buf *out)
{
    struct arena *arena = words->arena;
    struct lexeme **sorted = ARENA_ARRAY(arena, words->count + 1, struct lexeme *);
    uint32_t *starts = ARENA_ARRAY(arena, words->count + 1, uint32_t);
    uint16_t *places = ARENA_ARRAY(arena, words->occurrence_count + 1, uint16_t);
    uint32_t *filled = ARENA_ARRAY(arena, words->count + 1, uint32_t);
    for (size_t i = 0; i < words->count; i++) {
        sorted[i] = &words->lexemes[i];
        starts[i + 1] = starts[i] + words->lexemes[i].count;
    }
    for (size_t i = 0; i < words->occurrence_count; i++) {
        struct occurrence o = words->occurrences[i];
        places[starts[o.lexeme] + filled[o.lexeme]++] = o.place;
    }
    if (words->count > 1)
        qsort(sorted, words->count, sizeof *sorted, compare_lexemes);
    write_u32(out, (uint32_t)words->count);
    for (size_t i = 0; i < words->count; i++) {
        const struct lexeme *lexeme = sorted[i];
        size_t first = starts[lexeme - words->lexemes];
        buf_str(out, lexeme->text);
        buf_char(out, '\0');
        write_u16(out, lexeme->count);
        for (size_t k = 0; k < lexeme->count; k++)
            write_u16(out, places[first + k]);
    }
}

/* --- queries ---------------------------------------------------------------------------------- */

enum { QUERY_WORDS_MAX = 100 };

struct query_words {
    struct arena *arena;
    struct word *at;
    size_t count;
    unsigned position;
};

static bool take_query_word(void *context, const struct segment *segment)
{
    struct query_words *query = context;
    query->position++;
    if (segment->lexeme.length == 0) /* a place without a word */
        return true;
    if (query->count == QUERY_WORDS_MAX)
        return false;
    query->at[query->count++] = (struct word){.lexeme = arena_str(query->arena, segment->lexeme),
                                              .position = query->position,
                                              .is_prefix = !segment->is_whole};
    return true;
}

struct word *words_of_query(struct arena *arena, struct str text, size_t *count)
{
    enum { TEXT_BYTES_MAX = 8192 };
    struct query_words query = {.arena = arena,
                                .at = ARENA_ARRAY(arena, QUERY_WORDS_MAX, struct word)};
    text = utf8_prefix(text, TEXT_BYTES_MAX);
    words_segment_query(text, take_query_word, &query);
    *count = query.count;
    return query.at;
}

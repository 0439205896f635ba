#include <assert.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "server/base/utf8.h"
#include "server/mail/words.h"
#include "server/mail/words_private.h"

enum { CHUNK_UNITS = 512 }; /* UTF-16 units of ideographs or of dictionary scripts at a time */

enum kind {
    KIND_SEPARATOR,
    KIND_LETTER,
    KIND_IDEOGRAPH,  /* Han, kana, Hangul, Bopomofo, Yi: pairs */
    KIND_DICTIONARY, /* Thai, Lao, Khmer, Burmese: ICU's dictionaries */
    KIND_MARK,       /* belongs to what stands before it */
};

struct segmenter {
    words_taker take;
    void *context;
    bool is_query;
    bool is_stopped;
    const UNormalizer2 *fold; /* NFKC with case folded */
    UBreakIterator *iterator; /* opened when the first dictionary script is met */
    struct str rest;
    struct buf lexeme; /* of letters, being folded */
};

/* What lies between two places of the text. */
static struct str between(const char *start, const char *end)
{
    return str_make(start, (size_t)(end - start));
}

static void emit(struct segmenter *s, struct str lexeme, struct str source, bool is_whole)
{
    struct segment segment = {lexeme, source, is_whole};
    if (!s->is_stopped)
        s->is_stopped = !s->take(s->context, &segment);
}

static enum kind kind_by_script(uint32_t c)
{
    UErrorCode status = U_ZERO_ERROR;
    switch (uscript_getScript((UChar32)c, &status)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_HANGUL:
    case USCRIPT_BOPOMOFO:
    case USCRIPT_YI:
        return KIND_IDEOGRAPH;
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
        return KIND_DICTIONARY;
    default:
        return KIND_LETTER;
    }
}

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80)
        return ascii_is_alpha((char)c) || ascii_is_digit((char)c) ? KIND_LETTER : KIND_SEPARATOR;
    if (c == 0x30fc || c == 0xff70) /* the long sound of kana belongs to no script */
        return KIND_IDEOGRAPH;
    /* Soft hyphen and joiners do not end a word, nor do the sound marks of half-width kana. */
    if (c == 0xad || c == 0x200c || c == 0x200d || c == 0xff9e || c == 0xff9f)
        return KIND_MARK;
    uint32_t category = U_MASK(u_charType((UChar32)c));
    if (category & U_GC_M_MASK)
        return KIND_MARK;
    if (category & (U_GC_L_MASK | U_GC_ND_MASK | U_GC_NL_MASK))
        return kind_by_script(c);
    return KIND_SEPARATOR;
}

/* --- words of letters ------------------------------------------------------------------------- */

/* Accents, points and vowel signs that people leave out when they type. The signs of the Indic
 * scripts are not among them: they are the vowels. */
static bool is_accent(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x483 && c <= 0x487) || (c >= 0x591 && c <= 0x5c7) ||
           (c >= 0x610 && c <= 0x61a) || c == 0x640 || (c >= 0x64b && c <= 0x65f) || c == 0x670 ||
           (c >= 0x6d6 && c <= 0x6ed) || (c >= 0x1ab0 && c <= 0x1aff) ||
           (c >= 0x1dc0 && c <= 0x1dff) || (c >= 0x20d0 && c <= 0x20ff) ||
           (c >= 0xfe20 && c <= 0xfe2f);
}

/* Letters whose stroke is not an accent to Unicode. */
static const char *plain_letter(uint32_t c)
{
    switch (c) {
    case 0xe6:
        return "ae";
    case 0xf0:
    case 0x111:
        return "d";
    case 0xf8:
        return "o";
    case 0x127:
        return "h";
    case 0x131:
        return "i";
    case 0x142:
        return "l";
    case 0x153:
        return "oe";
    case 0x167:
        return "t";
    default:
        return NULL;
    }
}

static void fold_character(const struct segmenter *s, struct buf *out, uint32_t c)
{
    UChar units[64];
    UErrorCode status = U_ZERO_ERROR;
    if (c < 0x80) {
        buf_char(out, ascii_lower((char)c));
        return;
    }
    int32_t count = unorm2_getDecomposition(s->fold, (UChar32)c, units, 64, &status);
    if (count < 0 || U_FAILURE(status)) {
        count = 0;
        U16_APPEND_UNSAFE(units, count, c);
    }
    for (int32_t i = 0; i < count;) {
        UChar32 piece;
        U16_NEXT(units, i, count, piece);
        const char *plain = plain_letter((uint32_t)piece);
        if (plain)
            buf_text(out, plain);
        else if (!is_accent((uint32_t)piece) && !U_IS_SURROGATE(piece))
            utf8_write(out, (uint32_t)piece);
    }
}

/* The word at the front. What of it is longer than PostgreSQL takes is left out. */
static void take_letters(struct segmenter *s)
{
    const char *start = s->rest.at;
    buf_reset(&s->lexeme);
    while (s->rest.length) {
        struct str before = s->rest;
        uint32_t c = utf8_next(&s->rest);
        enum kind kind = kind_of(c);
        if (kind != KIND_LETTER && kind != KIND_MARK) {
            s->rest = before;
            break;
        }
        fold_character(s, &s->lexeme, c);
    }
    if (s->lexeme.length)
        emit(s, buf_view(&s->lexeme), between(start, s->rest.at), s->rest.length > 0);
}

/* The same for what most words are: ASCII to their end. False when it is not, or too long. */
static bool take_ascii(struct segmenter *s)
{
    enum { SHORT_WORD = 64 };
    char word[SHORT_WORD];
    size_t length = 0;
    while (length < s->rest.length && length < SHORT_WORD) {
        char c = s->rest.at[length];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c))
            break;
        word[length++] = ascii_lower(c);
    }
    if (length == SHORT_WORD || (length < s->rest.length && (s->rest.at[length] & 0x80)))
        return false;
    struct str source = str_sub(s->rest, 0, length);
    s->rest = str_skip(s->rest, length);
    emit(s, str_make(word, length), source, s->rest.length > 0);
    return true;
}

/* --- ideographs and dictionary scripts -------------------------------------------------------- */

/* Characters of one kind, folded, and where each unit comes from. */
struct chunk {
    UChar units[CHUNK_UNITS];
    const char *starts[CHUNK_UNITS], *ends[CHUNK_UNITS];
    int32_t count;
};

/* What folding leaves as it is; nearly all there is. */
static bool is_folded(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3041 && c <= 0x3096) ||
           (c >= 0x30a1 && c <= 0x30fc) || (c >= 0xac00 && c <= 0xd7a3);
}

/* Vowels and final consonants of Hangul that is written in pieces. */
static bool is_inner_jamo(uint32_t c)
{
    return c >= 0x1160 && c <= 0x11ff;
}

/* Appends the character at the front, with the marks that belong to it. */
static void fold_unit(struct segmenter *s, struct chunk *chunk)
{
    enum { GIVEN_MAX = 24, FOLDED_MAX = 64 };
    UChar given[GIVEN_MAX], folded[FOLDED_MAX];
    const char *start = s->rest.at;
    int32_t count = 0, length = 0;
    UErrorCode status = U_ZERO_ERROR;
    uint32_t first = utf8_next(&s->rest);
    U16_APPEND_UNSAFE(given, count, first);
    while (s->rest.length && count + 2 <= GIVEN_MAX) {
        struct str before = s->rest;
        uint32_t c = utf8_next(&s->rest);
        if (kind_of(c) != KIND_MARK && !is_inner_jamo(c)) {
            s->rest = before;
            break;
        }
        U16_APPEND_UNSAFE(given, count, c);
    }
    const UChar *units = folded;
    if (count > 1 || !is_folded(first))
        length = unorm2_normalize(s->fold, given, count, folded, FOLDED_MAX, &status);
    if ((count == 1 && is_folded(first)) || U_FAILURE(status)) {
        units = given;
        length = count;
    }
    for (int32_t i = 0; i < length; i++) {
        chunk->units[chunk->count] = units[i];
        chunk->starts[chunk->count] = start;
        chunk->ends[chunk->count++] = s->rest.at;
    }
}

/* As many characters of one kind as fit. */
static void fold_chunk(struct segmenter *s, enum kind kind, struct chunk *chunk)
{
    enum { UNIT_MAX = 64 }; /* of one character */
    chunk->count = 0;
    while (s->rest.length && chunk->count + UNIT_MAX <= CHUNK_UNITS) {
        struct str behind = s->rest;
        enum kind next = kind_of(utf8_next(&behind));
        if (next != kind && next != KIND_MARK)
            return;
        fold_unit(s, chunk);
    }
}

static void emit_units(struct segmenter *s, const UChar *units, int32_t count, struct str source,
                       bool is_whole)
{
    char text[CHUNK_UNITS * 3]; /* less than WORDS_LEXEME_BYTES_MAX */
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8(text, sizeof text, &length, units, count, &status);
    if (U_SUCCESS(status) && length > 0)
        emit(s, str_make(text, (size_t)length), source, is_whole);
}

/* A character waiting for the one behind it. */
struct waiting {
    UChar units[4]; /* of it and, for a moment, the next */
    int32_t count;
    const char *start, *end;
};

/* Overlapping pairs. The last character is stored alone too; a query leaves its place empty, so
 * that the words behind it stand where they were stored. */
static void take_ideographs(struct segmenter *s)
{
    struct chunk chunk;
    struct waiting last = {.count = 0};
    size_t characters = 0;
    while (s->rest.length && !s->is_stopped) {
        const char *before = s->rest.at;
        fold_chunk(s, KIND_IDEOGRAPH, &chunk);
        if (before == s->rest.at)
            break;
        for (int32_t i = 0; i < chunk.count;) {
            int32_t start = i;
            U16_FWD_1(chunk.units, i, chunk.count);
            size_t bytes = (size_t)(i - start) * sizeof *chunk.units;
            memcpy(last.units + last.count, chunk.units + start, bytes);
            if (characters++ > 0)
                emit_units(s, last.units, last.count + i - start,
                           between(last.start, chunk.ends[i - 1]), true);
            memcpy(last.units, chunk.units + start, bytes);
            last = (struct waiting){.units = {last.units[0], last.units[1]},
                                    .count = i - start,
                                    .start = chunk.starts[start],
                                    .end = chunk.ends[i - 1]};
        }
    }
    if (s->is_query && characters > 1)
        emit(s, STR_EMPTY, STR_EMPTY, true);
    else if (characters > 0)
        emit_units(s, last.units, last.count, between(last.start, last.end), false);
}

static void take_dictionary_words(struct segmenter *s)
{
    struct chunk chunk;
    UErrorCode status = U_ZERO_ERROR;
    fold_chunk(s, KIND_DICTIONARY, &chunk);
    if (chunk.count == 0)
        return;
    if (!s->iterator)
        s->iterator = ubrk_open(UBRK_WORD, "th", NULL, 0, &status);
    if (U_SUCCESS(status))
        ubrk_setText(s->iterator, chunk.units, chunk.count, &status);
    if (U_FAILURE(status)) {
        emit_units(s, chunk.units, chunk.count,
                   between(chunk.starts[0], chunk.ends[chunk.count - 1]), true);
        return;
    }
    int32_t start = ubrk_first(s->iterator);
    for (int32_t end; (end = ubrk_next(s->iterator)) != UBRK_DONE; start = end)
        emit_units(s, chunk.units + start, end - start,
                   between(chunk.starts[start], chunk.ends[end - 1]),
                   end < chunk.count || s->rest.length > 0);
}

static void segment(struct str text, words_taker take, void *context, bool is_query)
{
    UErrorCode status = U_ZERO_ERROR;
    struct segmenter s = {.take = take,
                          .context = context,
                          .is_query = is_query,
                          .rest = text,
                          .lexeme = BUF_INIT(WORDS_LEXEME_BYTES_MAX)};
    s.fold = unorm2_getNFKCCasefoldInstance(&status);
    assert(U_SUCCESS(status)); /* it is compiled into ICU */
    while (s.rest.length && !s.is_stopped) {
        unsigned char first = (unsigned char)s.rest.at[0];
        if (first < 0x80 && kind_of(first) == KIND_SEPARATOR) {
            s.rest = str_skip(s.rest, 1);
            continue;
        }
        if (first < 0x80 && take_ascii(&s))
            continue;
        struct str behind = s.rest;
        switch (kind_of(utf8_next(&behind))) {
        case KIND_LETTER:
            take_letters(&s);
            break;
        case KIND_IDEOGRAPH:
            take_ideographs(&s);
            break;
        case KIND_DICTIONARY:
            take_dictionary_words(&s);
            break;
        case KIND_SEPARATOR:
        case KIND_MARK:
            s.rest = behind;
            break;
        }
    }
    if (s.iterator)
        ubrk_close(s.iterator);
    buf_free(&s.lexeme);
}

void words_segment(struct str text, words_taker take, void *context)
{
    segment(text, take, context, false);
}

void words_segment_query(struct str text, words_taker take, void *context)
{
    segment(text, take, context, true);
}

static bool take_nothing(void *context, const struct segment *segment)
{
    (void)context;
    (void)segment;
    return true;
}

void words_prepare(void)
{
    /* A word of each kind, and of each dictionary. */
    words_segment(STR("Ärger 日本語 ภาษาไทย ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ"), take_nothing, NULL);
}

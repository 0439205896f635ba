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

static void emit(struct segmenter *s, struct str lexeme, bool is_whole)
{
    if (!s->is_stopped)
        s->is_stopped = !s->take(s->context, lexeme, is_whole);
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
    if (c == 0xad || c == 0x200c || c == 0x200d) /* soft hyphen and joiners do not end a word */
        return KIND_MARK;
    uint32_t category = U_MASK(u_charType((UChar32)c));
    if (category & U_GC_M_MASK)
        return KIND_MARK;
    if (category & (U_GC_L_MASK | U_GC_ND_MASK | U_GC_NL_MASK))
        return kind_by_script(c);
    return KIND_SEPARATOR;
}

/* --- words of letters ----------------------------------------------------------------------------
 */

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
        emit(s, buf_view(&s->lexeme), s->rest.length > 0);
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
    s->rest = str_skip(s->rest, length);
    emit(s, str_make(word, length), s->rest.length > 0);
    return true;
}

/* --- ideographs and dictionary scripts -----------------------------------------------------------
 */

/* Folds the next characters of one kind, as many as fit; returns how many units they are. */
static int32_t fold_chunk(struct segmenter *s, enum kind kind, UChar *folded, int32_t capacity)
{
    UChar units[CHUNK_UNITS];
    int32_t count = 0;
    UErrorCode status = U_ZERO_ERROR;
    while (s->rest.length && count + 2 <= CHUNK_UNITS) {
        struct str before = s->rest;
        uint32_t c = utf8_next(&s->rest);
        enum kind next = kind_of(c);
        if (next != kind && next != KIND_MARK) {
            s->rest = before;
            break;
        }
        U16_APPEND_UNSAFE(units, count, c);
    }
    int32_t length = unorm2_normalize(s->fold, units, count, folded, capacity, &status);
    if (U_SUCCESS(status))
        return length;
    memcpy(folded, units, (size_t)count * sizeof *units);
    return count;
}

static void emit_units(struct segmenter *s, const UChar *units, int32_t count, bool is_whole)
{
    char text[CHUNK_UNITS * 3];
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8(text, sizeof text, &length, units, count, &status);
    length = length < WORDS_LEXEME_BYTES_MAX ? length : WORDS_LEXEME_BYTES_MAX;
    if (U_SUCCESS(status) && length > 0)
        emit(s, utf8_prefix(str_make(text, (size_t)length), WORDS_LEXEME_BYTES_MAX), is_whole);
}

/* Overlapping pairs. The last character is stored alone too; a query leaves its place empty, so
 * that the words behind it stand where they were stored. */
static void take_ideographs(struct segmenter *s)
{
    UChar folded[CHUNK_UNITS * 4], pair[4];
    int32_t pair_length = 0; /* of the character waiting for the next one, across chunks */
    size_t characters = 0;
    while (s->rest.length && !s->is_stopped) {
        size_t left = s->rest.length;
        int32_t count = fold_chunk(s, KIND_IDEOGRAPH, folded, CHUNK_UNITS * 4);
        if (left == s->rest.length)
            break;
        for (int32_t i = 0; i < count;) {
            int32_t start = i;
            U16_FWD_1(folded, i, count);
            memcpy(pair + pair_length, folded + start, (size_t)(i - start) * sizeof *folded);
            if (characters++ > 0)
                emit_units(s, pair, pair_length + i - start, true);
            memcpy(pair, folded + start, (size_t)(i - start) * sizeof *folded);
            pair_length = i - start;
        }
    }
    if (s->is_query && characters > 1)
        emit(s, STR_EMPTY, true);
    else
        emit_units(s, pair, pair_length, false);
}

static void take_dictionary_words(struct segmenter *s)
{
    UChar folded[CHUNK_UNITS * 4];
    int32_t count = fold_chunk(s, KIND_DICTIONARY, folded, CHUNK_UNITS * 4);
    UErrorCode status = U_ZERO_ERROR;
    if (!s->iterator)
        s->iterator = ubrk_open(UBRK_WORD, "th", NULL, 0, &status);
    if (U_SUCCESS(status))
        ubrk_setText(s->iterator, folded, count, &status);
    if (U_FAILURE(status)) {
        emit_units(s, folded, count < CHUNK_UNITS ? count : CHUNK_UNITS, true);
        return;
    }
    int32_t start = ubrk_first(s->iterator);
    for (int32_t end; (end = ubrk_next(s->iterator)) != UBRK_DONE; start = end) {
        int32_t length = end - start < CHUNK_UNITS ? end - start : CHUNK_UNITS;
        emit_units(s, folded + start, length, end < count || s->rest.length > 0);
    }
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

static bool take_nothing(void *context, struct str lexeme, bool is_whole)
{
    (void)context;
    (void)lexeme;
    (void)is_whole;
    return true;
}

void words_prepare(void)
{
    /* A word of each kind, and of each dictionary. */
    words_segment(STR("Ärger 日本語 ภาษาไทย ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ"), take_nothing, NULL);
}

#include "server/mail/charset.h"

#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ucsdet.h>

#include "server/base/utf8.h"
#include "server/mail/charset_tables_private.h"

enum { LABEL_BYTES_MAX = 40, GUESS_BYTES_MAX = 8192, PIVOT = 2048 };

/* How a charset is converted. */
enum charset_kind { CHARSET_UTF8, CHARSET_ASCII, CHARSET_1252, CHARSET_8859_16, CHARSET_ICU };

struct charset {
    const char *name;
    enum charset_kind kind;
    const char *converter; /* ICU's name; NULL unless CHARSET_ICU */
    const char *labels;    /* without punctuation, lower case, separated by spaces */
};

/* Labels are compared without "-", "_", ".", ":" and spaces: mail writes "utf8", "UTF_8",
 * "iso8859-1" and "ISO 8859-1". The mapping is WHATWG's, then what only mail has. */
static const struct charset charsets[] = {
    {"utf-8", CHARSET_UTF8, NULL, "utf8 unicode11utf8 utf8mb4 unicode20utf8 cp65001 cesu8"},
    {"us-ascii", CHARSET_ASCII, NULL,
     "usascii ascii ansix341968 iso646us us iso646irv 7bit ansix341986 cp367 ibm367"},
    {"windows-1252", CHARSET_1252, NULL,
     "windows1252 iso88591 latin1 l1 cp1252 xcp1252 cp819 ibm819 isoir100 88591 ansi win1252 "
     "windowslatin1 iso885911987 westerneuropean 8859 iso8859 csisolatin1 8bit"},
    {"iso-8859-16", CHARSET_8859_16, NULL, "iso885916 latin10 l10"},
    {"iso-8859-2", CHARSET_ICU, "ISO-8859-2",
     "iso88592 latin2 l2 isoir101 iso885921987 88592 csisolatin2"},
    {"iso-8859-3", CHARSET_ICU, "ISO-8859-3", "iso88593 latin3 l3 isoir109 88593 csisolatin3"},
    {"iso-8859-4", CHARSET_ICU, "ISO-8859-4", "iso88594 latin4 l4 isoir110 88594 csisolatin4"},
    {"iso-8859-5", CHARSET_ICU, "ISO-8859-5",
     "iso88595 cyrillic isoir144 88595 csisolatincyrillic"},
    {"iso-8859-6", CHARSET_ICU, "ISO-8859-6",
     "iso88596 arabic asmo708 ecma114 isoir127 iso88596e iso88596i 88596"},
    {"iso-8859-7", CHARSET_ICU, "ISO-8859-7",
     "iso88597 greek greek8 ecma118 elot928 isoir126 suneugreek 88597"},
    {"iso-8859-8", CHARSET_ICU, "ISO-8859-8",
     "iso88598 hebrew visual isoir138 iso88598e iso88598i logical 88598"},
    {"iso-8859-10", CHARSET_ICU, "iso-8859_10-1998", "iso885910 latin6 l6 isoir157"},
    {"iso-8859-13", CHARSET_ICU, "ISO-8859-13", "iso885913 latin7 l7"},
    {"iso-8859-14", CHARSET_ICU, "iso-8859_14-1998", "iso885914 latin8 l8"},
    {"iso-8859-15", CHARSET_ICU, "ISO-8859-15", "iso885915 latin9 l9 latin0 885915"},
    {"koi8-r", CHARSET_ICU, "KOI8-R", "koi8r koi8 koi cskoi8r koi7"},
    {"koi8-u", CHARSET_ICU, "KOI8-U", "koi8u koi8ru"},
    {"windows-874", CHARSET_ICU, "windows-874-2000",
     "windows874 tis620 iso885911 dos874 cp874 tis6202533 xwindows874"},
    {"windows-1250", CHARSET_ICU, "windows-1250", "windows1250 cp1250 xcp1250 win1250"},
    {"windows-1251", CHARSET_ICU, "windows-1251", "windows1251 cp1251 xcp1251 win1251 ansi1251"},
    {"windows-1253", CHARSET_ICU, "windows-1253", "windows1253 cp1253 xcp1253"},
    {"windows-1254", CHARSET_ICU, "windows-1254",
     "windows1254 cp1254 xcp1254 iso88599 latin5 l5 isoir148 88599"},
    {"windows-1255", CHARSET_ICU, "windows-1255", "windows1255 cp1255 xcp1255"},
    {"windows-1256", CHARSET_ICU, "windows-1256", "windows1256 cp1256 xcp1256"},
    {"windows-1257", CHARSET_ICU, "windows-1257", "windows1257 cp1257 xcp1257"},
    {"windows-1258", CHARSET_ICU, "windows-1258", "windows1258 cp1258 xcp1258"},
    {"ibm866", CHARSET_ICU, "ibm-866_P100-1995", "ibm866 cp866 866 csibm866"},
    {"macintosh", CHARSET_ICU, "macintosh", "macintosh mac xmacroman macroman csmacintosh"},
    {"x-mac-cyrillic", CHARSET_ICU, "x-mac-cyrillic", "xmaccyrillic xmacukrainian"},
    {"x-mac-ce", CHARSET_ICU, "x-mac-ce", "xmacce xmaccentraleurroman maccentraleurope"},
    {"gb18030", CHARSET_ICU, "gb18030",
     "gb18030 gb2312 gbk cp936 ms936 windows936 gb231280 chinese euccn xgbk isoir58 xeuccn "
     "csgb2312 gb23121980"},
    {"hz-gb-2312", CHARSET_ICU, "HZ", "hzgb2312 hz"},
    {"big5", CHARSET_ICU, "ibm-1375_P100-2008",
     "big5 big5hkscs cnbig5 xxbig5 csbig5 cp950 windows950 big5eten"},
    {"euc-jp", CHARSET_ICU, "euc-jp-2007", "eucjp xeucjp eucjpms ujis cp51932"},
    {"iso-2022-jp", CHARSET_ICU, "ISO_2022,locale=ja,version=3",
     "iso2022jp csiso2022jp iso2022jp1 iso2022jp2 iso2022jp3 iso2022jpms cp50220 cp50221 jis jis7"},
    {"shift_jis", CHARSET_ICU, "ibm-943_P15A-2003",
     "shiftjis sjis xsjis windows31j mskanji ms932 cp932 windows932 cswindows31j"},
    {"euc-kr", CHARSET_ICU, "windows-949-2000",
     "euckr ksc56011987 ksc56011989 ksc5601 korean cp949 windows949 uhc isoir149 cseuckr ks5601 "
     "5601"},
    {"iso-2022-kr", CHARSET_ICU, "ISO-2022-KR", "iso2022kr csiso2022kr"},
    {"iso-2022-cn", CHARSET_ICU, "ISO-2022-CN", "iso2022cn"},
    {"utf-16", CHARSET_ICU, "UTF-16", "utf16 unicode ucs2 iso10646ucs2"},
    {"utf-16be", CHARSET_ICU, "UTF-16BE", "utf16be unicodefffe"},
    {"utf-16le", CHARSET_ICU, "UTF-16LE", "utf16le unicodefeff csunicode"},
    {"utf-32", CHARSET_ICU, "UTF-32", "utf32 ucs4 iso10646ucs4"},
    {"utf-7", CHARSET_ICU, "UTF-7",
     "utf7 unicode11utf7 csunicode11utf7 unicode20utf7 xunicode20utf7"},
    {"ibm437", CHARSET_ICU, "ibm-437", "ibm437 cp437 437"},
    {"ibm737", CHARSET_ICU, "ibm-737", "ibm737 cp737"},
    {"ibm775", CHARSET_ICU, "ibm-775", "ibm775 cp775"},
    {"ibm850", CHARSET_ICU, "ibm-850", "ibm850 cp850 850"},
    {"ibm852", CHARSET_ICU, "ibm-852", "ibm852 cp852 852"},
    {"ibm855", CHARSET_ICU, "ibm-855", "ibm855 cp855"},
    {"ibm857", CHARSET_ICU, "ibm-857", "ibm857 cp857"},
    {"ibm858", CHARSET_ICU, "ibm-858", "ibm858 cp858 ibm00858 cp00858"},
    {"ibm862", CHARSET_ICU, "ibm-862", "ibm862 cp862 dos862"},
    {"ibm863", CHARSET_ICU, "ibm-863", "ibm863 cp863"},
    {"ibm865", CHARSET_ICU, "ibm-865", "ibm865 cp865"},
    {"ibm1125", CHARSET_ICU, "ibm-1125_P100-1997", "ibm1125 cp1125 cp866u"},
};
enum { CHARSETS = sizeof charsets / sizeof *charsets };

static const struct charset *find_charset(struct str label)
{
    char plain[LABEL_BYTES_MAX];
    size_t length = 0;
    if (str_equal_nocase(label, STR("utf-8"))) /* what nearly all of it is */
        return &charsets[0];
    for (size_t i = 0; i < label.length; i++) {
        char c = ascii_lower(label.at[i]);
        if (!ascii_is_alpha(c) && !ascii_is_digit(c))
            continue;
        if (length == sizeof plain)
            return NULL;
        plain[length++] = c;
    }
    if (length == 0)
        return NULL;
    for (size_t i = 0; i < CHARSETS; i++)
        if (str_has_word(str_of(charsets[i].labels), str_make(plain, length)))
            return &charsets[i];
    return NULL;
}

const char *charset_name(struct str label)
{
    const struct charset *found = find_charset(label);
    return found ? found->name : NULL;
}

/* How many multibyte characters are well formed and how many sequences are not. */
static void count_utf8(struct str bytes, size_t *good, size_t *bad)
{
    *good = *bad = 0;
    while (bytes.length) {
        if ((unsigned char)bytes.at[0] < 0x80) {
            bytes = str_skip(bytes, 1);
            continue;
        }
        struct str before = bytes;
        if (utf8_next(&bytes) == UTF8_REPLACEMENT && !str_starts(before, STR("\xef\xbf\xbd")))
            ++*bad;
        else
            ++*good;
    }
}

/* The length of the run of ASCII (without NUL) at the front: eight bytes at a time. */
static size_t ascii_run(struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.length; i += 8) {
        uint64_t word;
        memcpy(&word, s.at + i, 8);
        uint64_t zeros = (word - 0x0101010101010101u) & ~word;
        if ((word | zeros) & 0x8080808080808080u)
            break;
    }
    while (i < s.length && (unsigned char)(s.at[i] - 1) < 0x7f)
        i++;
    return i;
}

/* ISO-2022-JP and HZ are 7-bit: their escapes give them away. */
static const char *guess_7bit(struct str bytes)
{
    static const char *const escapes[] = {"\x1b$B", "\x1b$@", "\x1b(J"};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (str_find(bytes, str_of(escapes[i])) >= 0)
            return "iso-2022-jp";
    return "utf-8";
}

/* What ICU must be sure of, in percent: a few foreign letters look like anything. */
static int confidence_needed(struct str bytes)
{
    enum { MANY = 40, OF_FEW = 40, OF_MANY = 20 };
    size_t foreign = 0;
    for (size_t i = 0; i < bytes.length; i++)
        foreign += (unsigned char)bytes.at[i] >= 0x80;
    return foreign < MANY ? OF_FEW : OF_MANY;
}

static const char *guess_by_frequency(struct str bytes)
{
    const char *name = NULL;
    UErrorCode status = U_ZERO_ERROR;
    UCharsetDetector *detector = ucsdet_open(&status);
    if (U_FAILURE(status))
        return "windows-1252";
    ucsdet_setText(detector, bytes.at, (int32_t)bytes.length, &status);
    int32_t count = 0;
    int needed = confidence_needed(bytes);
    const UCharsetMatch **matches = ucsdet_detectAll(detector, &count, &status);
    for (int32_t i = 0; U_SUCCESS(status) && i < count && !name; i++) {
        struct str found = str_of(ucsdet_getName(matches[i], &status));
        if (ucsdet_getConfidence(matches[i], &status) < needed)
            break;
        if (!str_starts(found, STR("UTF-")) && !str_starts(found, STR("IBM4")))
            name = charset_name(found);
    }
    ucsdet_close(detector);
    return name ? name : "windows-1252";
}

const char *charset_guess(struct str bytes)
{
    if (str_starts(bytes, STR("\xff\xfe")) || str_starts(bytes, STR("\xfe\xff")))
        return "utf-16";
    if (ascii_run(bytes) == bytes.length)
        return guess_7bit(bytes);
    size_t good, bad;
    count_utf8(bytes, &good, &bad);
    if (bad == 0 || good > 4 * bad)
        return "utf-8";
    return guess_by_frequency(str_sub(bytes, 0, GUESS_BYTES_MAX));
}

/* Appends one character, NUL as U+FFFD; false when it was (or is) a replacement. */
static bool write_character(struct buf *out, uint32_t c)
{
    if (c == 0)
        c = UTF8_REPLACEMENT;
    utf8_write(out, c);
    return c != UTF8_REPLACEMENT;
}

static bool decode_utf8(struct buf *out, struct str bytes)
{
    bool is_clean = true;
    if (str_starts(bytes, STR("\xef\xbb\xbf")))
        bytes = str_skip(bytes, 3);
    while (bytes.length) {
        size_t run = ascii_run(bytes);
        buf_str(out, str_sub(bytes, 0, run));
        bytes = str_skip(bytes, run);
        if (bytes.length)
            is_clean &= write_character(out, utf8_next(&bytes));
    }
    return is_clean;
}

/* Single bytes by a table for `first` and up; below it they are Latin-1. */
static bool decode_table(struct buf *out, struct str bytes, const uint16_t *table, unsigned first,
                         unsigned entries)
{
    bool is_clean = true;
    while (bytes.length) {
        size_t run = ascii_run(bytes);
        buf_str(out, str_sub(bytes, 0, run));
        bytes = str_skip(bytes, run);
        if (!bytes.length)
            break;
        unsigned c = (unsigned char)bytes.at[0];
        if (c >= first && c < first + entries)
            c = table[c - first];
        is_clean &= write_character(out, c);
        bytes = str_skip(bytes, 1);
    }
    return is_clean;
}

/* Appends UTF-16 whose last high surrogate may be waiting in `*high`. */
static bool write_utf16(struct buf *out, const UChar *units, size_t count, UChar *high)
{
    bool is_clean = true;
    for (size_t i = 0; i < count; i++) {
        if (*high) {
            UChar first = *high;
            *high = 0;
            if (U16_IS_TRAIL(units[i])) {
                is_clean &= write_character(out, (uint32_t)U16_GET_SUPPLEMENTARY(first, units[i]));
                continue;
            }
            is_clean &= write_character(out, UTF8_REPLACEMENT);
        }
        if (U16_IS_LEAD(units[i]))
            *high = units[i];
        else
            is_clean &= write_character(out, units[i]);
    }
    return is_clean;
}

/* ICU's own callback writes U+001A for some charsets, which nobody would see. */
static void replace_ill_formed(const void *context, UConverterToUnicodeArgs *args,
                               const char *bytes, int32_t length, UConverterCallbackReason reason,
                               UErrorCode *status)
{
    static const UChar replacement = UTF8_REPLACEMENT;
    (void)context;
    (void)bytes;
    (void)length;
    if (reason > UCNV_IRREGULAR) /* reset, close, clone */
        return;
    *status = U_ZERO_ERROR;
    ucnv_cbToUWriteUChars(args, &replacement, 1, 0, status);
}

static bool decode_icu(struct buf *out, struct str bytes, const char *name)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *converter = ucnv_open(name, &status);
    if (U_FAILURE(status)) {
        utf8_repair(out, bytes);
        return false;
    }
    ucnv_setToUCallBack(converter, replace_ill_formed, NULL, NULL, NULL, &status);
    bool is_clean = true;
    const char *source = bytes.at, *end = bytes.at + bytes.length;
    UChar pivot[PIVOT] = {0}, high = 0;
    do {
        UChar *target = pivot;
        status = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &target, pivot + PIVOT, &source, end, NULL, true, &status);
        is_clean &= write_utf16(out, pivot, (size_t)(target - pivot), &high);
    } while (status == U_BUFFER_OVERFLOW_ERROR && !out->is_full);
    if (high || U_FAILURE(status))
        is_clean &= write_character(out, UTF8_REPLACEMENT);
    ucnv_close(converter);
    return is_clean;
}

static bool decode_as(struct buf *out, struct str bytes, const struct charset *charset)
{
    switch (charset->kind) {
    case CHARSET_1252:
        return decode_table(out, bytes, windows_1252, 0x80, 32);
    case CHARSET_8859_16:
        return decode_table(out, bytes, iso_8859_16, 0xa0, 96);
    case CHARSET_ICU:
        return decode_icu(out, bytes, charset->converter);
    case CHARSET_UTF8:
    case CHARSET_ASCII:
        break;
    }
    return decode_utf8(out, bytes);
}

bool charset_decode(struct buf *out, struct str bytes, struct str label)
{
    if (bytes.length == 0)
        return true;
    const struct charset *charset = find_charset(label);
    bool is_trusted = charset && charset->kind != CHARSET_ASCII;
    if (charset && charset->kind == CHARSET_UTF8) {
        size_t good, bad;
        count_utf8(bytes, &good, &bad);
        is_trusted = bad <= good;
    }
    if (!is_trusted)
        charset = find_charset(str_of(charset_guess(bytes)));
    return decode_as(out, bytes, charset ? charset : &charsets[0]);
}

void charset_prepare(void)
{
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < CHARSETS; i++)
        if (charsets[i].kind == CHARSET_ICU)
            decode_icu(&out, STR("a\xe4\xe5"), charsets[i].converter);
    guess_by_frequency(STR("\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0"));
    buf_free(&out);
}

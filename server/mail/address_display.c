/* Domains in their own script, where that cannot mislead (ref security 19: homographs). */
#include <unicode/uidna.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

#include "server/mail/address.h"

enum { DOMAIN_UNITS_MAX = 256 };

/* True when the label may be shown in its own script: its characters come from one script (or from
 * those that Japanese, Chinese and Korean mix with Latin), and it does not look like ASCII. */
static bool is_honest(USpoofChecker *checker, const UChar *label, int32_t length)
{
    UErrorCode status = U_ZERO_ERROR;
    if (uspoof_check(checker, label, length, NULL, &status) != 0 || U_FAILURE(status))
        return false;
    UChar skeleton[DOMAIN_UNITS_MAX * 4];
    int32_t count = uspoof_getSkeleton(checker, 0, label, length, skeleton,
                                       (int32_t)(sizeof skeleton / sizeof *skeleton), &status);
    if (U_FAILURE(status))
        return false;
    bool is_ascii = true, looks_ascii = true;
    for (int32_t i = 0; i < length; i++)
        is_ascii &= label[i] < 0x80;
    for (int32_t i = 0; i < count; i++)
        looks_ascii &= skeleton[i] < 0x80;
    return is_ascii || !looks_ascii;
}

static bool all_labels_honest(const UChar *domain, int32_t length)
{
    UErrorCode status = U_ZERO_ERROR;
    USpoofChecker *checker = uspoof_open(&status);
    if (U_FAILURE(status))
        return false;
    uspoof_setChecks(checker, USPOOF_RESTRICTION_LEVEL | USPOOF_INVISIBLE | USPOOF_MIXED_NUMBERS,
                     &status);
    uspoof_setRestrictionLevel(checker, USPOOF_HIGHLY_RESTRICTIVE);
    bool is_fine = U_SUCCESS(status);
    for (int32_t start = 0, i = 0; is_fine && i <= length; i++) {
        if (i < length && domain[i] != '.')
            continue;
        is_fine = i == start || is_honest(checker, domain + start, i - start);
        start = i + 1;
    }
    uspoof_close(checker);
    return is_fine;
}

static bool needs_work(struct str domain)
{
    for (size_t i = 0; i < domain.length; i++)
        if ((unsigned char)domain.at[i] >= 0x80)
            return true;
    return str_find_nocase(domain, STR("xn--")) >= 0;
}

/* Both forms of a domain; false when it is no IDN that can be converted. */
static bool convert_domain(struct str domain, UChar *unicode, int32_t *unicode_length, char *ascii,
                           size_t ascii_size)
{
    UErrorCode status = U_ZERO_ERROR;
    UIDNA *idna =
        uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_NONTRANSITIONAL_TO_ASCII |
                            UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ,
                        &status);
    if (U_FAILURE(status))
        return false;
    UChar given[DOMAIN_UNITS_MAX];
    int32_t given_length = 0;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    u_strFromUTF8(given, DOMAIN_UNITS_MAX, &given_length, domain.at, (int32_t)domain.length,
                  &status);
    *unicode_length =
        uidna_nameToUnicode(idna, given, given_length, unicode, DOMAIN_UNITS_MAX, &info, &status);
    bool is_fine = U_SUCCESS(status) && info.errors == 0;
    int32_t length = uidna_nameToASCII_UTF8(idna, domain.at, (int32_t)domain.length, ascii,
                                            (int32_t)ascii_size - 1, &info, &status);
    is_fine = is_fine && U_SUCCESS(status) && info.errors == 0;
    ascii[is_fine ? length : 0] = '\0';
    uidna_close(idna);
    return is_fine;
}

struct str address_display(struct arena *arena, struct str email)
{
    size_t at = email.length;
    while (at > 0 && email.at[at - 1] != '@')
        at--;
    struct str domain = str_skip(email, at);
    if (at == 0 || domain.length >= DOMAIN_UNITS_MAX || !needs_work(domain))
        return email;
    UChar unicode[DOMAIN_UNITS_MAX];
    int32_t length;
    char ascii[DOMAIN_UNITS_MAX], utf8[DOMAIN_UNITS_MAX * 3];
    if (!convert_domain(domain, unicode, &length, ascii, sizeof ascii))
        return email;
    struct str shown = str_of(ascii);
    if (all_labels_honest(unicode, length)) {
        UErrorCode status = U_ZERO_ERROR;
        int32_t bytes = 0;
        u_strToUTF8(utf8, sizeof utf8, &bytes, unicode, length, &status);
        if (U_SUCCESS(status))
            shown = str_make(utf8, (size_t)bytes);
    }
    return arena_printf(arena, "%" STR_FMT "%" STR_FMT, STR_ARG(str_sub(email, 0, at)),
                        STR_ARG(shown));
}

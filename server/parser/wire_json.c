#include "server/base/utf8.h"
#include "server/parser/wire.h"

enum { DEPTH_MAX = 250 };

static struct str skip_space(struct str text)
{
    size_t at = 0;
    while (at < text.length && (text.at[at] == ' ' || text.at[at] == '\t' || text.at[at] == '\r' ||
                                text.at[at] == '\n')) /* RFC 8259, section 2 */
        at++;
    return str_skip(text, at);
}

static bool read_hex4(struct str text, uint32_t *value)
{
    *value = 0;
    if (text.length < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = ascii_lower(text.at[i]);
        if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        *value = *value * 16 + (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return true;
}

/* Behind "\u". PostgreSQL refuses \u0000, and surrogates that are no pair. */
static bool read_unicode(struct str *rest)
{
    uint32_t high, low;
    if (!read_hex4(*rest, &high) || !high || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    *rest = str_skip(*rest, 4);
    if (high < 0xd800 || high > 0xdbff)
        return true;
    if (!str_starts(*rest, STR("\\u")) || !read_hex4(str_skip(*rest, 2), &low) || low < 0xdc00 ||
        low > 0xdfff)
        return false;
    *rest = str_skip(*rest, 6);
    return true;
}

static bool read_string(struct str *rest)
{
    if (!str_starts(*rest, STR("\"")))
        return false;
    *rest = str_skip(*rest, 1);
    while (rest->length) {
        char c = rest->at[0];
        *rest = str_skip(*rest, 1);
        if (c == '"')
            return true;
        if ((unsigned char)c < ' ')
            return false;
        if (c != '\\')
            continue;
        char escape = rest->length ? rest->at[0] : '\0';
        *rest = str_skip(*rest, 1);
        if (escape == 'u' ? !read_unicode(rest) : !escape || !strchr("\"\\/bfnrt", escape))
            return false;
    }
    return false;
}

static size_t digits(struct str text, size_t at)
{
    while (at < text.length && ascii_is_digit(text.at[at]))
        at++;
    return at;
}

static bool read_number(struct str *rest)
{
    size_t at = str_starts(*rest, STR("-")), first = at;
    at = digits(*rest, at);
    if (at == first || at > 20 || (rest->at[first] == '0' && at > first + 1))
        return false;
    *rest = str_skip(*rest, at); /* fractions and exponents are none of what we write */
    return true;
}

static bool read_scalar(struct str *rest)
{
    static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    if (str_starts(*rest, STR("\"")))
        return read_string(rest);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_starts(*rest, words[i])) {
            *rest = str_skip(*rest, words[i].length);
            return true;
        }
    return read_number(rest);
}

/* Reads `"name":` when the innermost bracket is an object's. */
static bool read_name(struct str *rest, char bracket)
{
    if (bracket != '}')
        return true;
    if (!read_string(rest))
        return false;
    *rest = skip_space(*rest);
    if (!str_starts(*rest, STR(":")))
        return false;
    *rest = skip_space(str_skip(*rest, 1));
    return true;
}

bool wire_is_json(struct str text)
{
    char close[DEPTH_MAX];
    size_t depth = 0;
    bool wants_value = true;
    struct str rest = skip_space(text);
    if (!utf8_is_valid(text))
        return false;
    while (rest.length) {
        char c = rest.at[0];
        if (wants_value && (c == '[' || c == '{')) {
            if (depth == DEPTH_MAX)
                return false;
            close[depth++] = c == '[' ? ']' : '}';
            rest = skip_space(str_skip(rest, 1));
            wants_value = !(rest.length && rest.at[0] == close[depth - 1]);
            if (wants_value && !read_name(&rest, close[depth - 1]))
                return false;
        } else if (wants_value) {
            if (!read_scalar(&rest))
                return false;
            wants_value = false;
        } else if (depth && c == close[depth - 1]) {
            depth--;
            rest = str_skip(rest, 1);
        } else if (depth && c == ',') {
            rest = skip_space(str_skip(rest, 1));
            wants_value = true;
            if (!read_name(&rest, close[depth - 1]))
                return false;
        } else {
            return false;
        }
        rest = skip_space(rest);
    }
    return !wants_value && !depth;
}

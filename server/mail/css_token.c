#include "server/mail/css_token.h"

#include "server/base/utf8.h"

enum { ESCAPE_DIGITS_MAX = 6 };

static char peek(const struct css_lexer *lexer, size_t at)
{
    return at < lexer->rest.length ? lexer->rest.at[at] : '\0';
}

static bool is_newline(char c)
{
    return c == '\n' || c == '\r' || c == '\f';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || is_newline(c);
}

static bool is_name_start(char c)
{
    return ascii_is_alpha(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c)
{
    return is_name_start(c) || ascii_is_digit(c) || c == '-';
}

static bool is_hex(char c)
{
    char lower = ascii_lower(c);
    return ascii_is_digit(c) || (lower >= 'a' && lower <= 'f');
}

static bool is_escape(const struct css_lexer *lexer, size_t at)
{
    return peek(lexer, at) == '\\' && at + 1 < lexer->rest.length &&
           !is_newline(peek(lexer, at + 1));
}

/* Section 4.3.9: would an identifier start here? */
static bool starts_ident(const struct css_lexer *lexer, size_t at)
{
    char c = peek(lexer, at);
    if (c == '-') {
        char next = peek(lexer, at + 1);
        return is_name_start(next) || next == '-' || is_escape(lexer, at + 1);
    }
    return is_name_start(c) || is_escape(lexer, at);
}

/* Section 4.3.10: would a number start here? */
static bool starts_number(const struct css_lexer *lexer)
{
    size_t at = peek(lexer, 0) == '+' || peek(lexer, 0) == '-';
    at += peek(lexer, at) == '.';
    return ascii_is_digit(peek(lexer, at));
}

/* A token's text while it is read: a slice of the input until the first escape, a copy after it. */
struct taken {
    struct css_lexer *lexer;
    const char *start;
    struct buf copy;
    bool is_copied, is_bad;
};

static struct taken take_start(struct css_lexer *lexer)
{
    return (struct taken){.lexer = lexer,
                          .start = lexer->rest.at,
                          .copy = {.at = lexer->unescaped,
                                   .capacity = CSS_UNESCAPED_BYTES_MAX,
                                   .limit = CSS_UNESCAPED_BYTES_MAX - 1}};
}

static void take(struct taken *taken)
{
    if (taken->is_copied)
        buf_char(&taken->copy, taken->lexer->rest.at[0]);
    taken->lexer->rest = str_skip(taken->lexer->rest, 1);
}

static void begin_copy(struct taken *taken)
{
    if (taken->is_copied)
        return;
    taken->is_copied = true;
    buf_append(&taken->copy, taken->start, (size_t)(taken->lexer->rest.at - taken->start));
}

/* Section 4.3.7, at the backslash. */
static void take_escape(struct taken *taken)
{
    struct css_lexer *lexer = taken->lexer;
    begin_copy(taken);
    lexer->rest = str_skip(lexer->rest, 1);
    if (!is_hex(peek(lexer, 0))) {
        uint32_t c = utf8_next(&lexer->rest);
        utf8_write(&taken->copy, c ? c : UTF8_REPLACEMENT);
        return;
    }
    uint32_t value = 0;
    for (int i = 0; i < ESCAPE_DIGITS_MAX && is_hex(peek(lexer, 0)); i++) {
        char c = ascii_lower(lexer->rest.at[0]);
        value = value * 16 + (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
        lexer->rest = str_skip(lexer->rest, 1);
    }
    if (str_starts(lexer->rest, STR("\r\n")))
        lexer->rest = str_skip(lexer->rest, 2);
    else if (lexer->rest.length && is_space(lexer->rest.at[0]))
        lexer->rest = str_skip(lexer->rest, 1);
    if (!value || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        value = UTF8_REPLACEMENT;
    utf8_write(&taken->copy, value);
}

static struct str take_end(struct taken *taken)
{
    if (!taken->is_copied)
        return str_make(taken->start, (size_t)(taken->lexer->rest.at - taken->start));
    taken->is_bad = taken->copy.is_full;
    return buf_view(&taken->copy);
}

static struct str read_name(struct css_lexer *lexer, bool *is_bad)
{
    struct taken taken = take_start(lexer);
    while (lexer->rest.length) {
        if (is_name(lexer->rest.at[0]))
            take(&taken);
        else if (is_escape(lexer, 0))
            take_escape(&taken);
        else
            break;
    }
    struct str name = take_end(&taken);
    *is_bad = taken.is_bad;
    return name;
}

/* Section 4.3.5, at the quote. */
static struct css_token read_string(struct css_lexer *lexer)
{
    char quote = lexer->rest.at[0];
    lexer->rest = str_skip(lexer->rest, 1);
    struct taken taken = take_start(lexer);
    while (lexer->rest.length) {
        char c = lexer->rest.at[0];
        if (c == quote) {
            struct str text = take_end(&taken);
            lexer->rest = str_skip(lexer->rest, 1);
            return (struct css_token){.kind = taken.is_bad ? CSS_BAD : CSS_STRING, .text = text};
        }
        if (is_newline(c))
            break;
        if (is_escape(lexer, 0)) {
            take_escape(&taken);
        } else if (c == '\\') { /* the line goes on, or the input ends */
            begin_copy(&taken);
            lexer->rest = str_skip(lexer->rest, str_starts(lexer->rest, STR("\\\r\n")) ? 3 : 2);
        } else {
            take(&taken);
        }
    }
    return (struct css_token){.kind = CSS_BAD};
}

static void skip_space(struct css_lexer *lexer)
{
    while (lexer->rest.length && is_space(lexer->rest.at[0]))
        lexer->rest = str_skip(lexer->rest, 1);
}

/* Section 4.3.14: to the closing bracket of a url() that is none. */
static struct css_token bad_url(struct css_lexer *lexer)
{
    while (lexer->rest.length) {
        char c = lexer->rest.at[0];
        lexer->rest = str_skip(lexer->rest, c == '\\' ? 2 : 1);
        if (c == ')')
            break;
    }
    return (struct css_token){.kind = CSS_BAD};
}

/* Section 4.3.6, behind "url(": quoted ones too, since we treat both alike. */
static struct css_token read_url(struct css_lexer *lexer)
{
    skip_space(lexer);
    char first = peek(lexer, 0);
    struct css_token token = {.kind = CSS_URL};
    if (lexer->rest.length && (first == '"' || first == '\'')) {
        token = read_string(lexer);
        if (token.kind != CSS_STRING)
            return bad_url(lexer);
        token.kind = CSS_URL;
    } else {
        struct taken taken = take_start(lexer);
        while (lexer->rest.length && !is_space(lexer->rest.at[0]) && lexer->rest.at[0] != ')') {
            char c = lexer->rest.at[0];
            if (is_escape(lexer, 0))
                take_escape(&taken);
            else if (c == '"' || c == '\'' || c == '(' || c == '\\' || (unsigned char)c < ' ')
                return bad_url(lexer);
            else
                take(&taken);
        }
        token.text = take_end(&taken);
        if (taken.is_bad)
            return bad_url(lexer);
    }
    skip_space(lexer);
    if (peek(lexer, 0) != ')')
        return bad_url(lexer); /* unclosed: browsers would close it for the writer; we do not */
    lexer->rest = str_skip(lexer->rest, 1);
    return token;
}

/* Section 4.3.3 with 4.3.12. */
static struct css_token read_number(struct css_lexer *lexer)
{
    struct css_token token = {.kind = CSS_NUMBER, .unit = STR_EMPTY};
    size_t at = peek(lexer, 0) == '+' || peek(lexer, 0) == '-';
    while (ascii_is_digit(peek(lexer, at)))
        at++;
    if (peek(lexer, at) == '.' && ascii_is_digit(peek(lexer, at + 1)))
        for (at++; ascii_is_digit(peek(lexer, at));)
            at++;
    if (ascii_lower(peek(lexer, at)) == 'e') {
        size_t digits = at + 1;
        digits += peek(lexer, digits) == '+' || peek(lexer, digits) == '-';
        if (ascii_is_digit(peek(lexer, digits)))
            for (at = digits; ascii_is_digit(peek(lexer, at));)
                at++;
    }
    token.text = str_sub(lexer->rest, 0, at);
    lexer->rest = str_skip(lexer->rest, at);
    if (starts_ident(lexer, 0)) {
        bool is_bad;
        token.unit = read_name(lexer, &is_bad);
        if (is_bad)
            token.kind = CSS_BAD;
    } else if (peek(lexer, 0) == '%') {
        token.unit = str_sub(lexer->rest, 0, 1);
        lexer->rest = str_skip(lexer->rest, 1);
    }
    return token;
}

static struct css_token read_ident(struct css_lexer *lexer)
{
    bool is_bad;
    struct str name = read_name(lexer, &is_bad);
    enum css_kind kind = CSS_IDENT;
    if (peek(lexer, 0) == '(') {
        lexer->rest = str_skip(lexer->rest, 1);
        if (str_equal_nocase(name, STR("url")))
            return read_url(lexer);
        kind = CSS_FUNCTION;
    }
    return (struct css_token){.kind = is_bad ? CSS_BAD : kind, .text = name};
}

/* White space and comments at the front; an unclosed comment reaches to the end. */
static bool read_space(struct css_lexer *lexer)
{
    size_t before = lexer->rest.length;
    for (;;) {
        skip_space(lexer);
        if (!str_starts(lexer->rest, STR("/*")))
            return lexer->rest.length != before;
        ptrdiff_t end = str_find(str_skip(lexer->rest, 2), STR("*/"));
        lexer->rest = end < 0 ? STR_EMPTY : str_skip(lexer->rest, (size_t)end + 4);
    }
}

struct css_token css_next(struct css_lexer *lexer)
{
    if (read_space(lexer))
        return (struct css_token){.kind = CSS_SPACE};
    if (!lexer->rest.length)
        return (struct css_token){.kind = CSS_END};
    char c = lexer->rest.at[0];
    if (c == '"' || c == '\'')
        return read_string(lexer);
    if (starts_number(lexer))
        return read_number(lexer);
    if (starts_ident(lexer, 0))
        return read_ident(lexer);
    bool is_hash = c == '#' && (is_name(peek(lexer, 1)) || is_escape(lexer, 1));
    bool is_at = c == '@' && starts_ident(lexer, 1);
    lexer->rest = str_skip(lexer->rest, 1);
    if (!is_hash && !is_at)
        return (struct css_token){.kind = CSS_DELIM, .delim = c};
    bool is_bad;
    struct str name = read_name(lexer, &is_bad);
    return (struct css_token){.kind = is_bad ? CSS_BAD : is_hash ? CSS_HASH : CSS_AT, .text = name};
}

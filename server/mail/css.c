#include "server/mail/css.h"

#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/mail/css_private.h"

enum {
    VALUE_TOKENS_MAX = 100,
    BRACKETS_MAX = 8,       /* nested functions in a value */
    SKIP_BRACKETS_MAX = 64, /* deeper ones are skipped to the end of all */
    NAME_BYTES_MAX = 128,
    NUMBER_BYTES_MAX = 24,
    UNIT_BYTES_MAX = 5,
};

enum {
    SETS_COLOUR = 1,
    TAKES_STRINGS = 2,
    TAKES_PICTURE = 4,
};

struct property {
    const char *name;
    unsigned flags;
};

/* In byte order. Nothing that moves a box out of its place, runs, loads or generates content. */
static const struct property properties[] = {
    {"background", SETS_COLOUR | TAKES_PICTURE},
    {"background-attachment", 0},
    {"background-clip", 0},
    {"background-color", SETS_COLOUR},
    {"background-image", SETS_COLOUR | TAKES_PICTURE},
    {"background-origin", 0},
    {"background-position", 0},
    {"background-repeat", 0},
    {"background-size", 0},
    {"border", 0},
    {"border-bottom", 0},
    {"border-bottom-color", 0},
    {"border-bottom-left-radius", 0},
    {"border-bottom-right-radius", 0},
    {"border-bottom-style", 0},
    {"border-bottom-width", 0},
    {"border-collapse", 0},
    {"border-color", 0},
    {"border-left", 0},
    {"border-left-color", 0},
    {"border-left-style", 0},
    {"border-left-width", 0},
    {"border-radius", 0},
    {"border-right", 0},
    {"border-right-color", 0},
    {"border-right-style", 0},
    {"border-right-width", 0},
    {"border-spacing", 0},
    {"border-style", 0},
    {"border-top", 0},
    {"border-top-color", 0},
    {"border-top-left-radius", 0},
    {"border-top-right-radius", 0},
    {"border-top-style", 0},
    {"border-top-width", 0},
    {"border-width", 0},
    {"box-shadow", 0},
    {"box-sizing", 0},
    {"caption-side", 0},
    {"clear", 0},
    {"color", SETS_COLOUR},
    {"column-gap", 0},
    {"direction", 0},
    {"display", 0},
    {"empty-cells", 0},
    {"float", 0},
    {"font", TAKES_STRINGS},
    {"font-family", TAKES_STRINGS},
    {"font-size", 0},
    {"font-stretch", 0},
    {"font-style", 0},
    {"font-variant", 0},
    {"font-weight", 0},
    {"gap", 0},
    {"height", 0},
    {"letter-spacing", 0},
    {"line-height", 0},
    {"list-style", 0},
    {"list-style-position", 0},
    {"list-style-type", 0},
    {"margin", 0},
    {"margin-bottom", 0},
    {"margin-left", 0},
    {"margin-right", 0},
    {"margin-top", 0},
    {"max-height", 0},
    {"max-width", 0},
    {"min-height", 0},
    {"min-width", 0},
    {"opacity", 0},
    {"outline", 0},
    {"overflow", 0},
    {"overflow-wrap", 0},
    {"padding", 0},
    {"padding-bottom", 0},
    {"padding-left", 0},
    {"padding-right", 0},
    {"padding-top", 0},
    {"row-gap", 0},
    {"table-layout", 0},
    {"text-align", 0},
    {"text-decoration", 0},
    {"text-decoration-color", 0},
    {"text-decoration-line", 0},
    {"text-decoration-style", 0},
    {"text-indent", 0},
    {"text-overflow", 0},
    {"text-shadow", 0},
    {"text-transform", 0},
    {"unicode-bidi", 0},
    {"vertical-align", 0},
    {"visibility", 0},
    {"white-space", 0},
    {"width", 0},
    {"word-break", 0},
    {"word-spacing", 0},
    {"word-wrap", 0},
    {"writing-mode", 0},
};

static const struct {
    const char *name;
    bool is_colour;
} functions[] = {
    {"rgb", true},
    {"rgba", true},
    {"hsl", true},
    {"hsla", true},
    {"calc", false},
    {"min", false},
    {"max", false},
    {"clamp", false},
    {"linear-gradient", true},
    {"radial-gradient", true},
};

static int compare_property(const void *key, const void *row)
{
    return strcmp(key, ((const struct property *)row)->name);
}

static const struct property *find_property(struct str name)
{
    char lower[32];
    if (name.length >= sizeof lower || memchr(name.at, 0, name.length))
        return NULL;
    for (size_t i = 0; i < name.length; i++)
        lower[i] = ascii_lower(name.at[i]);
    lower[name.length] = '\0';
    return bsearch(lower, properties, sizeof properties / sizeof properties[0],
                   sizeof properties[0], compare_property);
}

bool css_is_plain_name(struct str name)
{
    if (!name.length || name.length > NAME_BYTES_MAX)
        return false;
    size_t first = 0;
    while (first < name.length && name.at[first] == '-')
        first++;
    /* "-1", "--": nothing that would need an escape to be a name again */
    if (first > 1 || first == name.length || ascii_is_digit(name.at[first]))
        return false;
    for (struct str rest = name; rest.length;) {
        char c = rest.at[0];
        if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_') {
            rest = str_skip(rest, 1);
            continue;
        }
        if ((unsigned char)c < 0x80)
            return false;
        uint32_t character = utf8_next(&rest);
        if (character < 0xa0 || character == UTF8_REPLACEMENT || utf8_is_noncharacter(character))
            return false; /* would be written as another name, or as none */
    }
    return true;
}

bool css_is_plain_number(const struct css_token *token)
{
    if (token->text.length > NUMBER_BYTES_MAX || token->unit.length > UNIT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < token->unit.length; i++)
        if (!ascii_is_alpha(token->unit.at[i]) && !(token->unit.at[i] == '%' && i == 0))
            return false;
    /* "1e3" is a number, and "1" with the unit "e3" would be written the same; letters alone are
     * no exponent, but "1e" and a sign behind it might become one: a gap follows every number. */
    return true;
}

bool css_is_class_name(struct str name)
{
    return css_is_plain_name(name) && !str_starts_nocase(name, STR("restante-"));
}

void css_write_gap(struct buf *out, size_t start, char next)
{
    if (out->length == start || next == ',' || next == ')')
        return;
    char last = out->at[out->length - 1];
    if (last != '(' && last != ',')
        buf_char(out, ' ');
}

/* Brackets open while something is passed over. */
struct brackets {
    char close[SKIP_BRACKETS_MAX];
    size_t count;
};

static void track_brackets(struct brackets *open, const struct css_token *token)
{
    char close = '\0';
    if (token->kind == CSS_FUNCTION || css_is(token, '('))
        close = ')';
    else if (css_is(token, '['))
        close = ']';
    else if (css_is(token, '{'))
        close = '}';
    if (close && open->count < SKIP_BRACKETS_MAX)
        open->close[open->count++] = close;
    else if (open->count && css_is(token, open->close[open->count - 1]))
        open->count--;
}

void css_skip_block(struct css_lexer *lexer)
{
    struct brackets open = {.close = "}", .count = 1};
    while (open.count) {
        struct css_token token = css_next(lexer);
        if (token.kind == CSS_END)
            return;
        track_brackets(&open, &token);
    }
}

/* From `token` on, inside `depth` round brackets, to the ";" or the "}" (true) that ends a
 * declaration that is left out. */
static bool skip_declaration(struct css_lexer *lexer, struct css_token token, unsigned depth)
{
    struct brackets open = {.count = depth};
    memset(open.close, ')', depth);
    for (;; token = css_next(lexer)) {
        if (token.kind == CSS_END)
            return true;
        if (!open.count && css_is(&token, ';'))
            return false;
        if (!open.count && css_is(&token, '}'))
            return true;
        track_brackets(&open, &token);
    }
}

struct value {
    struct buf *out;
    size_t start; /* where in `out` the value begins */
    const struct property *property;
    const struct css_options *options;
    unsigned bracket_count; /* "(" open */
    bool is_calculation;    /* inside calc() and its like operators and brackets may stand */
    bool is_important;
    bool has_colour;
};

static bool is_neutral(struct str ident)
{
    static const char *const words[] = {"none",   "inherit",     "initial",     "unset",
                                        "revert", "transparent", "currentcolor"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_equal_nocase(ident, str_of(words[i])))
            return true;
    return false;
}

static bool write_function(struct value *v, struct str name)
{
    if (v->bracket_count == BRACKETS_MAX)
        return false;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!str_equal_nocase(name, str_of(functions[i].name)))
            continue;
        css_write_gap(v->out, v->start, 'f');
        buf_text(v->out, functions[i].name);
        buf_char(v->out, '(');
        v->has_colour = v->has_colour || functions[i].is_colour;
        v->is_calculation = v->is_calculation || !functions[i].is_colour;
        v->bracket_count++;
        return true;
    }
    return false;
}

/* Names of fonts; anything that would need an escape is refused. */
static bool write_string(struct value *v, struct str text)
{
    if (!(v->property->flags & TAKES_STRINGS) || text.length > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool is_plain = ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80;
        if (!is_plain && c != ' ' && c != '-' && c != '_' && c != '.')
            return false;
    }
    if (!utf8_is_valid(text))
        return false;
    css_write_gap(v->out, v->start, '"');
    buf_char(v->out, '"');
    buf_str(v->out, text);
    return buf_char(v->out, '"');
}

/* A picture that may not be shown leaves the rest of its declaration standing. */
static bool write_url(struct value *v, struct str url)
{
    if (!(v->property->flags & TAKES_PICTURE) || v->bracket_count)
        return false;
    struct buf clean = BUF_INIT(CSS_UNESCAPED_BYTES_MAX - 8);
    if (v->options->picture && v->options->picture(v->options->context, url, &clean)) {
        css_write_gap(v->out, v->start, 'u');
        buf_text(v->out, "url(\"");
        buf_str(v->out, buf_view(&clean));
        buf_text(v->out, "\")");
    }
    buf_free(&clean);
    return true;
}

static bool write_delim(struct value *v, char delim)
{
    if (delim == ')') {
        if (!v->bracket_count)
            return false;
        v->bracket_count--;
        v->is_calculation = v->is_calculation && v->bracket_count;
        return buf_char(v->out, ')');
    }
    if (delim == '(') {
        if (!v->is_calculation || v->bracket_count == BRACKETS_MAX)
            return false;
        v->bracket_count++;
    } else if (delim != ',' && delim != '/' &&
               !(v->is_calculation && (delim == '+' || delim == '-' || delim == '*'))) {
        return false;
    }
    css_write_gap(v->out, v->start, delim);
    return buf_char(v->out, delim);
}

static bool write_token(struct value *v, const struct css_token *token)
{
    if (v->is_important) /* nothing comes behind it */
        return false;
    switch (token->kind) {
    case CSS_IDENT:
        if (!css_is_plain_name(token->text))
            return false;
        css_write_gap(v->out, v->start, 'i');
        v->has_colour = v->has_colour || !is_neutral(token->text);
        return buf_str(v->out, token->text);
    case CSS_NUMBER:
        if (!css_is_plain_number(token))
            return false;
        css_write_gap(v->out, v->start, '1');
        buf_str(v->out, token->text);
        return buf_str(v->out, token->unit);
    case CSS_HASH:
        for (size_t i = 0; i < token->text.length; i++)
            if (!ascii_is_alpha(token->text.at[i]) && !ascii_is_digit(token->text.at[i]))
                return false;
        if (token->text.length > 8)
            return false;
        css_write_gap(v->out, v->start, '#');
        buf_char(v->out, '#');
        v->has_colour = true;
        return buf_str(v->out, token->text);
    case CSS_STRING:
        return write_string(v, token->text);
    case CSS_URL:
        return write_url(v, token->text);
    case CSS_FUNCTION:
        return write_function(v, token->text);
    case CSS_DELIM:
        return write_delim(v, token->delim);
    case CSS_AT:
    case CSS_BAD:
    case CSS_SPACE:
    case CSS_END:
        return false;
    }
    return false;
}

/* "!" was read; true when "important" follows. */
static bool read_important(struct css_lexer *lexer, struct css_token *token)
{
    *token = css_next(lexer);
    if (token->kind == CSS_SPACE)
        *token = css_next(lexer);
    return token->kind == CSS_IDENT && str_equal_nocase(token->text, STR("important"));
}

/* Reads a value to its end and writes it; true when it was good. `*at_end` when no declaration can
 * follow. */
static bool read_value(struct css_lexer *lexer, struct value *v, bool *at_end)
{
    for (unsigned count = 0;;) {
        struct css_token token = css_next(lexer);
        if (token.kind == CSS_SPACE)
            continue;
        bool ends = token.kind == CSS_END ||
                    (!v->bracket_count && (css_is(&token, ';') || css_is(&token, '}')));
        if (ends) {
            *at_end = !css_is(&token, ';');
            return !v->bracket_count && v->out->length > v->start;
        }
        bool is_good = ++count <= VALUE_TOKENS_MAX;
        if (is_good && css_is(&token, '!') && !v->bracket_count && !v->is_important)
            v->is_important = is_good = read_important(lexer, &token);
        else if (is_good)
            is_good = write_token(v, &token);
        if (!is_good) {
            *at_end = skip_declaration(lexer, token, v->bracket_count);
            return false;
        }
    }
}

/* From behind the name. Appends the declaration when it is good. */
static bool read_declaration(struct css_lexer *lexer, struct buf *out,
                             const struct css_options *options, const struct property *property,
                             bool *sets_colour)
{
    bool at_end = false;
    struct css_token token = css_next(lexer);
    if (token.kind == CSS_SPACE)
        token = css_next(lexer);
    if (!property || !css_is(&token, ':'))
        return skip_declaration(lexer, token, 0);
    size_t before = out->length;
    if (before && out->at[before - 1] != '{')
        buf_char(out, ';');
    buf_text(out, property->name);
    buf_char(out, ':');
    struct value v = {.out = out, .start = out->length, .property = property, .options = options};
    bool is_good = read_value(lexer, &v, &at_end);
    if (is_good && v.is_important)
        is_good = buf_text(out, " !important");
    if (is_good && !out->is_full)
        *sets_colour = *sets_colour || (v.has_colour && property->flags & SETS_COLOUR);
    else
        out->length = before;
    return at_end;
}

bool css_read_declarations(struct css_lexer *lexer, struct buf *out,
                           const struct css_options *options)
{
    bool sets_colour = false;
    for (;;) {
        struct css_token token = css_next(lexer);
        if (token.kind == CSS_END || css_is(&token, '}'))
            return sets_colour;
        if (token.kind == CSS_SPACE || css_is(&token, ';'))
            continue;
        bool at_end =
            token.kind == CSS_IDENT
                ? read_declaration(lexer, out, options, find_property(token.text), &sets_colour)
                : skip_declaration(lexer, token, 0);
        if (at_end)
            return sets_colour;
    }
}

bool css_clean_declarations(struct buf *out, struct str text, const struct css_options *options)
{
    struct css_lexer lexer;
    css_lexer_start(&lexer, text);
    struct buf clean = BUF_INIT(out->limit - out->length);
    bool sets_colour = css_read_declarations(&lexer, &clean, options);
    buf_str(out, buf_view(&clean));
    buf_free(&clean);
    return sets_colour;
}

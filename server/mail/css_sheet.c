#include "server/mail/css.h"
#include "server/mail/css_private.h"

enum {
    SELECTOR_PARTS_MAX = 32,
    PRELUDE_TOKENS_MAX = 64,
};

static const struct css_options no_pictures = {0};

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(word, str_of(words[i])))
            return true;
    return false;
}

static void write_lower(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.length; i++)
        buf_char(out, ascii_lower(name.at[i]));
}

/* One selector while it is read. */
struct selector {
    struct buf *out;
    size_t start;      /* where in `out` it begins */
    unsigned parts;    /* names and classes so far */
    bool has_compound; /* something stands since the last combinator */
    char combinator;   /* read and not yet written; NUL: none */
};

/* Called before each part: the combinator in front of it, if any. */
static bool begin_part(struct selector *s)
{
    if (++s->parts > SELECTOR_PARTS_MAX)
        return false;
    if (s->combinator && s->out->length == s->start && s->combinator != ' ')
        return false; /* nothing in front of the combinator */
    if (s->combinator && s->out->length > s->start)
        buf_char(s->out, s->combinator);
    s->combinator = '\0';
    s->has_compound = true;
    return true;
}

static bool read_class(struct selector *s, struct css_lexer *lexer, struct css_token *token)
{
    *token = css_next(lexer);
    if (token->kind != CSS_IDENT || !css_is_class_name(token->text) || !begin_part(s))
        return false;
    buf_char(s->out, '.');
    return buf_str(s->out, token->text);
}

static bool read_pseudo(struct selector *s, struct css_lexer *lexer, struct css_token *token)
{
    static const char *const names[] = {
        "hover",      "link",          "active",       "focus",      "first-child",
        "last-child", "first-of-type", "last-of-type", "only-child", "root"};
    *token = css_next(lexer);
    if (token->kind != CSS_IDENT ||
        !is_one_of(token->text, names, sizeof names / sizeof names[0]) || !begin_part(s))
        return false;
    buf_char(s->out, ':');
    write_lower(s->out, token->text);
    return true;
}

static bool read_selector_token(struct selector *s, struct css_lexer *lexer,
                                struct css_token *token)
{
    bool starts_compound = !s->has_compound || s->combinator;
    if (token->kind == CSS_SPACE) {
        if (!s->combinator)
            s->combinator = ' ';
        return true;
    }
    if (token->kind == CSS_IDENT) {
        if (!starts_compound || !css_is_plain_name(token->text) || !begin_part(s))
            return false;
        write_lower(s->out, token->text);
        return true;
    }
    if (token->kind != CSS_DELIM)
        return false;
    switch (token->delim) {
    case '*':
        return starts_compound && begin_part(s) && buf_char(s->out, '*');
    case '.':
        return read_class(s, lexer, token);
    case ':':
        return read_pseudo(s, lexer, token);
    case '>':
    case '+':
    case '~':
        if (s->combinator && s->combinator != ' ')
            return false;
        s->combinator = token->delim;
        return true;
    default:
        return false;
    }
}

/* Passes over a selector that is left out; `*token` becomes what ends it: "," "{" or the end. */
static void skip_selector(struct css_lexer *lexer, struct css_token *token)
{
    unsigned depth = 0;
    for (;; *token = css_next(lexer)) {
        if (token->kind == CSS_END || css_is(token, '{') || (!depth && css_is(token, ',')))
            return;
        if (token->kind == CSS_FUNCTION || css_is(token, '(') || css_is(token, '['))
            depth++;
        else if (depth && (css_is(token, ')') || css_is(token, ']')))
            depth--;
    }
}

/* Reads selectors up to the "{"; appends the good ones. False at the end of the sheet. */
static bool read_selectors(struct css_lexer *lexer, struct buf *out, struct css_token token)
{
    size_t list = out->length;
    for (;; token = css_next(lexer)) {
        size_t before = out->length;
        if (before > list)
            buf_char(out, ',');
        struct selector s = {.out = out, .start = out->length};
        bool is_good = true;
        while (is_good && token.kind != CSS_END && !css_is(&token, ',') && !css_is(&token, '{')) {
            is_good = read_selector_token(&s, lexer, &token);
            if (is_good)
                token = css_next(lexer);
        }
        is_good = is_good && s.parts && (!s.combinator || s.combinator == ' ');
        if (!is_good) {
            out->length = before;
            skip_selector(lexer, &token);
        }
        if (token.kind == CSS_END)
            return false;
        if (css_is(&token, '{'))
            return true;
    }
}

static bool read_rule(struct css_lexer *lexer, struct buf *out, struct css_token first)
{
    size_t before = out->length;
    bool has_block = read_selectors(lexer, out, first);
    if (!has_block || out->length == before) {
        out->length = before;
        if (has_block)
            css_skip_block(lexer);
        return false;
    }
    buf_char(out, '{');
    size_t block = out->length;
    bool sets_colour = css_read_declarations(lexer, out, &no_pictures);
    if (out->length == block || !buf_char(out, '}')) {
        out->length = before;
        return false;
    }
    return sets_colour;
}

/* Inside the brackets of a media query: "max-width: 600px". */
static bool write_feature_token(struct buf *out, size_t start, const struct css_token *token)
{
    static const char *const words[] = {"width",
                                        "min-width",
                                        "max-width",
                                        "height",
                                        "min-height",
                                        "max-height",
                                        "device-width",
                                        "min-device-width",
                                        "max-device-width",
                                        "device-height",
                                        "orientation",
                                        "portrait",
                                        "landscape",
                                        "prefers-color-scheme",
                                        "dark",
                                        "light",
                                        "min-resolution",
                                        "-webkit-min-device-pixel-ratio"};
    if (token->kind == CSS_IDENT && is_one_of(token->text, words, sizeof words / sizeof words[0])) {
        css_write_gap(out, start, 'i');
        write_lower(out, token->text);
        return true;
    }
    if (token->kind == CSS_NUMBER && css_is_plain_number(token)) {
        css_write_gap(out, start, '1');
        buf_str(out, token->text);
        return buf_str(out, token->unit);
    }
    return css_is(token, ':') && buf_char(out, ':');
}

/* Reads a media query list up to its "{" and writes it; false when it has what we do not know. */
static bool read_media(struct css_lexer *lexer, struct buf *out, struct css_token *token)
{
    static const char *const words[] = {"all", "screen", "print", "only", "and", "not"};
    size_t start = out->length;
    bool is_in_feature = false;
    for (unsigned count = 0; count < PRELUDE_TOKENS_MAX;) {
        *token = css_next(lexer);
        bool is_good = true;
        if (css_is(token, '{'))
            return !is_in_feature && out->length > start;
        if (token->kind == CSS_SPACE)
            continue;
        count++;
        if (is_in_feature && css_is(token, ')')) {
            is_in_feature = false;
            buf_char(out, ')');
        } else if (is_in_feature) {
            is_good = write_feature_token(out, start, token);
        } else if (css_is(token, '(')) {
            is_in_feature = true;
            css_write_gap(out, start, '(');
            buf_char(out, '(');
        } else if (css_is(token, ',')) {
            buf_char(out, ',');
        } else if (token->kind == CSS_IDENT &&
                   is_one_of(token->text, words, sizeof words / sizeof words[0])) {
            css_write_gap(out, start, 'i');
            write_lower(out, token->text);
        } else {
            is_good = false;
        }
        if (!is_good)
            return false;
    }
    return false;
}

/* Passes over an at-rule: to its ";" or the end of its block. */
static void skip_at_rule(struct css_lexer *lexer, struct css_token token)
{
    for (; token.kind != CSS_END && !css_is(&token, ';'); token = css_next(lexer))
        if (css_is(&token, '{')) {
            css_skip_block(lexer);
            return;
        }
}

static bool read_rules(struct css_lexer *lexer, struct buf *out, bool is_in_media);

static bool read_at_rule(struct css_lexer *lexer, struct buf *out, struct css_token token,
                         bool is_in_media)
{
    if (is_in_media || !str_equal_nocase(token.text, STR("media"))) {
        skip_at_rule(lexer, token);
        return false;
    }
    size_t before = out->length;
    buf_text(out, "@media ");
    if (!read_media(lexer, out, &token)) {
        out->length = before;
        skip_at_rule(lexer, token);
        return false;
    }
    buf_char(out, '{');
    size_t block = out->length;
    bool sets_colour = read_rules(lexer, out, true);
    if (out->length == block || !buf_char(out, '}')) {
        out->length = before;
        return false;
    }
    return sets_colour;
}

static bool read_rules(struct css_lexer *lexer, struct buf *out, bool is_in_media)
{
    bool sets_colour = false;
    for (;;) {
        struct css_token token = css_next(lexer);
        if (token.kind == CSS_END || (is_in_media && css_is(&token, '}')))
            return sets_colour;
        /* "<!--" and "-->" are left from browsers that knew no CSS. */
        if (str_starts(lexer->rest, STR("!--")) && css_is(&token, '<'))
            lexer->rest = str_skip(lexer->rest, 3);
        else if (token.kind == CSS_IDENT && str_equal(token.text, STR("--")) &&
                 str_starts(lexer->rest, STR(">")))
            lexer->rest = str_skip(lexer->rest, 1);
        else if (token.kind == CSS_AT)
            sets_colour |= read_at_rule(lexer, out, token, is_in_media);
        else if (token.kind != CSS_SPACE && !css_is(&token, ';') && !css_is(&token, '}'))
            sets_colour |= read_rule(lexer, out, token);
    }
}

bool css_clean_sheet(struct buf *out, struct str text)
{
    struct css_lexer lexer;
    css_lexer_start(&lexer, text);
    struct buf clean = BUF_INIT(out->limit - out->length);
    bool sets_colour = read_rules(&lexer, &clean, false);
    if (!clean.is_full)
        buf_str(out, buf_view(&clean));
    buf_free(&clean);
    return sets_colour;
}

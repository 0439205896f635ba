#include "server/base/utf8.h"
#include "server/mail/html_entity.h"
#include "server/mail/html_fast_private.h"

/* Tokens of HTML (WHATWG HTML, 13.2.5), as far as they are written as they should be, or broken in
 * ways that all mail is. Line ends are "\n" already and there is no NUL. */

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\f';
}

static bool is_alphanumeric(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

static char front(struct str rest)
{
    return rest.length ? rest.at[0] : '\0';
}

/* --- character references --------------------------------------------------------------------- */

/* Old names in capitals, which html_entity() does not know. */
static bool starts_in_capitals(struct str name)
{
    static const char *const names[] = {"AMP", "COPY", "GT", "LT", "QUOT", "REG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_starts(name, str_of(names[i])))
            return true;
    return false;
}

/* The reference at the front of `rest`: its length, 0 when it is text, and -1 when unsure. */
static ptrdiff_t reference(struct str rest, bool in_attribute, uint32_t *character)
{
    if (rest.length > 1 && rest.at[1] == '#')
        return (ptrdiff_t)html_entity(rest, character);
    size_t run = 1;
    while (run < rest.length && is_alphanumeric(rest.at[run]))
        run++;
    if (run == 1)
        return 0;
    char behind = run < rest.length ? rest.at[run] : '\0';
    struct str name = str_sub(rest, 1, run - 1);
    if (in_attribute && behind == '=')
        return 0; /* 13.2.5.73: for historical reasons */
    if (starts_in_capitals(name))
        return -1;
    size_t length = html_entity(rest, character);
    if (behind == ';')
        return length == run + 1 ? (ptrdiff_t)length : -1;
    return in_attribute && length != run ? 0 : (ptrdiff_t)length;
}

/* Undoes the references in text; false when unsure. What comes out is never longer. */
static bool decode(struct html_lexer *lexer, struct str raw, bool in_attribute, struct str *decoded)
{
    const char *ampersand = raw.length ? memchr(raw.at, '&', raw.length) : NULL;
    *decoded = raw;
    if (!ampersand)
        return true;
    struct buf text = BUF_INIT(raw.length + 4);
    while (ampersand) {
        size_t run = (size_t)(ampersand - raw.at);
        buf_append(&text, raw.at, run);
        raw = str_skip(raw, run);
        uint32_t character;
        ptrdiff_t length = reference(raw, in_attribute, &character);
        if (length < 0) {
            buf_free(&text);
            return false;
        }
        if (length)
            utf8_write(&text, character);
        else
            buf_char(&text, '&');
        raw = str_skip(raw, length ? (size_t)length : 1);
        ampersand = raw.length ? memchr(raw.at, '&', raw.length) : NULL;
    }
    buf_str(&text, raw);
    bool is_good = !text.is_full;
    *decoded = arena_str(lexer->arena, buf_view(&text));
    buf_free(&text);
    return is_good;
}

/* --- tags ------------------------------------------------------------------------------------- */

static bool keep_attribute(struct html_lexer *lexer, struct html_token *token, struct str name,
                           struct str raw)
{
    const struct html_attribute_row *row = html_attribute_find(name, token->tag);
    if (!row) {
        token->is_incomplete = true;
        return true;
    }
    for (unsigned i = 0; i < token->attribute_count; i++)
        if (token->attributes[i].row == row)
            return true; /* the first of two counts */
    struct html_attribute_value *kept = &token->attributes[token->attribute_count++];
    kept->row = row;
    return decode(lexer, raw, true, &kept->value);
}

/* The value behind "=" and white space; false when unsure. */
static bool read_value(struct str *rest, struct str *value)
{
    char first = front(*rest);
    if (first == '"' || first == '\'') {
        const char *end = memchr(rest->at + 1, first, rest->length - 1);
        if (!end)
            return false;
        *value = str_make(rest->at + 1, (size_t)(end - rest->at) - 1);
        *rest = str_skip(*rest, value->length + 2);
        return true;
    }
    if (!first || strchr("><=`", first))
        return false;
    size_t length = 1;
    while (length < rest->length && !is_white(rest->at[length]) && rest->at[length] != '>')
        length++;
    *value = str_sub(*rest, 0, length);
    *rest = str_skip(*rest, length);
    return true;
}

/* Notes the name; false when the tag has it already, or too many to tell, and there is no value:
 * gumbo forgets the value of what follows a second one without. */
static bool note_name(struct html_token *token, struct str name, bool has_value)
{
    for (unsigned i = 0; i < token->name_count && !has_value; i++)
        if (str_equal_nocase(token->names[i], name))
            return false;
    if (token->name_count == HTML_NAMES_MAX)
        return has_value;
    token->names[token->name_count++] = name;
    return true;
}

/* An attribute; false when unsure. */
static bool read_attribute(struct html_lexer *lexer, struct html_token *token, struct str *rest)
{
    size_t length = 0;
    for (; length < rest->length; length++) {
        char c = rest->at[length];
        if (is_white(c) || c == '/' || c == '>' || (c == '=' && length))
            break;
        if (c == '"' || c == '\'' || c == '<' || c == '=')
            return false;
    }
    struct str name = str_sub(*rest, 0, length), value = STR_EMPTY;
    *rest = str_skip(*rest, length);
    struct str behind = *rest;
    while (is_white(front(behind)))
        behind = str_skip(behind, 1);
    bool has_value = front(behind) == '=';
    if (!note_name(token, name, has_value))
        return false;
    if (has_value) {
        behind = str_skip(behind, 1);
        while (is_white(front(behind)))
            behind = str_skip(behind, 1);
        if (!read_value(&behind, &value))
            return false;
        *rest = behind;
    }
    return token->kind == HTML_TOKEN_END_TAG || keep_attribute(lexer, token, name, value);
}

/* The tag whose name is at the front of `rest`. */
static bool read_tag(struct html_lexer *lexer, struct html_token *token, struct str rest)
{
    size_t length = 1;
    while (length < rest.length && !is_white(rest.at[length]) && rest.at[length] != '/' &&
           rest.at[length] != '>')
        length++;
    token->tag = gumbo_tagn_enum(rest.at, (unsigned)length);
    token->is_self_closing = token->is_incomplete = false;
    token->attribute_count = token->name_count = 0;
    rest = str_skip(rest, length);
    while (rest.length) {
        char c = rest.at[0];
        if (c == '>') {
            lexer->rest = str_skip(rest, 1);
            return true;
        }
        token->is_self_closing = c == '/' && rest.length > 1 && rest.at[1] == '>';
        if (is_white(c) || c == '/')
            rest = str_skip(rest, 1);
        else if (!read_attribute(lexer, token, &rest))
            return false;
    }
    return false;
}

/* --- what is no markup ------------------------------------------------------------------------ */

/* Text up to what a parser reads as markup. */
static bool read_text(struct html_lexer *lexer, struct html_token *token)
{
    struct str rest = lexer->rest;
    const char *end = rest.at + rest.length, *at = rest.at;
    while (at < end) {
        at = memchr(at, '<', (size_t)(end - at));
        if (!at)
            at = end;
        else if (at + 1 == end)
            return false;
        else if (ascii_is_alpha(at[1]) || strchr("/!?", at[1]))
            break;
        else
            at++;
    }
    struct str raw = str_sub(rest, 0, (size_t)(at - rest.at));
    lexer->rest = str_skip(rest, raw.length);
    return decode(lexer, raw, false, &token->text);
}

static bool skip_to_bracket(struct html_lexer *lexer)
{
    ptrdiff_t end = str_find_char(lexer->rest, '>');
    if (end < 0)
        return false;
    lexer->rest = str_skip(lexer->rest, (size_t)end + 1);
    return true;
}

/* "<!-- ... -->" whose end is not to be argued about. */
static bool skip_comment(struct html_lexer *lexer)
{
    struct str rest = str_skip(lexer->rest, 4);
    if (front(rest) == '>' || str_starts(rest, STR("->")))
        return false;
    for (;;) {
        ptrdiff_t at = str_find(rest, STR("--"));
        if (at < 0)
            return false;
        rest = str_skip(rest, (size_t)at);
        char behind = rest.length > 2 ? rest.at[2] : '\0';
        if (behind == '!')
            return false;
        rest = str_skip(rest, behind == '>' ? 3 : 1);
        if (behind == '>')
            break;
    }
    lexer->rest = rest;
    return true;
}

bool html_lexer_raw(struct html_lexer *lexer, GumboTag tag, struct str *content)
{
    struct str name = str_of(gumbo_normalized_tagname(tag)), rest = lexer->rest;
    for (;;) {
        ptrdiff_t at = str_find(rest, STR("</"));
        if (at < 0)
            return false;
        rest = str_skip(rest, (size_t)at + 2);
        if (!str_starts_nocase(rest, name))
            continue;
        struct str behind = str_skip(rest, name.length);
        while (is_white(front(behind)))
            behind = str_skip(behind, 1);
        if (front(behind) != '>') {
            if (behind.length && behind.at == rest.at + name.length && front(behind) != '/')
                continue; /* a longer name */
            return false;
        }
        *content = str_make(lexer->rest.at, (size_t)(rest.at - lexer->rest.at) - 2);
        lexer->rest = str_skip(behind, 1);
        /* Scripts have rules of their own behind "<!--". */
        return tag != GUMBO_TAG_SCRIPT || str_find(*content, STR("<!--")) < 0;
    }
}

void html_lexer_next(struct html_lexer *lexer, struct html_token *token)
{
    bool is_good = true;
    while (is_good) {
        struct str rest = lexer->rest;
        char second = rest.length > 1 ? rest.at[1] : '\0';
        char third = rest.length > 2 ? rest.at[2] : '\0';
        if (!rest.length) {
            token->kind = HTML_TOKEN_END;
            return;
        }
        bool is_tag = rest.at[0] == '<' && ascii_is_alpha(second);
        bool is_end = rest.at[0] == '<' && second == '/' && ascii_is_alpha(third);
        if (is_tag || is_end) {
            token->kind = is_tag ? HTML_TOKEN_START_TAG : HTML_TOKEN_END_TAG;
            is_good = read_tag(lexer, token, str_skip(rest, is_tag ? 1 : 2));
        } else if (rest.at[0] != '<' || !second || !strchr("/!?", second)) {
            token->kind = HTML_TOKEN_TEXT;
            is_good = read_text(lexer, token);
        } else {
            /* "</>" is nothing; other "</" are comments, as are "<!" and "<?". */
            is_good = str_starts(rest, STR("<!--")) ? skip_comment(lexer)
                                                    : third && skip_to_bracket(lexer);
            continue;
        }
        if (is_good)
            return;
    }
    token->kind = HTML_TOKEN_UNSURE;
}

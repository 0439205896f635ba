#include "server/imap/lex_private.h"

void lex_begin(struct lexer *lex, struct arena *arena, const struct imap_text *text)
{
    *lex = (struct lexer){.arena = arena,
                          .text = text->bytes,
                          .literals = text->literals,
                          .literal_count = text->literal_count,
                          .nodes = IMAP_NODES_MAX};
}

bool lex_is_end(const struct lexer *lex)
{
    return lex->at >= lex->text.length;
}

char lex_peek(const struct lexer *lex)
{
    return lex_is_end(lex) ? '\0' : lex->text.at[lex->at];
}

bool lex_take(struct lexer *lex, char c)
{
    if (lex_is_end(lex) || lex->text.at[lex->at] != c)
        return false;
    lex->at++;
    return true;
}

void lex_spaces(struct lexer *lex)
{
    while (lex_take(lex, ' '))
        ;
}

struct str lex_rest(struct lexer *lex)
{
    struct str rest = str_skip(lex->text, lex->at);
    lex->at = lex->text.length;
    return rest;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '(' || c == ')' || c == '"';
}

bool lex_word(struct lexer *lex, struct str *word)
{
    size_t end = lex->at;
    while (end < lex->text.length && !ends_word(lex->text.at[end]))
        end++;
    if (end == lex->at)
        return false;
    *word = str_sub(lex->text, lex->at, end - lex->at);
    lex->at = end;
    return true;
}

bool lex_item(struct lexer *lex, struct str *item)
{
    size_t end = lex->at;
    bool is_inside = false;
    while (end < lex->text.length && (is_inside || !ends_word(lex->text.at[end]))) {
        char c = lex->text.at[end++];
        is_inside = (is_inside || c == '[') && c != ']';
    }
    if (end == lex->at)
        return false;
    *item = str_sub(lex->text, lex->at, end - lex->at);
    lex->at = end;
    return true;
}

bool lex_is_word(struct lexer *lex, struct str expected)
{
    size_t before = lex->at;
    struct str word;
    if (lex_word(lex, &word) && str_equal_nocase(word, expected))
        return true;
    lex->at = before;
    return false;
}

bool lex_number(struct lexer *lex, uint64_t *number)
{
    size_t end = lex->at;
    while (end < lex->text.length && ascii_is_digit(lex->text.at[end]))
        end++;
    if (!str_to_u64(str_sub(lex->text, lex->at, end - lex->at), number))
        return false;
    lex->at = end;
    return true;
}

bool lex_u32(struct lexer *lex, uint32_t *number)
{
    size_t before = lex->at;
    uint64_t wide;
    if (!lex_number(lex, &wide))
        return false;
    if (wide > UINT32_MAX) {
        lex->at = before;
        return false;
    }
    *number = (uint32_t)wide;
    return true;
}

/* --- strings ---------------------------------------------------------------------------------- */

static bool lex_literal(struct lexer *lex, struct lex_string *string)
{
    while (lex->next_literal < lex->literal_count &&
           lex->literals[lex->next_literal].marker < lex->at)
        lex->next_literal++;
    if (lex->next_literal >= lex->literal_count ||
        lex->literals[lex->next_literal].marker != lex->at)
        return false;
    const struct imap_literal *literal = &lex->literals[lex->next_literal++];
    *string = (struct lex_string){.text = str_sub(lex->text, literal->at, literal->held),
                                  .literal = literal};
    lex->at = literal->at + literal->held;
    return true;
}

/* Where the closing quote is: the first that is followed by what may follow a string. Quotes within
 * (iCloud's Message-IDs, mailcore2#1967) are followed by something else. -1: none. */
static ptrdiff_t closing_quote(const struct lexer *lex, bool *has_escapes)
{
    ptrdiff_t first = -1;
    for (size_t i = lex->at + 1; i < lex->text.length; i++) {
        char c = lex->text.at[i];
        if (c == '\\' && i + 1 < lex->text.length) {
            *has_escapes = true;
            i++;
            continue;
        }
        if (c != '"')
            continue;
        char after = i + 1 < lex->text.length ? lex->text.at[i + 1] : ')';
        if (after == ' ' || after == ')' || after == '(' || after == ']' || after == '"')
            return (ptrdiff_t)i;
        if (first < 0)
            first = (ptrdiff_t)i;
        if (i - lex->at > 512) /* longer than any Message-ID: bounds the looking ahead */
            break;
    }
    return first;
}

static struct str unescape(struct lexer *lex, struct str raw)
{
    char *copy = arena_alloc(lex->arena, raw.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        if (raw.at[i] == '\\' && i + 1 < raw.length)
            i++;
        copy[length++] = raw.at[i];
    }
    return str_make(copy, length);
}

static bool lex_quoted(struct lexer *lex, struct str *text)
{
    bool has_escapes = false;
    ptrdiff_t end = closing_quote(lex, &has_escapes);
    if (end < 0)
        return false;
    struct str raw = str_sub(lex->text, lex->at + 1, (size_t)end - lex->at - 1);
    *text = has_escapes ? unescape(lex, raw) : raw;
    lex->at = (size_t)end + 1;
    return true;
}

bool lex_string(struct lexer *lex, struct lex_string *string)
{
    *string = (struct lex_string){.text = STR_EMPTY};
    char c = lex_peek(lex);
    if ((c == '{' || c == '~') && lex_literal(lex, string))
        return true;
    if (c == '"')
        return lex_quoted(lex, &string->text);
    if (!lex_word(lex, &string->text))
        return false;
    if (str_equal_nocase(string->text, STR("NIL"))) {
        string->is_nil = true;
        string->text = STR_EMPTY;
    }
    return true;
}

bool lex_text(struct lexer *lex, struct str *text)
{
    struct lex_string string;
    if (!lex_string(lex, &string))
        return false;
    *text = string.text;
    return true;
}

bool lex_skip(struct lexer *lex)
{
    size_t before = lex->at, literal_before = lex->next_literal, depth = 0;
    do {
        lex_spaces(lex);
        struct lex_string unused;
        if (lex_take(lex, '('))
            depth++;
        else if (depth && lex_take(lex, ')'))
            depth--;
        else if (!lex_string(lex, &unused)) {
            lex->at = before;
            lex->next_literal = literal_before;
            return false;
        }
    } while (depth);
    return true;
}

/* --- the budget ------------------------------------------------------------------------------- */

bool lex_node(struct lexer *lex)
{
    if (!lex->nodes)
        return false;
    lex->nodes--;
    return true;
}

void *lex_grow(struct lexer *lex, void *array, size_t *count, size_t size)
{
    if (!lex_node(lex))
        return NULL;
    if (*count & (*count - 1)) {
        ++*count;
        return array;
    }
    /* Room for 1, 2, 4, 8, ... elements: full exactly when the count is a power of two. */
    char *grown = arena_array(lex->arena, *count ? *count * 2 : 1, size);
    if (*count)
        memcpy(grown, array, *count * size);
    ++*count;
    return grown;
}

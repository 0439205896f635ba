/* Values with parameters: RFC 2045 section 5.1, RFC 2231, and encoded words where they do not
 * belong but stand all the same. */
#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/charset.h"
#include "server/mail/header.h"

enum { NO_PIECE = -1, PIECE_MAX = HEADER_PARAMS_MAX, PARAM_BYTES_MAX = 16 * 1024 };

/* A parameter as it stands: `name*3*="..."`. */
struct raw_param {
    struct str name;  /* lower case, without what follows the first "*" */
    struct str value; /* without quotes and their backslashes */
    int piece;        /* NO_PIECE, or the number of RFC 2231 section 3 */
    bool is_extended; /* percent-encoded, RFC 2231 section 4 */
    bool is_taken;    /* by the parameter it belongs to */
};

static struct str lower_copy(struct arena *arena, struct str s)
{
    char *copy = arena_text(arena, s);
    for (size_t i = 0; i < s.length; i++)
        copy[i] = ascii_lower(copy[i]);
    return str_make(copy, s.length);
}

/* Past a comment at `at` (nested, with quoted pairs); to the end when it is never closed. */
static size_t skip_comment(struct str s, size_t at)
{
    size_t depth = 0;
    for (; at < s.length; at++) {
        if (s.at[at] == '\\')
            at++;
        else if (s.at[at] == '(')
            depth++;
        else if (s.at[at] == ')' && --depth == 0)
            return at + 1;
    }
    return s.length;
}

static size_t skip_space(struct str s, size_t at)
{
    while (at < s.length && ascii_is_space(s.at[at]))
        at++;
    return at;
}

/* A quoted string at `*at`. A backslash quotes only `"` and itself: senders write Windows paths. */
static struct str read_quoted(struct arena *arena, struct str s, size_t *at)
{
    size_t i = *at + 1, length = 0, start = i;
    while (i < s.length && s.at[i] != '"')
        i += s.at[i] == '\\' && i + 1 < s.length ? 2 : 1;
    struct str inner = str_sub(s, start, i - start);
    *at = i < s.length ? i + 1 : s.length;
    char *copy = arena_alloc(arena, inner.length + 1);
    for (size_t k = 0; k < inner.length; k++) {
        char c = inner.at[k];
        if (c == '\\' && k + 1 < inner.length &&
            (inner.at[k + 1] == '"' || inner.at[k + 1] == '\\'))
            c = inner.at[++k];
        if (c != '\r' && c != '\n')
            copy[length++] = c;
    }
    return str_make(copy, length);
}

/* A value without quotes: to the semicolon, for file names with spaces are sent bare too; but not
 * into a comment. */
static struct str read_bare(struct str s, size_t *at, bool may_have_comment)
{
    size_t start = *at, i = start;
    while (i < s.length && s.at[i] != ';' && !(may_have_comment && s.at[i] == '('))
        i++;
    *at = i;
    return str_trim(str_sub(s, start, i - start));
}

/* Splits "filename*1*" into its name and what RFC 2231 says of it. */
static void read_name(struct arena *arena, struct str written, struct raw_param *param)
{
    struct str rest = written;
    param->name = lower_copy(arena, str_cut(&rest, '*'));
    param->piece = NO_PIECE;
    param->is_extended = rest.at && rest.length == 0;
    uint32_t number;
    if (rest.length == 0)
        return;
    struct str digits = str_cut(&rest, '*');
    if (str_to_u32(digits, &number) && number < PIECE_MAX) {
        param->piece = (int)number;
        param->is_extended = rest.at && rest.length == 0;
    }
}

static size_t read_params(struct arena *arena, struct str s, size_t at, struct raw_param *params,
                          bool *is_cut)
{
    size_t count = 0;
    while (at < s.length) {
        at = skip_space(s, at);
        if (at < s.length && s.at[at] == '(') {
            at = skip_comment(s, at);
            continue;
        }
        if (at < s.length && (s.at[at] == ';' || s.at[at] == '"')) {
            at++;
            continue;
        }
        size_t start = at;
        while (at < s.length && s.at[at] != '=' && s.at[at] != ';')
            at++;
        struct str name = str_trim(str_sub(s, start, at - start));
        if (at >= s.length || s.at[at] == ';')
            continue;
        at = skip_space(s, at + 1);
        if (count == HEADER_PARAMS_MAX) {
            *is_cut = true;
            return count;
        }
        struct raw_param *param = &params[count];
        read_name(arena, name, param);
        bool is_name = str_ends(param->name, STR("name"));
        if (at < s.length && s.at[at] == '"')
            param->value = read_quoted(arena, s, &at);
        else
            param->value = read_bare(s, &at, !is_name);
        if (param->name.length)
            count++;
        while (at < s.length && s.at[at] != ';')
            at = s.at[at] == '(' ? skip_comment(s, at) : at + 1;
    }
    return count;
}

static void append_percent(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '%' && i + 2 < text.length && decode_hex(out, str_sub(text, i + 1, 2)))
            i += 2;
        else
            buf_char(out, text.at[i]);
    }
}

/* Takes `charset'language'` off an extended value. */
static struct str cut_charset(struct str *value)
{
    ptrdiff_t first = str_find_char(*value, '\'');
    ptrdiff_t second = first < 0 ? -1 : str_find_char(str_skip(*value, (size_t)first + 1), '\'');
    if (second < 0)
        return STR_EMPTY;
    struct str charset = str_sub(*value, 0, (size_t)first);
    *value = str_skip(*value, (size_t)(first + 1 + second + 1));
    return charset;
}

/* Bytes gathered for a parameter -> text. Encoded words are not allowed here (RFC 2047 section 5)
 * and found all the time. */
static struct str finish_value(struct arena *arena, struct str bytes, struct str charset)
{
    struct buf text = BUF_INIT(4 * PARAM_BYTES_MAX + 64);
    if (str_find(bytes, STR("=?")) >= 0)
        header_decode_words(&text, bytes);
    else
        charset_decode(&text, bytes, charset);
    struct str clean = header_clean(arena, buf_view(&text), PARAM_BYTES_MAX);
    buf_free(&text);
    return clean;
}

/* The value of the parameter that params[first] belongs to: the extended form wins over the plain
 * one (RFC 6266 section 4.3), then the pieces, in order and up to the first gap. */
static struct str join_value(struct arena *arena, struct raw_param *params, size_t count,
                             size_t first)
{
    struct str name = params[first].name, charset = STR_EMPTY;
    struct raw_param *whole = NULL, *extended = NULL, *pieces[PIECE_MAX] = {NULL};
    for (size_t i = first; i < count; i++) {
        if (!str_equal(params[i].name, name))
            continue;
        params[i].is_taken = true;
        if (params[i].piece >= 0 && !pieces[params[i].piece])
            pieces[params[i].piece] = &params[i];
        else if (params[i].piece < 0 && params[i].is_extended && !extended)
            extended = &params[i];
        else if (params[i].piece < 0 && !params[i].is_extended && !whole)
            whole = &params[i];
    }
    if (extended || !pieces[0]) {
        struct raw_param *one = extended ? extended : whole ? whole : &params[first];
        pieces[0] = one;
        pieces[1] = NULL;
    }
    struct buf bytes = BUF_INIT(PARAM_BYTES_MAX);
    for (int i = 0; i < PIECE_MAX && pieces[i]; i++) {
        struct str value = pieces[i]->value;
        if (i == 0 && pieces[i]->is_extended)
            charset = cut_charset(&value);
        value = str_sub(value, 0, PARAM_BYTES_MAX - bytes.length);
        if (pieces[i]->is_extended)
            append_percent(&bytes, value);
        else
            buf_str(&bytes, value);
    }
    struct str value = finish_value(arena, buf_view(&bytes), charset);
    buf_free(&bytes);
    return value;
}

/* The word in front of the parameters, lower case; returns where it ends. In "text/plain
 * charset=utf-8" the semicolon is missing: a second word behind white space ends it too. */
static size_t read_main_word(struct str value, struct buf *word)
{
    size_t at = 0;
    while (at < value.length && value.at[at] != ';') {
        char c = value.at[at];
        if (c == '(') {
            at = skip_comment(value, at);
        } else if (ascii_is_space(c)) {
            at = skip_space(value, at);
            bool is_type =
                str_find_char(buf_view(word), '/') > 0 && !str_ends(buf_view(word), STR("/"));
            if (is_type && at < value.length && ascii_is_alpha(value.at[at]))
                break;
        } else {
            if (c != '"')
                buf_char(word, ascii_lower(c));
            at++;
        }
    }
    return at;
}

void header_parse_value(struct arena *arena, struct str value, struct header_value *parsed)
{
    *parsed = (struct header_value){.value = STR_EMPTY};
    struct buf word = BUF_INIT(256);
    size_t at = read_main_word(value, &word);
    parsed->value = header_clean(arena, buf_view(&word), word.limit);
    buf_free(&word);
    if (at >= value.length)
        return;
    struct raw_param raw[HEADER_PARAMS_MAX];
    size_t count = read_params(arena, value, at, raw, &parsed->is_cut);
    parsed->params = ARENA_ARRAY(arena, count, struct header_param);
    for (size_t i = 0; i < count; i++)
        raw[i].is_taken = false;
    for (size_t i = 0; i < count; i++) {
        if (raw[i].is_taken)
            continue;
        struct header_param *param = &parsed->params[parsed->count++];
        param->name = header_clean(arena, raw[i].name, 100);
        param->value = join_value(arena, raw, count, i);
    }
}

struct str header_param(const struct header_value *parsed, struct str name)
{
    for (size_t i = 0; i < parsed->count; i++)
        if (str_equal(parsed->params[i].name, name))
            return parsed->params[i].value;
    return STR_EMPTY;
}

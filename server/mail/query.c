#include "server/mail/query.h"

#include "server/base/utf8.h"
#include "server/mail/query_private.h"

struct parser {
    struct arena *arena;
    struct str text;
    size_t at;
    size_t depth, nodes;
    struct query_clock clock;
    struct error *err;
};

/* --- fields ----------------------------------------------------------------------------------- */

typedef bool (*value_reader)(struct parser *p, struct query *node);

static bool read_words(struct parser *p, struct query *node)
{
    node->words = words_of_query(p->arena, node->text, &node->word_count);
    if (node->word_count > 0)
        return true;
    error_set(p->err, ERROR_INVALID, "There is no word to look for in “%" STR_FMT "”",
              STR_ARG(node->text));
    return error_hint(p->err, "Letters and digits are found, signs alone are not");
}

static bool read_name(struct parser *p, struct query *node)
{
    (void)p;
    (void)node;
    return true;
}

static bool read_has(struct parser *p, struct query *node)
{
    if (str_equal_nocase(node->text, STR("attachment")) ||
        str_equal_nocase(node->text, STR("attachments")))
        return true;
    error_set(p->err, ERROR_INVALID, "“has:%" STR_FMT "” is not known", STR_ARG(node->text));
    return error_hint(p->err, "has:attachment is");
}

static const struct {
    const char *word, *keyword;
    bool is_set;
} states[] = {
    {"unread", "$seen", false},        {"unseen", "$seen", false},
    {"read", "$seen", true},           {"seen", "$seen", true},
    {"starred", "$flagged", true},     {"flagged", "$flagged", true},
    {"unstarred", "$flagged", false},  {"answered", "$answered", true},
    {"replied", "$answered", true},    {"unanswered", "$answered", false},
    {"forwarded", "$forwarded", true}, {"draft", "$draft", true},
    {"junk", "$junk", true},
};
enum { STATES = sizeof states / sizeof *states };

static bool read_is(struct parser *p, struct query *node)
{
    for (size_t i = 0; i < STATES; i++) {
        if (!str_equal_nocase(node->text, str_of(states[i].word)))
            continue;
        node->text = str_of(states[i].keyword);
        node->is_set = states[i].is_set;
        return true;
    }
    error_set(p->err, ERROR_INVALID, "“is:%" STR_FMT "” is not known", STR_ARG(node->text));
    return error_hint(p->err, "unread, read, starred, answered, forwarded, draft and junk are");
}

static bool read_date(struct parser *p, struct query *node)
{
    if (query_read_date(node->text, p->clock, &node->number))
        return true;
    error_set(p->err, ERROR_INVALID, "“%" STR_FMT "” is no date", STR_ARG(node->text));
    return error_hint(p->err, "Write 2026-11-24, 2026-11, 2026, today, yesterday, or 7d, 2w, 6m, "
                              "1y for that long ago");
}

static bool read_size(struct parser *p, struct query *node)
{
    if (query_read_size(node->text, &node->number))
        return true;
    error_set(p->err, ERROR_INVALID, "“%" STR_FMT "” is no size", STR_ARG(node->text));
    return error_hint(p->err, "Write 5M, 500k or a number of bytes");
}

static const struct query_field {
    const char *name;
    enum query_kind kind;
    value_reader read;
} fields[] = {
    {"from", QUERY_FROM, read_words},
    {"to", QUERY_TO, read_words},
    {"cc", QUERY_CC, read_words},
    {"bcc", QUERY_BCC, read_words},
    {"subject", QUERY_SUBJECT, read_words},
    {"body", QUERY_BODY, read_words},
    {"filename", QUERY_FILENAME, read_words},
    {"has", QUERY_ATTACHMENT, read_has},
    {"is", QUERY_KEYWORD, read_is},
    {"label", QUERY_LABEL, read_name},
    {"in", QUERY_MAILBOX, read_name},
    {"before", QUERY_BEFORE, read_date},
    {"after", QUERY_AFTER, read_date},
    {"larger", QUERY_LARGER, read_size},
    {"smaller", QUERY_SMALLER, read_size},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const struct query_field *find_field(struct str name)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (str_equal_nocase(name, str_of(fields[i].name)))
            return &fields[i];
    return NULL;
}

/* Whether one letter too many, too few, wrong, or two swapped tell them apart. */
static bool is_nearly(struct str typed, struct str name)
{
    size_t same = 0, same_end = 0;
    size_t shorter = typed.length < name.length ? typed.length : name.length;
    size_t longer = typed.length < name.length ? name.length : typed.length;
    while (same < shorter && ascii_lower(typed.at[same]) == name.at[same])
        same++;
    while (same_end < shorter - same && ascii_lower(typed.at[typed.length - 1 - same_end]) ==
                                            name.at[name.length - 1 - same_end])
        same_end++;
    size_t differ = longer - same - same_end;
    bool is_swapped = typed.length == name.length && differ == 2 &&
                      ascii_lower(typed.at[same]) == name.at[same + 1] &&
                      ascii_lower(typed.at[same + 1]) == name.at[same];
    return differ <= 1 || is_swapped;
}

/* A field's name with a slip of the finger: said rather than looked for as a word. Short names are
 * near to everything. */
static bool check_slip(struct parser *p, struct str name)
{
    for (size_t i = 0; i < FIELDS && name.length >= 4; i++) {
        if (!is_nearly(name, str_of(fields[i].name)))
            continue;
        error_set(p->err, ERROR_INVALID, "There is no field “%" STR_FMT ":”", STR_ARG(name));
        return error_hint(p->err, "Did you mean %s:? To look for the word, put it in quotes",
                          fields[i].name);
    }
    return true;
}

/* --- the text --------------------------------------------------------------------------------- */

static void skip_space(struct parser *p)
{
    while (p->at < p->text.length && ascii_is_space(p->text.at[p->at]))
        p->at++;
}

static char peek(const struct parser *p)
{
    return p->at < p->text.length ? p->text.at[p->at] : '\0';
}

static struct query *new_node(struct parser *p, enum query_kind kind)
{
    if (++p->nodes > QUERY_NODES_MAX) {
        error_set(p->err, ERROR_LIMIT, "The search has more than %d terms", QUERY_NODES_MAX);
        return NULL;
    }
    struct query *node = ARENA_NEW(p->arena, struct query);
    *node = (struct query){.kind = kind, .text = STR_EMPTY, .at = p->at};
    return node;
}

/* A word up to white space or a parenthesis; or what stands in quotes, in which "" is a quote. */
static bool read_value(struct parser *p, struct query *node)
{
    size_t start = p->at;
    if (peek(p) != '"') {
        while (p->at < p->text.length && !ascii_is_space(peek(p)) && !strchr("()\"", peek(p)))
            p->at++;
        node->text = arena_str(p->arena, str_sub(p->text, start, p->at - start));
        return true;
    }
    struct buf value = BUF_INIT(QUERY_BYTES_MAX);
    bool is_closed = false;
    for (p->at++; p->at < p->text.length && !is_closed; p->at++) {
        char c = peek(p);
        if (c == '"' && p->at + 1 < p->text.length && p->text.at[p->at + 1] == '"')
            p->at++;
        else if (c == '"')
            is_closed = true;
        if (!is_closed)
            buf_char(&value, c);
    }
    node->text = arena_str(p->arena, buf_view(&value));
    node->is_phrase = true;
    buf_free(&value);
    if (is_closed)
        return true;
    error_set(p->err, ERROR_INVALID, "A quote is opened and not closed: %" STR_FMT,
              STR_ARG(str_skip(p->text, start)));
    return error_hint(p->err, "Add a \" at the end of the phrase");
}

/* The field at the place where the parser stands, which moves behind its colon; NULL for none. */
static const struct query_field *take_field(struct parser *p, bool *is_fine)
{
    struct str rest = str_skip(p->text, p->at);
    size_t length = 0;
    while (length < rest.length && ascii_is_alpha(rest.at[length]))
        length++;
    *is_fine = true;
    if (length == 0 || length >= rest.length || rest.at[length] != ':')
        return NULL;
    struct str name = str_sub(rest, 0, length);
    const struct query_field *field = find_field(name);
    if (field)
        p->at += length + 1;
    else if (!str_starts(str_skip(rest, length), STR("://")))
        *is_fine = check_slip(p, name);
    return field;
}

static struct query *parse_term(struct parser *p)
{
    bool is_fine;
    struct query *node = new_node(p, QUERY_ANYWHERE);
    if (!node)
        return NULL;
    const struct query_field *field = take_field(p, &is_fine);
    if (!is_fine || !read_value(p, node))
        return NULL;
    node->kind = field ? field->kind : QUERY_ANYWHERE;
    if (field && node->text.length == 0) {
        error_set(p->err, ERROR_INVALID, "“%s:” has nothing behind it", field->name);
        error_hint(p->err, "Write the value right behind the colon, in quotes if it has spaces");
        return NULL;
    }
    return (field ? field->read : read_words)(p, node) ? node : NULL;
}

/* True (and behind it) at that word in capitals, on its own. */
static bool take_operator(struct parser *p, struct str word)
{
    struct str rest = str_skip(p->text, p->at);
    bool ends = rest.length == word.length ||
                (rest.length > word.length &&
                 (ascii_is_space(rest.at[word.length]) || strchr("()\"", rest.at[word.length])));
    if (!str_starts(rest, word) || !ends)
        return false;
    p->at += word.length;
    return true;
}

static struct query *parse_any(struct parser *p);

static struct query *parse_group(struct parser *p)
{
    size_t start = p->at++;
    struct query *inner = parse_any(p);
    if (!inner)
        return NULL;
    if (peek(p) != ')') {
        error_set(p->err, ERROR_INVALID, "A parenthesis is opened and not closed: %" STR_FMT,
                  STR_ARG(str_skip(p->text, start)));
        return NULL;
    }
    p->at++;
    return inner;
}

static struct query *parse_one(struct parser *p)
{
    struct query *node = NULL;
    if (p->depth == QUERY_DEPTH_MAX) {
        error_set(p->err, ERROR_LIMIT, "The search is nested too deeply");
        return NULL;
    }
    p->depth++;
    skip_space(p);
    size_t start = p->at;
    if (peek(p) == '(') {
        node = parse_group(p);
    } else if (peek(p) == '-' || take_operator(p, STR("NOT"))) {
        p->at += p->at == start ? 1 : 0;
        struct query *denied = new_node(p, QUERY_NONE_OF);
        node = denied && (denied->first_child = parse_one(p)) ? denied : NULL;
    } else if (peek(p) == '\0' || peek(p) == ')') {
        error_set(p->err, ERROR_INVALID, "Something is missing behind “%" STR_FMT "”",
                  STR_ARG(str_sub(p->text, 0, p->at)));
    } else {
        node = parse_term(p);
    }
    p->depth--;
    return node;
}

/* Signs that stand alone ("-", "&", "|") between terms say nothing. */
static void skip_lone_signs(struct parser *p)
{
    for (;;) {
        skip_space(p);
        struct str rest = str_skip(p->text, p->at);
        bool is_sign = rest.length > 0 && strchr("-&|+/,;", rest.at[0]) && rest.at[0] != '\0';
        if (!is_sign || (rest.length > 1 && !ascii_is_space(rest.at[1])))
            return;
        p->at++;
    }
}

/* Terms side by side. */
static struct query *parse_all(struct parser *p)
{
    struct query *all = new_node(p, QUERY_ALL_OF), **last = all ? &all->first_child : NULL;
    if (!all)
        return NULL;
    for (skip_lone_signs(p); peek(p) != ')' && p->at < p->text.length; skip_lone_signs(p)) {
        size_t before = p->at;
        if (take_operator(p, STR("OR"))) {
            p->at = before;
            break;
        }
        if (take_operator(p, STR("AND")))
            continue;
        if (!(*last = parse_one(p)))
            return NULL;
        last = &(*last)->next;
    }
    return all;
}

/* A list of one is that one. */
static struct query *unwrap(struct query *list)
{
    return list->first_child && !list->first_child->next ? list->first_child : list;
}

static struct query *parse_any(struct parser *p)
{
    struct query *any = new_node(p, QUERY_ANY_OF), **last = any ? &any->first_child : NULL;
    if (!any)
        return NULL;
    for (;;) {
        struct query *all = parse_all(p);
        if (!all)
            return NULL;
        bool has_or = take_operator(p, STR("OR"));
        if (!all->first_child && (has_or || any->first_child)) {
            error_set(p->err, ERROR_INVALID, "OR needs something on both sides");
            error_hint(p->err, "To look for the word, write it in small letters");
            return NULL;
        }
        *last = unwrap(all);
        last = &(*last)->next;
        if (!has_or)
            return unwrap(any);
    }
}

struct query *query_parse(struct arena *arena, struct str text, struct query_clock clock,
                          struct error *err)
{
    if (text.length > QUERY_BYTES_MAX) {
        error_set(err, ERROR_LIMIT, "The search is longer than %d bytes", QUERY_BYTES_MAX);
        return NULL;
    }
    struct buf repaired = BUF_INIT(3 * QUERY_BYTES_MAX);
    utf8_repair(&repaired, text);
    struct parser p = {.arena = arena, .text = buf_view(&repaired), .clock = clock, .err = err};
    struct query *query = parse_any(&p);
    if (query && p.at < p.text.length) {
        error_set(err, ERROR_INVALID, "A parenthesis is closed that was not opened");
        query = NULL;
    }
    buf_free(&repaired);
    return query;
}

/* --- writing ---------------------------------------------------------------------------------- */

static const char *field_name(enum query_kind kind)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].kind == kind)
            return fields[i].name;
    return NULL;
}

static void write_quoted(struct buf *out, struct str text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.length; i++)
        buf_text(out, text.at[i] == '"' ? "\"\"" : (char[]){text.at[i], '\0'});
    buf_char(out, '"');
}

static void write_term(struct buf *out, const struct query *node, struct query_clock clock)
{
    const char *name = field_name(node->kind);
    if (name)
        buf_printf(out, "%s:", name);
    switch (node->kind) {
    case QUERY_ATTACHMENT:
        buf_text(out, "attachment");
        break;
    case QUERY_KEYWORD:
        for (size_t i = 0; i < STATES; i++)
            if (str_equal(node->text, str_of(states[i].keyword)) &&
                node->is_set == states[i].is_set) {
                buf_text(out, states[i].word);
                break;
            }
        break;
    case QUERY_BEFORE:
    case QUERY_AFTER:
        query_write_date(out, node->number, clock);
        break;
    case QUERY_LARGER:
    case QUERY_SMALLER:
        buf_i64(out, node->number);
        break;
    default:
        if (node->is_phrase)
            write_quoted(out, node->text);
        else
            buf_str(out, node->text);
    }
}

void query_write(struct buf *out, const struct query *query, struct query_clock clock)
{
    bool is_any = query->kind == QUERY_ANY_OF;
    if (query->kind == QUERY_NONE_OF) {
        buf_char(out, '-');
        query_write(out, query->first_child, clock);
    } else if (query->kind == QUERY_ALL_OF || is_any) {
        buf_char(out, '(');
        for (const struct query *child = query->first_child; child; child = child->next) {
            query_write(out, child, clock);
            buf_text(out, !child->next ? "" : is_any ? " OR " : " ");
        }
        buf_char(out, ')');
    } else {
        write_term(out, query, clock);
    }
}

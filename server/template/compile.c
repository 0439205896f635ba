/* Source to tree: finds the tags, takes away lines on which a tag stands alone, follows the markup
 * in place.c, and refuses what is unsafe or unbalanced. */
#include "server/template/tree_private.h"

enum { PATH_MAX_PARTS = 8, DELIMITER_MAX = 8 };

struct parser {
    const struct compiler *compiler;
    const struct template_source *source;
    struct str text;
    size_t at;          /* next byte */
    size_t blank_until; /* behind {{<x}}: what is before counts as white space on its line */
    struct str open, close;
    struct place place;
    int depth;
    bool in_parent;  /* between blocks of {{<x}}: text is ignored */
    bool has_markup; /* of the block being parsed */
    size_t counted;  /* bytes whose lines are counted in `lines` */
    int lines;
};

struct tag {
    char type;         /* 'v' variable, '{' and '&' raw, or # ^ / > < $ ! = */
    struct str name;   /* trimmed */
    size_t begin, end; /* with delimiters */
    bool is_alone;     /* on its line, which is then left out up to `next` */
    size_t line_begin; /* of the white space before it, when alone */
    size_t next;       /* where parsing goes on */
};

struct list {
    struct node *first, **tail;
};

static int line_of(const struct parser *p, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at && i < p->text.length; i++)
        line += p->text.at[i] == '\n';
    return line;
}

static bool refuse(const struct parser *p, size_t at, const char *why, struct str name)
{
    const char *open = name.length ? " \"" : "", *close = name.length ? "\"" : "";
    return error_set(p->compiler->err, ERROR_INVALID, "templates/%s.mustache:%d: %s%s%.60s%s",
                     p->source->name, line_of(p, at), why, open,
                     name.length ? arena_text(p->compiler->arena, name) : "", close);
}

static struct node *add_node(struct parser *p, struct list *list, enum node_kind kind, size_t at)
{
    struct node *node = ARENA_NEW(p->compiler->arena, struct node);
    node->kind = kind;
    for (; p->counted < at; p->counted++)
        p->lines += p->text.at[p->counted] == '\n';
    node->line = p->lines + 1;
    node->starts_line = at == 0 || p->text.at[at - 1] == '\n';
    *list->tail = node;
    list->tail = &node->next;
    return node;
}

/* Literal text between two places of the source. */
static bool add_text(struct parser *p, struct list *list, size_t begin, size_t end)
{
    struct str text = str_sub(p->text, begin, end > begin ? end - begin : 0);
    if (p->in_parent || !text.length)
        return true;
    if (str_find_char(text, '<') >= 0)
        p->has_markup = true;
    size_t at = 0;
    const char *why = place_feed(&p->place, text, &at);
    if (why)
        return refuse(p, begin + at, why, STR_EMPTY);
    add_node(p, list, NODE_TEXT, begin)->text = text;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The beginning of the white space before `at`, if nothing else is before it on its line. */
static bool blank_before(const struct parser *p, size_t at, size_t *begin)
{
    while (at > p->blank_until && is_blank(p->text.at[at - 1]))
        at--;
    *begin = at;
    return at == 0 || at == p->blank_until || p->text.at[at - 1] == '\n';
}

/* The beginning of the next line, if only white space is left on this one. */
static bool blank_after(const struct parser *p, size_t at, size_t *next)
{
    while (at < p->text.length && is_blank(p->text.at[at]))
        at++;
    if (at + 1 < p->text.length && p->text.at[at] == '\r' && p->text.at[at + 1] == '\n')
        at++;
    *next = at < p->text.length ? at + 1 : at;
    return at == p->text.length || p->text.at[at] == '\n';
}

/* Cuts the next tag; false with `tag->type` 0 and no error at the end of the source. */
static bool next_tag(struct parser *p, struct tag *tag)
{
    *tag = (struct tag){0};
    struct str rest = str_skip(p->text, p->at);
    ptrdiff_t found = str_find(rest, p->open);
    if (found < 0)
        return true;
    tag->begin = p->at + (size_t)found;
    size_t inner = tag->begin + p->open.length;
    char type = inner < p->text.length ? p->text.at[inner] : 0;
    bool is_typed = type && strchr("{&#^/><$!=", type);
    if (type == '{' && !str_equal(p->open, STR("{{")))
        is_typed = false;
    tag->type = is_typed ? type : 'v';
    inner += is_typed;
    char closing[DELIMITER_MAX + 2] = {0};
    size_t extra = tag->type == '{' || tag->type == '=';
    if (extra)
        closing[0] = tag->type == '{' ? '}' : '=';
    memcpy(closing + extra, p->close.at, p->close.length);
    struct str body = str_skip(p->text, inner);
    found = str_find(body, str_of(closing));
    if (found < 0)
        return refuse(p, tag->begin, "a tag that does not end", STR_EMPTY);
    tag->name = str_trim(str_sub(body, 0, (size_t)found));
    tag->end = tag->next = inner + (size_t)found + strlen(closing);
    if (strchr("#^/>$!=", tag->type))
        tag->is_alone =
            blank_before(p, tag->begin, &tag->line_begin) && blank_after(p, tag->end, &tag->next);
    if (!tag->is_alone)
        tag->next = tag->end;
    return true;
}

static bool check_name(struct parser *p, const struct tag *tag)
{
    for (size_t i = 0; i < tag->name.length; i++)
        if (ascii_is_space(tag->name.at[i]) || tag->name.at[i] == '"')
            return refuse(p, tag->begin, "not a name:", tag->name);
    return tag->name.length || refuse(p, tag->begin, "a tag without a name", STR_EMPTY);
}

static bool split_path(struct parser *p, const struct tag *tag, struct node *node)
{
    node->text = tag->name;
    if (str_equal(tag->name, STR(".")))
        return true;
    node->path = ARENA_ARRAY(p->compiler->arena, PATH_MAX_PARTS, struct str);
    for (struct str rest = tag->name; rest.at;) {
        if (node->path_count == PATH_MAX_PARTS)
            return refuse(p, tag->begin, "too many dots in", tag->name);
        struct str part = str_cut(&rest, '.');
        if (!part.length)
            return refuse(p, tag->begin, "not a name:", tag->name);
        node->path[node->path_count++] = part;
    }
    return true;
}

static bool set_delimiters(struct parser *p, const struct tag *tag)
{
    struct str rest = tag->name;
    struct str open = str_cut(&rest, ' '), close = rest.at ? str_trim(rest) : STR_EMPTY;
    bool is_good = open.length && close.length && open.length <= DELIMITER_MAX &&
                   close.length <= DELIMITER_MAX && str_find_char(open, '=') < 0 &&
                   str_find_char(close, '=') < 0 && str_find_char(close, ' ') < 0 &&
                   !memchr(close.at, 0, close.length);
    if (!is_good)
        return refuse(p, tag->begin, "not a pair of delimiters:", tag->name);
    p->open = open;
    p->close = close;
    return true;
}

static const struct template_function *find_function(const struct parser *p, struct str name)
{
    for (size_t i = 0; i < p->compiler->function_count; i++)
        if (str_equal(name, str_of(p->compiler->functions[i].name)))
            return &p->compiler->functions[i];
    return NULL;
}

static bool parse_nodes(struct parser *p, const struct tag *opener, struct list *list,
                        struct tag *closer);

static bool parse_variable(struct parser *p, const struct tag *tag, struct list *list)
{
    if (!check_name(p, tag))
        return false;
    struct node *node = add_node(p, list, NODE_VARIABLE, tag->begin);
    if (tag->type != 'v')
        p->has_markup = true;
    const char *why = place_variable(&p->place, tag->type != 'v', &node->escape);
    if (why)
        return refuse(p, tag->begin, why, tag->name);
    return split_path(p, tag, node);
}

/* {{#asset}}app.css{{/asset}}: the text goes to the function as it is. */
static bool parse_call(struct parser *p, const struct tag *tag, struct list *list,
                       const struct template_function *function)
{
    struct node *node = add_node(p, list, NODE_CALL, tag->begin);
    node->function = function;
    const char *why = place_variable(&p->place, false, &node->escape);
    if (why)
        return refuse(p, tag->begin, why, tag->name);
    struct tag closer = {0};
    p->at = tag->end;
    if (!next_tag(p, &closer))
        return false;
    if (closer.type != '/' || !str_equal(closer.name, tag->name))
        return refuse(p, tag->begin, "only literal text may stand in", tag->name);
    node->text = str_sub(p->text, tag->end, closer.begin - tag->end);
    p->at = closer.end;
    return true;
}

static bool parse_section(struct parser *p, const struct tag *tag, struct list *list)
{
    const char *why = place_boundary(&p->place);
    if (why)
        return refuse(p, tag->begin, why, tag->name);
    struct node *node =
        add_node(p, list, tag->type == '#' ? NODE_SECTION : NODE_INVERTED, tag->begin);
    if (!split_path(p, tag, node))
        return false;
    struct place before = p->place;
    struct list inside = {NULL, &node->first};
    struct tag closer = {0};
    p->at = tag->next;
    if (!parse_nodes(p, tag, &inside, &closer))
        return false;
    if ((why = place_boundary(&p->place)))
        return refuse(p, closer.begin, why, tag->name);
    return place_is_same(&before, &p->place) ||
           refuse(p, closer.begin,
                  "the section ends elsewhere in the markup than it began:", tag->name);
}

static bool parse_block(struct parser *p, const struct tag *tag, struct list *list)
{
    bool was_in_parent = p->in_parent, had_markup = p->has_markup;
    if (p->place.state != PLACE_TEXT && p->place.state != PLACE_PLAIN)
        return refuse(p, tag->begin, "a block may stand in text only:", tag->name);
    struct node *node = add_node(p, list, NODE_BLOCK, tag->begin);
    node->text = tag->name;
    node->is_plain = p->place.state == PLACE_PLAIN;
    struct place before = p->place;
    struct list inside = {NULL, &node->first};
    struct tag closer = {0};
    p->in_parent = p->has_markup = false;
    p->at = tag->next;
    /* what an override's first line has before its text is not text */
    size_t next;
    if (!tag->is_alone && was_in_parent && blank_after(p, tag->end, &next))
        p->at = next;
    if (!parse_nodes(p, tag, &inside, &closer))
        return false;
    if (!place_is_same(&before, &p->place))
        return refuse(p, closer.begin,
                      "the block ends elsewhere in the markup than it began:", tag->name);
    node->has_markup = p->has_markup;
    p->has_markup |= had_markup;
    p->in_parent = was_in_parent;
    return true;
}

static bool parse_include(struct parser *p, const struct tag *tag, struct list *list)
{
    if (p->place.state != PLACE_TEXT)
        return refuse(p, tag->begin, "a partial may stand in text only:", tag->name);
    p->has_markup = true;
    struct node *node =
        add_node(p, list, tag->type == '>' ? NODE_PARTIAL : NODE_PARENT, tag->begin);
    node->text = tag->name;
    if (tag->is_alone)
        node->indent = str_sub(p->text, tag->line_begin, tag->begin - tag->line_begin);
    p->at = tag->next;
    if (tag->type == '>')
        return true;
    struct list inside = {NULL, &node->first};
    struct tag closer = {0};
    p->blank_until = tag->end;
    p->in_parent = true;
    if (!parse_nodes(p, tag, &inside, &closer))
        return false;
    p->in_parent = false;
    if (tag->is_alone)
        blank_after(p, closer.end, &p->at);
    return true;
}

static bool parse_tag(struct parser *p, const struct tag *tag, struct list *list)
{
    if (p->in_parent && !strchr("$!", tag->type))
        return refuse(p, tag->begin, "only blocks may stand in a parent, not", tag->name);
    p->at = tag->next;
    const struct template_function *function;
    switch (tag->type) {
    case '!':
        return true;
    case '=':
        return set_delimiters(p, tag);
    case 'v':
    case '{':
    case '&':
        return parse_variable(p, tag, list);
    default:
        break;
    }
    if (!check_name(p, tag))
        return false;
    switch (tag->type) {
    case '#':
        function = find_function(p, tag->name);
        return function ? parse_call(p, tag, list, function) : parse_section(p, tag, list);
    case '^':
        return parse_section(p, tag, list);
    case '$':
        return parse_block(p, tag, list);
    default:
        return parse_include(p, tag, list);
    }
}

/* A {{<x}} that stands alone together with its end is indented as a whole: the white space before
 * it is the partial's indentation and no text. */
static bool parent_is_alone(const struct parser *p, struct tag *tag)
{
    if (!blank_before(p, tag->begin, &tag->line_begin))
        return false;
    struct compiler silent = *p->compiler;
    silent.err = NULL;
    struct parser ahead = *p;
    ahead.compiler = &silent;
    ahead.at = tag->end;
    struct tag closer = {0};
    for (; next_tag(&ahead, &closer) && closer.type; ahead.at = closer.end) {
        size_t next;
        if (closer.type == '/' && str_equal(closer.name, tag->name))
            return blank_after(p, closer.end, &next);
    }
    return false;
}

/* Nodes up to the end of the source or, inside `opener`, up to its closing tag. */
static bool parse_nodes(struct parser *p, const struct tag *opener, struct list *list,
                        struct tag *closer)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return refuse(p, p->at, "sections are nested too deep", STR_EMPTY);
    for (;;) {
        struct tag tag;
        if (!next_tag(p, &tag))
            return false;
        if (tag.type == '<')
            tag.is_alone = parent_is_alone(p, &tag);
        size_t text_end = tag.type ? tag.begin : p->text.length;
        if (!add_text(p, list, p->at, tag.is_alone ? tag.line_begin : text_end))
            return false;
        if (!tag.type)
            break;
        if (tag.type == '/') {
            if (!opener || !str_equal(tag.name, opener->name))
                return refuse(p, tag.begin, "this closes what is not open:", tag.name);
            *closer = tag;
            p->at = tag.next;
            p->depth--;
            return true;
        }
        if (!parse_tag(p, &tag, list))
            return false;
    }
    if (opener)
        return refuse(p, opener->begin, "this is never closed:", opener->name);
    p->depth--;
    return true;
}

bool compile_template(const struct compiler *compiler, const struct template_source *source,
                      struct template *template)
{
    struct parser p = {.compiler = compiler,
                       .source = source,
                       .text = source->text,
                       .open = STR("{{"),
                       .close = STR("}}")};
    *template = (struct template){.name = str_of(source->name)};
    struct list list = {NULL, &template->first};
    if (!parse_nodes(&p, NULL, &list, NULL))
        return false;
    return p.place.state == PLACE_TEXT ||
           refuse(&p, p.text.length, "the template ends inside a tag, attribute or comment",
                  STR_EMPTY);
}

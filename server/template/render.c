/* Walks a tree with a view. */
#include "server/base/encode.h"
#include "server/template/tree_private.h"
#include "server/template/value_private.h"

#include "server/template/render_private.h"

/* The indentation of the partials we are in, the innermost first. */
struct indent {
    struct str text;
    const struct indent *outer;
};

/* Values that names are looked up in, the innermost first. */
struct scope {
    const struct value *value;
    const struct scope *outer;
};

/* Parents we are in, the outermost last: its blocks win. */
struct overrides {
    const struct node *parent;
    const struct template *template; /* that the parent's node stands in */
    const struct overrides *outer;
};

struct renderer {
    const struct template *template; /* for messages */
    const struct value *page;
    struct arena *arena;
    struct buf *out;
    struct error *err;
    int depth;
};

struct frame {
    const struct scope *scope;
    const struct indent *indent;
    const struct overrides *overrides;
};

static bool render_nodes(struct renderer *r, const struct node *node, struct frame frame);

static bool fault(struct renderer *r, const struct node *node, const char *why)
{
    return error_set(r->err, ERROR_INTERNAL, "templates/%.*s.mustache:%d: {{%.*s}} %s",
                     (int)r->template->name.length, r->template->name.at, node->line,
                     (int)node->text.length, node->text.at, why);
}

static void write_indent(struct renderer *r, const struct indent *indent)
{
    if (indent->outer)
        write_indent(r, indent->outer);
    buf_str(r->out, indent->text);
}

static void write_text(struct renderer *r, struct str text, const struct indent *indent)
{
    if (!indent) {
        buf_str(r->out, text);
        return;
    }
    while (text.length) {
        ptrdiff_t end = str_find_char(text, '\n');
        size_t length = end < 0 ? text.length : (size_t)end + 1;
        buf_str(r->out, str_sub(text, 0, length));
        text = str_skip(text, length);
        if (text.length)
            write_indent(r, indent);
    }
}

static const struct value *look_up(const struct node *node, const struct scope *scope)
{
    if (!node->path_count)
        return scope->value;
    const struct value *value = NULL;
    for (; scope && !value; scope = scope->outer)
        value = view_get(scope->value, node->path[0]);
    for (size_t i = 1; i < node->path_count && value; i++)
        value = view_get(value, node->path[i]);
    return value;
}

static bool shows(const struct value *value)
{
    if (!value)
        return false;
    switch (value->kind) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return value->is_true;
    case VALUE_TEXT:
    case VALUE_HTML:
    case VALUE_URL:
        return value->text.length > 0;
    case VALUE_LIST:
        return value->count > 0;
    case VALUE_NUMBER:
    case VALUE_OBJECT:
        return true;
    }
    return false;
}

static bool write_value(struct renderer *r, const struct node *node, const struct value *value)
{
    if (!value || value->kind == VALUE_NULL)
        return true;
    if (value->kind == VALUE_NUMBER) {
        if (node->escape == ESCAPE_URL_WHOLE)
            return fault(r, node, "begins a link and is no URL value");
        buf_i64(r->out, value->number);
        return true;
    }
    if (value->kind == VALUE_BOOL || value->kind == VALUE_OBJECT || value->kind == VALUE_LIST)
        return fault(r, node, "is no text");
    switch (node->escape) {
    case ESCAPE_HTML:
        encode_html(r->out, value->text);
        return true;
    case ESCAPE_RAW:
        if (value->kind != VALUE_HTML)
            return fault(r, node, "is not safe HTML");
        buf_str(r->out, value->text);
        return true;
    case ESCAPE_URL_WHOLE:
        if (value->kind != VALUE_URL)
            return fault(r, node, "begins a link and is no URL value");
        encode_html(r->out, value->text);
        return true;
    case ESCAPE_URL_PART:
        encode_percent(r->out, value->text);
        return true;
    }
    return true;
}

static bool render_section(struct renderer *r, const struct node *node, struct frame frame)
{
    const struct value *value = look_up(node, frame.scope);
    if (node->kind == NODE_INVERTED)
        return shows(value) || render_nodes(r, node->first, frame);
    if (!shows(value))
        return true;
    struct scope scope = {value, frame.scope};
    if (value->kind != VALUE_BOOL)
        frame.scope = &scope;
    if (value->kind != VALUE_LIST)
        return render_nodes(r, node->first, frame);
    for (size_t i = 0; i < value->count; i++) {
        scope.value = value->at[i].value;
        if (!render_nodes(r, node->first, frame))
            return false;
    }
    return true;
}

static bool render_target(struct renderer *r, const struct node *node, struct frame frame)
{
    struct indent indent = {node->indent, frame.indent};
    struct overrides overrides = {node, r->template, frame.overrides};
    frame.indent = node->indent.length ? &indent : NULL;
    if (node->kind == NODE_PARENT)
        frame.overrides = &overrides;
    const struct template *including = r->template;
    r->template = node->target;
    bool is_done = render_nodes(r, node->target->first, frame);
    if (is_done)
        r->template = including;
    return is_done;
}

static bool render_block(struct renderer *r, const struct node *node, struct frame frame)
{
    const struct node *chosen = node;
    const struct template *template = r->template, *home = template;
    for (const struct overrides *o = frame.overrides; o; o = o->outer)
        for (const struct node *block = o->parent->first; block; block = block->next)
            if (str_equal(block->text, node->text)) {
                chosen = block;
                home = o->template;
            }
    r->template = home;
    bool is_done = render_nodes(r, chosen->first, frame);
    if (is_done)
        r->template = template;
    return is_done;
}

static bool render_node(struct renderer *r, const struct node *node, struct frame frame)
{
    if (node->starts_line && frame.indent)
        write_indent(r, frame.indent);
    switch (node->kind) {
    case NODE_TEXT:
        write_text(r, node->text, frame.indent);
        return true;
    case NODE_VARIABLE:
        return write_value(r, node, look_up(node, frame.scope));
    case NODE_CALL:
        return write_value(
            r, node, node->function->call(node->function->context, r->arena, node->text, r->page));
    case NODE_SECTION:
    case NODE_INVERTED:
        return render_section(r, node, frame);
    case NODE_PARTIAL:
    case NODE_PARENT:
        return render_target(r, node, frame);
    case NODE_BLOCK:
        return render_block(r, node, frame);
    }
    return true;
}

static bool render_nodes(struct renderer *r, const struct node *node, struct frame frame)
{
    /* each partial, section and block is a level: a partial may hold TEMPLATE_DEPTH_MAX sections */
    if (++r->depth > 4 * TEMPLATE_DEPTH_MAX)
        return error_set(r->err, ERROR_LIMIT, "templates/%.*s.mustache: partials nest too deep",
                         (int)r->template->name.length, r->template->name.at);
    for (; node; node = node->next) {
        if (!render_node(r, node, frame))
            return false;
        if (r->out->is_full)
            return error_set(r->err, ERROR_LIMIT, "templates/%.*s.mustache: the page is too large",
                             (int)r->template->name.length, r->template->name.at);
    }
    r->depth--;
    return true;
}

bool render_tree(const struct template *template, const struct value *page, struct arena *arena,
                 struct buf *out, struct error *err)
{
    struct renderer r = {
        .template = template, .page = page, .arena = arena, .out = out, .err = err};
    struct scope scope = {page, NULL};
    return render_nodes(&r, template->first, (struct frame){.scope = &scope});
}

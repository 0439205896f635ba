#include "server/mail/html.h"

#include <assert.h>
#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/mail/css.h"
#include "server/mail/html_private.h"

enum {
    ROUNDS_MAX = 5, /* until the output parses to itself */
    SCRATCH_BYTES_MAX = 512 * 1024,
    OWN_URL_BYTES_MAX = 1024 * 1024,
};

/* Bytes that are not written as they are, or need a look at what follows. */
static const bool is_special[256] = {
    ['&'] = true,  ['<'] = true,           ['>'] = true,           ['"'] = true,
    ['\''] = true, [0x00 ... 0x08] = true, [0x0b ... 0x1f] = true, [0x7f] = true,
    [0xc2] = true, [0xef] = true,          [0xf0 ... 0xff] = true,
};

static void write_special(struct html_walk *walk, struct str *text)
{
    unsigned char c = (unsigned char)text->at[0];
    if (c >= 0x80) {
        struct str before = *text;
        uint32_t character = utf8_next(text);
        if (utf8_is_noncharacter(character))
            utf8_write(walk->body, UTF8_REPLACEMENT);
        else if (character >= 0xa0)
            buf_append(walk->body, before.at, before.length - text->length);
        return;
    }
    *text = str_skip(*text, 1);
    const char *entity = c == '&'                 ? "&amp;"
                         : c == '<'               ? "&lt;"
                         : c == '>'               ? "&gt;"
                         : c == '"'               ? "&quot;"
                         : c == '\''              ? "&#39;"
                         : c == '\r' || c == '\f' ? " "
                                                  : "";
    buf_text(walk->body, entity);
}

void html_write_text(struct html_walk *walk, struct str text)
{
    while (text.length) {
        size_t run = 0;
        while (run < text.length && !is_special[(unsigned char)text.at[run]])
            run++;
        if (run && walk->is_after_pre && text.at[0] == '\n')
            buf_char(walk->body, '\n');
        if (run)
            walk->is_after_pre = false;
        buf_append(walk->body, text.at, run);
        text = str_skip(text, run);
        if (text.length) {
            size_t before = walk->body->length;
            write_special(walk, &text);
            walk->is_after_pre = walk->is_after_pre && walk->body->length == before;
        }
    }
}

static GumboTag parent_of(const struct html_walk *walk)
{
    return walk->depth ? walk->open[walk->depth - 1] : GUMBO_TAG_LAST;
}

static void write_text_node(struct html_walk *walk, struct str text)
{
    if (html_is_table_structure(parent_of(walk)) && str_trim(text).length)
        return;                                  /* where no parser would leave it */
    while (!walk->body->length && text.length) { /* a parser drops white space before the body */
        struct str first = text;
        utf8_next(&text);
        first.length -= text.length;
        if (!ascii_is_space(first.at[0]))
            html_write_text(walk, first); /* nothing, maybe */
    }
    html_write_text(walk, text);
}

/* The sheet of a <style>, inside its media attribute. */
static void write_sheet(struct html_walk *walk, const struct html_node *style)
{
    const struct str *media = html_node_attribute(style, "media");
    bool has_media =
        media && str_trim(*media).length && !str_equal_nocase(str_trim(*media), STR("all"));
    if (!walk->css || !style->first)
        return;
    struct buf sheet = BUF_INIT(HTML_INPUT_BYTES_MAX + 1024);
    if (has_media) {
        buf_text(&sheet, "@media ");
        buf_str(&sheet, *media);
        buf_char(&sheet, '{');
    }
    for (const struct html_node *child = style->first; child; child = child->next)
        if (html_node_is_text(child))
            buf_str(&sheet, child->text);
    if (css_clean_sheet(walk->css, buf_view(&sheet)))
        walk->safe->brings_own_colours = true;
    buf_free(&sheet);
}

/* Writes the start tag; true when it was written (and an end tag will be, unless it is void). */
static bool open_element(struct html_walk *walk, const struct html_node *node)
{
    GumboTag tag = node->tag;
    unsigned room = tag == GUMBO_TAG_TABLE ? 4 : 1; /* with body, row and cell, or not at all */
    if (walk->depth + room > HTML_DEPTH_MAX || !html_fits(tag, parent_of(walk)))
        return false;
    if (html_ends_open(tag, walk->open, walk->depth))
        walk->needs_check = true;
    walk->is_after_pre = false;
    buf_char(walk->body, '<');
    buf_text(walk->body, gumbo_normalized_tagname(tag));
    html_write_attributes(walk, node);
    buf_char(walk->body, '>');
    if (html_treatment_of(tag) == HTML_VOID)
        return true;
    walk->is_after_pre = tag == GUMBO_TAG_PRE;
    walk->open[walk->depth++] = tag;
    return true;
}

/* The body becomes a <div> when something of its own is left. */
static bool open_body(struct html_walk *walk, const struct html_node *node)
{
    size_t before = walk->body->length;
    buf_text(walk->body, "<div");
    size_t bare = walk->body->length;
    html_write_attributes(walk, node);
    if (walk->body->length == bare) {
        walk->body->length = before;
        return false;
    }
    buf_char(walk->body, '>');
    walk->open[walk->depth++] = GUMBO_TAG_DIV;
    return true;
}

static void close_element(struct html_walk *walk)
{
    assert(walk->depth);
    walk->is_after_pre = false;
    buf_text(walk->body, "</");
    buf_text(walk->body, gumbo_normalized_tagname(walk->open[--walk->depth]));
    buf_char(walk->body, '>');
}

/* A node being walked. */
struct step {
    const struct html_node *next; /* child to go to */
    bool is_written;              /* has an end tag to write */
};

struct steps {
    struct step *at;
    size_t count, capacity;
};

static void push_step(struct steps *steps, const struct html_node *node, bool is_written)
{
    if (steps->count == steps->capacity) {
        steps->capacity = steps->capacity ? steps->capacity * 2 : 256;
        steps->at = realloc(steps->at, steps->capacity * sizeof *steps->at);
        if (!steps->at)
            abort();
    }
    steps->at[steps->count++] = (struct step){.next = node->first, .is_written = is_written};
}

static void enter_element(struct html_walk *walk, const struct html_node *node, struct steps *steps)
{
    switch (html_treatment_of(node->tag)) {
    case HTML_DROP:
        break;
    case HTML_STYLE:
        write_sheet(walk, node);
        break;
    case HTML_VOID:
        open_element(walk, node);
        break;
    case HTML_KEEP:
        push_step(steps, node, open_element(walk, node));
        break;
    case HTML_BODY:
        push_step(steps, node, open_body(walk, node));
        break;
    case HTML_UNWRAP:
        push_step(steps, node, false);
        break;
    }
}

static void walk_tree(struct html_walk *walk, const struct html_node *root)
{
    struct steps steps = {0};
    push_step(&steps, root, false);
    while (steps.count && !walk->body->is_full) {
        struct step *step = &steps.at[steps.count - 1];
        const struct html_node *node = step->next;
        if (!node) {
            if (step->is_written)
                close_element(walk);
            steps.count--;
            continue;
        }
        step->next = node->next;
        if (html_node_is_text(node))
            write_text_node(walk, node->text);
        else
            enter_element(walk, node, &steps);
    }
    free(steps.at);
}

/* Parses and walks once. False when a fence was hit. */
static bool parse_and_walk(struct html_walk *walk, struct arena *arena, struct str html,
                           int64_t cpu_until_us)
{
    const struct html_node *root = walk->is_fast ? html_fast_parse(arena, html) : NULL;
    if (root) {
        walk_tree(walk, root);
        return true;
    }
    struct html_fence fence;
    arena_reset(arena);
    const GumboNode *document = html_parse(&fence, html, cpu_until_us);
    if (document)
        walk_tree(walk, html_tree_of(arena, document));
    else
        walk->safe->why = fence.why;
    html_fence_free(&fence);
    return document;
}

/* Parses and writes once. False when a fence or a cap was hit. */
static bool run_round(struct html_walk *walk, struct str html, int64_t cpu_until_us)
{
    struct arena *arena = arena_new();
    walk->depth = 0;
    walk->is_after_pre = false;
    bool is_good = parse_and_walk(walk, arena, html, cpu_until_us);
    arena_free(&arena);
    if (is_good && walk->body->is_full)
        walk->safe->why = "size";
    return is_good && !walk->body->is_full && buf_str(walk->body, STR_EMPTY);
}

/* Runs the output through again until it comes out as it went in: then it is what a browser's
 * parser makes of it, whatever the first tree was. */
static bool settle(struct html_walk *walk, int64_t cpu_until_us)
{
    struct buf *body = walk->body;
    for (int round = 1; round < ROUNDS_MAX; round++) {
        struct buf before = *body;
        *body = BUF_INIT(HTML_OUTPUT_BYTES_MAX);
        bool is_good = run_round(walk, buf_view(&before), cpu_until_us);
        bool is_same = str_equal(buf_view(&before), buf_view(body));
        buf_free(&before);
        if (!is_good || is_same)
            return is_good;
    }
    walk->safe->why = "unstable";
    return false;
}

bool html_sanitise(struct html_safe *safe, struct str html, const struct html_options *options)
{
    return html_sanitise_by(safe, html, options, true);
}

bool html_sanitise_by(struct html_safe *safe, struct str html, const struct html_options *options,
                      bool is_fast)
{
    *safe = (struct html_safe){
        .body = BUF_INIT(HTML_OUTPUT_BYTES_MAX),
        .css = BUF_INIT(HTML_CSS_BYTES_MAX),
        .remote_hosts = BUF_INIT(HTML_REMOTE_HOSTS_MAX * 256),
    };
    if (html.length > HTML_INPUT_BYTES_MAX) {
        html = utf8_prefix(html, HTML_INPUT_BYTES_MAX);
        safe->is_cut = true;
    }
    struct buf own_urls = BUF_INIT(OWN_URL_BYTES_MAX);
    struct html_walk walk = {
        .options = options,
        .safe = safe,
        .body = &safe->body,
        .css = &safe->css,
        .own_urls = &own_urls,
        .scratch = BUF_INIT(SCRATCH_BYTES_MAX),
        .is_fast = is_fast,
        .is_first_round = true,
    };
    int64_t cpu_until_us = html_cpu_us() + (int64_t)HTML_PARSE_CPU_MS * 1000;
    bool is_safe = run_round(&walk, html, cpu_until_us);
    walk.is_first_round = false;
    walk.css = NULL;
    if (css_body_ground(buf_view(&safe->css)) != CSS_GROUND_NONE)
        walk.ground = css_body_ground(buf_view(&safe->css));
    safe->can_be_turned = safe->brings_own_colours && walk.ground != CSS_GROUND_DARK &&
                          str_find(buf_view(&safe->css), STR("prefers-color-scheme")) < 0;
    if (is_safe && walk.needs_check)
        is_safe = settle(&walk, cpu_until_us);
    if (!is_safe) {
        buf_reset(&safe->body);
        buf_reset(&safe->css);
    }
    buf_free(&own_urls);
    buf_free(&walk.scratch);
    return is_safe;
}

void html_safe_free(struct html_safe *safe)
{
    buf_free(&safe->body);
    buf_free(&safe->css);
    buf_free(&safe->remote_hosts);
}

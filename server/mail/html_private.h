/* Between the files of the sanitiser: html.c (rounds and the walk), html_tree.c (what is walked),
 * html_parse.c (gumbo behind its fences), html_fast*.c (a parser of ours for mail that is written
 * as it should be), html_tables.c (allow-lists), html_attributes.c, html_links.c. */
#ifndef RESTANTE_MAIL_HTML_PRIVATE_H
#define RESTANTE_MAIL_HTML_PRIVATE_H

#include <gumbo.h>
#include <setjmp.h>

#include "server/base/arena.h"
#include "server/mail/css.h"
#include "server/mail/html.h"

/* --- html_tree.c ------------------------------------------------------------------------------ */

struct html_attribute_row;

/* An attribute that the tables know on this element. */
struct html_attribute_value {
    const struct html_attribute_row *row;
    struct str value;
};

/* What is walked: a text or an element. Comments, doctypes and what stands in foreign elements are
 * not in it. Text and values are slices of the input or of the tree's arena. */
struct html_node {
    GumboTag tag; /* GUMBO_TAG_LAST: a text; the root is GUMBO_TAG_HTML */
    uint16_t attribute_count;
    bool is_open;       /* while it is built by html_fast_parse: on the stack of open elements */
    bool is_incomplete; /* the same: it had attributes that the tables do not know */
    struct str text;
    const struct html_attribute_value *attributes;
    struct html_node *first, *last, *next;
};

static inline bool html_node_is_text(const struct html_node *node)
{
    return node->tag == GUMBO_TAG_LAST;
}
/* A new last child. */
struct html_node *html_node_append(struct arena *arena, struct html_node *parent, GumboTag tag);
/* The same tree from gumbo's. */
struct html_node *html_tree_of(struct arena *arena, const GumboNode *document);
/* The value, or NULL. */
const struct str *html_node_attribute(const struct html_node *node, const char *name);

/* --- html_fast.c, html_fast_tree.c ------------------------------------------------------------ */

/* The tree that html_tree_of(html_parse()) would give; NULL where we do not vouch for that: some
 * markup is broken in a way that only the whole algorithm of HTML repairs. `html` is UTF-8. */
struct html_node *html_fast_parse(struct arena *arena, struct str html);

/* --- html_parse.c ----------------------------------------------------------------------------- */

struct html_block;

/* One parse's memory and limits. */
struct html_fence {
    jmp_buf tripped;
    struct html_block *blocks;
    char *next;        /* free bytes of the newest block */
    size_t left;       /* how many */
    size_t used_bytes; /* of all blocks */
    unsigned calls;
    int64_t cpu_until_us; /* on this thread's CPU clock */
    const char *why;
};

/* This thread's CPU time. */
int64_t html_cpu_us(void);
/* Parses a document as standards mode, whatever its doctype. NULL when a fence was hit: see `why`.
 * The tree lives until html_fence_free. */
const GumboNode *html_parse(struct html_fence *fence, struct str html, int64_t cpu_until_us);
void html_fence_free(struct html_fence *fence);

/* --- html_tables.c ---------------------------------------------------------------------------- */

enum html_treatment {
    HTML_UNWRAP, /* its content stands for it */
    HTML_KEEP,
    HTML_VOID, /* kept, without content and end tag */
    HTML_DROP, /* left out with its content */
    HTML_STYLE,
    HTML_BODY,
};

enum html_treatment html_treatment_of(GumboTag tag);
/* May `tag` stand right below `parent` (GUMBO_TAG_LAST: the body)? Parts of tables only where they
 * belong, nothing else in tables. */
bool html_fits(GumboTag tag, GumboTag parent);
/* Inside these only white space is text. */
bool html_is_table_structure(GumboTag tag);
/* Might a parser that reads `tag` below the `open` elements do more than to open it: end one of
 * them, forget one? True also in doubt. */
bool html_ends_open(GumboTag tag, const GumboTag *open, unsigned depth);
/* Does a line break in the text belong before it? */
bool html_is_block(GumboTag tag);

enum html_attribute {
    HTML_ATTRIBUTE_NONE,
    HTML_ATTRIBUTE_TEXT,
    HTML_ATTRIBUTE_WORD,   /* letters, digits, hyphens */
    HTML_ATTRIBUTE_LENGTH, /* digits with sign, percent, "px", "*" */
    HTML_ATTRIBUTE_COLOUR,
    HTML_ATTRIBUTE_FLAG,
    HTML_ATTRIBUTE_CLASS,
    HTML_ATTRIBUTE_STYLE,
    HTML_ATTRIBUTE_PICTURE,
    HTML_ATTRIBUTE_LINK,
    HTML_ATTRIBUTE_MEDIA, /* read, not written */
};
struct html_attribute_row {
    struct str name;
    enum html_attribute kind;
};
enum { HTML_ATTRIBUTES_MAX = 48 }; /* different ones that the tables know */
/* The row of an attribute that is used on that element; NULL when it is not. Its name is compared
 * without regard to case. */
const struct html_attribute_row *html_attribute_find(struct str name, GumboTag tag);

/* --- html.c ----------------------------------------------------------------------------------- */

struct html_walk {
    const struct html_options *options;
    struct html_safe *safe; /* where counts go; hosts and colours too */
    struct buf *body;
    struct buf *css;        /* NULL in later rounds */
    struct buf *own_urls;   /* URLs of ours that were put in, each between NULs */
    struct buf scratch;     /* of one attribute value */
    enum css_ground ground; /* the outermost one that is known */
    bool is_fast;           /* may use html_fast_parse */
    bool is_first_round;    /* its findings count */
    bool needs_check;       /* the output may not parse to the tree it was written from */
    bool is_after_pre;      /* "<pre>" was just written: a parser drops one line end here */
    unsigned depth;         /* elements open in the output */
    GumboTag open[HTML_DEPTH_MAX];
};

/* html_sanitise with gumbo alone (`is_fast` false): for tests, which compare. */
bool html_sanitise_by(struct html_safe *safe, struct str html, const struct html_options *options,
                      bool is_fast);
/* Appends text escaped for content and quoted attributes alike, without what no parser takes as it
 * is (controls, non-characters). */
void html_write_text(struct html_walk *walk, struct str text);

/* --- html_attributes.c ------------------------------------------------------------------------ */

/* Appends the safe attributes, each with a space before it. Those of the body are for the <div>
 * that stands for it. */
void html_write_attributes(struct html_walk *walk, const struct html_node *node);
/* The URL of a picture, cleaned, counted, mapped when it is a cid:, and appended; false when it may
 * not be shown. */
bool html_write_picture_url(struct html_walk *walk, struct str raw, struct buf *out);

/* --- html_links.c ----------------------------------------------------------------------------- */

/* Does the link's text name another domain than `clean` (its URL) goes to? */
bool html_is_deceptive(const struct html_node *link, struct str clean);

#endif

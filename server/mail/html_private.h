/* Between the files of the sanitiser: html.c (rounds and the walk), html_parse.c (gumbo behind its
 * fences), html_tables.c (allow-lists), html_attributes.c, html_links.c. */
#ifndef RESTANTE_MAIL_HTML_PRIVATE_H
#define RESTANTE_MAIL_HTML_PRIVATE_H

#include <gumbo.h>
#include <setjmp.h>

#include "server/mail/html.h"

/* --- html_parse.c ------------------------------------------------------------------------------
 */

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

/* --- html_tables.c -----------------------------------------------------------------------------
 */

enum html_treatment {
    HTML_UNWRAP, /* its content stands for it */
    HTML_KEEP,
    HTML_VOID, /* kept, without content and end tag */
    HTML_DROP, /* left out with its content */
    HTML_STYLE,
    HTML_BODY,
};

enum html_treatment html_treatment_of(const GumboElement *element);
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
};
/* What kind of value the attribute takes on that element. */
enum html_attribute html_attribute_kind(const char *name, GumboTag tag);

/* --- html.c ------------------------------------------------------------------------------------
 */

struct html_walk {
    const struct html_options *options;
    struct html_safe *safe; /* where counts go; hosts and colours too */
    struct buf *body;
    struct buf *css;      /* NULL in later rounds */
    struct buf *own_urls; /* URLs of ours that were put in, each between NULs */
    struct buf scratch;   /* of one attribute value */
    bool is_first_round;  /* its findings count */
    bool needs_check;     /* the output may not parse to the tree it was written from */
    bool is_after_pre;    /* "<pre>" was just written: a parser drops one line end here */
    unsigned depth;       /* elements open in the output */
    GumboTag open[HTML_DEPTH_MAX];
};

/* Appends text escaped for content and quoted attributes alike, without what no parser takes as it
 * is (controls, non-characters). */
void html_write_text(struct html_walk *walk, struct str text);

/* --- html_attributes.c -------------------------------------------------------------------------
 */

/* Appends the safe attributes, each with a space before it. Those of the body are for the <div>
 * that stands for it. */
void html_write_attributes(struct html_walk *walk, const GumboNode *node);
/* The URL of a picture, cleaned, counted, mapped when it is a cid:, and appended; false when it may
 * not be shown. */
bool html_write_picture_url(struct html_walk *walk, struct str raw, struct buf *out);

/* --- html_links.c ------------------------------------------------------------------------------
 */

/* Does the link's text name another domain than `clean` (its URL) goes to? */
bool html_is_deceptive(const GumboNode *link, struct str clean);

#endif

/* Where in the markup a template's text stands: a small HTML tokenizer that is fed the literal text
 * of a template, so that each variable is escaped for its place, or refused there. It accepts less
 * than HTML does: what it does not understand is an error, never a guess. */
#ifndef RESTANTE_TEMPLATE_PLACE_PRIVATE_H
#define RESTANTE_TEMPLATE_PLACE_PRIVATE_H

#include "server/base/str.h"

enum place_state {
    PLACE_TEXT,
    PLACE_PLAIN,      /* inside <title>, <textarea>: text, but no tags */
    PLACE_RAW,        /* inside <script>, <style>...: not even character references */
    PLACE_TAG_OPEN,   /* behind "<" */
    PLACE_CLOSE_OPEN, /* behind "</" */
    PLACE_TAG_NAME,
    PLACE_IN_TAG,       /* between attributes */
    PLACE_ATTRIBUTE,    /* in an attribute's name */
    PLACE_BEFORE_VALUE, /* behind "=" */
    PLACE_UNQUOTED,
    PLACE_VALUE, /* in a quoted attribute */
    PLACE_DECLARATION,
    PLACE_COMMENT,
};

enum place_attribute { ATTRIBUTE_PLAIN, ATTRIBUTE_URL, ATTRIBUTE_REFUSED };

/* How far a URL attribute has come. */
enum place_url {
    URL_BEGIN,
    URL_PREFIX, /* letters that may become a scheme */
    URL_ROOT,   /* just "/": an empty variable would make "//host" of what follows */
    URL_INSIDE, /* behind a path's, query's or scheme's beginning */
};

enum { PLACE_NAME_MAX = 24 };

struct place {
    enum place_state state;
    enum place_attribute attribute;
    enum place_url url;
    char quote;
    bool is_closing;  /* the tag is </x> */
    bool needs_space; /* only a space, "/" or ">" may follow in the tag */
    unsigned matched; /* bytes of "</element" or "-->" or "<!--" seen */
    char element[PLACE_NAME_MAX];
    char name[PLACE_NAME_MAX]; /* the attribute's */
    char scheme[PLACE_NAME_MAX];
    size_t element_length, name_length, scheme_length;
};

/* How a variable is written. */
enum place_escape {
    ESCAPE_HTML,      /* text and quoted attributes */
    ESCAPE_RAW,       /* {{{ }}} in text */
    ESCAPE_URL_WHOLE, /* begins a URL attribute: takes a URL value */
    ESCAPE_URL_PART,  /* percent-encoded behind a literal beginning */
};

/* Goes over literal text. Returns NULL, or a sentence about what is wrong with `*at` at the byte.
 */
const char *place_feed(struct place *place, struct str text, size_t *at);
/* A variable stands here: how it is escaped, and what is behind it. NULL or why it may not. */
const char *place_variable(struct place *place, bool is_raw, enum place_escape *escape);
/* A section begins or ends here. NULL or why it may not. */
const char *place_boundary(struct place *place);
/* Whether a section that began at `a` may end at `b` (both after place_boundary). */
bool place_is_same(const struct place *a, const struct place *b);

#endif

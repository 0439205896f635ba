/* Other people's CSS made safe: cut into tokens and written anew from allow-lists of properties,
 * functions, selectors and media features, in one canonical form, so that cleaning what is clean
 * changes nothing. No "<", ">" of markup, escapes, at-rules but @media, ids, attribute selectors,
 * var(), content, position or fonts from elsewhere come out. */
#ifndef RESTANTE_MAIL_CSS_H
#define RESTANTE_MAIL_CSS_H

#include "server/base/buf.h"

/* Appends the safe form of the picture's URL, which stands in a background, and returns true; or
 * returns false and the url() is left out. */
typedef bool css_picture(void *context, struct str url, struct buf *out);

struct css_options {
    css_picture *picture; /* NULL: no url() at all */
    void *context;
};

/* Appends the safe declarations of a style attribute, "a:b;c:d", not escaped for HTML. Returns
 * true when one of them sets a colour. */
bool css_clean_declarations(struct buf *out, struct str text, const struct css_options *options);

/* Appends the safe rules of a style sheet; never a url(). Returns true when one sets a colour. */
bool css_clean_sheet(struct buf *out, struct str text);

/* Whether a background is dark or light. */
enum css_ground {
    CSS_GROUND_NONE /* none is set, or not to be told */,
    CSS_GROUND_LIGHT,
    CSS_GROUND_DARK
};
/* The first of clean declarations; that of the body in a clean sheet. */
enum css_ground css_ground(struct str declarations);
enum css_ground css_body_ground(struct str sheet);

/* May a class of that name stay in the mail? Ours begin with "restante-" and are not theirs. */
bool css_is_class_name(struct str name);

#endif

/* Mustache (the official specification's comments, delimiters, interpolation, inverted, partials
 * and sections; parents and blocks of its inheritance module), made safe for HTML:
 *
 *  - {{name}} escapes for the place where it stands: text, quoted attribute, or a URL attribute
 *    behind a literal beginning (href="/mail/{{id}}"), where it is percent-encoded as well.
 *  - {{{name}}} and {{&name}} take only a value typed as safe HTML (view_set_html), and only in
 *    text.
 *  - A URL attribute (href, src, action, formaction, poster, cite, ...) that begins with a variable
 *    takes only a URL value (view_set_url).
 *  - Refused when the template is compiled: a variable inside <script>, <style>, a comment, a tag's
 *    or attribute's name, an unquoted attribute, style="", srcset="" or on...=""; a section that
 *    ends elsewhere in the markup than it began; an unbalanced quote or tag at the end of a file.
 *
 * "{{> list/row}}" includes templates/list/row.mustache, which begins and ends in text. */
#ifndef RESTANTE_TEMPLATE_TEMPLATE_H
#define RESTANTE_TEMPLATE_TEMPLATE_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/template/view.h"

/* A section that calls us with its literal text: {{#asset}}app.css{{/asset}} becomes the file's
 * hashed URL; {{#_}}Sign in{{/_}} can become a translation. `page` is the view that is rendered
 * (for its language, say). The result stands where a variable would, and is treated like one; NULL
 * is nothing. Called from any thread that renders. */
struct template_function {
    const char *name;
    const struct value *(*call)(void *context, struct arena *arena, struct str text,
                                const struct value *page);
    void *context;
};

struct template_source {
    const char *name; /* without folder and ending: "mailbox", "partials/nav" */
    struct str text;  /* must live as long as the templates */
};

/* A set of compiled templates, read-only and shared by all threads. */
struct templates;

enum { TEMPLATE_DEPTH_MAX = 32 }; /* partials within partials, and sections within sections */

/* Compiles all templates/ assets. Errors name file, line and what is wrong. With assets on disk
 * they are compiled here once as a check and again at each rendering, so that an edit shows at
 * once. The functions' table must live on. */
struct templates *templates_load(const struct template_function *functions, size_t count,
                                 struct error *err);
/* The same from sources in memory. */
struct templates *templates_compile(const struct template_source *sources, size_t source_count,
                                    const struct template_function *functions, size_t count,
                                    struct error *err);
void templates_free(struct templates **set);

/* Appends the template of that name, filled with `page`, to `out`. `arena` takes what functions
 * make. ERROR_NOT_FOUND for an unknown template, ERROR_INTERNAL for a value of the wrong type in
 * its place, ERROR_LIMIT when `out` is full or partials nest too deep; `out` then holds a part. */
bool template_render(const struct templates *set, const char *name, const struct value *page,
                     struct arena *arena, struct buf *out, struct error *err);

#endif

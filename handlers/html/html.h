/* The pages that people see: complete without JavaScript. One file a screen; the table of routes in
 * html.c is the place to begin. */
#ifndef RESTANTE_HANDLERS_HTML_HTML_H
#define RESTANTE_HANDLERS_HTML_HTML_H

#include "server/http/router.h"
#include "server/template/view.h"

extern const struct route html_routes[];
extern const size_t html_route_count;

/* router_hooks.error_page. */
void html_error_page(struct request *req, struct response *res, const struct error *err);

/* The template function {{#asset}}app.css{{/asset}}: the hashed URL of a file of static/. Its
 * context is the struct static_files. */
const struct value *html_asset(void *context, struct arena *arena, struct str text,
                               const struct value *page);

#endif

/* Header fields, query arguments and form fields: what request.c, response.c and the doors share.
 */
#ifndef RESTANTE_HTTP_FIELDS_PRIVATE_H
#define RESTANTE_HTTP_FIELDS_PRIVATE_H

#include "server/http/request.h"

/* Room for one more, to be filled. Fields must only ever be added by this function. */
struct http_field *http_fields_add(struct arena *arena, struct http_fields *fields);
/* The first of that name, ASCII case folded, or NULL. */
struct http_field *http_fields_find(const struct http_fields *fields, struct str name);
/* Whether a Content-Type is `type`, whatever its parameters. */
bool http_type_is(struct str content_type, const char *type);

#endif

/* A JSON writer onto a buffer (RFC 8259), for hot answers: no tree, no allocation. Commas are its
 * business, names and nesting the caller's. Strings are repaired to valid UTF-8. (Jansson reads
 * requests and builds what is not hot.) */
#ifndef RESTANTE_BASE_JSON_H
#define RESTANTE_BASE_JSON_H

#include "server/base/buf.h"

struct json {
    struct buf *out;
    bool wants_comma;
};

#define JSON_INIT(buffer) ((struct json){.out = (buffer)})

void json_write_object(struct json *j);
void json_write_object_end(struct json *j);
void json_write_array(struct json *j);
void json_write_array_end(struct json *j);
/* The name of the next value. */
void json_write_name(struct json *j, const char *name);
/* The same for a name of foreign bytes. */
void json_write_name_str(struct json *j, struct str name);
void json_write_str(struct json *j, struct str value);
void json_write_text(struct json *j, const char *value); /* NULL becomes null */
void json_write_i64(struct json *j, int64_t value);
void json_write_bool(struct json *j, bool value);
void json_write_null(struct json *j);
/* Text that is JSON already (from a jsonb column, say). */
void json_write_raw(struct json *j, struct str text);

#endif

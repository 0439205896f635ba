/* The named statements of sql/queries/: one file a resource, each section begun by a line
 * `-- name: emails_page`. Read once at start. */
#ifndef RESTANTE_STORE_QUERIES_H
#define RESTANTE_STORE_QUERIES_H

#include "server/base/arena.h"
#include "server/base/error.h"

struct query {
    const char *name;
    const char *sql;
};

struct queries {
    struct query *at; /* sorted by name */
    size_t count;
};

/* Reads all embedded (or on-disk) files into the arena. ERROR_INVALID for two of one name, an empty
 * section, or text before the first name. */
bool queries_load(struct arena *arena, struct queries *queries, struct error *err);
/* Adds the sections of one file; `queries->at` has room for `capacity`. Sort afterwards. */
bool queries_parse(struct arena *arena, struct str file, struct str text, struct queries *queries,
                   size_t capacity, struct error *err);
/* The index of a name. A missing name is an assertion failure: only our own code asks. */
size_t queries_find(const struct queries *queries, const char *name);

#endif

/* The files the binary carries: sql/, templates/ and static/, embedded at build time. In a checkout
 * (`make run`) they are read from disk instead, so that an edit shows at the next request. */
#ifndef RESTANTE_BASE_ASSETS_H
#define RESTANTE_BASE_ASSETS_H

#include "server/base/arena.h"
#include "server/base/error.h"
#include "server/base/str.h"

struct asset {
    const char *name; /* path from the root of the checkout: "sql/queries/emails.sql" */
    struct str bytes;
};

/* All embedded files, sorted by name; `*count` tells how many. */
const struct asset *asset_list(size_t *count);
/* Reads files below `root` from now on instead of the embedded copies; NULL for the embedded ones.
 * Called once at start, before threads. */
void assets_use_disk(const char *root);
bool assets_on_disk(void);
/* The bytes of one file: static storage, or in the arena when read from disk. */
bool asset_read(struct arena *arena, struct str name, struct str *bytes, struct error *err);

#endif

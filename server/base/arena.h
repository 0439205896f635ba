/* Memory whose life is a request, a batch or a parse: allocated piece by piece, freed at once.
 * One arena belongs to one thread. Out of memory, or past the limit, aborts: callers cap what is
 * foreign before they copy it here. */
#ifndef RESTANTE_BASE_ARENA_H
#define RESTANTE_BASE_ARENA_H

#include <stdarg.h>

#include "server/base/str.h"

struct arena;

struct arena *arena_new(void);
/* The same with blocks of 1 kB: for a few texts that are kept long, ten thousand times. */
struct arena *arena_new_small(void);
/* Frees all of it and clears the caller's pointer; takes NULL inside. */
void arena_free(struct arena **arena);
/* Forgets all allocations and keeps one block for reuse. */
void arena_reset(struct arena *arena);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

/* Zeroed memory aligned for any type; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
/* `count` zeroed elements; the multiplication is checked. */
void *arena_array(struct arena *arena, size_t count, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

/* Copies, NUL-terminated behind their last byte. */
char *arena_text(struct arena *arena, struct str s);
struct str arena_str(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

/* What the parser children made of texts lately. A message's page and its frame need the same
 * rendering within a moment, and people go back and forth. A key names everything that a rendering
 * depends on, so nothing ever has to be taken out. A cache that is NULL keeps nothing. */
#ifndef RESTANTE_HANDLERS_HTML_RENDER_CACHE_H
#define RESTANTE_HANDLERS_HTML_RENDER_CACHE_H

#include "server/base/seal.h"
#include "server/parser/parser.h"

struct render_cache; /* any thread */

struct render_cache *render_cache_new(void);
void render_cache_free(struct render_cache **cache);

/* A copy in the arena; false: not here. `key` is a content_hash(). */
bool render_cache_get(struct render_cache *cache, const unsigned char key[TOKEN_HASH_BYTES],
                      struct arena *arena, struct parser_rendered *rendered);
/* Keeps a copy, unless it is large or poison. */
void render_cache_put(struct render_cache *cache, const unsigned char key[TOKEN_HASH_BYTES],
                      const struct parser_rendered *rendered);

#endif

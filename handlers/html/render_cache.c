#include "handlers/html/render_cache.h"

#include <pthread.h>
#include <stdlib.h>

/* At most 32 MB; one that comes into a taken place replaces what is there. */
enum { PLACES = 256, ENTRY_BYTES_MAX = 128 * 1024 };

struct entry {
    unsigned char key[TOKEN_HASH_BYTES];
    struct parser_rendered rendered; /* its texts lie behind */
    char text[];
};

struct render_cache {
    pthread_mutex_t lock; /* of all below */
    struct entry *places[PLACES];
};

struct render_cache *render_cache_new(void)
{
    struct render_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void render_cache_free(struct render_cache **owner)
{
    struct render_cache *cache = *owner;
    if (!cache)
        return;
    for (size_t i = 0; i < PLACES; i++)
        free(cache->places[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
    *owner = NULL;
}

/* A key is a hash: any of its bytes will do. */
static struct entry **place_of(struct render_cache *cache,
                               const unsigned char key[TOKEN_HASH_BYTES])
{
    return &cache->places[key[0] % PLACES];
}

bool render_cache_get(struct render_cache *cache, const unsigned char key[TOKEN_HASH_BYTES],
                      struct arena *arena, struct parser_rendered *rendered)
{
    if (!cache)
        return false;
    pthread_mutex_lock(&cache->lock);
    const struct entry *entry = *place_of(cache, key);
    bool is_here = entry && memcmp(entry->key, key, TOKEN_HASH_BYTES) == 0;
    if (is_here) {
        *rendered = entry->rendered;
        rendered->html = arena_str(arena, rendered->html);
        rendered->css = arena_str(arena, rendered->css);
        rendered->remote_hosts = arena_str(arena, rendered->remote_hosts);
    }
    pthread_mutex_unlock(&cache->lock);
    return is_here;
}

static void move(struct str *text, char **to)
{
    if (text->length > 0)
        memcpy(*to, text->at, text->length);
    text->at = *to;
    *to += text->length;
}

void render_cache_put(struct render_cache *cache, const unsigned char key[TOKEN_HASH_BYTES],
                      const struct parser_rendered *rendered)
{
    size_t bytes = rendered->html.length + rendered->css.length + rendered->remote_hosts.length;
    if (!cache || rendered->verdict != PARSER_PARSED || bytes > ENTRY_BYTES_MAX)
        return;
    struct entry *entry = malloc(sizeof *entry + bytes);
    if (!entry)
        abort();
    char *end = entry->text;
    memcpy(entry->key, key, TOKEN_HASH_BYTES);
    entry->rendered = *rendered;
    move(&entry->rendered.html, &end);
    move(&entry->rendered.css, &end);
    move(&entry->rendered.remote_hosts, &end);
    pthread_mutex_lock(&cache->lock);
    struct entry **place = place_of(cache, key);
    struct entry *replaced = *place;
    *place = entry;
    pthread_mutex_unlock(&cache->lock);
    free(replaced);
}

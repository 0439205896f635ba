#include "server/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 16 * 1024, SMALL_BLOCK_BYTES = 1024, ARENA_MAGIC = 0x41524e41 };

struct block {
    struct block *next;
    size_t size; /* bytes behind this header */
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    unsigned magic;
    struct block *first; /* the block being filled */
    size_t block_bytes;
    size_t used;
};

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        abort();
    arena->magic = ARENA_MAGIC;
    arena->block_bytes = BLOCK_BYTES;
    return arena;
}

struct arena *arena_new_small(void)
{
    struct arena *arena = arena_new();
    arena->block_bytes = SMALL_BLOCK_BYTES;
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(struct arena **arena)
{
    if (!*arena)
        return;
    assert((*arena)->magic == ARENA_MAGIC);
    (*arena)->magic = 0;
    free_blocks((*arena)->first);
    free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena)
{
    assert(arena->magic == ARENA_MAGIC);
    struct block *kept = arena->first;
    if (kept) {
        free_blocks(kept->next);
        kept->next = NULL;
        kept->used = 0;
        if (kept->size > 4 * arena->block_bytes) { /* one large request must not stay for good */
            free(kept);
            kept = NULL;
        }
    }
    arena->first = kept;
    arena->used = 0;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(arena->magic == ARENA_MAGIC);
    size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - sizeof(struct block) - align)
        abort();
    size = (size + align - 1) / align * align;
    struct block *block = arena->first;
    if (!block || size > block->size - block->used) {
        size_t room = size > arena->block_bytes / 4 ? size : arena->block_bytes;
        struct block *fresh = malloc(sizeof *fresh + room);
        if (!fresh)
            abort();
        *fresh = (struct block){.size = room};
        if (block && size > arena->block_bytes / 4) { /* keep filling the small one */
            fresh->next = block->next;
            block->next = fresh;
        } else {
            fresh->next = block;
            arena->first = fresh;
        }
        block = fresh;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    arena->used += size;
    memset(piece, 0, size);
    return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        abort();
    return arena_alloc(arena, total);
}

char *arena_text(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.length + 1);
    if (s.length)
        memcpy(copy, s.at, s.length);
    return copy;
}

struct str arena_str(struct arena *arena, struct str s)
{
    return (struct str){arena_text(arena, s), s.length};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return (struct str){text, (size_t)length};
}

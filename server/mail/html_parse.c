#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "server/mail/html_private.h"

enum {
    BLOCK_BYTES = 256 * 1024,
    ALIGNMENT = 16,
    CALLS_BETWEEN_LOOKS = 64, /* at the clock, which costs a system call */
};

struct html_block {
    struct html_block *older;
    max_align_t bytes[];
};

int64_t html_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void trip(struct html_fence *fence, const char *why)
{
    fence->why = why;
    longjmp(fence->tripped, 1);
}

static void add_block(struct html_fence *fence, size_t size)
{
    size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    if (size > HTML_PARSE_BYTES_MAX || bytes > HTML_PARSE_BYTES_MAX - fence->used_bytes)
        trip(fence, "memory");
    struct html_block *block = malloc(sizeof *block + bytes);
    if (!block)
        abort();
    block->older = fence->blocks;
    fence->blocks = block;
    fence->used_bytes += bytes;
    fence->next = (char *)block->bytes;
    fence->left = bytes;
}

/* gumbo's allocator: nothing is given back before the end. */
static void *fence_allocate(void *context, size_t size)
{
    struct html_fence *fence = context;
    if (++fence->calls % CALLS_BETWEEN_LOOKS == 0 && html_cpu_us() > fence->cpu_until_us)
        trip(fence, "time");
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > fence->left || !fence->next)
        add_block(fence, size);
    char *at = fence->next;
    fence->next += size;
    fence->left -= size;
    return at;
}

static void fence_forget(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

/* A document without a doctype would be parsed in quirks mode; the page that shows it is none. */
static struct str with_doctype(struct html_fence *fence, struct str html)
{
    static const struct str doctype = {"<!DOCTYPE html>", 15};
    char *text = fence_allocate(fence, doctype.length + html.length + 1);
    memcpy(text, doctype.at, doctype.length);
    if (html.length)
        memcpy(text + doctype.length, html.at, html.length);
    text[doctype.length + html.length] = '\0';
    return str_make(text, doctype.length + html.length);
}

const GumboNode *html_parse(struct html_fence *fence, struct str html, int64_t cpu_until_us)
{
    *fence = (struct html_fence){.cpu_until_us = cpu_until_us};
    if (setjmp(fence->tripped))
        return NULL;
    struct str text = with_doctype(fence, html);
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = fence_allocate;
    options.deallocator = fence_forget;
    options.userdata = fence;
    options.max_errors = 0; /* each would be kept: 97 kB of <div> took 3.2 GB */
    return gumbo_parse_with_options(&options, text.at, text.length)->document;
}

void html_fence_free(struct html_fence *fence)
{
    while (fence->blocks) {
        struct html_block *block = fence->blocks;
        fence->blocks = block->older;
        free(block);
    }
}

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

/* How long the number of a reference is whose digits begin at `digits`, when it is larger than any
 * character; else 0. */
static size_t excess_length(struct str digits)
{
    enum { SIGNIFICANT_MAX = 7 }; /* 9999999 does not overflow, nor does 0xfffffff */
    bool is_hex = digits.length && ascii_lower(digits.at[0]) == 'x';
    size_t at = is_hex, significant = 0;
    for (; at < digits.length; at++) {
        char c = ascii_lower(digits.at[at]);
        if (!ascii_is_digit(c) && !(is_hex && c >= 'a' && c <= 'f'))
            break;
        significant += significant || c != '0';
    }
    return significant > SIGNIFICANT_MAX ? at : 0;
}

/* Copies the text, but for numbers of references that overflow in gumbo: it takes some of them for
 * the end of the input, and what is behind them would not be read. They stand for U+FFFD. */
static size_t copy_text(char *to, struct str html)
{
    static const struct str replaced = {"&#65533", 7}; /* not longer than what it is for */
    char *start = to;
    while (html.length) {
        ptrdiff_t found = str_find(html, STR("&#"));
        size_t run = found < 0 ? html.length : (size_t)found;
        memcpy(to, html.at, run);
        to += run;
        html = str_skip(html, run);
        if (!html.length)
            break;
        size_t excess = excess_length(str_skip(html, 2));
        struct str piece = excess ? replaced : str_sub(html, 0, 2);
        memcpy(to, piece.at, piece.length);
        to += piece.length;
        html = str_skip(html, 2 + excess);
    }
    return (size_t)(to - start);
}

/* A document without a doctype would be parsed in quirks mode; the page that shows it is none. */
static struct str with_doctype(struct html_fence *fence, struct str html)
{
    static const struct str doctype = {"<!DOCTYPE html>", 15};
    char *text = fence_allocate(fence, doctype.length + html.length + 1);
    memcpy(text, doctype.at, doctype.length);
    size_t length = doctype.length + copy_text(text + doctype.length, html);
    text[length] = '\0';
    return str_make(text, length);
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

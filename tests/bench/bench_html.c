/* How fast HTML mail is made safe: MB of input a second of this process's own CPU time, of every
 * text/html part in the messages named (files, or folders of them); with the fast parser, and with
 * gumbo alone. */
#include <stdio.h>
#include <stdlib.h>

#include "server/mail/html_private.h"
#include "server/mail/mime.h"
#include "tests/bench/bench.h"
#include "tests/read_file.h"

enum {
    FILE_BYTES_MAX = 32 * 1024 * 1024,
    ALL_BYTES_MAX = 1024 * 1024 * 1024,
    OPEN_DIRECTORIES = 16,
    ROUND_US_MIN = 1000000, /* what is measured takes at least a second */
};

/* Of all the messages, one behind the other. */
static struct buf all = {.limit = ALL_BYTES_MAX};
static size_t *ends, end_count;

static void add_document(struct str text)
{
    buf_str(&all, text);
    ends = realloc(ends, (end_count + 1) * sizeof *ends);
    if (!ends)
        abort();
    ends[end_count++] = all.length;
}

static void add_parts(struct str raw)
{
    struct arena *arena = arena_new();
    struct mime_message *m = mime_parse(arena, raw);
    for (const struct mime_part *part = m->root; part; part = mime_next(part)) {
        struct buf text = BUF_INIT(4 * FILE_BYTES_MAX);
        if (str_equal(part->type, STR("text/html")) &&
            mime_decode_text(&text, mime_body(raw, part), part) && text.length)
            add_document(buf_view(&text));
        buf_free(&text);
    }
    arena_free(&arena);
}

static int add_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    struct buf raw = BUF_INIT(FILE_BYTES_MAX);
    if (read_found_file(path, info, type, &raw))
        add_parts(buf_view(&raw));
    buf_free(&raw);
    return 0;
}

/* Sanitises all of it once; the bytes of those that came through. */
static size_t sanitise_all(bool is_fast)
{
    static const struct html_options options = {0};
    size_t begin = 0, bytes = 0;
    for (size_t i = 0; i < end_count; i++) {
        struct html_safe safe;
        struct str html = str_sub(buf_view(&all), begin, ends[i] - begin);
        if (html_sanitise_by(&safe, html, &options, is_fast))
            bytes += html.length;
        html_safe_free(&safe);
        begin = ends[i];
    }
    return bytes;
}

static double megabytes_a_second(bool is_fast)
{
    size_t bytes = 0;
    int64_t begin = bench_user_us(), taken;
    do {
        bytes += sanitise_all(is_fast);
        taken = bench_user_us() - begin;
    } while (taken < ROUND_US_MIN);
    return (double)bytes / (double)taken;
}

/* The share of bytes that the fast parser takes. */
static double taken_share(void)
{
    size_t begin = 0, bytes = 0;
    for (size_t i = 0; i < end_count; i++) {
        struct arena *arena = arena_new();
        struct str html = str_sub(buf_view(&all), begin, ends[i] - begin);
        if (html_fast_parse(arena, html))
            bytes += html.length;
        arena_free(&arena);
        begin = ends[i];
    }
    return (double)bytes / (double)all.length;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        nftw(argv[i], add_file, OPEN_DIRECTORIES, FTW_PHYS);
    if (!all.length) {
        fprintf(stderr, "usage: %s FILE-OR-FOLDER-OF-MESSAGES...\nNo HTML mail is in there.\n",
                argv[0]);
        return 1;
    }
    printf("documents %zu\nbytes %zu\nshare %.3f\nfast %.1f\ngumbo %.1f\n", end_count, all.length,
           taken_share(), megabytes_a_second(true), megabytes_a_second(false));
    return 0;
}

/* Every message of the corpora goes through a child in its sandbox: none ends it, and every text
 * part can be shown. This program runs itself as the child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/arena.h"
#include "server/parser/parser.h"

enum { FILE_BYTES_MAX = 32 * 1024 * 1024 };

static struct parser_pool *pool;
static size_t messages, parts;

static void render_parts(struct arena *arena, const char *path, struct str raw,
                         const struct parser_summary *summary)
{
    struct error err = ERROR_INIT;
    struct mime_message *message = parser_structure_read(arena, summary->structure, &err);
    assert_non_null(message);
    const struct parser_render_options options = {.part_url_prefix = STR("/part/"),
                                                  .message = message};
    for (struct mime_part *part = message->root; part; part = mime_next(part)) {
        struct parser_rendered rendered;
        if (!mime_is_text(part))
            continue;
        assert_true(part->body_offset + part->body_length <= raw.length);
        assert_true(
            parser_render(pool, arena, part, mime_body(raw, part), &options, &rendered, &err));
        if (rendered.verdict != PARSER_PARSED)
            fail_msg("%s part %s is poison", path, part->id.at);
        parts++;
    }
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind != FTW_F || status->st_size == 0 || status->st_size > FILE_BYTES_MAX)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    void *map = mmap(NULL, (size_t)status->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return 0;
    struct str raw = str_make(map, (size_t)status->st_size);
    struct arena *arena = arena_new();
    struct parser_summary summary;
    struct error err = ERROR_INIT;
    assert_true(parser_message(pool, arena, &PARSER_BYTES(raw), &summary, &err));
    if (summary.verdict != PARSER_PARSED)
        fail_msg("%s is poison", path);
    messages++;
    render_parts(arena, path, raw, &summary);
    arena_free(&arena);
    munmap(map, raw.length);
    return 0;
}

static void test_every_message_of_the_corpora_is_parsed_and_shown(void **state)
{
    (void)state;
    static const char corpus[] = "../shared/corpus";
    if (access(corpus, R_OK) != 0) {
        print_message("no %s here: skipped\n", corpus);
        skip();
    }
    const struct parser_options options = {.children = 1, .deadline_ms = 60000};
    struct error err = ERROR_INIT;
    pool = parser_pool_new(&options, &err);
    assert_non_null(pool);
    nftw(corpus, visit, 16, FTW_PHYS);
    struct parser_counts counts;
    parser_pool_counts(pool, &counts);
    assert_int_equal(counts.deaths, 0);
    print_message("%zu files, %zu text parts\n", messages, parts);
    parser_pool_free(&pool);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "parser"))
        return parser_child_main(STDIN_FILENO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_of_the_corpora_is_parsed_and_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

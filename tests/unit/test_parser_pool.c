/* Parser children that die, loop, eat memory, lie or try to get out. This program runs itself as
 * the child: then main() ends in parser_child_serve(). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "server/parser/child.h"
#include "server/parser/wire.h"
#include "tests/unit/parser_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

/* --- the child: does what the message says, else what a parser does --------------------------- */

static void eat_memory(void)
{
    for (;;) {
        char *volatile at = malloc(16 << 20); /* what nobody reads clang would not allocate */
        if (!at)
            abort();
        memset(at, 1, 16 << 20);
    }
}

static bool try_open(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool try_create(void)
{
    return open("/tmp/restante-parser-test", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool try_execute(void)
{
    char *const arguments[] = {"true", NULL};
    char *const environment[] = {NULL};
    return execve("/bin/true", arguments, environment) == 0;
}

static bool try_fork(void)
{
    return fork() >= 0;
}

static bool try_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool try_kill(void)
{
    return kill(getppid(), 0) == 0;
}

static const struct escape {
    const char *word;
    bool (*attempt)(void);
} escapes[] = {{"open", try_open},       {"create", try_create}, {"socket", try_socket},
               {"execute", try_execute}, {"fork", try_fork},     {"kill", try_kill},
               {"code", try_code}};
enum { ESCAPE_COUNT = sizeof escapes / sizeof escapes[0] };

static bool says(const struct parser_request *request, const char *word)
{
    char line[64];
    snprintf(line, sizeof line, "X-Do: %s\r\n", word);
    return str_find(request->payload, str_of(line)) >= 0;
}

static bool hostile_answer(struct arena *arena, const struct parser_request *request,
                           struct buf *reply)
{
    static unsigned requests;
    requests++;
    if (says(request, "die") || (says(request, "die-second") && requests > 1))
        raise(SIGKILL);
    if (says(request, "loop"))
        for (volatile bool is_on = true; is_on;)
            continue;
    if (says(request, "eat"))
        eat_memory();
    if (says(request, "leave"))
        return false;
    if (says(request, "lie"))
        return buf_text(reply, "\x01\x00\x00\x00 this is no answer");
    if (says(request, "long"))
        return parser_answer(arena, request, reply) && buf_char(reply, 'x');
    for (size_t i = 0; i < ESCAPE_COUNT; i++)
        if (says(request, escapes[i].word) && escapes[i].attempt())
            return false; /* the test sees no answer, and knows that EPERM would give one */
    return parser_answer(arena, request, reply);
}

/* --- the tests -------------------------------------------------------------------------------- */

static struct str doing(struct arena *arena, const char *word)
{
    return arena_printf(arena, "Subject: x\r\nX-Do: %s\r\n\r\ntext\r\n", word);
}

static enum parser_verdict verdict_of(struct parser_pool *pool, struct arena *arena,
                                      struct str message)
{
    struct parser_summary summary;
    struct error err = ERROR_INIT;
    assert_true(parser_message(pool, arena, &PARSER_BYTES(message), &summary, &err));
    return summary.verdict;
}

static void test_what_fells_two_children_is_poison_and_the_pool_goes_on(void **state)
{
    (void)state;
    static const char *const words[] = {"die", "loop", "leave", "lie", "long"};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bool loops = !strcmp(words[i], "loop");
        struct parser_pool *pool = new_pool(1, loops ? 300 : 0, 0);
        struct parser_counts counts;
        assert_int_equal(verdict_of(pool, arena, doing(arena, words[i])), PARSER_POISON);
        parser_pool_counts(pool, &counts);
        assert_int_equal(counts.deaths, 2);
        assert_int_equal(counts.timeouts, loops ? 2 : 0);
        assert_int_equal(counts.poison, 1);
        parser_pool_free(&pool);
        pool = new_pool(1, 0, 0);
        assert_int_equal(
            verdict_of(pool, arena, doing(arena, words[i] == words[1] ? "die" : words[i])),
            PARSER_POISON);
        assert_int_equal(verdict_of(pool, arena, doing(arena, "well")), PARSER_PARSED);
        parser_pool_free(&pool);
    }
    arena_free(&arena);
}

static void test_memory_is_limited(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip(); /* its run-time reserves terabytes */
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 30000, 400 << 20);
    struct parser_counts counts;
    assert_int_equal(verdict_of(pool, arena, doing(arena, "eat")), PARSER_POISON);
    parser_pool_counts(pool, &counts);
    assert_int_equal(counts.timeouts, 0);
    assert_int_equal(verdict_of(pool, arena, doing(arena, "well")), PARSER_PARSED);
    parser_pool_free(&pool);
    arena_free(&arena);
}

static void test_a_child_that_dies_once_costs_nobody_a_message(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(1, 0, 0);
    struct parser_counts counts;
    assert_int_equal(verdict_of(pool, arena, doing(arena, "well")), PARSER_PARSED);
    assert_int_equal(verdict_of(pool, arena, doing(arena, "die-second")), PARSER_PARSED);
    parser_pool_counts(pool, &counts);
    assert_int_equal(counts.deaths, 1);
    assert_int_equal(counts.poison, 0);
    assert_int_equal(counts.children, 1);
    assert_int_equal(counts.busy, 0);
    parser_pool_free(&pool);
    arena_free(&arena);
}

static void test_a_batch_loses_only_its_poison(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct arena *arena = arena_new();
    struct parser_pool *pool = new_pool(2, 0, 0);
    struct parser_headers_item items[COUNT];
    struct parser_summary summaries[COUNT];
    struct error err = ERROR_INIT;
    for (int i = 0; i < COUNT; i++)
        items[i] = (struct parser_headers_item){
            .header = i == 7 || i == 31 ? doing(arena, "die")
                                        : arena_printf(arena, "Subject: number %d\r\n", i),
            .text = STR_EMPTY};
    assert_true(parser_headers(pool, arena, items, COUNT, summaries, &err));
    for (int i = 0; i < COUNT; i++) {
        bool is_poison = i == 7 || i == 31;
        assert_int_equal(summaries[i].verdict, is_poison ? PARSER_POISON : PARSER_PARSED);
        struct str subject = is_poison ? STR_EMPTY : arena_printf(arena, "number %d", i);
        assert_true(str_equal(summaries[i].subject, subject));
    }
    parser_pool_free(&pool);
    arena_free(&arena);
}

/* In release builds the attempt ends the child; in sanitizer builds it fails and the child goes on.
 * The counts tell it from a success, after which the child ends by itself. */
static void test_the_sandbox_lets_nothing_out(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ESCAPE_COUNT; i++) {
        struct parser_pool *pool = new_pool(1, 0, 0);
        bool may = IS_SANITIZED && (!strcmp(escapes[i].word, "code")); /* its run-time maps so */
        if (!may)
            assert_int_equal(verdict_of(pool, arena, doing(arena, escapes[i].word)),
                             IS_SANITIZED ? PARSER_PARSED : PARSER_POISON);
        parser_pool_free(&pool);
    }
    assert_int_equal(access("/tmp/restante-parser-test", F_OK), -1);
    arena_free(&arena);
}

/* Their tables must have been loaded before the sandbox closed. */
/* What the file does not hold is no message, and its neighbours are none the worse. */
static void *ask_often(void *context)
{
    struct arena *arena = arena_new();
    for (int i = 0; i < 20; i++) {
        const char *word = i % 10 == 9 ? "die" : "well";
        assert_int_equal(verdict_of(context, arena, doing(arena, word)),
                         i % 10 == 9 ? PARSER_POISON : PARSER_PARSED);
        arena_reset(arena);
    }
    arena_free(&arena);
    return NULL;
}

static void test_threads_share_the_children(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct parser_pool *pool = new_pool(2, 0, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, pool), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct parser_counts counts;
    parser_pool_counts(pool, &counts);
    assert_int_equal(counts.requests, THREADS * 20);
    assert_int_equal(counts.poison, THREADS * 2);
    assert_int_equal(counts.busy, 0);
    parser_pool_free(&pool);
}

static void test_no_child_is_an_error_and_not_poison(void **state)
{
    (void)state;
    static const char *const programs[] = {"/nonexistent", "/bin/false"};
    for (size_t i = 0; i < 2; i++) {
        const struct parser_options options = {.program = programs[i], .children = 1};
        struct error err = ERROR_INIT;
        struct parser_pool *pool = parser_pool_new(&options, &err);
        struct arena *arena = arena_new();
        struct parser_summary summary;
        assert_false(parser_message(pool, arena, &PARSER_BYTES(STR("x")), &summary, &err));
        assert_int_equal(err.kind, ERROR_INTERNAL);
        arena_free(&arena);
        parser_pool_free(&pool);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "parser"))
        _exit(parser_child_serve(STDIN_FILENO, hostile_answer));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fells_two_children_is_poison_and_the_pool_goes_on),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_a_child_that_dies_once_costs_nobody_a_message),
        cmocka_unit_test(test_a_batch_loses_only_its_poison),
        cmocka_unit_test(test_the_sandbox_lets_nothing_out),
        cmocka_unit_test(test_threads_share_the_children),
        cmocka_unit_test(test_no_child_is_an_error_and_not_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

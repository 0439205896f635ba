/* The search box: what is understood is written so that it is understood the same again. */
#include "server/mail/query.h"
#include "tests/fuzz/mail_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct query_clock clock = {.now_us = 1795563000000000, .offset_minutes = -150};
    struct arena *arena = arena_new();
    struct error err = ERROR_INIT;
    struct buf once = BUF_INIT(64 * 1024), twice = BUF_INIT(64 * 1024);
    struct query *query = query_parse(arena, fuzz_input(bytes, length), clock, &err);
    REQUIRE(query || (err.kind != ERROR_NONE && err.message[0]));
    if (query) {
        query_write(&once, query, clock);
        require_text(buf_view(&once));
        REQUIRE(once.length <= 16 * QUERY_BYTES_MAX);
        query = query_parse(arena, buf_view(&once), clock, &err);
        REQUIRE(query || err.kind == ERROR_LIMIT);
        if (query) {
            query_write(&twice, query, clock);
            REQUIRE(str_equal(buf_view(&once), buf_view(&twice)));
        }
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(&arena);
    return 0;
}

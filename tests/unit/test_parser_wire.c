/* Values and frames between the pool and its children, read with distrust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "server/parser/protocol.h"
#include "server/parser/wire.h"

static void test_values_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(1000);
    wire_put_u8(&out, 200);
    wire_put_u32(&out, 4000000000U);
    wire_put_u64(&out, UINT64_MAX);
    wire_put_str(&out, STR("caf\xc3\xa9"));
    wire_put_str(&out, STR_EMPTY);
    wire_put_str(&out, STR("[1]"));
    struct wire in = {.rest = buf_view(&out)};
    assert_int_equal(wire_u8(&in), 200);
    assert_int_equal(wire_u32(&in), 4000000000U);
    assert_true(wire_u64(&in) == UINT64_MAX);
    assert_string_equal(wire_text(&in, arena, 5).at, "caf\xc3\xa9");
    assert_int_equal(wire_str(&in).length, 0);
    assert_string_equal(wire_json(&in, arena, 100).at, "[1]");
    assert_true(wire_is_done(&in));
    assert_int_equal(wire_u8(&in), 0);
    assert_false(wire_is_done(&in));
    buf_free(&out);
    arena_free(&arena);
}

static void test_what_lies_about_its_length_is_bad(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(1000);
    wire_put_u64(&out, UINT64_MAX);
    struct wire in = {.rest = buf_view(&out)};
    assert_int_equal(wire_str(&in).length, 0);
    assert_true(in.is_bad);
    in = (struct wire){.rest = buf_view(&out)};
    wire_count(&in, 8, UINT32_MAX);
    assert_true(in.is_bad);
    in = (struct wire){.rest = STR("\x05\0\0\0aaaaa")};
    assert_int_equal(wire_count(&in, 1, 5), 5);
    in = (struct wire){.rest = STR("\x05\0\0\0aaaaa")};
    assert_int_equal(wire_count(&in, 1, 4), 0);
    buf_free(&out);
    arena_free(&arena);
}

static void test_text_that_postgresql_would_refuse_is_bad(void **state)
{
    (void)state;
    static const struct str texts[] = {
        {"a\0b", 3}, {"\xff", 1}, {"\xed\xa0\x80", 3}, {"123456", 6}};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf out = BUF_INIT(100);
        wire_put_str(&out, texts[i]);
        struct wire in = {.rest = buf_view(&out)};
        assert_int_equal(wire_text(&in, arena, 5).length, 0);
        assert_true(in.is_bad);
        buf_free(&out);
    }
    arena_free(&arena);
}

static void test_json_is_told_from_what_is_none(void **state)
{
    (void)state;
    static const char *const good[] = {"0",
                                       "-12",
                                       "\"\"",
                                       "null",
                                       " [ ] ",
                                       "{}",
                                       "[1,2,[3],{\"a\":true,\"b\":{}}]",
                                       "\"\\u00e9\\ud83d\\ude00\\n\\\"\"",
                                       "{\"a\":[],\"b\":\"c\"}"};
    static const char *const bad[] = {"",
                                      " ",
                                      "[",
                                      "]",
                                      "{",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{a:1}",
                                      "{\"a\":1,}",
                                      "01",
                                      "-",
                                      "1.5",
                                      "1e5",
                                      "tru",
                                      "truex",
                                      "\"",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u0000\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\n\"",
                                      "[1]]",
                                      "1 1",
                                      "\"\xff\"",
                                      "[}",
                                      "{]",
                                      "{1:2}",
                                      "{\"a\":1 \"b\":2}",
                                      "{\"a\":1,2}",
                                      "[1,\v2]",
                                      "'a'"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!wire_is_json(str_of(good[i])))
            fail_msg("good: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (wire_is_json(str_of(bad[i])))
            fail_msg("bad: %s", bad[i]);
    char deep[1001];
    memset(deep, '[', 1000);
    deep[1000] = '\0';
    assert_false(wire_is_json(str_of(deep)));
}

static void test_a_tsvector_is_told_from_what_is_none(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        bool is_good;
    } rows[] = {
        {{"", 0}, true},
        {{"\0\0\0\0", 4}, true},
        {{"\0\0\0\1a\0\0\0", 8}, true},
        {{"\0\0\0\1a\0\0\2\0\1\xc0\2", 12}, true},
        {{"\0\0\0\1a\0\0\2\0\2\0\2", 12}, false}, /* positions that do not rise */
        {{"\0\0\0\1a\0\0\1\0\0", 10}, false},     /* position 0 */
        {{"\0\0\0\2a\0\0\0", 8}, false},
        {{"\0\0\0\1\0\0\0", 7}, false}, /* empty lexeme */
        {{"\0\0\0\1\xff\0\0\0", 8}, false},
        {{"\0\0\0\1a\0\0\0x", 9}, false},
        {{"\0\0\0\1abc", 7}, false},
        {{"\xff\xff\xff\xff", 4}, false},
        {{"\0\0", 2}, false},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = BUF_INIT(100);
        wire_put_str(&out, rows[i].bytes);
        struct wire in = {.rest = buf_view(&out)};
        wire_tsvector(&in, arena);
        assert_int_equal(!in.is_bad, rows[i].is_good);
        buf_free(&out);
    }
    arena_free(&arena);
}

static void test_a_tree_keeps_its_shape(void **state)
{
    (void)state;
    struct mime_part d = {.type = STR("d/d"), .size = 7}, c = {.type = STR("c/c")};
    struct mime_part b = {.type = STR("b/b"), .first_child = &c, .next = &d};
    struct mime_part a = {.type = STR("a/a"), .first_child = &b};
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(10000);
    wire_put_tree(&out, &a, &d);
    struct wire in = {.rest = buf_view(&out)};
    struct mime_part *marked, *root = wire_tree(&in, arena, &marked);
    assert_true(wire_is_done(&in));
    assert_string_equal(root->type.at ? arena_text(arena, root->type) : "", "a/a");
    assert_true(str_equal(root->first_child->type, STR("b/b")));
    assert_true(str_equal(root->first_child->first_child->type, STR("c/c")));
    assert_ptr_equal(root->first_child->next, marked);
    assert_int_equal(marked->size, 7);
    assert_ptr_equal(marked->parent, root);
    assert_null(marked->next);
    for (size_t length = 0; length < out.length; length++) {
        in = (struct wire){.rest = str_sub(buf_view(&out), 0, length)};
        assert_null(wire_tree(&in, arena, &marked));
    }
    buf_free(&out);
    arena_free(&arena);
}

static void test_a_tree_is_cut_at_the_cap_of_its_depth(void **state)
{
    (void)state;
    enum { DEEP = MIME_DEPTH_MAX + 50 };
    static struct mime_part parts[DEEP];
    for (int i = 0; i + 1 < DEEP; i++)
        parts[i].first_child = &parts[i + 1];
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(1 << 20);
    wire_put_tree(&out, parts, NULL);
    struct wire in = {.rest = buf_view(&out)};
    struct mime_part *marked, *part = wire_tree(&in, arena, &marked);
    assert_non_null(part);
    assert_null(marked);
    unsigned depth = 0;
    for (; part->first_child; part = part->first_child)
        depth++;
    assert_int_equal(depth, MIME_DEPTH_MAX);
    buf_free(&out);
    arena_free(&arena);
}

static void test_frames_cross_a_socket(void **state)
{
    (void)state;
    int ends[2], fd;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct buf payload = BUF_INIT(100);
    enum protocol_kind kind;
    assert_int_equal(
        protocol_send(ends[0], PROTOCOL_TEXTS, STR("ab"), STR("cd"), ends[0], DEADLINE_NEVER),
        PROTOCOL_OK);
    assert_int_equal(protocol_receive(ends[1], &kind, &payload, &fd, DEADLINE_NEVER), PROTOCOL_OK);
    assert_int_equal(kind, PROTOCOL_TEXTS);
    assert_true(str_equal(buf_view(&payload), STR("abcd")));
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(protocol_receive(ends[1], &kind, &payload, &fd, deadline_in_ms(1)),
                     PROTOCOL_TIMEOUT);
    close(ends[0]);
    assert_int_equal(protocol_receive(ends[1], &kind, &payload, &fd, DEADLINE_NEVER),
                     PROTOCOL_CLOSED);
    close(ends[1]);
    buf_free(&payload);
}

static void test_what_is_no_frame_is_refused(void **state)
{
    (void)state;
    static const struct str frames[] = {
        {"RSTP\1\0\0\0\377\377\377\377\377\377\377\377", 16}, /* endless */
        {"RSTP\1\0\0\0\145\0\0\0\0\0\0\0", 16},               /* more than we take */
        {"RSTP\77\0\0\0\0\0\0\0\0\0\0\0", 16},                /* no such kind */
        {"GET / HTTP/1.1\r\n", 16},
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(write(ends[0], frames[i].at, frames[i].length), frames[i].length);
        struct buf payload = BUF_INIT(100);
        enum protocol_kind kind;
        assert_int_equal(protocol_receive(ends[1], &kind, &payload, NULL, DEADLINE_NEVER),
                         PROTOCOL_BROKEN);
        close(ends[0]);
        close(ends[1]);
        buf_free(&payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_out_as_they_went_in),
        cmocka_unit_test(test_what_lies_about_its_length_is_bad),
        cmocka_unit_test(test_text_that_postgresql_would_refuse_is_bad),
        cmocka_unit_test(test_json_is_told_from_what_is_none),
        cmocka_unit_test(test_a_tsvector_is_told_from_what_is_none),
        cmocka_unit_test(test_a_tree_keeps_its_shape),
        cmocka_unit_test(test_a_tree_is_cut_at_the_cap_of_its_depth),
        cmocka_unit_test(test_frames_cross_a_socket),
        cmocka_unit_test(test_what_is_no_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

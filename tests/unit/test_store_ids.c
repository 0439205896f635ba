/* The lists and maps of ids that batches are worked out with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/replica_private.h"

static void test_lists_and_maps_of_ids_hold_what_was_put(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct id_list list = {0};
    struct id_map map;
    id_map_init(arena, &map, 1000);
    for (int i = 0; i < 1000; i++) {
        id_list_add(arena, &list, 7 * (999 - i) / 2);
        assert_int_equal(*id_map_at(&map, (int64_t)i << 40, i), i);
        assert_int_equal(*id_map_at(&map, (int64_t)i << 40, -5), i);
    }
    id_list_sort(&list);
    assert_int_equal(list.count, 1000);
    assert_int_equal(list.at[0], 0);
    assert_int_equal(id_map_get(&map, INT64_C(999) << 40), 999);
    assert_int_equal(id_map_get(&map, 1), -1);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_and_maps_of_ids_hold_what_was_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

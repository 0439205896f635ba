/* Batches in lanes: those that must are written in the order in which they were received, however
 * long each takes to be parsed, and whichever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/sync/lanes.h"

enum { BATCHES = 12 };

/* A batch is its number; what is written goes here. */
static int batches[BATCHES], written[BATCHES], written_count, failing;
static struct worker_account account = {.id = 7};
static struct sync_context sync_context;
static struct slice slice = {.sync = &sync_context, .account = &account};

static bool write_slowly(struct lane *lane, void *batch, struct error *err)
{
    int number = *(int *)batch;
    usleep((useconds_t)(number % 3 == 0 ? 30000 : 1000)); /* the next two are parsed sooner */
    if (number == failing)
        return error_set(err, ERROR_INTERNAL, "this one cannot be parsed");
    struct db *db = lanes_acquire(lane, false);
    written[written_count++] = number;
    lanes_release(lane, &db);
    return true;
}

static bool send_all(bool in_turn, int which_fails, struct error *err)
{
    struct lanes lanes;
    bool is_good = true;
    failing = which_fails;
    written_count = 0;
    lanes_open(&lanes, &slice, write_slowly, in_turn);
    for (int i = 0; i < BATCHES; i++) {
        batches[i] = i;
        is_good = lanes_send(&lanes, &batches[i]) && is_good;
    }
    return lanes_close(&lanes, err) && is_good;
}

static void test_batches_are_written_in_the_order_they_came(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;
    assert_true(send_all(true, -1, &err));
    assert_int_equal(written_count, BATCHES);
    for (int i = 0; i < BATCHES; i++)
        assert_int_equal(written[i], i);
}

static void test_one_that_fails_is_told_and_keeps_no_other_waiting(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;
    assert_false(send_all(true, 4, &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);
    assert_int_equal(written_count, BATCHES - 1);
    for (int i = 0; i < BATCHES - 1; i++)
        assert_int_equal(written[i], i < 4 ? i : i + 1);
}

static void test_without_turns_all_are_written_one_at_a_time(void **state)
{
    struct error err = ERROR_INIT;
    int sum = 0;
    (void)state;
    assert_true(send_all(false, -1, &err));
    assert_int_equal(written_count, BATCHES);
    for (int i = 0; i < BATCHES; i++)
        sum += written[i];
    assert_int_equal(sum, BATCHES * (BATCHES - 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_are_written_in_the_order_they_came),
        cmocka_unit_test(test_one_that_fails_is_told_and_keeps_no_other_waiting),
        cmocka_unit_test(test_without_turns_all_are_written_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

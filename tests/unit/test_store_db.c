/* Statements whose rows are read once they were sent (db_post_select). */
#include "server/store/db.h"
#include "tests/unit/store_people.h"

static struct store *web;
static struct db *db;
static int64_t ada;

static int setup(void **state)
{
    struct error err = ERROR_INIT;
    if (fixture_setup(state))
        return -1;
    web = fixture_store(STORE_WEB, 1);
    db = store_acquire(web, 0, &err);
    assert_good(db && user_create(db, STR("ada"), STR_EMPTY, false, &ada, &err));
    return 0;
}

static int teardown(void **state)
{
    store_release(web, &db);
    store_close(&web);
    return fixture_teardown(state);
}

static bool post_delay(struct db_rows *rows, struct error *err)
{
    return db_post_select(db, "send_delay", rows, err, db_i64(ada));
}

/* Refused: there is no such person. */
static bool post_what_fails(struct error *err)
{
    const struct db_value hash = db_bytes(STR("0123456789abcdef0123456789abcdef"));
    return db_post(db, "session_create", err, hash, db_i64(-1), hash, db_i64(60), db_text(STR("")),
                   db_text(STR("")));
}

static void expect_delay(struct db_rows *rows, int seconds)
{
    assert_int_equal(rows->row_count, 1);
    assert_true(db_next(rows));
    assert_int_equal(db_get_i32(rows), seconds);
    db_rows_free(rows);
}

static void test_rows_come_with_the_next_statement_and_with_the_commit(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct db_rows first, second, third, asked;
    uint64_t before = store_round_trips(web);
    assert_good(db_begin(db, &err));
    assert_good(post_delay(&first, &err));
    assert_good(db_post(db, "send_delay_set", &err, db_i64(ada), db_i32(7)));
    assert_good(post_delay(&second, &err));
    assert_int_equal(first.row_count, 0); /* not sent yet */
    assert_int_equal(store_round_trips(web), before);
    assert_good(db_select(db, "send_delay", &asked, &err, db_i64(ada)));
    expect_delay(&first, 5);
    expect_delay(&second, 7);
    expect_delay(&asked, 7);
    assert_good(post_delay(&third, &err));
    assert_good(db_commit(db, &err));
    expect_delay(&third, 7);
    assert_int_equal(store_round_trips(web), before + 2);
}

static void test_more_than_a_pipe_holds_is_read_as_well(void **state)
{
    enum { MANY = 200 };
    (void)state;
    struct error err = ERROR_INIT;
    struct db_rows rows[MANY];
    assert_good(db_begin(db, &err));
    for (int i = 0; i < MANY; i++)
        assert_good(post_delay(&rows[i], &err));
    assert_good(db_catch_up(db, &err));
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rows[i].row_count, 1);
        db_rows_free(&rows[i]);
    }
    assert_good(db_commit(db, &err));
}

static void test_a_failure_leaves_no_rows_of_what_was_sent_with_it(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct db_rows before, after;
    assert_good(db_begin(db, &err));
    assert_good(post_delay(&before, &err));
    assert_good(post_what_fails(&err));
    assert_good(post_delay(&after, &err));
    assert_false(db_catch_up(db, &err));
    assert_int_equal(before.row_count + after.row_count, 0);
    db_rows_free(&before);
    db_rows_free(&after);
    db_rollback(db);
}

static void post_and_forget(void)
{
    struct error err = ERROR_INIT;
    struct db_rows rows;
    assert_good(post_delay(&rows, &err));
}

static void test_a_rollback_writes_no_rows_to_who_is_gone(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct db_rows rows;
    assert_good(db_begin(db, &err));
    post_and_forget(); /* AddressSanitizer would see its rows written */
    db_rollback(db);
    assert_good(db_begin(db, &err));
    assert_good(post_delay(&rows, &err) && db_commit(db, &err));
    assert_int_equal(rows.row_count, 1);
    db_rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_with_the_next_statement_and_with_the_commit),
        cmocka_unit_test(test_more_than_a_pipe_holds_is_read_as_well),
        cmocka_unit_test(test_a_failure_leaves_no_rows_of_what_was_sent_with_it),
        cmocka_unit_test(test_a_rollback_writes_no_rows_to_who_is_gone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Operations and the change log against a real PostgreSQL. */
#include <pthread.h>

#include "server/store/changes_private.h"
#include "tests/unit/store_roles.h"

struct person {
    int64_t user_id, account_id;
};

static struct person new_person(void)
{
    int64_t user_id = person_new(web);
    return (struct person){.user_id = user_id, .account_id = account_new(web, user_id, "ada")};
}

static int64_t enqueue(struct person p, bool is_urgent, const char *key)
{
    struct error err = ERROR_INIT;
    int64_t id = 0;
    struct db *db = acquire(web, p.user_id);
    assert_good(operation_enqueue(db, p.account_id, STR("keywords"), STR("{\"a\": 1}"), is_urgent,
                                  str_of(key), &id, &err));
    store_release(web, &db);
    return id;
}

/* The id that is taken, 0 if none is due. */
static int64_t take(struct person p)
{
    struct error err = ERROR_INIT;
    struct operation operation = {0};
    struct db *db = acquire(sync_store, 0);
    if (!operation_take(db, arena, p.account_id, &operation, &err))
        assert_int_equal(err.kind, ERROR_NOT_FOUND);
    store_release(sync_store, &db);
    return operation.id;
}

static void finish(struct person p, int64_t id)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(sync_store, 0);
    assert_good(operation_finish(db, p.account_id, id, STR("{\"done\": true}"), &err));
    store_release(sync_store, &db);
}

static void fail_operation(struct person p, int64_t id, int64_t retry_at)
{
    struct error err = ERROR_INIT;
    struct error why = {.kind = ERROR_REFUSED, .message = "the folder is full"};
    struct db *db = acquire(sync_store, 0);
    assert_good(operation_fail(db, p.account_id, id, &why, retry_at, &err));
    store_release(sync_store, &db);
}

static struct operation look(struct person p, int64_t id)
{
    struct error err = ERROR_INIT;
    struct operation operation;
    struct db *db = acquire(web, p.user_id);
    assert_good(operation_by_id(db, arena, p.account_id, id, &operation, &err));
    store_release(web, &db);
    return operation;
}

/* --- accepting ------------------------------------------------------------------------------- */

static void test_an_operation_is_read_as_it_was_accepted(void **state)
{
    (void)state;
    struct person p = new_person();
    int64_t id = enqueue(p, true, "");
    struct operation operation = look(p, id);
    assert_int_equal(operation.account_id, p.account_id);
    assert_int_equal(operation.id, id);
    assert_true(str_equal(operation.kind, STR("keywords")));
    assert_true(str_equal(operation.arguments, STR("{\"a\": 1}")));
    assert_int_equal(operation.state, OPERATION_PENDING);
    assert_true(operation.is_urgent);
    assert_int_equal(operation.attempts, 0);
    assert_int_equal(operation.finished_at, 0);
    assert_true(str_is_empty(operation.result) && str_is_empty(operation.journal));
}

static void test_a_known_idempotency_key_brings_the_earlier_operation(void **state)
{
    (void)state;
    struct person p = new_person(), other = new_person();
    int64_t first = enqueue(p, false, "click-1");
    assert_int_equal(enqueue(p, false, "click-1"), first);
    int64_t second = enqueue(p, false, "click-2");
    assert_int_not_equal(second, first);
    assert_int_not_equal(enqueue(p, false, ""), enqueue(p, false, ""));
    enqueue(other, false, "click-1");
    finish(p, take(p));
    assert_int_equal(enqueue(p, false, "click-1"), first); /* done already, and still known */
    assert_int_equal(
        sql("SELECT count(*) FROM operation WHERE account_id = %lld", (long long)p.account_id), 4);
}

struct clicker {
    struct person person;
    int64_t id;
};

static void *click(void *context)
{
    struct clicker *clicker = context;
    clicker->id = enqueue(clicker->person, false, "same");
    return NULL;
}

static void test_concurrent_clicks_with_one_key_make_one_operation(void **state)
{
    (void)state;
    enum { CLICKS = 4, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        struct person p = new_person();
        struct clicker clickers[CLICKS];
        pthread_t threads[CLICKS];
        for (int i = 0; i < CLICKS; i++) {
            clickers[i] = (struct clicker){.person = p};
            assert_int_equal(pthread_create(&threads[i], NULL, click, &clickers[i]), 0);
        }
        for (int i = 0; i < CLICKS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(clickers[i].id, clickers[0].id);
        }
        assert_int_equal(
            sql("SELECT count(*) FROM operation WHERE account_id = %lld", (long long)p.account_id),
            1);
    }
}

static void test_an_operation_is_told_of_at_commit_and_goes_with_a_rollback(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char payload[32];
    int64_t id;
    struct person p = new_person();
    struct db *db = acquire(web, p.user_id);
    assert_good(db_begin(db, &err));
    assert_good(
        operation_enqueue(db, p.account_id, STR("move"), STR("{}"), false, STR_EMPTY, &id, &err));
    db_rollback(db);
    assert_int_equal(take(p), 0);
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    assert_good(db_begin(db, &err));
    assert_good(
        operation_enqueue(db, p.account_id, STR("move"), STR("{}"), false, STR_EMPTY, &id, &err));
    assert_int_equal(take(p), 0);
    assert_good(db_commit(db, &err));
    store_release(web, &db);
    snprintf(payload, sizeof payload, "op %lld", (long long)p.account_id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
    assert_int_equal(take(p), id);
}

static void test_a_backend_killed_before_the_commit_leaves_no_operation(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t id;
    struct person p = new_person();
    struct db *db = acquire(web, p.user_id);
    assert_good(db_begin(db, &err));
    assert_good(
        operation_enqueue(db, p.account_id, STR("move"), STR("{}"), false, STR("key"), &id, &err));
    assert_int_equal(sql("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                         " WHERE application_name = 'restante-web'"
                         " AND state LIKE 'idle in transaction%%'"),
                     1);
    assert_kind(
        operation_enqueue(db, p.account_id, STR("move"), STR("{}"), false, STR_EMPTY, &id, &err),
        ERROR_DATABASE);
    assert_kind(db_commit(db, &err), ERROR_DATABASE);
    store_release(web, &db);
    assert_int_equal(
        sql("SELECT count(*) FROM operation WHERE account_id = %lld", (long long)p.account_id), 0);
    enqueue(p, false, "key"); /* the key was not used up */
}

/* --- the lane -------------------------------------------------------------------------------- */

static void test_the_lane_runs_one_after_the_other(void **state)
{
    (void)state;
    struct person p = new_person();
    int64_t first = enqueue(p, false, ""), second = enqueue(p, false, "");
    assert_int_equal(take(p), first);
    assert_int_equal(take(p), 0);
    finish(p, first);
    assert_int_equal(take(p), second);
}

static void test_urgent_ones_overtake_even_what_runs(void **state)
{
    (void)state;
    struct person p = new_person();
    int64_t ordinary = enqueue(p, false, "");
    int64_t urgent = enqueue(p, true, ""), later = enqueue(p, true, "");
    assert_int_equal(take(p), urgent);
    assert_int_equal(take(p), later);
    assert_int_equal(take(p), ordinary);
}

static void test_what_waits_to_be_tried_again_holds_up_the_lane_but_not_the_urgent(void **state)
{
    (void)state;
    struct person p = new_person();
    int64_t first = enqueue(p, false, "");
    enqueue(p, false, "");
    assert_int_equal(take(p), first);
    fail_operation(p, first, clock_now_us() + INT64_C(3600000000));
    assert_int_equal(take(p), 0);
    int64_t urgent = enqueue(p, true, "");
    assert_int_equal(take(p), urgent);
    struct operation operation = look(p, first);
    assert_int_equal(operation.state, OPERATION_PENDING);
    assert_int_equal(operation.attempts, 1);
    assert_true(str_equal(operation.error, STR("the folder is full")));
    sql("UPDATE operation SET not_before = now() WHERE account_id = %lld", (long long)p.account_id);
    assert_int_equal(take(p), first);
    assert_int_equal(look(p, first).attempts, 2);
}

static void test_finishing_brings_the_result_to_whoever_waits(void **state)
{
    (void)state;
    char payload[48];
    struct person p = new_person();
    int64_t id = enqueue(p, true, "");
    int64_t modseq = sql("SELECT modseq FROM account WHERE id = %lld", (long long)p.account_id);
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    finish(p, take(p));
    snprintf(payload, sizeof payload, "done %lld %lld", (long long)p.account_id, (long long)id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
    struct operation operation = look(p, id);
    assert_int_equal(operation.state, OPERATION_DONE);
    assert_true(str_equal(operation.result, STR("{\"done\": true}")));
    assert_true(operation.finished_at > 0);
    /* a body fetched for a reader is no news for others */
    assert_int_equal(sql("SELECT modseq FROM account WHERE id = %lld", (long long)p.account_id),
                     modseq);
}

static void test_failing_for_good_says_why_and_is_a_change(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct change *changes;
    size_t count;
    int64_t modseq;
    struct person p = new_person();
    int64_t id = enqueue(p, false, "");
    fail_operation(p, take(p), 0);
    struct operation operation = look(p, id);
    assert_int_equal(operation.state, OPERATION_FAILED);
    assert_true(str_equal(operation.error_kind, STR("refused")));
    assert_true(str_equal(operation.error, STR("the folder is full")));
    assert_int_equal(take(p), 0);
    struct db *db = acquire(web, p.user_id);
    assert_good(changes_since(db, arena, p.account_id, 1, 10, &changes, &count, &modseq, &err));
    store_release(web, &db);
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].type, CHANGE_OPERATION);
    assert_int_equal(changes[0].updated_count, 1);
    assert_int_equal(changes[0].updated[0], id);
}

static void test_only_what_runs_can_end_or_be_journalled(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct error why = {.kind = ERROR_TIMEOUT};
    struct person p = new_person();
    int64_t id = enqueue(p, false, "");
    struct db *db = acquire(sync_store, 0);
    assert_kind(operation_finish(db, p.account_id, id, STR_EMPTY, &err), ERROR_NOT_FOUND);
    assert_kind(operation_fail(db, p.account_id, id, &why, 0, &err), ERROR_NOT_FOUND);
    assert_kind(operation_fail(db, p.account_id, id, &why, 1, &err), ERROR_NOT_FOUND);
    assert_kind(operation_journal(db, p.account_id, id, STR("{}"), &err), ERROR_NOT_FOUND);
    assert_int_equal(take(p), id);
    assert_good(operation_journal(db, p.account_id, id, STR("{\"step\": 1}"), &err));
    assert_good(operation_finish(db, p.account_id, id, STR_EMPTY, &err));
    assert_kind(operation_finish(db, p.account_id, id, STR_EMPTY, &err), ERROR_NOT_FOUND);
    store_release(sync_store, &db);
}

static void test_after_a_crash_what_ran_runs_again_with_its_journal(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct operation operation;
    struct person p = new_person();
    int64_t id = enqueue(p, false, "");
    assert_int_equal(take(p), id);
    struct db *db = acquire(sync_store, 0);
    assert_good(operation_journal(db, p.account_id, id, STR("{\"step\": 1}"), &err));
    assert_good(operations_recover(db, p.account_id, &err));
    assert_good(operation_take(db, arena, p.account_id, &operation, &err));
    assert_int_equal(operation.id, id);
    assert_int_equal(operation.state, OPERATION_RUNNING);
    assert_int_equal(operation.attempts, 2);
    assert_true(str_equal(operation.journal, STR("{\"step\": 1}")));
    store_release(sync_store, &db);
}

struct taker {
    struct person person;
    int taken;
};

static void *take_and_finish(void *context)
{
    struct taker *taker = context;
    struct error err = ERROR_INIT;
    struct arena *own = arena_new();
    struct operation operation;
    struct db *db = store_acquire(sync_store, 0, &err);
    while (db && operation_take(db, own, taker->person.account_id, &operation, &err))
        taker->taken++;
    store_release(sync_store, &db);
    arena_free(&own);
    return NULL;
}

static void test_concurrent_takers_never_get_the_same_operation(void **state)
{
    (void)state;
    enum { TAKERS = 4, OPERATIONS = 40 };
    struct person p = new_person();
    struct taker takers[TAKERS];
    pthread_t threads[TAKERS];
    for (int i = 0; i < OPERATIONS; i++)
        enqueue(p, true, "");
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){.person = p};
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_finish, &takers[i]), 0);
    }
    int taken = 0;
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, OPERATIONS);
    assert_int_equal(sql("SELECT count(*) FROM operation WHERE account_id = %lld AND attempts = 1",
                         (long long)p.account_id),
                     OPERATIONS);
}

/* --- the change log -------------------------------------------------------------------------- */

static int64_t write_changes(struct person p, const struct change *changes, size_t count)
{
    struct error err = ERROR_INIT;
    int64_t modseq;
    struct db *db = acquire(web, p.user_id);
    assert_good(db_begin(db, &err));
    assert_good(changes_write(db, p.account_id, changes, count, &modseq, &err));
    assert_good(db_commit(db, &err));
    store_release(web, &db);
    return modseq;
}

static bool read_changes(struct person p, int64_t since, int limit, struct change **changes,
                         size_t *count, int64_t *modseq, struct error *err)
{
    struct db *db = acquire(web, p.user_id);
    bool is_good =
        changes_since(db, arena, p.account_id, since, limit, changes, count, modseq, err);
    store_release(web, &db);
    return is_good;
}

static void test_a_batch_of_changes_is_one_modseq_and_told_once(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char payload[48];
    const int64_t ids[] = {7, 8, 9}, gone[] = {3};
    const struct change written[] = {{.type = CHANGE_EMAIL,
                                      .created = ids,
                                      .created_count = 3,
                                      .destroyed = gone,
                                      .destroyed_count = 1},
                                     {.type = CHANGE_THREAD},
                                     {.type = CHANGE_MAILBOX, .updated = ids, .updated_count = 1}};
    struct person p = new_person();
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    int64_t number = write_changes(p, written, 3), modseq;
    assert_int_equal(number, 2);
    snprintf(payload, sizeof payload, "change %lld 2", (long long)p.account_id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
    struct change *changes;
    size_t count;
    assert_good(read_changes(p, 1, 10, &changes, &count, &modseq, &err));
    assert_int_equal(modseq, number);
    assert_int_equal(count, 2);
    assert_int_equal(changes[0].type, CHANGE_EMAIL);
    assert_int_equal(changes[0].modseq, number);
    assert_int_equal(changes[0].created_count, 3);
    assert_memory_equal(changes[0].created, ids, sizeof ids);
    assert_int_equal(changes[0].updated_count, 0);
    assert_int_equal(changes[0].destroyed[0], 3);
    assert_int_equal(changes[1].type, CHANGE_MAILBOX);
}

static void test_nothing_written_takes_no_modseq(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct change *changes;
    size_t count;
    int64_t modseq;
    struct person p = new_person();
    assert_int_equal(write_changes(p, &(struct change){.type = CHANGE_EMAIL}, 1), 0);
    assert_good(read_changes(p, 1, 10, &changes, &count, &modseq, &err));
    assert_int_equal(count, 0);
    assert_int_equal(modseq, 1);
}

static void test_a_limit_never_cuts_a_modseq_apart(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    const int64_t id = 7;
    const struct change both[] = {{.type = CHANGE_EMAIL, .updated = &id, .updated_count = 1},
                                  {.type = CHANGE_MAILBOX, .updated = &id, .updated_count = 1}};
    struct change *changes;
    size_t count;
    int64_t modseq;
    struct person p = new_person();
    for (int i = 0; i < 3; i++)
        write_changes(p, both, 2);
    assert_good(read_changes(p, 1, 3, &changes, &count, &modseq, &err));
    assert_int_equal(count, 4);
    assert_int_equal(changes[3].modseq, 3);
    assert_int_equal(modseq, 4);
    assert_good(read_changes(p, changes[3].modseq, 3, &changes, &count, &modseq, &err));
    assert_int_equal(count, 2);
}

static void test_whoever_asks_for_pruned_changes_starts_anew(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    const int64_t id = 7;
    const struct change one = {.type = CHANGE_EMAIL, .updated = &id, .updated_count = 1};
    struct change *changes;
    size_t count;
    int64_t modseq;
    struct person p = new_person();
    for (int i = 0; i < 3; i++)
        write_changes(p, &one, 1);
    /* 3 is old, and 2 before it goes with it though its clock said otherwise */
    sql("UPDATE change SET at = now() - interval '31 days' WHERE account_id = %lld AND modseq = 3",
        (long long)p.account_id);
    struct db *db = acquire(sync_store, 0);
    assert_good(store_sweep(db, &err));
    store_release(sync_store, &db);
    assert_kind(read_changes(p, 2, 10, &changes, &count, &modseq, &err), ERROR_CONFLICT);
    assert_good(read_changes(p, 3, 10, &changes, &count, &modseq, &err));
    assert_int_equal(count, 1);
    assert_good(read_changes(p, 4, 10, &changes, &count, &modseq, &err));
    assert_int_equal(count, 0);
    assert_kind(read_changes(p, 5, 10, &changes, &count, &modseq, &err), ERROR_CONFLICT);
    sql("DELETE FROM change WHERE account_id = %lld", (long long)p.account_id);
    assert_kind(read_changes(p, 3, 10, &changes, &count, &modseq, &err), ERROR_CONFLICT);
    assert_good(read_changes(p, 4, 10, &changes, &count, &modseq, &err));
}

static void test_ids_are_given_out_once(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t first, second;
    struct person p = new_person();
    struct db *db = acquire(sync_store, 0);
    assert_good(account_next_ids(db, p.account_id, 100, &first, &err));
    assert_good(account_next_ids(db, p.account_id, 1, &second, &err));
    assert_int_equal(second, first + 100);
    assert_kind(account_next_ids(db, INT64_C(1) << 40, 1, &first, &err), ERROR_NOT_FOUND);
    store_release(sync_store, &db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_operation_is_read_as_it_was_accepted),
        cmocka_unit_test(test_a_known_idempotency_key_brings_the_earlier_operation),
        cmocka_unit_test(test_concurrent_clicks_with_one_key_make_one_operation),
        cmocka_unit_test(test_an_operation_is_told_of_at_commit_and_goes_with_a_rollback),
        cmocka_unit_test(test_a_backend_killed_before_the_commit_leaves_no_operation),
        cmocka_unit_test(test_the_lane_runs_one_after_the_other),
        cmocka_unit_test(test_urgent_ones_overtake_even_what_runs),
        cmocka_unit_test(test_what_waits_to_be_tried_again_holds_up_the_lane_but_not_the_urgent),
        cmocka_unit_test(test_finishing_brings_the_result_to_whoever_waits),
        cmocka_unit_test(test_failing_for_good_says_why_and_is_a_change),
        cmocka_unit_test(test_only_what_runs_can_end_or_be_journalled),
        cmocka_unit_test(test_after_a_crash_what_ran_runs_again_with_its_journal),
        cmocka_unit_test(test_concurrent_takers_never_get_the_same_operation),
        cmocka_unit_test(test_a_batch_of_changes_is_one_modseq_and_told_once),
        cmocka_unit_test(test_nothing_written_takes_no_modseq),
        cmocka_unit_test(test_a_limit_never_cuts_a_modseq_apart),
        cmocka_unit_test(test_whoever_asks_for_pruned_changes_starts_anew),
        cmocka_unit_test(test_ids_are_given_out_once),
    };
    return cmocka_run_group_tests(tests, roles_setup, roles_teardown);
}

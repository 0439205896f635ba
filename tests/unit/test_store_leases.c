/* Leases and status against a real PostgreSQL. */
#include <pthread.h>

#include "server/store/leases.h"
#include "server/store/operations.h"
#include "tests/unit/store_roles.h"

enum { LEASE_S = 30, LIMIT = 1000 };
static const int64_t hour_us = INT64_C(3600000000);

/* How many accounts `owner` takes, and whether `id` is among them. */
static size_t take_due(const char *owner, int64_t id, bool *has_id)
{
    struct error err = ERROR_INIT;
    int64_t *ids;
    size_t count;
    struct db *db = acquire(sync_store, 0);
    assert_good(lease_due(db, arena, str_of(owner), LEASE_S, LIMIT, &ids, &count, &err));
    store_release(sync_store, &db);
    *has_id = false;
    for (size_t i = 0; i < count; i++)
        *has_id = *has_id || ids[i] == id;
    return count;
}

static bool takes(const char *owner, int64_t id)
{
    bool has_id;
    take_due(owner, id, &has_id);
    return has_id;
}

static bool take_one(int64_t id, const char *owner, struct error *err)
{
    struct db *db = acquire(sync_store, 0);
    bool is_good = lease_take(db, id, str_of(owner), LEASE_S, err);
    store_release(sync_store, &db);
    return is_good;
}

static void renew(const char *owner)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(sync_store, 0);
    assert_good(lease_renew(db, str_of(owner), LEASE_S, &err));
    store_release(sync_store, &db);
}

static void release(int64_t id, const char *owner, int64_t next_sync_at)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(sync_store, 0);
    assert_good(lease_release(db, id, str_of(owner), next_sync_at, &err));
    store_release(sync_store, &db);
}

static void release_all(const char *owner)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(sync_store, 0);
    assert_good(lease_release_all(db, str_of(owner), &err));
    store_release(sync_store, &db);
}

static struct account load(int64_t id)
{
    struct error err = ERROR_INIT;
    struct account account;
    struct db *db = acquire(sync_store, 0);
    assert_good(account_by_id(db, arena, id, &account, &err));
    store_release(sync_store, &db);
    return account;
}

/* What was taken runs out, as when time passes. */
static void let_leases_lapse(void)
{
    sql("UPDATE account SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL");
}
static void let_heartbeats_lapse(void)
{
    sql("UPDATE sync_process SET alive_until = now() - interval '1 s'");
}

/* --- taking ---------------------------------------------------------------------------------- */

static void test_a_due_account_is_taken_once(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t id = account_new(web, person_new(web), "ada");
    assert_true(takes("a", id));
    assert_false(takes("b", id));
    assert_false(takes("a", id)); /* it has it already */
    assert_kind(take_one(id, "b", &err), ERROR_CONFLICT);
    assert_good(take_one(id, "a", &err));
}

static void make_unreachable(int64_t id)
{
    sql("UPDATE account SET sync_state = 'unreachable' WHERE id = %lld", (long long)id);
}

/* So that its connection can wait for news. */
static void test_an_account_that_works_is_taken_whenever_nobody_has_it(void **state)
{
    (void)state;
    int64_t id = account_new(web, person_new(web), "ada");
    assert_true(takes("a", id));
    release(id, "b", clock_now_us()); /* not b's to give */
    assert_false(takes("b", id));
    release(id, "a", clock_now_us() + hour_us);
    assert_true(takes("b", id));
}

static void test_an_account_that_failed_is_due_when_it_said(void **state)
{
    (void)state;
    int64_t id = account_new(web, person_new(web), "ada");
    assert_true(takes("a", id));
    make_unreachable(id);
    release(id, "a", clock_now_us() + hour_us);
    assert_false(takes("b", id));
    sql("UPDATE account SET next_sync_at = now() WHERE id = %lld", (long long)id);
    assert_true(takes("b", id));
}

static void test_a_waiting_operation_makes_a_failed_account_due_when_its_time_has_come(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web), id = account_new(web, user_id, "ada"), operation;
    assert_true(takes("a", id));
    make_unreachable(id);
    release(id, "a", clock_now_us() + hour_us);
    struct db *db = acquire(web, user_id);
    assert_good(
        operation_enqueue(db, id, STR("move"), STR("{}"), false, STR_EMPTY, &operation, &err));
    store_release(web, &db);
    sql("UPDATE operation SET not_before = now() + interval '1 h' WHERE account_id = %lld",
        (long long)id);
    assert_false(takes("a", id));
    sql("UPDATE operation SET not_before = now() WHERE account_id = %lld", (long long)id);
    assert_true(takes("a", id));
}

static void test_paused_and_removed_accounts_are_left_alone(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web);
    int64_t paused = account_new(web, user_id, "paused"), gone = account_new(web, user_id, "gone");
    struct db *db = acquire(sync_store, 0);
    assert_good(account_set_state(db, paused, SYNC_PAUSED, NULL, &err));
    store_release(sync_store, &db);
    db = acquire(web, user_id);
    assert_good(account_delete(db, gone, &err));
    store_release(web, &db);
    let_leases_lapse();
    assert_false(takes("a", paused));
    assert_false(takes("a", gone));
    assert_kind(take_one(gone, "a", &err), ERROR_CONFLICT);
}

/* --- holding --------------------------------------------------------------------------------- */

static void test_a_heartbeat_keeps_all_that_is_held(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web);
    int64_t one = account_new(web, user_id, "one"), two = account_new(web, user_id, "two");
    assert_good(take_one(one, "steady", &err) && take_one(two, "steady", &err));
    renew("steady");
    let_leases_lapse();
    assert_false(takes("b", one));
    assert_kind(take_one(two, "b", &err), ERROR_CONFLICT);
    release_all("steady");
    assert_true(takes("b", one));
}

static void test_the_accounts_of_a_dead_process_move_on_and_it_finds_out(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct account_work work;
    int64_t user_id = person_new(web);
    int64_t lost = account_new(web, user_id, "lost"), kept = account_new(web, user_id, "kept");
    assert_good(take_one(lost, "stalled", &err) && take_one(kept, "stalled", &err));
    renew("stalled");
    let_leases_lapse();
    let_heartbeats_lapse();
    assert_good(take_one(lost, "heir", &err));
    renew("stalled"); /* it was not dead after all */
    assert_kind(take_one(lost, "stalled", &err), ERROR_CONFLICT);
    assert_kind(take_one(kept, "heir", &err), ERROR_CONFLICT);
    struct db *db = acquire(sync_store, 0);
    assert_good(account_work_load(db, arena, lost, &work, &err));
    assert_true(str_equal(work.lease_owner, STR("heir")));
    assert_good(account_work_load(db, arena, kept, &work, &err));
    assert_true(str_equal(work.lease_owner, STR("stalled")));
    store_release(sync_store, &db);
}

static void test_a_new_life_takes_up_what_the_former_one_held(void **state)
{
    (void)state;
    int64_t id = account_new(web, person_new(web), "ada");
    assert_true(takes("again", id));
    renew("again");
    assert_false(takes("again", id));
    release_all("again");
    assert_true(takes("again", id));
}

struct taker {
    char owner[40];
    struct arena *arena;
    int64_t *ids;
    size_t count;
    bool is_good;
};

static void *take_some(void *context)
{
    enum { ROUNDS = 10, SOME = 7 };
    struct taker *taker = context;
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(sync_store, 0, &err);
    taker->is_good = db != NULL;
    for (int round = 0; round < ROUNDS && taker->is_good; round++) {
        int64_t *ids;
        size_t count;
        taker->is_good =
            lease_due(db, taker->arena, str_of(taker->owner), LEASE_S, SOME, &ids, &count, &err) &&
            lease_renew(db, str_of(taker->owner), LEASE_S, &err);
        for (size_t i = 0; i < count && taker->is_good; i++)
            taker->ids[taker->count++] = ids[i];
    }
    store_release(sync_store, &db);
    return NULL;
}

static void test_concurrent_takers_never_get_the_same_account(void **state)
{
    (void)state;
    enum { TAKERS = 4, ACCOUNTS = 60, ROUNDS = 5 };
    bool has_id;
    char name[32];
    int64_t user_id = person_new(web);
    take_due("before", 0, &has_id); /* what other tests left */
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof name, "account%d", i);
        account_new(web, user_id, name);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct taker takers[TAKERS];
        pthread_t threads[TAKERS];
        size_t taken = 0;
        for (int i = 0; i < TAKERS; i++) {
            takers[i] = (struct taker){.arena = arena_new()};
            takers[i].ids = ARENA_ARRAY(takers[i].arena, LIMIT, int64_t);
            snprintf(takers[i].owner, sizeof takers[i].owner, "taker%d-%d", round, i);
            assert_int_equal(pthread_create(&threads[i], NULL, take_some, &takers[i]), 0);
        }
        for (int i = 0; i < TAKERS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < TAKERS; i++) {
            assert_true(takers[i].is_good);
            taken += takers[i].count;
            /* each is still whose it was when taken */
            for (size_t n = 0; n < takers[i].count; n++)
                assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld AND"
                                     " lease_owner = '%s'",
                                     (long long)takers[i].ids[n], takers[i].owner),
                                 1);
            arena_free(&takers[i].arena);
        }
        assert_int_equal(taken, ACCOUNTS);
        sql("UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE user_id = %lld",
            (long long)user_id);
    }
    sql("UPDATE account SET next_sync_at = now() + interval '1 day' WHERE user_id = %lld",
        (long long)user_id);
}

static void test_the_next_due_moment_is_that_of_the_free_accounts(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t at, wanted = clock_now_us() + hour_us;
    sql("UPDATE account SET next_sync_at = now() + interval '1 day'");
    sql("DELETE FROM operation");
    long long id = account_new(web, person_new(web), "ada");
    assert_true(takes("a", id));
    release(id, "a", wanted);
    struct db *db = acquire(sync_store, 0);
    assert_good(lease_next_due(db, &at, &err));
    assert_int_equal(at, wanted);
    sql("INSERT INTO operation (account_id, id, kind, arguments, not_before)"
        " VALUES (%lld, 90, 'move', '{}', to_timestamp(1000000))",
        id);
    assert_good(lease_next_due(db, &at, &err));
    assert_int_equal(at, INT64_C(1000000000000));
    store_release(sync_store, &db);
    assert_true(takes("a", id));
    sql("UPDATE account SET sync_state = 'paused' WHERE lease_owner IS DISTINCT FROM 'a'");
    db = acquire(sync_store, 0);
    assert_good(lease_next_due(db, &at, &err));
    assert_int_equal(at, 0);
    store_release(sync_store, &db);
}

/* --- status ---------------------------------------------------------------------------------- */

static void test_a_state_is_a_change_only_when_it_or_its_sentence_is_new(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct error why = {.message = "the server does not answer", .hint = "wait"};
    int64_t id = account_new(web, person_new(web), "ada");
    struct db *db = acquire(sync_store, 0);
    assert_good(account_set_state(db, id, SYNC_UNREACHABLE, &why, &err));
    struct account first = load(id);
    assert_int_equal(first.sync_state, SYNC_UNREACHABLE);
    assert_true(str_equal(first.sync_error, STR("the server does not answer")));
    assert_true(str_equal(first.sync_hint, STR("wait")));
    assert_int_equal(first.modseq, 2);
    assert_good(account_set_state(db, id, SYNC_UNREACHABLE, &why, &err));
    assert_int_equal(load(id).modseq, 2);
    snprintf(why.message, sizeof why.message, "the name is unknown");
    assert_good(account_set_state(db, id, SYNC_UNREACHABLE, &why, &err));
    struct account second = load(id);
    assert_int_equal(second.modseq, 3);
    assert_int_equal(second.sync_since, first.sync_since); /* since then, whatever the reason */
    assert_good(account_set_state(db, id, SYNC_SYNCING, NULL, &err));
    assert_true(str_is_empty(load(id).sync_error));
    store_release(sync_store, &db);
}

static void test_a_complete_pass_makes_an_account_current_and_is_news_once(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int failures;
    int64_t id = account_new(web, person_new(web), "ada");
    struct db *db = acquire(sync_store, 0);
    assert_good(account_count_failure(db, id, &failures, &err));
    assert_good(account_count_failure(db, id, &failures, &err));
    assert_int_equal(failures, 2);
    assert_good(account_set_progress(db, id, 50, 100, &err));
    assert_good(account_set_synced(db, id, STR("IMAP4rev1 IDLE"), &err));
    struct account account = load(id);
    assert_int_equal(account.sync_state, SYNC_CURRENT);
    assert_int_equal(account.failures, 0);
    assert_int_equal(account.sync_done, 50);
    assert_int_equal(account.sync_total, 100);
    assert_true(account.synced_at > 0);
    assert_int_equal(account.modseq, 2);
    assert_good(account_set_synced(db, id, STR_EMPTY, &err));
    assert_int_equal(load(id).modseq, 2);
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld AND capabilities = "
                         "'IMAP4rev1 IDLE'",
                         (long long)id),
                     1);
    assert_kind(account_set_synced(db, INT64_C(1) << 40, STR_EMPTY, &err), ERROR_NOT_FOUND);
    assert_kind(account_count_failure(db, INT64_C(1) << 40, &failures, &err), ERROR_NOT_FOUND);
    store_release(sync_store, &db);
}

static void test_a_killed_backend_leaves_the_status_as_it_was(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t id = account_new(web, person_new(web), "ada");
    struct db *db = acquire(sync_store, 0);
    assert_good(db_begin(db, &err));
    assert_good(account_set_synced(db, id, STR_EMPTY, &err));
    assert_good(account_set_progress(db, id, 1, 1, &err));
    assert_int_equal(sql("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                         " WHERE application_name = 'restante-sync'"
                         " AND state LIKE 'idle in transaction%%'"),
                     1);
    assert_kind(account_set_progress(db, id, 2, 2, &err), ERROR_DATABASE);
    store_release(sync_store, &db);
    struct account account = load(id);
    assert_int_equal(account.sync_state, SYNC_NEW);
    assert_int_equal(account.sync_done, 0);
    assert_int_equal(account.modseq, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_due_account_is_taken_once),
        cmocka_unit_test(test_an_account_that_works_is_taken_whenever_nobody_has_it),
        cmocka_unit_test(test_an_account_that_failed_is_due_when_it_said),
        cmocka_unit_test(
            test_a_waiting_operation_makes_a_failed_account_due_when_its_time_has_come),
        cmocka_unit_test(test_paused_and_removed_accounts_are_left_alone),
        cmocka_unit_test(test_a_heartbeat_keeps_all_that_is_held),
        cmocka_unit_test(test_the_accounts_of_a_dead_process_move_on_and_it_finds_out),
        cmocka_unit_test(test_a_new_life_takes_up_what_the_former_one_held),
        cmocka_unit_test(test_concurrent_takers_never_get_the_same_account),
        cmocka_unit_test(test_a_state_is_a_change_only_when_it_or_its_sentence_is_new),
        cmocka_unit_test(test_a_complete_pass_makes_an_account_current_and_is_news_once),
        cmocka_unit_test(test_a_killed_backend_leaves_the_status_as_it_was),
        cmocka_unit_test(test_the_next_due_moment_is_that_of_the_free_accounts),
    };
    return cmocka_run_group_tests(tests, roles_setup, roles_teardown);
}

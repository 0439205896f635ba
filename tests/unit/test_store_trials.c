/* Settings that are tried before anything is saved, against a real PostgreSQL. */
#include <pthread.h>

#include "tests/unit/store_roles.h"

static struct trial new_trial(enum trial_kind kind, int64_t user_id)
{
    struct error err = ERROR_INIT;
    struct trial trial = {.kind = kind,
                          .user_id = user_id,
                          .account_id = 17,
                          .settings = STR("{\"email\": \"ada@example.org\"}"),
                          .secret = STR("sealed")};
    struct db *db = acquire(web, user_id);
    assert_good(trial_create(db, &trial, &err));
    store_release(web, &db);
    return trial;
}

static bool take_trial(struct trial *trial, struct error *err)
{
    struct db *db = acquire(sync_store, 0);
    bool is_good = trial_take(db, arena, trial, err);
    store_release(sync_store, &db);
    return is_good;
}

static void test_a_trial_is_taken_once_and_its_result_comes_back_without_the_secret(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char payload[48];
    int64_t user_id = person_new(web);
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    struct trial asked = new_trial(TRIAL_ACCOUNT, user_id), taken, seen;
    snprintf(payload, sizeof payload, "trial %s", asked.id);
    assert_true(sql_hears(pg, payload));

    assert_good(take_trial(&taken, &err));
    assert_string_equal(taken.id, asked.id);
    assert_int_equal(taken.kind, TRIAL_ACCOUNT);
    assert_int_equal(taken.user_id, user_id);
    assert_int_equal(taken.account_id, 17);
    assert_true(str_equal(taken.settings, asked.settings));
    assert_true(str_equal(taken.secret, STR("sealed")));
    assert_kind(take_trial(&seen, &err), ERROR_NOT_FOUND);

    struct db *db = acquire(web, user_id);
    assert_good(trial_by_id(db, arena, str_of(asked.id), user_id, &seen, &err));
    assert_false(seen.is_done);
    assert_true(str_is_empty(seen.secret) && str_is_empty(seen.result));
    store_release(web, &db);
    db = acquire(sync_store, 0);
    assert_good(trial_finish(db, str_of(asked.id), STR("{\"ok\": false}"), &err));
    assert_kind(trial_finish(db, str_of(asked.id), STR("{}"), &err), ERROR_NOT_FOUND);
    store_release(sync_store, &db);
    snprintf(payload, sizeof payload, "tried %s", asked.id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
    assert_int_equal(
        sql("SELECT count(*) FROM trial WHERE id = '%s' AND secret IS NOT NULL", asked.id), 0);
    db = acquire(web, user_id);
    assert_good(trial_by_id(db, arena, str_of(asked.id), user_id, &seen, &err));
    assert_true(seen.is_done && str_equal(seen.result, STR("{\"ok\": false}")));
    assert_good(trial_delete(db, str_of(asked.id), &err));
    assert_kind(trial_by_id(db, arena, str_of(asked.id), user_id, &seen, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
}

/* What the person still has to decide is asked after the trial, and the password not again. */
static void test_settings_that_work_keep_the_secret_until_they_are_saved(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    static const struct {
        enum trial_kind kind;
        const char *result;
        bool is_kept;
    } rows[] = {{TRIAL_ACCOUNT, "{\"ok\": true}", true},
                {TRIAL_ACCOUNT, "{\"ok\": \"true\"}", false},
                {TRIAL_SIGN_IN, "{\"ok\": true}", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t user_id = rows[i].kind == TRIAL_SIGN_IN ? 0 : person_new(web);
        struct trial asked = new_trial(rows[i].kind, user_id), taken, seen;
        assert_good(take_trial(&taken, &err));
        struct db *db = acquire(sync_store, 0);
        assert_good(trial_finish(db, str_of(taken.id), str_of(rows[i].result), &err));
        assert_good(trial_by_id(db, arena, str_of(asked.id), user_id, &seen, &err));
        assert_true(str_equal(seen.secret, rows[i].is_kept ? STR("sealed") : STR_EMPTY));
        store_release(sync_store, &db);
    }
    sql("UPDATE trial SET created_at = now() - interval '31 minutes' WHERE secret IS NOT NULL");
    struct db *db = acquire(sync_store, 0);
    assert_good(store_sweep(db, &err));
    store_release(sync_store, &db);
    assert_int_equal(sql("SELECT count(*) FROM trial WHERE secret IS NOT NULL"), 0);
}

static void test_a_trial_is_seen_by_its_person_only(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t ada = person_new(web), bob = person_new(web);
    struct trial own = new_trial(TRIAL_DISCOVER, ada), sign_in = new_trial(TRIAL_SIGN_IN, 0), seen;
    struct db *db = acquire(web, bob);
    assert_kind(trial_by_id(db, arena, str_of(own.id), bob, &seen, &err), ERROR_NOT_FOUND);
    assert_kind(trial_by_id(db, arena, str_of(own.id), 0, &seen, &err), ERROR_NOT_FOUND);
    assert_kind(trial_by_id(db, arena, str_of(sign_in.id), bob, &seen, &err), ERROR_NOT_FOUND);
    assert_good(trial_by_id(db, arena, str_of(sign_in.id), 0, &seen, &err));
    assert_good(trial_delete(db, str_of(own.id), &err));
    assert_good(trial_delete(db, str_of(sign_in.id), &err));
    store_release(web, &db);
}

struct taker {
    int taken;
    struct error err;
};

static void *take_until_none(void *context)
{
    struct taker *taker = context;
    struct arena *own = arena_new();
    struct db *db = store_acquire(sync_store, 0, &taker->err);
    struct trial trial;
    while (db && trial_take(db, own, &trial, &taker->err))
        taker->taken++;
    store_release(sync_store, &db);
    arena_free(&own);
    return NULL;
}

static void test_concurrent_takers_share_the_trials(void **state)
{
    (void)state;
    enum { TAKERS = 4, TRIALS = 40 };
    struct taker takers[TAKERS] = {0};
    pthread_t threads[TAKERS];
    int taken = 0;
    for (int i = 0; i < TRIALS; i++)
        new_trial(TRIAL_SIGN_IN, 0);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_until_none, &takers[i]), 0);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(takers[i].err.kind, ERROR_NOT_FOUND);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, TRIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trial_is_taken_once_and_its_result_comes_back_without_the_secret),
        cmocka_unit_test(test_settings_that_work_keep_the_secret_until_they_are_saved),
        cmocka_unit_test(test_a_trial_is_seen_by_its_person_only),
        cmocka_unit_test(test_concurrent_takers_share_the_trials),
    };
    return cmocka_run_group_tests(tests, roles_setup, roles_teardown);
}

/* The private cluster, migrations and the pool, against a real PostgreSQL. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "server/store/db.h"
#include "tests/unit/store_fixture.h"

static int64_t count_of(struct store *store, const char *name, struct error *err)
{
    struct db *db = store_acquire(store, 0, err);
    struct db_rows rows;
    int64_t count = 0;
    if (!db)
        return -1;
    if (db_select(db, name, &rows, err)) {
        while (db_next(&rows)) {
            count++;
            while (rows.column < rows.column_count)
                db_skip(&rows);
        }
        db_rows_free(&rows);
    } else {
        count = -1;
    }
    store_release(store, &db);
    return count;
}

static void *migrate_once(void *context)
{
    struct error *err = context;
    int applied;
    struct store *owner = fixture_store(STORE_OWNER, 1);
    if (migrate_run(owner, &applied, err))
        err->kind = ERROR_NONE;
    store_close(&owner);
    return (void *)(intptr_t)applied;
}

static void test_concurrent_migrations_apply_each_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct error errs[4] = {0};
    intptr_t applied = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_once, &errs[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_string_equal(errs[i].message, "");
        applied += (intptr_t)result;
    }
    struct error err = ERROR_INIT;
    struct migrate_state seen;
    struct store *owner = fixture_store(STORE_OWNER, 1);
    assert_good(migrate_look(owner, &seen, &err));
    assert_int_equal(applied, seen.binary);
    assert_int_equal(seen.database, seen.binary);
    assert_true(seen.has_web_role);
    assert_int_equal(count_of(owner, "migrate_applied", &err), seen.binary);
    store_close(&owner);
}

static void test_migrating_twice_changes_nothing(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int applied = -1;
    struct store *owner = fixture_store(STORE_OWNER, 1);
    assert_good(migrate_run(owner, &applied, &err));
    assert_int_equal(applied, 0);
    store_close(&owner);
}

static void test_a_newer_database_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int applied;
    struct migrate_state seen;
    struct store *owner = fixture_store(STORE_OWNER, 1);
    struct db *db = store_acquire(owner, 0, &err);
    assert_good(db_execute(db, "migrate_note", NULL, &err, db_i32(999), db_text(STR("later"))));
    store_release(owner, &db);
    assert_kind(migrate_run(owner, &applied, &err), ERROR_CONFLICT);
    assert_kind(migrate_look(owner, &seen, &err), ERROR_CONFLICT);
    db = store_acquire(owner, 0, &err);
    assert_good(db_run_script(db, "DELETE FROM schema_migration WHERE version = 999", &err));
    store_release(owner, &db);
    store_close(&owner);
}

static void test_the_pool_survives_the_death_of_postgresql(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct store *owner = fixture_store(STORE_OWNER, 2);
    struct db *held = store_acquire(owner, 0, &err);
    struct db *idle = store_acquire(owner, 0, &err);
    assert_good(held && idle);
    assert_good(db_execute(held, "db_ping", NULL, &err));
    assert_good(db_begin(held, &err) && db_execute(held, "db_ping", NULL, &err));
    store_release(owner, &idle);

    pid_t pid = cluster_pid(fixture.cluster);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    cluster_note_exit(fixture.cluster);
    fixture_start();

    /* the statement under way fails, says so, and its connection is not given out again */
    assert_kind(db_execute(held, "db_ping", NULL, &err), ERROR_DATABASE);
    assert_kind(db_commit(held, &err), ERROR_DATABASE);
    store_release(owner, &held);
    for (int i = 0; i < 3; i++)
        assert_good(store_is_ready(owner, &err));
    store_close(&owner);
}

static void test_a_stale_lock_with_the_pid_of_a_stranger_does_not_stop_the_start(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char path[128], text[64];
    cluster_stop(fixture.cluster);
    snprintf(path, sizeof path, "%s/pg/data/postmaster.pid", fixture.directory);
    FILE *lock = fopen(path, "w");
    assert_non_null(lock);
    snprintf(text, sizeof text, "%d\n", (int)getpid()); /* alive, but no postgres */
    fputs(text, lock);
    fclose(lock);
    fixture_start();
    struct store *owner = fixture_store(STORE_OWNER, 1);
    assert_good(store_is_ready(owner, &err));
    store_close(&owner);
}

static void test_an_orphaned_postgresql_is_ended_before_a_new_one_starts(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    pid_t orphan = cluster_pid(fixture.cluster);
    cluster_note_exit(fixture.cluster); /* we forgot it, as a crashed parent would have */
    signal(SIGCHLD, SIG_IGN);           /* nobody reaps it late */
    fixture_start();
    signal(SIGCHLD, SIG_DFL);
    assert_int_not_equal(cluster_pid(fixture.cluster), orphan);
    struct store *owner = fixture_store(STORE_OWNER, 1);
    assert_good(store_is_ready(owner, &err));
    store_close(&owner);
}

static void test_a_busy_pool_waits_for_a_connection_given_back(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct store *owner = fixture_store(STORE_OWNER, 1);
    struct db *first = store_acquire(owner, 0, &err);
    assert_good(first != NULL);
    assert_kind(store_acquire(owner, 0, &err) != NULL, ERROR_UNAVAILABLE);
    store_release(owner, &first);
    struct db *second = store_acquire(owner, 0, &err);
    assert_good(second != NULL);
    store_release(owner, &second);
    store_close(&owner);
}

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char last[64];
    int empty;
};

static void hear(void *context, struct str payload)
{
    struct heard *heard = context;
    pthread_mutex_lock(&heard->lock);
    if (payload.length)
        str_copy(payload, heard->last, sizeof heard->last);
    else
        heard->empty++;
    pthread_cond_broadcast(&heard->changed);
    pthread_mutex_unlock(&heard->lock);
}

static void test_a_listener_hears_what_is_notified(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct heard heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct store *web = fixture_store(STORE_WEB, 1);
    struct store_listener *listener = store_listen(web, 60000, hear, &heard, &err);
    assert_good(listener != NULL);
    pthread_mutex_lock(&heard.lock);
    while (!heard.empty) /* connected */
        pthread_cond_wait(&heard.changed, &heard.lock);
    pthread_mutex_unlock(&heard.lock);
    struct db *db = store_acquire(web, 0, &err);
    assert_good(db_run_script(db, "NOTIFY restante, 'op 17'", &err));
    store_release(web, &db);
    pthread_mutex_lock(&heard.lock);
    while (!heard.last[0])
        pthread_cond_wait(&heard.changed, &heard.lock);
    pthread_mutex_unlock(&heard.lock);
    assert_string_equal(heard.last, "op 17");
    store_unlisten(&listener);
    store_close(&web);
}

static int setup(void **state)
{
    (void)state;
    struct cluster_options options;
    fixture_open(&options);
    fixture_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concurrent_migrations_apply_each_once),
        cmocka_unit_test(test_migrating_twice_changes_nothing),
        cmocka_unit_test(test_a_newer_database_is_refused),
        cmocka_unit_test(test_the_pool_survives_the_death_of_postgresql),
        cmocka_unit_test(test_a_stale_lock_with_the_pid_of_a_stranger_does_not_stop_the_start),
        cmocka_unit_test(test_an_orphaned_postgresql_is_ended_before_a_new_one_starts),
        cmocka_unit_test(test_a_busy_pool_waits_for_a_connection_given_back),
        cmocka_unit_test(test_a_listener_hears_what_is_notified),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}

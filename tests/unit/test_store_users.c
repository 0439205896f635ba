/* People, sessions, tokens, rate limits and the sweep, as the web role, against a real PostgreSQL.
 */
#include <pthread.h>

#include "tests/unit/store_people.h"

static struct store *web;
static struct store *owner;
static struct arena *arena;

enum { HOUR_S = 3600 };

static struct db *acquire(struct store *store, int64_t user_id)
{
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(store, user_id, &err);
    assert_good(db != NULL);
    return db;
}

/* A hash that no other test has. */
static void new_hash(unsigned char hash[TOKEN_HASH_BYTES])
{
    random_bytes(hash, TOKEN_HASH_BYTES);
}

static int64_t new_session(int64_t user_id, int64_t lifetime_s,
                           unsigned char hash[TOKEN_HASH_BYTES])
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(web, 0);
    new_hash(hash);
    assert_good(
        session_create(db, hash, user_id, lifetime_s, STR("192.0.2.1"), STR("Mozilla/5.0"), &err));
    store_release(web, &db);
    return user_id;
}

static bool use_session(const unsigned char hash[TOKEN_HASH_BYTES], int64_t idle_s,
                        struct session *session, struct error *err)
{
    struct db *db = acquire(web, 0);
    bool is_good = session_use(db, arena, hash, idle_s, session, err);
    store_release(web, &db);
    return is_good;
}

/* --- people ---------------------------------------------------------------------------------- */

static void test_a_user_is_found_by_login_and_by_id(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct user by_login, by_id;
    int64_t id;
    struct db *db = acquire(web, 0);
    assert_good(user_create(db, STR("ada"), STR_EMPTY, true, &id, &err));
    assert_good(user_by_login(db, arena, STR("ada"), &by_login, &err));
    assert_good(user_by_id(db, arena, id, &by_id, &err));
    assert_int_equal(by_login.id, id);
    assert_true(str_equal(by_id.login, STR("ada")));
    assert_true(str_is_empty(by_id.password_hash));
    assert_true(by_id.is_mail_login && !by_id.is_admin && by_id.created_at > 0);
    assert_good(user_set_password(db, id, STR("$argon2id$"), &err));
    assert_good(user_by_id(db, arena, id, &by_id, &err));
    assert_true(str_equal(by_id.password_hash, STR("$argon2id$")));
    store_release(web, &db);
}

static void test_a_login_is_taken_once_and_the_transaction_survives_that(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t id;
    struct db *db = acquire(web, 0);
    assert_good(user_create(db, STR("twice"), STR_EMPTY, false, &id, &err));
    assert_good(db_begin(db, &err));
    assert_kind(user_create(db, STR("twice"), STR_EMPTY, false, &id, &err), ERROR_CONFLICT);
    assert_good(user_create(db, STR("thrice"), STR_EMPTY, false, &id, &err));
    assert_good(db_commit(db, &err));
    store_release(web, &db);
}

static void test_who_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct user user;
    struct db *db = acquire(web, 0);
    assert_kind(user_by_login(db, arena, STR("nobody"), &user, &err), ERROR_NOT_FOUND);
    assert_kind(user_by_id(db, arena, 1 << 30, &user, &err), ERROR_NOT_FOUND);
    assert_kind(user_set_password(db, 1 << 30, STR("x"), &err), ERROR_NOT_FOUND);
    assert_kind(user_delete(db, 1 << 30, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
}

static void test_the_list_of_users_has_all_by_name(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct user *users;
    size_t count;
    person_new(owner);
    struct db *db = acquire(owner, 0);
    assert_good(user_list(db, arena, &users, &count, &err));
    assert_int_equal(count, sql("SELECT count(*) FROM \"user\""));
    store_release(owner, &db);
}

static void test_deleting_a_user_ends_sessions_and_hides_accounts_at_once(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct session session;
    struct account account;
    int64_t id = new_session(person_new(web), HOUR_S, hash);
    int64_t account_id = account_new(web, id, "ada");
    struct db *db = acquire(web, 0); /* an administrator, who sees no account of hers */
    assert_good(user_delete(db, id, &err));
    store_release(web, &db);
    assert_kind(use_session(hash, HOUR_S, &session, &err), ERROR_NOT_FOUND);
    db = acquire(owner, 0);
    assert_kind(account_by_id(db, arena, account_id, &account, &err), ERROR_NOT_FOUND);
    assert_good(store_sweep(db, &err));
    store_release(owner, &db);
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld", (long long)account_id), 0);
}

static void *delete_user(void *id)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(web, 0);
    bool is_gone = user_delete(db, *(int64_t *)id, &err);
    store_release(web, &db);
    return is_gone ? id : NULL;
}

/* Of two that wait for each other PostgreSQL ends the one that notices first: we are patient. */
static void test_deleting_a_user_outlives_a_deadlock(void **state)
{
    (void)state;
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t id = new_session(person_new(web), HOUR_S, hash);
    char lock[80];
    pthread_t thread;
    void *is_gone;
    PGconn *other = sql_connect(false);
    sql_on(other, "SET deadlock_timeout = '10min'");
    sql_on(other, "BEGIN");
    snprintf(lock, sizeof lock, "SELECT 1 FROM session WHERE user_id = %lld FOR UPDATE",
             (long long)id);
    sql_on(other, lock);
    assert_int_equal(pthread_create(&thread, NULL, delete_user, &id), 0);
    sql_on(other, "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP"
                  " PERFORM pg_sleep(0.01); END LOOP; END $$");
    snprintf(lock, sizeof lock, "SELECT 1 FROM \"user\" WHERE id = %lld FOR KEY SHARE",
             (long long)id);
    sql_on(other, lock);
    sql_on(other, "COMMIT");
    PQfinish(other);
    pthread_join(thread, &is_gone);
    assert_non_null(is_gone);
    assert_int_equal(sql("SELECT count(*) FROM \"user\" WHERE id = %lld", (long long)id), 0);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void test_a_session_is_used_until_it_is_deleted(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct session session, again;
    int64_t id = new_session(person_new(web), HOUR_S, hash);
    assert_good(use_session(hash, HOUR_S, &session, &err));
    assert_int_equal(session.user_id, id);
    assert_memory_equal(session.token_hash, hash, sizeof hash);
    assert_true(str_starts(session.login, STR("person")));
    assert_true(str_equal(session.agent, STR("Mozilla/5.0")));
    assert_good(use_session(hash, HOUR_S, &again, &err));
    assert_memory_equal(session.csrf, again.csrf, sizeof session.csrf);
    struct db *db = acquire(web, 0);
    assert_good(session_delete(db, hash, &err));
    store_release(web, &db);
    assert_kind(use_session(hash, HOUR_S, &session, &err), ERROR_NOT_FOUND);
}

static void test_a_session_ends_absolutely_and_by_idleness(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char ended[TOKEN_HASH_BYTES], idle[TOKEN_HASH_BYTES];
    struct session session;
    int64_t id = person_new(web);
    new_session(id, 0, ended);
    assert_kind(use_session(ended, HOUR_S, &session, &err), ERROR_NOT_FOUND);
    new_session(id, 2 * HOUR_S, idle);
    sql("UPDATE session SET used_at = now() - interval '10 minutes' WHERE user_id = %lld",
        (long long)id);
    assert_kind(use_session(idle, 5 * 60, &session, &err), ERROR_NOT_FOUND);
    assert_good(use_session(idle, 15 * 60, &session, &err));
}

static void test_the_use_of_a_session_is_written_at_most_once_a_minute(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct session session;
    long long id = new_session(person_new(web), HOUR_S, hash);
    int64_t written = sql("SELECT xmin::text FROM session WHERE user_id = %lld", id);
    assert_good(use_session(hash, HOUR_S, &session, &err));
    assert_int_equal(sql("SELECT xmin::text FROM session WHERE user_id = %lld", id), written);
    sql("UPDATE session SET used_at = now() - interval '61 s' WHERE user_id = %lld", id);
    assert_good(use_session(hash, HOUR_S, &session, &err));
    assert_int_equal(sql("SELECT count(*) FROM session WHERE user_id = %lld"
                         " AND used_at > now() - interval '60 s'",
                         id),
                     1);
}

static void test_signing_out_everywhere_ends_ones_own_sessions_only(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char here[TOKEN_HASH_BYTES], there[TOKEN_HASH_BYTES], other[TOKEN_HASH_BYTES];
    struct session session, *sessions;
    size_t count;
    int64_t id = person_new(web);
    new_session(id, HOUR_S, here);
    new_session(id, HOUR_S, there);
    new_session(person_new(web), HOUR_S, other);
    struct db *db = acquire(web, 0);
    assert_good(session_list(db, arena, id, &sessions, &count, &err));
    assert_int_equal(count, 2);
    assert_good(session_delete_all(db, id, &err));
    assert_good(session_list(db, arena, id, &sessions, &count, &err));
    assert_int_equal(count, 0);
    store_release(web, &db);
    assert_kind(use_session(here, HOUR_S, &session, &err), ERROR_NOT_FOUND);
    assert_good(use_session(other, HOUR_S, &session, &err));
}

static void test_what_a_browser_calls_itself_is_repaired_and_capped(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct session session;
    char agent[4096];
    memset(agent, 0xff, sizeof agent);
    memcpy(agent, "Odd\0Browser ", 12);
    int64_t id = person_new(web);
    struct db *db = acquire(web, 0);
    new_hash(hash);
    assert_good(session_create(db, hash, id, HOUR_S, STR("2001:db8::1"),
                               str_make(agent, sizeof agent), &err));
    assert_good(session_use(db, arena, hash, HOUR_S, &session, &err));
    assert_true(session.agent.length <= 256);
    assert_true(str_starts(session.agent, STR("Odd\xEF\xBF\xBD"
                                              "Browser \xEF\xBF\xBD")));
    store_release(web, &db);
}

static void test_a_session_for_nobody_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct db *db = acquire(web, 0);
    new_hash(hash);
    assert_kind(session_create(db, hash, 1 << 30, HOUR_S, STR_EMPTY, STR_EMPTY, &err),
                ERROR_NOT_FOUND);
    store_release(web, &db);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void test_a_token_has_its_scopes_until_it_is_revoked(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct token token, *tokens;
    size_t count;
    int64_t token_id, id = person_new(web), other = person_new(web);
    struct db *db = acquire(web, 0);
    new_hash(hash);
    assert_good(
        token_create(db, id, STR("backup"), TOKEN_READ | TOKEN_SEND, hash, 0, &token_id, &err));
    assert_good(token_use(db, arena, hash, &token, &err));
    assert_int_equal(token.id, token_id);
    assert_int_equal(token.user_id, id);
    assert_int_equal(token.scopes, TOKEN_READ | TOKEN_SEND);
    assert_int_equal(token.used_at, 0);
    assert_int_equal(token.expires_at, 0);
    assert_good(token_list(db, arena, id, &tokens, &count, &err));
    assert_int_equal(count, 1);
    assert_true(tokens[0].used_at > 0);
    assert_true(str_equal(tokens[0].name, STR("backup")));
    assert_kind(token_revoke(db, other, token_id, &err), ERROR_NOT_FOUND);
    assert_good(token_revoke(db, id, token_id, &err));
    assert_kind(token_use(db, arena, hash, &token, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
}

static void test_a_token_ends_when_it_said(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct token token;
    int64_t token_id, id = person_new(web);
    struct db *db = acquire(web, 0);
    new_hash(hash);
    assert_good(token_create(db, id, STR("old"), TOKEN_WRITE, hash, clock_now_us() - 1000000,
                             &token_id, &err));
    assert_kind(token_use(db, arena, hash, &token, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
}

/* --- rate limits ----------------------------------------------------------------------------- */

static void test_hits_are_counted_within_their_window(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int hits, left_s;
    struct db *db = acquire(web, 0);
    for (int i = 1; i <= 3; i++) {
        assert_good(rate_hit(db, STR("signin:a"), 600, &hits, &left_s, &err));
        assert_int_equal(hits, i);
        assert_in_range(left_s, 1, 600);
    }
    assert_good(rate_hit(db, STR("signin:b"), 600, &hits, &left_s, &err));
    assert_int_equal(hits, 1);
    assert_good(rate_clear(db, STR("signin:a"), &err));
    assert_good(rate_hit(db, STR("signin:a"), 600, &hits, &left_s, &err));
    assert_int_equal(hits, 1);
    store_release(web, &db);
}

static void test_a_new_window_begins_after_the_old_one_and_not_before(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int hits, left_s;
    struct db *db = acquire(web, 0);
    assert_good(rate_hit(db, STR("window"), 600, &hits, &left_s, &err));
    sql("UPDATE rate SET window_end = now() + interval '300 s' WHERE bucket = 'window'");
    assert_good(rate_hit(db, STR("window"), 600, &hits, &left_s, &err));
    assert_int_equal(hits, 2);
    assert_in_range(left_s, 1, 300); /* a hit does not prolong it */
    sql("UPDATE rate SET window_end = now() - interval '1 s' WHERE bucket = 'window'");
    assert_good(rate_hit(db, STR("window"), 600, &hits, &left_s, &err));
    assert_int_equal(hits, 1);
    assert_in_range(left_s, 301, 600);
    store_release(web, &db);
}

/* --- the sweep ------------------------------------------------------------------------------- */

static void test_the_sweep_removes_what_is_past_its_end_and_nothing_else(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    unsigned char old[TOKEN_HASH_BYTES], fresh[TOKEN_HASH_BYTES];
    struct session session;
    int64_t id = person_new(web);
    long long account = account_new(web, id, "swept");
    new_session(id, -1, old);
    new_session(id, HOUR_S, fresh);
    sql("INSERT INTO rate VALUES ('over', 1, now() - interval '1 s'), ('not', 1, now() + "
        "interval '1 h')");
    sql("INSERT INTO trial (id, kind, settings, secret, state, created_at) VALUES"
        " ('stuck', 'account', '{}', 'x', 'running', now() - interval '11 minutes'),"
        " ('done', 'account', '{}', NULL, 'done', now() - interval '11 minutes'),"
        " ('old', 'account', '{}', NULL, 'done', now() - interval '61 minutes')");
    sql("INSERT INTO operation (account_id, id, kind, arguments, state, created_at, finished_at)"
        " SELECT %lld, n, 'move', '{}', CASE n WHEN 102 THEN 'pending' ELSE 'done' END,"
        "  now() - interval '8 days',"
        "  CASE n WHEN 100 THEN now() - interval '8 days' WHEN 101 THEN now() END"
        " FROM generate_series(100, 102) n",
        account);
    struct db *db = acquire(owner, 0);
    assert_good(store_sweep(db, &err));
    store_release(owner, &db);
    assert_kind(use_session(old, HOUR_S, &session, &err), ERROR_NOT_FOUND);
    assert_good(use_session(fresh, HOUR_S, &session, &err));
    assert_int_equal(sql("SELECT count(*) FROM session WHERE user_id = %lld", (long long)id), 1);
    assert_int_equal(sql("SELECT count(*) FROM rate WHERE bucket IN ('over', 'not')"), 1);
    assert_int_equal(sql("SELECT count(*) FROM trial WHERE id IN ('stuck', 'done', 'old')"), 1);
    assert_int_equal(sql("SELECT count(*) FROM operation WHERE account_id = %lld", account), 2);
}

static int setup(void **state)
{
    struct error err = ERROR_INIT;
    assert_good(seal_init(&err));
    if (fixture_setup(state) != 0)
        return -1;
    web = fixture_store(STORE_WEB, 4);
    owner = fixture_store(STORE_OWNER, 2);
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    store_close(&web);
    store_close(&owner);
    arena_free(&arena);
    return fixture_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user_is_found_by_login_and_by_id),
        cmocka_unit_test(test_a_login_is_taken_once_and_the_transaction_survives_that),
        cmocka_unit_test(test_who_is_not_there_is_not_found),
        cmocka_unit_test(test_the_list_of_users_has_all_by_name),
        cmocka_unit_test(test_deleting_a_user_ends_sessions_and_hides_accounts_at_once),
        cmocka_unit_test(test_deleting_a_user_outlives_a_deadlock),
        cmocka_unit_test(test_a_session_is_used_until_it_is_deleted),
        cmocka_unit_test(test_a_session_ends_absolutely_and_by_idleness),
        cmocka_unit_test(test_the_use_of_a_session_is_written_at_most_once_a_minute),
        cmocka_unit_test(test_signing_out_everywhere_ends_ones_own_sessions_only),
        cmocka_unit_test(test_what_a_browser_calls_itself_is_repaired_and_capped),
        cmocka_unit_test(test_a_session_for_nobody_is_refused),
        cmocka_unit_test(test_a_token_has_its_scopes_until_it_is_revoked),
        cmocka_unit_test(test_a_token_ends_when_it_said),
        cmocka_unit_test(test_hits_are_counted_within_their_window),
        cmocka_unit_test(test_a_new_window_begins_after_the_old_one_and_not_before),
        cmocka_unit_test(test_the_sweep_removes_what_is_past_its_end_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

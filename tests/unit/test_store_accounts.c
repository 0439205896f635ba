/* Upstream accounts, and the wall between people, against a real PostgreSQL. */
#include "server/store/leases.h"
#include "server/store/operations.h"
#include "tests/unit/store_roles.h"

static struct account load(int64_t user_id, int64_t id)
{
    struct error err = ERROR_INIT;
    struct account account;
    struct db *db = acquire(web, user_id);
    assert_good(account_by_id(db, arena, id, &account, &err));
    store_release(web, &db);
    return account;
}

static struct account_work load_work(int64_t id)
{
    struct error err = ERROR_INIT;
    struct account_work work;
    struct db *db = acquire(sync_store, 0);
    assert_good(account_work_load(db, arena, id, &work, &err));
    store_release(sync_store, &db);
    return work;
}

/* Rows of a table that belong to the account, as the owner of the tables sees them. */
static int64_t rows_of(const char *table, int64_t account_id)
{
    return sql("SELECT count(*) FROM \"%s\" WHERE account_id = %lld", table, (long long)account_id);
}

/* --- accounts -------------------------------------------------------------------------------- */

static void test_an_account_is_read_as_it_was_created(void **state)
{
    (void)state;
    int64_t user_id = person_new(web);
    int64_t id = account_new(web, user_id, "ada");
    struct account account = load(user_id, id);
    assert_int_equal(account.id, id);
    assert_int_equal(account.user_id, user_id);
    assert_true(str_equal(account.name, STR("Work")));
    assert_true(str_equal(account.email, STR("ada@example.org")));
    assert_int_equal(account.kind, ACCOUNT_IMAP);
    assert_true(str_equal(account.incoming.host, STR("imap.example.org")));
    assert_int_equal(account.incoming.port, 993);
    assert_int_equal(account.incoming.tls, TLS_IMPLICIT);
    assert_true(str_equal(account.incoming.username, STR("ada")));
    assert_int_equal(account.smtp.tls, TLS_STARTTLS);
    assert_int_equal(account.prefetch, PREFETCH_RECENT);
    assert_int_equal(account.pop3_policy, POP3_REMOVE_AFTER);
    assert_int_equal(account.sync_state, SYNC_NEW);
    assert_int_equal(account.synced_at, 0);
    assert_int_equal(account.modseq, 1);
    assert_true(account.created_at > 0 && account.next_sync_at > 0);
    assert_true(str_equal(load_work(id).secret, STR("sealed")));
    assert_int_equal(rows_of("identity", id), 1);
    assert_int_equal(rows_of("change", id), 2); /* account and identity, of one modseq */
    assert_int_equal(rows_of("mailbox", id), 0);
}

static void test_a_pop3_account_has_its_folders_from_the_start(void **state)
{
    (void)state;
    int64_t id = account_new_of_kind(web, person_new(web), "pop", ACCOUNT_POP3);
    assert_int_equal(rows_of("mailbox", id), 6);
    assert_int_equal(sql("SELECT count(DISTINCT role) FROM mailbox WHERE account_id = %lld AND"
                         " is_local AND backfill_uid = 1"
                         " AND role IN ('inbox', 'drafts', 'sent', 'archive', 'junk', 'trash')",
                         (long long)id),
                     6);
    assert_int_equal(sql("SELECT next_id FROM account WHERE id = %lld", (long long)id), 8);
}

static void test_creating_an_account_tells_the_sync_role(void **state)
{
    (void)state;
    char payload[32];
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    int64_t id = account_new(web, person_new(web), "ada");
    snprintf(payload, sizeof payload, "op %lld", (long long)id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
}

static void test_the_same_account_twice_is_a_conflict_but_not_for_another_person(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web);
    account_new(web, user_id, "ada");
    struct account again = account_of(user_id, "ada");
    struct db *db = acquire(web, user_id);
    assert_good(account_allocate_id(db, &again.id, &err));
    assert_kind(account_create(db, &again, STR("sealed"), STR_EMPTY, &err), ERROR_CONFLICT);
    store_release(web, &db);
    assert_int_equal(rows_of("identity", again.id), 0);
    account_new(web, person_new(web), "ada");
}

static void test_each_sees_ones_own_accounts_and_the_owner_all(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct account *accounts;
    size_t count;
    int64_t ada = person_new(web), bob = person_new(web);
    int64_t first = account_new(web, ada, "one"), second = account_new(web, ada, "two");
    account_new(web, bob, "three");
    struct db *db = acquire(web, ada);
    assert_good(account_list(db, arena, bob, &accounts, &count, &err)); /* whatever is asked */
    assert_int_equal(count, 2);
    assert_int_equal(accounts[0].id, first);
    assert_int_equal(accounts[1].id, second);
    store_release(web, &db);
    db = acquire(sync_store, 0);
    assert_good(account_list(db, arena, bob, &accounts, &count, &err));
    assert_int_equal(count, 1);
    assert_good(account_list(db, arena, 0, &accounts, &count, &err));
    assert_int_equal(count, sql("SELECT count(*) FROM account WHERE NOT is_gone"));
    store_release(sync_store, &db);
}

static void test_policy_changes_alone_and_people_are_told(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web), id = account_new(web, user_id, "ada");
    struct account account = load(user_id, id);
    account.name = STR("Home");
    account.prefetch = PREFETCH_ALL;
    account.poll_seconds = 300;
    account.incoming.host = STR("elsewhere.example.org");
    struct db *db = acquire(web, user_id);
    assert_good(account_update_policy(db, &account, &err));
    store_release(web, &db);
    account = load(user_id, id);
    assert_true(str_equal(account.name, STR("Home")));
    assert_int_equal(account.prefetch, PREFETCH_ALL);
    assert_int_equal(account.poll_seconds, 300);
    assert_true(str_equal(account.incoming.host, STR("imap.example.org")));
    assert_int_equal(account.modseq, 2);
}

static void test_new_servers_get_a_new_chance_and_secrets_change_only_when_given(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct error why = {.kind = ERROR_AUTH, .message = "refused", .hint = "try another"};
    int failures;
    int64_t user_id = person_new(web), id = account_new(web, user_id, "ada");
    struct db *db = acquire(sync_store, 0);
    assert_good(account_set_state(db, id, SYNC_REFUSED, &why, &err));
    assert_good(account_count_failure(db, id, &failures, &err));
    assert_good(account_set_next_sync(db, id, clock_now_us() + INT64_C(3600000000), &err));
    store_release(sync_store, &db);

    struct account account = load(user_id, id);
    assert_true(str_equal(account.sync_error, STR("refused")));
    account.incoming.host = STR("new.example.org");
    const struct str keep = {NULL, 0};
    db = acquire(web, user_id);
    assert_good(account_update_servers(db, &account, keep, STR("smtp sealed"), &err));
    store_release(web, &db);
    struct account_work work = load_work(id);
    assert_true(str_equal(work.account.incoming.host, STR("new.example.org")));
    assert_true(str_equal(work.secret, STR("sealed")));
    assert_true(str_equal(work.smtp_secret, STR("smtp sealed")));
    assert_int_equal(work.account.sync_state, SYNC_NEW);
    assert_int_equal(work.account.failures, 0);
    assert_true(str_is_empty(work.account.sync_error));
    assert_true(work.account.next_sync_at <= clock_now_us());

    db = acquire(web, user_id);
    assert_good(account_update_servers(db, &account, STR("sealed anew"), STR_EMPTY, &err));
    store_release(web, &db);
    work = load_work(id);
    assert_true(str_equal(work.secret, STR("sealed anew")));
    assert_true(str_is_empty(work.smtp_secret));
}

static void test_servers_of_another_account_of_ones_own_are_a_conflict(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web);
    account_new(web, user_id, "one");
    struct account second = load(user_id, account_new(web, user_id, "two"));
    second.incoming.username = STR("one");
    struct db *db = acquire(web, user_id);
    assert_kind(account_update_servers(db, &second, STR("x"), STR_EMPTY, &err), ERROR_CONFLICT);
    store_release(web, &db);
    assert_true(str_equal(load(user_id, second.id).incoming.username, STR("two")));
}

static void test_check_now_makes_an_account_due_and_tells_the_sync_role(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char payload[32];
    int64_t user_id = person_new(web), id = account_new(web, user_id, "ada");
    sql("UPDATE account SET next_sync_at = now() + interval '1 h' WHERE id = %lld", (long long)id);
    PGconn *pg = sql_connect(false);
    sql_on(pg, "LISTEN restante");
    struct db *db = acquire(web, user_id);
    assert_good(account_sync_now(db, id, &err));
    store_release(web, &db);
    snprintf(payload, sizeof payload, "op %lld", (long long)id);
    assert_true(sql_hears(pg, payload));
    PQfinish(pg);
    assert_true(load(user_id, id).next_sync_at <= clock_now_us());
}

/* --- the wall between people ----------------------------------------------------------------- */

static void test_anothers_account_is_as_if_it_were_not_there(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t ada = person_new(web), bob = person_new(web), id = account_new(web, ada, "ada");
    struct account account = load(ada, id);
    struct operation operation;
    struct change *changes;
    size_t count;
    int64_t number;
    struct db *db = acquire(web, bob);
    assert_kind(account_by_id(db, arena, id, &account, &err), ERROR_NOT_FOUND);
    assert_kind(account_update_policy(db, &account, &err), ERROR_NOT_FOUND);
    assert_kind(account_update_servers(db, &account, STR("x"), STR_EMPTY, &err), ERROR_NOT_FOUND);
    assert_kind(account_sync_now(db, id, &err), ERROR_NOT_FOUND);
    assert_kind(account_delete(db, id, &err), ERROR_NOT_FOUND);
    assert_kind(operation_enqueue(db, id, STR("move"), STR("{}"), false, STR("k"), &number, &err),
                ERROR_NOT_FOUND);
    assert_kind(operation_by_id(db, arena, id, 1, &operation, &err), ERROR_NOT_FOUND);
    assert_kind(changes_since(db, arena, id, 0, 10, &changes, &count, &number, &err),
                ERROR_NOT_FOUND);
    store_release(web, &db);
    db = acquire(web, 0);
    assert_kind(account_by_id(db, arena, id, &account, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
    assert_int_equal(load(ada, id).modseq, 1);
}

static void test_an_account_for_another_person_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct account account = account_of(person_new(web), "ada");
    struct db *db = acquire(web, person_new(web));
    assert_good(account_allocate_id(db, &account.id, &err));
    assert_kind(account_create(db, &account, STR("sealed"), STR_EMPTY, &err), ERROR_FORBIDDEN);
    store_release(web, &db);
}

/* A row in each table that belongs to an account. */
static void fill_tables(long long id)
{
    sql("INSERT INTO mailbox (account_id, id, name, path, wire_path) VALUES (%lld, 10, 'a', 'a', "
        "'a')",
        id);
    sql("INSERT INTO email (account_id, id, thread_id, received_at, size_bytes) VALUES (%lld, 11, "
        "11, now(), 1)",
        id);
    sql("INSERT INTO placement (account_id, email_id, mailbox_id, received_at) VALUES (%lld, 11, "
        "10, now())",
        id);
    sql("INSERT INTO thread_key VALUES (%lld, 1, 11)", id);
    sql("INSERT INTO blob (account_id, id, email_id, size_bytes, chunk_bytes) VALUES (%lld, 12, "
        "11, 1, 1)",
        id);
    sql("INSERT INTO blob_chunk VALUES (%lld, 12, 0, 'x')", id);
    sql("INSERT INTO search (account_id, email_id, received_at, words) VALUES (%lld, 11, now(), "
        "'word')",
        id);
    sql("INSERT INTO pop3_uidl (account_id, uidl, email_id, size_bytes, fingerprint, state) VALUES "
        "(%lld, 'u', 11, 1, 'f', 'here')",
        id);
    sql("INSERT INTO operation (account_id, id, kind, arguments) VALUES (%lld, 13, 'move', '{}')",
        id);
    sql("INSERT INTO submission (account_id, id, blob_id, message_id, mail_from, recipients) "
        "VALUES "
        "(%lld, 14, 12, 'm', 'a@b', '[]')",
        id);
    sql("INSERT INTO blob (account_id, id, size_bytes, chunk_bytes) VALUES (%lld, 15, 1, 1)", id);
    sql("INSERT INTO transfer (account_id, id, kind, blob_id) VALUES (%lld, 16, 'import', 15)", id);
}

enum { ACCOUNT_TABLES = 13 };
static const char *const account_tables[ACCOUNT_TABLES] = {
    "mailbox",   "email",  "placement", "thread_key", "blob",      "blob_chunk", "search",
    "operation", "change", "identity",  "submission", "pop3_uidl", "transfer"};

static void test_the_web_role_cannot_write_into_anothers_account(void **state)
{
    (void)state;
    char text[256];
    long long ada = person_new(web), bob = person_new(web), id = account_new(web, ada, "ada");
    PGconn *pg = sql_connect(true);
    snprintf(text, sizeof text, "SET restante.user_id = '%lld'", bob);
    sql_on(pg, text);
    snprintf(text, sizeof text,
             "INSERT INTO operation (account_id, id, kind, arguments) VALUES (%lld, 99, 'x', '{}')",
             id);
    PGresult *result = PQexec(pg, text);
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
    PQclear(result);
    snprintf(text, sizeof text, "UPDATE account SET user_id = %lld WHERE id = %lld", bob, id);
    assert_int_equal(sql_on(pg, text), 0);
    PQfinish(pg);
}

static void test_the_web_role_cannot_put_tables_of_its_own_before_ours(void **state)
{
    (void)state;
    account_new(web, person_new(web), "ada");
    PGconn *pg = sql_connect(true);
    int64_t known = sql_on(pg, "SELECT accounts_new FROM service_status()");
    assert_true(known > 0);
    sql_on(pg, "CREATE TEMP TABLE account (sync_state text, is_gone boolean)");
    assert_int_equal(sql_on(pg, "SELECT accounts_new FROM service_status()"), known);
    PQfinish(pg);
}

/* --- removing -------------------------------------------------------------------------------- */

static void purge_all(void)
{
    struct error err = ERROR_INIT;
    bool is_more = true;
    struct db *db = acquire(sync_store, 0);
    while (is_more)
        assert_good(account_purge(db, &is_more, &err));
    store_release(sync_store, &db);
}

static void delete_account(int64_t user_id, int64_t id)
{
    struct error err = ERROR_INIT;
    struct db *db = acquire(web, user_id);
    assert_good(account_delete(db, id, &err));
    store_release(web, &db);
}

static void test_a_removed_account_is_out_of_sight_at_once_and_its_secrets_are_wiped(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct account *accounts;
    struct account_work work;
    size_t count;
    long long user_id = person_new(web), id = account_new(web, user_id, "ada");
    delete_account(user_id, id);
    struct db *db = acquire(web, user_id);
    assert_good(account_list(db, arena, 0, &accounts, &count, &err));
    assert_int_equal(count, 0);
    assert_kind(account_delete(db, id, &err), ERROR_NOT_FOUND);
    store_release(web, &db);
    db = acquire(sync_store, 0);
    assert_kind(account_work_load(db, arena, id, &work, &err), ERROR_NOT_FOUND);
    store_release(sync_store, &db);
    assert_int_equal(sql("SELECT length(secret) FROM account WHERE id = %lld", id), 0);
    PGconn *pg = sql_connect(true);
    char text[64];
    snprintf(text, sizeof text, "SET restante.user_id = '%lld'", user_id);
    sql_on(pg, text);
    assert_int_equal(sql_on(pg, "SELECT count(*) FROM identity"), 0);
    PQfinish(pg);
    account_new(web, user_id, "ada"); /* and may be added anew */
}

static void test_a_removed_account_is_purged_once_its_sync_has_had_time_to_notice(void **state)
{
    (void)state;
    long long user_id = person_new(web), id = account_new(web, user_id, "ada");
    long long other = account_new(web, user_id, "other");
    fill_tables(id);
    fill_tables(other);
    sql("INSERT INTO email (account_id, id, thread_id, received_at, size_bytes)"
        " SELECT %lld, n, n, now(), 1 FROM generate_series(100, 1299) n",
        id);
    delete_account(user_id, id);
    purge_all();
    assert_int_equal(rows_of("email", id), 1201);
    sql("UPDATE account SET lease_until = now() WHERE id = %lld", id);
    purge_all();
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld", id), 0);
    for (int t = 0; t < ACCOUNT_TABLES; t++) {
        assert_int_equal(rows_of(account_tables[t], id), 0);
        assert_true(rows_of(account_tables[t], other) > 0);
    }
}

static void test_purging_passes_over_an_account_with_an_open_batch(void **state)
{
    (void)state;
    char text[256];
    long long user_id = person_new(web), id = account_new(web, user_id, "ada");
    delete_account(user_id, id);
    sql("UPDATE account SET lease_until = now() WHERE id = %lld", id);
    PGconn *batch = sql_connect(false);
    sql_on(batch, "BEGIN");
    snprintf(text, sizeof text,
             "INSERT INTO email (account_id, id, thread_id, received_at, size_bytes)"
             " VALUES (%lld, 1, 1, now(), 1)",
             id);
    sql_on(batch, text);
    purge_all();
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld", id), 1);
    sql_on(batch, "COMMIT");
    PQfinish(batch);
    purge_all();
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld", id), 0);
    assert_int_equal(rows_of("email", id), 0);
}

/* --- a backend that dies --------------------------------------------------------------------- */

static void test_a_killed_backend_leaves_nothing_half_written(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int64_t user_id = person_new(web);
    struct account account = account_of(user_id, "ada");
    struct db *db = acquire(web, user_id);
    assert_good(account_allocate_id(db, &account.id, &err));
    assert_good(db_begin(db, &err));
    assert_good(account_create(db, &account, STR("sealed"), STR_EMPTY, &err));
    assert_int_equal(sql("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                         " WHERE application_name = 'restante-web'"
                         " AND state LIKE 'idle in transaction%%'"),
                     1);
    assert_kind(db_commit(db, &err), ERROR_DATABASE);
    store_release(web, &db);
    assert_int_equal(sql("SELECT count(*) FROM account WHERE id = %lld", (long long)account.id), 0);
    assert_int_equal(rows_of("identity", account.id), 0);
    assert_int_equal(rows_of("change", account.id), 0);
    account_new(web, user_id, "ada"); /* and the next connection is a good one */
}

static void test_names_are_read_back_as_they_are_written(void **state)
{
    (void)state;
    enum account_kind kind;
    enum tls_mode tls;
    enum prefetch prefetch;
    enum pop3_policy policy;
    assert_true(account_kind_parse(str_of(account_kind_name(ACCOUNT_POP3)), &kind));
    assert_int_equal(kind, ACCOUNT_POP3);
    assert_true(tls_mode_parse(str_of(tls_mode_name(TLS_STARTTLS)), &tls));
    assert_int_equal(tls, TLS_STARTTLS);
    assert_true(prefetch_parse(str_of(prefetch_name(PREFETCH_TEXT)), &prefetch));
    assert_int_equal(prefetch, PREFETCH_TEXT);
    assert_true(pop3_policy_parse(str_of(pop3_policy_name(POP3_REMOVE_DELETED)), &policy));
    assert_int_equal(policy, POP3_REMOVE_DELETED);
    assert_false(account_kind_parse(STR("IMAP"), &kind));
    assert_false(tls_mode_parse(STR(""), &tls));
    assert_false(prefetch_parse(STR("everything"), &prefetch));
    assert_false(pop3_policy_parse(STR("remove-"), &policy));
    assert_string_equal(sync_state_name(SYNC_UNREACHABLE), "unreachable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_read_back_as_they_are_written),
        cmocka_unit_test(test_an_account_is_read_as_it_was_created),
        cmocka_unit_test(test_a_pop3_account_has_its_folders_from_the_start),
        cmocka_unit_test(test_creating_an_account_tells_the_sync_role),
        cmocka_unit_test(test_the_same_account_twice_is_a_conflict_but_not_for_another_person),
        cmocka_unit_test(test_each_sees_ones_own_accounts_and_the_owner_all),
        cmocka_unit_test(test_policy_changes_alone_and_people_are_told),
        cmocka_unit_test(test_new_servers_get_a_new_chance_and_secrets_change_only_when_given),
        cmocka_unit_test(test_servers_of_another_account_of_ones_own_are_a_conflict),
        cmocka_unit_test(test_check_now_makes_an_account_due_and_tells_the_sync_role),
        cmocka_unit_test(test_anothers_account_is_as_if_it_were_not_there),
        cmocka_unit_test(test_an_account_for_another_person_is_refused),
        cmocka_unit_test(test_the_web_role_cannot_write_into_anothers_account),
        cmocka_unit_test(test_the_web_role_cannot_put_tables_of_its_own_before_ours),
        cmocka_unit_test(test_a_removed_account_is_out_of_sight_at_once_and_its_secrets_are_wiped),
        cmocka_unit_test(test_a_removed_account_is_purged_once_its_sync_has_had_time_to_notice),
        cmocka_unit_test(test_purging_passes_over_an_account_with_an_open_batch),
        cmocka_unit_test(test_a_killed_backend_leaves_nothing_half_written),
    };
    return cmocka_run_group_tests(tests, roles_setup, roles_teardown);
}

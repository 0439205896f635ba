/* Actions: what people see at once, what is asked upstream, and what becomes of it. */
#include <pthread.h>

#include "server/store/actions.h"
#include "server/store/replay.h"
#include "server/store/snooze.h"
#include "tests/unit/store_mail_fixture.h"

static int64_t inbox, trash, letters;

static int64_t one(int64_t mailbox_id, uint32_t uid, const char *id, int flags)
{
    return add_email(ALICE, mailbox_id, make_email(uid, id, uid * 1000000LL, flags));
}

static struct action_result run(struct action action)
{
    struct action_result result = {0};
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(db && action_run(db, mail_arena, ALICE, &action, &result, &err));
    store_release(mail_web, &db);
    return result;
}

static struct operation take(void)
{
    struct operation operation;
    assert_good(operation_take(mail_db, mail_arena, ALICE, &operation, &err));
    return operation;
}

static void end(struct replay *replay, const struct error *why)
{
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(batch && replay_end(batch, replay, why, &err));
    assert_good(replica_commit(&batch, &err));
}

static struct replay load(enum replay_kind kind, int64_t operation_id, int64_t from, int64_t to)
{
    struct replay replay = {
        .kind = kind, .operation_id = operation_id, .mailbox_id = from, .target_id = to};
    assert_good(replay_load(mail_db, mail_arena, ALICE, &replay, &err));
    return replay;
}

static int64_t rows(const char *what, int64_t email_id)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM placement WHERE account_id = 1 AND email_id = %lld AND %s",
             (long long)email_id, what);
    return mail_number(sql);
}

static int fresh(void **state)
{
    (void)state;
    mail_script(
        "DELETE FROM operation; DELETE FROM email; DELETE FROM mailbox WHERE account_id = 1;"
        "DELETE FROM thread_key");
    inbox = add_mailbox(ALICE, "INBOX", ROLE_INBOX, 0);
    trash = add_mailbox(ALICE, "Trash", ROLE_TRASH, 0);
    letters = add_mailbox(ALICE, "Letters", ROLE_NONE, 0);
    return 0;
}

static int64_t snoozed_from(void)
{
    struct snoozed *list;
    size_t count;
    assert_good(snooze_list(mail_db, mail_arena, ALICE, &list, &count, &err));
    assert_int_equal(count, 1);
    return list[0].mailbox_id;
}

static void snooze(int64_t email_id, int64_t from, int64_t folder_id)
{
    run((struct action){.kind = ACTION_MOVE,
                        .email_ids = &email_id,
                        .email_count = 1,
                        .mailbox_id = from,
                        .target_id = folder_id,
                        .until = clock_now_us() + INT64_C(3600) * 1000000});
}

static void test_what_was_taken_out_of_snoozed_comes_back_to_where_it_is_snoozed_next(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0), folder = add_mailbox(ALICE, SNOOZE_FOLDER, ROLE_NONE, 0);
    snooze(id, inbox, folder);
    assert_int_equal(snoozed_from(), inbox);
    run((struct action){.kind = ACTION_MOVE,
                        .email_ids = &id,
                        .email_count = 1,
                        .mailbox_id = folder,
                        .target_id = letters});
    snooze(id, letters, folder);
    assert_int_equal(snoozed_from(), letters);
    snooze(id, 0, folder); /* it lies there already: only the time is another */
    assert_int_equal(snoozed_from(), letters);
}

static void test_a_mark_is_seen_at_once_and_asked_upstream(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    struct action_result result = run((struct action){
        .kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1, .set = FLAG_SEEN});
    assert_int_equal(result.operation_count, 1);
    assert_int_equal(counted(ALICE, inbox).unread, 0);
    assert_int_equal(rows("flags = 1 AND server_flags = 0 AND pending_set = 1", id), 1);
    struct operation operation = take();
    assert_int_equal(operation.id, result.operation_ids[0]);
    struct replay replay = load(REPLAY_KEYWORDS, operation.id, inbox, 0);
    assert_int_equal(replay.count, 1);
    assert_int_equal(replay.items[0].uid, 1);
    assert_int_equal(replay.items[0].set, FLAG_SEEN);
    replay.items[0].is_done = true;
    end(&replay, NULL);
    assert_int_equal(rows("flags = 1 AND server_flags = 1 AND pending_set = 0", id), 1);
    assert_int_equal(counted(ALICE, inbox).unread, 0);
}

static void test_what_is_refused_is_as_it_was(void **state)
{
    (void)state;
    struct error why = {.kind = ERROR_REFUSED, .message = "no"};
    int64_t id = one(inbox, 1, "a", 0);
    run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = letters});
    assert_int_equal(counted(ALICE, inbox).total, 0);
    assert_int_equal(counted(ALICE, letters).total, 1);
    struct replay replay = load(REPLAY_MOVE, take().id, inbox, letters);
    end(&replay, &why);
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(counted(ALICE, inbox).unread, 1);
    assert_int_equal(counted(ALICE, letters).total, 0);
    assert_int_equal(rows("true", id), 1);
}

static void test_opposite_marks_meet_before_they_go_upstream(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    run((struct action){
        .kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1, .set = FLAG_FLAGGED});
    run((struct action){
        .kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1, .clear = FLAG_FLAGGED});
    struct replay replay = load(REPLAY_KEYWORDS, take().id, inbox, 0);
    assert_int_equal(replay.items[0].set, 0);
    replay.items[0].is_done = true;
    end(&replay, NULL);
    assert_int_equal(rows("flags = 0 AND pending_clear = 4", id), 1);
    replay = load(REPLAY_KEYWORDS, take().id, inbox, 0);
    assert_int_equal(replay.items[0].clear, FLAG_FLAGGED);
    replay.items[0].is_done = true;
    end(&replay, NULL);
    assert_int_equal(rows("flags = 0 AND server_flags = 0 AND pending_clear = 0", id), 1);
}

/* As a server tells its flags, words separated by spaces. */
static void tell_words(uint32_t uid, const char *words)
{
    struct replica_flags told = {.uid = uid, .keywords = str_of(words)};
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(batch && replica_flags_set(batch, inbox, &told, 1, &err));
    assert_good(replica_commit(&batch, &err));
}

static void test_what_a_server_tells_of_keywords_lies_below_what_is_under_way(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    const struct str garden = STR("garden");
    struct action label = {.kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1};
    label.add_words = &garden;
    label.add_count = 1;
    run(label);
    tell_words(1, "work");
    assert_int_equal(rows("keywords @> '{work,garden}' AND cardinality(keywords) = 2", id), 1);
    label.add_count = 0;
    label.remove_words = &garden;
    label.remove_count = 1;
    run(label);
    tell_words(1, "Garden work"); /* the answer to the first command */
    assert_int_equal(rows("keywords = '{work}'", id), 1);
    for (int i = 0; i < 2; i++) {
        struct operation operation = take();
        struct replay replay = load(REPLAY_KEYWORDS, operation.id, inbox, 0);
        end(&replay, NULL);
    }
    tell_words(1, "garden"); /* somebody else's */
    assert_int_equal(rows("keywords = '{garden}'", id), 1);
    tell_words(1, "");
    assert_int_equal(rows("keywords IS NULL", id), 1);
}

static void test_a_move_keeps_the_email_and_its_new_uid(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    run((struct action){.kind = ACTION_TRASH, .email_ids = &id, .email_count = 1});
    struct replay replay = load(REPLAY_MOVE, take().id, inbox, trash);
    replay.items[0].is_done = true;
    replay.items[0].new_uid = 77;
    end(&replay, NULL);
    assert_int_equal(rows("true", id), 1);
    assert_int_equal(rows("uid = 77 AND NOT is_hidden", id), 1);
    assert_int_equal(counted(ALICE, trash).unread, 1);
    run((struct action){.kind = ACTION_TRASH, .mailbox_id = trash});
    assert_int_equal(counted(ALICE, trash).total, 0);
    replay = load(REPLAY_DESTROY, take().id, trash, 0);
    assert_int_equal(replay.items[0].uid, 77);
    replay.items[0].is_done = true;
    end(&replay, NULL);
    assert_int_equal(mail_number("SELECT count(*) FROM email WHERE account_id = 1"), 0);
}

static void test_there_and_back_again_arrives_where_it_began(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = letters});
    run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = inbox});
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(counted(ALICE, letters).total, 0);
    struct replay replay = load(REPLAY_MOVE, take().id, inbox, letters);
    replay.items[0].is_done = true;
    replay.items[0].new_uid = 5;
    end(&replay, NULL);
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(counted(ALICE, letters).total, 0);
    replay = load(REPLAY_MOVE, take().id, letters, inbox);
    assert_int_equal(replay.items[0].uid, 5);
    replay.items[0].is_done = true;
    replay.items[0].new_uid = 6;
    end(&replay, NULL);
    assert_int_equal(rows("true", id), 1);
    assert_int_equal(rows("uid = 6 AND NOT is_hidden AND mailbox_id = (SELECT id FROM mailbox"
                          " WHERE account_id = 1 AND role = 'inbox')",
                          id),
                     1);
}

static void test_undo_cancels_what_has_not_begun(void **state)
{
    (void)state;
    struct operation operation;
    int64_t id = one(inbox, 1, "a", 0);
    struct action_result done = run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = letters});
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(action_undo(db, mail_arena, ALICE, done.operation_ids, 1, NULL, &err));
    store_release(mail_web, &db);
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(rows("true", id), 1);
    assert_false(operation_take(mail_db, mail_arena, ALICE, &operation, &err));
}

static void test_undo_of_what_is_done_is_the_opposite(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    struct action_result done = run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = letters});
    struct replay replay = load(REPLAY_MOVE, take().id, inbox, letters);
    replay.items[0].is_done = true;
    replay.items[0].new_uid = 5;
    end(&replay, NULL);
    struct action_result back;
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(action_undo(db, mail_arena, ALICE, done.operation_ids, 1, &back, &err));
    store_release(mail_web, &db);
    assert_int_equal(back.operation_count, 1);
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(counted(ALICE, letters).total, 0);
}

/* The same email in two folders, moved from one to the other: it leaves the first, and people are
 * told of a move, which can be taken back. */
static void test_a_move_to_where_it_lies_already_only_leaves(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    struct action action = {.kind = ACTION_COPY,
                            .email_ids = &id,
                            .email_count = 1,
                            .mailbox_id = inbox,
                            .target_id = letters};
    run(action);
    struct replay replay = load(REPLAY_COPY, take().id, inbox, letters);
    replay.items[0].is_done = true;
    replay.items[0].new_uid = 5;
    end(&replay, NULL);
    action.kind = ACTION_MOVE;
    struct action_result done = run(action);
    struct operation operation = take();
    char wanted[80];
    snprintf(wanted, sizeof wanted, "\"thereId\":%lld", (long long)letters);
    assert_true(str_equal(operation.kind, STR("destroy")));
    assert_true(str_find(operation.arguments, str_of(wanted)) >= 0);
    replay = load(REPLAY_DESTROY, operation.id, inbox, 0);
    replay.items[0].is_done = true;
    end(&replay, NULL);
    assert_int_equal(counted(ALICE, inbox).total, 0);
    assert_int_equal(counted(ALICE, letters).total, 1);
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(action_undo(db, mail_arena, ALICE, done.operation_ids, 1, NULL, &err));
    store_release(mail_web, &db);
    assert_int_equal(counted(ALICE, inbox).total, 1);
    assert_int_equal(counted(ALICE, letters).total, 1);
    assert_true(str_equal(take().kind, STR("copy")));
}

static void test_a_move_to_its_own_folder_is_nothing(void **state)
{
    (void)state;
    struct operation operation;
    int64_t id = one(inbox, 1, "a", 0);
    struct action_result result = run((struct action){
        .kind = ACTION_MOVE, .email_ids = &id, .email_count = 1, .target_id = inbox});
    assert_int_equal(result.operation_count, 0);
    assert_int_equal(result.changed, 0);
    assert_false(operation_take(mail_db, mail_arena, ALICE, &operation, &err));
    assert_int_equal(rows("uid = 1 AND NOT is_hidden", id), 1);
}

static void test_a_key_counts_once(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    struct action action = {.kind = ACTION_MOVE,
                            .email_ids = &id,
                            .email_count = 1,
                            .target_id = letters,
                            .idempotency_key = STR("once")};
    struct action_result first = run(action), second = run(action);
    assert_int_equal(second.operation_count, 1);
    assert_int_equal(first.operation_ids[0], second.operation_ids[0]);
    assert_int_equal(second.changed, 0);
}

static void test_nobody_acts_on_the_mail_of_others(void **state)
{
    (void)state;
    struct action_result result;
    int64_t id = one(inbox, 1, "a", 0);
    struct action action = {
        .kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1, .set = FLAG_SEEN};
    struct db *db = store_acquire(mail_web, BOB, &err);
    assert_false(action_run(db, mail_arena, ALICE, &action, &result, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    store_release(mail_web, &db);
    assert_int_equal(rows("flags = 0", id), 1);
}

static void test_local_folders_change_at_once(void **state)
{
    (void)state;
    struct operation operation;
    mail_script("UPDATE mailbox SET is_local = true WHERE account_id = 1");
    int64_t id = one(inbox, 0, "a", 0);
    run((struct action){
        .kind = ACTION_KEYWORDS, .email_ids = &id, .email_count = 1, .set = FLAG_SEEN});
    assert_int_equal(rows("flags = 1 AND server_flags = 1 AND pending_set = 0", id), 1);
    run((struct action){.kind = ACTION_TRASH, .email_ids = &id, .email_count = 1});
    assert_int_equal(counted(ALICE, trash).total, 1);
    assert_int_equal(rows("true", id), 1);
    run((struct action){.kind = ACTION_DESTROY, .mailbox_id = trash});
    assert_int_equal(counted(ALICE, trash).total, 0);
    assert_int_equal(mail_number("SELECT count(*) FROM email WHERE account_id = 1"), 0);
    assert_false(operation_take(mail_db, mail_arena, ALICE, &operation, &err));
}

static void await_waiting(void)
{
    mail_script("DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP"
                " PERFORM pg_sleep(0.01); END LOOP; END $$");
}

static void *move_one(void *id)
{
    run((struct action){
        .kind = ACTION_MOVE, .target_id = letters, .email_ids = id, .email_count = 1});
    return NULL;
}

static void test_what_comes_there_at_the_same_moment_is_counted_once(void **state)
{
    (void)state;
    int64_t id = one(inbox, 1, "a", 0);
    char script[500];
    pthread_t thread;
    snprintf(script, sizeof script,
             "BEGIN; INSERT INTO placement (account_id, email_id, mailbox_id, received_at)"
             " VALUES (1, %lld, %lld, now());"
             " UPDATE mailbox SET total = total + 1, unread = unread + 1"
             " WHERE account_id = 1 AND id = %lld",
             (long long)id, (long long)letters, (long long)letters);
    mail_script(script);
    assert_int_equal(pthread_create(&thread, NULL, move_one, &id), 0);
    await_waiting();
    mail_script("COMMIT");
    pthread_join(thread, NULL);
    assert_int_equal(counted(ALICE, letters).total, 1);
    assert_int_equal(counted(ALICE, letters).unread, 1);
    assert_int_equal(counted(ALICE, inbox).total, 0);
}

static void *star_both(void *context)
{
    const int64_t *ids = context;
    struct action_result result;
    struct arena *arena = arena_new();
    struct error why = ERROR_INIT;
    struct db *db = store_acquire(mail_web, ALICE, &why);
    struct action action = {
        .kind = ACTION_KEYWORDS, .email_ids = ids, .email_count = 2, .set = FLAG_FLAGGED};
    bool is_done = db && action_run(db, arena, ALICE, &action, &result, &why);
    store_release(mail_web, &db);
    arena_free(&arena);
    return is_done ? context : NULL;
}

/* Of two that wait for each other PostgreSQL ends the one that notices first: we are patient. */
static void test_a_click_that_met_a_deadlock_is_carried_out(void **state)
{
    (void)state;
    int64_t ids[] = {one(inbox, 1, "a", 0), one(inbox, 2, "b", 0)};
    char lock[2][120];
    pthread_t thread;
    void *is_done;
    for (int i = 0; i < 2; i++)
        snprintf(lock[i], sizeof lock[i],
                 "SELECT FROM placement WHERE account_id = 1 AND email_id = %lld FOR UPDATE",
                 (long long)ids[i]);
    mail_script("SET deadlock_timeout = '10min'");
    mail_script("BEGIN");
    mail_script(lock[1]);
    assert_int_equal(pthread_create(&thread, NULL, star_both, ids), 0);
    await_waiting();
    mail_script(lock[0]);
    mail_script("COMMIT");
    mail_script("RESET deadlock_timeout");
    pthread_join(thread, &is_done);
    assert_non_null(is_done);
    assert_int_equal(rows("flags & 4 = 4", ids[0]) + rows("flags & 4 = 4", ids[1]), 2);
    struct operation operation = take();
    struct replay replay = load(REPLAY_KEYWORDS, operation.id, inbox, 0);
    assert_int_equal(replay.count, 2);
}

/* What the server tells of two messages; the later one has the lower UID, as in a first sync. */
typedef bool telling_fn(struct replica_batch *batch);

static bool tell_flags(struct replica_batch *batch)
{
    struct replica_flags told[] = {{.uid = 1, .flags = FLAG_SEEN}, {.uid = 2, .flags = FLAG_SEEN}};
    return replica_flags_set(batch, inbox, told, 2, NULL);
}

static bool tell_expunge(struct replica_batch *batch)
{
    return replica_expunge(batch, inbox, (uint32_t[]){1, 2}, 2, NULL, NULL);
}

static bool tell_renumbering(struct replica_batch *batch)
{
    return replica_uids_forget(batch, inbox, NULL);
}

static void *tell(void *context)
{
    telling_fn *telling = *(telling_fn **)context;
    struct db *db = store_acquire(mail_web, ALICE, NULL);
    struct replica_batch *batch = db ? replica_begin(db, ALICE, NULL) : NULL;
    bool is_told = batch && telling(batch) && replica_commit(&batch, NULL);
    replica_abandon(&batch);
    store_release(mail_web, &db);
    return is_told ? context : NULL;
}

/* Whoever waits for the first message holds none that comes after it. */
static void test_all_lock_messages_in_the_same_order(void **state)
{
    (void)state;
    static telling_fn *const tellings[] = {tell_flags, tell_renumbering, tell_expunge};
    for (size_t i = 0; i < sizeof tellings / sizeof *tellings; i++) {
        pthread_t thread;
        void *is_told;
        mail_script("DELETE FROM email WHERE account_id = 1");
        int64_t first = one(inbox, 2, "a", 0), second = one(inbox, 1, "b", 0);
        char lock[2][120];
        snprintf(lock[0], sizeof lock[0],
                 "SELECT FROM placement WHERE account_id = 1 AND email_id = %lld FOR UPDATE",
                 (long long)first);
        snprintf(lock[1], sizeof lock[1],
                 "SELECT FROM placement WHERE account_id = 1 AND email_id = %lld FOR UPDATE NOWAIT",
                 (long long)second);
        mail_script("BEGIN");
        mail_script(lock[0]);
        assert_int_equal(pthread_create(&thread, NULL, tell, (void *)&tellings[i]), 0);
        mail_script("DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP"
                    " PERFORM pg_sleep(0.01); END LOOP; END $$");
        mail_script(lock[1]);
        mail_script("COMMIT");
        pthread_join(thread, &is_told);
        assert_non_null(is_told);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_a_mark_is_seen_at_once_and_asked_upstream),
        TEST(test_what_was_taken_out_of_snoozed_comes_back_to_where_it_is_snoozed_next),
        TEST(test_what_is_refused_is_as_it_was),
        TEST(test_opposite_marks_meet_before_they_go_upstream),
        TEST(test_what_a_server_tells_of_keywords_lies_below_what_is_under_way),
        TEST(test_a_move_keeps_the_email_and_its_new_uid),
        TEST(test_there_and_back_again_arrives_where_it_began),
        TEST(test_undo_cancels_what_has_not_begun),
        TEST(test_undo_of_what_is_done_is_the_opposite),
        TEST(test_a_move_to_where_it_lies_already_only_leaves),
        TEST(test_a_move_to_its_own_folder_is_nothing),
        TEST(test_a_key_counts_once),
        TEST(test_nobody_acts_on_the_mail_of_others),
        TEST(test_local_folders_change_at_once),
        TEST(test_what_comes_there_at_the_same_moment_is_counted_once),
        TEST(test_a_click_that_met_a_deadlock_is_carried_out),
        TEST(test_all_lock_messages_in_the_same_order),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

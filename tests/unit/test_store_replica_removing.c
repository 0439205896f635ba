/* What the sync role takes away, and what it must not: expunges beside moves that are pending,
 * folders that are numbered anew or removed. */
#include "tests/unit/replica_fixture.h"

static void test_expunge_removes_emails_without_any_placement_and_their_threads(void **state)
{
    (void)state;
    static const int64_t key[] = {4001};
    int64_t mailbox = add_mailbox(ALICE, "expunge", ROLE_NONE, 0);
    int64_t other = add_mailbox(ALICE, "expunge2", ROLE_NONE, 0);
    struct replica_email emails[] = {in_thread(1, "x1@x", key, 1), make_email(2, "x2@x", noon, 0)};
    emails[1].upstream_id = STR("M-x2");
    add_emails(ALICE, mailbox, emails, 2);
    struct replica_email copy = emails[1];
    copy.placed.uid = 70;
    add_emails(ALICE, other, &copy, 1);
    int64_t before = modseq_now(), thread = thread_of(emails[0].id);
    uint32_t uids[] = {1, 2, 3};
    size_t removed;
    struct email gone;
    struct replica_batch *batch = begin();
    assert_good(replica_expunge(batch, mailbox, uids, 3, &removed, &err));
    commit(batch);
    assert_int_equal(removed, 2);
    assert_int_equal(counted(ALICE, mailbox).total, 0);
    assert_int_equal(counted(ALICE, other).total, 1);
    assert_kind(email_by_id(mail_db, mail_arena, ALICE, emails[0].id, &gone, &err),
                ERROR_NOT_FOUND);
    struct change changed = change_of(CHANGE_EMAIL, before);
    assert_int_equal(changed.destroyed_count, 1);
    assert_int_equal(changed.destroyed[0], emails[0].id);
    assert_int_equal(changed.updated_count, 1);
    assert_int_equal(changed.updated[0], emails[1].id);
    assert_int_equal(change_of(CHANGE_THREAD, before).destroyed[0], thread);
    assert_int_equal(mail_number("SELECT count(*) FROM thread_key WHERE key = 4001"), 0);
}

/* A pending move as the web role writes it: the row left is hidden, the target has one without uid.
 */
static void move_pending(int64_t email_id, int64_t from, int64_t to)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "INSERT INTO placement (account_id, email_id, mailbox_id, received_at, flags)"
             " SELECT 1, id, %lld, received_at, 0 FROM email WHERE account_id = 1 AND id = %lld;"
             "UPDATE placement SET is_hidden = true WHERE account_id = 1 AND email_id = %lld"
             " AND mailbox_id = %lld;"
             "UPDATE mailbox SET total = total - 1, unread = unread - 1 WHERE account_id = 1 AND id"
             " = %lld;"
             "UPDATE mailbox SET total = total + 1, unread = unread + 1 WHERE account_id = 1 AND id"
             " = %lld",
             (long long)to, (long long)email_id, (long long)email_id, (long long)from,
             (long long)from, (long long)to);
    mail_script(sql);
}

static void test_a_pending_move_survives_the_expunge_of_what_it_leaves(void **state)
{
    (void)state;
    int64_t from = add_mailbox(ALICE, "move1", ROLE_NONE, 0);
    int64_t to = add_mailbox(ALICE, "move2", ROLE_NONE, 0);
    int64_t id = add_email(ALICE, from, make_email(1, "move@x", noon, 0));
    move_pending(id, from, to);
    uint32_t uid = 1;
    struct replica_batch *batch = begin();
    assert_good(replica_expunge(batch, from, &uid, 1, NULL, &err));
    commit(batch);
    assert_int_equal(counted(ALICE, from).total, 0);
    assert_int_equal(counted(ALICE, to).total, 1);
    /* and when the message arrives there, it is the same email */
    struct replica_email arrived = make_email(55, "move@x", noon, FLAG_SEEN);
    add_emails(ALICE, to, &arrived, 1);
    assert_int_equal(arrived.id, id);
    assert_true(arrived.is_known);
    struct mailbox seen = counted(ALICE, to);
    assert_int_equal(seen.total, 1);
    assert_int_equal(seen.unread, 0);
    struct replica_place place;
    assert_good(replica_place_of(mail_db, mail_arena, ALICE, id, &place, &err));
    assert_int_equal(place.uid, 55);
    assert_int_equal(place.mailbox_id, to);
}

static void test_an_expunge_waits_for_the_move_that_saves_the_email(void **state)
{
    (void)state;
    int64_t from = add_mailbox(ALICE, "race1", ROLE_NONE, 0);
    int64_t to = add_mailbox(ALICE, "race2", ROLE_NONE, 0);
    int64_t id = add_email(ALICE, from, make_email(1, "race@x", noon, FLAG_SEEN));
    struct racer racer = {.db = store_acquire(mail_web, ALICE, &err)};
    pthread_t thread;
    char sql[512];
    uint32_t uid = 1;
    assert_good(racer.db && db_begin(racer.db, &err) &&
                db_execute(racer.db, "db_ping", NULL, &err));
    snprintf(sql, sizeof sql,
             "INSERT INTO placement (account_id, email_id, mailbox_id, received_at, flags)"
             " SELECT 1, id, %lld, received_at, 1 FROM email WHERE account_id = 1 AND id = %lld",
             (long long)to, (long long)id);
    assert_good(db_run_script(racer.db, sql, &err));
    assert_int_equal(pthread_create(&thread, NULL, commit_when_waited_for, &racer), 0);
    struct replica_batch *batch = begin();
    assert_good(replica_expunge(batch, from, &uid, 1, NULL, &err));
    commit(batch);
    pthread_join(thread, NULL);
    assert_true(racer.is_committed);
    store_release(mail_web, &racer.db);
    struct placement *placements;
    size_t count;
    assert_good(placements_of(mail_db, mail_arena, ALICE, &id, 1, &placements, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(placements[0].mailbox_id, to);
}

static void test_forgotten_uids_are_met_again_or_settled(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "reset", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "r1@x", noon, 0), make_email(2, "r2@x", noon, 0),
                                     make_email(3, "r3@x", noon, FLAG_SEEN),
                                     make_email(4, "r3@x", noon, FLAG_SEEN),
                                     make_email(5, "r5@x", noon, 0)};
    emails[1].upstream_id = STR("M-r2");
    add_emails(ALICE, mailbox, emails, 5);
    int64_t moved_to = add_mailbox(ALICE, "reset2", ROLE_NONE, 0);
    move_pending(emails[4].id, mailbox, moved_to);
    struct replica_batch *batch = begin();
    assert_good(replica_uids_forget(batch, mailbox, &err));
    commit(batch);
    assert_int_equal(counted(ALICE, mailbox).total, 4); /* people go on seeing them */
    struct replica_flags *known;
    size_t count;
    assert_good(replica_uids(mail_db, mail_arena, ALICE, mailbox, 1, 9999, &known, &count, &err));
    assert_int_equal(count, 0);

    struct replica_email again[] = {
        make_email(102, "other@x", noon, 0),      make_email(103, "r3@x", noon, 0),
        make_email(104, "r3@x", noon, FLAG_SEEN), make_email(105, "r3@x", noon, 0),
        make_email(106, "r5@x", noon, 0),         make_email(107, "r1@x", noon + 1, 0)};
    again[0].upstream_id = STR("M-r2");
    add_emails(ALICE, mailbox, again, 6);
    assert_int_equal(again[0].id, emails[1].id);
    assert_true(again[1].id == emails[2].id || again[1].id == emails[3].id);
    assert_true(again[2].id == emails[2].id || again[2].id == emails[3].id);
    assert_int_not_equal(again[1].id, again[2].id); /* twins are taken once each */
    assert_false(again[3].is_known);
    assert_int_equal(again[4].id, emails[4].id); /* and stays hidden: its move is pending */
    assert_false(again[5].is_known);             /* another date: another message */
    batch = begin();
    assert_good(replica_uids_settle(batch, mailbox, &err));
    commit(batch);
    struct mailbox seen = counted(ALICE, mailbox);
    assert_int_equal(seen.total, 5);
    assert_int_equal(mail_number("SELECT count(*) FROM email WHERE message_id = 'r1@x'"), 1);
    assert_int_equal(counted(ALICE, moved_to).total, 1);
}

/* A move without UIDPLUS leaves \Deleted behind. Another client expunges that and puts the same
 * message there again; then the mailbox is numbered anew. */
static void test_a_copy_that_is_not_deleted_is_seen_where_the_deleted_one_was_known(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "reset3", ROLE_NONE, 0);
    struct replica_email deleted = make_email(1, "twin@x", noon, FLAG_DELETED);
    add_emails(ALICE, mailbox, &deleted, 1);
    assert_int_equal(counted(ALICE, mailbox).total, 0);
    struct replica_batch *batch = begin();
    assert_good(replica_uids_forget(batch, mailbox, &err));
    commit(batch);
    struct replica_email again = make_email(51, "twin@x", noon, 0);
    add_emails(ALICE, mailbox, &again, 1);
    struct mailbox seen = counted(ALICE, mailbox);
    assert_int_equal(seen.total, 1);
    assert_int_equal(seen.unread, 1);
}

/* What is pending for the copy that people see must not go to the one that they do not. */
static void test_of_two_copies_each_is_met_again_as_what_it_was(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        int64_t mailbox = add_mailbox(ALICE, turn ? "twins2" : "twins1", ROLE_NONE, 0);
        const char *id = turn ? "twins2@x" : "twins1@x";
        struct replica_email emails[] = {make_email(1, id, noon, turn ? 0 : FLAG_DELETED),
                                         make_email(2, id, noon, turn ? FLAG_DELETED : 0)};
        add_emails(ALICE, mailbox, emails, 2);
        struct replica_batch *batch = begin();
        assert_good(replica_uids_forget(batch, mailbox, &err));
        commit(batch);
        struct replica_email again[] = {make_email(51, id, noon, FLAG_DELETED),
                                        make_email(52, id, noon, 0)};
        add_emails(ALICE, mailbox, again, 2);
        assert_int_equal(again[0].id, emails[turn].id);
        assert_int_equal(again[1].id, emails[!turn].id);
        assert_int_equal(counted(ALICE, mailbox).total, 1);
    }
}

static void test_removing_a_mailbox_takes_what_is_nowhere_else(void **state)
{
    (void)state;
    int64_t doomed = add_mailbox(ALICE, "doomed", ROLE_NONE, 0);
    int64_t child = add_mailbox(ALICE, "doomed/child", ROLE_NONE, doomed);
    int64_t other = add_mailbox(ALICE, "kept", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "d1@x", noon, 0), make_email(2, "d2@x", noon, 0),
                                     make_email(3, "d3@x", noon, 0)};
    emails[1].upstream_id = STR("M-d2");
    add_emails(ALICE, doomed, emails, 3);
    add_emails(ALICE, other, &emails[1], 1);
    move_pending(emails[2].id, doomed, other);
    int64_t before = modseq_now();
    struct replica_batch *batch = begin();
    assert_good(replica_mailbox_remove(batch, doomed, &err));
    commit(batch);
    assert_int_equal(counted(ALICE, other).total, 2);
    struct mailbox seen;
    assert_kind(mailbox_by_id(mail_db, mail_arena, ALICE, doomed, &seen, &err), ERROR_NOT_FOUND);
    assert_int_equal(counted(ALICE, child).parent_id, 0);
    struct change changed = change_of(CHANGE_EMAIL, before);
    assert_int_equal(changed.destroyed_count, 1);
    assert_int_equal(changed.destroyed[0], emails[0].id);
    assert_int_equal(change_of(CHANGE_MAILBOX, before).destroyed[0], doomed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expunge_removes_emails_without_any_placement_and_their_threads),
        cmocka_unit_test(test_a_pending_move_survives_the_expunge_of_what_it_leaves),
        cmocka_unit_test(test_an_expunge_waits_for_the_move_that_saves_the_email),
        cmocka_unit_test(test_forgotten_uids_are_met_again_or_settled),
        cmocka_unit_test(test_a_copy_that_is_not_deleted_is_seen_where_the_deleted_one_was_known),
        cmocka_unit_test(test_of_two_copies_each_is_met_again_as_what_it_was),
        cmocka_unit_test(test_removing_a_mailbox_takes_what_is_nowhere_else),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

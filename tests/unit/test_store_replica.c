/* What the sync role writes, batch by batch: what comes in and what changes (what goes:
 * test_store_replica_removing.c). */
#include "tests/unit/replica_fixture.h"

/* --- batches --------------------------------------------------------------------------------- */

static void test_a_batch_holds_rows_counts_cursor_and_one_change(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "batch", ROLE_NONE, 0), before = modseq_now();
    struct replica_email emails[] = {make_email(5, "b5@x", noon, FLAG_SEEN),
                                     make_email(6, "b6@x", noon, 0),
                                     make_email(7, "b7@x", noon, FLAG_DRAFT)};
    struct replica_mailbox cursor = {.id = mailbox,
                                     .uidvalidity = 4000000000u,
                                     .uidnext = 8,
                                     .backfill_uid = 5,
                                     .highestmodseq = 99,
                                     .upstream_total = 40,
                                     .set_aside_until = noon};
    struct replica_batch *batch = begin();
    assert_good(replica_mailbox_cursor(batch, &cursor, &err));
    assert_good(replica_emails_add(batch, mailbox, emails, 3, &err));
    commit(batch);
    struct mailbox seen = counted(ALICE, mailbox);
    assert_int_equal(seen.total, 3);
    assert_int_equal(seen.unread, 1);
    assert_false(seen.is_complete);
    struct replica_mailbox *all, *found = NULL;
    size_t count;
    assert_good(replica_mailboxes(mail_db, mail_arena, ALICE, true, &all, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (all[i].id == mailbox)
            found = &all[i];
    assert_non_null(found);
    assert_true(found->uidvalidity == 4000000000u);
    assert_int_equal(found->uidnext, 8);
    assert_int_equal(found->backfill_uid, 5);
    assert_int_equal(found->highestmodseq, 99);
    assert_int_equal(found->upstream_total, 40);
    assert_int_equal(found->set_aside_until, noon);
    assert_int_equal(found->placements, 3);
    assert_int_equal(modseq_now(), before + 1);
    assert_int_equal(change_of(CHANGE_EMAIL, before).created_count, 3);
    assert_int_equal(change_of(CHANGE_THREAD, before).created_count, 3);
    struct change of_mailbox = change_of(CHANGE_MAILBOX, before);
    assert_int_equal(of_mailbox.updated_count, 1);
    assert_int_equal(of_mailbox.updated[0], mailbox);
}

static void test_an_abandoned_batch_leaves_nothing(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "abandoned", ROLE_NONE, 0), before = modseq_now();
    struct replica_email email = make_email(1, "abandoned@x", noon, 0);
    int64_t key = 12345;
    email.thread_keys = &key;
    email.thread_key_count = 1;
    struct replica_batch *batch = begin();
    struct replica_mailbox folder = {.name = STR("never"), .path = STR("never")};
    assert_good(replica_emails_add(batch, mailbox, &email, 1, &err));
    assert_good(replica_mailbox_put(batch, &folder, &err));
    replica_abandon(&batch);
    assert_null(batch);
    assert_int_equal(counted(ALICE, mailbox).total, 0);
    assert_int_equal(mail_number("SELECT count(*) FROM email WHERE message_id = 'abandoned@x'"), 0);
    assert_int_equal(mail_number("SELECT count(*) FROM thread_key WHERE key = 12345"), 0);
    assert_int_equal(mail_number("SELECT count(*) FROM mailbox WHERE path = 'never'"), 0);
    assert_int_equal(modseq_now(), before);
}

static void test_a_batch_without_anything_new_writes_no_change(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "same", ROLE_NONE, 0);
    struct replica_email email = make_email(1, "same@x", noon, FLAG_SEEN);
    add_email(ALICE, mailbox, email);
    int64_t before = modseq_now();
    struct replica_batch *batch = begin();
    assert_good(replica_flags_set(batch, mailbox, &email.placed, 1, &err));
    assert_good(replica_mailbox_cursor(batch, &(struct replica_mailbox){.id = mailbox}, &err));
    commit(batch);
    assert_int_equal(modseq_now(), before);
}

static void test_a_batch_of_a_removed_account_fails(void **state)
{
    (void)state;
    struct replica_email email = make_email(1, "nobody@x", noon, 0);
    struct replica_batch *batch = replica_begin(mail_db, 404, &err);
    assert_kind(replica_emails_add(batch, 1, &email, 1, &err), ERROR_NOT_FOUND);
    assert_kind(replica_commit(&batch, &err), ERROR_DATABASE);
    assert_null(batch);
}

static void test_texts_beyond_the_caps_are_refused_and_the_batch_goes_on(void **state)
{
    (void)state;
    static char large[200 * 1024];
    memset(large, 'a', sizeof large);
    int64_t mailbox = add_mailbox(ALICE, "caps", ROLE_NONE, 0);
    struct replica_batch *batch = begin();
    struct replica_email email = make_email(1, "caps@x", noon, 0);
    email.message_id = str_make(large, 15000);
    assert_kind(replica_emails_add(batch, mailbox, &email, 1, &err), ERROR_LIMIT);
    assert_int_equal(err.scope, ERROR_SCOPE_MESSAGE);
    email.message_id = STR("caps@x");
    email.references = str_make(large, sizeof large);
    assert_kind(replica_emails_add(batch, mailbox, &email, 1, &err), ERROR_LIMIT);
    email.references = str_make(large, 100 * 999); /* what mail/ may let through */
    email.upstream_id = str_make(large, 9600);
    assert_kind(replica_emails_add(batch, mailbox, &email, 1, &err), ERROR_LIMIT);
    email.upstream_id = str_make(large, 255); /* RFC 8474 section 7 */
    assert_good(replica_emails_add(batch, mailbox, &email, 1, &err));
    commit(batch);
    assert_int_equal(counted(ALICE, mailbox).total, 1);
}

/* --- adding ---------------------------------------------------------------------------------- */

/* Servers' ids, keywords and delimiters are any bytes: none of them keeps a batch from being
 * written. */
static void test_what_is_no_utf8_is_written_repaired(void **state)
{
    (void)state;
    struct replica_batch *batch = begin();
    struct replica_mailbox folder = {.name = STR("odd"),
                                     .path = STR("odd\xc3"),
                                     .wire_path = STR("odd\xc3"),
                                     .delimiter = STR("\xe4"),
                                     .object_id = STR("F\0\xff"),
                                     .is_selectable = true};
    assert_good(replica_mailbox_put(batch, &folder, &err));
    struct replica_email email = make_email(1, "odd@x", noon, 0);
    email.upstream_id = STR("M\0\xff");
    email.placed.keywords = STR("k\xff l");
    assert_good(replica_emails_add(batch, folder.id, &email, 1, &err));
    commit(batch);
    struct replica_mailbox *all;
    size_t count;
    assert_good(replica_mailboxes(mail_db, mail_arena, ALICE, false, &all, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (all[i].id == folder.id) {
            assert_true(str_equal(all[i].object_id, STR("F\xef\xbf\xbd\xef\xbf\xbd")));
            assert_true(str_equal(all[i].wire_path, STR("odd\xc3")));
        }
    assert_int_equal(mail_number("SELECT count(*) FROM placement WHERE keywords = "
                                 "ARRAY[E'k\\uFFFD', 'l']"),
                     1);
}

static void test_a_known_uid_only_has_its_flags_updated(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "again", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(3, "again@x", noon, 0),
                                     make_email(3, "again@x", noon, 0)};
    add_emails(ALICE, mailbox, emails, 2); /* even told twice at once */
    int64_t id = emails[0].id;
    assert_int_equal(emails[1].id, id);
    assert_true(emails[1].is_known);
    assert_false(emails[0].is_known);
    assert_int_equal(counted(ALICE, mailbox).unread, 1);
    struct replica_email again = make_email(3, "again@x", noon, FLAG_SEEN);
    add_emails(ALICE, mailbox, &again, 1);
    assert_int_equal(again.id, id);
    assert_true(again.is_known);
    struct mailbox seen = counted(ALICE, mailbox);
    assert_int_equal(seen.total, 1);
    assert_int_equal(seen.unread, 0);
}

static void test_a_known_upstream_id_adds_only_a_placement(void **state)
{
    (void)state;
    int64_t inbox = add_mailbox(ALICE, "up1", ROLE_NONE, 0);
    int64_t other = add_mailbox(ALICE, "up2", ROLE_NONE, 0);
    struct replica_email email = make_email(1, "up@x", noon, 0);
    email.upstream_id = STR("M1");
    int64_t id = add_email(ALICE, inbox, email);
    email.placed.uid = 900;
    struct replica_email emails[] = {email, make_email(901, "up-new@x", noon, 0)};
    add_emails(ALICE, other, emails, 2);
    assert_int_equal(emails[0].id, id);
    assert_true(emails[0].is_known);
    assert_false(emails[1].is_known);
    assert_int_equal(counted(ALICE, other).total, 2);
    assert_int_equal(mail_number("SELECT count(*) FROM email WHERE message_id = 'up@x'"), 1);
}

static void test_a_copy_in_the_same_mailbox_is_an_email_of_its_own(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "copies", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "copy@x", noon, 0),
                                     make_email(2, "copy@x", noon, 0)};
    emails[0].upstream_id = emails[1].upstream_id = STR("M-copy");
    add_emails(ALICE, mailbox, emails, 2);
    assert_int_not_equal(emails[0].id, emails[1].id);
    struct replica_email third = make_email(3, "copy@x", noon, 0);
    third.upstream_id = STR("M-copy");
    int64_t id = add_email(ALICE, mailbox, third);
    assert_int_not_equal(id, emails[0].id);
    assert_int_equal(counted(ALICE, mailbox).total, 3);
}

static void test_local_messages_need_no_uid(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "local", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(0, "l1@x", noon, 0),
                                     make_email(0, "l2@x", noon, 0)};
    emails[0].upstream_id = STR("uidl 1");
    emails[1].upstream_id = STR("uidl 2");
    struct replica_place place;
    add_emails(ALICE, mailbox, emails, 2);
    assert_int_equal(counted(ALICE, mailbox).total, 2);
    int64_t id = emails[0].id;
    add_emails(ALICE, mailbox, emails, 1); /* downloaded again */
    assert_int_equal(emails[0].id, id);
    assert_int_equal(counted(ALICE, mailbox).total, 2);
    assert_kind(replica_place_of(mail_db, mail_arena, ALICE, id, &place, &err), ERROR_NOT_FOUND);
}

/* --- conversations --------------------------------------------------------------------------- */

static void test_replies_join_in_whatever_order_they_arrive(void **state)
{
    (void)state;
    static const int64_t root[] = {1001}, reply[] = {1002, 1001}, deep[] = {1003, 1002, 1001};
    int64_t mailbox = add_mailbox(ALICE, "threads", ROLE_NONE, 0);
    int64_t last = add_email(ALICE, mailbox, in_thread(1, "t3@x", deep, 3));
    int64_t middle = add_email(ALICE, mailbox, in_thread(2, "t2@x", reply, 2));
    int64_t first = add_email(ALICE, mailbox, in_thread(3, "t1@x", root, 1));
    assert_int_equal(thread_of(last), thread_of(middle));
    assert_int_equal(thread_of(last), thread_of(first));
    int64_t *ids;
    size_t count;
    assert_good(thread_emails(mail_db, mail_arena, ALICE, thread_of(first), &ids, &count, &err));
    assert_int_equal(count, 3);
    assert_int_equal(ids[0], last); /* oldest first, by received_at */
    assert_int_equal(ids[2], first);
}

static void test_a_message_that_joins_two_conversations_merges_them(void **state)
{
    (void)state;
    static const int64_t left[] = {2001}, right[] = {2002}, third[] = {2005};
    static const int64_t both[] = {2003, 2001, 2002}, late[] = {2004, 2002};
    int64_t mailbox = add_mailbox(ALICE, "merge", ROLE_NONE, 0);
    struct replica_email emails[] = {in_thread(1, "m1@x", left, 1), in_thread(2, "m2@x", right, 1),
                                     in_thread(9, "m9@x", third, 1)};
    add_emails(ALICE, mailbox, emails, 3);
    int64_t kept = thread_of(emails[0].id), gone = thread_of(emails[1].id), before = modseq_now();
    assert_int_not_equal(kept, gone);
    int64_t joining = add_email(ALICE, mailbox, in_thread(3, "m3@x", both, 3));
    assert_int_equal(thread_of(emails[0].id), thread_of(joining));
    assert_int_equal(thread_of(emails[1].id), thread_of(joining));
    assert_int_not_equal(thread_of(emails[2].id), thread_of(joining));
    struct change threads = change_of(CHANGE_THREAD, before);
    assert_int_equal(threads.updated_count, 1);
    assert_int_equal(threads.updated[0], kept);
    assert_int_equal(threads.destroyed_count, 1);
    assert_int_equal(threads.destroyed[0], gone);
    struct change changed = change_of(CHANGE_EMAIL, before);
    assert_int_equal(changed.created_count, 1);
    assert_int_equal(changed.updated_count, 1);
    assert_int_equal(changed.updated[0], emails[1].id);
    /* the merged thread's keys lead to the one that is left */
    int64_t after = add_email(ALICE, mailbox, in_thread(4, "m4@x", late, 2));
    assert_int_equal(thread_of(after), kept);
}

static void test_one_batch_joins_its_own_messages_and_several_known_threads(void **state)
{
    (void)state;
    static const int64_t a[] = {3001}, b[] = {3002}, c[] = {3003, 3001}, d[] = {3004, 3003},
                         e[] = {3005, 3004, 3002}, f[] = {3006, 3006}, g[] = {3007};
    int64_t mailbox = add_mailbox(ALICE, "chain", ROLE_NONE, 0);
    struct replica_email known[] = {in_thread(1, "c1@x", a, 1), in_thread(2, "c2@x", b, 1)};
    struct replica_email emails[] = {in_thread(3, "c5@x", e, 3), in_thread(4, "c4@x", d, 2),
                                     in_thread(5, "c3@x", c, 2), in_thread(6, "c6@x", f, 2),
                                     in_thread(7, "c7@x", g, 1), make_email(8, "c8@x", noon, 0)};
    add_emails(ALICE, mailbox, known, 2);
    add_emails(ALICE, mailbox, emails, 6);
    int64_t thread = thread_of(known[0].id);
    assert_int_equal(thread_of(known[1].id), thread);
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_of(emails[i].id), thread);
    for (int i = 3; i < 6; i++)
        for (int j = 0; j < i; j++)
            assert_int_not_equal(thread_of(emails[i].id), thread_of(emails[j].id));
}

/* --- flags ----------------------------------------------------------------------------------- */

static void test_flags_of_many_are_set_and_counted(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static struct replica_email emails[COUNT];
    static struct replica_flags flags[COUNT + 1];
    int64_t mailbox = add_mailbox(ALICE, "flags", ROLE_NONE, 0);
    for (int i = 0; i < COUNT; i++) {
        emails[i] = make_email((uint32_t)i + 1, "", noon + i, 0);
        flags[i] = (struct replica_flags){
            .uid = (uint32_t)i + 1, .flags = i % 2 ? FLAG_SEEN : 0, .modseq = 5};
    }
    flags[COUNT] = (struct replica_flags){.uid = 99999, .flags = FLAG_SEEN}; /* not here */
    flags[0].keywords = STR("work $label2");
    add_emails(ALICE, mailbox, emails, COUNT);
    int64_t before = modseq_now();
    struct replica_batch *batch = begin();
    assert_good(replica_flags_set(batch, mailbox, flags, COUNT + 1, &err));
    commit(batch);
    assert_int_equal(counted(ALICE, mailbox).unread, COUNT / 2);
    assert_int_equal(change_of(CHANGE_EMAIL, before).updated_count, COUNT / 2 + 1);
    struct replica_flags *known;
    size_t count;
    assert_good(replica_uids(mail_db, mail_arena, ALICE, mailbox, 1, 2, &known, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(known[0].keywords.at, "work $label2");
    assert_int_equal(known[1].flags, FLAG_SEEN);
    assert_int_equal(known[1].modseq, 5);
}

static void test_a_click_at_the_same_moment_is_counted_once(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "click", ROLE_NONE, 0);
    int64_t id = add_email(ALICE, mailbox, make_email(1, "click@x", noon, 0));
    struct racer racer = {.db = store_acquire(mail_web, ALICE, &err)};
    struct replica_flags told = {.uid = 1, .flags = FLAG_SEEN | FLAG_ANSWERED};
    pthread_t thread;
    assert_good(racer.db && db_begin(racer.db, &err) &&
                db_execute(racer.db, "db_ping", NULL, &err));
    /* the person reads it here while another program reads it there */
    assert_good(db_run_script(racer.db,
                              "UPDATE placement SET pending_set = 5, flags = 5 WHERE email_id ="
                              " (SELECT id FROM email WHERE message_id = 'click@x');"
                              "UPDATE mailbox SET unread = unread - 1 WHERE path = 'click'",
                              &err));
    assert_int_equal(pthread_create(&thread, NULL, commit_when_waited_for, &racer), 0);
    struct replica_batch *batch = begin();
    assert_good(replica_flags_set(batch, mailbox, &told, 1, &err));
    commit(batch);
    pthread_join(thread, NULL);
    assert_true(racer.is_committed);
    store_release(mail_web, &racer.db);
    assert_int_equal(flags_of(id), FLAG_SEEN | FLAG_FLAGGED | FLAG_ANSWERED);
    assert_int_equal(counted(ALICE, mailbox).unread, 0);
}

static void test_what_is_pending_stays_laid_over_the_servers_flags(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "overlay", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "o1@x", noon, FLAG_FLAGGED),
                                     make_email(2, "o2@x", noon, 0)};
    add_emails(ALICE, mailbox, emails, 2);
    /* the person: seen, not flagged; and moved the second one away */
    mail_script(
        "UPDATE placement SET pending_set = 1, pending_clear = 4, flags = 1 WHERE email_id ="
        " (SELECT id FROM email WHERE message_id = 'o1@x');"
        "UPDATE placement SET is_hidden = true WHERE email_id ="
        " (SELECT id FROM email WHERE message_id = 'o2@x');"
        "UPDATE mailbox SET total = 1, unread = 0 WHERE path = 'overlay'");
    struct replica_flags told[] = {{.uid = 1, .flags = FLAG_FLAGGED | FLAG_ANSWERED},
                                   {.uid = 2, .flags = FLAG_SEEN}};
    struct replica_batch *batch = begin();
    assert_good(replica_flags_set(batch, mailbox, told, 2, &err));
    commit(batch);
    assert_int_equal(flags_of(emails[0].id), FLAG_SEEN | FLAG_ANSWERED);
    struct mailbox seen = counted(ALICE, mailbox);
    assert_int_equal(seen.total, 1);
    assert_int_equal(seen.unread, 0);
    assert_int_equal(
        mail_number("SELECT count(*) FROM placement p JOIN mailbox m ON m.id = mailbox_id"
                    " AND m.account_id = p.account_id WHERE path = 'overlay'"
                    " AND is_hidden AND server_flags = 1"),
        1);
}

/* --- one email ------------------------------------------------------------------------------- */

static void test_text_is_wanted_until_it_is_here_or_settled(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "wanted", ROLE_NONE, 0), first, size;
    struct replica_email emails[] = {
        make_email(1, "w1@x", noon - 9 * DAY_US, 0), make_email(2, "w2@x", noon, 0),
        make_email(3, "w3@x", noon + 1, 0),          make_email(4, "w4@x", noon + 2, 0),
        make_email(5, "w5@x", noon + 3, 0),          make_email(6, "w6@x", noon + 4, 0)};
    struct replica_wanted *wanted;
    size_t count;
    add_emails(ALICE, mailbox, emails, 6);
    assert_good(replica_allocate_ids(mail_db, ALICE, 2, &first, &err));
    struct replica_batch *batch = begin();
    struct blob_writer *writer = blob_begin(mail_db, ALICE, first, emails[1].id, STR("1"), &err);
    assert_good(writer && blob_append(writer, STR("text"), &err));
    assert_good(blob_finish(&writer, &size, &err));
    writer = blob_begin(mail_db, ALICE, first + 1, emails[2].id, STR_EMPTY, &err);
    assert_good(writer && blob_finish(&writer, &size, &err));
    assert_good(replica_email_blob(batch, emails[2].id, first + 1, &err));
    assert_good(replica_email_quarantine(batch, emails[3].id, &err));
    assert_good(replica_text_settled(batch, &emails[4].id, 1, &err));
    assert_good(replica_email_parsed(batch, emails[5].id, STR("{\"type\":\"text/plain\"}"),
                                     STR_EMPTY, STR("Hello"), true, &err));
    commit(batch);
    assert_good(replica_wanting_text(mail_db, mail_arena, ALICE, mailbox, noon - DAY_US, 10,
                                     &wanted, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(wanted[0].email_id, emails[5].id);
    assert_int_equal(wanted[0].uid, 6);
    assert_string_equal(wanted[0].structure.at, "{\"type\":\"text/plain\"}");
    struct email email;
    assert_good(email_by_id(mail_db, mail_arena, ALICE, emails[5].id, &email, &err));
    assert_string_equal(email.preview.at, "Hello");
    assert_true(email.has_attachment);
    assert_good(email_by_id(mail_db, mail_arena, ALICE, emails[2].id, &email, &err));
    assert_int_equal(email.blob_id, first + 1);
    assert_good(email_by_id(mail_db, mail_arena, ALICE, emails[3].id, &email, &err));
    assert_int_equal(email.state, EMAIL_QUARANTINED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_holds_rows_counts_cursor_and_one_change),
        cmocka_unit_test(test_an_abandoned_batch_leaves_nothing),
        cmocka_unit_test(test_a_batch_without_anything_new_writes_no_change),
        cmocka_unit_test(test_a_batch_of_a_removed_account_fails),
        cmocka_unit_test(test_texts_beyond_the_caps_are_refused_and_the_batch_goes_on),
        cmocka_unit_test(test_what_is_no_utf8_is_written_repaired),
        cmocka_unit_test(test_a_known_uid_only_has_its_flags_updated),
        cmocka_unit_test(test_a_known_upstream_id_adds_only_a_placement),
        cmocka_unit_test(test_a_copy_in_the_same_mailbox_is_an_email_of_its_own),
        cmocka_unit_test(test_local_messages_need_no_uid),
        cmocka_unit_test(test_replies_join_in_whatever_order_they_arrive),
        cmocka_unit_test(test_a_message_that_joins_two_conversations_merges_them),
        cmocka_unit_test(test_one_batch_joins_its_own_messages_and_several_known_threads),
        cmocka_unit_test(test_flags_of_many_are_set_and_counted),
        cmocka_unit_test(test_a_click_at_the_same_moment_is_counted_once),
        cmocka_unit_test(test_what_is_pending_stays_laid_over_the_servers_flags),
        cmocka_unit_test(test_text_is_wanted_until_it_is_here_or_settled),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

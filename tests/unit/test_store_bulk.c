/* Many rows at once: whole messages after their metadata, and batches without foreign keys looked
 * up. */
#include "tests/unit/store_mail_fixture.h"

static const int64_t noon = INT64_C(1767268800000000);

static void test_whole_messages_are_wanted_by_position_and_put_many_at_once(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "wholes", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "v1@x", noon, 0),
                                     make_email(2, "v2@x", noon + 1, 0),
                                     make_email(3, "v3@x", noon + 2, 0)};
    struct replica_position after = {0};
    struct replica_wanted *wanted;
    size_t count;
    emails[2].preview = STR("as it was");
    add_emails(ALICE, mailbox, emails, 3);
    assert_good(replica_wanting_whole(mail_db, mail_arena, ALICE, mailbox, &after, 10000, 2,
                                      &wanted, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(wanted[0].uid, 3);
    after = (struct replica_position){wanted[1].received_at, wanted[1].email_id};
    struct replica_whole wholes[] = {{.email_id = emails[1].id,
                                      .blob_id = 901,
                                      .structure = STR("{\"type\":\"a/b\"}"),
                                      .preview = STR("new"),
                                      .has_attachment = true,
                                      .is_settled = true},
                                     {.email_id = emails[2].id, .blob_id = 902, .is_poison = true}};
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(replica_wholes_put(batch, wholes, 2, &err));
    assert_good(replica_commit(&batch, &err));
    struct email email;
    assert_good(email_by_id(mail_db, mail_arena, ALICE, emails[1].id, &email, &err));
    assert_string_equal(email.preview.at, "new");
    assert_true(email.has_attachment);
    assert_int_equal(email.blob_id, 901);
    assert_good(email_by_id(mail_db, mail_arena, ALICE, emails[2].id, &email, &err));
    assert_string_equal(email.preview.at, "as it was");
    assert_int_equal(email.state, EMAIL_QUARANTINED);
    assert_good(replica_wanting_whole(mail_db, mail_arena, ALICE, mailbox, &after, 10000, 2,
                                      &wanted, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(wanted[0].uid, 1);
    assert_good(replica_wanting_whole(mail_db, mail_arena, ALICE, mailbox, &after, 10, 2, &wanted,
                                      &count, &err));
    assert_int_equal(count, 0); /* too large */
    wholes[0].email_id = 987654321;
    batch = replica_begin(mail_db, ALICE, &err);
    assert_kind(replica_wholes_put(batch, wholes, 2, &err), ERROR_CONFLICT);
    replica_abandon(&batch);
}

/* --- without looking up foreign keys --------------------------------------------------------- */

static void test_a_bulk_batch_is_like_any_other_and_finds_what_is_gone(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "bulk", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "k1@x", noon, 0),
                                     make_email(2, "k2@x", noon, 0)};
    struct store *store = fixture_store_of(
        (struct store_options){.role = STORE_SYNC, .connections_max = 1, .is_bulk = true});
    assert_true(store_may_be_bulk(store));
    assert_false(store_may_be_bulk(mail_web));
    struct db *db = store_acquire(store, 0, &err);
    assert_good(db != NULL);
    struct replica_batch *batch = replica_begin(db, ALICE, &err);
    assert_good(batch && replica_emails_add(batch, mailbox, emails, 2, &err));
    assert_good(replica_commit(&batch, &err));
    assert_int_equal(counted(ALICE, mailbox).total, 2);
    struct replica_email lost = make_email(3, "k3@x", noon, 0);
    batch = replica_begin(db, ALICE, &err);
    assert_kind(replica_emails_add(batch, mailbox + 1000000, &lost, 1, &err), ERROR_NOT_FOUND);
    replica_abandon(&batch);
    batch = replica_begin(db, 77, &err);
    assert_false(batch && replica_emails_add(batch, mailbox, &lost, 1, &err));
    replica_abandon(&batch);
    store_release(store, &db);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_messages_are_wanted_by_position_and_put_many_at_once),
        cmocka_unit_test(test_a_bulk_batch_is_like_any_other_and_finds_what_is_gone),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

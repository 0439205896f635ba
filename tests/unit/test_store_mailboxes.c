/* Folders as people see them and as sync writes them. */
#include "tests/unit/store_mail_fixture.h"

static void test_roles_have_the_names_of_the_registry(void **state)
{
    (void)state;
    for (enum mailbox_role role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
        assert_int_equal(mailbox_role_parse(str_of(mailbox_role_name(role))), role);
    assert_null(mailbox_role_name(ROLE_NONE));
    assert_int_equal(mailbox_role_parse(STR("INBOX")), ROLE_INBOX);
    assert_int_equal(mailbox_role_parse(STR("inboxes")), ROLE_NONE);
    assert_int_equal(mailbox_role_parse(STR_EMPTY), ROLE_NONE);
}

static void test_flags_have_names_once_each(void **state)
{
    (void)state;
    int seen = 0;
    for (const struct flag_name *name = flag_names; name->flag; name++) {
        assert_int_equal(seen & name->flag, 0);
        seen |= name->flag;
        assert_non_null(name->upstream);
        assert_true((name->keyword == NULL) == (name->flag == FLAG_DELETED));
    }
    assert_int_equal(seen, (1 << 10) - 1);
}

static void test_the_list_has_roles_first_and_children_behind_their_parents(void **state)
{
    (void)state;
    int64_t work = add_mailbox(ALICE, "work", ROLE_NONE, 0);
    add_mailbox(ALICE, "Zoo", ROLE_NONE, 0);
    int64_t inbox = add_mailbox(ALICE, "INBOX", ROLE_INBOX, 0);
    int64_t deep = add_mailbox(ALICE, "beta", ROLE_NONE, work);
    add_mailbox(ALICE, "deeper", ROLE_NONE, deep);
    add_mailbox(ALICE, "Alpha", ROLE_NONE, work);
    add_mailbox(ALICE, "Trash", ROLE_TRASH, inbox);
    add_mailbox(ALICE, "Sent", ROLE_SENT, 0);
    add_mailbox(ALICE, "abc", ROLE_NONE, 0);
    add_mailbox(ALICE, "lost", ROLE_NONE, 999999); /* its parent is not here */
    static const char *const expected[] = {"INBOX", "Trash", "Sent", "abc",    "lost",
                                           "work",  "Alpha", "beta", "deeper", "Zoo"};
    struct mailbox *list;
    size_t count;
    assert_good(mailbox_list(mail_db, mail_arena, ALICE, &list, &count, &err));
    assert_int_equal(count, 10);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list[i].name.at, expected[i]);
    /* a loop of parents loses nobody */
    struct replica_mailbox mailbox = {
        .id = work, .parent_id = deep, .name = STR("work"), .path = STR("work")};
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(replica_mailbox_put(batch, &mailbox, &err));
    assert_good(replica_commit(&batch, &err));
    assert_good(mailbox_list(mail_db, mail_arena, ALICE, &list, &count, &err));
    assert_int_equal(count, 10);
}

static size_t shown_at(int64_t id)
{
    struct mailbox *list;
    size_t count, at = 0;
    assert_good(mailbox_list(mail_db, mail_arena, ALICE, &list, &count, &err));
    while (at < count && list[at].id != id)
        at++;
    return at;
}

static int order_of(int64_t account_id, int64_t id)
{
    struct mailbox mailbox;
    assert_good(mailbox_by_id(mail_db, mail_arena, account_id, id, &mailbox, &err));
    return mailbox.sort_order;
}

static void test_a_person_puts_folders_in_an_order_of_their_own(void **state)
{
    (void)state;
    int64_t beta = add_mailbox(ALICE, "berries", ROLE_NONE, 0);
    int64_t kept = add_mailbox(ALICE, "Kept", ROLE_ARCHIVE, 0);
    int64_t wanted[] = {beta, 987654321, kept}, bobs = add_mailbox(BOB, "orchard", ROLE_NONE, 0);
    assert_true(shown_at(kept) < shown_at(beta));
    assert_good(mailbox_sort(mail_db, ALICE, wanted, 3, 1, &err));
    assert_int_equal(order_of(ALICE, kept), 3);
    assert_true(shown_at(beta) < shown_at(kept));
    /* what is new comes behind, whatever its name */
    assert_true(shown_at(add_mailbox(ALICE, "apples", ROLE_NONE, 0)) > shown_at(beta));
    assert_good(mailbox_sort(mail_db, ALICE, wanted, 3, MAILBOX_UNSORTED, &err));
    assert_int_equal(order_of(ALICE, beta), 100);
    assert_true(shown_at(kept) < shown_at(beta));
    assert_good(mailbox_sort(mail_db, ALICE, &bobs, 1, 7, &err)); /* not in this account */
    assert_int_equal(order_of(BOB, bobs), 100);
}

static void test_a_mailbox_is_found_by_id_and_by_role(void **state)
{
    (void)state;
    int64_t id = add_mailbox(BOB, "Papierkorb", ROLE_TRASH, 0);
    struct mailbox mailbox;
    assert_good(mailbox_by_role(mail_db, mail_arena, BOB, ROLE_TRASH, &mailbox, &err));
    assert_int_equal(mailbox.id, id);
    assert_int_equal(mailbox.account_id, BOB);
    assert_string_equal(mailbox.path.at, "Papierkorb");
    assert_string_equal(mailbox.delimiter.at, "/");
    assert_int_equal(mailbox.role, ROLE_TRASH);
    assert_true(mailbox.is_selectable);
    assert_false(mailbox.is_complete);
    assert_kind(mailbox_by_role(mail_db, mail_arena, BOB, ROLE_JUNK, &mailbox, &err),
                ERROR_NOT_FOUND);
    assert_kind(mailbox_by_id(mail_db, mail_arena, ALICE, id + 1000, &mailbox, &err),
                ERROR_NOT_FOUND);
}

static void test_a_mailbox_is_renamed_by_its_id(void **state)
{
    (void)state;
    int64_t id = add_mailbox(BOB, "before", ROLE_NONE, 0);
    struct replica_mailbox mailbox = {.id = id,
                                      .name = STR("after"),
                                      .path = STR("deep/after"),
                                      .wire_path = STR("deep/\xff"),
                                      .delimiter = STR("/"),
                                      .object_id = STR("F1")};
    struct replica_mailbox *all;
    size_t count;
    struct replica_batch *batch = replica_begin(mail_db, BOB, &err);
    assert_good(replica_mailbox_put(batch, &mailbox, &err));
    assert_good(replica_commit(&batch, &err));
    assert_good(replica_mailboxes(mail_db, mail_arena, BOB, false, &all, &count, &err));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].placements, -1);
        if (all[i].id != id)
            continue;
        assert_string_equal(all[i].path.at, "deep/after");
        assert_true(str_equal(all[i].wire_path, STR("deep/\xff")));
        assert_string_equal(all[i].object_id.at, "F1");
    }
}

static void test_bad_mailboxes_are_refused(void **state)
{
    (void)state;
    static char large[3000];
    memset(large, 'x', sizeof large);
    struct replica_mailbox mailbox = {.name = STR("x"), .path = str_make(large, sizeof large)};
    struct replica_batch *batch = replica_begin(mail_db, BOB, &err);
    assert_kind(replica_mailbox_put(batch, &mailbox, &err), ERROR_LIMIT);
    mailbox = (struct replica_mailbox){.id = 777777, .name = STR("x"), .path = STR("x")};
    assert_kind(replica_mailbox_put(batch, &mailbox, &err), ERROR_NOT_FOUND);
    mailbox.id = 0;
    assert_good(replica_mailbox_put(batch, &mailbox, &err));
    mailbox.id = 0;
    assert_kind(replica_mailbox_put(batch, &mailbox, &err), ERROR_CONFLICT);
    assert_int_equal(mailbox.id, 0);
    assert_kind(replica_commit(&batch, &err), ERROR_DATABASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_have_the_names_of_the_registry),
        cmocka_unit_test(test_flags_have_names_once_each),
        cmocka_unit_test(test_the_list_has_roles_first_and_children_behind_their_parents),
        cmocka_unit_test(test_a_person_puts_folders_in_an_order_of_their_own),
        cmocka_unit_test(test_a_mailbox_is_found_by_id_and_by_role),
        cmocka_unit_test(test_a_mailbox_is_renamed_by_its_id),
        cmocka_unit_test(test_bad_mailboxes_are_refused),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

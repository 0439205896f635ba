/* Planning of folders: what is listed against what is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/sync/folders.h"

static struct listed_mailbox listed(const char *path, enum mailbox_role role, const char *object_id)
{
    return (struct listed_mailbox){.path = str_of(path),
                                   .wire_path = str_of(path),
                                   .delimiter = STR("/"),
                                   .role = role,
                                   .is_selectable = true,
                                   .is_subscribed = true,
                                   .object_id = str_of(object_id)};
}

static struct replica_mailbox known(int64_t id, const char *path, enum mailbox_role role,
                                    const char *object_id)
{
    return (struct replica_mailbox){.id = id,
                                    .name = str_of(path),
                                    .path = str_of(path),
                                    .wire_path = str_of(path),
                                    .delimiter = STR("/"),
                                    .role = role,
                                    .is_selectable = true,
                                    .is_subscribed = true,
                                    .uidnext = 100 + (uint32_t)id,
                                    .object_id = str_of(object_id)};
}

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    struct arena *arena = *state;
    arena_free(&arena);
    return 0;
}

static void test_parents_come_before_their_children(void **state)
{
    struct listed_mailbox l[] = {listed("a/b/c", ROLE_NONE, ""), listed("INBOX", ROLE_NONE, ""),
                                 listed("a/b", ROLE_NONE, ""), listed("a", ROLE_NONE, "")};
    struct folder_plan plan;
    folders_plan(*state, l, 4, NULL, 0, &plan);
    assert_int_equal(plan.put_count, 4);
    assert_true(str_equal(plan.put[2].path, STR("a/b")));
    assert_true(str_equal(plan.put[3].name, STR("c")));
    for (size_t i = 0; i < 4; i++)
        assert_true(plan.is_changed[i] && plan.put[i].id == 0);
}

static void test_an_empty_listing_removes_nothing(void **state)
{
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, ""), known(2, "a", ROLE_NONE, "")};
    struct folder_plan plan;
    folders_plan(*state, NULL, 0, k, 2, &plan);
    assert_int_equal(plan.remove_count, 0);
    struct listed_mailbox l[] = {listed("a", ROLE_NONE, "")}; /* and one without INBOX */
    folders_plan(*state, l, 1, k, 2, &plan);
    assert_int_equal(plan.remove_count, 0);
}

static void test_what_is_no_longer_listed_goes(void **state)
{
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, ""), known(2, "a", ROLE_NONE, ""),
                                  known(3, "mine", ROLE_NONE, "")};
    k[2].is_local = true;
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, "")};
    struct folder_plan plan;
    folders_plan(*state, l, 1, k, 3, &plan);
    assert_int_equal(plan.remove_count, 1);
    assert_int_equal(plan.remove[0], 2);
    assert_false(plan.is_changed[0]);
}

static void test_a_renamed_folder_keeps_its_id_and_cursor(void **state)
{
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, "i"),
                                  known(2, "old", ROLE_NONE, "m1")};
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, "i"), listed("new", ROLE_NONE, "m1")};
    struct folder_plan plan;
    folders_plan(*state, l, 2, k, 2, &plan);
    assert_int_equal(plan.put[1].id, 2);
    assert_int_equal(plan.put[1].uidnext, 102);
    assert_true(str_equal(plan.put[1].path, STR("new")));
    assert_true(plan.is_changed[1]);
    assert_int_equal(plan.remove_count, 0);
}

static void test_without_ids_uidvalidity_tells_a_renamed_folder(void **state)
{
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, ""), listed("new", ROLE_NONE, "")};
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, ""),
                                  known(2, "old", ROLE_NONE, "")};
    struct folder_plan plan;
    k[1].uidvalidity = l[1].uidvalidity = 77;
    folders_plan(*state, l, 2, k, 2, &plan);
    assert_int_equal(plan.remove_count, 0);
    assert_int_equal(plan.put[1].id, 2);
    assert_true(str_equal(plan.put[1].path, STR("new")));
    l[1].uidvalidity = 78;
    folders_plan(*state, l, 2, k, 2, &plan);
    assert_int_equal(plan.remove_count, 1);
    assert_int_equal(plan.put[1].id, 0);
}

static void test_folders_with_the_same_uidvalidity_are_not_confused(void **state)
{
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, ""), listed("x", ROLE_NONE, ""),
                                 listed("y", ROLE_NONE, "")};
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, ""),
                                  known(2, "old", ROLE_NONE, "")};
    struct folder_plan plan;
    k[0].uidvalidity = k[1].uidvalidity = l[1].uidvalidity = l[2].uidvalidity = 77;
    folders_plan(*state, l, 3, k, 2, &plan);
    assert_int_equal(plan.put[1].id, 0);
    assert_int_equal(plan.put[2].id, 0);
    assert_int_equal(plan.remove_count, 1);
}

static void test_a_folder_made_anew_under_an_old_name_is_another(void **state)
{
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, "i"),
                                  known(2, "a", ROLE_NONE, "m1")};
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, "i"), listed("a", ROLE_NONE, "m2")};
    struct folder_plan plan;
    folders_plan(*state, l, 2, k, 2, &plan);
    assert_int_equal(plan.put[1].id, 0);
    assert_int_equal(plan.remove_count, 1);
}

static void test_inbox_is_one_folder_however_it_is_spelt(void **state)
{
    struct replica_mailbox k[] = {known(1, "INBOX", ROLE_INBOX, "")};
    struct listed_mailbox l[] = {listed("Inbox", ROLE_NONE, ""), listed("INBOX", ROLE_NONE, "")};
    struct folder_plan plan;
    folders_plan(*state, l, 2, k, 1, &plan);
    assert_int_equal(plan.put_count, 1);
    assert_int_equal(plan.put[0].id, 1);
    assert_true(str_equal(plan.put[0].path, STR("INBOX")));
    assert_int_equal(plan.remove_count, 0);
}

static void test_names_give_roles_only_where_the_server_did_not(void **state)
{
    struct listed_mailbox l[] = {listed("INBOX", ROLE_NONE, ""), listed("Sent", ROLE_NONE, ""),
                                 listed("Outbox", ROLE_SENT, ""),
                                 listed("Papierkorb", ROLE_NONE, ""),
                                 listed("x/Trash", ROLE_NONE, "")};
    struct folder_plan plan;
    folders_plan(*state, l, 5, NULL, 0, &plan);
    for (size_t i = 0; i < plan.put_count; i++) {
        struct str path = plan.put[i].path;
        enum mailbox_role role = plan.put[i].role;
        if (str_equal(path, STR("Sent")) || str_equal(path, STR("x/Trash")))
            assert_int_equal(role, ROLE_NONE);
        if (str_equal(path, STR("Outbox")))
            assert_int_equal(role, ROLE_SENT);
        if (str_equal(path, STR("Papierkorb")))
            assert_int_equal(role, ROLE_TRASH);
    }
}

static void test_flags_of_small_folders_are_looked_at_more_often(void **state)
{
    enum { MINUTE_MS = 60 * 1000 };
    (void)state;
    assert_int_equal(folders_flags_rest_ms(0), 2 * MINUTE_MS);
    assert_int_equal(folders_flags_rest_ms(6000), 2 * MINUTE_MS);
    assert_int_equal(folders_flags_rest_ms(15000), 5 * MINUTE_MS);
    assert_int_equal(folders_flags_rest_ms(100000), 10 * MINUTE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parents_come_before_their_children, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_listing_removes_nothing, setup, teardown),
        cmocka_unit_test(test_flags_of_small_folders_are_looked_at_more_often),
        cmocka_unit_test_setup_teardown(test_what_is_no_longer_listed_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_renamed_folder_keeps_its_id_and_cursor, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_without_ids_uidvalidity_tells_a_renamed_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_folders_with_the_same_uidvalidity_are_not_confused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_made_anew_under_an_old_name_is_another, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_inbox_is_one_folder_however_it_is_spelt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_names_give_roles_only_where_the_server_did_not, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The quirks of real servers, by their numbers in ref/sync.md, a script each. */
#include "tests/unit/imap_house.h"

static void test_1_icloud_is_asked_for_its_capabilities_again(void **state)
{
    (void)state;
    struct house house = {.params.mechanism = SASL_PLAIN,
                          .params.stream.host = STR("imap.mail.me.com")};
    sign_in(&house, "quirk_01_icloud_capability");
    assert_false(imap_has_qresync(house.client));
    assert_false(imap_has(house.client, IMAP_CAP_IDLE));
    struct imap_found found;
    struct imap_term terms[] = {{.key = "UNSEEN"}};
    struct imap_search_params params = {.terms = terms, .term_count = 1};
    must(&house, imap_search(house.client, house.arena, &params, &found, &house.err));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.max, 9);
    end(&house);
}

static void test_2_netease_gets_an_id(void **state)
{
    (void)state;
    struct house house = {.params.stream.host = STR("imap.163.com")};
    sign_in(&house, "quirk_02_netease_id");
    assert_int_equal(imap_host(house.client)->poll_ms, 55000);
    end(&house);
}

static void test_3_what_is_not_told_is_zero(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_03_netease_select");
    struct str paths[] = {STR("INBOX"), STR("Gone")};
    struct imap_status statuses[2];
    must(&house, imap_status(house.client, house.arena, paths, 2, statuses, &house.err));
    assert_int_equal(statuses[0].has, 0);
    assert_int_equal(statuses[1].has, 0);
    struct imap_selected selected;
    must(&house, select_mailbox(&house, "INBOX", &selected));
    assert_int_equal(selected.exists, 3);
    assert_int_equal(selected.uidnext, 0);
    end(&house);
}

static void test_4_sets_are_sent_in_ascending_order(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_04_qq_ascending");
    must(&house, fetch(&house, "9,5,4:3", IMAP_ITEM_FLAGS));
    assert_events(&house, "seq 1 uid 3 flags 0;");
    end(&house);
}

static void test_5_zeros_tell_nothing(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_selected selected;
    struct imap_copied copied;
    sign_in(&house, "quirk_05_zeros");
    must(&house, select_mailbox(&house, "INBOX", &selected));
    assert_int_equal(selected.uidvalidity, 0);
    assert_false(selected.has_modseq);
    must(&house, fetch(&house, "1", IMAP_ITEM_FLAGS | IMAP_ITEM_MODSEQ));
    struct imap_set one = set_of(&house, "1");
    for (int i = 0; i < 2; i++) {
        must(&house,
             imap_copy(house.client, house.arena, &one, STR("Archive"), &copied, &house.err));
        assert_int_equal(copied.uidvalidity, 0);
        assert_int_equal(copied.count, 0);
    }
    end(&house);
}

static void test_6_a_code_needs_no_text(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_selected selected;
    sign_in(&house, "quirk_06_gmail_modseq");
    must(&house, select_mailbox(&house, "INBOX", &selected));
    assert_int_equal(selected.highestmodseq, 20563);
    assert_true(selected.allows_keywords && selected.has_modseq);
    assert_int_equal(selected.uidnext, 4393);
    struct imap_set all = set_of(&house, "1:4392");
    struct imap_fetch_params params = {.uids = &all,
                                       .items = IMAP_ITEM_FLAGS | IMAP_ITEM_GM_MSGID |
                                                IMAP_ITEM_GM_THRID | IMAP_ITEM_GM_LABELS |
                                                IMAP_ITEM_MODSEQ | IMAP_ITEM_EMAILID,
                                       .changed_since = 20000,
                                       .wants_vanished = true};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    assert_events(&house, "exists 231;seq 5 uid 9 flags 1;");
    end(&house);
}

static void test_8_vanished_lowers_the_count(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_08_vanished");
    must(&house, select_mailbox(&house, "INBOX", NULL));
    must(&house, imap_noop(house.client, &house.err));
    assert_events(&house, "exists 10;vanished 3;vanished 5:6;");
    assert_int_equal(imap_selected(house.client)->exists, 7);
    must(&house, imap_idle_start(house.client, &house.err));
    assert_int_equal(imap_idle_step(house.client, 10000, &house.err), 1);
    assert_true(imap_is_idling(house.client));
    must(&house, imap_idle_done(house.client, &house.err));
    assert_events(&house, "vanished 9;");
    assert_int_equal(imap_selected(house.client)->exists, 6);
    end(&house);
}

static void test_9_and_11_a_resync_goes_past_the_highest_and_begins_at_closed(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_selected selected;
    sign_in(&house, "quirk_09_qresync_select");
    must(&house, select_mailbox(&house, "A", NULL));
    buf_reset(&house.events);
    struct imap_set known = set_of(&house, "1:5,9:10");
    struct imap_select_params params = {
        .wire_path = STR("B"), .uidvalidity = 8, .modseq = 90, .known = &known};
    must(&house, imap_select(house.client, &params, &selected, &house.err));
    assert_events(&house, "exists 4;vanished earlier 2,11:20;unasked seq 1 uid 1 flags 1;");
    assert_int_equal(selected.exists, 4);
    assert_int_equal(selected.highestmodseq, 95);
    end(&house);
}

static void test_11_expunge_comes_even_with_qresync(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_11_nomodseq");
    must(&house, select_mailbox(&house, "A", NULL));
    must(&house, imap_noop(house.client, &house.err));
    assert_false(imap_selected(house.client)->has_modseq);
    assert_int_equal(imap_selected(house.client)->exists, 2);
    assert_events(&house, "exists 3;expunge 2;");
    end(&house);
}

static void test_12_long_sets_are_cut(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_set set = {0};
    sign_in(&house, "long_sets");
    for (uint32_t uid = 1001; uid < 1900; uid += 2)
        imap_set_add(&set, uid);
    struct imap_fetch_params params = {.uids = &set, .items = IMAP_ITEM_FLAGS};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    assert_events(&house, "seq 1 uid 1001 flags 0;");
    imap_set_free(&set);
    end(&house);
}

static void test_14_odd_fetches_are_tolerated(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_14_fetch");
    struct imap_set one = set_of(&house, "3");
    struct imap_fetch_params params = {.uids = &one,
                                       .items = IMAP_ITEM_FLAGS,
                                       .sections = {{.name = STR("HEADER")}},
                                       .section_count = 1};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    assert_events(&house, "seq 1 uid 0 flags 1;seq 1 uid 3 flags 0;"
                          "seq 99999 uid 4 flags 0 [HEADER] a: b\r\n;seq 7 uid 0 flags 0;");
    end(&house);
}

static void test_16_throttling_is_for_now_and_says_how_long(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_16_throttled");
    must_fail(&house, ERROR_UNAVAILABLE, imap_noop(house.client, &house.err));
    assert_int_equal(house.err.retry_after_ms, 18032);
    assert_int_equal(house.err.retry, ERROR_RETRY_LATER);
    must_fail(&house, ERROR_UNAVAILABLE, imap_noop(house.client, &house.err));
    must_fail(&house, ERROR_UNAVAILABLE, imap_noop(house.client, &house.err));
    assert_true(imap_is_alive(house.client));
    must_fail(&house, ERROR_UNAVAILABLE, fetch(&house, "9", IMAP_ITEM_FLAGS));
    must_fail(&house, ERROR_UNAVAILABLE, fetch(&house, "9", IMAP_ITEM_FLAGS));
    assert_false(imap_is_alive(house.client));
    end(&house);
}

static void test_19_a_mailbox_that_refuses_is_set_aside(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_19_select_refused");
    must(&house, select_mailbox(&house, "A", NULL));
    must_fail(&house, ERROR_UNAVAILABLE, select_mailbox(&house, "Broken", NULL));
    assert_int_equal(house.err.scope, ERROR_SCOPE_MAILBOX);
    assert_int_equal(imap_selected(house.client)->wire_path.length, 0);
    must_fail(&house, ERROR_NOT_FOUND, select_mailbox(&house, "Gone", NULL));
    assert_true(imap_is_alive(house.client));
    end(&house);
}

static void test_20_mailboxes_are_joined_and_a_failed_list_is_empty(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_mailboxes list;
    sign_in(&house, "quirk_20_list");
    must(&house, imap_list(house.client, house.arena, false, &list, &house.err));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.at[0].attributes, IMAP_USE_INBOX | IMAP_SUBSCRIBED);
    assert_int_equal(list.at[1].attributes, IMAP_HAS_NO_CHILDREN | IMAP_USE_JUNK);
    must_fail(&house, ERROR_UNAVAILABLE,
              imap_list(house.client, house.arena, false, &list, &house.err));
    assert_int_equal(list.count, 0);
    end(&house);
}

static void test_21_uids_are_found_where_servers_put_them(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_appended appended;
    struct imap_copied copied;
    sign_in(&house, "quirk_21_uids");
    must(&house, select_mailbox(&house, "A", NULL));
    must(&house, append(&house, "A", 5, IMAP_SEEN, &appended));
    assert_int_equal(appended.uidvalidity, 77);
    assert_int_equal(appended.uid, 9);
    struct imap_set two = set_of(&house, "1:2"), three = set_of(&house, "3");
    must(&house, imap_move(house.client, house.arena, &two, STR("B"), &copied, NULL, &house.err));
    assert_int_equal(copied.count, 2);
    assert_int_equal(copied.to[1], 9);
    must_fail(&house, ERROR_REFUSED,
              imap_move(house.client, house.arena, &three, STR("B"), &copied, NULL, &house.err));
    assert_int_equal(copied.count, 1); /* moved nevertheless (RFC 6851 section 3.3) */
    end(&house);
}

static void test_22_nothing_is_deleted_unless_it_was_copied(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_copied copied;
    sign_in(&house, "quirk_22_copy_fails");
    struct imap_set one = set_of(&house, "7");
    must_fail(&house, ERROR_LIMIT,
              imap_move(house.client, house.arena, &one, STR("B"), &copied, NULL, &house.err));
    must(&house, imap_move(house.client, house.arena, &one, STR("B"), &copied, NULL, &house.err));
    assert_int_equal(copied.to[0], 8);
    end(&house);
}

static void test_22_without_uidplus_no_expunge_is_sent(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_copied copied;
    bool is_left = false;
    sign_in(&house, "quirk_22_no_uidplus");
    struct imap_set one = set_of(&house, "7");
    must(&house,
         imap_move(house.client, house.arena, &one, STR("B"), &copied, &is_left, &house.err));
    assert_true(is_left);
    must_fail(&house, ERROR_CONFLICT, imap_expunge_uids(house.client, &one, &house.err));
    must(&house, imap_noop(house.client, &house.err));
    end(&house);
}

static void test_24_large_literals_wait_for_the_server(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "quirk_24_literal_minus");
    must(&house, append(&house, "A", 4096, 0, NULL));
    must(&house, append(&house, "A", 4097, 0, NULL));
    must_fail(&house, ERROR_NOT_FOUND, append(&house, "A", 5000, 0, NULL));
    must(&house, imap_noop(house.client, &house.err));
    end(&house);
}

static void test_an_idle_that_the_server_ends_is_no_error(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "idle_ends");
    must(&house, imap_idle_start(house.client, &house.err));
    while (imap_is_idling(house.client))
        assert_true(imap_idle_step(house.client, 10000, &house.err) >= 0);
    assert_events(&house, "exists 5;");
    must(&house, imap_idle_start(house.client, &house.err));
    must(&house, imap_idle_done(house.client, &house.err));
    must(&house, imap_idle_start(house.client, &house.err));
    int news;
    while ((news = imap_idle_step(house.client, 10000, &house.err)) > 0)
        ;
    assert_int_equal(news, -1);
    assert_int_equal(house.err.kind, ERROR_CLOSED);
    assert_non_null(strstr(house.err.message, "timeout"));
    end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_icloud_is_asked_for_its_capabilities_again),
        cmocka_unit_test(test_2_netease_gets_an_id),
        cmocka_unit_test(test_3_what_is_not_told_is_zero),
        cmocka_unit_test(test_4_sets_are_sent_in_ascending_order),
        cmocka_unit_test(test_5_zeros_tell_nothing),
        cmocka_unit_test(test_6_a_code_needs_no_text),
        cmocka_unit_test(test_8_vanished_lowers_the_count),
        cmocka_unit_test(test_9_and_11_a_resync_goes_past_the_highest_and_begins_at_closed),
        cmocka_unit_test(test_11_expunge_comes_even_with_qresync),
        cmocka_unit_test(test_12_long_sets_are_cut),
        cmocka_unit_test(test_14_odd_fetches_are_tolerated),
        cmocka_unit_test(test_16_throttling_is_for_now_and_says_how_long),
        cmocka_unit_test(test_19_a_mailbox_that_refuses_is_set_aside),
        cmocka_unit_test(test_20_mailboxes_are_joined_and_a_failed_list_is_empty),
        cmocka_unit_test(test_21_uids_are_found_where_servers_put_them),
        cmocka_unit_test(test_22_nothing_is_deleted_unless_it_was_copied),
        cmocka_unit_test(test_22_without_uidplus_no_expunge_is_sent),
        cmocka_unit_test(test_24_large_literals_wait_for_the_server),
        cmocka_unit_test(test_an_idle_that_the_server_ends_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Signing in and the commands, against scripts: tests/protocol/imap/ holds what the server says and
 * expects, a file each; here is what the client does meanwhile and what must come of it. */
#include "tests/unit/imap_house.h"

static void test_plain_with_an_initial_response(void **state)
{
    (void)state;
    struct house house = {.params.mechanism = SASL_PLAIN};
    sign_in(&house, "sign_in_plain");
    assert_true(imap_has_qresync(house.client));
    assert_true(imap_has(house.client, IMAP_CAP_UIDPLUS));
    assert_true(str_equal(imap_server_id(house.client, "name"), STR("Dovecot")));
    assert_string_equal(imap_host(house.client)->name, "dovecot");
    assert_true(str_starts(imap_capabilities(house.client), STR("IMAP4rev1 ID ENABLE CONDSTORE")));
    imap_logout(&house.client);
    end(&house);
}

static void test_plain_in_steps(void **state)
{
    (void)state;
    struct house house = {.params.mechanism = SASL_PLAIN};
    sign_in(&house, "sign_in_without_sasl_ir");
    imap_logout(&house.client);
    end(&house);
}

static void test_leaving_does_not_wait_for_a_server_that_says_nothing(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "logout_unanswered");
    must(&house, imap_idle_start(house.client, &house.err));
    imap_logout(&house.client);
    end(&house);
}

static void test_login_quotes_names_and_passwords(void **state)
{
    (void)state;
    struct house house = {.params.username = STR("a\\d\"a"),
                          .secret = secret_new(STR("p\xc3\xa4ss\"\\wort"))};
    sign_in(&house, "sign_in_login");
    end(&house);
}

static void test_a_refusal_to_sign_in_is_about_the_password(void **state)
{
    (void)state;
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct house house = {.params.mechanism = SASL_PLAIN, .params.stream.step = &step};
    begin(&house, "sign_in_refused");
    assert_null(house.client);
    assert_int_equal(house.err.kind, ERROR_AUTH);
    assert_int_equal(step, STREAM_STEP_SIGN_IN);
    assert_non_null(strstr(house.err.message, "wrong name or password"));
    end(&house);
}

static void test_no_credentials_where_nothing_fits(void **state)
{
    (void)state;
    struct house house = {0};
    begin(&house, "sign_in_disabled");
    assert_null(house.client);
    assert_int_equal(house.err.kind, ERROR_REFUSED);
    end(&house);
}

static void test_too_many_connections_are_not_a_wrong_password(void **state)
{
    (void)state;
    static const char *const names[] = {"quirk_18_connections", "quirk_18_connections_code"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct house house = {.params.mechanism = SASL_PLAIN};
        begin(&house, names[i]);
        assert_null(house.client);
        assert_int_equal(house.err.kind, ERROR_UNAVAILABLE);
        end(&house);
    }
}

/* --- commands --------------------------------------------------------------------------------- */

static void test_mailboxes_come_with_their_counts_in_one_answer(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_mailboxes list;
    sign_in(&house, "list_extended");
    must(&house, imap_list(house.client, house.arena, true, &list, &house.err));
    assert_int_equal(list.count, 2);
    assert_true(list.at[0].has_status);
    assert_int_equal(list.at[0].status.messages, 5);
    assert_true(str_equal(list.at[0].status.mailbox_id, STR("F1")));
    assert_true(str_equal(list.at[1].path, STR("INBOX.Entw\xc3\xbcrfe")));
    assert_int_equal(list.at[1].attributes, IMAP_USE_DRAFTS);
    end(&house);
}

static void test_counts_are_asked_for_where_list_does_not_tell_them(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_mailboxes list;
    sign_in(&house, "list_then_status");
    must(&house, imap_list(house.client, house.arena, true, &list, &house.err));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.at[0].status.messages, 5);
    assert_int_equal(list.at[1].status.messages, 6);
    assert_false(list.at[2].has_status);
    end(&house);
}

static void test_what_people_search_for_stays_an_argument(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_found found;
    sign_in(&house, "search");
    struct imap_term text[] = {
        {.key = "TEXT", .has_text = true, .text = STR("x\xc3\xa4\r\nA9 LOGOUT")}};
    struct imap_search_params params = {.terms = text, .term_count = 1};
    must(&house, imap_search(house.client, house.arena, &params, &found, &house.err));
    assert_int_equal(found.count, 4);
    must(&house, imap_search_message_id(house.client, house.arena, STR("<a\"b@x>"), 100, &found,
                                        &house.err));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.min, 104);
    struct imap_term unseen[] = {{.key = "UNSEEN"}};
    params = (struct imap_search_params){.terms = unseen,
                                         .term_count = 1,
                                         .returns =
                                             IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_COUNT};
    must(&house, imap_search(house.client, house.arena, &params, &found, &house.err));
    assert_int_equal(found.max, 0);
    struct imap_term nul[] = {{.key = "TEXT", .has_text = true, .text = STR("a\0b")}};
    params = (struct imap_search_params){.terms = nul, .term_count = 1};
    must_fail(&house, ERROR_INVALID,
              imap_search(house.client, house.arena, &params, &found, &house.err));
    end(&house);
}

static void test_mailbox_names_are_opaque_bytes(void **state)
{
    (void)state;
    struct house house = {0};
    struct str wire;
    sign_in(&house, "mailbox_names");
    must(&house, imap_create(house.client, STR("../..`id`"), 0, &house.err));
    must(&house, imap_delete(house.client, STR("a\r\nA9 LOGOUT\\"), &house.err));
    must_fail(&house, ERROR_INVALID, imap_delete(house.client, STR("a\0b"), &house.err));
    must_fail(&house, ERROR_INVALID, imap_delete(house.client, STR_EMPTY, &house.err));
    must_fail(&house, ERROR_INVALID,
              imap_mailbox_wire(house.client, house.arena, STR("a\rb"), &wire, &house.err));
    must(&house, imap_mailbox_wire(house.client, house.arena, STR("\xc3\xa4"), &wire, &house.err));
    assert_true(str_equal(wire, STR("&AOQ-")));
    end(&house);
}

static bool sink_begin(void *context, const struct imap_fetch *told,
                       const struct imap_section *section)
{
    tell(context, "begin uid %u %llu;", told->uid, (unsigned long long)section->size);
    return true;
}

static bool sink_write(void *context, struct str bytes)
{
    tell(context, "%" STR_FMT, STR_ARG(bytes));
    return true;
}

static bool sink_end(void *context)
{
    tell(context, ";end;");
    return true;
}

static void test_large_literals_are_streamed(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "stream");
    struct imap_sink sink = {&house, 10, sink_begin, sink_write, sink_end};
    struct imap_set two = set_of(&house, "1:2");
    struct imap_fetch_params params = {.uids = &two,
                                       .items = IMAP_ITEM_FLAGS,
                                       .sections = {{.name = STR_EMPTY}},
                                       .section_count = 1,
                                       .sink = &sink};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    assert_events(&house, "seq 1 uid 1 flags 1 [] abc;begin uid 2 21;0123456789)\r\n* 3 X)\r\n"
                          ";end;seq 2 uid 2 flags 0 [] streamed;");
    end(&house);
}

static void test_a_draft_is_replaced(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_appended appended;
    sign_in(&house, "replace");
    struct str keywords[] = {STR("$x")};
    struct imap_append_params params = {.wire_path = STR("Drafts"),
                                        .flags = IMAP_DRAFT,
                                        .keywords = keywords,
                                        .keyword_count = 1,
                                        .internaldate_at = INT64_C(1700000000000000),
                                        .size = 5,
                                        .source = give_dots,
                                        .replace_uid = 4};
    must(&house, imap_append(house.client, &params, &appended, &house.err));
    assert_int_equal(appended.uid, 12);
    must_fail(&house, ERROR_LIMIT, append(&house, "Drafts", 1001, 0, NULL));
    assert_int_equal(house.err.scope, ERROR_SCOPE_MESSAGE);
    end(&house);
}

static void test_several_messages_go_in_one_command(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_appended appended[2];
    sign_in(&house, "multiappend");
    struct imap_append_params messages[2] = {
        {.wire_path = STR("A"), .flags = IMAP_SEEN, .size = 5, .source = give_dots},
        {.wire_path = STR("A"), .size = 5, .source = give_dots, .has_nul = true}};
    must(&house, imap_append_all(house.client, messages, 2, appended, &house.err));
    assert_int_equal(appended[0].uid, 12);
    assert_int_equal(appended[1].uid, 13);
    messages[0].flags = 0;
    messages[1].has_nul = false;
    must_fail(&house, ERROR_NOT_FOUND,
              imap_append_all(house.client, messages, 2, appended, &house.err));
    assert_int_equal(appended[0].uid, 0);
    end(&house);
}

static void test_utf8_is_marked_and_not_encoded_once_it_is_on(void **state)
{
    (void)state;
    struct house house = {.params.use_utf8 = true};
    struct str wire;
    sign_in(&house, "append_utf8");
    must(&house, imap_mailbox_wire(house.client, house.arena, STR("\xc3\xa4"), &wire, &house.err));
    struct imap_append_params params = {
        .wire_path = wire, .size = 5, .source = give_dots, .has_utf8_header = true};
    must(&house, imap_append(house.client, &params, NULL, &house.err));
    struct imap_found found;
    struct imap_term terms[] = {{.key = "TEXT", .has_text = true, .text = STR("\xc3\xa4")}};
    struct imap_search_params search = {.terms = terms, .term_count = 1};
    must(&house, imap_search(house.client, house.arena, &search, &found, &house.err));
    assert_int_equal(found.count, 0);
    end(&house);
}

static void test_what_was_found_can_stay_at_the_server(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_found found;
    sign_in(&house, "search_saved");
    struct imap_term terms[] = {{.key = "UNSEEN"}};
    struct imap_search_params search = {
        .terms = terms, .term_count = 1, .returns = IMAP_RETURN_COUNT, .saves = true};
    must(&house, imap_search(house.client, house.arena, &search, &found, &house.err));
    assert_int_equal(found.count, 2);
    struct imap_fetch_params params = {.uses_saved = true, .items = IMAP_ITEM_FLAGS};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    assert_events(&house, "seq 4 uid 9 flags 0;");
    end(&house);
}

static void test_the_newest_page_is_asked_for_with_partial(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_found found;
    sign_in(&house, "partial");
    must(&house, select_mailbox(&house, "A", NULL));
    struct imap_set all = set_of(&house, "1:4294967295");
    struct imap_fetch_params params = {
        .uids = &all,
        .newest = 50,
        .items = IMAP_ITEM_EMAILID | IMAP_ITEM_THREADID | IMAP_ITEM_PREVIEW | IMAP_ITEM_SAVEDATE |
                 IMAP_ITEM_MODSEQ | IMAP_ITEM_GM_LABELS,
        .sections = {{.name = STR("1"), .is_binary = true, .length = 100}},
        .section_count = 1};
    must(&house, imap_fetch(house.client, &params, each, &house, &house.err));
    struct imap_term terms[] = {{.key = "UNSEEN"}};
    struct imap_search_params search = {.terms = terms, .term_count = 1, .newest = 10};
    must(&house, imap_search(house.client, house.arena, &search, &found, &house.err));
    assert_int_equal(found.count, 3);
    end(&house);
}

static void test_only_keywords_that_the_mailbox_takes_are_stored(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_set modified, uids;
    sign_in(&house, "store");
    must(&house, select_mailbox(&house, "A", NULL));
    uids = set_of(&house, "1:3");
    struct str keywords[] = {STR("$forwarded"), STR("Unknown"), STR("a b)\r\nA9 LOGOUT")};
    struct imap_store_params params = {.uids = &uids,
                                       .flags = IMAP_SEEN,
                                       .keywords = keywords,
                                       .keyword_count = 3,
                                       .unchanged_since = 12};
    must(&house, imap_store(house.client, &params, house.arena, &modified, &house.err));
    assert_events(&house, "unasked seq 1 uid 1 flags 1;");
    assert_int_equal(imap_set_size(&modified), 2);
    /* Nothing left to store: nothing is sent. */
    params =
        (struct imap_store_params){.uids = &uids, .keywords = &keywords[1], .keyword_count = 2};
    must(&house, imap_store(house.client, &params, house.arena, &modified, &house.err));
    must(&house, imap_noop(house.client, &house.err));
    end(&house);
}

static void test_notify_quota_and_namespaces(void **state)
{
    (void)state;
    struct house house = {0};
    struct imap_quotas quotas;
    struct imap_namespace *namespaces;
    size_t count;
    sign_in(&house, "notify");
    must(&house, imap_notify_start(house.client, &house.err));
    assert_events(&house, "status Lists 5;");
    must(&house, imap_quota(house.client, house.arena, STR("INBOX"), &quotas, &house.err));
    assert_int_equal(quotas.count, 1);
    assert_int_equal(quotas.at[0].storage_limit, 512);
    must(&house, imap_namespaces(house.client, house.arena, &namespaces, &count, &house.err));
    assert_int_equal(count, 1);
    end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_with_an_initial_response),
        cmocka_unit_test(test_plain_in_steps),
        cmocka_unit_test(test_leaving_does_not_wait_for_a_server_that_says_nothing),
        cmocka_unit_test(test_login_quotes_names_and_passwords),
        cmocka_unit_test(test_a_refusal_to_sign_in_is_about_the_password),
        cmocka_unit_test(test_no_credentials_where_nothing_fits),
        cmocka_unit_test(test_too_many_connections_are_not_a_wrong_password),
        cmocka_unit_test(test_mailboxes_come_with_their_counts_in_one_answer),
        cmocka_unit_test(test_counts_are_asked_for_where_list_does_not_tell_them),
        cmocka_unit_test(test_what_people_search_for_stays_an_argument),
        cmocka_unit_test(test_mailbox_names_are_opaque_bytes),
        cmocka_unit_test(test_large_literals_are_streamed),
        cmocka_unit_test(test_a_draft_is_replaced),
        cmocka_unit_test(test_several_messages_go_in_one_command),
        cmocka_unit_test(test_utf8_is_marked_and_not_encoded_once_it_is_on),
        cmocka_unit_test(test_what_was_found_can_stay_at_the_server),
        cmocka_unit_test(test_the_newest_page_is_asked_for_with_partial),
        cmocka_unit_test(test_only_keywords_that_the_mailbox_takes_are_stored),
        cmocka_unit_test(test_notify_quota_and_namespaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The screens as a browser gets them. The sync role is played by the test. */
#include <pthread.h>

#include "tests/unit/screens_fixture.h"

/* --- the sync role, for trials ---------------------------------------------------------------- */

/* Answers each trial in turn with one of these. */
struct answers {
    const char *at[4];
    size_t count;
    struct store *store;
};

static void *answer_trials(void *context)
{
    struct answers *answers = context;
    struct error why = ERROR_INIT;
    struct arena *arena = arena_new();
    struct db *db = store_acquire(answers->store, 0, &why);
    for (size_t given = 0; db && given < answers->count;) {
        struct trial trial;
        if (trial_take(db, arena, &trial, &why))
            trial_finish(db, str_of(trial.id), str_of(answers->at[given++]), &why);
        else
            usleep(10000);
    }
    store_release(answers->store, &db);
    arena_free(&arena);
    return NULL;
}

/* Sends a form of the page that was got last while trials are answered. */
static void post_and_answer(const char *target, const char *fields, struct answers answers)
{
    pthread_t thread;
    answers.store = fixture_store(STORE_SYNC, 1);
    assert_int_equal(pthread_create(&thread, NULL, answer_trials, &answers), 0);
    post(target, fields);
    pthread_join(thread, NULL);
    store_close(&answers.store);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_a_stranger_is_asked_to_sign_in_and_comes_back(void **state)
{
    (void)state;
    cookie = NULL;
    get("/mail/1/2");
    assert_goes_to("/sign-in?next=%2Fmail%2F1%2F2");
    get("/sign-in?next=/mail/1/2");
    assert_status(200);
    assert_shows("name=\"next\" value=\"/mail/1/2\"");
    get("/sign-in?next=//evil.example/");
    assert_shows("name=\"next\" value=\"/\"");
    get("/sign-in?next=/%5Cevil.example/");
    assert_shows("name=\"next\" value=\"/\"");
}

static void test_home_is_the_inbox_or_the_first_account_to_add(void **state)
{
    (void)state;
    char path[64];
    come_as(ALICE);
    get("/");
    snprintf(path, sizeof path, "/mail/1/%lld", (long long)inbox);
    assert_goes_to(path);
    mail_script("INSERT INTO \"user\" (id, login) VALUES (9, 'dora')");
    come_as(9);
    get("/");
    assert_goes_to("/accounts/new");
    get("/accounts/new");
    assert_status(200);
    assert_shows("Add a mail account");
}

static void test_a_mailbox_is_shown_page_by_page(void **state)
{
    (void)state;
    char path[64];
    come_as(ALICE);
    snprintf(path, sizeof path, "/mail/1/%lld", (long long)inbox);
    get(path);
    assert_status(200);
    assert_shows("60 messages, 1 unread");
    assert_shows("number-10@mail.example");
    assert_hides("number-9@mail.example");
    assert_hides("Newer");
    get(cut_after("class=\"button\" href=\""));
    assert_status(200);
    assert_shows("number-9@mail.example");
    assert_hides("number-10@mail.example");
    assert_hides("Older");
    get(cut_after("class=\"button\" href=\""));
    assert_shows("number-10@mail.example");
    assert_hides("number-9@mail.example");
}

static void test_a_folder_whose_first_messages_are_on_their_way_says_so(void **state)
{
    (void)state;
    come_as(BOB);
    get("/mail/2");
    get(arena_text(mail_arena, header("Location")));
    assert_status(200);
    assert_shows("The first messages will be here in a moment.");
    assert_true(str_equal(header("Refresh"), STR("2")));
    mail_script("UPDATE account SET sync_state = 'current', synced_at = now() WHERE id = 2");
    get("/mail/2");
    get(arena_text(mail_arena, header("Location")));
    assert_shows("Nothing in Inbox.");
    assert_true(str_is_empty(header("Refresh")));
}

static void test_what_strangers_wrote_is_escaped(void **state)
{
    (void)state;
    char path[64];
    come_as(ALICE);
    snprintf(path, sizeof path, "/mail/1/%lld/%lld", (long long)inbox, (long long)emails[59]);
    get(path);
    assert_status(200);
    assert_shows("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;");
    assert_shows("&lt;b&gt;Eve&lt;/b&gt;");
    assert_shows("&lt;eve@mail.example&gt;");
    assert_hides("<script>alert");
    assert_hides("<b>Eve");
}

static void test_plain_text_is_shown_in_the_page_with_its_links(void **state)
{
    (void)state;
    come_as(ALICE);
    get(add_letter("text/plain", "see https://example.org/x?y=1 <b>\n> quoted\n"));
    assert_status(200);
    assert_shows("href=\"https://example.org/x?y=1\"");
    assert_shows("&lt;b&gt;");
    assert_shows("<blockquote");
    assert_hides("<iframe");
    assert_true(str_is_empty(header("Refresh")));
}

static void test_html_is_shown_in_a_frame_that_can_do_nothing(void **state)
{
    (void)state;
    char frame[200];
    come_as(ALICE);
    get(add_letter("text/html", "<p onclick=x>Hello<script>alert(1)</script>"
                                "<img src=\"https://pixel.example/1.png\">"));
    assert_status(200);
    assert_shows("A picture from elsewhere is not loaded");
    assert_shows("pixel.example");
    assert_hides("Hello");
    assert_shows("sandbox=\"allow-popups allow-popups-to-escape-sandbox\"");
    assert_shows("remote=1");
    snprintf(frame, sizeof frame, "%s",
             cut_after("<iframe class=\"letter-frame\" title=\"Text of "
                       "the message\" src=\""));
    get(frame);
    assert_status(200);
    assert_shows("Hello");
    assert_hides("<script");
    assert_hides("onclick");
    assert_hides("https://pixel.example");
    struct str policy = header("Content-Security-Policy");
    assert_true(str_starts(policy, STR("default-src 'none'; img-src 'self' data:;")));
    assert_true(str_find(policy, STR("sandbox allow-popups")) > 0);
    assert_true(str_find(policy, STR("script")) < 0);
    strcat(frame, "&remote=1");
    get(frame);
    assert_shows("https://pixel.example/1.png");
    assert_true(str_find(header("Content-Security-Policy"), STR(" https: http:;")) > 0);
}

/* The sync role's part: refuses all that was asked for; whether the email's text was among it. */
static bool refuse_operations(int64_t email_id)
{
    struct operation operation;
    bool is_asked = false;
    char arguments[100];
    snprintf(arguments, sizeof arguments, "{\"emailId\":%lld,\"parts\":[\"1\"]}",
             (long long)email_id);
    while (operation_take(mail_db, mail_arena, ALICE, &operation, &err)) {
        struct error why = ERROR_INIT;
        is_asked |= str_equal(operation.kind, STR("fetch-body")) && operation.is_urgent &&
                    str_equal(operation.arguments, str_of(arguments));
        error_set(&why, ERROR_UNREACHABLE, "The server is on holiday.");
        assert_good(operation_fail(mail_db, ALICE, operation.id, &why, 0, &err));
    }
    return is_asked;
}

static void test_a_message_whose_text_is_not_here_is_asked_for_and_looked_at_again(void **state)
{
    (void)state;
    char path[64];
    come_as(ALICE);
    snprintf(path, sizeof path, "/mail/1/%lld/%lld", (long long)inbox, (long long)emails[5]);
    get(path);
    assert_status(200);
    assert_shows("The text is being fetched");
    assert_true(str_equal(header("Refresh"), STR("2")));
    assert_true(refuse_operations(emails[5]));
    get(path);
    if (refuse_operations(emails[5])) /* long ago enough to be asked for anew */
        get(path);
    assert_status(200);
    assert_shows("The server is on holiday.");
    assert_shows("Try again");
    assert_true(str_is_empty(header("Refresh")));
}

static void test_another_persons_mail_does_not_exist(void **state)
{
    (void)state;
    static const char *const paths[] = {"/mail/1",
                                        "/mail/1/1",
                                        "/mail/1/1/1",
                                        "/accounts/1",
                                        "/accounts/1/servers",
                                        "/accounts/1/delete",
                                        "/mail/1/message/1/body",
                                        "/mail/1/message/1/raw",
                                        "/mail/1/message/1/source",
                                        "/mail/1/message/1/part/1",
                                        "/accounts/999",
                                        "/mail/x/y",
                                        "/mail/-1/1"};
    char path[64];
    come_as(BOB);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        get(paths[i]);
        assert_status(404);
        assert_shows("Not found");
    }
    snprintf(path, sizeof path, "/mail/1/%lld/%lld", (long long)inbox, (long long)emails[0]);
    get(path);
    assert_status(404);
}

static void test_settings_end_sessions_and_make_tokens_that_are_shown_once(void **state)
{
    (void)state;
    come_as(BOB);
    come_as(BOB);
    get("/settings");
    assert_status(200);
    assert_shows("Firefox on Linux");
    assert_shows("this one");
    post("/settings/tokens", "name=Backup&write=1");
    assert_status(200);
    assert_shows("Copy it now");
    get("/settings");
    assert_hides("Copy it now");
    assert_shows("Backup");
    assert_shows("read, write");
    char session[128], form[200];
    snprintf(session, sizeof session, "%s", cut_after("name=\"session\" value=\""));
    snprintf(form, sizeof form, "session=%s", session);
    post("/settings/sessions/end", form);
    assert_goes_to("/settings#sessions");
    get("/settings");
    assert_hides(session);
    post("/settings/sessions/end-all", "");
    assert_goes_to("/sign-in");
    get("/settings");
    assert_goes_to("/sign-in?next=%2Fsettings");
}

static void test_a_form_without_its_token_is_refused(void **state)
{
    (void)state;
    come_as(BOB);
    ask(HTTP_POST, "/settings/sessions/end-all", "csrf=nonsense");
    assert_status(403);
    ask(HTTP_POST, "/accounts/2/delete", "");
    assert_status(403);
}

static void test_how_an_account_is_kept_can_be_changed(void **state)
{
    (void)state;
    struct account account;
    come_as(BOB);
    get("/accounts/2");
    assert_status(200);
    assert_shows("mail.example:993, TLS, as bob");
    post("/accounts/2", "name=Post&prefetch=all&prefetchDays=7&pollSeconds=120");
    assert_goes_to("/accounts/2?saved=1");
    assert_good(account_by_id(mail_db, mail_arena, BOB, &account, &err));
    assert_true(str_equal(account.name, STR("Post")));
    assert_int_equal(account.prefetch, PREFETCH_ALL);
    assert_int_equal(account.prefetch_days, 7);
    assert_int_equal(account.poll_seconds, 120);
    get("/accounts/2");
    post("/accounts/2", "name=Post&pollSeconds=1");
    assert_status(400);
    assert_shows("must be a number from 30 to 86400");
}

static const char found[] =
    "{\"candidates\":[{\"source\":\"srv\",\"kind\":\"imap\",\"incoming\":{\"host\":"
    "\"imap.mail.example\",\"port\":993,\"tls\":\"implicit\",\"username\":\"eve@mail.example\"},"
    "\"smtp\":null}],\"recommended\":0}";
static const char refused[] =
    "{\"ok\":false,\"part\":\"incoming\",\"step\":\"sign-in\",\"kind\":\"auth\",\"message\":\"The "
    "server refused <this> password.\",\"hint\":\"Try an app password.\"}";
static const char accepted[] = "{\"ok\":true,\"capabilities\":\"IMAP4rev1\"}";

static void test_an_account_is_found_tried_and_only_then_saved(void **state)
{
    (void)state;
    struct account *accounts;
    size_t count;
    mail_script("INSERT INTO \"user\" (id, login) VALUES (20, 'eve');"
                "SELECT setval('account_id_seq', 100)");
    come_as(20);
    get("/accounts/new");
    post_and_answer("/accounts/new", "email=eve%40mail.example&password=wrong",
                    (struct answers){.at = {found, refused}, .count = 2});
    assert_status(422);
    assert_shows("The server refused &lt;this&gt; password.");
    assert_shows("Try an app password.");
    assert_shows("class=\"step is-bad\">Signing in");
    assert_shows("value=\"imap.mail.example\"");
    assert_hides("wrong");
    assert_good(account_list(mail_db, mail_arena, 20, &accounts, &count, &err));
    assert_int_equal(count, 0);
    post_and_answer("/accounts/new",
                    "email=eve%40mail.example&password=right&name=Eve&kind=imap&"
                    "host=imap.mail.example&tls=implicit&port=993&username=&smtpHost=",
                    (struct answers){.at = {accepted}, .count = 1});
    assert_status(303);
    assert_good(account_list(mail_db, mail_arena, 20, &accounts, &count, &err));
    assert_int_equal(count, 1);
    assert_true(str_equal(accounts[0].name, STR("Eve")));
    assert_true(str_equal(accounts[0].incoming.username, STR("eve@mail.example")));
    get("/accounts/new");
    post_and_answer("/accounts/new",
                    "email=eve%40mail.example&password=right&host=imap.mail.example",
                    (struct answers){.at = {accepted}, .count = 1});
    assert_status(422);
    assert_shows("You have this account here already.");
    get(arena_text(mail_arena, arena_printf(mail_arena, "/mail/%lld", (long long)accounts[0].id)));
    assert_status(200);
    assert_shows("Getting ready");
    assert_true(str_equal(header("Refresh"), STR("2")));
}

static const char found_both[] =
    "{\"candidates\":[{\"source\":\"srv\",\"kind\":\"imap\",\"incoming\":{\"host\":"
    "\"imap.mail.example\",\"port\":993,\"tls\":\"implicit\",\"username\":\"two@mail.example\"},"
    "\"smtp\":null},{\"source\":\"srv\",\"kind\":\"pop3\",\"incoming\":{\"host\":"
    "\"pop.mail.example\",\"port\":995,\"tls\":\"implicit\",\"username\":\"two@mail.example\"},"
    "\"smtp\":null}],\"recommended\":0}";
static const char away[] =
    "{\"ok\":false,\"part\":\"incoming\",\"step\":\"connect\",\"kind\":\"unreachable\","
    "\"message\":\"Nothing answers there.\",\"hint\":\"\"}";

/* The ids of the trials that the page carries. */
static struct str hidden(const char *name)
{
    struct str before = arena_printf(mail_arena, "name=\"%s\" value=\"", name);
    ptrdiff_t at = str_find(body(), before);
    assert_true(at >= 0);
    struct str rest = str_skip(body(), (size_t)at + before.length);
    return str_cut(&rest, '"');
}

static int64_t newest_account(struct account *account)
{
    struct account *accounts;
    size_t count;
    assert_good(account_list(mail_db, mail_arena, 20, &accounts, &count, &err));
    *account = accounts[count - 1];
    return (int64_t)count;
}

static void test_where_imap_and_pop3_both_work_the_person_chooses(void **state)
{
    (void)state;
    struct account account;
    come_as(20);
    int64_t before = newest_account(&account);
    get("/accounts/new");
    post_and_answer("/accounts/new", "email=two%40mail.example&password=right&name=Two",
                    (struct answers){.at = {found_both, accepted, accepted}, .count = 3});
    assert_status(200);
    assert_shows("<strong>IMAP4</strong> <span class=\"tag\">recommended</span>");
    assert_shows("name=\"kind\" value=\"imap\" checked");
    assert_shows("All your devices are kept in step");
    assert_shows("each message is removed from the server once it is stored here");
    assert_shows("name=\"pop3\" value=\"leave\"");
    assert_hides("right\"");
    assert_int_equal(newest_account(&account), before);
    struct str imap = hidden("imap"), pop3 = hidden("pop3Trial");
    post("/accounts/new/kind",
         arena_text(mail_arena,
                    arena_printf(mail_arena,
                                 "name=Two&email=two%%40mail.example&imap=%" STR_FMT
                                 "&pop3Trial=%" STR_FMT "&kind=pop3&pop3=remove-after&pop3Days=9",
                                 STR_ARG(imap), STR_ARG(pop3))));
    assert_status(303);
    assert_int_equal(newest_account(&account), before + 1);
    assert_int_equal(account.kind, ACCOUNT_POP3);
    assert_int_equal(account.pop3_policy, POP3_REMOVE_AFTER);
    assert_int_equal(account.pop3_days, 9);
    assert_true(account.pop3_may_remove);
    assert_true(str_equal(account.incoming.host, STR("pop.mail.example")));
    /* the same page once more: its trials are gone */
    get("/accounts/new");
    post("/accounts/new/kind",
         arena_text(mail_arena,
                    arena_printf(mail_arena, "imap=%" STR_FMT "&pop3Trial=%" STR_FMT "&kind=imap",
                                 STR_ARG(imap), STR_ARG(pop3))));
    assert_status(422);
    assert_shows("no longer known here");
}

static void test_where_only_pop3_works_the_person_chooses_what_becomes_of_mail(void **state)
{
    (void)state;
    struct account account;
    come_as(20);
    int64_t before = newest_account(&account);
    get("/accounts/new");
    post_and_answer("/accounts/new", "email=three%40mail.example&password=right",
                    (struct answers){.at = {found_both, away, accepted}, .count = 3});
    assert_status(200);
    assert_shows("IMAP did not work: Nothing answers there.");
    assert_hides("value=\"imap\"");
    assert_int_equal(newest_account(&account), before);
    /* a password that IMAP refused is not tried at another door */
    get("/accounts/new");
    post_and_answer("/accounts/new", "email=four%40mail.example&password=wrong",
                    (struct answers){.at = {found_both, refused}, .count = 2});
    assert_status(422);
    assert_shows("The server refused");
}

static void test_an_address_without_servers_is_set_up_by_hand(void **state)
{
    (void)state;
    come_as(20);
    get("/accounts/new");
    post_and_answer("/accounts/new", "email=a%40nowhere.example&password=x",
                    (struct answers){.at = {"{\"candidates\":[],\"recommended\":0}"}, .count = 1});
    assert_status(200);
    assert_shows("No servers were found for this address.");
    post("/accounts/new", "email=a%40nowhere.example&password=x&host=h&tls=none&port=70000");
    assert_status(422);
    assert_shows("A port is a number from 1 to 65535.");
}

static void test_a_picture_without_a_ticket_does_not_exist(void **state)
{
    (void)state;
    come_as(ALICE);
    get("/picture/AAAA/1");
    assert_status(404);
    get("/picture/"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AA"
        "AAAAAAAAAAAAAAAAAAAAAA/1");
    assert_status(404);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "parser")) /* this program is its own parser child */
        return parser_child_main(STDIN_FILENO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stranger_is_asked_to_sign_in_and_comes_back),
        cmocka_unit_test(test_home_is_the_inbox_or_the_first_account_to_add),
        cmocka_unit_test(test_a_mailbox_is_shown_page_by_page),
        cmocka_unit_test(test_a_folder_whose_first_messages_are_on_their_way_says_so),
        cmocka_unit_test(test_what_strangers_wrote_is_escaped),
        cmocka_unit_test(test_plain_text_is_shown_in_the_page_with_its_links),
        cmocka_unit_test(test_html_is_shown_in_a_frame_that_can_do_nothing),
        cmocka_unit_test(test_a_message_whose_text_is_not_here_is_asked_for_and_looked_at_again),
        cmocka_unit_test(test_another_persons_mail_does_not_exist),
        cmocka_unit_test(test_settings_end_sessions_and_make_tokens_that_are_shown_once),
        cmocka_unit_test(test_a_form_without_its_token_is_refused),
        cmocka_unit_test(test_how_an_account_is_kept_can_be_changed),
        cmocka_unit_test(test_an_account_is_found_tried_and_only_then_saved),
        cmocka_unit_test(test_where_imap_and_pop3_both_work_the_person_chooses),
        cmocka_unit_test(test_where_only_pop3_works_the_person_chooses_what_becomes_of_mail),
        cmocka_unit_test(test_an_address_without_servers_is_set_up_by_hand),
        cmocka_unit_test(test_a_picture_without_a_ticket_does_not_exist),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

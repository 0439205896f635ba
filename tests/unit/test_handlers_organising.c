/* Marking, moving, deleting and taking back on the pages, by plain forms. The mail server is never
 * there: what is seen is what was accepted. */
#include "server/store/actions.h"
#include "tests/unit/screens_fixture.h"

static int64_t archive, trash, junk, garden;

/* A text that lives as long as the tests. */
static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *format, ...)
{
    char made[5000];
    va_list args;
    va_start(args, format);
    vsnprintf(made, sizeof made, format, args);
    va_end(args);
    return arena_text(mail_arena, str_of(made));
}

/* A page of alice's mail. */
static const char *at(int64_t mailbox_id, const char *tail)
{
    return text("/mail/1/%lld%s", (long long)mailbox_id, tail);
}

static const char *message_path(int64_t email_id)
{
    return text("/mail/1/%lld/%lld", (long long)inbox, (long long)email_id);
}

static const char *field(const char *name)
{
    return text("%s", cut_after(text("name=\"%s\" value=\"", name)));
}

static int set_up_folders(void **state)
{
    if (set_up(state))
        return -1;
    archive = add_mailbox(ALICE, "Archive", ROLE_ARCHIVE, 0);
    trash = add_mailbox(ALICE, "Trash", ROLE_TRASH, 0);
    junk = add_mailbox(ALICE, "Junk", ROLE_JUNK, 0);
    garden = add_mailbox(ALICE, "Garden <b>", ROLE_NONE, 0);
    return 0;
}

/* Opens a fresh page of the inbox and sends its form. */
static void do_in_inbox(const char *fields)
{
    get(at(inbox, ""));
    post(at(inbox, "/act"), text("key=%s&%s", field("key"), fields));
}

static void act_on(int64_t email_id, const char *verb)
{
    do_in_inbox(text("email=%lld&do=%s", (long long)email_id, verb));
}

static void follow(void)
{
    assert_status(303);
    struct str target = header("Location");
    get(arena_text(mail_arena, str_cut(&target, '#'))); /* browsers keep the fragment */
    assert_status(200);
}

static void press_undo(void)
{
    post(at(inbox, "/undo"), text("operations=%s", field("operations")));
    follow();
}

/* Where a message is seen, and how. */
static bool is_in(int64_t mailbox_id, int64_t email_id, int *flags)
{
    struct placement *placements;
    size_t count;
    assert_good(placements_of(mail_db, mail_arena, ALICE, &email_id, 1, &placements, &count, &err));
    for (size_t i = 0; i < count; i++) {
        if (placements[i].mailbox_id != mailbox_id)
            continue;
        if (flags)
            *flags = placements[i].flags;
        return true;
    }
    return false;
}

static int flags_of(int64_t email_id)
{
    int flags = 0;
    assert_true(is_in(inbox, email_id, &flags));
    return flags;
}

static int64_t operation_count(void)
{
    return mail_number("SELECT count(*) FROM operation WHERE account_id = 1");
}

/* --- opening --------------------------------------------------------------------------------- */

static int64_t add_unread(uint32_t uid)
{
    struct replica_email email = make_email(uid, text("unread-%u@mail.example", uid), 50, 0);
    email.structure = structure_of("text/plain");
    return add_email(ALICE, inbox, email);
}

static void get_as_browser(const char *target, const char *site, const char *purpose)
{
    begin_request(HTTP_GET, str_of(target));
    request_add_header(&page.req, STR("Sec-Fetch-Site"), str_of(site));
    request_add_header(&page.req, STR("Sec-Fetch-Mode"), STR("navigate"));
    request_add_header(&page.req, STR("Sec-Fetch-Dest"), STR("document"));
    if (purpose)
        request_add_header(&page.req, STR("Sec-Purpose"), str_of(purpose));
    router_serve(router, &page.req, &page.res);
    assert_status(200);
}

static void test_opening_a_message_marks_it_read_unless_another_site_or_a_prefetch_did(void **state)
{
    (void)state;
    int64_t id = add_unread(2000);
    come_as(ALICE);
    get(at(inbox, ""));
    get_as_browser(message_path(id), "cross-site", NULL);
    assert_false(flags_of(id) & FLAG_SEEN);
    get_as_browser(message_path(id), "same-origin", "prefetch");
    assert_false(flags_of(id) & FLAG_SEEN);
    ask(HTTP_HEAD, message_path(id), NULL);
    assert_false(flags_of(id) & FLAG_SEEN);
    get_as_browser(message_path(id), "same-origin", NULL);
    assert_true(flags_of(id) & FLAG_SEEN);
    assert_hides("Close this notice");
}

static void test_a_message_marked_unread_leads_back_to_the_list_and_stays_unread(void **state)
{
    (void)state;
    long long id = add_unread(2001);
    come_as(ALICE);
    get(message_path(id));
    post(at(inbox, "/act"), text("email=%lld&open=%lld&do=unread", id, id));
    follow();
    assert_shows("1 message marked as unread.");
    assert_false(flags_of(id) & FLAG_SEEN);
}

/* --- acting ---------------------------------------------------------------------------------- */

static void test_a_star_of_a_row_is_set_and_taken_away_again(void **state)
{
    (void)state;
    long long id = emails[10];
    come_as(ALICE);
    do_in_inbox(text("do=star.%lld", id));
    assert_true(str_find(header("Location"), STR("#m")) > 0);
    follow();
    assert_shows("1 message starred.");
    assert_true(flags_of(id) & FLAG_FLAGGED);
    do_in_inbox(text("do=unstar.%lld", id));
    assert_false(flags_of(id) & FLAG_FLAGGED);
}

static void test_chosen_messages_move_and_are_taken_back(void **state)
{
    (void)state;
    come_as(ALICE);
    do_in_inbox(text("email=%lld&email=%lld&do=move&target=%lld", (long long)emails[20],
                     (long long)emails[21], (long long)garden));
    follow();
    assert_shows("2 messages moved to Garden &lt;b&gt;.");
    assert_true(is_in(garden, emails[20], NULL) && is_in(garden, emails[21], NULL));
    assert_false(is_in(inbox, emails[20], NULL));
    press_undo();
    assert_shows("Taken back.");
    assert_true(is_in(inbox, emails[20], NULL) && is_in(inbox, emails[21], NULL));
    assert_false(is_in(garden, emails[20], NULL));
}

static void test_each_button_moves_to_its_folder(void **state)
{
    (void)state;
    static const struct {
        const char *verb, *words;
        int64_t *target;
    } cases[] = {{"archive", "1 message archived.", &archive},
                 {"trash", "1 message moved to Trash.", &trash},
                 {"junk", "1 message moved to Junk.", &junk}};
    come_as(ALICE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int flags;
        act_on(emails[30 + i], cases[i].verb);
        follow();
        assert_shows(cases[i].words);
        assert_true(is_in(*cases[i].target, emails[30 + i], &flags));
        assert_int_equal(flags & FLAG_JUNK, cases[i].target == &junk ? FLAG_JUNK : 0);
        press_undo();
        assert_int_equal(flags_of(emails[30 + i]) & FLAG_JUNK, 0);
    }
}

static void test_a_copy_lies_in_both_folders(void **state)
{
    (void)state;
    come_as(ALICE);
    do_in_inbox(text("email=%lld&do=copy&target=%lld", (long long)emails[22], (long long)garden));
    follow();
    assert_shows("1 message copied to Garden");
    assert_true(is_in(garden, emails[22], NULL) && is_in(inbox, emails[22], NULL));
}

static void test_a_form_that_is_sent_twice_does_a_thing_once(void **state)
{
    (void)state;
    come_as(ALICE);
    get(at(inbox, ""));
    const char *form =
        text("csrf=%s&key=%s&do=star.%lld", field("csrf"), field("key"), (long long)emails[11]);
    ask(HTTP_POST, at(inbox, "/act"), form);
    const char *first = text("%.*s", STR_ARG(header("Location")));
    int64_t before = operation_count();
    ask(HTTP_POST, at(inbox, "/act"), form);
    assert_goes_to(first);
    assert_int_equal(operation_count(), before);
}

static void test_nothing_chosen_is_told(void **state)
{
    (void)state;
    come_as(ALICE);
    do_in_inbox("do=archive");
    follow();
    assert_shows("Choose one or more messages first.");
    do_in_inbox(text("email=%lld&do=move&target=", (long long)emails[1]));
    follow();
    assert_shows("Choose the folder");
    do_in_inbox("email=999999&do=archive");
    follow();
    assert_shows("That is no longer there.");
    do_in_inbox("email=1&do=explode");
    assert_status(400);
}

static void test_deleting_for_good_is_asked_about_and_cannot_be_taken_back(void **state)
{
    (void)state;
    come_as(ALICE);
    act_on(emails[40], "trash");
    get(at(trash, ""));
    assert_shows("Empty Trash");
    post(at(trash, "/act"), text("email=%lld&do=trash", (long long)emails[40]));
    assert_status(200);
    assert_shows("This cannot be undone.");
    assert_true(is_in(trash, emails[40], NULL));
    post(at(trash, "/act"),
         text("email=%s&do=destroy&sure=1&key=%s", field("email"), field("key")));
    follow();
    assert_shows("1 message deleted for good.");
    assert_hides("Undo");
    assert_false(is_in(trash, emails[40], NULL));
}

static void test_a_whole_folder_is_marked_and_emptied(void **state)
{
    (void)state;
    int64_t id = add_unread(2002);
    come_as(ALICE);
    do_in_inbox("do=read-all");
    follow();
    assert_true(flags_of(id) & FLAG_SEEN);
    assert_int_equal(counted(ALICE, inbox).unread, 0);
    do_in_inbox(text("email=%lld&do=trash", (long long)emails[41]));
    get(at(inbox, ""));
    post(at(trash, "/act"), "do=empty");
    assert_shows("Empty Trash?");
    post(at(trash, "/act"), "do=empty&sure=1");
    assert_status(303);
    assert_int_equal(counted(ALICE, trash).total, 0);
}

static void test_what_others_write_into_an_address_is_not_told(void **state)
{
    (void)state;
    come_as(ALICE);
    get(at(inbox, "?said=%3Cb%3E&done=x-%3Cscript%3E"));
    assert_status(200);
    assert_hides("Close this notice");
    get(at(inbox, "?done=99999"));
    assert_hides("Close this notice");
    get(at(inbox, ""));
    post(at(inbox, "/undo"), "operations=1-x");
    assert_status(400);
    post(at(inbox, "/undo"), "operations=99999");
    assert_status(303);
}

static void test_another_persons_messages_cannot_be_acted_on(void **state)
{
    (void)state;
    come_as(BOB);
    get("/settings");
    post(at(inbox, "/act"), text("do=star.%lld", (long long)emails[2]));
    assert_status(404);
    get("/settings");
    post(at(inbox, "/undo"), "operations=1");
    assert_status(404);
    assert_false(flags_of(emails[2]) & FLAG_FLAGGED);
}

/* The conversation that a message belongs to. */
static int64_t thread_of(int64_t email_id)
{
    struct email email;
    assert_good(email_by_id(mail_db, mail_arena, ALICE, email_id, &email, &err));
    return email.thread_id;
}

static void test_a_whole_conversation_is_put_away_and_comes_back(void **state)
{
    (void)state;
    struct replica_email answer = make_email(2003, "answer@mail.example", 60, FLAG_SEEN);
    answer.structure = structure_of("text/plain");
    answer.in_reply_to = STR("number-45@mail.example");
    answer.references = STR("number-45@mail.example");
    answer.subject = STR("Re: number-45@mail.example");
    int64_t id = add_email(ALICE, inbox, answer), thread = thread_of(emails[45]);
    mail_script("UPDATE email SET thread_id = (SELECT thread_id FROM email WHERE account_id = 1 AND"
                " message_id = 'number-45@mail.example')"
                " WHERE account_id = 1 AND message_id = 'answer@mail.example'");
    come_as(ALICE);
    get(text("/mail/1/thread/%lld", (long long)thread));
    assert_status(200);
    assert_shows("Archive all");
    post(at(inbox, "/act"), text("thread=%lld&do=archive&key=%s", (long long)thread, field("key")));
    follow();
    assert_shows("2 messages archived.");
    assert_true(is_in(archive, id, NULL) && is_in(archive, emails[45], NULL));
    press_undo();
    assert_true(is_in(inbox, id, NULL) && is_in(inbox, emails[45], NULL));
}

static void test_an_empty_folder_says_what_it_is_for(void **state)
{
    (void)state;
    come_as(ALICE);
    mail_script("UPDATE account SET sync_state = 'current', synced_at = now() WHERE id = 1");
    get(at(archive, ""));
    assert_shows("Nothing in Archive.");
    assert_shows("What you archive leaves the inbox and is kept here.");
}

/* --- news ------------------------------------------------------------------------------------ */

static void
test_changes_that_wait_are_told_quietly_and_refused_ones_until_they_are_read(void **state)
{
    (void)state;
    come_as(ALICE);
    mail_script("UPDATE operation SET state = 'cancelled' WHERE account_id = 1;"
                "UPDATE account SET sync_state = 'unreachable', sync_since = now() WHERE id = 1");
    do_in_inbox(text("do=star.%lld", (long long)emails[12]));
    follow();
    assert_shows("1 change waits for the mail server");
    assert_shows("All that is here can be read and changed meanwhile.");
    mail_script(
        "UPDATE operation SET state = 'failed', error = 'Over <quota>.', finished_at = now()"
        " WHERE account_id = 1 AND state = 'pending' AND kind = 'keywords'");
    get(at(inbox, ""));
    assert_hides("waits for the mail server");
    assert_shows("1 change was refused by the mail server.");
    get("/mail/1/refused");
    assert_status(200);
    assert_shows("1 message starred");
    assert_shows("Over &lt;quota&gt;.");
    post("/mail/1/refused", text("last=%s", field("last")));
    assert_goes_to("/mail/1");
    get(at(inbox, ""));
    assert_hides("was refused");
    mail_script("UPDATE account SET sync_state = 'current' WHERE id = 1");
}

/* --- folders --------------------------------------------------------------------------------- */

static void test_folders_are_asked_for_and_what_cannot_be_is_said(void **state)
{
    (void)state;
    come_as(ALICE);
    get("/accounts/1/folders");
    assert_status(200);
    assert_shows("Garden &lt;b&gt;");
    post("/accounts/1/folders", "name=Archive&parent=0");
    assert_status(409);
    assert_shows("There is a folder of that name already.");
    post("/accounts/1/folders", "name=&parent=0");
    assert_status(400);
    get(text("/accounts/1/folders/%lld", (long long)inbox));
    assert_status(200);
    assert_hides("Delete folder");
    const char *path = text("/accounts/1/folders/%lld", (long long)garden);
    get(path);
    assert_shows("Delete folder");
    post(path, "do=rename&parent=0&name=Archive");
    assert_status(409);
    post(path, "do=nonsense");
    assert_status(400);
    get("/accounts/2/folders");
    assert_status(404);
}

static void test_a_folder_of_an_account_whose_server_is_away_is_here_at_once(void **state)
{
    (void)state;
    come_as(ALICE);
    get("/accounts/1/folders");
    post("/accounts/1/folders", "name=Beds&parent=0");
    long long made = mail_number("SELECT max(id) FROM operation WHERE account_id = 1");
    const char *told = text("/accounts/1/folders?done=%lld", made);
    assert_goes_to(told);
    get(told);
    assert_shows("Folder made.");
    assert_shows(">Beds</span>");
    post("/accounts/1/folders", text("operations=%lld", made));
    assert_goes_to("/accounts/1/folders?said=undone");
    get("/accounts/1/folders?said=undone");
    assert_hides(">Beds</span>");
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "parser")) /* this program is its own parser child */
        return parser_child_main(STDIN_FILENO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_opening_a_message_marks_it_read_unless_another_site_or_a_prefetch_did),
        cmocka_unit_test(test_a_message_marked_unread_leads_back_to_the_list_and_stays_unread),
        cmocka_unit_test(test_a_star_of_a_row_is_set_and_taken_away_again),
        cmocka_unit_test(test_chosen_messages_move_and_are_taken_back),
        cmocka_unit_test(test_each_button_moves_to_its_folder),
        cmocka_unit_test(test_a_copy_lies_in_both_folders),
        cmocka_unit_test(test_a_form_that_is_sent_twice_does_a_thing_once),
        cmocka_unit_test(test_nothing_chosen_is_told),
        cmocka_unit_test(test_deleting_for_good_is_asked_about_and_cannot_be_taken_back),
        cmocka_unit_test(test_a_whole_folder_is_marked_and_emptied),
        cmocka_unit_test(test_a_whole_conversation_is_put_away_and_comes_back),
        cmocka_unit_test(test_an_empty_folder_says_what_it_is_for),
        cmocka_unit_test(test_what_others_write_into_an_address_is_not_told),
        cmocka_unit_test(test_another_persons_messages_cannot_be_acted_on),
        cmocka_unit_test(
            test_changes_that_wait_are_told_quietly_and_refused_ones_until_they_are_read),
        cmocka_unit_test(test_folders_are_asked_for_and_what_cannot_be_is_said),
        cmocka_unit_test(test_a_folder_of_an_account_whose_server_is_away_is_here_at_once),
    };
    return cmocka_run_group_tests(tests, set_up_folders, tear_down);
}

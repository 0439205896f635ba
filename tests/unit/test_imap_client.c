/* The client against scripts: tests/protocol/imap/ holds what the server says and expects, a file
 * each; here is what the client does meanwhile and what must come of it. */
#include "tests/unit/script_fixture.h"

#include "server/imap/client.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a client under test has seen and done. */
struct house {
    struct script *script;
    struct imap_client *client;
    struct arena *arena;
    struct secret secret;
    struct imap_params params;
    struct imap_handler handler;
    struct error err;
    struct buf events; /* what the handler and callbacks were told, as words */
    int stop_after;    /* fetch callback: false then; 0: never */
};

static void tell(struct house *house, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(&house->events, format, args);
    va_end(args);
}

static void on_exists(void *context, uint32_t count)
{
    tell(context, "exists %u;", count);
}

static void on_expunge(void *context, uint32_t seq)
{
    tell(context, "expunge %u;", seq);
}

static void on_vanished(void *context, struct imap_set *uids, bool is_earlier)
{
    struct house *house = context;
    tell(house, is_earlier ? "vanished earlier " : "vanished ");
    imap_set_write(uids, &house->events);
    tell(house, ";");
}

static void tell_fetch(struct house *house, const struct imap_fetch *fetch)
{
    tell(house, "seq %u uid %u flags %x", fetch->seq, fetch->uid, fetch->flags.system);
    for (size_t i = 0; i < fetch->section_count; i++)
        tell(house, " [%" STR_FMT "] %" STR_FMT "%s", STR_ARG(fetch->sections[i].name),
             STR_ARG(str_sub(fetch->sections[i].bytes, 0, 20)),
             fetch->sections[i].is_streamed ? "streamed" : "");
    tell(house, fetch->is_broken ? " broken;" : ";");
}

static void on_fetch(void *context, const struct imap_fetch *fetch)
{
    tell(context, "unasked ");
    tell_fetch(context, fetch);
}

static void on_status(void *context, const struct imap_status *status)
{
    tell(context, "status %" STR_FMT " %u;", STR_ARG(status->wire_path), status->messages);
}

static void on_alert(void *context, struct str text)
{
    tell(context, "alert %" STR_FMT ";", STR_ARG(text));
}

static bool each(void *context, const struct imap_fetch *fetch)
{
    struct house *house = context;
    tell_fetch(house, fetch);
    return !house->stop_after || --house->stop_after;
}

static void begin(struct house *house, const char *name)
{
    char path[256];
    static char text[65536];
    snprintf(path, sizeof path, "tests/protocol/imap/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there: run this from the project's folder", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    house->script = script_start(text);
    house->arena = arena_new();
    house->events = BUF_INIT(1 << 20);
    house->err = ERROR_INIT;
    if (!house->secret.bytes)
        house->secret = secret_new(STR("sesame"));
    house->handler = (struct imap_handler){.context = house,
                                           .exists = on_exists,
                                           .expunge = on_expunge,
                                           .vanished = on_vanished,
                                           .fetch = on_fetch,
                                           .status = on_status,
                                           .alert = on_alert};
    struct imap_params *params = &house->params;
    params->secret = &house->secret;
    params->handler = &house->handler;
    params->stream.security = STREAM_PLAIN;
    if (!params->username.length)
        params->username = STR("ada");
    if (!params->stream.host.length)
        params->stream.host = STR("imap.example.org");
    struct stream *stream = stream_adopt(house->script->client_fd, &params->stream, NULL);
    assert_non_null(stream);
    house->client = imap_attach(stream, params, &house->err);
}

/* Begins, and the session must come to be. */
static void sign_in(struct house *house, const char *name)
{
    begin(house, name);
    if (!house->client)
        fail_msg("%s: %s %s", name, error_kind_name(house->err.kind), house->err.message);
}

static void end(struct house *house)
{
    imap_free(&house->client);
    script_finish(&house->script);
    arena_free(&house->arena);
    secret_free(&house->secret);
    buf_free(&house->events);
}

static void assert_events(struct house *house, const char *wanted)
{
    assert_string_equal(house->events.at ? house->events.at : "", wanted);
    buf_reset(&house->events);
}

#define must(house, call)                                                    \
    do {                                                                     \
        if (!(call))                                                         \
            fail_msg("%s: %s %s", #call, error_kind_name((house)->err.kind), \
                     (house)->err.message);                                  \
    } while (0)

#define must_fail(house, kind_wanted, call)                                  \
    do {                                                                     \
        (house)->err = ERROR_INIT;                                           \
        assert_false(call);                                                  \
        if ((house)->err.kind != (kind_wanted))                              \
            fail_msg("%s: %s %s", #call, error_kind_name((house)->err.kind), \
                     (house)->err.message);                                  \
    } while (0)

static struct imap_set set_of(struct house *house, const char *text)
{
    struct imap_set set;
    assert_true(imap_set_parse(str_of(text), house->arena, &set));
    return set;
}

static bool select_mailbox(struct house *house, const char *name, struct imap_selected *selected)
{
    struct imap_select_params params = {.wire_path = str_of(name)};
    return imap_select(house->client, &params, selected, &house->err);
}

static bool fetch(struct house *house, const char *uids, unsigned items)
{
    struct imap_set set = set_of(house, uids);
    struct imap_fetch_params params = {.uids = &set, .items = items};
    return imap_fetch(house->client, &params, each, house, &house->err);
}

/* --- signing in ------------------------------------------------------------------------------- */

static void test_plain_with_an_initial_response(void **state)
{
    (void)state;
    struct house house = {.params.mechanism = SASL_PLAIN};
    sign_in(&house, "sign_in_plain");
    assert_true(imap_has_qresync(house.client));
    assert_true(imap_has(house.client, IMAP_CAP_UIDPLUS));
    assert_true(str_equal(imap_server_id(house.client, "name"), STR("Testovecot")));
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

/* --- quirks, by their numbers in ref/sync.md -----------------------------------------------------
 */

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

static ptrdiff_t give_dots(void *context, char *at, size_t length)
{
    (void)context;
    memset(at, '.', length);
    return (ptrdiff_t)length;
}

static bool append(struct house *house, const char *path, uint64_t size, unsigned flags,
                   struct imap_appended *appended)
{
    struct imap_append_params params = {
        .wire_path = str_of(path), .flags = flags, .size = size, .source = give_dots};
    return imap_append(house->client, &params, appended, &house->err);
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
    assert_true(imap_has_utf8(house.client));
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

/* --- hostile servers (ref/security.md 30-33) ---------------------------------------------------
 */

static bool fetch_section(struct house *house, const char *section)
{
    struct imap_set one = set_of(house, "1");
    struct imap_fetch_params params = {
        .uids = &one, .sections = {{.name = str_of(section)}}, .section_count = 1};
    return imap_fetch(house->client, &params, each, house, &house->err);
}

static void test_a_literal_that_is_only_announced_costs_nothing(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "hostile_literal");
    must_fail(&house, ERROR_LIMIT, fetch_section(&house, ""));
    assert_false(imap_is_alive(house.client));
    must_fail(&house, ERROR_LIMIT, imap_noop(house.client, &house.err)); /* the first cause */
    end(&house);
}

static void test_a_literal_that_does_not_come_times_out(void **state)
{
    (void)state;
    struct house house = {.params.stream.stall_ms = 50};
    sign_in(&house, "hostile_stall");
    must_fail(&house, ERROR_TIMEOUT, fetch_section(&house, ""));
    assert_false(imap_is_alive(house.client));
    end(&house);
}

static void test_a_literal_too_large_to_hold_is_cut(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "cut_literal");
    must(&house, fetch_section(&house, "HEADER"));
    assert_events(&house, "seq 1 uid 1 flags 0 [HEADER] abcdefghijklmnopqrst;");
    must(&house, imap_noop(house.client, &house.err));
    end(&house);
}

static void test_a_renumbered_mailbox_ends_the_session(void **state)
{
    (void)state;
    struct house house = {0};
    sign_in(&house, "hostile_uidvalidity");
    must(&house, select_mailbox(&house, "A", NULL));
    must_fail(&house, ERROR_PROTOCOL, imap_noop(house.client, &house.err));
    assert_int_equal(house.err.retry, ERROR_RETRY_NOW);
    assert_false(imap_is_alive(house.client));
    end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_with_an_initial_response),
        cmocka_unit_test(test_plain_in_steps),
        cmocka_unit_test(test_login_quotes_names_and_passwords),
        cmocka_unit_test(test_a_refusal_to_sign_in_is_about_the_password),
        cmocka_unit_test(test_no_credentials_where_nothing_fits),
        cmocka_unit_test(test_too_many_connections_are_not_a_wrong_password),
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
        cmocka_unit_test(test_a_literal_that_is_only_announced_costs_nothing),
        cmocka_unit_test(test_a_literal_that_does_not_come_times_out),
        cmocka_unit_test(test_a_literal_too_large_to_hold_is_cut),
        cmocka_unit_test(test_a_renumbered_mailbox_ends_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

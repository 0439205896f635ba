/* The client against a real Dovecot, over TLS: with all that it offers, and with what it offers
 * taken away piece by piece. The server is tests/mailserver's, on free ports, in a temporary
 * folder. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/imap/client.h"

static struct {
    pid_t pid;
    int imap_port, imaps_port;
    char ca_file[512];
} dovecot;

static struct tls_context *context;
static struct egress *egress;

/* The text behind `"name": ` in the server's description of itself. */
static const char *find_value(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(json, key);
    assert_non_null(at);
    return at + strlen(key);
}

static void start_dovecot(void)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    dovecot.pid = fork();
    if (dovecot.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        execlp("python3", "python3", "tests/mailserver/mailserver.py", "run", "--plaintext",
               "--user", "ada@example.org:sesame", NULL);
        _exit(127);
    }
    close(out[1]);
    static char json[16384];
    size_t length = 0;
    ssize_t n;
    while (!strstr(json, "\n}\n") && length < sizeof json - 1 &&
           (n = read(out[0], json + length, sizeof json - 1 - length)) > 0)
        length += (size_t)n;
    close(out[0]);
    if (!strstr(json, "\n}\n"))
        fail_msg("the mail server did not start");
    dovecot.imap_port = atoi(find_value(json, "imap"));
    dovecot.imaps_port = atoi(find_value(json, "imaps"));
    sscanf(find_value(json, "ca_file"), "\"%511[^\"]", dovecot.ca_file);
}

static int set_up(void **state)
{
    (void)state;
    if (access("/usr/sbin/dovecot", X_OK) || access("tests/mailserver/mailserver.py", R_OK)) {
        print_message("Dovecot is not installed: skipped\n");
        return 0;
    }
    start_dovecot();
    char ports[32];
    snprintf(ports, sizeof ports, "%d %d", dovecot.imap_port, dovecot.imaps_port);
    egress = egress_new(STR("127.0.0.0/8 ::1"), str_of(ports), NULL);
    context = tls_context_new(dovecot.ca_file, NULL);
    return !context;
}

static int tear_down(void **state)
{
    (void)state;
    if (dovecot.pid) {
        kill(dovecot.pid, SIGTERM);
        waitpid(dovecot.pid, NULL, 0);
    }
    tls_context_free(&context);
    egress_free(&egress);
    return 0;
}

/* --- a session -------------------------------------------------------------------------------- */

struct house {
    struct imap_client *client;
    struct arena *arena;
    struct secret secret;
    struct error err;
    size_t fetched, streamed_bytes;
    uint32_t last_uid;
    unsigned last_flags;
    struct imap_set vanished;
    unsigned changed, expunged;
};

#define must(house, call)                                                    \
    do {                                                                     \
        if (!(call))                                                         \
            fail_msg("%s: %s %s", #call, error_kind_name((house)->err.kind), \
                     (house)->err.message);                                  \
    } while (0)

static void on_vanished(void *target, struct imap_set *uids, bool is_earlier)
{
    (void)is_earlier;
    imap_set_add_set(&((struct house *)target)->vanished, uids);
}

static void on_expunge(void *target, uint32_t seq)
{
    (void)seq;
    ((struct house *)target)->expunged++;
}

static void on_fetch(void *target, const struct imap_fetch *fetch)
{
    (void)fetch;
    ((struct house *)target)->changed++;
}

static bool each(void *target, const struct imap_fetch *fetch)
{
    struct house *house = target;
    assert_false(fetch->is_broken);
    house->fetched++;
    house->last_uid = fetch->uid;
    house->last_flags = fetch->flags.system;
    if (fetch->has & IMAP_ITEM_ENVELOPE)
        assert_true(str_equal(fetch->envelope.subject, STR("hi")));
    if (fetch->has & IMAP_ITEM_BODYSTRUCTURE) {
        assert_true(fetch->body->is_multipart);
        assert_true(str_equal_nocase(fetch->body->first_child->next->subtype, STR("html")));
    }
    return true;
}

static bool sink_begin(void *target, const struct imap_fetch *fetch,
                       const struct imap_section *section)
{
    (void)target;
    return fetch->uid && section->size;
}

static bool sink_write(void *target, struct str bytes)
{
    ((struct house *)target)->streamed_bytes += bytes.length;
    return true;
}

static bool sink_end(void *target)
{
    (void)target;
    return true;
}

static const char message[] = "From: Ada <ada@example.org>\r\nTo: bob@example.org\r\n"
                              "Subject: hi\r\nMessage-ID: <m1@example.org>\r\n"
                              "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                              "\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: text/html\r\n\r\n"
                              "<b>x</b>\r\n--b--\r\n";

static ptrdiff_t give_message(void *target, char *at, size_t length)
{
    size_t *offset = target, left = sizeof message - 1 - *offset;
    if (length > left)
        length = left;
    memcpy(at, message + *offset, length);
    *offset += length;
    return (ptrdiff_t)length;
}

static void open_house(struct house *house, const struct imap_params *wanted)
{
    struct imap_params params = *wanted;
    struct imap_handler handler = {
        .context = house, .vanished = on_vanished, .expunge = on_expunge, .fetch = on_fetch};
    *house = (struct house){.arena = arena_new(), .secret = secret_new(STR("sesame"))};
    params.stream.host = STR("localhost");
    params.stream.egress = egress;
    params.stream.tls = context;
    params.username = STR("ada@example.org");
    params.secret = &house->secret;
    params.handler = &handler;
    house->client = imap_connect(&params, &house->err);
    must(house, house->client);
}

static void close_house(struct house *house)
{
    imap_logout(&house->client);
    arena_free(&house->arena);
    secret_free(&house->secret);
    imap_set_free(&house->vanished);
}

static struct imap_append_params new_message(size_t *offset)
{
    *offset = 0;
    return (struct imap_append_params){.wire_path = STR("INBOX"),
                                       .flags = IMAP_SEEN,
                                       .size = sizeof message - 1,
                                       .source = give_message,
                                       .source_context = offset};
}

/* --- what must work with whatever is offered -------------------------------------------------- */

static void list_and_change_folders(struct house *house, const char *folder)
{
    struct imap_mailboxes list;
    struct str wire;
    must(house, imap_mailbox_wire(house->client, house->arena, str_of(folder), &wire, &house->err));
    must(house, imap_create(house->client, wire, 0, &house->err));
    must(house, imap_create(house->client, wire, 0, &house->err));
    must(house, imap_subscribe(house->client, wire, true, &house->err));
    must(house, imap_list(house->client, house->arena, true, &list, &house->err));
    bool is_found = false, has_inbox = false;
    for (size_t i = 0; i < list.count; i++) {
        is_found = is_found || (str_equal(list.at[i].path, str_of(folder)) &&
                                list.at[i].attributes & IMAP_SUBSCRIBED && list.at[i].has_status &&
                                list.at[i].status.uidvalidity);
        has_inbox = has_inbox || list.at[i].attributes & IMAP_USE_INBOX;
    }
    assert_true(is_found && has_inbox);
}

static void store_move_and_find(struct house *house, uint32_t uid, const char *folder)
{
    struct str wire = imap_mailbox_encode(house->arena, str_of(folder), false);
    struct imap_set one = {0};
    struct imap_copied copied;
    struct imap_found found;
    bool is_left = false;
    imap_set_add(&one, uid);
    struct imap_store_params store = {.uids = &one, .flags = IMAP_FLAGGED};
    must(house, imap_store(house->client, &store, NULL, NULL, &house->err));
    must(house, imap_copy(house->client, house->arena, &one, wire, &copied, &house->err));
    must(house, imap_move(house->client, house->arena, &one, wire, &copied, &is_left, &house->err));
    assert_int_equal(is_left, !imap_has(house->client, IMAP_CAP_UIDPLUS));
    if (imap_has(house->client, IMAP_CAP_UIDPLUS))
        assert_int_equal(copied.count, 1);
    struct imap_select_params select = {.wire_path = wire};
    must(house, imap_select(house->client, &select, NULL, &house->err));
    assert_int_equal(imap_selected(house->client)->exists, 2);
    must(house, imap_search_message_id(house->client, house->arena, STR("<m1@example.org>"), 2,
                                       &found, &house->err));
    assert_int_equal(found.count, 1);
    house->fetched = 0;
    struct imap_fetch_params fetch = {.uids = &found.all, .items = IMAP_ITEM_FLAGS};
    must(house, imap_fetch(house->client, &fetch, each, house, &house->err));
    assert_int_equal(house->fetched, 1);
    assert_true(house->last_flags & IMAP_FLAGGED);
    imap_set_free(&one);
}

static void live(const struct imap_params *params, const char *folder)
{
    struct house house;
    struct imap_selected before;
    size_t offset;
    if (!dovecot.pid)
        skip();
    open_house(&house, params);
    list_and_change_folders(&house, folder);
    struct imap_append_params append = new_message(&offset);
    struct imap_appended appended;
    must(&house, imap_append(house.client, &append, &appended, &house.err));
    append = new_message(&offset);
    must(&house, imap_append(house.client, &append, &appended, &house.err));
    struct imap_select_params select = {.wire_path = STR("INBOX")};
    must(&house, imap_select(house.client, &select, &before, &house.err));
    assert_true(before.exists >= 2 && before.uidvalidity && before.uidnext);
    struct imap_set all = {0};
    imap_set_add_range(&all, 1, UINT32_MAX);
    struct imap_sink sink = {&house, 100, sink_begin, sink_write, sink_end};
    struct imap_fetch_params fetch = {
        .uids = &all,
        .items = IMAP_ITEM_FLAGS | IMAP_ITEM_SIZE | IMAP_ITEM_ENVELOPE | IMAP_ITEM_BODYSTRUCTURE |
                 IMAP_ITEM_INTERNALDATE | IMAP_ITEM_MODSEQ | IMAP_ITEM_EMAILID | IMAP_ITEM_PREVIEW |
                 IMAP_ITEM_SAVEDATE,
        .sections = {{.name = STR_EMPTY}, {.name = STR("1"), .is_binary = true}},
        .section_count = 2,
        .sink = &sink};
    must(&house, imap_fetch(house.client, &fetch, each, &house, &house.err));
    assert_int_equal(house.fetched, before.exists);
    assert_int_equal(house.streamed_bytes, before.exists * (sizeof message - 1));
    store_move_and_find(&house, house.last_uid, folder);
    /* Back: what happened meanwhile is told at once where QRESYNC is on. */
    imap_set_free(&house.vanished);
    struct imap_select_params resync = {.wire_path = STR("INBOX"),
                                        .uidvalidity = before.uidvalidity,
                                        .modseq = before.highestmodseq,
                                        .known = &all};
    must(&house, imap_select(house.client, &resync, NULL, &house.err));
    if (imap_has_qresync(house.client))
        assert_true(imap_set_has(&house.vanished, house.last_uid) ||
                    !imap_set_is_empty(&house.vanished));
    if (imap_has(house.client, IMAP_CAP_IDLE)) {
        must(&house, imap_idle_start(house.client, &house.err));
        assert_true(imap_idle_step(house.client, 0, &house.err) >= 0);
        if (imap_can_park(house.client))
            imap_park(house.client);
    }
    must(&house, imap_noop(house.client, &house.err)); /* ends IDLE by itself */
    must(&house, imap_unselect(house.client, &house.err));
    struct str wire = imap_mailbox_encode(house.arena, str_of(folder), false);
    must(&house, imap_rename(house.client, wire, STR("renamed"), &house.err));
    must(&house, imap_delete(house.client, STR("renamed"), &house.err));
    imap_set_free(&all);
    close_house(&house);
}

#define WITHOUT(capability) (UINT64_C(1) << (IMAP_CAP_##capability))

static struct imap_params over(enum stream_security security)
{
    return (struct imap_params){
        .stream = {.port = security == STREAM_TLS_IMPLICIT ? dovecot.imaps_port : dovecot.imap_port,
                   .security = security}};
}

static void test_all_that_dovecot_offers_over_implicit_tls(void **state)
{
    (void)state;
    struct imap_params params = over(STREAM_TLS_IMPLICIT);
    live(&params, "Entw\xc3\xbcrfe & mehr");
}

static void test_starttls_without_qresync(void **state)
{
    (void)state;
    struct imap_params params = over(STREAM_TLS_STARTTLS);
    params.without = WITHOUT(QRESYNC);
    live(&params, "one");
}

static void test_a_server_of_the_nineties(void **state)
{
    (void)state;
    struct imap_params params = over(STREAM_PLAIN);
    params.without = WITHOUT(QRESYNC) | WITHOUT(CONDSTORE) | WITHOUT(MOVE) | WITHOUT(UIDPLUS) |
                     WITHOUT(ESEARCH) | WITHOUT(LITERAL_PLUS) | WITHOUT(LIST_EXTENDED) |
                     WITHOUT(LIST_STATUS) | WITHOUT(SASL_IR) | WITHOUT(ID) | WITHOUT(IDLE) |
                     WITHOUT(UNSELECT) | WITHOUT(BINARY) | WITHOUT(PREVIEW);
    live(&params, "two");
}

static void test_compression_where_it_is_offered(void **state)
{
    (void)state;
    struct imap_params params = over(STREAM_TLS_IMPLICIT);
    params.use_deflate = true;
    live(&params, "three");
}

static void test_a_wrong_password_is_refused(void **state)
{
    (void)state;
    if (!dovecot.pid)
        skip();
    struct imap_params params = over(STREAM_TLS_IMPLICIT);
    struct house house;
    open_house(&house, &params);
    close_house(&house);
    struct secret wrong = secret_new(STR("wrong"));
    struct error err = ERROR_INIT;
    params.stream.host = STR("localhost");
    params.stream.egress = egress;
    params.stream.tls = context;
    params.username = STR("ada@example.org");
    params.secret = &wrong;
    assert_null(imap_connect(&params, &err));
    assert_int_equal(err.kind, ERROR_AUTH);
    secret_free(&wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_dovecot_offers_over_implicit_tls),
        cmocka_unit_test(test_starttls_without_qresync),
        cmocka_unit_test(test_a_server_of_the_nineties),
        cmocka_unit_test(test_compression_where_it_is_offered),
        cmocka_unit_test(test_a_wrong_password_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

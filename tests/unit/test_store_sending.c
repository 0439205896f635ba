/* Drafts, messages on their way, senders and contacts, as both roles see them. */
#include "server/store/changes_private.h"
#include "server/store/contacts.h"
#include "server/store/emails.h"
#include "server/store/identities.h"
#include "server/store/operations.h"
#include "server/store/submissions.h"
#include "tests/unit/store_people.h"

struct bench {
    struct store *web, *sync;
    struct db *db, *work; /* of the person, of the sync role */
    struct arena *arena;
    int64_t user_id, account_id;
};

static const struct draft_face face = {.from_json = STR("[]"),
                                       .to_json = STR("[{\"name\":null,\"email\":\"b@c\"}]"),
                                       .preview = STR("hello"),
                                       .structure =
                                           STR("{\"partId\":\"1\",\"type\":\"text/plain\"}")};

static int open_bench(void **state)
{
    struct error err = ERROR_INIT;
    struct bench *b = calloc(1, sizeof *b);
    b->web = fixture_store(STORE_WEB, 2);
    b->sync = fixture_store(STORE_SYNC, 2);
    b->arena = arena_new();
    b->user_id = person_new(b->web);
    b->account_id = account_new_of_kind(b->web, b->user_id, "ada", ACCOUNT_POP3);
    b->db = store_acquire(b->web, b->user_id, &err);
    b->work = store_acquire(b->sync, 0, &err);
    assert_true(b->db && b->work);
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;
    store_release(b->web, &b->db);
    store_release(b->sync, &b->work);
    store_close(&b->web);
    store_close(&b->sync);
    arena_free(&b->arena);
    free(b);
    return 0;
}

static struct draft new_draft(const struct bench *b, const char *text)
{
    struct error err = ERROR_INIT;
    struct draft draft = {.account_id = b->account_id,
                          .to = STR("b@c"),
                          .subject = STR("hi"),
                          .text = str_of(text),
                          .changed_at = 1795500000000000};
    assert_good(draft_put(b->db, &draft, &face, 0, &err));
    return draft;
}

static int drafts_shown(const struct bench *b)
{
    struct error err = ERROR_INIT;
    struct mailbox mailbox;
    struct email *emails;
    size_t count;
    bool has_more;
    assert_good(mailbox_by_role(b->db, b->arena, b->account_id, ROLE_DRAFTS, &mailbox, &err));
    assert_good(emails_page(b->db, b->arena, b->account_id, mailbox.id, (struct email_cursor){0},
                            false, 50, &emails, &count, &has_more, &err));
    assert_int_equal(mailbox.total, count);
    return mailbox.total;
}

/* A message with five bytes, accepted. */
static struct submission accept(const struct bench *b, int64_t draft_id, const char *key)
{
    struct error err = ERROR_INIT;
    struct submission s = {.account_id = b->account_id,
                           .draft_id = draft_id,
                           .message_id = STR("1@x"),
                           .mail_from = STR("ada@example.org"),
                           .recipients = STR("[{\"email\":\"b@c\",\"state\":\"waiting\"}]"),
                           .subject = STR("hi"),
                           .to = STR("b@c"),
                           .send_at = 1};
    assert_good(account_next_ids(b->db, b->account_id, 2, &s.id, &err));
    s.blob_id = s.id + 1;
    assert_good(db_begin(b->db, &err));
    struct blob_writer *writer = blob_begin(b->db, b->account_id, s.blob_id, 0, STR_EMPTY, &err);
    assert_good(writer && blob_append(writer, STR("bytes"), &err) &&
                blob_finish(&writer, NULL, &err));
    assert_good(submission_create(b->db, &s, str_of(key), &err));
    assert_good(db_commit(b->db, &err));
    return s;
}

static void test_a_draft_is_saved_over_the_revision_it_began_with(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "one"), read;
    assert_int_equal(drafts_shown(b), 1);
    draft.text = STR("two");
    assert_good(draft_put(b->db, &draft, &face, 1, &err));
    assert_int_equal(draft.revision, 2);
    assert_kind(draft_put(b->db, &draft, &face, 1, &err), ERROR_CONFLICT);
    assert_good(draft_by_id(b->db, b->arena, b->account_id, draft.email_id, &read, &err));
    assert_true(str_equal(read.text, STR("two")));
    struct blob text;
    assert_good(
        blob_of_email(b->db, b->arena, b->account_id, draft.email_id, STR("1"), &text, &err));
    assert_int_equal(text.size_bytes, 3);
    assert_good(draft_delete(b->db, b->account_id, draft.email_id, &err));
    assert_int_equal(drafts_shown(b), 0);
    assert_kind(draft_delete(b->db, b->account_id, draft.email_id, &err), ERROR_NOT_FOUND);
}

static void test_a_folder_for_drafts_is_made_where_there_is_none(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    b->account_id = account_new(b->web, b->user_id, "imap-person");
    new_draft(b, "one");
    new_draft(b, "two");
    assert_int_equal(drafts_shown(b), 2);
    struct mailbox mailbox;
    assert_good(mailbox_by_role(b->db, b->arena, b->account_id, ROLE_DRAFTS, &mailbox, &err));
    assert_true(mailbox.is_local);
}

static void test_another_persons_draft_is_not_there(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "mine"), read;
    struct db *other = store_acquire(b->web, person_new(b->web), &err);
    assert_kind(draft_by_id(other, b->arena, b->account_id, draft.email_id, &read, &err),
                ERROR_NOT_FOUND);
    draft.text = STR("theirs");
    if (draft_put(other, &draft, &face, 0, &err))
        fail_msg("somebody wrote over it");
    store_release(b->web, &other);
}

static void test_attachments_keep_their_order(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "with");
    struct submission bytes = accept(b, 0, "");
    struct draft_attachment one = {.blob_id = bytes.blob_id, .name = STR("a")},
                            two = {.blob_id = bytes.blob_id, .name = STR("b")}, *read;
    size_t count;
    assert_good(draft_attach(b->db, b->account_id, draft.email_id, &one, &err));
    assert_good(draft_attach(b->db, b->account_id, draft.email_id, &two, &err));
    assert_good(draft_detach(b->db, b->account_id, draft.email_id, one.n, &err));
    assert_good(
        draft_attachments(b->db, b->arena, b->account_id, draft.email_id, &read, &count, &err));
    assert_int_equal(count, 1);
    assert_true(str_equal(read[0].name, STR("b")));
    assert_int_equal(read[0].size_bytes, 5);
    one.blob_id = 999999;
    assert_false(draft_attach(b->db, b->account_id, draft.email_id, &one, &err));
}

static void test_a_sent_draft_is_gone_once_the_server_has_it(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "go");
    struct submission again = accept(b, draft.email_id, "");
    assert_int_equal(drafts_shown(b), 0); /* in the outbox now */
    assert_kind(submission_create(b->db, &again, STR_EMPTY, &err), ERROR_CONFLICT);
    assert_kind(draft_put(b->db, &draft, &face, 0, &err), ERROR_CONFLICT);
    assert_kind(draft_delete(b->db, b->account_id, draft.email_id, &err), ERROR_CONFLICT);
    struct submission s;
    assert_good(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_QUEUED, false, &s, &err));
    struct submission_turn turn = {.phase = SUBMISSION_TRANSMITTING, .is_attempt = true};
    assert_good(submission_turn(b->work, &s, &turn, &err));
    assert_kind(submission_cancel(b->db, b->account_id, s.id, NULL, &err), ERROR_CONFLICT);
    turn = (struct submission_turn){.phase = SUBMISSION_ACCEPTED};
    assert_good(submission_turn(b->work, &s, &turn, &err));
    struct draft read;
    assert_kind(draft_by_id(b->db, b->arena, b->account_id, draft.email_id, &read, &err),
                ERROR_NOT_FOUND);
    assert_good(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_ACCEPTED, false, &s, &err));
    turn.phase = SUBMISSION_FILED;
    assert_good(submission_turn(b->work, &s, &turn, &err));
    assert_good(submission_by_id(b->db, b->arena, b->account_id, s.id, &s, &err));
    assert_true(s.ended_at > 0);
    assert_int_equal(s.attempts, 1);
}

static void test_a_cancelled_message_is_a_draft_again(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "oops");
    struct submission s = accept(b, draft.email_id, ""), found;
    int64_t draft_id;
    assert_good(submission_cancel(b->db, b->account_id, s.id, &draft_id, &err));
    assert_int_equal(draft_id, draft.email_id);
    assert_int_equal(drafts_shown(b), 1);
    assert_kind(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_QUEUED, false, &found, &err),
        ERROR_NOT_FOUND);
    /* who had read it before finds out at the turn */
    s.phase = SUBMISSION_QUEUED;
    struct submission_turn turn = {.phase = SUBMISSION_TRANSMITTING};
    assert_kind(submission_turn(b->work, &s, &turn, &err), ERROR_CONFLICT);
}

static void test_a_crash_after_the_final_dot_is_told_and_not_repeated(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "crash");
    struct submission s = accept(b, draft.email_id, "");
    struct submission_turn turn = {.phase = SUBMISSION_TRANSMITTING};
    size_t count;
    assert_good(submission_turn(b->work, &s, &turn, &err));
    assert_good(
        submissions_recover(b->work, b->account_id, STR("May have been sent."), &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(drafts_shown(b), 1);
    assert_kind(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_QUEUED, false, &s, &err),
        ERROR_NOT_FOUND);
    assert_good(submission_by_id(b->db, b->arena, b->account_id, s.id, &s, &err));
    assert_int_equal(s.phase, SUBMISSION_UNKNOWN);
    assert_true(str_equal(s.error, STR("May have been sent.")));
}

static void test_a_key_finds_the_message_it_came_with(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct submission s = accept(b, 0, "key");
    int64_t id;
    assert_good(submission_known(b->db, b->account_id, STR("key"), &id, &err));
    assert_int_equal(id, s.id);
    assert_good(submission_known(b->db, b->account_id, STR("other"), &id, &err));
    assert_int_equal(id, 0);
}

static void test_refused_recipients_stay_in_the_draft(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct draft draft = new_draft(b, "some"), read;
    struct submission s = accept(b, draft.email_id, "");
    struct submission_turn turn = {.phase = SUBMISSION_ACCEPTED, .left_to = STR("x@y")};
    assert_good(submission_turn(b->work, &s, &turn, &err));
    assert_int_equal(drafts_shown(b), 1);
    assert_good(draft_by_id(b->db, b->arena, b->account_id, draft.email_id, &read, &err));
    assert_true(str_equal(read.to, STR("x@y")));
}

static void test_what_waits_is_due_when_its_time_comes(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    int64_t at;
    assert_good(submission_next_due(b->work, b->account_id, SUBMISSION_QUEUED, &at, &err));
    assert_int_equal(at, 0);
    accept(b, 0, "");
    int64_t later = 4102444800000000;
    assert_good(submissions_wait(b->work, b->account_id, later, STR("down"), true, &err));
    assert_good(submission_next_due(b->work, b->account_id, SUBMISSION_QUEUED, &at, &err));
    assert_int_equal(at, later);
}

static void test_what_waits_for_the_server_goes_in_order_once_it_is_there(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    int64_t later = 4102444800000000;
    struct submission first = accept(b, 0, ""), second = accept(b, 0, ""), next;
    assert_good(submissions_wait(b->work, b->account_id, later, STR("down"), true, &err));
    struct submission third = accept(b, 0, "");
    assert_good(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_QUEUED, false, &next, &err));
    assert_int_equal(next.id, third.id); /* what makes us look whether it is there */
    struct submission_turn refused = {.phase = SUBMISSION_QUEUED, .not_before = later};
    assert_good(submission_turn(b->work, &first, &refused, &err)); /* by itself */
    assert_good(
        submission_next(b->work, b->arena, b->account_id, SUBMISSION_QUEUED, true, &next, &err));
    assert_int_equal(next.id, second.id);
    assert_int_equal(next.attempts, 1);
}

static void test_an_account_keeps_its_last_sender(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct identity *list, more = {.account_id = b->account_id, .email = STR("ada@x")};
    size_t count;
    assert_good(identity_put(b->db, &more, &err));
    assert_good(identity_list(b->db, b->arena, b->account_id, &list, &count, &err));
    assert_int_equal(count, 2);
    assert_good(identity_delete(b->db, b->account_id, more.id, &err));
    assert_kind(identity_delete(b->db, b->account_id, list[0].id, &err), ERROR_CONFLICT);
    int seconds;
    assert_good(send_delay_set(b->db, b->user_id, 30, &err));
    assert_good(send_delay(b->db, b->user_id, &seconds, &err));
    assert_int_equal(seconds, 30);
}

static void test_people_written_to_are_found_by_their_beginnings(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct contact ada = {.name = STR("Ada Lovelace"), .emails = STR("ada@example.org a@x")};
    struct contact_match *found;
    size_t count;
    const struct str emails[] = {STR("bob@love.example"), STR("ada@example.org")},
                     names[] = {STR("Bob"), STR("")};
    assert_good(contact_put(b->db, b->user_id, &ada, &err));
    assert_good(contact_collect(b->db, b->user_id, emails, names, 2, &err));
    assert_good(
        contact_complete(b->db, b->arena, b->user_id, STR("LOVE"), 10, &found, &count, &err));
    assert_int_equal(count, 3); /* Ada's two addresses, Bob's domain */
    assert_good(contact_complete(b->db, b->arena, b->user_id, STR("%"), 10, &found, &count, &err));
    assert_int_equal(count, 0);
    struct contact *all;
    assert_good(contact_list(b->db, b->arena, b->user_id, true, 0, 10, &all, &count, &err));
    assert_int_equal(count, 2);
    assert_true(all[1].is_collected);
    assert_good(contact_delete(b->db, b->user_id, ada.id, &err));
    assert_kind(contact_by_id(b->db, b->arena, b->user_id, ada.id, &ada, &err), ERROR_NOT_FOUND);
}

static void test_the_sweep_takes_what_nobody_refers_to(void **state)
{
    struct bench *b = *state;
    struct error err = ERROR_INIT;
    struct submission s = accept(b, 0, "");
    struct db *work = b->work;
    sql("UPDATE blob SET created_at = now() - interval '2 days' WHERE account_id = %lld",
        (long long)b->account_id);
    assert_good(store_sweep(work, &err));
    struct blob blob;
    assert_good(blob_by_id(b->db, b->arena, b->account_id, s.blob_id, &blob, &err));
    sql("UPDATE submission SET phase = 'filed', ended_at = now() - interval '8 days'"
        " WHERE account_id = %lld",
        (long long)b->account_id);
    assert_good(store_sweep(work, &err));
    assert_kind(blob_by_id(b->db, b->arena, b->account_id, s.blob_id, &blob, &err),
                ERROR_NOT_FOUND);
}

#define SENDING_TEST(function) cmocka_unit_test_setup_teardown(function, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENDING_TEST(test_a_draft_is_saved_over_the_revision_it_began_with),
        SENDING_TEST(test_a_folder_for_drafts_is_made_where_there_is_none),
        SENDING_TEST(test_another_persons_draft_is_not_there),
        SENDING_TEST(test_attachments_keep_their_order),
        SENDING_TEST(test_a_sent_draft_is_gone_once_the_server_has_it),
        SENDING_TEST(test_a_cancelled_message_is_a_draft_again),
        SENDING_TEST(test_a_crash_after_the_final_dot_is_told_and_not_repeated),
        SENDING_TEST(test_a_key_finds_the_message_it_came_with),
        SENDING_TEST(test_refused_recipients_stay_in_the_draft),
        SENDING_TEST(test_what_waits_is_due_when_its_time_comes),
        SENDING_TEST(test_what_waits_for_the_server_goes_in_order_once_it_is_there),
        SENDING_TEST(test_an_account_keeps_its_last_sender),
        SENDING_TEST(test_people_written_to_are_found_by_their_beginnings),
        SENDING_TEST(test_the_sweep_takes_what_nobody_refers_to),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

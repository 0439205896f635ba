/* Lists, messages and conversations as people see them. */
#include "server/store/accounts.h"
#include "server/store/labels.h"
#include "tests/unit/store_mail_fixture.h"

static const int64_t noon = INT64_C(1700000000000000);

static bool read_page(bool by_thread, int64_t mailbox_id, struct email_cursor cursor,
                      bool is_backward, int limit, struct email **page, size_t *count,
                      bool *has_more)
{
    return (by_thread ? threads_page : emails_page)(mail_db, mail_arena, ALICE, mailbox_id, cursor,
                                                    is_backward, limit, page, count, has_more,
                                                    &err);
}

/* Reads all pages of `limit` and checks that they are the ids of `expected` in order. */
static void assert_pages(int64_t mailbox_id, int limit, bool is_backward, const int64_t *expected,
                         size_t expected_count)
{
    struct email_cursor cursor = {0};
    size_t seen = 0;
    bool has_more = true;
    while (has_more) {
        struct email *page;
        size_t count;
        assert_good(
            read_page(false, mailbox_id, cursor, is_backward, limit, &page, &count, &has_more));
        assert_true(seen + count <= expected_count);
        for (size_t i = 0; i < count; i++) {
            size_t at = is_backward ? expected_count - seen - count + i : seen + i;
            assert_int_equal(page[i].id, expected[at]);
        }
        seen += count;
        assert_true(count == (size_t)limit || !has_more);
        if (count) {
            const struct email *edge = &page[is_backward ? 0 : count - 1];
            cursor = (struct email_cursor){edge->received_at, edge->id};
        }
    }
    assert_int_equal(seen, expected_count);
}

static void test_pages_run_through_equal_times_in_both_directions(void **state)
{
    (void)state;
    enum { COUNT = 23 };
    int64_t mailbox = add_mailbox(ALICE, "pages", ROLE_NONE, 0);
    struct replica_email emails[COUNT];
    int64_t expected[COUNT];
    char names[COUNT][24];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "page%d@x", i);
        /* three moments; the newest first in the end */
        emails[i] = make_email((uint32_t)i + 1, names[i], noon + i / 9 * DAY_US, 0);
    }
    add_emails(ALICE, mailbox, emails, COUNT);
    for (int i = 0; i < COUNT; i++)
        expected[i] = emails[COUNT - 1 - i].id;
    for (int limit = 1; limit <= COUNT + 1; limit++) {
        assert_pages(mailbox, limit, false, expected, COUNT);
        assert_pages(mailbox, limit, true, expected, COUNT);
    }
}

static void test_an_empty_mailbox_has_an_empty_page(void **state)
{
    (void)state;
    assert_pages(add_mailbox(ALICE, "empty", ROLE_NONE, 0), 50, false, NULL, 0);
}

static void test_a_page_shows_what_was_stored(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "shown", ROLE_NONE, 0);
    struct replica_email email = make_email(7, "shown@x", noon, FLAG_FLAGGED);
    email.placed.keywords = STR("$label1 work");
    email.in_reply_to = STR("parent@x");
    email.references = STR("root@x parent@x");
    email.subject = STR("Gr\xc3\xbc\xc3\x9f"
                        "e");
    email.from_json = STR("[{\"name\":\"Bob\",\"email\":\"bob@x\"}]");
    email.sent_at = noon - 5;
    email.has_attachment = true;
    email.preview = STR("Hello");
    email.structure = STR("{\"type\":\"text/plain\"}");
    int64_t id = add_email(ALICE, mailbox, email);
    struct email *page, one;
    size_t count;
    bool has_more;
    assert_good(emails_page(mail_db, mail_arena, ALICE, mailbox, (struct email_cursor){0}, false,
                            50, &page, &count, &has_more, &err));
    assert_int_equal(count, 1);
    assert_good(email_by_id(mail_db, mail_arena, ALICE, id, &one, &err));
    for (int i = 0; i < 2; i++) {
        const struct email *seen = i ? &one : page;
        assert_int_equal(seen->id, id);
        assert_int_equal(seen->flags, FLAG_FLAGGED);
        assert_string_equal(seen->keywords.at, "$label1 work");
        assert_string_equal(seen->subject.at, "Gr\xc3\xbc\xc3\x9f"
                                              "e");
        assert_string_equal(seen->in_reply_to.at, "parent@x");
        assert_string_equal(seen->references.at, "root@x parent@x");
        assert_string_equal(seen->from_json.at, "[{\"name\":\"Bob\",\"email\":\"bob@x\"}]");
        assert_string_equal(seen->to_json.at, "[]");
        assert_int_equal(seen->cc_json.length, 0);
        assert_int_equal(seen->sent_at, noon - 5);
        assert_int_equal(seen->received_at, noon);
        assert_true(seen->has_attachment);
        assert_string_equal(seen->preview.at, "Hello");
    }
    assert_string_equal(one.structure.at, "{\"type\":\"text/plain\"}");
    assert_int_equal(one.blob_id, 0);
}

static void test_neighbours_are_the_rows_beside_in_the_list(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "neighbours", ROLE_NONE, 0);
    struct replica_email emails[] = {make_email(1, "n1@x", noon, 0), make_email(2, "n2@x", noon, 0),
                                     make_email(3, "n3@x", noon + 1, 0)};
    int64_t newer, older;
    add_emails(ALICE, mailbox, emails, 3);
    for (int i = 0; i < 3; i++) {
        assert_good(email_neighbours(mail_db, ALICE, mailbox, emails[i].id, &newer, &older, &err));
        assert_int_equal(newer, i < 2 ? emails[i + 1].id : 0);
        assert_int_equal(older, i > 0 ? emails[i - 1].id : 0);
    }
}

static void test_an_email_in_two_mailboxes_is_seen_only_if_seen_in_both(void **state)
{
    (void)state;
    int64_t first = add_mailbox(ALICE, "both1", ROLE_NONE, 0);
    int64_t second = add_mailbox(ALICE, "both2", ROLE_NONE, 0);
    struct replica_email email = make_email(1, "both@x", noon, FLAG_SEEN | FLAG_ANSWERED);
    struct email one;
    struct placement *placements;
    size_t count;
    email.upstream_id = STR("M-both");
    int64_t id = add_email(ALICE, first, email);
    email.placed.flags = FLAG_FLAGGED;
    email.placed.keywords = STR("word");
    assert_int_equal(add_email(ALICE, second, email), id);
    assert_good(email_by_id(mail_db, mail_arena, ALICE, id, &one, &err));
    assert_int_equal(one.flags, FLAG_ANSWERED | FLAG_FLAGGED);
    assert_string_equal(one.keywords.at, "word");
    assert_good(placements_of(mail_db, mail_arena, ALICE, &id, 1, &placements, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(placements[0].mailbox_id, first);
    assert_int_equal(placements[1].flags, FLAG_FLAGGED);
    assert_true(placements[1].is_upstream);
}

static void test_what_is_hidden_is_gone_for_people(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "hidden", ROLE_NONE, 0);
    struct email *page, one;
    size_t count;
    bool has_more;
    int64_t id = add_email(ALICE, mailbox, make_email(1, "hidden@x", noon, 0));
    mail_script("UPDATE placement SET is_hidden = true WHERE email_id IN"
                " (SELECT id FROM email WHERE message_id = 'hidden@x')");
    assert_good(emails_page(mail_db, mail_arena, ALICE, mailbox, (struct email_cursor){0}, false,
                            50, &page, &count, &has_more, &err));
    assert_int_equal(count, 0);
    assert_kind(email_by_id(mail_db, mail_arena, ALICE, id, &one, &err), ERROR_NOT_FOUND);
}

static void test_another_persons_ids_give_nothing_through_the_web_role(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(BOB, "secret", ROLE_INBOX, 0);
    int64_t id = add_email(BOB, mailbox, make_email(1, "secret@x", noon, 0));
    struct email *page, one;
    struct mailbox seen, *list;
    struct placement *placements;
    int64_t *ids, newer, older;
    size_t count;
    bool has_more;
    struct db *own = store_acquire(mail_web, BOB, &err), *other;
    assert_good(own && email_by_id(own, mail_arena, BOB, id, &one, &err));
    int64_t thread = one.thread_id;
    store_release(mail_web, &own);
    for (int user = 0; user <= ALICE; user++) {
        other = store_acquire(mail_web, user, &err);
        assert_good(other != NULL);
        assert_kind(email_by_id(other, mail_arena, BOB, id, &one, &err), ERROR_NOT_FOUND);
        assert_kind(mailbox_by_id(other, mail_arena, BOB, mailbox, &seen, &err), ERROR_NOT_FOUND);
        assert_kind(mailbox_by_role(other, mail_arena, BOB, ROLE_INBOX, &seen, &err),
                    ERROR_NOT_FOUND);
        assert_good(mailbox_list(other, mail_arena, BOB, &list, &count, &err));
        assert_int_equal(count, 0);
        assert_good(emails_page(other, mail_arena, BOB, mailbox, (struct email_cursor){0}, false,
                                50, &page, &count, &has_more, &err));
        assert_int_equal(count, 0);
        assert_good(placements_of(other, mail_arena, BOB, &id, 1, &placements, &count, &err));
        assert_int_equal(count, 0);
        assert_good(thread_emails(other, mail_arena, BOB, thread, &ids, &count, &err));
        assert_int_equal(count, 0);
        assert_good(email_neighbours(other, BOB, mailbox, id, &newer, &older, &err));
        store_release(mail_web, &other);
    }
}

/* --- conversations: beside a plain recomputation ---------------------------------------------- */

enum { MODEL_EMAILS = 40, MODEL_THREADS = 12, MODEL_BOXES = 2 };

/* What is in the database, as plainly as can be. */
struct model {
    int64_t boxes[MODEL_BOXES];
    int64_t ids[MODEL_EMAILS];
    int64_t received_at[MODEL_EMAILS];
    int threads[MODEL_EMAILS];
    struct {
        bool is_placed, is_hidden, is_seen;
    } at[MODEL_EMAILS][MODEL_BOXES];
};

static bool is_shown(const struct model *m, int email, int box)
{
    return m->at[email][box].is_placed && !m->at[email][box].is_hidden;
}

static bool is_newer(const struct model *m, int a, int b)
{
    return m->received_at[a] != m->received_at[b] ? m->received_at[a] > m->received_at[b]
                                                  : m->ids[a] > m->ids[b];
}

/* The newest of each conversation shown in the box, newest first. */
static int model_list(const struct model *m, int box, int list[MODEL_THREADS])
{
    int count = 0;
    for (int thread = 0; thread < MODEL_THREADS; thread++) {
        int newest = -1;
        for (int i = 0; i < MODEL_EMAILS; i++)
            if (m->threads[i] == thread && is_shown(m, i, box) &&
                (newest < 0 || is_newer(m, i, newest)))
                newest = i;
        if (newest < 0)
            continue;
        int at = count++;
        for (; at > 0 && is_newer(m, newest, list[at - 1]); at--)
            list[at] = list[at - 1];
        list[at] = newest;
    }
    return count;
}

static void assert_conversation(const struct model *m, int box, int newest, const struct email *row)
{
    int size = 0, total = 0;
    bool is_unread = false;
    for (int i = 0; i < MODEL_EMAILS; i++) {
        if (m->threads[i] != m->threads[newest])
            continue;
        size++;
        total += is_shown(m, i, 0) || is_shown(m, i, 1);
        is_unread = is_unread || (is_shown(m, i, box) && !m->at[i][box].is_seen);
    }
    assert_int_equal(row->id, m->ids[newest]);
    assert_int_equal(row->thread_total, size == 1 ? 0 : total);
    assert_int_equal(row->is_thread_unread, is_unread);
}

static void assert_conversations(const struct model *m, int box, int limit, bool is_backward)
{
    int expected[MODEL_THREADS], count = model_list(m, box, expected), seen = 0;
    struct email_cursor cursor = {0};
    bool has_more = true;
    while (has_more) {
        struct email *page;
        size_t length;
        assert_good(
            read_page(true, m->boxes[box], cursor, is_backward, limit, &page, &length, &has_more));
        assert_true(seen + (int)length <= count);
        int from = is_backward ? count - seen - (int)length : seen;
        for (size_t i = 0; i < length; i++)
            assert_conversation(m, box, expected[from + (int)i], &page[i]);
        seen += (int)length;
        if (length) {
            const struct email *edge = &page[is_backward ? 0 : length - 1];
            cursor = (struct email_cursor){edge->received_at, edge->id};
        }
    }
    assert_int_equal(seen, count);
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char sql[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    mail_script(sql);
}

/* Something that moves, deletes, hides or reads a message, or joins or parts conversations. */
static void change(struct model *m)
{
    int i = rand() % MODEL_EMAILS, box = rand() % MODEL_BOXES, thread = rand() % MODEL_THREADS;
    long long id = m->ids[i], mailbox = m->boxes[box];
    switch (rand() % 5) {
    case 0:
        m->at[i][box].is_placed = !m->at[i][box].is_placed;
        m->at[i][box].is_hidden = m->at[i][box].is_seen = false;
        if (m->at[i][box].is_placed)
            run("INSERT INTO placement (account_id, email_id, mailbox_id, received_at) SELECT 1, "
                "id, %lld, received_at FROM email WHERE account_id = 1 AND id = %lld",
                mailbox, id);
        else
            run("DELETE FROM placement WHERE account_id = 1 AND email_id = %lld AND mailbox_id = "
                "%lld",
                id, mailbox);
        break;
    case 1:
        m->at[i][box].is_hidden = m->at[i][box].is_placed && !m->at[i][box].is_hidden;
        run("UPDATE placement SET is_hidden = NOT is_hidden WHERE account_id = 1 AND email_id = "
            "%lld AND mailbox_id = %lld",
            id, mailbox);
        break;
    case 2:
        m->at[i][box].is_seen = m->at[i][box].is_placed && !m->at[i][box].is_seen;
        run("UPDATE placement SET flags = flags # 1 WHERE account_id = 1 AND email_id = %lld AND "
            "mailbox_id = %lld",
            id, mailbox);
        break;
    case 3: /* one by itself, or into another */
        m->threads[i] = thread;
        run("UPDATE email SET thread_id = %d WHERE account_id = 1 AND id = %lld", 1000 + thread,
            id);
        break;
    default: /* two become one, as a message between them arrives late */
        run("UPDATE email SET thread_id = %d WHERE account_id = 1 AND thread_id = %d",
            1000 + thread, 1000 + m->threads[i]);
        for (int other = 0, from = m->threads[i]; other < MODEL_EMAILS; other++)
            if (m->threads[other] == from)
                m->threads[other] = thread;
    }
}

static void test_conversations_list_as_a_plain_look_at_all_says(void **state)
{
    (void)state;
    struct model m = {.boxes = {add_mailbox(ALICE, "talk", ROLE_NONE, 0),
                                add_mailbox(ALICE, "talk too", ROLE_NONE, 0)}};
    struct replica_email emails[MODEL_EMAILS];
    char names[MODEL_EMAILS][24];
    srand(7);
    for (int i = 0; i < MODEL_EMAILS; i++) {
        snprintf(names[i], sizeof names[i], "talk%d@x", i);
        m.received_at[i] = noon + rand() % 9 * INT64_C(1000000); /* in no order, some at once */
        emails[i] = make_email((uint32_t)i + 1, names[i], m.received_at[i], 0);
        m.at[i][0].is_placed = true;
    }
    add_emails(ALICE, m.boxes[0], emails, MODEL_EMAILS);
    for (int i = 0; i < MODEL_EMAILS; i++) {
        m.ids[i] = emails[i].id;
        m.threads[i] = rand() % MODEL_THREADS;
        run("UPDATE email SET thread_id = %d WHERE account_id = 1 AND id = %lld",
            1000 + m.threads[i], (long long)m.ids[i]);
    }
    for (int step = 0; step < 150; step++) {
        change(&m);
        for (int box = 0; box < MODEL_BOXES; box++) {
            assert_conversations(&m, box, 1 + step % 5, false);
            assert_conversations(&m, box, 1 + step % 5, true);
        }
        arena_reset(mail_arena);
    }
}

/* --- what is asked ahead --------------------------------------------------------------------- */

static size_t labels_seen(struct db *db)
{
    struct label *labels;
    size_t count;
    assert_good(label_list(db, mail_arena, ALICE, &labels, &count, &err));
    return count;
}

/* A page is foreseen and the first of its questions asked; then somebody makes a label. */
static struct db *foresee(int64_t mailbox, int label)
{
    char sql[256];
    struct account *accounts;
    size_t count;
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(db != NULL);
    mailbox_page_foresee(db, ALICE, ALICE, mailbox, (struct email_cursor){0}, false, true, 50);
    assert_good(account_list(db, mail_arena, ALICE, &accounts, &count, &err));
    assert_int_equal(count, 1);
    snprintf(sql, sizeof sql,
             "INSERT INTO label (account_id, id, name, keyword) VALUES (1, %d, 'n%d', 'k%d')",
             9000 + label, label, label);
    mail_script(sql);
    return db;
}

static void test_a_page_foreseen_comes_in_one_flight(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "foreseen", ROLE_NONE, 0);
    struct mailbox *mailboxes;
    struct operation_news news;
    struct email *page;
    size_t count;
    bool has_more;
    struct db *db = foresee(mailbox, 1);
    add_email(ALICE, mailbox, make_email(1, "foreseen@x", noon, 0));
    assert_int_equal(labels_seen(db), 0); /* as it was when the first question went */
    assert_good(threads_page(db, mail_arena, ALICE, mailbox, (struct email_cursor){0}, false, 50,
                             &page, &count, &has_more, &err));
    assert_int_equal(count, 0);
    assert_good(mailbox_list(db, mail_arena, ALICE, &mailboxes, &count, &err) && count > 0);
    assert_good(operation_news(db, ALICE, &news, &err));
    assert_int_equal(labels_seen(db), 1); /* each answer is given once */
    store_release(mail_web, &db);
}

static void test_what_was_foreseen_ends_with_a_change_and_with_its_owner(void **state)
{
    (void)state;
    int64_t mailbox = add_mailbox(ALICE, "foreseen too", ROLE_NONE, 0);
    struct db *db = foresee(mailbox, 2);
    assert_good(db_begin(db, &err) && db_commit(db, &err));
    assert_int_equal(labels_seen(db), 2);
    store_release(mail_web, &db);

    db = foresee(mailbox, 3);
    store_release(mail_web, &db);
    db = store_acquire(mail_web, BOB, &err); /* the same connection */
    assert_int_equal(labels_seen(db), 0);
    store_release(mail_web, &db);

    db = store_acquire(mail_web, BOB, &err); /* nothing was asked after all */
    mailbox_page_foresee(db, BOB, BOB, mailbox, (struct email_cursor){0}, false, true, 50);
    store_release(mail_web, &db);
    db = store_acquire(mail_web, ALICE, &err);
    assert_int_equal(labels_seen(db), 3);
    store_release(mail_web, &db);
}

/* One of them fails: it says so itself, and the others are asked as ever. */
static void test_a_failure_among_the_foreseen_is_told_to_who_asks(void **state)
{
    (void)state;
    struct db_rows rows;
    const struct db_value wrong[] = {db_i64(ALICE), db_i64(1),       db_time(0), db_i64(0),
                                     db_i64(-1),    {.type = DB_END}}; /* no such limit */
    struct db *db = store_acquire(mail_web, ALICE, &err);
    db_foresee(db, "account_list", db_i64(ALICE));
    db_foresee_values(db, "emails_page", wrong);
    db_foresee(db, "label_list", db_i64(ALICE));
    assert_int_equal(labels_seen(db), 3);
    assert_kind((db_select_values(db, "emails_page", &rows, &err, wrong)), ERROR_INVALID);
    assert_int_equal(labels_seen(db), 3);
    store_release(mail_web, &db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_run_through_equal_times_in_both_directions),
        cmocka_unit_test(test_an_empty_mailbox_has_an_empty_page),
        cmocka_unit_test(test_conversations_list_as_a_plain_look_at_all_says),
        cmocka_unit_test(test_a_page_shows_what_was_stored),
        cmocka_unit_test(test_neighbours_are_the_rows_beside_in_the_list),
        cmocka_unit_test(test_an_email_in_two_mailboxes_is_seen_only_if_seen_in_both),
        cmocka_unit_test(test_what_is_hidden_is_gone_for_people),
        cmocka_unit_test(test_another_persons_ids_give_nothing_through_the_web_role),
        cmocka_unit_test(test_a_page_foreseen_comes_in_one_flight),
        cmocka_unit_test(test_what_was_foreseen_ends_with_a_change_and_with_its_owner),
        cmocka_unit_test(test_a_failure_among_the_foreseen_is_told_to_who_asks),
    };
    return cmocka_run_group_tests(tests, mail_setup, mail_teardown);
}

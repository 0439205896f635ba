/* Searching: conditions against messages, in a real PostgreSQL as the web role sees it. */
#include "server/store/search_private.h"
#include "server/store/users.h"
#include "tests/unit/store_mail_fixture.h"

/* A tsvector of words "a b c", each with weight D, or with A when it begins with "*". */
static struct str vector_of(const char *text)
{
    struct str words[32];
    size_t count = 0;
    struct buf out = BUF_INIT(4096);
    struct str rest = str_of(text);
    while (rest.length)
        words[count++] = str_cut(&rest, ' ');
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && str_compare(words[k - 1], words[k]) > 0; k--) {
            struct str other = words[k];
            words[k] = words[k - 1];
            words[k - 1] = other;
        }
    buf_append(&out, (const char[]){0, 0, 0, (char)count}, 4);
    for (size_t i = 0; i < count; i++) {
        buf_str(&out, words[i]);
        size_t at = (size_t)(words[i].at - text);
        buf_append(&out, (const char[]){0, 0, 1, 0, (char)(at + 1)}, 5);
    }
    struct str vector = arena_str(mail_arena, buf_view(&out));
    buf_free(&out);
    return vector;
}

static int64_t add(int64_t account_id, int64_t mailbox_id, uint32_t uid, int64_t received_at,
                   int flags, const char *words)
{
    char id[32];
    snprintf(id, sizeof id, "%u@%lld", uid, (long long)mailbox_id);
    struct replica_email email =
        make_email(uid, arena_text(mail_arena, str_of(id)), received_at, flags);
    email.words = vector_of(words);
    email.has_attachment = uid % 2 == 0;
    return add_email(account_id, mailbox_id, email);
}

static struct search_condition *new_condition(enum search_kind kind)
{
    struct search_condition *c = ARENA_NEW(mail_arena, struct search_condition);
    c->kind = kind;
    c->weights = SEARCH_ANYWHERE;
    return c;
}

static struct search_condition *word(const char *lexeme)
{
    struct search_condition *c = new_condition(SEARCH_WORDS);
    struct search_word *w = ARENA_NEW(mail_arena, struct search_word);
    *w = (struct search_word){.lexeme = str_of(lexeme), .position = 1};
    c->words = w;
    c->word_count = 1;
    return c;
}

static struct search_condition *group(enum search_kind kind, struct search_condition *first,
                                      struct search_condition *second)
{
    struct search_condition *c = new_condition(kind);
    c->first_child = first;
    first->next = second;
    return c;
}

static struct search_condition *flag(enum email_flag which, bool is_set)
{
    struct search_condition *c = new_condition(SEARCH_FLAG);
    c->flag = which;
    c->is_set = is_set;
    return c;
}

static struct search_condition *in(const int64_t *mailbox_id)
{
    struct search_condition *c = new_condition(SEARCH_MAILBOX);
    c->mailbox_ids = mailbox_id;
    c->mailbox_count = 1;
    return c;
}

static struct search_condition *number(enum search_kind kind, int64_t value)
{
    struct search_condition *c = new_condition(kind);
    c->number = value;
    return c;
}

/* The received_at of what is found, "3 2 1"; as the web role for `user_id`. */
static const char *found_by(int64_t user_id, int64_t account_id, enum search_order order,
                            const struct search_condition *condition)
{
    static char text[1024];
    size_t length = 0;
    struct search_request request = {.account_ids = &account_id,
                                     .conditions = &condition,
                                     .account_count = 1,
                                     .order = order,
                                     .limit = 2};
    struct search_answer answer;
    struct db *db = store_acquire(mail_web, user_id, &err);
    assert_good(db != NULL);
    text[0] = '\0';
    do {
        assert_good(search_emails(db, mail_arena, &request, &answer, &err));
        for (size_t i = 0; i < answer.count; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%lld",
                                       length ? " " : "", (long long)answer.emails[i].received_at);
        request.cursor = answer.next;
    } while (answer.has_more);
    store_release(mail_web, &db);
    return text;
}

#define assert_found(expected, condition) \
    assert_string_equal(found_by(ALICE, ALICE, SEARCH_NEWEST_FIRST, condition), expected)

static int64_t inbox, archive;

static int setup(void **state)
{
    if (mail_setup(state))
        return -1;
    inbox = add_mailbox(ALICE, "INBOX", ROLE_INBOX, 0);
    archive = add_mailbox(ALICE, "Archive", ROLE_ARCHIVE, 0);
    add(ALICE, inbox, 1, 1, 0, "apple pear");
    add(ALICE, inbox, 2, 2, FLAG_SEEN, "apple");
    add(ALICE, inbox, 3, 3, FLAG_SEEN | FLAG_FLAGGED, "pear");
    add(ALICE, archive, 4, 4, 0, "apple plum");
    add(ALICE, archive, 5, 5, FLAG_SEEN, "o'neil \\back");
    add(BOB, add_mailbox(BOB, "INBOX", ROLE_INBOX, 0), 6, 6, 0, "apple");
    return 0;
}

static void test_words_are_found_newest_first_in_pages(void **state)
{
    (void)state;
    assert_found("4 2 1", word("apple"));
    assert_found("4 2 1", group(SEARCH_ALL_OF, word("apple"), NULL));
    assert_found("1", group(SEARCH_ALL_OF, word("apple"), word("pear")));
    assert_found("4 3 2 1", group(SEARCH_ANY_OF, word("apple"), word("pear")));
    assert_found("4 2",
                 group(SEARCH_ALL_OF, word("apple"), group(SEARCH_NONE_OF, word("pear"), NULL)));
    assert_found("5 3", group(SEARCH_NONE_OF, word("apple"), NULL));
    assert_found("5 4 3 2 1", new_condition(SEARCH_ALL_OF));
    assert_found("", word("banana"));
}

static void test_quotes_and_backslashes_are_letters(void **state)
{
    (void)state;
    assert_found("5", word("o'neil"));
    assert_found("5", word("\\back"));
    assert_found("", word("' | 'apple"));
}

static void test_prefixes_and_phrases(void **state)
{
    (void)state;
    struct search_word words[] = {{STR("pl"), 1, true}};
    struct search_condition *c = word("x");
    c->words = words;
    assert_found("4", c);
    struct search_word phrase[] = {{STR("apple"), 1, false}, {STR("pear"), 7, false}};
    c->words = phrase;
    c->word_count = 2;
    c->is_phrase = true;
    assert_found("1", c);
    phrase[1].position = 2;
    assert_found("", c);
}

static void test_bounds_narrow(void **state)
{
    (void)state;
    assert_found("4 1", flag(FLAG_SEEN, false));
    assert_found("5 3 2", flag(FLAG_SEEN, true));
    assert_found("5 4", in(&archive));
    assert_found("4", group(SEARCH_ALL_OF, in(&archive), flag(FLAG_SEEN, false)));
    assert_found("4", group(SEARCH_ALL_OF, word("apple"), in(&archive)));
    assert_found("2 1", group(SEARCH_ALL_OF, number(SEARCH_BEFORE, 3), word("apple")));
    assert_found("4", group(SEARCH_ALL_OF, number(SEARCH_AFTER, 3), word("apple")));
    assert_found("4 2", new_condition(SEARCH_ATTACHMENT));
    assert_found("5 3 1", group(SEARCH_NONE_OF, new_condition(SEARCH_ATTACHMENT), NULL));
    assert_found("5 4 3 2 1", number(SEARCH_LARGER, 1000));
    assert_found("", number(SEARCH_SMALLER, 1000));
    assert_found("", group(SEARCH_ALL_OF, flag(FLAG_SEEN, true), flag(FLAG_SEEN, false)));
    struct search_condition *nowhere = new_condition(SEARCH_MAILBOX);
    assert_found("", nowhere);
}

static void test_conditions_may_be_mixed_at_any_depth(void **state)
{
    (void)state;
    assert_found("4 3 2 1", group(SEARCH_ANY_OF, word("apple"), flag(FLAG_FLAGGED, true)));
    assert_found("5", group(SEARCH_NONE_OF,
                            group(SEARCH_ANY_OF, word("apple"), flag(FLAG_FLAGGED, true)), NULL));
    assert_found("3 2 1", group(SEARCH_NONE_OF, in(&archive), NULL));
    assert_found("2 1",
                 group(SEARCH_ALL_OF, word("apple"), group(SEARCH_NONE_OF, in(&archive), NULL)));
    assert_found("4 1", group(SEARCH_ALL_OF, group(SEARCH_ANY_OF, word("plum"), word("pear")),
                              group(SEARCH_ANY_OF, in(&archive), flag(FLAG_SEEN, false))));
}

static void test_nobody_finds_the_mail_of_others(void **state)
{
    (void)state;
    assert_string_equal(found_by(BOB, ALICE, SEARCH_NEWEST_FIRST, word("apple")), "");
    assert_string_equal(found_by(BOB, ALICE, SEARCH_NEWEST_FIRST, new_condition(SEARCH_ALL_OF)),
                        "");
    assert_string_equal(found_by(0, ALICE, SEARCH_NEWEST_FIRST, word("apple")), "");
    assert_string_equal(found_by(BOB, BOB, SEARCH_NEWEST_FIRST, word("apple")), "6");
}

static void test_words_that_come_later_are_found(void **state)
{
    (void)state;
    int64_t id = add(ALICE, inbox, 10, 10, 0, "late");
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(batch && replica_words_append(batch, id, vector_of("cherry"), &err));
    assert_good(replica_text_settled(batch, &id, 1, &err));
    assert_good(replica_words_append(batch, id, vector_of("twice"), &err));
    assert_good(replica_commit(&batch, &err));
    assert_found("10", group(SEARCH_ALL_OF, word("late"), word("cherry")));
    assert_found("", word("twice"));
    batch = replica_begin(mail_db, ALICE, &err);
    assert_good(batch && replica_words_put(batch, id, vector_of("whole"), &err));
    assert_good(replica_commit(&batch, &err));
    assert_found("10", word("whole"));
    assert_found("", word("cherry"));
    batch = replica_begin(mail_db, ALICE, &err);
    assert_good(replica_expunge(batch, inbox, (const uint32_t[]){10}, 1, NULL, &err));
    assert_good(replica_commit(&batch, &err));
    assert_found("", word("whole"));
}

static void test_by_relevance_each_comes_once(void **state)
{
    (void)state;
    const char *found = found_by(ALICE, ALICE, SEARCH_BY_RELEVANCE, word("apple"));
    assert_int_equal(strlen(found), strlen("4 2 1"));
    assert_non_null(strchr(found, '1'));
    assert_non_null(strchr(found, '2'));
    assert_non_null(strchr(found, '4'));
}

static void test_common_words_are_found_like_rare_ones(void **state)
{
    (void)state;
    enum { MANY = 600 };
    int64_t carols = 3, box = add_mailbox(3, "INBOX", ROLE_INBOX, 0);
    struct replica_email emails[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        char id[32];
        snprintf(id, sizeof id, "many%u", i);
        emails[i] = make_email(i + 1, arena_text(mail_arena, str_of(id)), 100 + i, 0);
        emails[i].words = vector_of(i < 5 ? "common rare" : "common");
    }
    add_emails(3, box, emails, MANY);
    assert_string_equal(found_by(3, carols, SEARCH_NEWEST_FIRST, word("rare")),
                        "104 103 102 101 100");
    const char *found = found_by(3, carols, SEARCH_NEWEST_FIRST,
                                 group(SEARCH_ALL_OF, word("common"), number(SEARCH_BEFORE, 105)));
    assert_string_equal(found, "104 103 102 101 100");
}

static void test_words_are_found_before_and_after_they_are_sorted_into_the_index(void **state)
{
    (void)state;
    add(ALICE, inbox, 11, 11, 0, "waiting");
    assert_found("11", word("waiting"));
    assert_good(store_sweep(mail_db, &err));
    assert_found("11", word("waiting"));
    add(ALICE, inbox, 12, 12, 0, "waiting");
    assert_found("12 11", word("waiting"));
}

static void test_saved_searches_are_kept_by_name(void **state)
{
    (void)state;
    struct saved_search *searches;
    size_t count;
    int64_t first, second;
    struct db *db = store_acquire(mail_web, ALICE, &err);
    assert_good(saved_search_put(db, ALICE, STR("Bills"), STR("from:shop"), &first, &err));
    assert_good(saved_search_put(db, ALICE, STR("Bills"), STR("from:bank"), &second, &err));
    assert_int_equal(first, second);
    assert_good(saved_search_list(db, mail_arena, ALICE, &searches, &count, &err));
    assert_int_equal(count, 1);
    assert_true(str_equal(searches[0].query, STR("from:bank")));
    store_release(mail_web, &db);
    db = store_acquire(mail_web, BOB, &err);
    assert_kind(saved_search_delete(db, BOB, first, &err), ERROR_NOT_FOUND);
    err = ERROR_INIT;
    assert_good(saved_search_list(db, mail_arena, ALICE, &searches, &count, &err));
    assert_int_equal(count, 0);
    store_release(mail_web, &db);
    db = store_acquire(mail_web, ALICE, &err);
    assert_good(saved_search_delete(db, ALICE, first, &err));
    store_release(mail_web, &db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_found_newest_first_in_pages),
        cmocka_unit_test(test_quotes_and_backslashes_are_letters),
        cmocka_unit_test(test_prefixes_and_phrases),
        cmocka_unit_test(test_bounds_narrow),
        cmocka_unit_test(test_conditions_may_be_mixed_at_any_depth),
        cmocka_unit_test(test_nobody_finds_the_mail_of_others),
        cmocka_unit_test(test_words_that_come_later_are_found),
        cmocka_unit_test(test_by_relevance_each_comes_once),
        cmocka_unit_test(test_common_words_are_found_like_rare_ones),
        cmocka_unit_test(test_words_are_found_before_and_after_they_are_sorted_into_the_index),
        cmocka_unit_test(test_saved_searches_are_kept_by_name),
    };
    return cmocka_run_group_tests(tests, setup, mail_teardown);
}

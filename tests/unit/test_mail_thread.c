/* Base subjects, ids and keys of conversations. */
#include "server/mail/thread.h"
#include "tests/unit/mail_fixture.h"

static void test_base_subjects(void **state)
{
    static const struct {
        const char *subject, *base;
        bool is_reply;
    } rows[] = {
        {"Lunch", "Lunch", false},
        {"Re: Lunch", "Lunch", true},
        {"RE: re:Re : Lunch", "Lunch", true},
        {"Fwd: Lunch", "Lunch", true},
        {"FW: Re: Lunch (fwd)", "Lunch", true},
        {"[list] Re: Lunch", "Lunch", true},
        {"Re: [list] Lunch", "Lunch", true},
        {"[list] Lunch", "Lunch", false},
        {"[list]", "[list]", false},
        {"Re: [list]", "[list]", true},
        {"[Fwd: Re: Lunch]", "Lunch", true},
        {"Re[2]: Lunch", "Lunch", true},
        {"Re(3): Lunch", "Lunch", true},
        {"Re^2: Lunch", "Lunch", true},
        {"Re [blob]: Lunch", "Lunch", true},
        {"AW: WG: Mittag", "Mittag", true},
        {"SV: VS: Lunsj", "Lunsj", true},
        {"回复：午餐", "午餐", true},
        {"Отв: Обед", "Обед", true},
        {"two  spaces\tand tab", "two spaces and tab", false},
        {"Resume: mine", "Resume: mine", false},
        {"Regarding: x", "Regarding: x", false},
        {"Re", "Re", false},
        {"Re:", "", true},
        {"", "", false},
        {"[[x]] y", "[[x]] y", false},
        {"[open", "[open", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_reply = !rows[i].is_reply;
        struct str base = thread_base_subject(*state, str_of(rows[i].subject), &is_reply);
        assert_str_of(rows[i].subject, base, rows[i].base);
        if (is_reply != rows[i].is_reply)
            fail_msg("reply or not: %s", rows[i].subject);
    }
}

static struct str joined_ids(struct arena *arena, struct str value)
{
    size_t count;
    struct str *ids = thread_ids(arena, value, &count);
    struct buf out = BUF_INIT(1024 * 1024);
    for (size_t i = 0; i < count; i++) {
        buf_text(&out, i ? " " : "");
        buf_str(&out, ids[i]);
    }
    struct str text = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return text;
}

static void test_ids_are_found(void **state)
{
    static const char *const rows[][2] = {
        {" <a@b> <c@d>", "a@b c@d"},
        {"<a@b>\r\n\t<c@d>", "a@b c@d"},
        {"<a@b><c@d>", "a@b c@d"},
        {"<a@b>,<c@d>", "a@b c@d"},
        {"<a@b> <a@b>", "a@b"},
        {"Message of Ann <a@b> from Monday", "a@b"},
        {"a@b c@d", "a@b c@d"},
        {"<a @ b>", "a@b"},
        {"<never closed <a@b>", "neverclosed a@b"},
        {"<>", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], joined_ids(*state, str_of(rows[i][0])), rows[i][1]);
}

static void test_of_many_ids_the_first_and_the_last_stay(void **state)
{
    struct buf value = BUF_INIT(4 * 1024 * 1024);
    for (int i = 0; i < 10000; i++)
        buf_printf(&value, "<%d@x>\r\n ", i);
    size_t count;
    struct str *ids = thread_ids(*state, buf_view(&value), &count);
    assert_int_equal(count, THREAD_IDS_MAX);
    assert_str(ids[0], "0@x");
    assert_str(ids[1], "9901@x");
    assert_str(ids[99], "9999@x");
    buf_free(&value);
}

static void test_keys_join_what_belongs_together(void **state)
{
    (void)state;
    assert_int_equal(thread_message_key(STR("")), 0);
    /* kept in the database: may never change */
    assert_int_equal(thread_message_key(STR("a@b")), thread_key(STR("a@b"), STR("")));
    assert_int_not_equal(thread_message_key(STR("a@b")), thread_message_key(STR("A@b")));
    assert_int_equal(thread_key(STR("a@b"), STR("Äpfel")), thread_key(STR("a@b"), STR("ÄPFEL")));
    assert_int_not_equal(thread_key(STR("a@b"), STR("x")), thread_key(STR("a@b"), STR("y")));
    assert_int_not_equal(thread_key(STR("a"), STR("bc")), thread_key(STR("ab"), STR("c")));
}

static void test_a_reply_shares_a_key_with_what_it_answers(void **state)
{
    size_t first, second, third;
    int64_t *asked = thread_keys(*state, STR("1@x"), STR(""), STR(""), STR("Lunch"), &first);
    int64_t *answer =
        thread_keys(*state, STR("2@x"), STR("1@x"), STR("1@x"), STR("Re: LUNCH"), &second);
    int64_t *changed =
        thread_keys(*state, STR("3@x"), STR("1@x"), STR("1@x"), STR("Dinner"), &third);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_int_equal(answer[1], asked[0]);
    assert_int_not_equal(changed[1], asked[0]);
    thread_keys(*state, STR(""), STR(""), STR(""), STR("x"), &first);
    assert_int_equal(first, 0);
}

static void test_hostile_subjects_take_no_time(void **state)
{
    static const char *const pieces[] = {"re:", "[a]",   "[", "(fwd)",
                                         "re[", "[fwd:", " ", "re: [a] "};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf subject = BUF_INIT(1024 * 1024);
        repeat(&subject, pieces[i], 4000);
        thread_base_subject(*state, buf_view(&subject), NULL);
        buf_free(&subject);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_base_subjects),
        MAIL_TEST(test_ids_are_found),
        MAIL_TEST(test_of_many_ids_the_first_and_the_last_stay),
        MAIL_TEST(test_keys_join_what_belongs_together),
        MAIL_TEST(test_a_reply_shares_a_key_with_what_it_answers),
        MAIL_TEST(test_hostile_subjects_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

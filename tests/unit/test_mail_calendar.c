/* Invitations: what, when, where, who. */
#include "server/base/clock.h"
#include "server/mail/calendar.h"
#include "server/mail/calendar_reply.h"
#include "tests/unit/mail_fixture.h"

#define EVENT(lines)                                                             \
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n" lines \
    "END:VEVENT\r\nEND:VCALENDAR\r\n"

static void test_an_invitation_is_read(void **state)
{
    struct calendar c;
    assert_true(calendar_parse(
        *state,
        STR(EVENT("UID:1@example.org\r\nSUMMARY:Lunch\\, with soup\r\n"
                  "DTSTART;TZID=Europe/Berlin:20260701T120000\r\nDTEND:20260701T110000Z\r\n"
                  "LOCATION:Caf\xc3\xa9\r\nDESCRIPTION:one\\ntw\r\n o\r\nSTATUS:CONFIRMED\r\n"
                  "SEQUENCE:2\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n"
                  "ORGANIZER;CN=\"Ann, A.\":mailto:ann@example.org\r\n"
                  "ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:MAILTO:bob@example.org\r\n"
                  "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:eve@example.org\r\n")),
        &c));
    assert_str(c.method, "request");
    assert_int_equal(c.count, 1);
    const struct calendar_event *e = &c.events[0];
    assert_str(e->uid, "1@example.org");
    assert_str(e->summary, "Lunch, with soup");
    assert_str(e->location, "Café");
    assert_str(e->description, "one\ntwo");
    assert_str(e->status, "confirmed");
    assert_int_equal(e->sequence, 2);
    assert_true(str_find(e->repeats, STR("FREQ=WEEKLY")) >= 0);
    assert_str(e->organizer.name, "Ann, A.");
    assert_str(e->organizer.email, "ann@example.org");
    assert_int_equal(e->attendee_count, 2);
    assert_str(e->attendees[0].address.name, "Bob");
    assert_str(e->attendees[0].address.email, "bob@example.org");
    assert_str(e->attendees[0].answer, "needs-action");
    assert_str(e->attendees[1].answer, "accepted");
    assert_true(e->attendees[1].is_optional && !e->attendees[0].is_optional);
    assert_str(e->starts.zone, "Europe/Berlin");
    char text[CLOCK_TEXT_BYTES];
    assert_str(clock_format_utc(e->starts.at_us, text), "2026-07-01T10:00:00Z");
    assert_str(clock_format_utc(e->ends.at_us, text), "2026-07-01T11:00:00Z");
}

static void test_times_of_every_kind(void **state)
{
    static const struct {
        const char *lines, *starts, *ends;
        bool is_day, is_floating, is_guessed;
    } rows[] = {
        {"DTSTART:20260701T120000Z\r\nDURATION:PT1H30M\r\n", "2026-07-01T12:00:00Z",
         "2026-07-01T13:30:00Z", false, false, false},
        {"DTSTART;VALUE=DATE:20260701\r\n", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", true,
         false, false},
        {"DTSTART:20260701T120000\r\n", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z", false, true,
         false},
        {"DTSTART;TZID=W. Europe Standard Time:20261224T120000\r\n", "2026-12-24T11:00:00Z",
         "2026-12-24T11:00:00Z", false, false, false},
        {"DTSTART;TZID=/example.org/20260101/America/New_York:20261224T120000\r\n",
         "2026-12-24T17:00:00Z", "2026-12-24T17:00:00Z", false, false, false},
        {"DTSTART;TZID=Nowhere:20260701T120000\r\n", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z",
         false, true, false},
        {"DTSTART;TZID=Ours:20260701T120000\r\nEND:VEVENT\r\nBEGIN:VTIMEZONE\r\nTZID:Ours\r\n"
         "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\n"
         "END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:2\r\n",
         "2026-07-01T09:00:00Z", "2026-07-01T09:00:00Z", false, false, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(4096);
        struct calendar c;
        char written[CLOCK_TEXT_BYTES];
        buf_printf(&text,
                   "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n%sEND:VEVENT\r\n"
                   "END:VCALENDAR\r\n",
                   rows[i].lines);
        assert_true(calendar_parse(*state, buf_view(&text), &c));
        const struct calendar_event *e = &c.events[0];
        assert_true(e->starts.is_set && e->ends.is_set);
        assert_str_of(rows[i].lines, clock_format_utc(e->starts.at_us, written), rows[i].starts);
        assert_str_of(rows[i].lines, clock_format_utc(e->ends.at_us, written), rows[i].ends);
        assert_int_equal(e->starts.is_day, rows[i].is_day);
        assert_int_equal(e->starts.is_floating, rows[i].is_floating);
        assert_int_equal(e->starts.is_guessed, rows[i].is_guessed);
        buf_free(&text);
    }
}

static void test_what_is_no_invitation_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "hello",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "BEGIN:VEVENT",
        "BEGIN:VCARD\r\nFN:x\r\nEND:VCARD\r\n",
        "\r\n\r\n:::;;;\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct calendar c;
        if (calendar_parse(*state, str_of(rows[i]), &c) && c.events[0].starts.is_set)
            fail_msg("read as an invitation: %s", rows[i]);
    }
}

static void test_nonsense_in_an_event_is_left_out(void **state)
{
    struct calendar c;
    assert_true(calendar_parse(*state,
                               STR(EVENT("SUMMARY:a\x01 b\r\nDTSTART:nonsense\r\nDTEND:99999999\r\n"
                                         "DURATION:-P1Y\r\nSEQUENCE:x\r\nATTENDEE:\r\n")),
                               &c));
    assert_false(c.events[0].starts.is_set);
    assert_text(c.events[0].summary);
    assert_int_equal(c.events[0].sequence, 0);
}

static void test_many_events_and_attendees_are_cut_and_said_so(void **state)
{
    struct buf text = BUF_INIT(1024 * 1024);
    struct calendar c;
    buf_text(&text, "BEGIN:VCALENDAR\r\n");
    repeat(&text, "BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n", 300);
    buf_text(&text, "END:VCALENDAR\r\n");
    assert_true(calendar_parse(*state, buf_view(&text), &c));
    assert_true(c.is_cut);
    assert_int_equal(c.count, CALENDAR_EVENTS_MAX);
    buf_reset(&text);
    buf_text(&text, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n");
    repeat(&text, "ATTENDEE:mailto:a@b\r\n", 1000);
    buf_text(&text, "END:VEVENT\r\nEND:VCALENDAR\r\n");
    assert_true(calendar_parse(*state, buf_view(&text), &c));
    assert_true(c.is_cut);
    assert_int_equal(c.events[0].attendee_count, CALENDAR_ATTENDEES_MAX);
    buf_free(&text);
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct str reply_to(struct arena *arena, struct str text, const char *email,
                           enum calendar_answer answer)
{
    struct buf out = BUF_INIT(CALENDAR_REPLY_BYTES_MAX);
    const struct calendar_answering how = {
        .email = str_of(email), .answer = answer, .now_us = INT64_C(1790000000000000)};
    struct str made =
        calendar_reply(arena, text, &how, &out) ? arena_str(arena, buf_view(&out)) : STR_EMPTY;
    buf_free(&out);
    return made;
}

#define TEA                                                                            \
    EVENT("UID:tea@example.org\r\nSUMMARY:Tea\\, twice\r\nSEQUENCE:3\r\n"              \
          "DTSTART;TZID=Europe/Berlin:20260701T120000\r\nDESCRIPTION:secret\r\n"       \
          "ORGANIZER;CN=Ann:mailto:ann@example.org\r\n"                                \
          "ATTENDEE;CN=Bob;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:MAILTO:Bob@example.org\r\n" \
          "ATTENDEE;CN=Eve:mailto:eve@example.org\r\n")

static void test_an_answer_names_the_event_and_one_attendee(void **state)
{
    static const char *const words[] = {"accepted", "tentative", "declined"};
    for (unsigned i = 0; i < CALENDAR_ANSWERS; i++) {
        struct calendar c;
        struct str text = reply_to(*state, STR(TEA), "bob@example.org", i);
        assert_true(calendar_parse(*state, text, &c));
        assert_str(c.method, "reply");
        assert_int_equal(c.count, 1);
        assert_str(c.events[0].uid, "tea@example.org");
        assert_str(c.events[0].summary, "Tea, twice");
        assert_str(c.events[0].organizer.email, "ann@example.org");
        assert_int_equal(c.events[0].sequence, 3);
        assert_int_equal(c.events[0].attendee_count, 1);
        assert_str(c.events[0].attendees[0].address.email, "Bob@example.org");
        assert_str(c.events[0].attendees[0].answer, words[i]);
        assert_true(str_find(text, STR("DTSTAMP:2026")) >= 0);
        assert_true(str_find(text, STR("RSVP")) < 0 && str_find(text, STR("secret")) < 0);
    }
}

static void test_who_is_not_on_the_list_answers_as_themselves(void **state)
{
    struct calendar c;
    struct str text = reply_to(*state, STR(TEA), "list-member@example.net", CALENDAR_DECLINED);
    assert_true(calendar_parse(*state, text, &c));
    assert_int_equal(c.events[0].attendee_count, 1);
    assert_str(c.events[0].attendees[0].address.email, "list-member@example.net");
    assert_str(c.events[0].attendees[0].answer, "declined");
}

static void test_only_requests_with_an_organizer_are_answered(void **state)
{
    static const char *const texts[] = {
        "", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "ORGANIZER:mailto:a@b\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        EVENT("UID:1\r\nSUMMARY:no organizer\r\n"),
        EVENT("ORGANIZER:mailto:a@b\r\nSUMMARY:no uid\r\n")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_str(reply_to(*state, str_of(texts[i]), "a@b", CALENDAR_ACCEPTED), "");
}

int main(void)
{
    calendar_prepare();
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_an_invitation_is_read),
        MAIL_TEST(test_times_of_every_kind),
        MAIL_TEST(test_what_is_no_invitation_is_refused),
        MAIL_TEST(test_nonsense_in_an_event_is_left_out),
        MAIL_TEST(test_many_events_and_attendees_are_cut_and_said_so),
        MAIL_TEST(test_an_answer_names_the_event_and_one_attendee),
        MAIL_TEST(test_who_is_not_on_the_list_answers_as_themselves),
        MAIL_TEST(test_only_requests_with_an_organizer_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

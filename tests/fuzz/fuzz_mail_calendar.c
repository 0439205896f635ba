/* Invitations and contacts: whatever is in them comes out clean and within its caps. */
#include "server/mail/calendar.h"
#include "server/mail/calendar_reply.h"
#include "server/mail/vcard.h"
#include "tests/fuzz/mail_fuzz.h"

static void check_calendar(struct arena *arena, struct str text)
{
    struct calendar calendar;
    if (!calendar_parse(arena, text, &calendar))
        return;
    REQUIRE(calendar.count > 0 && calendar.count <= CALENDAR_EVENTS_MAX);
    require_text(calendar.method);
    for (size_t i = 0; i < calendar.count; i++) {
        const struct calendar_event *e = &calendar.events[i];
        struct str texts[] = {e->uid,         e->summary, e->location,       e->url,
                              e->description, e->repeats, e->organizer.name, e->organizer.email,
                              e->starts.zone, e->status};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            require_text(texts[k]);
        for (size_t k = 0; k < e->attendee_count; k++) {
            require_text(e->attendees[k].address.name);
            require_text(e->attendees[k].address.email);
            require_text(e->attendees[k].answer);
        }
    }
}

/* An answer is again an invitation's text, with exactly one attendee. */
static void check_reply(struct arena *arena, struct str text)
{
    struct calendar again;
    struct buf out = BUF_INIT(CALENDAR_REPLY_BYTES_MAX);
    const struct calendar_answering how = {
        .email = STR("ann@example.org"), .answer = CALENDAR_ACCEPTED, .now_us = 1};
    if (calendar_reply(arena, text, &how, &out)) {
        REQUIRE(utf8_is_valid(buf_view(&out)));
        if (calendar_parse(arena, buf_view(&out), &again))
            REQUIRE(again.count == 1 && again.events[0].attendee_count <= 1);
    }
    buf_free(&out);
}

static void check_cards(struct arena *arena, struct str text)
{
    struct vcards cards;
    if (!vcard_parse(arena, text, &cards))
        return;
    REQUIRE(cards.count > 0 && cards.count <= VCARD_CARDS_MAX);
    for (size_t i = 0; i < cards.count; i++) {
        require_text(cards.at[i].name);
        require_text(cards.at[i].organization);
        for (size_t k = 0; k < cards.at[i].count; k++) {
            require_text(cards.at[i].lines[k].label);
            require_text(cards.at[i].lines[k].value);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT(3 * length + 16); /* they are given what mime_decode_text gives */
    utf8_repair(&text, fuzz_input(bytes, length));
    check_calendar(arena, buf_view(&text));
    check_reply(arena, buf_view(&text));
    check_cards(arena, buf_view(&text));
    buf_free(&text);
    arena_free(&arena);
    return 0;
}

/* The child's answers for what people read as a card: invitations, contacts, delivery reports, and
 * what lies in a winmail.dat. Each is one JSON object, whose "kind" tells which. */
#include <stdio.h>

#include "server/base/utf8.h"
#include "server/mail/calendar.h"
#include "server/mail/calendar_reply.h"
#include "server/mail/charset.h"
#include "server/mail/html_text.h"
#include "server/mail/report.h"
#include "server/mail/tnef.h"
#include "server/mail/vcard.h"
#include "server/parser/answer_private.h"

enum {
    CARD_BYTES_MAX = 12 * 1024 * 1024,
    DECODED_BYTES_MAX = 64 * 1024 * 1024, /* of a winmail.dat */
    TNEF_TEXT_BYTES_MAX = 1024 * 1024,
    EVENTS_MAX = 50,
    PEOPLE_MAX = 100,
};

static void put_str(struct json *json, const char *name, struct str text)
{
    if (!text.length)
        return;
    json_write_name(json, name);
    json_write_str(json, text);
}

static void put_i64(struct json *json, const char *name, int64_t number)
{
    json_write_name(json, name);
    json_write_i64(json, number);
}

static void put_bool(struct json *json, const char *name, bool is_true)
{
    json_write_name(json, name);
    json_write_bool(json, is_true);
}

static void put_kind(struct json *json, const char *kind)
{
    json_write_name(json, "kind");
    json_write_text(json, kind);
}

/* --- invitations ------------------------------------------------------------------------------ */

static void put_moment(struct json *json, const char *name, const struct calendar_time *time)
{
    if (!time->is_set)
        return;
    json_write_name(json, name);
    json_write_object(json);
    put_i64(json, "at", time->at_us);
    put_str(json, "zone", time->zone);
    put_bool(json, "isDay", time->is_day);
    put_bool(json, "isFloating", time->is_floating);
    json_write_object_end(json);
}

static void put_person(struct json *json, const struct mail_address *address, struct str answer)
{
    json_write_object(json);
    put_str(json, "name", address->name);
    put_str(json, "email", address->email);
    put_str(json, "answer", answer);
    json_write_object_end(json);
}

static void put_event(struct json *json, const struct calendar_event *event)
{
    json_write_object(json);
    put_str(json, "uid", event->uid);
    put_str(json, "summary", event->summary);
    put_str(json, "location", event->location);
    put_str(json, "url", event->url);
    put_str(json, "description", event->description);
    put_str(json, "status", event->status);
    put_str(json, "repeats", event->repeats);
    put_moment(json, "starts", &event->starts);
    put_moment(json, "ends", &event->ends);
    put_bool(json, "isTodo", event->is_todo);
    if (event->organizer.email.length || event->organizer.name.length) {
        json_write_name(json, "organizer");
        put_person(json, &event->organizer, STR_EMPTY);
    }
    json_write_name(json, "attendees");
    json_write_array(json);
    for (size_t i = 0; i < event->attendee_count && i < PEOPLE_MAX; i++)
        put_person(json, &event->attendees[i].address, event->attendees[i].answer);
    json_write_array_end(json);
    put_i64(json, "attendeeCount", (int64_t)event->attendee_count);
    json_write_object_end(json);
}

static bool put_calendar(struct json *json, struct arena *arena, struct str text)
{
    struct calendar calendar;
    if (!calendar_parse(arena, text, &calendar))
        return false;
    json_write_object(json);
    put_kind(json, "calendar");
    put_str(json, "method", calendar.method);
    json_write_name(json, "events");
    json_write_array(json);
    for (size_t i = 0; i < calendar.count && i < EVENTS_MAX; i++)
        put_event(json, &calendar.events[i]);
    json_write_array_end(json);
    put_bool(json, "isCut", calendar.is_cut || calendar.count > EVENTS_MAX);
    json_write_object_end(json);
    return true;
}

/* --- contacts --------------------------------------------------------------------------------- */

static void put_card(struct json *json, const struct vcard *card)
{
    static const char *const kinds[] = {
        [VCARD_EMAIL] = "email",       [VCARD_PHONE] = "phone",  [VCARD_ADDRESS] = "address",
        [VCARD_URL] = "url",           [VCARD_TITLE] = "title",  [VCARD_NOTE] = "note",
        [VCARD_BIRTHDAY] = "birthday", [VCARD_MEMBER] = "member"};
    json_write_object(json);
    put_str(json, "name", card->name);
    put_str(json, "organization", card->organization);
    put_str(json, "uid", card->uid);
    if (card->is_group)
        put_bool(json, "isGroup", true);
    json_write_name(json, "lines");
    json_write_array(json);
    for (size_t i = 0; i < card->count; i++) {
        json_write_object(json);
        json_write_name(json, "kind");
        json_write_text(json, kinds[card->lines[i].kind]);
        put_str(json, "label", card->lines[i].label);
        put_str(json, "value", card->lines[i].value);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

static bool put_contacts(struct json *json, struct arena *arena, struct str text)
{
    struct vcards cards;
    if (!vcard_parse(arena, text, &cards))
        return false;
    json_write_object(json);
    put_kind(json, "contacts");
    json_write_name(json, "cards");
    json_write_array(json);
    for (size_t i = 0; i < cards.count; i++)
        put_card(json, &cards.at[i]);
    json_write_array_end(json);
    put_bool(json, "isCut", cards.is_cut);
    json_write_object_end(json);
    return true;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* The machine-readable part alone, as a report of which it is the only part. */
static struct str as_report(struct arena *arena, const struct mime_part *part, struct str body)
{
    struct buf raw = BUF_INIT(body.length + 1024);
    buf_text(&raw, "Content-Type: multipart/report; boundary=report\r\n\r\n--report\r\n");
    buf_printf(&raw, "Content-Type: %" STR_FMT "\r\n", STR_ARG(part->type));
    if (part->encoding == MIME_BASE64)
        buf_text(&raw, "Content-Transfer-Encoding: base64\r\n");
    if (part->encoding == MIME_QUOTED_PRINTABLE)
        buf_text(&raw, "Content-Transfer-Encoding: quoted-printable\r\n");
    buf_text(&raw, "\r\n");
    buf_str(&raw, body);
    buf_text(&raw, "\r\n--report--\r\n");
    struct str copy = arena_str(arena, buf_view(&raw));
    buf_free(&raw);
    return copy;
}

static bool put_report(struct json *json, struct arena *arena, const struct mime_part *part,
                       struct str body)
{
    struct report report;
    struct str raw = as_report(arena, part, body);
    if (!report_parse(arena, raw, mime_parse(arena, raw), &report))
        return false;
    json_write_object(json);
    put_kind(json, report.kind == REPORT_RECEIPT ? "receipt" : "delivery");
    put_str(json, "messageId", report.message_id);
    put_str(json, "server", report.reporting_mta);
    put_bool(json, "isAutomatic", report.is_automatic);
    json_write_name(json, "recipients");
    json_write_array(json);
    for (size_t i = 0; i < report.count && i < PEOPLE_MAX; i++) {
        const struct report_recipient *recipient = &report.recipients[i];
        json_write_object(json);
        put_str(json, "email", recipient->email);
        json_write_name(json, "action");
        json_write_text(json, report_action_name(recipient->action));
        put_str(json, "status", recipient->status);
        put_str(json, "diagnostic", recipient->diagnostic);
        put_str(json, "server", recipient->remote_mta);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
    return true;
}

/* --- winmail.dat ------------------------------------------------------------------------------ */

/* The visible text of a body that is there as HTML only. */
static struct str html_text(struct arena *arena, const struct tnef *tnef)
{
    char label[24];
    struct buf html = BUF_INIT(ANSWER_TEXT_BYTES_MAX), text = BUF_INIT(TNEF_TEXT_BYTES_MAX);
    snprintf(label, sizeof label, "cp%u", tnef->codepage ? tnef->codepage : 1252);
    charset_decode(&html, tnef->html, str_of(label));
    html_to_text(&text, buf_view(&html), TNEF_TEXT_BYTES_MAX);
    struct str copy = arena_str(arena, utf8_prefix(buf_view(&text), TNEF_TEXT_BYTES_MAX));
    buf_free(&html);
    buf_free(&text);
    return copy;
}

static bool put_tnef(struct json *json, struct arena *arena, struct str bytes)
{
    struct tnef tnef;
    if (!tnef_parse(arena, bytes, &tnef))
        return false;
    json_write_object(json);
    put_kind(json, "winmail");
    put_str(json, "text", tnef.text.length ? tnef.text : html_text(arena, &tnef));
    json_write_name(json, "attachments");
    json_write_array(json);
    for (size_t i = 0; i < tnef.count; i++) {
        json_write_object(json);
        put_str(json, "name", tnef.attachments[i].name);
        put_str(json, "type", tnef.attachments[i].type);
        put_i64(json, "size", (int64_t)tnef.attachments[i].bytes.length);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    put_bool(json, "isCut", tnef.is_cut);
    json_write_object_end(json);
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool write_card(struct json *json, struct arena *arena, const struct mime_part *part,
                       struct str body)
{
    bool is_tnef = tnef_is_likely(part->type, part->name);
    bool is_report = str_equal(part->type, STR("message/delivery-status")) ||
                     str_equal(part->type, STR("message/disposition-notification")) ||
                     str_equal(part->type, STR("message/global-delivery-status"));
    if (is_report)
        return put_report(json, arena, part, body);
    struct buf text = BUF_INIT(is_tnef ? DECODED_BYTES_MAX : ANSWER_TEXT_BYTES_MAX);
    bool is_good;
    if (is_tnef) {
        mime_decode(&text, body, part->encoding);
        is_good = put_tnef(json, arena, buf_view(&text));
    } else {
        mime_decode_text(&text, body, part);
        is_good = str_equal(part->type, STR("text/calendar"))
                      ? put_calendar(json, arena, buf_view(&text))
                      : put_contacts(json, arena, buf_view(&text));
    }
    buf_free(&text);
    return is_good;
}

bool answer_card(struct arena *arena, struct wire *in, struct buf *reply)
{
    struct mime_part part = {0};
    wire_part(in, &part);
    if (in->is_bad)
        return false;
    struct buf text = BUF_INIT(CARD_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    bool is_card = write_card(&json, arena, &part, in->rest) && !text.is_full;
    wire_put_str(reply, is_card ? buf_view(&text) : STR_EMPTY);
    buf_free(&text);
    return true;
}

bool answer_winmail(struct arena *arena, struct wire *in, struct buf *reply)
{
    struct mime_part part = {0};
    struct tnef tnef;
    wire_part(in, &part);
    uint32_t n = wire_u32(in);
    if (in->is_bad)
        return false;
    struct buf bytes = BUF_INIT(DECODED_BYTES_MAX);
    mime_decode(&bytes, in->rest, part.encoding);
    bool is_there = tnef_parse(arena, buf_view(&bytes), &tnef) && n < tnef.count;
    wire_put_u8(reply, is_there);
    wire_put_str(reply, is_there ? tnef.attachments[n].bytes : STR_EMPTY);
    wire_put_str(reply, is_there ? tnef.attachments[n].name : STR_EMPTY);
    buf_free(&bytes);
    return true;
}

bool answer_calendar_reply(struct arena *arena, struct wire *in, struct buf *reply)
{
    struct mime_part part = {0};
    struct calendar_answering how = {.email = STR_EMPTY};
    wire_part(in, &part);
    how.email = wire_str(in);
    uint32_t answer = wire_u32(in);
    how.now_us = (int64_t)wire_u64(in);
    if (in->is_bad || answer >= CALENDAR_ANSWERS)
        return false;
    how.answer = (enum calendar_answer)answer;
    struct buf text = BUF_INIT(ANSWER_TEXT_BYTES_MAX), made = BUF_INIT(CALENDAR_REPLY_BYTES_MAX);
    mime_decode_text(&text, in->rest, &part);
    bool is_made = calendar_reply(arena, buf_view(&text), &how, &made);
    wire_put_str(reply, is_made ? buf_view(&made) : STR_EMPTY);
    buf_free(&text);
    buf_free(&made);
    return true;
}

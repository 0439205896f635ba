#include "handlers/html/cards.h"

#include <jansson.h>

#include "handlers/download.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/search.h"
#include "server/mail/address.h"
#include "server/mail/tnef.h"

enum {
    CARDS_MAX = 5,
    CARD_BYTES_MAX = 512 * 1024, /* of a part as sent; winmail.dat: */
    CONTACTS_SHOWN_MAX = 50,
    WINMAIL_BYTES_MAX = 40 * 1024 * 1024,
    CARD_WAIT_MS = 1500,
};

/* --- values of JSON --------------------------------------------------------------------------- */

static struct str text_of(const json_t *object, const char *name, struct arena *arena)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? arena_str(arena, str_make(json_string_value(value), json_string_length(value)))
               : STR_EMPTY;
}

static void copy_text(struct value *view, const char *name, const json_t *object,
                      struct arena *arena)
{
    view_set_str(view, name, text_of(object, name, arena));
}

/* --- invitations ------------------------------------------------------------------------------ */

/* "Wednesday, 25 November 2026, 14:05", of a whole day without the hour. */
static struct str moment_words(const json_t *moment, struct arena *arena)
{
    int64_t at = json_integer_value(json_object_get(moment, "at"));
    if (!json_is_object(moment))
        return STR_EMPTY;
    bool is_day = json_is_true(json_object_get(moment, "isDay"));
    /* days and floating times are the same wherever one is: shown as they were written */
    if (is_day || json_is_true(json_object_get(moment, "isFloating")))
        at -= search_clock().offset_minutes * INT64_C(60000000);
    struct str words = words_when_long(arena, at);
    if (!is_day)
        return words;
    for (size_t i = words.length; i-- > 0;)
        if (words.at[i] == ',')
            return str_sub(words, 0, i);
    return words;
}

/* An end on the day of the beginning is its time alone: "14:00 – 15:30". */
static struct str without_same_day(struct str ends, struct str starts)
{
    size_t day = ends.length;
    while (day > 0 && ends.at[day - 1] != ',')
        day--;
    bool has_time = str_find_char(str_skip(ends, day), ':') >= 0;
    return has_time && str_starts(starts, str_sub(ends, 0, day)) ? str_trim(str_skip(ends, day))
                                                                 : ends;
}

static const char *answer_words(struct str answer)
{
    static const char *const answers[][2] = {
        {"accepted", "comes"}, {"declined", "does not come"}, {"tentative", "may come"}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (str_equal(answer, str_of(answers[i][0])))
            return answers[i][1];
    return NULL;
}

static void set_person(struct value *view, const json_t *person, struct arena *arena)
{
    struct str name = text_of(person, "name", arena), email = text_of(person, "email", arena);
    view_set_str(view, "name", name);
    view_set_str(view, "email", address_display(arena, email));
    view_set_text(view, "answer", answer_words(text_of(person, "answer", arena)));
}

static void set_event(struct value *view, const json_t *event, struct arena *arena)
{
    size_t i;
    const json_t *person, *organizer = json_object_get(event, "organizer");
    static const char *const texts[] = {"summary", "location", "description"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        copy_text(view, texts[k], event, arena);
    struct str url = text_of(event, "url", arena);
    view_set_url(view, "url", str_starts_nocase(url, STR("https://")) ? url : STR_EMPTY);
    view_set_bool(view, "isCancelled",
                  str_equal(text_of(event, "status", arena), STR("cancelled")));
    view_set_bool(view, "isRepeated", text_of(event, "repeats", arena).length > 0);
    struct str starts = moment_words(json_object_get(event, "starts"), arena);
    struct str ends = moment_words(json_object_get(event, "ends"), arena);
    view_set_str(view, "starts", starts);
    view_set_str(view, "ends", without_same_day(ends, starts));
    copy_text(view, "zone", json_object_get(event, "starts"), arena);
    view_set_text(view, "organizer", NULL);
    if (organizer)
        set_person(view_set_object(view, "organizer"), organizer, arena);
    struct value *attendees = view_set_list(view, "attendees");
    json_array_foreach(json_object_get(event, "attendees"), i, person)
        set_person(view_add_object(attendees), person, arena);
}

static void set_calendar(struct value *card, const json_t *json, struct arena *arena)
{
    size_t i;
    const json_t *event;
    struct value *view = view_set_object(card, "calendar");
    struct str method = text_of(json, "method", arena);
    view_set_bool(view, "isInvitation", str_equal(method, STR("request")));
    view_set_bool(view, "isReply", str_equal(method, STR("reply")));
    view_set_bool(view, "isCancelled", str_equal(method, STR("cancel")));
    struct value *events = view_set_list(view, "events");
    json_array_foreach(json_object_get(json, "events"), i, event)
        set_event(view_add_object(events), event, arena);
}

/* --- contacts and reports --------------------------------------------------------------------- */

static void set_contacts(struct value *card, const json_t *json, const struct email *email,
                         struct str part, struct arena *arena)
{
    size_t i, k;
    const json_t *contact, *line;
    view_set_path(card, "keepUrl", "/mail/%lld/message/%lld/contact/%" STR_FMT,
                  (long long)email->account_id, (long long)email->id, STR_ARG(part));
    view_set_bool(card, "isOneContact", json_array_size(json_object_get(json, "cards")) == 1);
    struct value *list = view_set_list(card, "contacts");
    json_array_foreach(json_object_get(json, "cards"), i, contact)
    {
        if (i == CONTACTS_SHOWN_MAX)
            break;
        struct value *view = view_add_object(list);
        copy_text(view, "name", contact, arena);
        copy_text(view, "organization", contact, arena);
        struct value *lines = view_set_list(view, "lines");
        json_array_foreach(json_object_get(contact, "lines"), k, line)
        {
            struct value *entry = view_add_object(lines);
            copy_text(entry, "kind", line, arena);
            copy_text(entry, "label", line, arena);
            copy_text(entry, "value", line, arena);
        }
    }
}

/* What became of a message, in words. */
static const char *action_words(struct str action)
{
    static const char *const actions[][2] = {
        {"failed", "could not be delivered to"},
        {"delayed", "has not been delivered yet to"},
        {"delivered", "was delivered to"},
        {"relayed", "was passed on towards"},
        {"expanded", "was passed on to the members of"},
        {"displayed", "was opened by"},
        {"deleted", "was deleted unread by"},
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (str_equal(action, str_of(actions[i][0])))
            return actions[i][1];
    return "met something unknown on its way to";
}

static void set_report(struct value *card, const json_t *json, struct arena *arena)
{
    size_t i;
    const json_t *recipient;
    struct value *view = view_set_object(card, "report");
    copy_text(view, "server", json, arena);
    view_set_bool(view, "isAutomatic", json_is_true(json_object_get(json, "isAutomatic")));
    struct value *list = view_set_list(view, "recipients");
    json_array_foreach(json_object_get(json, "recipients"), i, recipient)
    {
        struct value *entry = view_add_object(list);
        view_set_text(entry, "fate", action_words(text_of(recipient, "action", arena)));
        view_set_str(entry, "email", address_display(arena, text_of(recipient, "email", arena)));
        copy_text(entry, "status", recipient, arena);
        copy_text(entry, "diagnostic", recipient, arena);
    }
}

static void set_winmail(struct value *card, const json_t *json, const struct email *email,
                        struct str part, struct arena *arena)
{
    size_t i;
    const json_t *attachment;
    struct value *view = view_set_object(card, "winmail");
    copy_text(view, "text", json, arena);
    struct value *list = view_set_list(view, "attachments");
    json_array_foreach(json_object_get(json, "attachments"), i, attachment)
    {
        struct value *entry = view_add_object(list);
        struct str name = text_of(attachment, "name", arena);
        view_set_str(entry, "name", name.length ? name : STR("Unnamed"));
        view_set_str(entry, "size",
                     words_size(arena, json_integer_value(json_object_get(attachment, "size"))));
        view_set_path(entry, "url", "/mail/%lld/message/%lld/winmail/%" STR_FMT "/%zu",
                      (long long)email->account_id, (long long)email->id, STR_ARG(part), i);
    }
}

/* --- all of a message ------------------------------------------------------------------------- */

struct card {
    const struct mime_part *part;
    struct content_place place;
    struct str json;
};

static int64_t bytes_max(const struct mime_part *part)
{
    return tnef_is_likely(part->type, part->name) ? WINMAIL_BYTES_MAX : CARD_BYTES_MAX;
}

/* An invitation often comes twice, as text to be shown and as a file: the first counts. */
static size_t choose(const struct mime_message *message, struct card *cards)
{
    size_t count = 0;
    for (struct mime_part *part = message->root; part && count < CARDS_MAX;
         part = mime_next(part)) {
        bool is_known = !parser_has_card(part) || !part->id.length ||
                        (int64_t)part->body_length > bytes_max(part);
        for (size_t i = 0; i < count; i++)
            is_known |= str_equal(cards[i].part->type, part->type) &&
                        str_equal(part->type, STR("text/calendar"));
        if (!is_known)
            cards[count++] = (struct card){.part = part};
    }
    return count;
}

static bool look(struct request *req, struct db *db, const struct email *email, struct card *cards,
                 size_t count, struct str *missing, size_t *missing_count, struct error *err)
{
    *missing_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct str bytes;
        struct card *card = &cards[i];
        if (!content_find(req, db, email, card->part, &card->place, err))
            return false;
        if (!card->place.is_here) {
            missing[(*missing_count)++] = card->part->id;
            continue;
        }
        if (!content_read(db, req->arena, &card->place, bytes_max(card->part), &bytes, err) ||
            !parser_card(app_of(req)->parsers, req->arena, card->place.part, bytes, &card->json,
                         err))
            return false;
    }
    return true;
}

/* Whom an answer to its event would go to; empty when none is wanted. */
static struct str organizer_of(const json_t *json, struct arena *arena)
{
    const json_t *event = json_array_get(json_object_get(json, "events"), 0);
    bool is_request = str_equal(text_of(json, "method", arena), STR("request"));
    bool is_todo = json_is_true(json_object_get(event, "isTodo"));
    return is_request && !is_todo ? text_of(json_object_get(event, "organizer"), "email", arena)
                                  : STR_EMPTY;
}

static bool add_card(struct request *req, struct db *db, struct value *list,
                     const struct card *card, const struct email *email, struct error *err)
{
    struct arena *arena = req->arena;
    bool is_good = true;
    json_t *json = json_loadb(card->json.at, card->json.length, 0, NULL);
    struct str kind = text_of(json, "kind", arena);
    struct value *view = view_add_object(list);
    static const char *const names[] = {"calendar", "contacts", "report", "winmail", "keepUrl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        view_set_text(view, names[i], NULL);
    view_set_text(view, "answers", NULL);
    if (str_equal(kind, STR("calendar"))) {
        set_calendar(view, json, arena);
        struct str organizer = organizer_of(json, arena);
        is_good = !organizer.length ||
                  invitation_set(req, db, view, email, card->part->id, organizer, err);
    } else if (str_equal(kind, STR("contacts")))
        set_contacts(view, json, email, card->part->id, arena);
    else if (str_equal(kind, STR("winmail")))
        set_winmail(view, json, email, card->part->id, arena);
    else
        set_report(view, json, arena);
    json_decref(json);
    return is_good;
}

bool cards_set(struct request *req, struct db **db, struct value *view, const struct email *email,
               const struct mime_message *message, struct error *err)
{
    struct card cards[CARDS_MAX];
    struct str missing[CARDS_MAX];
    struct error why = ERROR_INIT;
    struct value *list = view_set_list(view, "cards");
    size_t count = message ? choose(message, cards) : 0, missing_count;
    if (!look(req, *db, email, cards, count, missing, &missing_count, err))
        return false;
    if (missing_count) {
        store_release(app_of(req)->store, db);
        bool is_fetched = content_fetch(req, email, missing, missing_count, CARD_WAIT_MS, &why);
        *db = app_db(req, err);
        if (!*db ||
            (is_fetched && !look(req, *db, email, cards, count, missing, &missing_count, err)))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (cards[i].json.length && !add_card(req, *db, list, &cards[i], email, err))
            return false;
    return true;
}

/* --- a file out of winmail.dat ---------------------------------------------------------------- */

bool html_winmail(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    struct str raw, bytes, name;
    uint32_t n;
    if (!str_to_u32(request_param(req, "n"), &n))
        return error_set(err, ERROR_NOT_FOUND, "There is no such attachment.");
    if (!download_obtain(req, request_param(req, "part"), &email, &place, err))
        return false;
    if (!place.part || !tnef_is_likely(place.part->type, place.part->name) ||
        place.length > WINMAIL_BYTES_MAX)
        return error_set(err, ERROR_NOT_FOUND, "There is no such attachment.");
    struct db *db = app_db(req, err);
    bool is_good = db && content_read(db, req->arena, &place, WINMAIL_BYTES_MAX, &raw, err);
    store_release(app_of(req)->store, &db);
    if (!is_good ||
        !parser_winmail(app_of(req)->parsers, req->arena, place.part, raw, n, &bytes, &name, err))
        return false;
    download_headers(res, STR("application/octet-stream"), name.length ? name : STR("attachment"));
    res->static_body = bytes; /* in the request's arena, which outlives the answer */
    return true;
}

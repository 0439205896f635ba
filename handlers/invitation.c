#include "handlers/invitation.h"

#include <jansson.h>

#include "handlers/download.h"
#include "handlers/note.h"
#include "server/base/clock.h"

enum { INVITATION_BYTES_MAX = 512 * 1024, KEY_BYTES_MAX = 100 };

/* What of the event goes into the message. */
struct invited {
    struct str organizer; /* checked */
    struct str summary;
    struct identity as;
};

static const struct {
    const char *subject, *text;
} words[CALENDAR_ANSWERS] = {
    [CALENDAR_ACCEPTED] = {"Accepted", "accepts the invitation"},
    [CALENDAR_TENTATIVE] = {"Tentative", "may come"},
    [CALENDAR_DECLINED] = {"Declined", "declines the invitation"},
};

static struct str text_of(const json_t *object, const char *name, struct arena *arena)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? arena_str(arena, str_make(json_string_value(value), json_string_length(value)))
               : STR_EMPTY;
}

/* The sender that is among the invited; else the account's first. */
static bool choose_identity(struct request *req, struct db *db, int64_t account_id,
                            const json_t *event, struct identity *as, struct error *err)
{
    const json_t *people = json_object_get(event, "attendees"), *person;
    struct str *emails = ARENA_ARRAY(req->arena, json_array_size(people) + 1, struct str);
    size_t i;
    json_array_foreach(people, i, person) emails[i] = text_of(person, "email", req->arena);
    return identity_among(db, req->arena, account_id, emails, json_array_size(people), as, err);
}

static bool read_invitation(struct request *req, struct db *db, const struct email *email,
                            const struct mime_part *part, struct str bytes, struct invited *invited,
                            struct error *err)
{
    struct str text;
    if (!parser_card(app_of(req)->parsers, req->arena, part, bytes, &text, err))
        return false;
    json_t *json = json_loadb(text.at, text.length, 0, NULL);
    const json_t *event = json_array_get(json_object_get(json, "events"), 0);
    const json_t *organizer = json_object_get(event, "organizer");
    invited->summary = text_of(event, "summary", req->arena);
    bool is_good = choose_identity(req, db, email->account_id, event, &invited->as, err) &&
                   compose_email_check(req->arena, text_of(organizer, "email", req->arena),
                                       &invited->organizer, err);
    json_decref(json);
    return is_good;
}

static bool answer(struct request *req, struct db *db, const struct email *email,
                   const struct content_place *place, enum calendar_answer answer, struct str key,
                   int64_t *submission_id, struct error *err)
{
    struct str bytes, reply;
    struct invited invited;
    struct arena *arena = req->arena;
    if (!content_read(db, arena, place, INVITATION_BYTES_MAX, &bytes, err) ||
        !read_invitation(req, db, email, place->part, bytes, &invited, err))
        return false;
    const struct calendar_answering how = {
        .email = invited.as.email, .answer = answer, .now_us = clock_now_us()};
    if (!parser_calendar_reply(app_of(req)->parsers, arena, place->part, bytes, &how, &reply, err))
        return false;
    struct str who = invited.as.name.length ? invited.as.name : invited.as.email;
    struct str what = invited.summary.length ? invited.summary : email->subject;
    struct note note = {
        .account_id = email->account_id,
        .identity_id = invited.as.id,
        .to = invited.organizer,
        .subject = arena_printf(arena, "%s: %" STR_FMT, words[answer].subject, STR_ARG(what)),
        .text = arena_printf(arena, "%" STR_FMT " %s: %" STR_FMT "\n", STR_ARG(who),
                             words[answer].text, STR_ARG(what)),
        .answers = email,
        .file = reply,
        .file_type = STR("text/calendar; method=REPLY"),
        .file_name = STR("answer.ics"),
        .key = arena_printf(arena, "invitation-%lld-%s-%" STR_FMT, (long long)email->id,
                            calendar_answer_name(answer), STR_ARG(key))};
    return note_send(req, db, &note, submission_id, err) &&
           invitation_answer_put(db, email->account_id, email->id,
                                 str_of(calendar_answer_name(answer)), *submission_id, err);
}

bool invitation_send(struct request *req, struct str part_id, enum calendar_answer how,
                     struct str key, struct email *email, int64_t *submission_id, struct error *err)
{
    struct content_place place;
    if (!part_id.length || !download_obtain(req, part_id, email, &place, err))
        return part_id.length ? false : error_set(err, ERROR_NOT_FOUND, "There is no such part.");
    if (!str_equal(place.part->type, STR("text/calendar")) || place.length > INVITATION_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "This part is no invitation.");
    struct db *db = app_db(req, err);
    bool is_good = db && answer(req, db, email, &place, how, str_sub(key, 0, KEY_BYTES_MAX),
                                submission_id, err);
    store_release(app_of(req)->store, &db);
    return is_good;
}

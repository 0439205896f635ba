/* Buttons that answer an invitation, what was answered, and taking a contact's card over. */
#include "handlers/invitation.h"

#include "handlers/contact_cards.h"
#include "handlers/download.h"
#include "handlers/html/act.h"
#include "handlers/html/cards.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/store/identities.h"

enum { VCARD_PART_BYTES_MAX = 512 * 1024 };

static void set_answer(struct value *view, const struct email *email,
                       const struct invitation_answer *answer, struct arena *arena)
{
    static const char *const said[] = {"You accept", "You may come", "You decline"};
    enum calendar_answer which;
    view_set_text(view, "answered", NULL);
    if (!calendar_answer_read(answer->answer, &which))
        return;
    struct value *given = view_set_object(view, "answered");
    view_set_text(given, "said", said[which]);
    view_set_str(given, "when", words_moment(arena, answer->answered_at, clock_now_us()));
    view_set_bool(given, "isUnderWay", answer->is_under_way);
    view_set_bool(given, "isLost", answer->is_lost);
    view_set_path(given, "outboxUrl", "/mail/%lld/outbox", (long long)email->account_id);
}

bool invitation_set(struct request *req, struct db *db, struct value *view,
                    const struct email *email, struct str part, struct str organizer,
                    struct error *err)
{
    struct invitation_answer answer;
    bool is_own;
    if (!identity_has(db, req->arena, email->account_id, organizer, &is_own, err) ||
        !invitation_answer(db, req->arena, email->account_id, email->id, &answer, err))
        return false;
    if (!organizer.length || is_own)
        return true;
    struct value *form = view_set_object(view, "answers");
    view_set_path(form, "url", "/mail/%lld/message/%lld/invitation/%" STR_FMT,
                  (long long)email->account_id, (long long)email->id, STR_ARG(part));
    view_set_str(form, "key", act_form_key(req->arena));
    view_set_str(form, "organizer", organizer);
    view_set_bool(form, "isAccepted", str_equal(answer.answer, STR("accepted")));
    view_set_bool(form, "isTentative", str_equal(answer.answer, STR("tentative")));
    view_set_bool(form, "isDeclined", str_equal(answer.answer, STR("declined")));
    set_answer(form, email, &answer, req->arena);
    return true;
}

bool html_invitation(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    struct email email;
    enum calendar_answer answer;
    int64_t submission_id;
    if (!request_form(req, &form, err))
        return false;
    if (!calendar_answer_read(form_text(&form, "answer"), &answer))
        return error_set(err, ERROR_INVALID, "An answer is yes, maybe or no.");
    if (!invitation_send(req, request_param(req, "part"), answer, form_text(&form, "key"), &email,
                         &submission_id, err))
        return false;
    page_go_back(res, &form);
    return true;
}

/* A vCard of the message into the address book. */
bool html_card_keep(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    struct str bytes, id = request_param(req, "part");
    size_t count;
    if (!id.length)
        return error_set(err, ERROR_NOT_FOUND, "There is no such part.");
    if (!download_obtain(req, id, &email, &place, err))
        return false;
    if (!parser_has_card(place.part) || place.length > VCARD_PART_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "This part holds no contact.");
    struct db *db = app_db(req, err);
    bool is_read = db && content_read(db, req->arena, &place, VCARD_PART_BYTES_MAX, &bytes, err);
    store_release(app_of(req)->store, &db);
    if (!is_read || !contact_cards_import_part(req, place.part, bytes, &count, err))
        return false;
    response_redirect(res, STR("/contacts?saved=1"));
    return true;
}

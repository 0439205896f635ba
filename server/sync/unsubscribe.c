#include "server/sync/unsubscribe.h"

#include "server/mail/sender.h"
#include "server/store/emails.h"
#include "server/sync/web_fetch.h"

enum { UNSUBSCRIBE_MS = 10000 };

bool unsubscribe_run(struct slice *slice, const struct operation *operation,
                     const json_t *arguments, struct str *result, struct error *err)
{
    struct email email;
    struct envelope envelope;
    struct sender_unsubscribe ways;
    struct error why = ERROR_INIT;
    (void)result;
    if (!email_by_id(slice->db, slice->arena, operation->account_id,
                     json_integer_value(json_object_get(arguments, "emailId")), &email, err))
        return false;
    envelope_read_json(slice->arena, email.header_json, email.from_json, &envelope);
    if (!sender_unsubscribe(slice->arena, &envelope, &ways) || !ways.is_one_click)
        return error_set(err, ERROR_INVALID, "This list offers no way out by one click.");
    if (web_post(slice->sync, arena_text(slice->arena, ways.https), "List-Unsubscribe=One-Click",
                 UNSUBSCRIBE_MS, &why))
        return true;
    /* not tried again by itself: the person sees what came of it, and may */
    return error_set(err, ERROR_NOT_FOUND, "The list did not take it: %s", why.message);
}

#include "handlers/look.h"

#include "handlers/lately.h"
#include "server/store/mailboxes.h"

bool look_at_mailbox(const struct request *req, struct db *db, int64_t account_id,
                     int64_t mailbox_id, struct error *err)
{
    struct lately *looked = app_of(req)->looked;
    if (lately_knows(looked, account_id, mailbox_id))
        return true;
    lately_note(looked, account_id, mailbox_id, MAILBOX_LOOK_REST_MS);
    return mailbox_look(db, account_id, mailbox_id, err);
}

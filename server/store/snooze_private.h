/* What actions (actions.h) tell of messages that are snoozed. */
#ifndef RESTANTE_STORE_SNOOZE_PRIVATE_H
#define RESTANTE_STORE_SNOOZE_PRIVATE_H

#include "server/store/db.h"

/* Locks what is snoozed in the account: before the messages that snooze_note tells of. */
bool snooze_hold(struct db *db, int64_t account_id, struct error *err);
/* They come back at `until` to where they lie: email_ids[n] in mailbox_ids[n]. Of several places of
 * one message the inbox is its place; one that lies in the folder itself comes back to where it was
 * to come back to. Posted: an error shows with the next statement that is waited for. */
bool snooze_note(struct db *db, int64_t account_id, int64_t folder_id, int64_t until,
                 const int64_t *email_ids, const int64_t *mailbox_ids, size_t count,
                 struct error *err);

#endif

/* Bodies: the text of recent mail ahead of time, and any part or whole message when asked for. */
#ifndef RESTANTE_SYNC_IMAP_BODY_H
#define RESTANTE_SYNC_IMAP_BODY_H

#include "server/sync/imap_session.h"
#include "server/sync/operations.h"

/* One batch of text parts that the account's policy wants here. `*is_done`: nothing is left. */
bool imap_prefetch_text(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                        struct error *err);

/* The same under the policy "everything": whole messages, many at once (imap_wholes.c). */
bool imap_prefetch_wholes(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                          struct error *err);

/* Fetches them into blobs, in one transaction, a chunk at a time. ERROR_NOT_FOUND: the message is
 * nowhere upstream any more. */
bool imap_fetch_body(struct slice *slice, const struct body_wanted *wanted, struct error *err);

#endif

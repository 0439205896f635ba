/* Folders that people opened (NOTIFY "look", handlers/look.h) are asked for out of turn: servers
 * tell by themselves only of the one that is selected, and those with NOTIFY not always of the
 * others (Dovecot not of what a delivery agent put into a Maildir behind its back). */
#ifndef RESTANTE_SYNC_IMAP_LOOK_H
#define RESTANTE_SYNC_IMAP_LOOK_H

#include "server/sync/slice.h"

struct session_mailbox;

/* Notes that somebody opened the mailbox. By one thread at a time, whichever runs the slice. */
void imap_look_ask(struct worker_account *account, int64_t mailbox_id);
/* Whether something is noted. Any thread. */
bool imap_look_is_asked(const struct worker_account *account);
/* Forgets what needs no look: a parked connection tells of it by itself, or it was looked at just
 * now. True: some are left. */
bool imap_look_is_due(struct worker_account *account);
/* Takes what is noted, asks the server for the state of those folders in one round trip, and makes
 * those stale that have news. `opened`: room for WORKER_OPENED_MAX, which are to come first. */
bool imap_look_take(struct slice *slice, struct session_mailbox **opened, size_t *count,
                    struct error *err);

#endif

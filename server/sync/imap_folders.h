/* The folders of an IMAP account: listed upstream, planned (folders.h), written here. */
#ifndef RESTANTE_SYNC_IMAP_FOLDERS_H
#define RESTANTE_SYNC_IMAP_FOLDERS_H

#include "server/sync/imap_session.h"

/* Asks what is new in the selected mailbox, lists all folders with their STATUS (imap_look), brings
 * the mailboxes here in line, loads their cursors into the session anew, and marks those stale
 * where the server has something that is not here. */
bool imap_refresh_folders(struct slice *slice, struct error *err);
/* Whether the server's STATUS (NULL: it told none) says that something is there that is not here,
 * or flags are to be asked for again that no STATUS tells of. */
bool imap_folder_has_news(const struct imap_session *session, const struct session_mailbox *mailbox,
                          const struct imap_status *status);

#endif

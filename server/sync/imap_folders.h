/* The folders of an IMAP account: listed upstream, planned (folders.h), written here. */
#ifndef RESTANTE_SYNC_IMAP_FOLDERS_H
#define RESTANTE_SYNC_IMAP_FOLDERS_H

#include "server/sync/imap_session.h"

/* Asks what is new in the selected mailbox, lists all folders with their STATUS (imap_look), brings
 * the mailboxes here in line, loads their cursors into the session anew, and marks those stale
 * where the server has something that is not here. */
bool imap_refresh_folders(struct slice *slice, struct error *err);

#endif

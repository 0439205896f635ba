/* What people did here, carried out on the mail server exactly once. Each ends its operation
 * itself, in one transaction with what became of it. What the server refuses for good is undone
 * here.
 *
 * STORE, UID EXPUNGE and UID MOVE may be sent again after a lost answer; COPY may not: where the
 * target stood is journaled before, and looked at before a second try. */
#ifndef RESTANTE_SYNC_IMAP_REPLAY_H
#define RESTANTE_SYNC_IMAP_REPLAY_H

#include "server/sync/imap_session.h"
#include "server/sync/operations.h"

operation_fn imap_replay_keywords;
operation_fn imap_replay_move;
operation_fn imap_replay_copy;
operation_fn imap_replay_destroy;

/* Folders (imap_replay_folders.c). The folders are listed again afterwards. */
operation_fn imap_replay_mailbox_create;
operation_fn imap_replay_mailbox_rename;
operation_fn imap_replay_mailbox_delete;
operation_fn imap_replay_mailbox_subscribe;
operation_fn imap_replay_mailbox_unsubscribe;

#endif

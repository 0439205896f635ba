/* Parked connections: an account with nothing to do waits in IDLE, with NOTIFY for its other
 * folders where the server has that, in as little memory as can be. The scheduler watches the
 * socket. */
#ifndef RESTANTE_SYNC_IMAP_PARKED_H
#define RESTANTE_SYNC_IMAP_PARKED_H

#include "server/sync/imap_session.h"

/* Opens the inbox and begins to wait; shortens slice->wait_ms to when IDLE is to be renewed.
 * `*is_parked` false: the server has no IDLE, or has told of something already (then wait_ms is 0).
 */
bool imap_park_session(struct slice *slice, bool *is_parked, struct error *err);
/* Data came: reads it. False when the account needs a slice: there are news, or the connection is
 * broken. True: it goes on waiting. */
bool imap_parked_listen(struct imap_session *session);
/* Back to commands. False: the connection broke while it waited. */
bool imap_unpark_session(struct imap_session *session, struct error *err);

#endif

/* The IMAP connection of one account and what is going on over it. Belongs to the worker thread
 * that runs the account's slice. */
#ifndef RESTANTE_SYNC_IMAP_SESSION_H
#define RESTANTE_SYNC_IMAP_SESSION_H

#include "server/imap/client.h"
#include "server/imap/set.h"
#include "server/sync/slice.h"

/* A mailbox under way. */
struct session_mailbox {
    struct replica_mailbox known; /* as in the database; texts in the session's arena */
    bool is_stale;       /* the server told of something new: look at it */
    bool has_backfill;   /* `below` was asked for in this session */
    struct imap_set below; /* UIDs that are not here yet, ascending */
    bool wants_text;     /* bodies to prefetch may be left */
};

struct imap_session {
    struct imap_client *client;
    struct arena *arena;   /* of `mailboxes`; made anew at each refresh */
    struct session_mailbox *mailboxes;
    size_t mailbox_count;
    int64_t refresh_at_ms; /* monotonic: when the folders are listed again */
    bool is_refresh_failed_once;
    bool has_settled;      /* everything was here once in this session */
};

/* Connects and signs in if there is no connection, or an old one is broken. */
bool imap_session_open(struct slice *slice, struct error *err);
void imap_session_free(struct imap_session **session);

/* The mailbox with that id, or NULL. */
struct session_mailbox *imap_session_mailbox(struct imap_session *session, int64_t mailbox_id);
/* Selects it unless it is selected. UIDVALIDITY is checked: `*is_reset` tells that it changed, and
 * nothing known by UID holds any more. */
bool imap_session_select(struct slice *slice, struct session_mailbox *mailbox, bool *is_reset,
                         struct error *err);

#endif

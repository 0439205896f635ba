/* Bringing one mailbox up to date, a batch at a time: what is new, what changed, what is gone, and
 * what lies further back. Each batch is one transaction with its cursor (see store/replica.h), so
 * that it may end anywhere. */
#ifndef RESTANTE_SYNC_IMAP_PULL_H
#define RESTANTE_SYNC_IMAP_PULL_H

#include "server/sync/imap_session.h"

enum {
    PULL_FIRST_PAGE = 50, /* what a person sees first */
    PULL_BATCH = 500,
    PULL_VANISHED_MAX = 20000, /* more than that are compared instead */
    PULL_RESETS_MAX = 5,       /* in a session: a server that loses its numbers each time */
};

/* News: messages above the cursor, changed flags, expunged messages; the first page of a mailbox
 * never seen. One bounded step: is_stale stays set while more is to be done. */
bool imap_pull_news(struct slice *slice, struct session_mailbox *mailbox, struct error *err);
/* UIDVALIDITY changed, or the server was set back: nothing known by UID holds (RFC 9051 section
 * 2.3.1.1). The rows stay until they are met again, so that bodies are not fetched twice.
 * ERROR_REFUSED, of the mailbox: once too often in this session. */
bool imap_pull_reset(struct slice *slice, struct session_mailbox *mailbox, struct error *err);
/* Batches downwards until the slice is over or an operation waits. `*is_complete`: everything is
 * here. */
bool imap_pull_backfill(struct slice *slice, struct session_mailbox *mailbox, bool *is_complete,
                        struct error *err);

#endif

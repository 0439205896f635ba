/* Fetching header fields of a batch of messages and turning them into rows. */
#ifndef RESTANTE_SYNC_IMAP_FETCH_H
#define RESTANTE_SYNC_IMAP_FETCH_H

#include "server/sync/imap_session.h"

/* What is asked for: a set of UIDs, or message numbers. */
struct fetch_wanted {
    struct imap_set *uids; /* NULL: by number */
    uint32_t seq_low, seq_high;
};

struct fetched_emails {
    struct replica_email *at; /* in the arena given, ascending by UID */
    size_t count;
    bool *is_poison; /* which of them felled two parsers */
};

/* Messages that the server does not tell of are gone meanwhile; ones that were not asked for are
 * left out. */
bool imap_fetch_headers(struct slice *slice, struct arena *arena, const struct fetch_wanted *wanted,
                        struct fetched_emails *fetched, struct error *err);
/* Adds them to a batch, marking what is poison. */
bool imap_fetch_store(struct replica_batch *batch, int64_t mailbox_id,
                      struct fetched_emails *fetched, struct error *err);

#endif

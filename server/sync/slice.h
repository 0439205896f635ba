/* What one slice of work for one account has at hand: from loading the account to giving the
 * connection to the database back. */
#ifndef RESTANTE_SYNC_SLICE_H
#define RESTANTE_SYNC_SLICE_H

#include "server/store/leases.h"
#include "server/sync/worker.h"

struct slice {
    const struct sync_context *sync;
    struct worker_account *account;
    struct db *db;
    struct arena *arena; /* reset after each step */
    struct account_work work;
    struct secret secret; /* of the incoming server */
    int64_t end_ms;       /* monotonic: other accounts' turn then */
    int64_t wait_ms;      /* what the kind's slice function answers, see worker_result */
};

/* True when the slice should end at the next safe point. */
bool slice_is_over(const struct slice *slice);

/* The slice functions of each kind: connect where needed, operations, then sync. */
bool imap_slice(struct slice *slice, struct error *err);
bool pop3_slice(struct slice *slice, struct error *err);

#endif

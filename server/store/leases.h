/* Which sync process works for which account, and what it tells people about it. Sync role only. */
#ifndef RESTANTE_STORE_LEASES_H
#define RESTANTE_STORE_LEASES_H

#include "server/store/accounts.h"

/* Takes up to `limit` accounts that are due (next_sync_at passed, or an operation waits whose
 * not_before has passed) and that nobody holds, for `lease_s` seconds; FOR UPDATE SKIP LOCKED. */
bool lease_due(struct db *db, struct arena *arena, struct str owner, int lease_s, int limit,
               int64_t **account_ids, size_t *count, struct error *err);
/* The accounts that `owner` holds and somebody wants something of now: for NOTIFYs that were lost.
 */
bool lease_wanted(struct db *db, struct arena *arena, struct str owner, int64_t **account_ids,
                  size_t *count, struct error *err);
/* Takes one account if nobody else holds it; ERROR_CONFLICT otherwise. */
bool lease_take(struct db *db, int64_t account_id, struct str owner, int lease_s,
                struct error *err);
/* The heartbeat for all this process holds: one row. Accounts lost meanwhile stay lost; a slice
 * finds out by account_work.lease_owner. */
bool lease_renew(struct db *db, struct str owner, int lease_s, struct error *err);
/* Gives it back, to be looked at again at `next_sync_at`; nothing if it was lost already. */
bool lease_release(struct db *db, int64_t account_id, struct str owner, int64_t next_sync_at,
                   struct error *err);
/* At start: what a former life of this process held. */
bool lease_release_all(struct db *db, struct str owner, struct error *err);
/* Microseconds UTC of the earliest next_sync_at or operation of the accounts that nobody holds, to
 * sleep until; 0: none. */
bool lease_next_due(struct db *db, int64_t *at, struct error *err);

/* An account with its sealed secrets. ERROR_NOT_FOUND: it was removed. */
struct account_work {
    struct account account;
    struct str secret, smtp_secret;
    struct str lease_owner; /* who holds or last held it: another's name, if it was lost */
};
bool account_work_load(struct db *db, struct arena *arena, int64_t account_id,
                       struct account_work *work, struct error *err);

/* Status for people. `why` NULL for states without an error. Writes a change row only if the state
 * or the sentence changed. */
bool account_set_state(struct db *db, int64_t account_id, enum sync_state state,
                       const struct error *why, struct error *err);
/* The server for outgoing mail refuses the account (`why`), or takes it (NULL). Writes a change row
 * only if that is news. */
bool account_set_sending(struct db *db, int64_t account_id, const struct error *why,
                         struct error *err);
/* Without a change row: the batches write theirs. */
bool account_set_progress(struct db *db, int64_t account_id, int64_t done, int64_t total,
                          struct error *err);
/* A complete pass: state current, synced_at now, failures 0. Empty capabilities stay as they are. A
 * change row only if the state was another. */
bool account_set_synced(struct db *db, int64_t account_id, struct str capabilities,
                        struct error *err);
/* When this process will look again, for people to see and for others should it die. */
bool account_set_next_sync(struct db *db, int64_t account_id, int64_t at, struct error *err);
/* The same after a pass that began when next_sync_at was `began_at`: unless somebody asked for
 * another one meanwhile (`*is_asked`). */
bool account_set_next_pass(struct db *db, int64_t account_id, int64_t began_at, int64_t at,
                           bool *is_asked, struct error *err);
/* pop3_expire_days; < 0: not told. */
bool account_set_expire(struct db *db, int64_t account_id, int days, struct error *err);
/* One more failure in a row; returns the new number. */
bool account_count_failure(struct db *db, int64_t account_id, int *failures, struct error *err);

/* Deletes a slice (some hundred emails, at last the account's own row) of an account that was
 * removed, or whose person was, once a sync process that worked on it has had time to notice.
 * `*is_more` false: nothing of the kind is left. A transaction of its own. */
bool account_purge(struct db *db, bool *is_more, struct error *err);

#endif

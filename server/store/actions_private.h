/* An action as part of something larger that is to be true in the same transaction. */
#ifndef RESTANTE_STORE_ACTIONS_PRIVATE_H
#define RESTANTE_STORE_ACTIONS_PRIVATE_H

#include "server/store/actions.h"
#include "server/store/replica_private.h"

/* Whether it may be asked for at all; one on everything that matches names no messages. */
bool action_check(const struct action *action, bool is_bulk, struct error *err);
/* An atom of IMAP (RFC 9051 section 9) that is no system flag. */
bool action_is_word(struct str word);
/* Whether a request with this key (empty: none) was carried out before: then its operations. */
bool action_find_known(struct db *db, struct arena *arena, int64_t account_id, struct str key,
                       struct action_result *result, bool *is_known, struct error *err);
/* action_run within a batch that the caller commits: at most one action in each, since it locks the
 * account's row after the placements. */
bool action_run_in(struct replica_batch *batch, struct arena *arena, const struct action *action,
                   struct action_result *result, struct error *err);

/* action_undo of one operation. With a key (empty: none) the opposite action is done once. */
bool action_undo_one(struct db *db, struct arena *arena, int64_t account_id, int64_t operation_id,
                     struct str key, struct action_result *result, struct error *err);

/* The same of one on a folder. */
bool mailbox_undo(struct db *db, struct arena *arena, int64_t account_id, int64_t operation_id,
                  struct str key, struct action_result *result, struct error *err);

/* Lays over a folder what is pending of it, within a batch. */
bool mailbox_fold(struct replica_batch *batch, int64_t mailbox_id, struct error *err);

#endif

/* The account's own row as the rest of the room writes it: ids, and the change log. Both lock that
 * row until the transaction ends, so take them late and do nothing slow after them. */
#ifndef RESTANTE_STORE_CHANGES_PRIVATE_H
#define RESTANTE_STORE_CHANGES_PRIVATE_H

#include "server/store/db.h"
#include "server/store/operations.h"

/* Reserves `count` ids of the account's own series, `*first` and those after it. Outside of a
 * transaction the row is locked no longer than the statement; gaps are harmless. ERROR_NOT_FOUND:
 * no such account, or not the viewer's. */
bool account_next_ids(struct db *db, int64_t account_id, int64_t count, int64_t *first,
                      struct error *err);

/* Within the caller's transaction: gives out the account's next modseq, writes a row for each of
 * `changes` (each type at most once; those without any id are left out, `modseq` in them is
 * ignored) and NOTIFYs "change <account> <modseq>" at commit. With `modseq` NULL all of it is
 * posted: it travels with the next statement or the commit. Otherwise it costs one round trip, and
 * `*modseq` is the number, or 0 when there was nothing to write. */
bool changes_write(struct db *db, int64_t account_id, const struct change *changes, size_t count,
                   int64_t *modseq, struct error *err);
/* The same for a single type and its ids that were updated; posted. */
bool changes_write_updated(struct db *db, int64_t account_id, enum change_type type,
                           const int64_t *ids, size_t count, struct error *err);

#endif

/* What drafts.c and submissions.c share. */
#ifndef RESTANTE_STORE_DRAFTS_PRIVATE_H
#define RESTANTE_STORE_DRAFTS_PRIVATE_H

#include "server/store/drafts.h"

/* NULL for ANSWERS_NOTHING. */
const char *answers_how_name(enum answers_how how);
enum answers_how answers_how_parse(struct str name);

/* Within a transaction: hides the draft while it is sent, or shows it again; with its folder's
 * count and change rows. A draft that is gone is no error. `*is_changed` (may be NULL): it was not
 * so already. */
bool draft_hide(struct db *db, int64_t account_id, int64_t email_id, bool is_hidden,
                bool *is_changed, struct error *err);
/* Within a transaction: deletes it; it was sent. */
bool draft_drop(struct db *db, int64_t account_id, int64_t email_id, struct error *err);

#endif

/* What drafts.c, identities.c and the files of submissions share. */
#ifndef RESTANTE_STORE_DRAFTS_PRIVATE_H
#define RESTANTE_STORE_DRAFTS_PRIVATE_H

#include "server/store/db.h"
#include "server/store/drafts.h"
#include "server/store/identities.h"

extern const char draft_missing[]; /* a sentence */

/* The columns of draft_by_id, draft_attachments and identity_list, in their order. */
void draft_read(struct db_rows *rows, struct arena *arena, int64_t account_id, struct draft *draft);
struct draft_attachment *draft_attachments_read(struct db_rows *rows, struct arena *arena,
                                                size_t *count);
struct identity *identities_read(struct db_rows *rows, struct arena *arena, int64_t account_id,
                                 size_t *count);

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

/* Drafts upstream, so that other programs show them: one that nobody has changed for a while is
 * appended to the Drafts folder, in place of its earlier revision. */
#ifndef RESTANTE_SYNC_DRAFT_FILE_H
#define RESTANTE_SYNC_DRAFT_FILE_H

#include "server/sync/slice.h"

enum { DRAFT_SETTLED_S = 30 };

/* After a slice with its IMAP session open. False: the session cannot go on, or the database
 * failed. */
bool draft_file_settled(struct slice *slice, struct error *err);

#endif

/* Organising: opening a message, and what forms of a mailbox or a message need. */
#ifndef RESTANTE_HANDLERS_HTML_ACT_H
#define RESTANTE_HANDLERS_HTML_ACT_H

#include "handlers/html/list.h"

/* Marks a message as read because it is being opened: for a GET that the person made, not for one
 * that another site or a prefetching browser did. What goes wrong is logged and nothing more. */
void act_open(const struct request *req, struct db *db, struct email *email);

/* What the forms of a page need: `formKey`, `actUrl`, `undoUrl`, `listUrl`, `eventsUrl`, `hereUrl`
 * (this page without what was told), `openId` (the message that is open, if any), and which actions
 * make sense in the folder: `can`. */
void act_set_forms(const struct request *req, struct value *page, const struct mailbox *mailbox,
                   const struct mailbox *mailboxes, size_t count, int64_t open_id);

/* A fresh idempotency key for the forms of a page. */
struct str act_form_key(struct arena *arena);

#endif

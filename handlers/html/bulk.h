/* Actions on everything that a folder or a search has, on pages: how far they are, ended, taken
 * back. */
#ifndef RESTANTE_HANDLERS_HTML_BULK_H
#define RESTANTE_HANDLERS_HTML_BULK_H

#include "handlers/html/page.h"

/* Appends to the list `bulks` of `view` what runs in the account and what ended just now: `words`,
 * `done` of `total`, `isRunning`, `canUndo`, `cancelUrl`, `undoUrl`. `back`: arguments that lead
 * back to the page ("mailbox=4"). */
bool bulk_set_news(const struct request *req, struct db *db, struct value *list, int64_t account_id,
                   struct str back, struct error *err);

#endif

/* Telling people what became of what they did. */
#ifndef RESTANTE_HANDLERS_HTML_TOLD_H
#define RESTANTE_HANDLERS_HTML_TOLD_H

#include "handlers/html/page.h"
#include "server/store/operations.h"

/* "3 messages moved to Trash": what the operations of one action did together, read from their
 * rows. Empty when a person asked for none of them. */
struct str told_words(const struct request *req, struct db *db, const struct operation *operations,
                      size_t count);

/* `notice`: what ?done=12-13 (operations of this account) did, with a way back where there is one,
 * or what ?said=... stands for. Nothing that others write into an address gets onto the page. */
bool told_set_notice(const struct request *req, struct db *db, struct value *page,
                     const struct account *account, struct error *err);

/* The same on a page of several accounts: ?done=1.12-13~2.5 names the account before the
 * operations.
 */
bool told_set_notice_of_all(const struct request *req, struct db *db, struct value *page,
                            struct error *err);

/* `waiting` ("3 changes wait for the mail server"), `refused` and `bulks` (bulk.h, which tells what
 * `back` is) of the account's view. */
bool told_set_news(const struct request *req, struct db *db, struct value *view,
                   const struct account *account, struct str back, struct error *err);

#endif

/* The two left panes of mail: folders, and one keyset page of a folder's messages. */
#ifndef RESTANTE_HANDLERS_HTML_LIST_H
#define RESTANTE_HANDLERS_HTML_LIST_H

#include "handlers/html/page.h"
#include "server/store/emails.h"
#include "server/store/labels.h"
#include "server/store/mailboxes.h"

enum { LIST_ROWS = 50 };

/* Which page of the list a request asks for: ?after=... or ?before=...; neither: the newest. */
struct list_place {
    struct email_cursor cursor;
    bool is_backward;
};
struct list_place list_place_of(const struct request *req);
/* The same as a query ("?after=1-2") to stay on this page; empty for the newest. */
struct str list_query(struct arena *arena, struct list_place place);

/* `folders`: all of an account as mailbox_list gives them, with the current one marked. */
void list_set_folders(const struct request *req, struct value *page,
                      const struct mailbox *mailboxes, size_t count, int64_t current_id);
/* What the panes left of a message show, asked for once a page. */
struct panes {
    struct account *accounts, *account; /* all of the person's, and the one shown */
    struct mailbox *mailboxes, *mailbox;
    struct label *labels; /* of the account */
    size_t account_count, mailbox_count, label_count;
};
/* `rows`, `newerUrl`, `olderUrl`; the row of `current_id` (0: none) marked. */
bool list_set_rows(const struct request *req, struct db *db, struct value *page,
                   const struct panes *panes, struct list_place place, int64_t current_id,
                   struct error *err);
/* What people call a folder. */
struct str list_folder_name(const struct mailbox *mailbox);
/* The whole way to it where folders are chosen: "Sent", "Inbox/Clients/North". */
struct str list_folder_path(struct arena *arena, const struct mailbox *mailbox);
/* "Work account, Inbox". */
struct str list_place_name(struct arena *arena, const struct account *account,
                           const struct mailbox *mailbox);
/* Whether an empty folder is empty only because its first messages are still on their way. */
bool list_is_awaited(const struct account *account, const struct mailbox *mailbox);
/* Has the next round trip bring all that the folder's page asks: see mailbox_page_foresee. */
void list_foresee(const struct request *req, struct db *db, int64_t account_id, int64_t mailbox_id);
/* ERROR_NOT_FOUND unless the account is the person's and has the folder. */
bool list_load_panes(struct request *req, struct db *db, int64_t account_id, int64_t mailbox_id,
                     struct panes *panes, struct error *err);
/* All three panes' common part: accounts, folders, rows, `mailbox` and `account` of the view. */
bool list_set_panes(struct request *req, struct db *db, struct value *page,
                    const struct panes *panes, int64_t current_email_id, struct error *err);

#endif

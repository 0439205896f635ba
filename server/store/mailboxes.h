/* Folders as people see them (RFC 8621 section 2). */
#ifndef RESTANTE_STORE_MAILBOXES_H
#define RESTANTE_STORE_MAILBOXES_H

#include "server/store/store.h"

enum mailbox_role {
    ROLE_NONE,
    ROLE_INBOX,
    ROLE_DRAFTS,
    ROLE_SENT,
    ROLE_TRASH,
    ROLE_JUNK,
    ROLE_ARCHIVE,
    ROLE_ALL,
    ROLE_FLAGGED,
    ROLE_IMPORTANT,
    ROLE_COUNT
};
/* "inbox"…, NULL for ROLE_NONE: the names of RFC 8621 section 2 and the IANA registry. */
const char *mailbox_role_name(enum mailbox_role role);
enum mailbox_role mailbox_role_parse(struct str name);

struct mailbox {
    int64_t account_id, id;
    int64_t parent_id; /* 0: top */
    struct str name;   /* last part, for people */
    struct str path;
    struct str delimiter; /* empty: flat */
    enum mailbox_role role;
    int sort_order; /* the person's, or by the role, or 100 */
    bool is_subscribed, is_selectable, is_local;
    int total, unread;
    int upstream_total; /* of so many, while syncing */
    bool is_complete;   /* every message's header fields are here */
};

/* All of an account in the order to show: by sort order, which is roles first unless the person has
 * chosen another, then by name; children behind their parent. */
bool mailbox_list(struct db *db, struct arena *arena, int64_t account_id,
                  struct mailbox **mailboxes, size_t *count, struct error *err);
bool mailbox_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                   struct mailbox *mailbox, struct error *err);
bool mailbox_by_role(struct db *db, struct arena *arena, int64_t account_id, enum mailbox_role role,
                     struct mailbox *mailbox, struct error *err);

enum { MAILBOX_LOOK_REST_MS = 5000 };
/* Tells the sync role that somebody opened the folder: it looks there for news. For a folder that
 * no mail server has, or that the viewer may not see, nothing is told. Travels with the next
 * statement. Not to be repeated within MAILBOX_LOOK_REST_MS. */
bool mailbox_look(struct db *db, int64_t account_id, int64_t id, struct error *err);

enum { MAILBOX_UNSORTED = -1, MAILBOX_SORT_MAX = 1000000 };
/* The person's own order, which mail servers have no word for: `first` becomes the sort order of
 * the first of `ids`, which are in the order wanted, and is counted on; MAILBOX_UNSORTED: none is
 * chosen any more. Ids that are no folders are passed over. */
bool mailbox_sort(struct db *db, int64_t account_id, const int64_t *ids, size_t count, int first,
                  struct error *err);

#endif

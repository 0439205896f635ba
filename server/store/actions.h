/* What people do with their messages: mark, move, copy, trash, destroy. An action is one
 * transaction: the overlay that people see at once (placement.pending_*, is_hidden), the counts by
 * difference, the rows of the change log, and the operation that the sync role carries out upstream
 * (at the NOTIFY, or when the server is up again). In local mailboxes (POP3, for one) the change is
 * the whole of it.
 *
 * What each operation lays over which placement stands in operation_item; when it ends the overlay
 * is folded anew from what else is pending (replay.h). */
#ifndef RESTANTE_STORE_ACTIONS_H
#define RESTANTE_STORE_ACTIONS_H

#include "server/store/emails.h"
#include "server/store/store.h"

enum action_kind {
    ACTION_KEYWORDS, /* set and clear */
    ACTION_MOVE,
    ACTION_COPY,
    ACTION_TRASH,   /* to the mailbox with role trash; what lies there, or in junk, is destroyed */
    ACTION_DESTROY, /* for good: "empty trash" is this with the whole mailbox */
};

enum { ACTION_EMAILS_MAX = 100000 };

struct action {
    enum action_kind kind;
    /* Which messages: these; or all of a conversation; or (neither) all of the mailbox. */
    const int64_t *email_ids;
    size_t email_count;
    int64_t thread_id;
    int64_t mailbox_id; /* only where they lie in this mailbox; 0: wherever they lie */
    int set, clear;     /* KEYWORDS: enum email_flag bits, no FLAG_DELETED */
    const struct str *add_words, *remove_words; /* KEYWORDS: keywords that are not bits */
    size_t add_count, remove_count;
    int64_t target_id;          /* MOVE, COPY: a mailbox */
    int64_t until;              /* MOVE to the folder of snooze.h: back then, UTC microseconds; 0 */
    bool destroys_nothing;      /* TRASH: what lies in trash already stays, junk goes there too */
    struct str idempotency_key; /* empty: none; at most 200 bytes */
};

struct action_result {
    int64_t *operation_ids; /* in the arena: one for each mailbox concerned; for action_undo */
    size_t operation_count;
    size_t changed; /* how many placements look different now */
    /* In the arena: those of action->email_ids that were there, in ascending order. Not of a key
     * that was known. */
    int64_t *found_ids;
    size_t found_count;
};

/* ERROR_NOT_FOUND: no such mailbox, or none of the emails is there (any more). ERROR_CONFLICT: the
 * target cannot hold messages, or there is no trash. ERROR_INVALID: words that cannot be keywords.
 * ERROR_LIMIT: more than ACTION_EMAILS_MAX messages at once. An idempotency key that is known
 * changes nothing and gives the earlier operations. */
bool action_run(struct db *db, struct arena *arena, int64_t account_id, const struct action *action,
                struct action_result *result, struct error *err);

/* Takes an action back. What has not begun is cancelled; what is done, or being done, gets the
 * opposite action: flags as they were, messages moved back, copies destroyed. ERROR_CONFLICT: what
 * was destroyed cannot come back. `result` (may be NULL) has the operations of the opposite. */
bool action_undo(struct db *db, struct arena *arena, int64_t account_id,
                 const int64_t *operation_ids, size_t count, struct action_result *result,
                 struct error *err);

/* --- folders ---------------------------------------------------------------------------------- */

/* Seen at once, like everything here, and carried out upstream when the mail server answers; what
 * it refuses for good is undone here. In a POP3 account that is the whole of it. All are taken back
 * by action_undo; a folder that came to be deleted comes back with what its deletion put into
 * Trash. Names are checked: ERROR_INVALID for control characters, the delimiter, an empty one or
 * one that is too long; ERROR_CONFLICT for a place that is taken and for a mailbox with a role that
 * cannot be renamed or deleted (inbox). */
bool mailbox_create(struct db *db, struct arena *arena, int64_t account_id, int64_t parent_id,
                    struct str name, struct str idempotency_key, struct action_result *result,
                    struct error *err);
bool mailbox_rename(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    int64_t parent_id, struct str name, struct str idempotency_key,
                    struct action_result *result, struct error *err);
/* ERROR_CONFLICT unless it is empty or `with_emails`: they go to Trash; those of Trash, and where
 * there is none, are destroyed. Mailboxes below it stay. ERROR_LIMIT: more than ACTION_EMAILS_MAX.
 */
bool mailbox_delete(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    bool with_emails, struct str idempotency_key, struct action_result *result,
                    struct error *err);
bool mailbox_subscribe(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                       bool is_subscribed, struct str idempotency_key, struct action_result *result,
                       struct error *err);

#endif

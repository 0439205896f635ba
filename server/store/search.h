/* Finding messages: by words through an index, by what is known of them, or both. The caller (a
 * handler) makes a tree of conditions from what a person typed (mail/query.h); here it becomes a
 * tsquery for PostgreSQL, typed bounds, and what is left is decided row by row. */
#ifndef RESTANTE_STORE_SEARCH_H
#define RESTANTE_STORE_SEARCH_H

#include "server/store/emails.h"

enum {
    SEARCH_CONDITIONS_MAX = 250,
    SEARCH_PAGE_MAX = 100,
    SEARCH_RANKED_MAX = 300, /* by relevance: chosen among that many newest */
};

enum search_kind {
    SEARCH_ALL_OF,     /* its children; without any it matches everything */
    SEARCH_ANY_OF,     /* one of its children */
    SEARCH_NONE_OF,    /* not its one child */
    SEARCH_WORDS,      /* `words` in the places of `weights` */
    SEARCH_ATTACHMENT, /* has one */
    SEARCH_FLAG,       /* `flag` is set, or (not is_set) is not */
    SEARCH_KEYWORD,    /* `text` is among the keywords, in any case of its letters */
    SEARCH_MAILBOX,    /* is in one of `mailbox_ids` */
    SEARCH_BEFORE,     /* received before `number`, UTC microseconds */
    SEARCH_AFTER,      /* at or after it */
    SEARCH_LARGER,     /* more than `number` bytes */
    SEARCH_SMALLER,    /* fewer */
};

/* The tsvector weights that words.h gives; or-ed. */
enum search_place {
    SEARCH_IN_BODY = 1 << 0,
    SEARCH_IN_TO = 1 << 1,
    SEARCH_IN_FROM = 1 << 2,
    SEARCH_IN_SUBJECT = 1 << 3,
    SEARCH_ANYWHERE = 15,
};

struct search_word {
    struct str lexeme;
    unsigned position; /* from 1; counts in phrases */
    bool is_prefix;
};

struct search_condition {
    enum search_kind kind;
    const struct search_word *words;
    size_t word_count;
    unsigned weights; /* enum search_place */
    bool is_phrase;
    enum email_flag flag;
    bool is_set;
    struct str text;
    const int64_t *mailbox_ids; /* none: matches nothing */
    size_t mailbox_count;
    int64_t number;
    struct search_condition *first_child, *next;
};

/* A place in what was found: what comes behind it is next. {0}: the beginning. Newest first it is
 * the last message seen, by relevance (`position`) how many were. */
struct search_cursor {
    int64_t received_at, account_id, id;
    int position;
};

enum search_order { SEARCH_NEWEST_FIRST, SEARCH_BY_RELEVANCE };

struct search_request {
    const int64_t *account_ids; /* the viewer's */
    /* Of each account, since mailboxes differ. */
    const struct search_condition *const *conditions;
    size_t account_count;
    enum search_order order;
    struct search_cursor cursor;
    int limit; /* at most SEARCH_PAGE_MAX */
};

struct search_answer {
    struct email *emails; /* mailbox_id: one that it is seen in */
    size_t count;
    bool has_more;
    struct search_cursor next; /* of the last one */
};

/* One page of what is found. ERROR_LIMIT when the conditions are too many. */
bool search_emails(struct db *db, struct arena *arena, const struct search_request *request,
                   struct search_answer *answer, struct error *err);

/* --- saved searches --------------------------------------------------------------------------- */

struct saved_search {
    int64_t id;
    struct str name, query;
};

bool saved_search_list(struct db *db, struct arena *arena, int64_t user_id,
                       struct saved_search **searches, size_t *count, struct error *err);
/* One of the same name is replaced. */
bool saved_search_put(struct db *db, int64_t user_id, struct str name, struct str query,
                      int64_t *id, struct error *err);
/* ERROR_NOT_FOUND: there is none. */
bool saved_search_delete(struct db *db, int64_t user_id, int64_t id, struct error *err);

/* --- for sync --------------------------------------------------------------------------------- */

struct search_place_found {
    int64_t email_id, received_at;
};
/* Everything that one account has of it, newest first, `most` at most (all are looked for at once).
 * `user_id`: whose account it is. */
bool search_all(struct db *db, struct arena *arena, int64_t account_id, int64_t user_id,
                const struct search_condition *condition, size_t most, int64_t **email_ids,
                size_t *count, struct error *err);
/* The messages of a mailbox with these UIDs, as far as they are here. */
bool search_of_uids(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    const int64_t *uids, size_t uid_count, struct search_place_found **found,
                    size_t *count, struct error *err);

/* --- written by sync -------------------------------------------------------------------------- */

/* The words of a message that is here (tsvectorrecv form), in place of those it had. */
bool search_put(struct db *db, int64_t account_id, int64_t email_id, struct str words,
                struct error *err);
/* Adds the words of its text, which came later; to be called before replica_text_settled. */
bool search_append(struct db *db, int64_t account_id, int64_t email_id, struct str words,
                   struct error *err);

#endif

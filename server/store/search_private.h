/* Conditions as PostgreSQL and the rows of search.sql know them. */
#ifndef RESTANTE_STORE_SEARCH_PRIVATE_H
#define RESTANTE_STORE_SEARCH_PRIVATE_H

#include "server/base/buf.h"
#include "server/store/search.h"

enum { SEARCH_LEAVES_MAX = 60, SEARCH_QUERY_BYTES_MAX = 64 * 1024 };

/* What narrows the search from the top of the tree, and what is to be asked of each row. */
struct search_plan {
    struct str words;  /* a tsquery; empty: none */
    bool is_indexable; /* `words` asks for something that must be there */
    int64_t since, until;
    int64_t larger, smaller;
    int attachment; /* > 0: must have one; < 0: must have none */
    int flags_set, flags_clear;
    int64_t mailbox_id; /* 0: any */
    bool is_never;      /* contradicts itself, or asks for a mailbox that is not here */
    bool has_rest;      /* conditions deeper in the tree: search_matches */
    struct str leaves[SEARCH_LEAVES_MAX]; /* tsqueries within the rest */
    size_t leaf_count;
};

struct search_row {
    int64_t id, received_at, size_bytes;
    bool has_attachment;
    int flags;
    struct str keywords;
    const int64_t *mailboxes;
    size_t mailbox_count;
    uint64_t hits; /* a bit for each of the plan's leaves */
};

/* ERROR_LIMIT: too much of it. */
bool search_plan(struct arena *arena, const struct search_condition *condition,
                 struct search_plan *plan, struct error *err);
/* Whether the row meets the whole tree, leaves of words as `hits` says, words at the top being met.
 */
bool search_matches(const struct search_condition *condition, const struct search_row *row);

#endif

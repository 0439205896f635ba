/* Searching as pages and API share it: what was typed becomes conditions for the store, and what is
 * found shows where the words stand. */
#ifndef RESTANTE_HANDLERS_SEARCH_H
#define RESTANTE_HANDLERS_SEARCH_H

#include "handlers/app.h"
#include "server/mail/query.h"
#include "server/store/accounts.h"
#include "server/store/search.h"

struct search_wanted {
    struct str text;                /* as typed */
    const struct account *accounts; /* where */
    size_t account_count;
    enum search_order order;
    struct str cursor; /* what `next` of the page before was; empty: the first page */
    int limit;
};

struct search_found {
    struct query *query;
    struct str understood; /* the query in our way of writing */
    struct word *words;    /* all that were looked for, to be marked */
    size_t word_count;
    struct search_answer answer;
    struct str
        *places;     /* of each email: where its text has the words, as safe HTML; mostly empty */
    struct str next; /* cursor of the next page; empty: this was the last */
};

/* ERROR_INVALID, with a hint, for what cannot be understood: also for a folder that none of the
 * accounts has. */
bool search_run(const struct request *req, struct db *db, const struct search_wanted *wanted,
                struct search_found *found, struct error *err);

/* Whether it can be understood: what is carried out later must be (ERROR_INVALID, with a hint). */
bool search_check(const struct request *req, struct db *db, int64_t account_id, struct str text,
                  struct error *err);

/* Subject and preview of what was found as safe HTML, the words marked; where the words stand only
 * in the text, `preview` is that place of it. Empty when none of them is met. */
void search_snippets(struct arena *arena, const struct search_found *found,
                     const struct email *email, struct str *subject, struct str *preview);

/* The clock of the person who asks: the server's zone. */
struct query_clock search_clock(void);

/* What the mail server itself finds: searched there by the sync role, since texts that are not here
 * yet have no words here. One account; waits up to `wait_ms`. ERROR_TIMEOUT: still under way. */
struct search_upstream {
    int64_t *email_ids; /* newest first, at most SEARCH_UPSTREAM_MAX */
    size_t count;
    int64_t unknown; /* messages that were found and are not here at all yet */
    bool is_cut;
};
enum { SEARCH_UPSTREAM_MAX = 200 };
bool search_upstream(struct request *req, int64_t account_id, struct str text, int64_t wait_ms,
                     struct search_upstream *found, struct error *err);

#endif

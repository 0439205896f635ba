/* An action under way: what the files of actions share. actions.c looks what is there,
 * action_decide.c says what becomes of each placement, action_perform.c does it. */
#ifndef RESTANTE_STORE_ACTING_PRIVATE_H
#define RESTANTE_STORE_ACTING_PRIVATE_H

#include "server/store/actions_private.h"

/* What becomes of one placement. */
enum deed { DEED_NOTHING, DEED_KEYWORDS, DEED_MOVE, DEED_COPY, DEED_DESTROY };

struct place {
    int64_t email_id, mailbox_id;
    int flags;
    struct str words;
    bool is_upstream; /* has a uid */
    bool is_awaited;  /* pending, or to be met again */
    enum deed deed;
    bool is_direct; /* done here and now: nothing to do upstream */
    int set, clear; /* flags that really change */
    int64_t target_id;
};

struct folder {
    int64_t id;
    enum mailbox_role role;
    bool is_selectable, is_local;
};

/* Places with the same deed: what becomes one operation. */
struct run {
    const struct place *first;
    size_t count;
    int64_t *email_ids;
};

struct acting {
    struct db *db;
    struct arena *arena; /* the caller's */
    int64_t account_id;
    const struct action *action;
    struct replica_batch *batch;
    struct folder *folders;
    size_t folder_count;
    struct place *places;
    size_t place_count;
    struct run *runs;
    size_t run_count;
    struct db_rows *enqueued; /* of each run: the id of its operation, once it was sent */
    struct action_result *result;
};

/* NULL: not of this account. */
const struct folder *acting_folder(const struct acting *acting, int64_t id);
/* Gives each place its deed. */
bool acting_decide(struct acting *acting, struct error *err);
/* Does all of it, counts included, in runs of places with the same deed. */
bool acting_perform(struct acting *acting, struct error *err);
/* An operation for each run, to be carried out upstream or, where it was done here for good, to be
 * taken back: posted, and locks the account's row. */
bool acting_enqueue(struct acting *acting, struct error *err);
/* Once they were sent: their ids go into the result. */
bool acting_take_operations(struct acting *acting, struct error *err);

#endif

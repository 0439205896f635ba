/* What people asked to be done upstream, carried out over the account's session: what is the same
 * for IMAP and POP3. */
#ifndef RESTANTE_SYNC_OPERATIONS_H
#define RESTANTE_SYNC_OPERATIONS_H

#include <jansson.h>

#include "server/store/operations.h"
#include "server/sync/slice.h"

/* Carries one out; `result` is JSON for who waits, empty: {}. */
typedef bool operation_fn(struct slice *slice, const struct operation *operation,
                          const json_t *arguments, struct str *result, struct error *err);

struct operation_kind {
    const char *name;
    operation_fn *run;
    /* `run` ends the operation itself, together with what became of it: true means that it has
     * ended, well or for good; false that it waits to be tried again. */
    bool ends_itself;
};
struct operation_kinds {
    const struct operation_kind *at;
    size_t count;
    /* Whether the session can go on after a failure. */
    bool (*is_alive)(const struct slice *slice);
};

/* Whether trying again later can help: what concerns the connection is not the operation's fault.
 */
bool operation_may_pass(const struct error *why);

/* Runs what is due, in order, until none is left. False when the session cannot go on (the
 * operation under way then waits for the next one). */
bool operations_run(struct slice *slice, const struct operation_kinds *kinds, struct error *err);

enum { BODY_PARTS_MAX = 32 };
/* fetch-body: {"emailId": n, "parts": ["1", …]} or {"emailId": n, "whole": true} */
struct body_wanted {
    int64_t email_id;
    bool is_whole; /* the raw message; else: */
    struct str parts[BODY_PARTS_MAX];
    size_t part_count;
};
/* Slices of `arguments`. ERROR_INVALID: no part was named. */
bool operation_read_body(const json_t *arguments, struct body_wanted *wanted, struct error *err);

#endif

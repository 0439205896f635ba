/* Waiting for the sync role: a handler that wrote a trial or an urgent operation waits here until
 * the answer's NOTIFY comes, or the time is up. One LISTEN connection serves the whole process; a
 * lost NOTIFY only delays (the row is looked at again each second). */
#ifndef RESTANTE_HANDLERS_WAIT_H
#define RESTANTE_HANDLERS_WAIT_H

#include "handlers/app.h"
#include "server/base/clock.h"
#include "server/store/accounts.h"
#include "server/store/operations.h"

/* `places`: how many requests may wait at once; further ones, and whoever has half of
 * them already, get ERROR_TIMEOUT at once. Fewer than the request threads, so that reading goes on
 * while others wait for slow mail servers. */
struct waiters *waiters_new(struct store *store, int places, struct error *err);
/* Nobody waits any more: who does gets ERROR_TIMEOUT at once. For the end of the service, which
 * shall not wait for slow mail servers. */
void waiters_stop(struct waiters *waiters);
void waiters_free(struct waiters **waiters);

/* Waits for the result of a trial and fills it; ERROR_TIMEOUT when the sync role did not answer
 * (it may be down), with what to do. No database connection is held while waiting. */
bool wait_for_trial(struct request *req, struct str trial_id, int64_t user_id,
                    struct deadline deadline, struct trial *trial, struct error *err);
/* Waits until an operation is done or has failed; fills it. ERROR_TIMEOUT: it goes on by itself. */
bool wait_for_operation(struct request *req, int64_t account_id, int64_t operation_id,
                        struct deadline deadline, struct operation *operation, struct error *err);

/* For event streams: calls back on the listener's thread for each "change <account> <modseq>", and
 * with account 0 when it is time to end. The function must not call waiters_*. */
typedef void change_watch_fn(void *context, int64_t account_id, int64_t modseq);
struct change_watch;
struct change_watch *waiters_watch(struct waiters *waiters, change_watch_fn *changed,
                                   void *context);
void waiters_unwatch(struct waiters *waiters, struct change_watch **watch);

#endif

/* A POP3 session of one account: the connection, what lies in the maildrop, and what is to be done
 * with it. The maildrop is locked for others meanwhile, so it is kept no longer than it takes.
 * Belongs to the worker thread that runs the account's slice. */
#ifndef RESTANTE_SYNC_POP3_SESSION_H
#define RESTANTE_SYNC_POP3_SESSION_H

#include <stdatomic.h>

#include "server/pop3/client.h"
#include "server/sync/pop3_plan.h"
#include "server/sync/slice.h"

struct pop3_session {
    struct pop3_client *client;
    struct arena *arena; /* of the plan and all it refers to */
    struct pop3_plan plan;
    size_t next;             /* the first step whose message may still have to be fetched */
    atomic_size_t remaining; /* messages still to be fetched */
    int64_t run_bytes;       /* asked for at once; 0: nothing was yet */
    int64_t inbox_id;
    int64_t asked_at; /* next_sync_at when it began: another value is another wish */
    int64_t end_ms;   /* monotonic: then it is brought to its end, and another one follows; 0: no
                         message was asked for yet, so that some come in each */
};

/* Connects, signs in, lists and plans, unless that was done. What the listing tells of known
 * messages is written down. */
bool pop3_session_open(struct slice *slice, struct error *err);
/* Messages were got for long enough: other programs wait for the maildrop. */
bool pop3_session_is_over(const struct pop3_session *session);
/* Marks what the policy removes, says goodbye, and once that is answered writes down what is gone.
 * Frees the session. */
bool pop3_session_finish(struct slice *slice, struct error *err);
/* Closes without QUIT, so that nothing is removed; takes NULL inside. */
void pop3_session_free(struct pop3_session **session);

/* The row that a step's message has here, or is about to get. */
struct pop3_uidl pop3_session_row(const struct pop3_session *session, const struct pop3_step *step);

#endif

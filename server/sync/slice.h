/* What one slice of work for one account has at hand: from loading the account to giving the
 * connection to the database back. */
#ifndef RESTANTE_SYNC_SLICE_H
#define RESTANTE_SYNC_SLICE_H

#include "server/store/leases.h"
#include "server/sync/worker.h"

struct slice {
    const struct sync_context *sync;
    struct worker_account *account;
    struct db *db;
    struct arena *arena; /* reset after each step */
    struct account_work work;
    struct secret secret; /* of the incoming server */
    bool was_told;        /* of something meanwhile: perhaps that its policy is another one now */
    int64_t end_ms;       /* monotonic: other accounts' turn then */
    int64_t wait_ms;      /* what the kind's slice function answers, see worker_result */
    bool has_turn;        /* it stood in line for a connection, and may make it now */
    bool is_put_off;      /* it stands in line, for a host that is down if `is_host_down` */
    bool is_host_down;
    int64_t host_wait_ms; /* until the host is tried again; 0: the failure is not the host's */
};

/* True when the slice should end at the next safe point. */
bool slice_is_over(const struct slice *slice);

/* The connection to the database, had or got; given back while a mail server may be long. */
bool slice_take_db(struct slice *slice, struct error *err);
void slice_leave_db(struct slice *slice);

/* Whether the account may connect to that server now. False: the slice is put off, and `err` says
 * what is wrong with the host if that is why. Then slice_met or slice_missed tells what came of it.
 */
bool slice_may_connect(struct slice *slice, const struct server_settings *server,
                       struct error *err);
void slice_met(struct slice *slice);
/* `step`: how far it came. */
void slice_missed(struct slice *slice, enum stream_step step, const struct error *why);

/* Status for people: an account that is new is being worked on; one that could not be reached, or
 * was refused, is so until a connection stands, so that they see since when. */
bool slice_tell_new(struct slice *slice, struct error *err);
bool slice_tell_open(struct slice *slice, struct error *err);

/* The slice functions of each kind: connect where needed, operations, then sync. */
bool imap_slice(struct slice *slice, struct error *err);
bool pop3_slice(struct slice *slice, struct error *err);
/* That of sending, on a lane of its own; false only when the database fails. */
bool send_slice(struct slice *slice, struct error *err);

#endif

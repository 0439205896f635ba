/* One account for one bounded slice: its operations first, then the next batches of its sync. */
#ifndef RESTANTE_SYNC_WORKER_H
#define RESTANTE_SYNC_WORKER_H

#include <stdatomic.h>

#include "server/sync/hosts.h"
#include "server/sync/sync.h"

enum { WORKER_OPENED_MAX = 4 }; /* folders opened at once; of more the last */

struct imap_session;
struct pop3_session;
struct smtp_client;
struct transfer_spool;

/* One of the lanes of an account that this process holds: of reading, or of sending. They run
 * beside each other, since neither of their mail servers should wait for the other. Everything but
 * the flags belongs to the worker thread that runs the lane's slice. */
struct worker_account {
    int64_t id;
    atomic_bool has_operations;                /* set by NOTIFY; looked at between batches */
    atomic_bool is_stopping;                   /* the process is about to end */
    _Atomic int64_t opened[WORKER_OPENED_MAX]; /* mailboxes; 0: none. See imap_look.h */
    bool is_urgent;          /* the slice under way: somebody waits for something */
    int64_t reconnect_at_ms; /* monotonic: not tried again before, whoever asks */
    struct hosts *hosts;     /* of the lane: sync_context's hosts or sending_hosts */
    struct host_place place; /* at its server's host there */
    int64_t reports_seen;    /* the email up to which reports were looked for; 0: none was */
    int64_t doubted_at_ms;   /* monotonic: a connection was given up for what it listed; 0: never */
    struct imap_session *imap;    /* the connection kept between slices, or NULL */
    struct pop3_session *pop3;    /* the same; only while there is something to get */
    struct transfer_spool *spool; /* of the import under way, or NULL */
    struct smtp_client *smtp;     /* of sending: kept while there is more to send */
    int failures;                 /* of sending, in a row */
};

struct worker_result {
    int64_t wait_ms; /* until the next slice; 0: more to do, at the end of the queue */
    bool keeps_due;  /* there was nothing to do: wait_ms is not told, what was planned holds */
    bool is_held_up; /* it waits for its time or its turn, whatever folders people open */
    bool is_gone;    /* the account was deleted, or another process has it */
    int parked_fd;   /* watch it: the account wants a slice when it is readable; -1: none */
};

/* `is_asked`: its time has come, or somebody wants something; else only its parked connection has
 * something to tell. */
struct worker_result worker_slice(const struct sync_context *sync, struct worker_account *account,
                                  bool is_asked);
/* The same for what it sends. */
struct worker_result worker_send(const struct sync_context *sync, struct worker_account *account);
/* Says goodbye to the server and frees the connection. */
void worker_account_close(struct worker_account *account);

#endif

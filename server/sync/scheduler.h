/* Which account is worked on when. Keeps the accounts that this process holds a lease on, hands
 * those that are due (by time, by an operation, later by data on a parked connection) to the worker
 * pool one slice at a time, and puts them at the end of the queue again if they have more to do.
 * What an account sends has slices of its own, and threads that the others do not wait for. */
#ifndef RESTANTE_SYNC_SCHEDULER_H
#define RESTANTE_SYNC_SCHEDULER_H

#include "server/sync/sync.h"

struct scheduler;

struct scheduler *scheduler_new(const struct sync_context *sync, struct error *err);
/* Waits for the slices that run (they look at the stop flag between batches), gives the leases
 * back, frees; clears the caller's pointer. */
void scheduler_free(struct scheduler **scheduler);
/* One turn: renews and takes leases, queues what is due. Returns how many milliseconds may pass
 * until the next turn. */
int scheduler_turn(struct scheduler *scheduler);
/* A file descriptor that becomes readable when the next turn should come at once. */
int scheduler_wakeup_fd(const struct scheduler *scheduler);
/* A NOTIFY payload, or an empty one: look at everything. Any thread. */
void scheduler_notified(struct scheduler *scheduler, struct str payload);

#endif

/* A fixed number of threads that take jobs from one bounded queue. */
#ifndef RESTANTE_BASE_WORKPOOL_H
#define RESTANTE_BASE_WORKPOOL_H

#include <stdbool.h>
#include <stddef.h>

struct workpool;

typedef void workpool_job(void *context);

/* Starts `threads` threads (stacks of 1 MiB) with room for `capacity` waiting jobs. NULL if the
 * system gives no threads. `name` is what `ps -T` shows (15 characters). */
struct workpool *workpool_new(const char *name, int threads, size_t capacity);
/* Lets the queued jobs finish, joins the threads, frees; clears the caller's pointer. */
void workpool_free(struct workpool **pool);
/* Hands over a job; false when the queue is full or the pool is stopping. Any thread. */
bool workpool_add(struct workpool *pool, workpool_job *job, void *context);

#endif

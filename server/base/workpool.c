#include "server/base/workpool.h"

#include <pthread.h>
#include <stdlib.h>

enum { STACK_BYTES = 1024 * 1024 };

struct job {
    workpool_job *run;
    void *context;
};

struct workpool {
    pthread_mutex_t lock; /* guards all below but `threads` */
    pthread_cond_t changed;
    struct job *ring;
    size_t capacity, first, count;
    bool is_stopping;
    int thread_count;
    pthread_t threads[];
};

static void *work(void *context)
{
    struct workpool *pool = context;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->count == 0 && !pool->is_stopping)
            pthread_cond_wait(&pool->changed, &pool->lock);
        if (pool->count == 0)
            break;
        struct job job = pool->ring[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        pool->count--;
        pthread_mutex_unlock(&pool->lock);
        job.run(job.context);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct workpool *workpool_new(const char *name, int threads, size_t capacity)
{
    struct workpool *pool = calloc(1, sizeof *pool + (size_t)threads * sizeof *pool->threads);
    if (!pool)
        abort();
    pool->ring = calloc(capacity, sizeof *pool->ring);
    if (!pool->ring)
        abort();
    pool->capacity = capacity;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (; pool->thread_count < threads; pool->thread_count++) {
        pthread_t *thread = &pool->threads[pool->thread_count];
        if (pthread_create(thread, &attributes, work, pool) != 0)
            break;
        pthread_setname_np(*thread, name);
    }
    pthread_attr_destroy(&attributes);
    if (pool->thread_count < threads)
        workpool_free(&pool);
    return pool;
}

void workpool_free(struct workpool **owner)
{
    struct workpool *pool = *owner;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->ring);
    free(pool);
    *owner = NULL;
}

bool workpool_add(struct workpool *pool, workpool_job *job, void *context)
{
    pthread_mutex_lock(&pool->lock);
    bool has_room = pool->count < pool->capacity && !pool->is_stopping;
    if (has_room) {
        size_t at = (pool->first + pool->count) % pool->capacity;
        pool->ring[at] = (struct job){job, context};
        pool->count++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return has_room;
}

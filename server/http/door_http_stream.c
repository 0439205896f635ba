/* A handler writes, libmicrohttpd asks: between them is a ring. The writer waits while it is full;
 * the reader suspends its connection while it is empty (returning 0 without that would spin). All
 * of it under one lock, so that a suspended connection is published only once it is suspended. */
#include <stdlib.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/http/door_http_private.h"

enum {
    RING_BYTES = 128 * 1024,
    EVENTS_RING_BYTES = 4 * 1024, /* hundreds of them are open, each nearly always empty */
    NAP_MS = 500,                 /* how late a waiting writer notices that the door stops */
};

static bool write_stream(struct response_sink *sink, struct str bytes);

void stream_init(struct stream *stream)
{
    pthread_condattr_t monotonic;
    *stream = (struct stream){.sink.write = write_stream};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&stream->has_room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&stream->lock, NULL);
}

void stream_release(struct stream *stream)
{
    free(stream->ring);
    pthread_mutex_destroy(&stream->lock);
    pthread_cond_destroy(&stream->has_room);
}

static struct http_exchange *exchange_of(struct stream *stream)
{
    return (struct http_exchange *)((char *)stream - offsetof(struct http_exchange, stream));
}

bool stream_may_wait(const struct http_exchange *exchange)
{
    int64_t bytes = exchange->base.res.stream_bytes;
    return bytes < 0 || bytes > RING_BYTES;
}

void stream_open(struct http_exchange *exchange)
{
    struct stream *stream = &exchange->stream;
    stream->size = exchange->base.res.is_events ? EVENTS_RING_BYTES : RING_BYTES;
    stream->ring = malloc(stream->size);
    if (!stream->ring)
        abort();
}

/* With the lock held. */
static void resume_reader(struct stream *stream)
{
    if (!stream->is_suspended || stream->is_gone)
        return;
    stream->is_suspended = false;
    MHD_resume_connection(exchange_of(stream)->connection);
}

/* With the lock held: waits for the client to take something. A client may take its time as long as
 * it keeps the least rate over the whole stream; only the time that the writer waited counts. */
static bool wait_for_room(struct stream *stream)
{
    struct http_exchange *exchange = exchange_of(stream);
    const struct door_options *options = exchange->base.options;
    int64_t most_ms =
        options->transfer_ms + (int64_t)(stream->written / (unsigned)options->transfer_rate);
    if (stream->blocked_ms >= most_ms) {
        client_set_deadline(exchange->client, 0);
        return false;
    }
    int64_t began_ms = clock_monotonic_ms();
    int64_t until_ms = began_ms + NAP_MS;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&stream->has_room, &stream->lock, &until);
    stream->blocked_ms += clock_monotonic_ms() - began_ms;
    return !stream->is_gone && !atomic_load(&exchange->door->is_stopping);
}

static size_t put(struct stream *stream, struct str bytes)
{
    size_t end = (stream->first + stream->used) % stream->size;
    size_t length = stream->size - stream->used;
    if (length > stream->size - end)
        length = stream->size - end;
    if (length > bytes.length)
        length = bytes.length;
    memcpy(stream->ring + end, bytes.at, length);
    stream->used += length;
    stream->written += length;
    return length;
}

static bool write_stream(struct response_sink *sink, struct str bytes)
{
    struct stream *stream = (struct stream *)(void *)sink;
    struct http_exchange *exchange = exchange_of(stream);
    int64_t promised = exchange->base.res.stream_bytes;
    pthread_mutex_lock(&stream->lock);
    bool is_open = !stream->is_gone && !atomic_load(&exchange->door->is_stopping) &&
                   (promised < 0 || bytes.length <= (uint64_t)promised - stream->written);
    while (is_open && bytes.length > 0) {
        if (stream->used == stream->size) {
            is_open = wait_for_room(stream);
            continue;
        }
        bytes = str_skip(bytes, put(stream, bytes));
        resume_reader(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return is_open;
}

void stream_run(struct http_exchange *exchange)
{
    struct stream *stream = &exchange->stream;
    struct response *res = &exchange->base.res;
    struct error err = ERROR_INIT;
    bool is_good = res->stream(&stream->sink, res->stream_context, &err);
    pthread_mutex_lock(&stream->lock);
    stream->has_ended = true;
    stream->has_failed =
        !is_good || (res->stream_bytes >= 0 && stream->written < (uint64_t)res->stream_bytes);
    bool is_ours = stream->has_failed && !stream->is_gone;
    resume_reader(stream);
    if (!stream->is_gone)
        client_set_deadline(exchange->client, exchange->base.options->transfer_ms);
    pthread_mutex_unlock(&stream->lock);
    if (is_ours)
        LOG_WARN("http.stream", log_str("request", str_of(exchange->base.req.id)), LOG_ERR(&err));
}

ssize_t stream_read(void *cls, uint64_t position, char *target, size_t size)
{
    struct http_exchange *exchange = cls;
    struct stream *stream = &exchange->stream;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&stream->lock);
    if (stream->used > 0) {
        size_t length = stream->size - stream->first;
        if (length > stream->used)
            length = stream->used;
        if (length > size)
            length = size;
        memcpy(target, stream->ring + stream->first, length);
        stream->first = (stream->first + length) % stream->size;
        stream->used -= length;
        pthread_cond_signal(&stream->has_room);
        result = (ssize_t)length;
    } else if (stream->has_ended) {
        result = stream->has_failed ? MHD_CONTENT_READER_END_WITH_ERROR
                                    : MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(exchange->connection);
        stream->is_suspended = true;
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

void stream_abandon(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->is_gone = true;
    pthread_cond_signal(&stream->has_room);
    pthread_mutex_unlock(&stream->lock);
}

/* The HTTP door's parts: door_http.c (requests and answers), door_http_head.c
 * (what a head may look like), door_http_stream.c (streaming bodies),
 * door_http_clients.c (connections, their deadlines and their number). */
#ifndef RESTANTE_HTTP_DOOR_HTTP_PRIVATE_H
#define RESTANTE_HTTP_DOOR_HTTP_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/base/workpool.h"
#include "server/http/apart.h"
#include "server/http/door_http.h"
#include "server/http/sink_private.h"

/* --- connections --- */

enum { CLIENT_BUCKETS = 512 };

/* A connection; lives from libmicrohttpd's STARTED to its CLOSED notice. */
struct client {
    struct client *next;
    struct client **link; /* what points here */
    unsigned char address[16];
    bool has_address;
    int fd;
    _Atomic int64_t deadline_ms; /* when it is cut off (monotonic); INT64_MAX: not */
};

struct clients {
    pthread_mutex_t lock; /* guards all below but the deadlines */
    pthread_cond_t stopping;
    bool is_stopping;
    struct client *buckets[CLIENT_BUCKETS]; /* by address (IPv6: its /64) */
    pthread_t reaper;
};

/* Starts the thread that cuts off what is past its deadline. */
bool clients_start(struct clients *clients, struct error *err);
void clients_stop(struct clients *clients);
struct client *clients_add(struct clients *clients, const struct sockaddr *peer, int fd);
void clients_remove(struct clients *clients, struct client *client);
/* How many connections this address (IPv6: its /64) has. */
int clients_of_address(struct clients *clients, const unsigned char address[16]);
void client_set_deadline(struct client *client, int64_t in_ms);
void client_clear_deadline(struct client *client);

/* --- streams --- */

/* The pipe between a handler that writes and libmicrohttpd that reads. */
struct stream {
    struct response_sink sink; /* first: response_write hands it back to us */
    pthread_mutex_t lock;      /* guards all below */
    pthread_cond_t has_room;
    char *ring; /* allocated when the stream begins */
    size_t size, first, used;
    uint64_t written;
    int64_t blocked_ms; /* the writer waited for the client so long in all */
    bool is_suspended;  /* the reader found nothing and suspended its connection */
    bool has_ended, has_failed;
    bool is_gone; /* the connection is no longer ours: neither it nor its client may be touched */
};

struct http_exchange;

void stream_init(struct stream *stream);
void stream_release(struct stream *stream);
/* Whether the writer may have to wait for the client: the answer does not fit into the ring. */
bool stream_may_wait(const struct http_exchange *exchange);
/* Before the answer is queued. */
void stream_open(struct http_exchange *exchange);
/* Runs the handler's writer to its end on the calling thread. */
void stream_run(struct http_exchange *exchange);
/* libmicrohttpd's content reader; `cls` is the exchange. */
ssize_t stream_read(void *cls, uint64_t position, char *target, size_t size);
/* The connection is done with this exchange. */
void stream_abandon(struct stream *stream);

/* --- requests --- */

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_WORKING, PHASE_ANSWERED, PHASE_SENT };

/* One request; shared by libmicrohttpd's thread and the worker, freed by the last. */
struct http_exchange {
    struct exchange base;
    struct door_http *door;
    struct MHD_Connection *connection;
    struct client *client; /* for libmicrohttpd's thread; others under stream.lock if !is_gone */
    _Atomic int references;
    _Atomic int phase; /* enum phase; the worker's only write is WORKING -> ANSWERED */
    bool is_dispatched;
    bool must_close;
    struct error refusal; /* kind is ERROR_NONE unless the door itself refuses */
    uint64_t body_limit;
    uint64_t discarded_bytes; /* of a body that was refused on its way */
    int64_t body_started_ms;
    struct stream stream;
};

struct door_http {
    struct door_options options;
    struct MHD_Daemon *daemon;
    struct clients clients;
    _Atomic bool is_stopping;
    struct apart apart;   /* streams that may wait for long */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t calmer;
    struct workpool *pool; /* NULL once stopping */
    int active;            /* requests dispatched and not completed */
};

/* Reads the header fields strictly: names are tokens, lines end in CR LF, nothing is folded, and
 * what the body's length is has one reading. `method` and `version` as libmicrohttpd gave them. */
bool head_read(struct http_exchange *exchange, const char *method, const char *version,
               struct error *err);
/* ERROR_LIMIT if the body is announced larger than the route takes. */
bool head_check_length(const struct http_exchange *exchange, struct error *err);
void http_exchange_unref(struct http_exchange *exchange);

#endif

/* What the three doors share: their options, who is trusted to speak for others, where to listen,
 * and the exchange: one request with its answer and the arena both live in. A door only translates;
 * all decisions are the router's and the handlers'. */
#ifndef RESTANTE_HTTP_DOOR_H
#define RESTANTE_HTTP_DOOR_H

#include <stdatomic.h>

#include "server/base/workpool.h"
#include "server/http/router.h"

struct sockaddr;

/* What is under way at the doors of this process, for metrics: like the log, of all of it. */
struct door_gauges {
    atomic_size_t connections; /* of the HTTP door */
    atomic_size_t streams;     /* answers with a thread of their own: events, long files */
    atomic_size_t waiting;     /* requests that wait for a worker */
};
extern struct door_gauges door_gauges;
/* workpool_add of a job that says itself when it begins: it takes one from door_gauges.waiting. */
bool door_add_work(struct workpool *pool, workpool_job *job, void *context);

/* One network whose X-Forwarded-For and X-Forwarded-Proto are believed. */
struct network {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;                  /* of the 128 */
};
/* "127.0.0.1", "10.0.0.0/8", "2001:db8::/32". ERROR_INVALID for anything else. */
bool network_parse(struct str text, struct network *network, struct error *err);
bool network_holds(const struct network *network, const unsigned char address[16]);
/* The 16 bytes of an address in text (without a port); false if it is none. */
bool ip_parse(struct str text, unsigned char address[16]);
/* The same of a peer; false for a UNIX socket. */
bool ip_of(const struct sockaddr *peer, unsigned char address[16]);

struct door_options {
    const struct router *router;
    const struct network *proxies; /* trusted; NULL: none */
    size_t proxy_count;
    bool trusts_unix_peers;   /* whoever can open our UNIX socket may speak for others */
    int workers;              /* threads that run handlers */
    int events_max;           /* ROUTE_EVENTS and long streams at once; each has a thread */
    int connections_max;      /* at once; others wait in the kernel's queue */
    int per_address_max;      /* connections of one address (IPv6: /64), proxies excepted */
    int idle_ms;              /* a connection with nothing on it */
    int head_ms;              /* a whole request head, however it trickles */
    int transfer_ms;          /* grace for a body or an answer, on top of its bytes at... */
    int transfer_rate;        /* ...this many bytes a millisecond (KB/s) */
    size_t memory_body_bytes; /* larger bodies go to an unlinked file */
    const char *spool_folder; /* where; NULL: $TMPDIR or /tmp */
};
/* Everything but the router filled with what suits a machine of some cores. */
struct door_options door_defaults(const struct router *router);

/* Opens a listening socket: "127.0.0.1:8080", "[::1]:8080", or a path (it holds a '/') for a UNIX
 * socket with mode 0660, of which a stale one is replaced. -1 with a sentence on failure. */
int listen_open(struct str where, struct error *err);

/* A body while it arrives: in memory, then in a file. */
struct body_spool {
    struct buf memory;
    int fd; /* -1 while in memory */
    uint64_t bytes;
};

struct exchange {
    const struct door_options *options;
    struct arena *arena;
    struct request req;
    struct response res;
    struct body_spool spool;
};

void exchange_init(struct exchange *exchange, const struct door_options *options);
void exchange_release(struct exchange *exchange);
/* Believes X-Forwarded-* when the peer is a trusted proxy: sets remote_address and is_https. `peer`
 * is NULL for a UNIX socket. The rightmost address that is not itself a trusted proxy is the
 * client: what stands left of it is what the client claims. */
void exchange_set_peer(struct exchange *exchange, const unsigned char *peer);
bool exchange_is_proxy(const struct door_options *options, const unsigned char *peer);
/* Adds a piece of the body. ERROR_LIMIT past `limit`, ERROR_INTERNAL when it cannot be spooled. */
bool exchange_add_body(struct exchange *exchange, struct str piece, uint64_t limit,
                       struct error *err);
/* The body is complete: moves it into the request. */
void exchange_end_body(struct exchange *exchange);
/* Lets the router answer. */
void exchange_serve(struct exchange *exchange);
/* An answer the door gives by itself, with the headers every answer has. */
void exchange_refuse(struct exchange *exchange, const struct error *err);
/* The answer when no thread can be had for an event stream: 503, to poll instead. */
void exchange_refuse_events(struct exchange *exchange);
/* Whether the answer has a body to be sent: not to HEAD, not with 204 or 304. */
bool exchange_has_body(const struct exchange *exchange);

#endif

/* The sync role: signs in to people's mail servers and keeps the replica true. It has the key of
 * the credentials and no listening socket; PostgreSQL is its only channel to the web role. */
#ifndef RESTANTE_SYNC_SYNC_H
#define RESTANTE_SYNC_SYNC_H

#include "server/base/seal.h"
#include "server/net/egress.h"
#include "server/net/stream.h"
#include "server/parser/parser.h"
#include "server/store/store.h"

struct hosts;

enum {
    /* Messages on their way to mail servers at once. A server that says nothing holds up a thread
     * and nothing else, for minutes; so one host has a quarter of them at most (serve_sync.c). */
    SYNC_SENDERS = 32
};

/* What every part of the role shares; read-only after start, each member thread-safe. */
struct sync_context {
    struct store *store; /* opened as STORE_SYNC */
    struct store
        *bulk; /* the same for batches that only add (store_options); NULL: not to be had */
    struct parser_pool *parsers;
    const struct seal_key_pair *keys;
    struct tls_context *tls;
    const struct egress *egress;
    struct hosts *hosts;         /* what is known of the hosts that mail is read at */
    struct hosts *sending_hosts; /* the same of those that it is sent through */
    const char *ca_file;         /* more certificate authorities than the system's; NULL: none */
    struct str owner;            /* this process's name in leases: the same after a restart */
    int workers;                 /* accounts worked on at once */
    int64_t pop3_session_ms;     /* then a session is brought to its end; others wait for it */
    int stop_fd; /* readable once the role is to end; what waits for people's trials ends */
    bool allow_plaintext; /* the administrator allows TLS mode "none" */
    const char
        *name_servers; /* asked for SRV records, as struct resolver says; NULL: the system's */
};

/* Whether the role has been told to end. */
bool sync_is_stopping(const struct sync_context *sync);
/* Runs until SIGTERM or SIGINT; returns the exit status. Signals must be blocked in the caller.
 * `stop_fd` is filled in here. */
int sync_run(const struct sync_context *settings);

#endif

/* The sync role: signs in to people's mail servers and keeps the replica true. It has the key of
 * the credentials and no listening socket; PostgreSQL is its only channel to the web role. */
#ifndef RESTANTE_SYNC_SYNC_H
#define RESTANTE_SYNC_SYNC_H

#include "server/base/seal.h"
#include "server/net/egress.h"
#include "server/net/stream.h"
#include "server/parser/parser.h"
#include "server/store/store.h"

/* What every part of the role shares; read-only after start, each member thread-safe. */
struct sync_context {
    struct store *store; /* opened as STORE_SYNC */
    struct parser_pool *parsers;
    const struct seal_key_pair *keys;
    struct tls_context *tls;
    const struct egress *egress;
    const char *ca_file;  /* more certificate authorities than the system's; NULL: none */
    struct str owner;     /* this process's name in leases: the same after a restart */
    int workers;          /* accounts worked on at once */
    bool allow_plaintext; /* the administrator allows TLS mode "none" */
    const char
        *name_servers; /* asked for SRV records, as struct resolver says; NULL: the system's */
};

/* Runs until SIGTERM or SIGINT; returns the exit status. Signals must be blocked in the caller. */
int sync_run(const struct sync_context *sync);

#endif

/* The only room that talks to PostgreSQL. A `store` is a process's pool of connections; a `db` is
 * one of them, checked out by one thread for a request or a batch. Functions of this room take a
 * `db`, bind typed arguments to a named query of sql/queries/ and fill typed rows in the caller's
 * arena; nobody else sees a PGresult or SQL. Lost connections and failed statements are
 * ERROR_DATABASE; an acknowledged write is durable. */
#ifndef RESTANTE_STORE_STORE_H
#define RESTANTE_STORE_STORE_H

#include "server/base/arena.h"
#include "server/base/error.h"
#include "server/base/str.h"

struct store; /* thread-safe */
struct db;    /* one thread at a time */

/* WEB connects as restante_web, under row-level security; SYNC and OWNER as the owner. */
enum store_role { STORE_WEB, STORE_SYNC, STORE_OWNER };

struct store_options {
    enum store_role role;
    const char *conninfo;     /* libpq connection string, without the user for the role */
    int connections_max;      /* more checkouts wait */
    int statement_timeout_ms; /* 0: none */
    bool is_hasty;            /* an outage is told at once, not waited out */
    /* Its transactions only add rows, and PostgreSQL does not look up for each of them what its
     * foreign keys name, which is a third of all work on them: a batch holds those rows itself,
     * once (replica_emails_add, replica_wholes_put). Needs a user that may set
     * session_replication_role, as the private cluster's may; others cannot connect so. Nothing may
     * be deleted there: cascades do not happen. */
    bool is_bulk;
    struct store *beside; /* of the same database, used at the same time; NULL: none */
};

/* Connects lazily: a database that is away is an error of store_acquire, not of opening. */
struct store *store_open(const struct store_options *options, struct error *err);
void store_close(struct store **store);

/* Whether its database's user may have a store with `is_bulk`. */
bool store_may_be_bulk(struct store *store);

/* A connection for the person `user_id` (0: nobody, identity tables only; ignored for SYNC). Waits
 * at most 5 s for a free one, or for the end of an outage. */
struct db *store_acquire(struct store *store, int64_t user_id, struct error *err);
/* Gives it back (rolling back what is open) and clears the caller's pointer. */
void store_release(struct store *store, struct db **db);

/* A transaction around several calls. Without one each statement is its own. */
bool db_begin(struct db *db, struct error *err);
bool db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db);

/* The next transaction, or the next statement without one, is not waited for on disk: a crash of
 * the database (not of this process) within a second may lose it, whole. What is committed after it
 * in the ordinary way makes it durable too. */
void db_be_lazy(struct db *db);

/* Times that somebody waited for an answer of the database since the process began; for metrics. */
uint64_t store_round_trips(const struct store *store);

/* True when a trivial statement is answered: /readyz. */
bool store_is_ready(struct store *store, struct error *err);

/* The one channel between the roles. Payloads: "op <account>", "send <account>", "bulk <account>",
 * "look <account> <mailbox>" (somebody opened it), "trial <id>" (new), "change <account> <modseq>",
 * "done <account> <operation>", "tried <id>" (result is there). */
struct store_listener;
typedef void store_notify_fn(void *context, struct str payload);
/* A thread with a LISTEN connection of its own that calls back for each payload, and with an empty
 * payload after each (re)connection and every `backstop_ms`, so that nothing is missed for good. */
struct store_listener *store_listen(struct store *store, int backstop_ms, store_notify_fn *notify,
                                    void *context, struct error *err);
void store_unlisten(struct store_listener **listener);

#endif

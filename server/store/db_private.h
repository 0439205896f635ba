/* What store.c, db.c, db_copy.c and listener.c share. */
#ifndef RESTANTE_STORE_DB_PRIVATE_H
#define RESTANTE_STORE_DB_PRIVATE_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/store/db.h"
#include "server/store/queries.h"

enum {
    DB_MAGIC = 0x44420a01,
    DB_VALUES_MAX = 48, /* values of one statement or COPY row */
    DB_QUEUE_MAX = 64,  /* commands under way before their results are read */
    DB_QUEUE_ROOM = 8,  /* kept free for BEGIN, viewer, statement and their PREPAREs */
    DB_FORESEEN_MAX = 8,
    DB_FORESEEN_VALUES = 6,  /* of one of them */
    DB_VALUE_LIMIT = 1 << 29 /* bytes of all values of a statement */
};

enum db_transaction {
    DB_TX_NONE,
    DB_TX_ASKED, /* BEGIN travels with the first statement */
    DB_TX_OPEN,
    DB_TX_FAILED /* only a rollback helps */
};

/* One command sent, in the order in which results will come. */
struct db_command {
    size_t query;
    bool is_prepare;
    int foreseen;         /* its place among these, from 1; 0: none of them */
    struct db_rows *rows; /* of db_post_select; NULL: nobody reads them */
};

/* A question sent ahead (db_foresee), and its answer once that is here. */
struct db_foreseen {
    const char *name; /* NULL: it was asked */
    struct db_value values[DB_FORESEEN_VALUES + 1];
    PGresult *result;
};

struct db {
    unsigned magic;
    struct store *store;
    PGconn *pg;
    int64_t user_id; /* of the viewer, WEB only; 0: nobody */
    bool *prepared;  /* by index of the query */
    enum db_transaction transaction;
    bool is_lazy;   /* what begins next, see db_be_lazy */
    bool is_broken; /* not to be used again */
    bool is_copying;
    struct db_command queue[DB_QUEUE_MAX];
    int queued;
    struct db_foreseen foreseen[DB_FORESEEN_MAX];
    int foreseen_count;
    struct buf values; /* binary values being bound; rows being copied */
};

struct store {
    enum store_role role;
    char *conninfo;
    int connections_max;
    int statement_timeout_ms;
    bool is_hasty;
    bool is_bulk;          /* store_options */
    struct store *growing; /* whose `emails_added` counts for both that are used at a time */
    struct arena *arena;   /* of the queries */
    struct queries queries;
    atomic_uint_fast64_t round_trips; /* for store_round_trips */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct db **idle; /* a stack: the last used is the warmest */
    int idle_count;
    int open_count;        /* idle, checked out, and being connected */
    bool is_connecting;    /* while the database is away one thread tries, the others wait */
    int64_t down_since_ms; /* 0: up, as far as we know */
    int64_t retry_at_ms;   /* no attempt before */
    int backoff_ms;
    struct error down_error; /* why */
    int64_t emails_added;    /* by this process, see replica_commit */
};

/* The statement's index, its text to prepare, sent and answered by db_flush. */
bool db_queue(struct db *db, const char *name, const struct db_value *values, struct error *err);
/* Sends what is queued and reads all results; `*last` (may be NULL) gets that of the last command.
 */
bool db_flush(struct db *db, PGresult **last, struct error *err);
/* What was foreseen and not asked is as if it had never been; nothing of it is left in the pipe. */
void db_forget(struct db *db);
/* Fills `err` from a failed result, or from the connection when `result` is NULL. */
bool db_fail(struct db *db, const PGresult *result, struct error *err);

/* Encodes a value in PostgreSQL's binary form; false if over the limit. */
bool db_encode(struct buf *out, const struct db_value *value);
unsigned db_type_oid(enum db_type type);

/* A new connection as the store's role, or NULL. Waits until the deadline. */
PGconn *store_connect(const struct store *store, const char *suffix, struct deadline deadline,
                      struct error *err);

#endif

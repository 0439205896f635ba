/* What the benches of the store share: a private cluster (store_fixture.h), one account in it. */
#ifndef RESTANTE_TESTS_BENCH_CLUSTER_H
#define RESTANTE_TESTS_BENCH_CLUSTER_H

#include <libpq-fe.h>

#include "server/store/replica.h"
#include "tests/bench/bench.h"
#include "tests/unit/store_fixture.h"

#include "server/store/db_private.h"

enum { ACCOUNT = 1, USER = 1 };

static struct error err;
static struct arena *arena;

static inline void must(bool is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "%s: %s\n", what, err.message);
    exit(1);
}

static inline void run_script(struct db *db, const char *sql)
{
    must(db_run_script(db, sql, &err), "script");
}

static inline void add_account(struct db *db)
{
    run_script(db, "INSERT INTO \"user\" (id, login) VALUES (1, 'alice');"
                   "INSERT INTO account (id, user_id, name, email, kind, host, port, tls, username,"
                   " secret) VALUES (1, 1, 'Alice', 'alice@mail.example', 'imap', 'mail.example',"
                   " 993, 'implicit', 'alice', '')");
}

static inline int64_t add_mailbox(struct db *db, const char *path)
{
    struct replica_mailbox mailbox = {.name = str_of(path),
                                      .path = str_of(path),
                                      .wire_path = str_of(path),
                                      .delimiter = STR("/"),
                                      .is_selectable = true};
    struct replica_batch *batch = replica_begin(db, ACCOUNT, &err);
    must(batch && replica_mailbox_put(batch, &mailbox, &err), "mailbox");
    must(replica_commit(&batch, &err), "mailbox");
    return mailbox.id;
}

/* libpq alone. */
static inline PGconn *connect_bare(void)
{
    struct buf conninfo = BUF_INIT(4096);
    char path[128];
    snprintf(path, sizeof path, "%s/pg", fixture.directory);
    must(cluster_conninfo(path, false, &conninfo, &err), "conninfo");
    PGconn *pg = PQconnectdb(conninfo.at);
    must(PQstatus(pg) == CONNECTION_OK, "connect");
    buf_free(&conninfo);
    return pg;
}

/* A number that is as good as by chance, the same each time. */
static inline uint64_t scramble(uint64_t n)
{
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

#endif

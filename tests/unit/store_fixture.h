/* A real private PostgreSQL for the store's tests: made once per test program in a folder of its
 * own below TMPDIR, migrated, and removed at the end. */
#ifndef RESTANTE_TESTS_STORE_FIXTURE_H
#define RESTANTE_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/cluster.h"
#include "server/store/migrate.h"
#include "server/store/store.h"

#define assert_good(expression)                                                           \
    do {                                                                                  \
        if (!(expression))                                                                \
            fail_msg("%s: %s (%s)", #expression, err.message, error_kind_name(err.kind)); \
    } while (0)
#define assert_kind(expression, expected)                                                 \
    do {                                                                                  \
        err = ERROR_INIT;                                                                 \
        if (expression)                                                                   \
            fail_msg("%s succeeded", #expression);                                        \
        if (err.kind != (expected))                                                       \
            fail_msg("%s: %s (%s)", #expression, err.message, error_kind_name(err.kind)); \
    } while (0)

struct fixture {
    char directory[64];
    struct cluster *cluster;
};
static struct fixture fixture;

static inline void fixture_open(struct cluster_options *options)
{
    struct error err = ERROR_INIT;
    static char path[128], log_path[160];
    snprintf(fixture.directory, sizeof fixture.directory, "/tmp/restante-test-XXXXXX");
    assert_non_null(mkdtemp(fixture.directory));
    snprintf(path, sizeof path, "%s/pg", fixture.directory);
    snprintf(log_path, sizeof log_path, "%s/pg/log", fixture.directory);
    *options = (struct cluster_options){.directory = path, .log_path = log_path};
    if (geteuid() == 0) {
        assert_good(cluster_service_user(NULL, &options->uid, &options->gid, &err));
        assert_int_equal(chmod(fixture.directory, 0711), 0);
    }
    fixture.cluster = cluster_open(options, &err);
    assert_good(fixture.cluster != NULL);
}

static inline void fixture_start(void)
{
    struct error err = ERROR_INIT;
    assert_good(cluster_spawn(fixture.cluster, &err));
    assert_good(cluster_wait_ready(fixture.cluster, deadline_in_ms(30000), &err));
}

static inline struct store *fixture_store_of(struct store_options options)
{
    struct error err = ERROR_INIT;
    struct buf conninfo = BUF_INIT(4096);
    char path[128];
    snprintf(path, sizeof path, "%s/pg", fixture.directory);
    assert_good(cluster_conninfo(path, options.role == STORE_WEB, &conninfo, &err));
    options.conninfo = conninfo.at;
    struct store *store = store_open(&options, &err);
    assert_good(store != NULL);
    buf_free(&conninfo);
    return store;
}

static inline struct store *fixture_store(enum store_role role, int connections_max)
{
    return fixture_store_of(
        (struct store_options){.role = role, .connections_max = connections_max});
}

static inline int fixture_setup(void **state)
{
    (void)state;
    struct cluster_options options;
    struct error err = ERROR_INIT;
    int applied;
    fixture_open(&options);
    fixture_start();
    struct store *owner = fixture_store(STORE_OWNER, 1);
    assert_good(migrate_run(owner, &applied, &err));
    store_close(&owner);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    char command[128];
    cluster_stop(fixture.cluster);
    cluster_close(&fixture.cluster);
    snprintf(command, sizeof command, "rm -rf %s", fixture.directory);
    return system(command);
}

#endif

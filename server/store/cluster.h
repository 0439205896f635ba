/* The private PostgreSQL: when no database is configured, restante makes a cluster in its state
 * directory and runs it as a child, reachable by a UNIX socket in a directory that only the service
 * user may enter. PostgreSQL refuses to run as root, so a root parent runs it as another user. */
#ifndef RESTANTE_STORE_CLUSTER_H
#define RESTANTE_STORE_CLUSTER_H

#include <sys/types.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/error.h"

struct cluster;

struct cluster_options {
    const char *directory; /* holds data/ and the socket; made if missing */
    const char *bin;       /* folder of postgres and initdb; NULL or "": found */
    uid_t uid;             /* who runs it if we are root; our own otherwise */
    gid_t gid;
    const char *log_path; /* where PostgreSQL's own messages go; NULL: our standard error */
};

/* Who runs the service when root starts it: the user `name` if given, else restante, else postgres.
 */
bool cluster_service_user(const char *name, uid_t *uid, gid_t *gid, struct error *err);
/* The folder with the binaries: of the version that `directory` was made with, else the newest.
 * Appends to `path`. ERROR_NOT_FOUND with what to install. */
bool cluster_find_binaries(const char *directory, struct buf *path, struct error *err);

/* Finds the binaries and makes the cluster if there is none yet (1-2 s, once). */
struct cluster *cluster_open(const struct cluster_options *options, struct error *err);
/* Ends locks and processes that a crash left behind, then starts PostgreSQL as a child of the
 * calling thread; should that die, PostgreSQL shuts down by itself. */
bool cluster_spawn(struct cluster *cluster, struct error *err);
/* Waits until it takes connections; false when it died (then its pid is 0) or the time is up. */
bool cluster_wait_ready(struct cluster *cluster, struct deadline deadline, struct error *err);
/* The child's pid, 0 when it does not run: for the caller's waitpid. */
pid_t cluster_pid(const struct cluster *cluster);
/* The caller has reaped the child. */
void cluster_note_exit(struct cluster *cluster);
/* Ends it in order ("fast shutdown") and waits; after 60 s less politely. */
void cluster_stop(struct cluster *cluster);
/* Frees the struct only; a running PostgreSQL goes on. */
void cluster_close(struct cluster **cluster);

/* A libpq connection string. */
bool cluster_conninfo(const char *directory, bool is_web, struct buf *out, struct error *err);

#endif

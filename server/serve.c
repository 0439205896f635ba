/* The supervisor: prepares, starts the private PostgreSQL where none is configured, and keeps the
 * web and the sync role running until it is told to stop. It holds no connection to anything and
 * does no work of its own, so there is little in it that can fail. */
#include "server/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/assets.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/cli.h"
#include "server/store/cluster.h"
#include "server/store/migrate.h"

enum {
    RESTART_MS = 200, /* doubled while a process dies young */
    RESTART_MAX_MS = 10 * 1000,
    YOUNG_MS = 10 * 1000,
    STOP_MS = 30 * 1000, /* then SIGKILL */
    DATABASE_MS = 120 * 1000,
    TURN_MS = 60 * 1000
};

struct child {
    const char *name;
    int (*run)(struct serve_context *);
    pid_t pid; /* 0: does not run */
    int64_t started_ms, restart_at_ms;
    int wait_ms;
};

struct supervisor {
    struct serve_context context;
    struct cluster *cluster; /* NULL: a database is configured */
    int64_t cluster_at_ms;   /* when it is started again after it died */
    struct child children[2];
    int signals;
};
enum { CHILDREN = 2 };

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int open_signals(void)
{
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* systemd's Type=notify (sd_notify(3)). */
static void notify_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof to.sun_path || path[0] == '\0')
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    (void)sent; /* a manager that does not listen is no reason not to serve */
    close(fd);
}

/* --- the roles ------------------------------------------------------------------------------- */

static void start_child(struct supervisor *s, struct child *child)
{
    pid_t parent = getpid();
    child->started_ms = clock_monotonic_ms();
    child->pid = fork();
    if (child->pid < 0) {
        LOG_ERROR("serve.fork", log_text("role", child->name), log_int("errno", errno));
        child->pid = 0;
        child->restart_at_ms = child->started_ms + RESTART_MAX_MS;
        return;
    }
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        close(s->signals);
        exit(child->run(&s->context));
    }
    LOG_INFO("serve.started", log_text("what", child->name), log_int("pid", child->pid));
}

static void note_child_end(struct child *child, int status)
{
    int64_t now_ms = clock_monotonic_ms();
    bool is_young = now_ms - child->started_ms < YOUNG_MS;
    int doubled = child->wait_ms * 2 < RESTART_MAX_MS ? child->wait_ms * 2 : RESTART_MAX_MS;
    child->wait_ms = is_young && child->wait_ms ? doubled : RESTART_MS;
    child->pid = 0;
    child->restart_at_ms = now_ms + child->wait_ms;
    LOG_WARN("serve.ended", log_text("what", child->name),
             log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
             log_int("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
             log_int("again_in_ms", child->wait_ms));
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < CHILDREN; i++)
            if (s->children[i].pid == pid)
                note_child_end(&s->children[i], status);
        if (s->cluster && cluster_pid(s->cluster) == pid) {
            cluster_note_exit(s->cluster);
            s->cluster_at_ms = clock_monotonic_ms() + RESTART_MS;
            LOG_WARN("serve.ended", log_text("what", "postgresql"));
        }
    }
}

/* --- the database ---------------------------------------------------------------------------- */

static bool migrate(struct serve_context *c, struct error *err)
{
    struct store_options options = {
        .role = STORE_OWNER, .conninfo = c->owner_conninfo, .connections_max = 1};
    int applied = 0;
    struct store *store = store_open(&options, err);
    bool is_done = store && migrate_run(store, &applied, err);
    store_close(&store);
    if (is_done && applied > 0)
        LOG_INFO("serve.migrated", log_int("applied", applied));
    return is_done;
}

static bool start_cluster(struct supervisor *s, struct error *err)
{
    struct serve_context *c = &s->context;
    struct cluster_options options = {
        .directory = config_state_path(c->arena, c->config, "postgresql"),
        .bin = c->config->postgres_bin,
        .log_path = config_state_path(c->arena, c->config, "postgresql.log")};
    s->cluster = cluster_open(&options, err);
    return s->cluster && cluster_spawn(s->cluster, err) &&
           cluster_wait_ready(s->cluster, deadline_in_ms(DATABASE_MS), err);
}

static bool prepare(struct supervisor *s, struct error *err)
{
    struct serve_context *c = &s->context;
    if (!serve_prepare(c, true, err))
        return false;
    if (c->config->database[0] == '\0' && !start_cluster(s, err))
        return error_wrap(err, "the private database");
    return cli_conninfo(c->arena, c->config, true, &c->web_conninfo, err) &&
           cli_conninfo(c->arena, c->config, false, &c->owner_conninfo, err) && migrate(c, err);
}

/* --- the loop -------------------------------------------------------------------------------- */

/* Starts what does not run and is due; returns how long to wait at most. */
static int64_t keep_running(struct supervisor *s)
{
    struct error err = ERROR_INIT;
    int64_t now_ms = clock_monotonic_ms(), next_ms = now_ms + TURN_MS;
    if (s->cluster && cluster_pid(s->cluster) == 0) {
        if (now_ms >= s->cluster_at_ms && !cluster_spawn(s->cluster, &err)) {
            LOG_ERROR("serve.postgresql", LOG_ERR(&err));
            s->cluster_at_ms = now_ms + RESTART_MAX_MS;
        }
        if (cluster_pid(s->cluster) == 0 && s->cluster_at_ms < next_ms)
            next_ms = s->cluster_at_ms;
    }
    for (int i = 0; i < CHILDREN; i++) {
        struct child *child = &s->children[i];
        if (child->pid == 0 && now_ms >= child->restart_at_ms)
            start_child(s, child);
        if (child->pid == 0 && child->restart_at_ms < next_ms)
            next_ms = child->restart_at_ms;
    }
    return next_ms - now_ms;
}

static bool is_told_to_stop(const struct supervisor *s)
{
    struct signalfd_siginfo info;
    bool is_stop = false;
    while (read(s->signals, &info, sizeof info) == sizeof info)
        is_stop = is_stop || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    return is_stop;
}

static void stop_children(struct supervisor *s)
{
    struct deadline deadline = deadline_in_ms(STOP_MS);
    bool is_any = true;
    for (int i = 0; i < CHILDREN; i++)
        if (s->children[i].pid)
            kill(s->children[i].pid, SIGTERM);
    while (is_any) {
        struct pollfd fd = {.fd = s->signals, .events = POLLIN};
        struct signalfd_siginfo info;
        is_any = false;
        for (int i = 0; i < CHILDREN; i++) {
            struct child *child = &s->children[i];
            if (child->pid && waitpid(child->pid, NULL, WNOHANG) == child->pid)
                child->pid = 0;
            if (child->pid && deadline_passed(deadline))
                kill(child->pid, SIGKILL);
            is_any = is_any || child->pid;
        }
        if (is_any && poll(&fd, 1, 200) > 0)
            while (read(s->signals, &info, sizeof info) == sizeof info)
                continue;
    }
}

static void supervise(struct supervisor *s)
{
    bool is_first = true;
    for (;;) {
        int64_t wait_ms = keep_running(s);
        if (is_first)
            notify_manager("READY=1");
        is_first = false;
        struct pollfd fd = {.fd = s->signals, .events = POLLIN};
        poll(&fd, 1, wait_ms < 0 ? 0 : (int)wait_ms);
        if (is_told_to_stop(s))
            break;
        reap(s);
    }
    LOG_INFO("serve.stopping");
    notify_manager("STOPPING=1");
    stop_children(s);
}

static int serve_all(struct cli *cli, struct error *err)
{
    struct supervisor s = {
        .context = {.config = &cli->config, .arena = cli->arena},
        .children = {{.name = "web", .run = serve_web}, {.name = "sync", .run = serve_sync}}};
    log_set_role("serve");
    block_signals();
    s.signals = open_signals();
    bool is_ready = prepare(&s, err);
    if (is_ready)
        supervise(&s);
    if (s.cluster)
        cluster_stop(s.cluster);
    cluster_close(&s.cluster);
    secret_wipe(&s.context.keys, sizeof s.context.keys);
    close(s.signals);
    return is_ready ? 0 : -1;
}

/* A role alone does not migrate: of ten machines none should do it by chance. Whether the database
 * is there is not asked either: it may come later, and the role waits for it. */
static bool check_database(const struct serve_context *c, struct error *err)
{
    struct migrate_state state;
    struct error why = ERROR_INIT;
    struct store_options options = {
        .role = STORE_OWNER, .conninfo = c->owner_conninfo, .connections_max = 1};
    struct store *store = store_open(&options, err);
    if (!store)
        return false;
    bool is_known = migrate_look(store, &state, &why);
    store_close(&store);
    if (!is_known)
        LOG_WARN("serve.database", LOG_ERR(&why));
    return !is_known || migrate_check(&state, err);
}

/* One role of a larger installation; others run the rest. */
static int serve_role(struct cli *cli, const char *role, struct error *err)
{
    struct serve_context c = {.config = &cli->config, .arena = cli->arena};
    struct config without_sockets = cli->config;
    bool is_web = strcmp(role, "web") == 0;
    if (!is_web && strcmp(role, "sync") != 0) {
        error_set(err, ERROR_INVALID, "roles are web and sync, not \"%s\"", role);
        return -1;
    }
    if (!is_web) {
        without_sockets.listen.count = without_sockets.listen_fastcgi.count = 0;
        c.config = &without_sockets;
    }
    block_signals();
    if (!serve_prepare(&c, !is_web, err) ||
        !cli_conninfo(c.arena, c.config, true, &c.web_conninfo, err) ||
        !cli_conninfo(c.arena, c.config, false, &c.owner_conninfo, err))
        return -1;
    if (!check_database(&c, err))
        return -1;
    notify_manager("READY=1");
    return is_web ? serve_web(&c) : serve_sync(&c);
}

int cli_serve(struct cli *cli, struct error *err)
{
    if (cli->values['a'])
        assets_use_disk(cli->values['a']);
    return cli->values['r'] ? serve_role(cli, cli->values['r'], err) : serve_all(cli, err);
}

int cli_fcgi(struct cli *cli, struct error *err)
{
    struct serve_context c = {.config = &cli->config, .arena = cli->arena};
    const char *public_path = config_state_path(cli->arena, &cli->config, "keys/seal.pub");
    if (!seal_read_public(public_path, &c.public_key, err) ||
        !cli_conninfo(c.arena, c.config, true, &c.web_conninfo, err))
        return -1;
    return serve_gateway(&c);
}

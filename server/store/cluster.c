#include "server/store/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/assets.h"
#include "server/base/log.h"

enum {
    PATH_LIMIT = 4096,
    SAID_LIMIT = 4096, /* of what a failing initdb says */
    STOP_FAST_MS = 60000,
    STOP_HARD_MS = 10000,
    ORPHAN_MS = 30000,
    TURN_MS = 10 /* between looks at a process that is coming up or going down */
};

struct cluster {
    char *directory, *data, *bin, *log_path; /* log_path may be NULL */
    uid_t uid;
    gid_t gid;
    bool drops; /* we are root: children change to uid and gid */
    pid_t pid;
};

/* What an administrator may not change: how it is reached, and durability. */
static const char *const fixed_settings[] = {
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "logging_collector=off",
    "log_destination=stderr",
    "log_line_prefix=role=postgres pid=%p ",
    "cluster_name=restante",
};

/* What is written to postgresql.conf once, for the administrator to change. */
static const char first_settings[] = "\n# --- written by restante when it made this cluster\n"
                                     "max_connections = 100\n"
                                     "shared_buffers = 128MB\n"
                                     "maintenance_work_mem = 64MB\n"
                                     "wal_buffers = 16MB\n"
                                     "min_wal_size = 256MB\n"
                                     "max_wal_size = 2GB\n"
                                     "checkpoint_timeout = 15min\n"
                                     "wal_compression = on\n"
                                     "random_page_cost = 1.1\n"
                                     "jit = off\n"
                                     "max_parallel_workers_per_gather = 0\n"
                                     "default_toast_compression = lz4\n"
                                     "log_checkpoints = off\n"
                                     "log_min_messages = warning\n"
                                     "log_timezone = 'UTC'\n"
                                     "timezone = 'UTC'\n";

/* Where distributions put the binaries; %s is a version or *. */
static const char *const binary_places[] = {"/usr/lib/postgresql/%s/bin", "/usr/pgsql-%s/bin",
                                            "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"};

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *print(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    return text;
}

/* --- who and where --------------------------------------------------------------------------- */

bool cluster_service_user(const char *name, uid_t *uid, gid_t *gid, struct error *err)
{
    const char *const candidates[] = {"restante", "postgres"};
    const struct passwd *user = NULL;
    bool is_named = name && *name;
    if (is_named)
        user = getpwnam(name);
    for (size_t i = 0; !is_named && !user && i < sizeof candidates / sizeof *candidates; i++)
        user = getpwnam(candidates[i]);
    if (!user || user->pw_uid == 0) {
        error_set(err, ERROR_NOT_FOUND,
                  "there is no user %s to run as, and PostgreSQL refuses root",
                  is_named ? name : "restante");
        return error_hint(err, "adduser --system --group %s", is_named ? name : "restante");
    }
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

/* The major version a cluster was made with; empty when there is no cluster. */
static void read_version(const char *directory, char version[16])
{
    char *path = print("%s/data/PG_VERSION", directory);
    FILE *file = fopen(path, "re");
    version[0] = '\0';
    if (file) {
        if (!fgets(version, 16, file))
            version[0] = '\0';
        version[strcspn(version, " \r\n")] = '\0';
        fclose(file);
    }
    free(path);
}

/* Newest first: "/usr/lib/postgresql/15/bin" behind "/usr/lib/postgresql/9.6/bin". */
static int compare_places(const void *a, const void *b)
{
    return strverscmp(*(char *const *)b, *(char *const *)a);
}

bool cluster_find_binaries(const char *directory, struct buf *path, struct error *err)
{
    char version[16];
    read_version(directory, version);
    for (size_t i = 0; i < sizeof binary_places / sizeof *binary_places; i++) {
        char pattern[128];
        glob_t found = {0};
        /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): from the table above */
        struct str before = str_of(binary_places[i]);
        ptrdiff_t hole = str_find(before, STR("%s"));
        if (hole < 0)
            snprintf(pattern, sizeof pattern, "%s/initdb", binary_places[i]);
        else
            snprintf(pattern, sizeof pattern, "%.*s%s%s/initdb", (int)hole, before.at,
                     version[0] ? version : "*", before.at + hole + 2);
        if (glob(pattern, 0, NULL, &found) == 0) {
            qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare_places);
            const char *best = found.gl_pathv[0];
            buf_append(path, best, strlen(best) - strlen("/initdb"));
        }
        globfree(&found);
        if (path->length)
            return true;
    }
    error_set(err, ERROR_NOT_FOUND, "PostgreSQL%s%s is not installed", version[0] ? " " : "",
              version);
    return error_hint(err, "apt install postgresql%s%s", version[0] ? "-" : "", version);
}

bool cluster_conninfo(const char *directory, bool is_web, struct buf *out, struct error *err)
{
    struct sockaddr_un address;
    if (strlen(directory) + strlen("/.s.PGSQL.5432") >= sizeof address.sun_path) {
        error_set(err, ERROR_LIMIT, "the path %s is too long for a UNIX socket", directory);
        return error_hint(err, "choose a state_dir with a shorter path");
    }
    buf_text(out, "host='");
    for (const char *at = directory; *at; at++) {
        if (*at == '\'' || *at == '\\')
            buf_char(out, '\\');
        buf_char(out, *at);
    }
    return buf_printf(out, "' port=5432 dbname=restante user=%s",
                      is_web ? "restante_web" : "restante");
}

/* --- children -------------------------------------------------------------------------------- */

/* In the child, before exec: the service user, no signal state of ours, a session of its own (so
 * that Ctrl-C reaches us alone and we end things in order). Only async-signal-safe calls. */
static void become(const struct cluster *cluster)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    setsid();
    umask(077);
    if (cluster->drops &&
        (setgroups(0, NULL) != 0 || setgid(cluster->gid) != 0 || setuid(cluster->uid) != 0))
        _exit(126);
    if (chdir("/") != 0)
        _exit(126);
}

/* Reads what a child says until it closes its end. */
static void listen_to(int fd, struct buf *said)
{
    char bytes[1024];
    ssize_t length;
    while ((length = read(fd, bytes, sizeof bytes)) > 0 || (length < 0 && errno == EINTR))
        if (length > 0)
            buf_append(said, bytes, (size_t)length);
}

/* A file of these bytes, rewound, to be a child's standard input; -1. */
static int file_of(struct str bytes)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, bytes.at, bytes.length) != (ssize_t)bytes.length ||
                    lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Runs a program to its end. Its standard error goes into the error message if it fails. */
static bool run_program(const struct cluster *cluster, char *const argv[], struct str input,
                        struct error *err)
{
    int ends[2];
    int in = file_of(input);
    if (in < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        if (in >= 0)
            close(in);
        return error_errno(err, ERROR_INTERNAL, "cannot start %s", argv[0]);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(cluster);
        int out = open("/dev/null", O_WRONLY);
        if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(ends[1], 2) == 2)
            execv(argv[0], argv);
        _exit(127);
    }
    close(in);
    close(ends[1]);
    struct buf said = BUF_INIT(SAID_LIMIT);
    int status = -1;
    if (pid > 0) {
        listen_to(ends[0], &said);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(ends[0]);
    bool is_good = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!is_good) {
        struct str lines = str_trim(buf_view(&said));
        error_set(err, ERROR_INTERNAL, "%s failed: %" STR_FMT, argv[0],
                  STR_ARG(str_cut(&lines, '\n')));
    }
    buf_free(&said);
    return is_good;
}

/* --- making a cluster ------------------------------------------------------------------------ */

static bool append_settings(const char *data, struct error *err)
{
    char *path = print("%s/postgresql.conf", data);
    FILE *file = fopen(path, "ae");
    bool is_written = file && fputs(first_settings, file) >= 0;
    if (file && fclose(file) != 0)
        is_written = false;
    if (!is_written)
        error_errno(err, ERROR_INTERNAL, "cannot write %s", path);
    free(path);
    return is_written;
}

/* All under a temporary name, so that a half-made cluster is never taken for one. */
static bool create(const struct cluster *cluster, struct error *err)
{
    char *made = print("%s/data.new", cluster->directory);
    char *initdb = print("%s/initdb", cluster->bin);
    char *postgres = print("%s/postgres", cluster->bin);
    char *init[] = {initdb,
                    "--pgdata",
                    made,
                    "--username",
                    "restante",
                    "--auth-local=trust",
                    "--auth-host=reject",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--data-checksums",
                    NULL};
    char *single[] = {postgres, "--single", "-D", made, "postgres", NULL};
    char *sweep[] = {"/bin/rm", "-rf", made, NULL};
    struct str statements = STR_EMPTY;
    struct arena *arena = arena_new();
    LOG_INFO("cluster.create", log_text("directory", cluster->directory));
    bool is_good = run_program(cluster, sweep, STR_EMPTY, err) &&
                   asset_read(arena, STR("sql/cluster/create.sql"), &statements, err) &&
                   run_program(cluster, init, STR_EMPTY, err) && append_settings(made, err) &&
                   run_program(cluster, single, statements, err) &&
                   (rename(made, cluster->data) == 0 ||
                    error_errno(err, ERROR_INTERNAL, "cannot rename %s", made));
    arena_free(&arena);
    free(made);
    free(initdb);
    free(postgres);
    return is_good;
}

/* A folder of the service user's alone. */
static bool make_directory(const struct cluster *cluster, struct error *err)
{
    const char *path = cluster->directory;
    struct stat st;
    if (mkdir(path, 0700) == 0 && cluster->drops && chown(path, cluster->uid, cluster->gid) != 0)
        return error_errno(err, ERROR_INTERNAL, "cannot give %s to the service user", path);
    if (stat(path, &st) != 0)
        return error_errno(err, ERROR_INTERNAL, "cannot use the folder %s", path);
    uid_t owner = cluster->drops ? cluster->uid : geteuid();
    if (!S_ISDIR(st.st_mode) || st.st_uid != owner) {
        error_set(err, ERROR_FORBIDDEN, "%s is not a folder of the service user (uid %u)", path,
                  (unsigned)owner);
        return error_hint(err, "chown -R %u %s, or choose another state_dir", (unsigned)owner,
                          path);
    }
    return (st.st_mode & 077) == 0 || chmod(path, 0700) == 0 ||
           error_errno(err, ERROR_INTERNAL, "cannot close %s to others", path);
}

struct cluster *cluster_open(const struct cluster_options *options, struct error *err)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    struct buf bin = BUF_INIT(PATH_LIMIT), conninfo = BUF_INIT(PATH_LIMIT);
    if (!cluster)
        abort();
    *cluster = (struct cluster){
        .directory = print("%s", options->directory),
        .data = print("%s/data", options->directory),
        .log_path = options->log_path ? print("%s", options->log_path) : NULL,
        .uid = options->uid,
        .gid = options->gid,
        .drops = geteuid() == 0,
    };
    bool is_good = cluster_conninfo(cluster->directory, false, &conninfo, err);
    if (is_good && options->bin && *options->bin)
        buf_text(&bin, options->bin);
    else if (is_good)
        is_good = cluster_find_binaries(options->directory, &bin, err);
    cluster->bin = print("%" STR_FMT, STR_ARG(buf_view(&bin)));
    is_good = is_good && make_directory(cluster, err) &&
              (access(cluster->data, F_OK) == 0 || create(cluster, err));
    buf_free(&bin);
    buf_free(&conninfo);
    if (!is_good)
        cluster_close(&cluster);
    return cluster;
}

void cluster_close(struct cluster **cluster_at)
{
    struct cluster *cluster = *cluster_at;
    if (!cluster)
        return;
    *cluster_at = NULL;
    free(cluster->directory);
    free(cluster->data);
    free(cluster->bin);
    free(cluster->log_path);
    free(cluster);
}

/* --- running it ------------------------------------------------------------------------------ */

/* Whether `pid` is a postgres that works in this data directory. After a crash the number in
 * postmaster.pid may belong to anyone by now, in a container even to ourselves. */
static bool is_our_postgres(const struct cluster *cluster, pid_t pid)
{
    char link[64], at[PATH_MAX], data[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t length = readlink(link, at, sizeof at - 1);
    if (length <= 0 || !realpath(cluster->data, data))
        return false;
    at[length] = '\0';
    return strcmp(at, data) == 0;
}

static bool is_running(pid_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

static bool await_end(pid_t pid, int64_t ms)
{
    struct deadline deadline = deadline_in_ms(ms);
    while (is_running(pid) && !deadline_passed(deadline))
        poll(NULL, 0, TURN_MS);
    return !is_running(pid);
}

/* The pid that postmaster.pid names, 0 if there is none. */
static pid_t read_lock(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[32] = "";
    uint32_t pid = 0;
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        str_to_u32(str_trim(str_of(line)), &pid);
    fclose(file);
    return (pid_t)pid;
}

static bool clear_remains(const struct cluster *cluster, struct error *err)
{
    char *lock = print("%s/postmaster.pid", cluster->data);
    char *socket_lock = print("%s/.s.PGSQL.5432.lock", cluster->directory);
    pid_t pid = read_lock(lock);
    bool is_clear = true;
    if (pid > 1 && is_our_postgres(cluster, pid)) {
        LOG_WARN("cluster.orphan", log_int("pid", pid));
        if (kill(pid, SIGINT) != 0 || !await_end(pid, ORPHAN_MS))
            is_clear = error_set(err, ERROR_CONFLICT,
                                 "another PostgreSQL (pid %d) runs in %s and does not end",
                                 (int)pid, cluster->data);
    } else {
        unlink(lock);
        unlink(socket_lock);
    }
    free(lock);
    free(socket_lock);
    return is_clear;
}

/* In the child: PostgreSQL itself. */
static void exec_postgres(const struct cluster *cluster, char *const argv[], pid_t parent)
{
    become(cluster);
    /* after setuid, which clears it: if our parent dies, shut down in order */
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent)
        _exit(0);
    int in = open("/dev/null", O_RDONLY);
    if (in > 0)
        dup2(in, 0);
    if (cluster->log_path) {
        int log = open(cluster->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (log >= 0) {
            dup2(log, 1);
            dup2(log, 2);
        }
    }
    execv(argv[0], argv);
    _exit(127);
}

bool cluster_spawn(struct cluster *cluster, struct error *err)
{
    enum { FIXED = sizeof fixed_settings / sizeof *fixed_settings };
    char *argv[2 * FIXED + 8];
    int n = 0;
    if (!clear_remains(cluster, err))
        return false;
    char *postgres = print("%s/postgres", cluster->bin);
    char *socket_setting = print("unix_socket_directories=%s", cluster->directory);
    argv[n++] = postgres;
    argv[n++] = "-D";
    argv[n++] = cluster->data;
    argv[n++] = "-c";
    argv[n++] = socket_setting;
    for (size_t i = 0; i < FIXED; i++) {
        argv[n++] = "-c";
        argv[n++] = (char *)(uintptr_t)fixed_settings[i];
    }
    argv[n] = NULL;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        exec_postgres(cluster, argv, parent);
    free(postgres);
    free(socket_setting);
    if (pid < 0)
        return error_errno(err, ERROR_INTERNAL, "cannot start PostgreSQL");
    cluster->pid = pid;
    LOG_INFO("cluster.start", log_int("pid", pid));
    return true;
}

bool cluster_wait_ready(struct cluster *cluster, struct deadline deadline, struct error *err)
{
    struct buf conninfo = BUF_INIT(PATH_LIMIT);
    bool is_ready = false;
    if (!cluster_conninfo(cluster->directory, false, &conninfo, err))
        return false;
    while (cluster->pid && !is_ready && !deadline_passed(deadline)) {
        int status;
        is_ready = PQping(conninfo.at) == PQPING_OK;
        if (!is_ready && waitpid(cluster->pid, &status, WNOHANG) == cluster->pid)
            cluster->pid = 0;
        if (!is_ready)
            poll(NULL, 0, TURN_MS);
    }
    buf_free(&conninfo);
    if (is_ready)
        return true;
    error_set(err, ERROR_DATABASE,
              cluster->pid ? "PostgreSQL does not take connections yet"
                           : "PostgreSQL ended at once");
    return error_hint(err, "its own messages say why");
}

pid_t cluster_pid(const struct cluster *cluster)
{
    return cluster->pid;
}

void cluster_note_exit(struct cluster *cluster)
{
    cluster->pid = 0;
}

static bool await_child(pid_t pid, int64_t ms)
{
    struct deadline deadline = deadline_in_ms(ms);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (deadline_passed(deadline))
            return false;
        poll(NULL, 0, TURN_MS);
    }
    return true;
}

void cluster_stop(struct cluster *cluster)
{
    if (!cluster || !cluster->pid)
        return;
    pid_t pid = cluster->pid;
    cluster->pid = 0;
    kill(pid, SIGINT);
    if (await_child(pid, STOP_FAST_MS))
        return;
    LOG_WARN("cluster.stop.slow", log_int("pid", pid));
    kill(pid, SIGQUIT);
    if (!await_child(pid, STOP_HARD_MS)) {
        kill(pid, SIGKILL);
        await_child(pid, STOP_HARD_MS);
    }
}

/* `restante doctor`: looks at all that the service needs, and says what to do. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/base/seal.h"
#include "server/cli.h"
#include "server/http/door.h"
#include "server/net/stream.h"
#include "server/store/cluster.h"
#include "server/store/migrate.h"
#include "server/store/status.h"

enum { HEALTH_S = 3 };

/* Looks at one thing. True: well, with `said` what was found. False: `err` says what is wrong and
 * what to do. */
typedef bool check_fn(struct cli *cli, struct buf *said, struct error *err);

static bool check_configuration(struct cli *cli, struct buf *said, struct error *err)
{
    const char *path = cli->config.path[0] ? cli->config.path : "defaults, without a file";
    buf_printf(said, "%s, %zu mail domain%s", path, cli->config.domain_count,
               cli->config.domain_count == 1 ? "" : "s");
    if (str_starts(str_of(cli->config.public_url), STR("http://")) || config_is_https(&cli->config))
        return true;
    error_set(err, ERROR_INVALID, "public_url is not an http or https address");
    return error_hint(err, "Set it to what people type, for example https://mail.example.org");
}

static bool check_user(struct cli *cli, struct buf *said, struct error *err)
{
    uid_t uid = geteuid();
    gid_t gid;
    if (uid == 0 && !cluster_service_user(cli->config.user, &uid, &gid, err))
        return false;
    buf_printf(said, "uid %u", (unsigned)uid);
    return true;
}

static bool check_state(struct cli *cli, struct buf *said, struct error *err)
{
    struct stat status;
    const char *path = cli->config.state_directory;
    if (stat(path, &status) != 0) {
        error_errno(err, ERROR_NOT_FOUND, "%s", path);
        return error_hint(err, "`restante serve` makes it; it needs write access to the folder "
                               "above.");
    }
    if (status.st_mode & S_IWOTH) {
        error_set(err, ERROR_INVALID, "%s can be written by everybody", path);
        return error_hint(err, "chmod o-w %s", path);
    }
    struct statvfs disk;
    bool is_read_only = (statvfs(path, &disk) == 0 && (disk.f_flag & ST_RDONLY)) ||
                        (geteuid() != 0 && access(path, W_OK | X_OK) != 0);
    if (is_read_only) {
        error_set(err, ERROR_FORBIDDEN, "%s cannot be written", path);
        return error_hint(err,
                          "Mount its disk for writing, and give it to the service user; run the "
                          "doctor as root, or as that user.");
    }
    buf_text(said, path);
    return true;
}

static bool check_keys(struct cli *cli, struct buf *said, struct error *err)
{
    struct seal_public_key key;
    struct seal_key_pair pair;
    const char *secret_path = config_state_path(cli->arena, &cli->config, "keys/seal.key");
    if (!seal_read_public(config_state_path(cli->arena, &cli->config, "keys/seal.pub"), &key, err))
        return error_hint(err,
                          cli_is_closed(cli, "keys/seal.pub")
                              ? "Run the doctor as root, or as the user whom the service runs as."
                              : "`restante serve` makes the keys at its first start. If they "
                                "were lost, people must give their mail passwords again.");
    if (access(secret_path, R_OK) != 0) {
        buf_text(said, "public key; the secret key is not readable by this user");
        return true;
    }
    bool is_good = seal_read_pair(secret_path, &pair, err);
    if (is_good && memcmp(pair.public.key, key.key, SEAL_KEY_BYTES) != 0) {
        error_set(err, ERROR_CONFLICT, "the two key files do not belong together");
        is_good = error_hint(err, "Restore the two from one backup.");
    }
    secret_wipe(&pair, sizeof pair);
    buf_text(said, "public and secret key");
    return is_good;
}

static bool check_binaries(struct cli *cli, struct buf *said, struct error *err)
{
    if (cli->config.database[0] != '\0') {
        buf_text(said, "not needed: a database is configured");
        return true;
    }
    if (cli->config.postgres_bin[0] != '\0') {
        buf_text(said, cli->config.postgres_bin);
        return true;
    }
    return cluster_find_binaries(config_state_path(cli->arena, &cli->config, "postgresql"), said,
                                 err);
}

static bool check_database(struct cli *cli, struct buf *said, struct error *err)
{
    struct migrate_state state;
    struct db *db = cli_db(cli, err);
    bool is_up = db != NULL;
    cli_release(cli, &db);
    if (!is_up && cli->config.database[0])
        return error_hint(err, "Start that PostgreSQL and let this user in, or correct "
                               "\"database\" in the configuration.");
    if (!is_up || !migrate_look(cli->store, &state, err) || !migrate_check(&state, err))
        return false;
    buf_printf(said, "%s, migration %d", cli->config.database[0] ? "configured" : "private",
               state.database);
    return true;
}

static bool check_accounts(struct cli *cli, struct buf *said, struct error *err)
{
    struct service_status status;
    struct db *db = cli_db(cli, err);
    bool is_read = db && service_status(db, &status, err);
    cli_release(cli, &db);
    for (int i = 0; is_read && i < SYNC_STATES; i++)
        if (status.accounts[i] > 0)
            buf_printf(said, "%s%lld %s", said->length ? ", " : "", (long long)status.accounts[i],
                       sync_state_name((enum sync_state)i));
    if (is_read && said->length == 0)
        buf_text(said, "none yet");
    return is_read;
}

/* A connection to an address as the configuration writes it, with time-outs; -1: none. */
static int connect_to(struct str where)
{
    struct timeval patience = {.tv_sec = HEALTH_S};
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char text[128];
    if (!str_copy(where, text, sizeof text))
        return -1;
    char *port = strrchr(text, ':');
    char *host = *text == '[' ? text + 1 : text;
    if (!port)
        return -1;
    port[port > text && port[-1] == ']' ? -1 : 0] = '\0';
    if (getaddrinfo(host, port + 1, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
                    connect(fd, found->ai_addr, found->ai_addrlen) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* Whether what answers at an address is this service. */
static bool is_service(struct str where)
{
    static const char question[] = "GET /healthz HTTP/1.0\r\n\r\n";
    char answer[2048];
    size_t length = 0;
    ssize_t got = 0;
    int fd = connect_to(where);
    if (fd < 0)
        return false;
    if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == sizeof question - 1)
        while (length < sizeof answer &&
               (got = recv(fd, answer + length, sizeof answer - length, 0)) > 0)
            length += (size_t)got;
    close(fd);
    struct str all = str_make(answer, length);
    return str_find(all, STR("X-Request-Id")) > 0 && str_find(all, STR("\r\n\r\nok\n")) > 0;
}

/* `is_running`: the service was met at another of its addresses; one for FastCGI cannot be asked.
 */
static bool check_listener(const char *at, bool is_http, bool *is_running, struct buf *said,
                           struct error *err)
{
    struct str where = str_of(at);
    buf_printf(said, "%s%s", said->length ? ", " : "", at);
    if (str_starts(where, STR("unix:"))) /* trying it would replace a running one's */
        return true;
    int fd = listen_open(where, err);
    if (fd >= 0) {
        close(fd);
        buf_text(said, " free");
        return true;
    }
    if (errno != EADDRINUSE)
        return false;
    *is_running = *is_running || (is_http && is_service(where));
    if (!*is_running) {
        error_set(err, ERROR_CONFLICT, "%s is in use by something else", at);
        return error_hint(err, "End that, or change \"%s\" in the configuration.",
                          is_http ? "listen" : "listen_fastcgi");
    }
    *err = ERROR_INIT;
    buf_text(said, " served");
    return true;
}

static bool check_listeners(struct cli *cli, struct buf *said, struct error *err)
{
    const struct config *config = &cli->config;
    bool is_running = false;
    for (size_t i = 0; i < config->listen.count; i++)
        if (!check_listener(config->listen.at[i], true, &is_running, said, err))
            return false;
    for (size_t i = 0; i < config->listen_fastcgi.count; i++)
        if (!check_listener(config->listen_fastcgi.at[i], false, &is_running, said, err))
            return false;
    return true;
}

static bool check_certificates(struct cli *cli, struct buf *said, struct error *err)
{
    const char *ca_file = cli->config.ca_file[0] ? cli->config.ca_file : NULL;
    struct tls_context *tls = tls_context_new(ca_file, err);
    if (!tls)
        return error_hint(err, ca_file ? "Correct \"ca_file\" in the configuration."
                                       : "apt-get install ca-certificates");
    tls_context_free(&tls);
    buf_printf(said, "the system's%s%s", ca_file ? " and " : "", ca_file ? ca_file : "");
    return true;
}

static const struct {
    const char *name;
    check_fn *run;
} checks[] = {
    {"configuration", check_configuration}, {"service user", check_user},
    {"state directory", check_state},       {"keys", check_keys},
    {"certificates", check_certificates},   {"addresses", check_listeners},
    {"postgresql", check_binaries},         {"database", check_database},
    {"accounts", check_accounts},
};

int cli_doctor(struct cli *cli, struct error *err)
{
    int failed = 0;
    (void)err;
    cli->is_doctor = true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct error why = ERROR_INIT;
        struct buf said = BUF_INIT(4096);
        bool is_well = checks[i].run(cli, &said, &why);
        printf("%-4s %-16s %s\n", is_well ? "ok" : "BAD", checks[i].name,
               is_well ? (said.at ? said.at : "") : why.message);
        if (!is_well && why.hint[0])
            printf("     %-16s %s\n", "", why.hint);
        failed += !is_well;
        buf_free(&said);
        if (!is_well && checks[i].run == check_database)
            break; /* what is left is in the database */
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What must be there before a role runs: folders, keys, sockets, and the right user. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/http/door.h"
#include "server/serve.h"
#include "server/store/cluster.h"

static bool make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return error_errno(err, ERROR_INTERNAL, "%s cannot be made", path);
    if (geteuid() == 0 && chown(path, uid, gid) != 0)
        return error_errno(err, ERROR_INTERNAL, "%s cannot be given to the service user", path);
    return true;
}

/* The secret key comes first; a crash before the public one leaves what this mends. */
static bool make_keys(const char *folder, const char *secret_path, const char *public_path,
                      struct error *err)
{
    struct seal_key_pair pair;
    bool is_made = true;
    if (access(secret_path, F_OK) == 0) {
        is_made = seal_read_pair(secret_path, &pair, err) &&
                  seal_write_public(public_path, &pair.public, err);
    } else {
        seal_generate(&pair);
        is_made = seal_write_pair(secret_path, public_path, &pair, err);
    }
    secret_wipe(&pair, sizeof pair);
    if (is_made)
        LOG_INFO("serve.keys", log_text("made", folder));
    return is_made;
}

static bool refuse_keys(const char *secret_path, const char *public_path, struct error *err)
{
    error_set(err, ERROR_CONFLICT, "%s and %s do not belong together", secret_path, public_path);
    return error_hint(err, "Restore the two from one backup. The public key alone can be removed: "
                           "it is made again from the secret one.");
}

/* The secret key stays root's when root starts us: it is read here, before root is given up, and
 * afterwards no role can open the file. */
static bool prepare_keys(struct serve_context *c, struct error *err)
{
    const char *folder = config_state_path(c->arena, c->config, "keys");
    const char *secret_path = config_state_path(c->arena, c->config, "keys/seal.key");
    const char *public_path = config_state_path(c->arena, c->config, "keys/seal.pub");
    if (!make_folder(folder, 0755, geteuid(), getegid(), err))
        return false;
    if (access(public_path, F_OK) != 0 && !make_keys(folder, secret_path, public_path, err))
        return false;
    if (!seal_read_public(public_path, &c->public_key, err) ||
        !seal_read_pair(secret_path, &c->keys, err))
        return false;
    return memcmp(&c->keys.public, &c->public_key, sizeof c->public_key) == 0 ||
           refuse_keys(secret_path, public_path, err);
}

/* The web role never makes keys: what it sealed to a pair of its own nobody could open. */
static bool find_public_key(struct serve_context *c, struct error *err)
{
    const char *path = config_state_path(c->arena, c->config, "keys/seal.pub");
    return seal_read_public(path, &c->public_key, err) ||
           error_hint(err, "The sync role makes the keys at its first start. If it runs on another "
                           "machine, copy keys/seal.pub (never seal.key) from there.");
}

/* Gives root up for good: the supervisor too has no use for it once sockets are open. */
static bool become(uid_t uid, gid_t gid, struct error *err)
{
    if (geteuid() != 0)
        return true;
    if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0 || setuid(0) == 0)
        return error_errno(err, ERROR_INTERNAL, "the service user cannot be assumed");
    return true;
}

/* Root's socket would be nobody else's to connect to: it is the service user's, and its group's. */
static bool give_socket(const char *path, const char *mode, uid_t uid, gid_t gid, struct error *err)
{
    if ((geteuid() == 0 && lchown(path, uid, gid) != 0) ||
        chmod(path, (mode_t)strtoul(mode, NULL, 8)) != 0)
        return error_errno(err, ERROR_INTERNAL, "%s cannot be given to the service user", path);
    return true;
}

static bool listen_to_all(struct serve_context *c, uid_t uid, gid_t gid, struct error *err)
{
    const struct config_list *lists[] = {&c->config->listen, &c->config->listen_fastcgi};
    size_t *counts[] = {&c->http_listeners, &c->fastcgi_listeners};
    size_t total = 0;
    for (size_t l = 0; l < 2; l++) {
        for (size_t i = 0; i < lists[l]->count; i++) {
            struct str where = str_of(lists[l]->at[i]);
            if (total == SERVE_LISTENERS_MAX)
                return error_set(err, ERROR_INVALID, "more than %d addresses to listen on",
                                 SERVE_LISTENERS_MAX);
            bool is_unix = str_starts(where, STR("unix:"));
            int fd = listen_open(is_unix ? str_skip(where, 5) : where, err);
            if (fd < 0)
                return false;
            if (is_unix && !give_socket(where.at + 5, c->config->socket_mode, uid, gid, err))
                return false;
            c->listeners[total++] = fd;
            *counts[l] += 1;
            LOG_INFO("serve.listen", log_str("at", where),
                     log_text("door", l ? "fastcgi" : "http"));
        }
    }
    return true;
}

bool serve_prepare(struct serve_context *c, bool wants_secret, struct error *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    umask(0077);
    if (uid == 0 && !cluster_service_user(c->config->user, &uid, &gid, err))
        return false;
    prctl(PR_SET_DUMPABLE, 0); /* no core file with secrets in it, no tracing */
    const char *spool = config_state_path(c->arena, c->config, "spool");
    return make_folder(c->config->state_directory, 0711, uid, gid, err) &&
           make_folder(spool, 0700, uid, gid, err) &&
           (wants_secret ? prepare_keys(c, err) : find_public_key(c, err)) &&
           listen_to_all(c, uid, gid, err) && become(uid, gid, err);
}

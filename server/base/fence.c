#include "server/base/fence.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock knows only what is allowed: everything that lies beside the way to the folder. */
static void allow(int rules, int at, const char *name)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = openat(at, name, O_PATH | O_CLOEXEC | O_NOFOLLOW)};
    if (rule.parent_fd < 0)
        return; /* gone meanwhile, or not ours to enter */
    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

/* What lies in `above`, but for `step`. */
static bool allow_beside(int rules, const char *above, const char *step)
{
    DIR *directory = opendir(above);
    if (!directory)
        return false;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, step) != 0 && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            allow(rules, dirfd(directory), entry->d_name);
    closedir(directory);
    return true;
}

/* Walks down to the folder. */
static bool allow_the_rest(int rules, char *path)
{
    bool is_good = true;
    for (char *slash = path; is_good && slash;) {
        char *step = slash + 1, *next = strchr(step, '/');
        if (next)
            *next = '\0';
        *slash = '\0';
        is_good = allow_beside(rules, *path ? path : "/", step);
        *slash = '/';
        slash = next;
    }
    return is_good;
}

/* The set of what will be forbidden; -1: the kernel has no Landlock. */
static int make_rules(bool has_network)
{
    /* as linux/landlock.h of Linux 6.7 has it; Debian 12 has an older one */
    enum { ABI_WITH_NETWORK = 4, CONNECT_TCP = 1 << 1 };
    struct {
        uint64_t fs, net;
    } forbidden = {.fs = LANDLOCK_ACCESS_FS_READ_FILE};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    bool knows_network = abi >= ABI_WITH_NETWORK;
    if (knows_network && !has_network)
        forbidden.net = CONNECT_TCP;
    return (int)syscall(SYS_landlock_create_ruleset, &forbidden,
                        knows_network ? sizeof forbidden : sizeof forbidden.fs, 0);
}

bool fence_off(const char *folder, bool has_network)
{
    int rules = make_rules(has_network);
    if (rules < 0)
        return false;
    char *real = realpath(folder, NULL);
    bool is_good = real && allow_the_rest(rules, real) &&
                   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                   syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    free(real);
    close(rules);
    return is_good;
}

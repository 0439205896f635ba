#include "server/parser/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

enum { FDS_MAX = 16 }; /* standard three, the socket, one that comes with a request, spares */

/* What pure functions on memory and one socket need. */
static const int allowed_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sysinfo), /* qsort asks how much memory there is */
};

/* What the sanitizers' run-time does beside. */
static const int sanitizer_calls[] = {
    SCMP_SYS(sigaltstack), SCMP_SYS(gettid),
    SCMP_SYS(getpid),      SCMP_SYS(sched_yield),
    SCMP_SYS(mmap),        SCMP_SYS(mprotect),
    SCMP_SYS(prctl),       SCMP_SYS(rt_sigaction),
    SCMP_SYS(tgkill),      SCMP_SYS(sched_getaffinity),
    SCMP_SYS(readlink),
};

static bool limit(int resource, rlim_t value, struct error *err)
{
    struct rlimit limits = {value, value};
    return setrlimit((__rlimit_resource_t)resource, &limits) == 0 ||
           error_errno(err, ERROR_INTERNAL, "cannot limit resource %d of a parser", resource);
}

static bool limit_resources(const struct sandbox_options *options, struct error *err)
{
    if (!IS_SANITIZED && options->memory_bytes &&
        (!limit(RLIMIT_DATA, options->memory_bytes, err) ||
         !limit(RLIMIT_AS, options->memory_bytes + options->mapped_bytes, err)))
        return false;
    return limit(RLIMIT_NOFILE, FDS_MAX, err) && limit(RLIMIT_FSIZE, 0, err) &&
           limit(RLIMIT_CORE, 0, err) && limit(RLIMIT_NPROC, 0, err);
}

void sandbox_allow_cpu(int seconds)
{
    struct rusage used;
    struct rlimit limits;
    if (getrusage(RUSAGE_SELF, &used) || getrlimit(RLIMIT_CPU, &limits))
        return;
    limits.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (rlim_t)seconds + 1;
    setrlimit(RLIMIT_CPU, &limits);
}

/* Closes everything but standard error and the socket; standard input and output become nothing. */
static bool close_files(int keep_fd, struct error *err)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool is_good = nothing >= 0;
    for (int fd = STDIN_FILENO; is_good && fd <= STDOUT_FILENO; fd++)
        if (fd != keep_fd)
            is_good = dup2(nothing, fd) >= 0;
    if (!is_good)
        return error_errno(err, ERROR_INTERNAL, "cannot close a parser's files");
    if (keep_fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)keep_fd - 1, 0);
    close_range(keep_fd > STDERR_FILENO ? (unsigned)keep_fd + 1 : STDERR_FILENO + 1, ~0U, 0);
    return true;
}

/* No path may be opened any more. A kernel without Landlock leaves that to seccomp. */
static void close_file_system(void)
{
    const struct landlock_ruleset_attr rules = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                             LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                             LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                             LANDLOCK_ACCESS_FS_MAKE_SYM};
    long set = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (set < 0)
        return;
    syscall(SYS_landlock_restrict_self, (int)set, 0);
    close((int)set);
}

static bool allow_calls(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) < 0)
            return false;
    return true;
}

/* Memory yes (private, so that RLIMIT_DATA counts it), code no; one's own CPU limit yes, other
 * processes no. */
static bool allow_by_argument(scmp_filter_ctx filter)
{
    const scmp_datum_t exec = PROT_EXEC;
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0),
                            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                            SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU, 0)) == 0;
}

static bool filter_calls(struct error *err)
{
    scmp_filter_ctx filter =
        seccomp_init(IS_SANITIZED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    bool is_good = filter && allow_calls(filter, allowed_calls,
                                         sizeof allowed_calls / sizeof allowed_calls[0]);
    if (is_good && IS_SANITIZED)
        is_good = allow_calls(filter, sanitizer_calls,
                              sizeof sanitizer_calls / sizeof sanitizer_calls[0]);
    is_good = is_good && allow_by_argument(filter) && seccomp_load(filter) == 0;
    if (filter)
        seccomp_release(filter);
    return is_good || error_set(err, ERROR_INTERNAL, "cannot filter a parser's system calls");
}

bool sandbox_enter(const struct sandbox_options *options, struct error *err)
{
    if (!close_files(options->keep_fd, err) || !limit_resources(options, err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        (!IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0) != 0))
        return error_errno(err, ERROR_INTERNAL, "cannot give up a parser's privileges");
    if (!IS_SANITIZED)
        close_file_system();
    return options->is_permissive || filter_calls(err);
}

/* A folder that is given up stays closed to the process and its children, and nothing beside it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/fence.h"

static char home[64];
static struct sockaddr_in peer = {.sin_family = AF_INET};

static const char *in_home(const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", home, name);
    return path[next];
}

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_good = connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0;
    close(fd);
    return is_good;
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* In a child, since there is no way back: what is wrong, as a bit each. */
static int look_behind_the_fence(void)
{
    int wrong = 0;
    if (!fence_off(in_home("state/keys"), false)) /* an old kernel: then all is as before */
        return can_read(in_home("state/keys/seal.key")) ? 0 : 1;
    wrong |= can_read(in_home("state/keys/seal.key")) || errno != EACCES ? 2 : 0;
    wrong |= can_read(in_home("state/spool/../keys/seal.key")) ? 4 : 0;
    wrong |= can_read(in_home("link/seal.key")) ? 8 : 0;
    char command[160];
    snprintf(command, sizeof command, "cat %s/state/keys/seal.key 2>/dev/null", home);
    wrong |= system(command) == 0 ? 16 : 0;
    wrong |= !can_read(in_home("state/beside")) || !can_read("/etc/passwd") ? 32 : 0;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    wrong |= abi >= 4 && can_connect() ? 128 : 0;
    int spool = open(in_home("state/spool/new"), O_RDWR | O_CREAT, 0600);
    wrong |= spool < 0 || !can_read(in_home("state/spool/new")) ? 64 : 0;
    return wrong;
}

static void test_what_is_given_up_stays_closed(void **state)
{
    (void)state;
    int status;
    snprintf(home, sizeof home, "/tmp/restante-fence-XXXXXX");
    assert_non_null(mkdtemp(home));
    assert_int_equal(mkdir(in_home("state"), 0700), 0);
    assert_int_equal(mkdir(in_home("state/keys"), 0700), 0);
    assert_int_equal(mkdir(in_home("state/spool"), 0700), 0);
    assert_int_equal(symlink("state/keys", in_home("link")), 0);
    make_file(in_home("state/keys/seal.key"));
    make_file(in_home("state/beside"));
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof peer;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&peer, length), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&peer, &length), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(look_behind_the_fence());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(can_read(in_home("state/keys/seal.key")) && can_connect()); /* to us it is open */
    close(listener);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    assert_int_equal(system(command), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_folder_that_is_not_there_gives_up_nothing(void **state)
{
    (void)state;
    assert_false(fence_off("/tmp/restante-no-such-folder/keys", false));
    assert_true(can_read("/etc/passwd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_up_stays_closed),
        cmocka_unit_test(test_a_folder_that_is_not_there_gives_up_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The first of several addresses that answers (RFC 8305, "happy eyeballs"): each is given a quarter
 * of a second before the next one is tried beside it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "server/net/stream_private.h"

struct race {
    struct pollfd fds[RESOLVE_ADDRESSES_MAX];
    int count; /* sockets that are connecting */
};

static socklen_t length_of(const struct address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

/* Begins to connect: false when that failed at once. */
static bool start(struct race *race, const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, &address->any, length_of(address)) < 0 && errno != EINPROGRESS) {
        close(fd);
        return false;
    }
    race->fds[race->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    return true;
}

/* Takes one of the sockets out of the race. */
static int leave(struct race *race, int i)
{
    int fd = race->fds[i].fd;
    race->fds[i] = race->fds[--race->count];
    return fd;
}

/* A socket that is connected now, or -1; those that failed are closed. */
static int winner(struct race *race)
{
    for (int i = race->count - 1; i >= 0; i--) {
        if (!race->fds[i].revents)
            continue;
        int failure = 0;
        socklen_t length = sizeof failure;
        int fd = leave(race, i);
        if (!getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) && !failure)
            return fd;
        close(fd);
    }
    return -1;
}

static bool is_cancelled(const struct stream_params *params)
{
    struct pollfd cancel = {.fd = params->cancel_fd, .events = POLLIN};
    return (params->cancel && atomic_load(params->cancel)) ||
           (params->cancel_fd > 0 && poll(&cancel, 1, 0) > 0);
}

/* Only the address counts that the socket is really connected to. */
static bool check_peer(const struct stream_params *params, int fd, struct error *err)
{
    struct address peer;
    socklen_t length = sizeof peer;
    if (getpeername(fd, &peer.any, &length))
        return error_errno(err, ERROR_UNREACHABLE, "The connection was lost");
    return egress_check_address(params->egress, params->host, &peer.any, err);
}

/* Refused, filtered and absent read alike, so that nobody can map a network with it. */
static void tell_unreachable(const struct stream_params *params, struct error *err)
{
    error_set(err, ERROR_UNREACHABLE, "No connection to %" STR_FMT " on port %d",
              STR_ARG(params->host), params->port);
    error_hint(err, "Check the host name and the port; if they are right, the server may be down.");
}

/* The addresses that the rules allow; the error of the last that they do not. */
static int vet(const struct stream_params *params, const struct address *addresses, int count,
               const struct address *vetted[RESOLVE_ADDRESSES_MAX], struct error *err)
{
    int good = 0;
    for (int i = 0; i < count; i++)
        if (egress_check_address(params->egress, params->host, &addresses[i].any, err))
            vetted[good++] = &addresses[i];
    return good;
}

int connect_first(const struct stream_params *params, const struct address *addresses, int count,
                  struct deadline deadline, struct error *err)
{
    const struct address *vetted[RESOLVE_ADDRESSES_MAX];
    struct error forbidden = ERROR_INIT;
    int good = vet(params, addresses, count, vetted, &forbidden);
    if (!good) {
        if (err)
            *err = forbidden;
        return -1;
    }
    struct race race = {.count = 0};
    int next = 0, fd = -1;
    int64_t next_at_ms = 0;
    bool was_cancelled = false;
    while (fd < 0 && (race.count || next < good) && !deadline_passed(deadline)) {
        if (next < good && (!race.count || clock_monotonic_ms() >= next_at_ms)) {
            start(&race, vetted[next++]);
            next_at_ms = clock_monotonic_ms() + STREAM_NEXT_ADDRESS_MS;
            if (!race.count)
                continue;
        }
        if ((was_cancelled = is_cancelled(params)))
            break;
        int wait_ms = deadline_left_ms(deadline);
        if (wait_ms < 0 || wait_ms > STREAM_CANCEL_MS)
            wait_ms = STREAM_CANCEL_MS;
        if (poll(race.fds, (nfds_t)race.count, wait_ms) > 0)
            fd = winner(&race);
    }
    while (race.count)
        close(leave(&race, 0));
    if (fd >= 0 && check_peer(params, fd, err))
        return fd;
    if (fd >= 0)
        close(fd);
    else if (was_cancelled)
        error_set(err, ERROR_CLOSED, "The connection was given up here");
    else
        tell_unreachable(params, err);
    return -1;
}

/* Raw sockets for the tests of the doors: what goes over the wire is written out in the test. */
#ifndef RESTANTE_TESTS_HTTP_CLIENT_H
#define RESTANTE_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/buf.h"

static inline uint16_t port_of(int listen_fd)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    if (getsockname(listen_fd, (struct sockaddr *)&name, &length) != 0)
        abort();
    return ntohs(name.sin_port);
}

static inline int dial(uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval forever_for_a_test = {60, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever_for_a_test, sizeof forever_for_a_test);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) != 0)
        abort();
    return fd;
}

/* False when the other side has closed. */
static inline bool say(int fd, struct str bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)sent);
    }
    return true;
}

/* Reads until the other side ends; a reset is an end too. */
static inline void hear_all(int fd, struct buf *heard)
{
    ssize_t got;
    do {
        char *room = buf_reserve(heard, 65536);
        got = room ? recv(fd, room, 65536, 0) : 0;
        if (got > 0)
            heard->length += (size_t)got;
    } while (got > 0);
}

/* Reads one answer with Content-Length (or without a body) into `answer`; what follows stays
 * unread. Returns its status, 0 if the connection ended first. */
static inline int hear_answer(int fd, struct buf *answer, bool has_body)
{
    size_t missing = 1;
    ptrdiff_t end = -1;
    buf_reset(answer);
    while (missing > 0) {
        char c[4096];
        ssize_t got = recv(fd, c, end < 0 ? 1 : missing < sizeof c ? missing : sizeof c, 0);
        if (got <= 0)
            return 0;
        buf_append(answer, c, (size_t)got);
        if (end >= 0) {
            missing -= (size_t)got;
        } else if (str_ends(buf_view(answer), STR("\r\n\r\n"))) {
            uint64_t length = 0;
            ptrdiff_t at = str_find_nocase(buf_view(answer), STR("\r\nContent-Length: "));
            if (at >= 0) {
                struct str rest = str_skip(buf_view(answer), (size_t)at + 18);
                str_to_u64(str_sub(rest, 0, (size_t)str_find_char(rest, '\r')), &length);
            }
            end = (ptrdiff_t)answer->length;
            missing = has_body ? length : 0;
        }
    }
    uint32_t status = 0;
    str_to_u32(str_sub(buf_view(answer), strlen("HTTP/1.1 "), 3), &status);
    return (int)status;
}

static inline bool holds(const struct buf *b, const char *text)
{
    return str_find(buf_view(b), str_of(text)) >= 0;
}

#endif

#include "server/parser/protocol.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    MAGIC = 0x50545352,           /* "RSTP" */
    FDS_MAX = 4,                  /* taken from one message, all but the first to be closed */
    READ_BYTES_MAX = 1024 * 1024, /* room made at once: memory follows what really comes */
};

static void put(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * i));
}

static uint64_t get(const char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

bool protocol_read_header(struct str bytes, enum protocol_kind *kind, uint64_t *length)
{
    if (bytes.length != PROTOCOL_HEADER_BYTES || get(bytes.at, 4) != MAGIC ||
        get(bytes.at + 4, 4) >= PROTOCOL_KINDS)
        return false;
    *kind = (enum protocol_kind)get(bytes.at + 4, 4);
    *length = get(bytes.at + 8, 8);
    return *length <= PROTOCOL_REQUEST_BYTES_MAX;
}

/* Sockets are used without blocking so that the deadline holds in the middle of a frame. */
static enum protocol_result wait_for(int socket, short events, struct deadline deadline)
{
    struct pollfd poll_fd = {.fd = socket, .events = events};
    for (;;) {
        int count = poll(&poll_fd, 1, deadline_left_ms(deadline));
        if (count > 0)
            return PROTOCOL_OK;
        if (count == 0 && deadline_passed(deadline))
            return PROTOCOL_TIMEOUT;
        if (count < 0 && errno != EINTR)
            return PROTOCOL_CLOSED;
    }
}

static void attach_fd(struct msghdr *message, char *control, size_t size, int fd)
{
    memset(control, 0, size);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof fd);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

static enum protocol_result send_all(int socket, struct str bytes, int fd, struct deadline deadline)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    while (bytes.length) {
        struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.at, .iov_len = bytes.length};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fd >= 0)
            attach_fd(&message, control, sizeof control, fd);
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes = str_skip(bytes, (size_t)sent);
            fd = -1;
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            enum protocol_result result = wait_for(socket, POLLOUT, deadline);
            if (result != PROTOCOL_OK)
                return result;
        } else if (sent < 0 && errno != EINTR) {
            return PROTOCOL_CLOSED;
        }
    }
    return PROTOCOL_OK;
}

enum protocol_result protocol_send(int socket, enum protocol_kind kind, struct str head,
                                   struct str tail, int fd, struct deadline deadline)
{
    char header[PROTOCOL_HEADER_BYTES];
    if (head.length > PROTOCOL_REQUEST_BYTES_MAX ||
        tail.length > PROTOCOL_REQUEST_BYTES_MAX - head.length)
        return PROTOCOL_BROKEN;
    put(header, MAGIC, 4);
    put(header + 4, (uint64_t)kind, 4);
    put(header + 8, head.length + tail.length, 8);
    enum protocol_result result = send_all(socket, str_make(header, sizeof header), fd, deadline);
    if (result == PROTOCOL_OK)
        result = send_all(socket, head, -1, deadline);
    if (result == PROTOCOL_OK)
        result = send_all(socket, tail, -1, deadline);
    return result;
}

/* Keeps the first descriptor that came, unless there is one already, and closes the others. */
static void take_fds(struct msghdr *message, int *fd)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int received;
            memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (*fd < 0)
                *fd = received;
            else
                close(received);
        }
    }
}

/* Reads some bytes, at most `size`; waits for the first. */
static enum protocol_result receive_some(int socket, char *at, size_t size, size_t *got, int *fd,
                                         struct deadline deadline)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    for (;;) {
        struct iovec iov = {.iov_base = at, .iov_len = size};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (count > 0) {
            take_fds(&message, fd);
            *got = (size_t)count;
            return PROTOCOL_OK;
        }
        if (count == 0)
            return PROTOCOL_CLOSED;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum protocol_result result = wait_for(socket, POLLIN, deadline);
            if (result != PROTOCOL_OK)
                return result;
        } else if (errno != EINTR) {
            return PROTOCOL_CLOSED;
        }
    }
}

static enum protocol_result receive_payload(int socket, struct buf *payload, uint64_t length,
                                            int *fd, struct deadline deadline)
{
    while (payload->length < length) {
        size_t want = (size_t)length - payload->length;
        if (want > READ_BYTES_MAX)
            want = READ_BYTES_MAX;
        char *at = buf_reserve(payload, want);
        if (!at)
            return PROTOCOL_BROKEN;
        size_t got = 0;
        enum protocol_result result = receive_some(socket, at, want, &got, fd, deadline);
        if (result != PROTOCOL_OK)
            return result;
        payload->length += got;
    }
    return PROTOCOL_OK;
}

enum protocol_result protocol_receive(int socket, enum protocol_kind *kind, struct buf *payload,
                                      int *fd, struct deadline deadline)
{
    char header[PROTOCOL_HEADER_BYTES];
    size_t length = 0;
    int received = -1;
    uint64_t payload_length = 0;
    enum protocol_result result = PROTOCOL_OK;
    buf_reset(payload);
    while (result == PROTOCOL_OK && length < sizeof header) {
        size_t got = 0;
        result = receive_some(socket, header + length, sizeof header - length, &got, &received,
                              deadline);
        length += got;
    }
    if (result == PROTOCOL_OK &&
        (!protocol_read_header(str_make(header, sizeof header), kind, &payload_length) ||
         payload_length > payload->limit))
        result = PROTOCOL_BROKEN;
    if (result == PROTOCOL_OK)
        result = receive_payload(socket, payload, payload_length, &received, deadline);
    bool is_wanted = fd && result == PROTOCOL_OK;
    if (received >= 0 && !is_wanted) {
        close(received);
        result = result == PROTOCOL_OK ? PROTOCOL_BROKEN : result;
    }
    if (fd)
        *fd = is_wanted ? received : -1;
    return result;
}

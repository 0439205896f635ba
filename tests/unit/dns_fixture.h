/* A name server of the test's own, on loopback: it answers from the records of `zone`. */
#ifndef RESTANTE_TESTS_DNS_FIXTURE_H
#define RESTANTE_TESTS_DNS_FIXTURE_H

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct record {
    const char *name; /* as on the wire, without the last byte (the root) */
    int type;
    const char *bytes;
    size_t length;
};
#define RECORD(name, type, bytes)            \
    {                                        \
        name, type, bytes, sizeof(bytes) - 1 \
    }

static struct {
    const struct record *zone;
    size_t count;
    int fd, stop_fd;
    char servers[32];
    pthread_t thread;
} dns;

static size_t put_record(unsigned char *at, const struct record *record)
{
    size_t length = record->length + (record->type == ns_t_srv); /* the root behind the target */
    unsigned char head[12] = {0xc0, 12, 0, (unsigned char)record->type, 0, 1, 0, 0,
                              0,    60, 0, (unsigned char)length};
    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, record->bytes, record->length);
    at[sizeof head + length - 1] = record->type == ns_t_srv ? 0 : at[sizeof head + length - 1];
    return sizeof head + length;
}

/* The length of the answer made from a question in place; 0: none. */
static size_t answer(unsigned char *message, size_t length)
{
    char *name = (char *)message + 12;
    size_t name_length = strnlen(name, length - 12), end = 12 + name_length + 1 + 4;
    int type = message[end - 3];
    if (strstr(name, "silent"))
        return 0;
    unsigned char count = 0;
    bool is_known = false;
    for (size_t i = 0; i < dns.count; i++) {
        if (strcasecmp(dns.zone[i].name, name) != 0)
            continue;
        is_known = true;
        if (dns.zone[i].type == type) {
            end += put_record(message + end, &dns.zone[i]);
            count++;
        }
    }
    message[2] = 0x81;
    message[3] = is_known ? 0x80 : 0x83;
    message[6] = 0;
    message[7] = count;
    memset(message + 8, 0, 4);
    return end;
}

static void *serve(void *context)
{
    struct pollfd fds[2] = {{.fd = dns.fd, .events = POLLIN},
                            {.fd = dns.stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        unsigned char message[2048] = {0};
        struct sockaddr_in from;
        socklen_t from_length = sizeof from;
        ssize_t n = recvfrom(dns.fd, message, 512, 0, (struct sockaddr *)&from, &from_length);
        size_t length = n > 17 ? answer(message, (size_t)n) : 0;
        if (length)
            sendto(dns.fd, message, length, 0, (struct sockaddr *)&from, from_length);
    }
    return context;
}

/* The zone must live on. 0: well. */
static int dns_start(const struct record *zone, size_t count)
{
    dns.zone = zone;
    dns.count = count;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    dns.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (bind(dns.fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(dns.fd, (struct sockaddr *)&address, &length))
        return 1;
    snprintf(dns.servers, sizeof dns.servers, "127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&dns.thread, NULL, serve, NULL);
}

static int dns_stop(void)
{
    eventfd_write(dns.stop_fd, 1);
    pthread_join(dns.thread, NULL);
    close(dns.fd);
    close(dns.stop_fd);
    return 0;
}

#endif

#include "server/net/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <idn2.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/net/egress.h"

enum { TRY_MS = 2000, TRIES = 3 };

bool resolve_ascii(struct str host, char ascii[RESOLVE_HOST_BYTES], struct error *err)
{
    char text[1024];
    bool is_plain = true;
    for (size_t i = 0; i < host.length; i++)
        is_plain = is_plain && !(host.at[i] & 0x80);
    if (!str_copy(host, text, sizeof text))
        return error_set(err, ERROR_INVALID, "The host name is too long");
    if (!is_plain) {
        char *converted = NULL;
        int rc = idn2_to_ascii_8z(text, &converted, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
        bool fits = rc == IDN2_OK && str_copy(str_of(converted), text, sizeof text);
        free(converted);
        if (!fits)
            return error_set(err, ERROR_INVALID, "\"%s\" is not the name of a host: %s", text,
                             idn2_strerror(rc));
    }
    /* Again after the conversion: full-width digits become an address only now. */
    if (!egress_check_host(str_of(text), err))
        return false;
    size_t length = strlen(text);
    if (length > 1 && text[length - 1] == '.')
        text[--length] = '\0';
    for (size_t i = 0; i <= length; i++)
        ascii[i] = ascii_lower(text[i]);
    return true;
}

const char *address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES])
{
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    if (!inet_ntop(address->sa_family, bytes, text, ADDRESS_TEXT_BYTES))
        text[0] = '\0';
    return text;
}

/* --- asking ----------------------------------------------------------------------------------- */

struct answer {
    bool is_done;
    int status;
    struct ares_addrinfo *addresses;
    struct ares_srv_reply *services;
};

static void init_once(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

static bool open_channel(const struct resolver *resolver, ares_channel *channel, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    int rc = ares_init_options(channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (rc == ARES_SUCCESS && resolver->servers) {
        rc = ares_set_servers_ports_csv(*channel, resolver->servers);
        if (rc != ARES_SUCCESS)
            ares_destroy(*channel);
    }
    if (rc != ARES_SUCCESS)
        return error_set(err, ERROR_INTERNAL, "The resolver cannot start: %s", ares_strerror(rc));
    return true;
}

/* Runs the channel until the answer is there, the deadline passed, or someone cancels. */
static bool run(const struct resolver *resolver, ares_channel channel, struct answer *answer,
                struct error *err)
{
    while (!answer->is_done) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
        /* What ARES_GETSOCK_READABLE and _WRITABLE read, which shift an int by 31. */
        unsigned bits = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        nfds_t count = 0;
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            short events = (short)((bits >> i & 1 ? POLLIN : 0) |
                                   (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
            if (events)
                fds[count++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
        nfds_t asked = count;
        if (resolver->cancel_fd > 0)
            fds[count++] = (struct pollfd){.fd = resolver->cancel_fd, .events = POLLIN};
        int left = deadline_left_ms(resolver->deadline);
        struct timeval most = {left < 0 ? 60 : left / 1000, left < 0 ? 0 : left % 1000 * 1000};
        struct timeval wait, *next = ares_timeout(channel, &most, &wait);
        poll(fds, count, (int)(next->tv_sec * 1000 + (next->tv_usec + 999) / 1000));
        if (count > asked && fds[asked].revents)
            return error_set(err, ERROR_CLOSED, "The look-up was given up");
        if (deadline_passed(resolver->deadline))
            return error_set(err, ERROR_TIMEOUT, "The name server did not answer in time");
        for (nfds_t i = 0; i < asked; i++)
            ares_process_fd(channel,
                            fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd
                                                                          : ARES_SOCKET_BAD,
                            fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
    }
    return true;
}

static bool is_absence(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static bool tell_failure(struct str name, int status, struct error *err)
{
    if (is_absence(status)) {
        error_set(err, ERROR_UNREACHABLE, "There is no host named %" STR_FMT, STR_ARG(name));
        return error_hint(err, "Check the host name for a typing error.");
    }
    if (status == ARES_EBADNAME)
        return error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not the name of a host",
                         STR_ARG(name));
    return error_set(err, status == ARES_ETIMEOUT ? ERROR_TIMEOUT : ERROR_UNREACHABLE,
                     "The name %" STR_FMT " cannot be looked up now: %s", STR_ARG(name),
                     ares_strerror(status));
}

/* --- addresses -------------------------------------------------------------------------------- */

static void take_addresses(void *context, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)timeouts;
    struct answer *answer = context;
    answer->is_done = true;
    answer->status = status;
    answer->addresses = result;
}

static struct address address_of(const struct ares_addrinfo_node *node, int port)
{
    struct address address = {0};
    if (node->ai_family == AF_INET6) {
        memcpy(&address.v6, node->ai_addr, sizeof address.v6);
        address.v6.sin6_port = htons((uint16_t)port);
    } else {
        memcpy(&address.v4, node->ai_addr, sizeof address.v4);
        address.v4.sin_port = htons((uint16_t)port);
    }
    return address;
}

/* IPv6, IPv4, IPv6, ... (RFC 8305 section 4), so that a broken family costs one attempt. */
static int interleave(const struct ares_addrinfo *result, int port,
                      struct address addresses[RESOLVE_ADDRESSES_MAX])
{
    const struct ares_addrinfo_node *next[2] = {result->nodes, result->nodes};
    static const int families[2] = {AF_INET6, AF_INET};
    int count = 0;
    while (count < RESOLVE_ADDRESSES_MAX && (next[0] || next[1]))
        for (int i = 0; i < 2 && count < RESOLVE_ADDRESSES_MAX; i++) {
            while (next[i] && next[i]->ai_family != families[i])
                next[i] = next[i]->ai_next;
            if (!next[i])
                continue;
            addresses[count++] = address_of(next[i], port);
            next[i] = next[i]->ai_next;
        }
    return count;
}

static bool literal_address(const char *ascii, int port, struct address *address)
{
    *address = (struct address){0};
    if (inet_pton(AF_INET, ascii, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, ascii, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        return true;
    }
    return false;
}

int resolve_host(const struct resolver *resolver, struct str host, int port,
                 struct address addresses[RESOLVE_ADDRESSES_MAX], struct error *err)
{
    char ascii[RESOLVE_HOST_BYTES];
    if (!resolve_ascii(host, ascii, err))
        return -1;
    if (literal_address(ascii, port, &addresses[0]))
        return 1;
    ares_channel channel;
    if (!open_channel(resolver, &channel, err))
        return -1;
    struct answer answer = {0};
    struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};
    ares_getaddrinfo(channel, ascii, NULL, &hints, take_addresses, &answer);
    bool was_run = run(resolver, channel, &answer, err);
    ares_destroy(channel); /* answers what is still open, with ARES_EDESTRUCTION */
    int count = 0;
    if (was_run && answer.status == ARES_SUCCESS)
        count = interleave(answer.addresses, port, addresses);
    if (was_run && count == 0) {
        tell_failure(str_of(ascii), answer.status ? answer.status : ARES_ENODATA, err);
        count = -1;
    }
    if (answer.addresses)
        ares_freeaddrinfo(answer.addresses);
    return was_run ? count : -1;
}

/* --- services --------------------------------------------------------------------------------- */

static void take_services(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
    (void)timeouts;
    struct answer *answer = context;
    answer->is_done = true;
    answer->status = status;
    if (status == ARES_SUCCESS)
        answer->status = ares_parse_srv_reply(bytes, length, &answer->services);
}

static int compare_services(const void *a, const void *b)
{
    const struct srv *x = a, *y = b;
    /* The heavier first instead of the lottery of RFC 2782: settings are looked up once and kept,
     * so nothing is balanced by it. */
    return x->priority != y->priority ? x->priority - y->priority : y->weight - x->weight;
}

int resolve_srv(const struct resolver *resolver, struct arena *arena, struct str name,
                struct srv services[RESOLVE_SRV_MAX], struct error *err)
{
    char ascii[RESOLVE_HOST_BYTES];
    ares_channel channel;
    if (!resolve_ascii(name, ascii, err) || !open_channel(resolver, &channel, err))
        return -1;
    struct answer answer = {0};
    ares_query(channel, ascii, ns_c_in, ns_t_srv, take_services, &answer);
    bool was_run = run(resolver, channel, &answer, err);
    ares_destroy(channel);
    int count = 0;
    for (struct ares_srv_reply *s = answer.services; was_run && s && count < RESOLVE_SRV_MAX;
         s = s->next)
        if (s->host && *s->host && strcmp(s->host, ".") != 0)
            services[count++] = (struct srv){.host = arena_str(arena, str_of(s->host)),
                                             .port = s->port,
                                             .priority = s->priority,
                                             .weight = s->weight};
    if (answer.services)
        ares_free_data(answer.services);
    if (!was_run)
        return -1;
    if (answer.status != ARES_SUCCESS && !is_absence(answer.status)) {
        tell_failure(str_of(ascii), answer.status, err);
        return -1;
    }
    qsort(services, (size_t)count, sizeof *services, compare_services);
    return count;
}

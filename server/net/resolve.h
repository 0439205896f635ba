/* Names to addresses, by c-ares, within a deadline. */
#ifndef RESTANTE_NET_RESOLVE_H
#define RESTANTE_NET_RESOLVE_H

#include <netinet/in.h>

#include "server/base/arena.h"
#include "server/base/clock.h"
#include "server/base/error.h"

enum { RESOLVE_ADDRESSES_MAX = 16, RESOLVE_SRV_MAX = 16 };

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

struct resolver {
    const char *servers;      /* "127.0.0.1:5353"; NULL: the system's (resolv.conf) */
    struct deadline deadline; /* of the whole look-up */
    int cancel_fd;            /* readable: give up; -1: none */
};

/* Addresses of a name or of an address literal, with `port` filled in, in the order to be tried
 * (families alternate, IPv6 first: RFC 8305 section 4). Returns how many, or -1: ERROR_UNREACHABLE,
 * ERROR_TIMEOUT, ERROR_CLOSED (cancelled). U-labels are converted (IDNA 2008). */
int resolve_host(const struct resolver *resolver, struct str host, int port,
                 struct address addresses[RESOLVE_ADDRESSES_MAX], struct error *err);

struct srv {
    struct str host; /* in the arena; without a dot at its end */
    int port, priority, weight;
};
/* SRV records ("_imaps._tcp.example.org"), best first. Returns how many, 0 if there are none or the
 * domain says that it has no such service (host "."), or -1. */
int resolve_srv(const struct resolver *resolver, struct arena *arena, struct str name,
                struct srv services[RESOLVE_SRV_MAX], struct error *err);

/* A host name as DNS and certificates spell it: lower-case A-labels, no dot at the end. False with
 * ERROR_INVALID. `ascii` holds at least 256 bytes. */
enum { RESOLVE_HOST_BYTES = 256 };
bool resolve_ascii(struct str host, char ascii[RESOLVE_HOST_BYTES], struct error *err);

/* "192.0.2.1" or "2001:db8::1" of an address, for logs. */
enum { ADDRESS_TEXT_BYTES = 64 };
const char *address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);

#endif

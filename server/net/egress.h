/* Where this machine may connect to on behalf of people. They type host names; without this rule
 * any of them could make the server talk to the database next door. What counts is the address that
 * a connection is really made to, checked at each hop; the name is only looked at for forms that
 * resolvers read differently (2130706433, 0177.0.0.1, 127.1). Read-only after egress_new, so it may
 * be shared by all threads. */
#ifndef RESTANTE_NET_EGRESS_H
#define RESTANTE_NET_EGRESS_H

#include <sys/socket.h>

#include "server/base/error.h"
#include "server/base/str.h"

struct egress;

/* `allow`: what is allowed besides public addresses, separated by spaces or commas: networks
 * ("10.1.0.0/16", "fd00::/8"), addresses, and host names, which then may lead anywhere. `ports`:
 * the ports allowed ("143 993", "any"); empty: the mail ports and 80, 443. ERROR_INVALID names the
 * word that is neither. */
struct egress *egress_new(struct str allow, struct str ports, struct error *err);
void egress_free(struct egress **egress);

/* The host as typed, before resolving: a DNS name, or an address in its one canonical form.
 * ERROR_INVALID for anything else. */
bool egress_check_host(struct str host, struct error *err);
/* ERROR_FORBIDDEN if the port is not in the list. */
bool egress_check_port(const struct egress *egress, int port, struct error *err);
/* The address that `host` resolved to, or a socket is connected to (getpeername). IPv4 inside IPv6
 * (mapped, compatible, 6to4, Teredo, NAT64) is judged as that IPv4. ERROR_FORBIDDEN. */
bool egress_check_address(const struct egress *egress, struct str host,
                          const struct sockaddr *address, struct error *err);

#endif

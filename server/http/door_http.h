/* The HTTP door, by libmicrohttpd: its epoll thread only moves bytes; a handler runs on a worker
 * while its connection is suspended. Slow clients meet three limits: libmicrohttpd's inactivity
 * time-out, our deadlines for a whole head, body or answer, and a cap of connections an address.
 * TLS is the business of the proxy in front. */
#ifndef RESTANTE_HTTP_DOOR_HTTP_H
#define RESTANTE_HTTP_DOOR_HTTP_H

#include "server/http/door.h"

struct door_http;

/* Serves `listen_fd` (from listen_open, or handed over by systemd), which belongs to the door from
 * now on, also on failure. The options are copied, what they point to must live on. */
struct door_http *door_http_start(const struct door_options *options, int listen_fd,
                                  struct error *err);
/* Takes no more connections, lets running handlers finish and their answers go out (a few seconds
 * at most), ends streams, frees; clears the caller's pointer. What event streams wait for must be
 * ended before, or each ends at its next write. */
void door_http_stop(struct door_http **door);

#endif

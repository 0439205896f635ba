/* The FastCGI door, by libfcgi, fenced: one thread accepts, waits and looks at what has come; only
 * a complete and well-formed head goes to a worker, where libfcgi reads it without blocking. So a
 * peer that stalls in its head holds nothing but a descriptor. A body that stalls holds a worker
 * until the time-out: web servers send bodies once they have them whole. */
#ifndef RESTANTE_HTTP_DOOR_FCGI_H
#define RESTANTE_HTTP_DOOR_FCGI_H

#include "server/http/door.h"

struct door_fcgi;

/* Serves `listen_fd` (from listen_open, or descriptor 0 as a web server hands it over), which
 * belongs to the door from now on, also on failure. Once per process at a time. */
struct door_fcgi *door_fcgi_start(const struct door_options *options, int listen_fd,
                                  struct error *err);
/* Takes no more requests, lets running ones finish, ends streams, frees. */
void door_fcgi_stop(struct door_fcgi **door);
/* Whether descriptor 0 is a listening socket: a web server started us as FastCGI (section 2.2). */
bool door_fcgi_is_asked(void);

#endif

/* Running the service: a supervisor, and the two roles it keeps alive. */
#ifndef RESTANTE_SERVE_H
#define RESTANTE_SERVE_H

#include "server/base/config.h"
#include "server/base/seal.h"

enum { SERVE_LISTENERS_MAX = 16 };

/* What a role is given by the process that starts it. */
struct serve_context {
    const struct config *config;
    struct arena *arena;
    const char *web_conninfo, *owner_conninfo;
    struct seal_public_key public_key;
    struct seal_key_pair keys;          /* wiped in the web role */
    int listeners[SERVE_LISTENERS_MAX]; /* HTTP first, then FastCGI; opened once by the supervisor,
                                           so that a restarting web role refuses nobody */
    size_t http_listeners, fastcgi_listeners;
};

/* State directory and keys, made when missing, and the sockets that the configuration lists. When
 * root: given to the service user, whom we become. The secret key is read only if `wants_secret`.
 */
bool serve_prepare(struct serve_context *context, bool wants_secret, struct error *err);

/* Run until SIGTERM or SIGINT (blocked by the caller); return the exit status. */
int serve_web(struct serve_context *context);
int serve_sync(struct serve_context *context);
/* One gateway: FastCGI on descriptor 0, or CGI. */
int serve_gateway(struct serve_context *context);

#endif

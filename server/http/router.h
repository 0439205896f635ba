/* The route table: one row is all that is known of a route. Patterns are matched segment by
 * segment: `{name}` takes one segment, a final `{name*}` the rest of the path (one byte or more); a
 * literal segment is preferred to `{name}`, that to `{name*}`. The router answers 404, 405 (with
 * Allow), 501 and OPTIONS itself, applies the row's flags before the handler runs, and turns
 * an error that a handler returns into the page or problem document of its kind. */
#ifndef RESTANTE_HTTP_ROUTER_H
#define RESTANTE_HTTP_ROUTER_H

#include "server/http/response.h"

/* Answers a request. False with `err` filled: the router renders the error and discards `res`. */
typedef bool route_handler(struct request *req, struct response *res, struct error *err);

enum route_flags {
    ROUTE_PUBLIC = 1 << 0, /* no sign-in needed; otherwise the guard must find a session */
    ROUTE_API = 1 << 1,    /* errors as problem documents, bearer tokens accepted */
    ROUTE_NO_CSRF =
        1 << 2, /* a state-changing route without cookie authority (sign-in has its own) */
    ROUTE_LARGE_BODY = 1 << 3,  /* takes bodies up to the upload limit; others up to 1 MiB */
    ROUTE_IMPORT_BODY = 1 << 5, /* takes bodies up to the limit for files of mail */
    ROUTE_EVENTS =
        1 << 4, /* its stream waits for long: it runs on a thread of its own, see README */
    ROUTE_SECRET = 1 << 6, /* its answer holds a secret, which is told once and kept nowhere */
};

struct route {
    unsigned methods; /* enum http_method, or-ed */
    const char *pattern;
    route_handler *handler;
    unsigned flags; /* enum route_flags */
};

/* What the router asks of the application around each request. */
struct router_hooks {
    /* Finds who is signed in, checks CSRF, Fetch Metadata and token scopes by the route's flags;
     * sets req->session. False with ERROR_AUTH (401, or a redirect to sign-in for pages),
     * ERROR_FORBIDDEN (403)... */
    bool (*guard)(struct request *req, const struct route *route, struct response *res,
                  struct error *err);
    /* Runs the handler of a row that was let through, and what stands around all of them; NULL:
     * the router calls it itself. */
    bool (*run)(struct request *req, const struct route *route, struct response *res,
                struct error *err);
    /* Renders an error as a page (routes without ROUTE_API, and unknown paths outside /api/). */
    void (*error_page)(struct request *req, struct response *res, const struct error *err);
    /* After each request: logs and counts. */
    void (*finished)(const struct request *req, const struct route *route,
                     const struct response *res, int64_t duration_us);
};

struct router;

/* Checks the table (duplicate or ambiguous patterns are assertion failures) and indexes it. The
 * table and the hooks must live on. `context` becomes req->context. */
struct router *router_new(const struct route *routes, size_t count,
                          const struct router_hooks *hooks, void *context);
void router_free(struct router **router);
/* The largest body of a ROUTE_LARGE_BODY route; ROUTER_UPLOAD_BYTES until set. Before threads. */
void router_set_upload_limit(struct router *router, uint64_t bytes);
/* The same of ROUTE_IMPORT_BODY routes. */
void router_set_import_limit(struct router *router, uint64_t bytes);
enum { ROUTER_BODY_BYTES = 1024 * 1024, ROUTER_UPLOAD_BYTES = 64 * 1024 * 1024 };
/* Finds the row, guards, runs its handler, sets the security headers every response has. Fills
 * `res` in any case. Called by doors on a worker thread. */
void router_serve(const struct router *router, struct request *req, struct response *res);
/* An answer without the application, for what a door refuses: a problem document with the headers
 * every response has. Counted by nobody. */
void router_refuse(struct request *req, struct response *res, const struct error *err);
/* The largest body the route of this path and method takes, so that a door can refuse (413) before
 * reading it. */
uint64_t router_body_limit(const struct router *router, enum http_method method, struct str path);

#endif

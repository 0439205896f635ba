/* What a door (HTTP, FastCGI, CGI) made of a client's request. Handlers see only this and never
 * which door it came through. A request belongs to the worker thread that runs its handler; all its
 * slices live in its arena until the response is finished. */
#ifndef RESTANTE_HTTP_REQUEST_H
#define RESTANTE_HTTP_REQUEST_H

#include <sys/types.h>

#include "server/base/arena.h"
#include "server/base/error.h"
#include "server/base/str.h"

/* GET and HEAD are answered by the same route; the door drops the body of a HEAD. */
enum http_method {
    HTTP_GET = 1 << 0,
    HTTP_POST = 1 << 1,
    HTTP_PUT = 1 << 2,
    HTTP_PATCH = 1 << 3,
    HTTP_DELETE = 1 << 4,
    HTTP_HEAD = 1 << 5,
    HTTP_OPTIONS = 1 << 6,
    HTTP_OTHER = 1 << 7, /* answered 501 by the router */
};

struct http_field {
    struct str name;
    struct str value;
};

struct http_fields {
    struct http_field *at;
    size_t count;
};

struct route_param {
    const char *name; /* as in the route's pattern, without braces */
    struct str value; /* percent-decoded, valid UTF-8 without NUL */
};

enum { REQUEST_PARAMS_MAX = 6, REQUEST_ID_BYTES = 17, REQUEST_PARTS_MAX = 256 };

struct request {
    struct arena *arena;
    char id[REQUEST_ID_BYTES]; /* 16 hex digits: X-Request-Id, logs, problem documents */
    enum http_method method;
    struct str path;              /* as sent, starts with '/', without the query */
    struct str query;             /* as sent, without '?' */
    struct http_fields headers;   /* names as sent; look up with request_header */
    struct http_fields arguments; /* of the query, decoded, in order */
    struct str remote_address;    /* of the client, or of X-Forwarded-For from a trusted proxy */
    bool is_https;       /* the client's side is TLS (door, or trusted X-Forwarded-Proto) */
    int body_fd;         /* a larger body, spooled to an unlinked file; -1 if in `body` */
    struct str body;     /* a body up to the in-memory limit, for request_body and its like */
    uint64_t body_bytes; /* its length wherever it is */
    struct route_param params[REQUEST_PARAMS_MAX]; /* filled by the router */
    size_t param_count;
    void *context; /* what main gave the router: handlers/app.h's struct app */
    void *session; /* set by the router's guard: handlers/session.h's struct signed_in, or NULL */
};

/* "GET" -> HTTP_GET; case matters (RFC 9110 section 9.1); anything unknown is HTTP_OTHER. */
enum http_method http_method_parse(struct str name);
const char *http_method_name(enum http_method method);

/* For doors and tests: an empty request with a fresh id, whose slices will live in `arena`. */
void request_init(struct request *req, struct arena *arena);
/* Takes the request target apart: origin form ("/path?query") or absolute form (RFC 9112 section
 * 3.2). Copies it; decodes the arguments, broken ones as they stand. ERROR_INVALID if it is
 * neither, or has control characters. */
bool request_set_target(struct request *req, struct str target, struct error *err);
/* Adds a header; both texts are copied. */
void request_add_header(struct request *req, struct str name, struct str value);
/* Closes the spool file, if there is one. */
void request_release(struct request *req);

/* The first header of that name (ASCII case folded), or an empty slice with a NULL pointer. */
struct str request_header(const struct request *req, const char *name);
/* A cookie's value (RFC 6265 section 4.2), or an empty slice with a NULL pointer. */
struct str request_cookie(const struct request *req, const char *name);
/* The first query argument of that name, or an empty slice with a NULL pointer. */
struct str request_argument(const struct request *req, const char *name);
/* The value of `{name}` in the route's pattern. Asserts that the pattern has it. */
struct str request_param(const struct request *req, const char *name);
/* The same as a positive decimal number: ERROR_NOT_FOUND if it is none. */
bool request_param_id(const struct request *req, const char *name, int64_t *id, struct error *err);
/* The body as an application/x-www-form-urlencoded form. ERROR_INVALID for another type or a
 * broken one. */
bool request_form(const struct request *req, struct http_fields *form, struct error *err);
/* The first field of that name, or an empty slice with a NULL pointer. */
struct str http_field_value(const struct http_fields *fields, const char *name);
/* One part of a multipart/form-data body (RFC 7578), file content by offset so that it need not be
 * in memory. */
struct request_part {
    struct str name;
    struct str file_name; /* NULL pointer: not a file */
    struct str content_type;
    uint64_t at;    /* offset in the body */
    uint64_t bytes; /* length */
};
/* The parts in order, texts repaired to UTF-8. ERROR_INVALID for another type or a broken body,
 * ERROR_LIMIT beyond REQUEST_PARTS_MAX parts. */
bool request_multipart(const struct request *req, struct request_part **parts, size_t *count,
                       struct error *err);
/* The whole body, wherever it is kept; only for routes whose limit allows it. */
bool request_body(const struct request *req, struct str *body, struct error *err);
/* Reads up to `size` bytes of the body at `offset`, wherever it is kept; 0 at its end, -1 on error.
 */
ssize_t request_body_read(const struct request *req, uint64_t offset, void *target, size_t size,
                          struct error *err);

#endif

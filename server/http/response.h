/* What a handler answers. A handler fills it and returns; the door sends it. A body is either the
 * buffer, bytes that outlive the process (static files), or a writer that streams. */
#ifndef RESTANTE_HTTP_RESPONSE_H
#define RESTANTE_HTTP_RESPONSE_H

#include "server/base/buf.h"
#include "server/http/request.h"

/* Where a streaming body goes: blocks while the client is slow; false once it is gone. */
struct response_sink;
bool response_write(struct response_sink *sink, struct str bytes);

/* Runs on a worker thread after the head is sent. False ends the connection without a proper end,
 * so that the client sees the truncation; ERROR_CLOSED when it is the client who is gone. */
typedef bool response_stream_fn(struct response_sink *sink, void *context, struct error *err);

struct response {
    struct arena *arena;
    int status; /* 200 until set */
    struct http_fields headers;
    struct buf body;            /* up to RESPONSE_BODY_LIMIT; larger answers stream */
    struct str static_body;     /* used when `at` is set */
    response_stream_fn *stream; /* used when set; `stream_context` lives in the arena */
    void *stream_context;
    int64_t stream_bytes; /* Content-Length of the stream; -1 (until set): unknown */
    bool is_events;       /* set by the router for ROUTE_EVENTS: the stream gets its own thread */
};

enum { RESPONSE_BODY_LIMIT = 16 * 1024 * 1024 };

/* For doors and tests: an empty answer, and freeing the body it has come to hold. */
void response_init(struct response *res, struct arena *arena);
void response_release(struct response *res);
/* The body's bytes, when it is not a stream. */
struct str response_body(const struct response *res);

/* The first header of that name (ASCII case folded), or an empty slice with a NULL pointer. */
struct str response_header(const struct response *res, const char *name);
/* Replaces or sets a header. CR, LF and NUL in a value are an assertion failure: foreign text goes
 * through response_set_disposition or percent-encoding first. Both texts are copied. */
void response_set_header(struct response *res, const char *name, struct str value);
/* Adds one more header of that name (Set-Cookie). */
void response_add_header(struct response *res, const char *name, struct str value);
/* Content-Disposition with a foreign file name, safe for any bytes: RFC 6266 filename= in ASCII and
 * filename*= in UTF-8, without path separators, control or bidi characters. */
void response_set_disposition(struct response *res, bool is_attachment, struct str file_name);
/* Names this version of what is answered. True: the client has it (If-None-Match, RFC 9110 section
 * 13.1.2), and the answer is 304, without a body. `etag` with its quotes. */
bool response_is_known(struct response *res, const struct request *req, struct str etag);
/* 303 to a path of ours; the path is checked to start with a single '/'. */
void response_redirect(struct response *res, struct str path);

/* With a capital and a full stop, as people write; empty stays empty. */
struct str response_sentence(struct arena *arena, struct str text);

/* An application/problem+json document (RFC 9457) and its status from the error's kind:
 * type "/problems/<kind>", title, status, detail (the message), hint, instance (the request's id).
 */
void response_problem(struct response *res, const struct request *req, const struct error *err);
/* The same for a status that no error kind has (405, 501): `title` is the reason phrase. */
void response_problem_status(struct response *res, const struct request *req, int status,
                             const char *type, struct str detail);
/* For a page that tells of an error in its own words: the status of its kind, and Retry-After. */
void response_set_status(struct response *res, const struct error *err);
/* "Not Found" for 404; "Unknown" for a status we do not send. */
const char *http_reason(int status);
/* The HTTP status of an error kind: the one place where they are mapped. */
int http_status_of(enum error_kind kind);

#endif

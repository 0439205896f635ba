/* What went wrong: a kind that programs decide by, a sentence that a person reads, a hint of what
 * to do. Functions that can fail return false, NULL or -1 and fill their last argument; on success
 * they leave it untouched. Nobody parses the message; nothing secret and no message content is ever
 * put into it. */
#ifndef RESTANTE_BASE_ERROR_H
#define RESTANTE_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum error_kind {
    ERROR_NONE,
    ERROR_CLOSED,      /* the other side ended the connection */
    ERROR_TIMEOUT,     /* no answer in time */
    ERROR_UNREACHABLE, /* no connection could be made: name, route, port */
    ERROR_TLS,         /* certificate or handshake */
    ERROR_FORBIDDEN,   /* a rule of ours (egress, access) says no */
    ERROR_AUTH,        /* name or password refused */
    ERROR_REFUSED,     /* understood and refused for good by the server (NO, -ERR, 5xx) */
    ERROR_UNAVAILABLE, /* refused for now: busy, 4xx */
    ERROR_THROTTLED,   /* tried too often: wait (retry_after_ms) */
    ERROR_PROTOCOL,    /* the other side does not speak the protocol */
    ERROR_LIMIT,       /* larger, longer or more than we take */
    ERROR_INVALID,     /* the caller's input is wrong */
    ERROR_UNSUPPORTED, /* it is of a type that is not taken */
    ERROR_NOT_FOUND,
    ERROR_CONFLICT, /* the state does not allow it, or someone else was first */
    ERROR_DATABASE, /* PostgreSQL is away or failed */
    ERROR_INTERNAL, /* a fault of ours, or of the system under us */
    ERROR_KINDS
};

/* How much is hurt: sync decides by this what to leave alone for now. */
enum error_scope {
    ERROR_SCOPE_PROCESS,
    ERROR_SCOPE_ACCOUNT,
    ERROR_SCOPE_MAILBOX,
    ERROR_SCOPE_MESSAGE,
};

/* When trying again makes sense. */
enum error_retry { ERROR_RETRY_LATER, ERROR_RETRY_NOW, ERROR_RETRY_NEVER };

struct error {
    enum error_kind kind;
    enum error_scope scope;
    enum error_retry retry;
    int retry_after_ms; /* what the other side asked for; 0 when it did not */
    char message[512];  /* a sentence in the words of the person concerned */
    char hint[256];     /* what to do about it; may be empty */
};

#define ERROR_INIT ((struct error){.kind = ERROR_NONE})

/* Fills `err` (which may be NULL) and returns false, so that `return error_set(...)` reads well.
 * The retry class follows from the kind; error_retry_set changes it. */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with errno's text appended. */
bool error_errno(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "context: " in front of the message; returns false. */
bool error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what to do; returns false. */
bool error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The kind's name in kebab case ("not-found"), for logs and problem documents. */
const char *error_kind_name(enum error_kind kind);

#endif

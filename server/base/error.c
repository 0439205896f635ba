#include "server/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/base/utf8.h"

static const struct {
    const char *name;
    enum error_retry retry;
} kinds[ERROR_KINDS] = {
    [ERROR_NONE] = {"none", ERROR_RETRY_NEVER},
    [ERROR_CLOSED] = {"closed", ERROR_RETRY_LATER},
    [ERROR_TIMEOUT] = {"timeout", ERROR_RETRY_LATER},
    [ERROR_UNREACHABLE] = {"unreachable", ERROR_RETRY_LATER},
    [ERROR_TLS] = {"tls", ERROR_RETRY_LATER},
    [ERROR_FORBIDDEN] = {"forbidden", ERROR_RETRY_NEVER},
    [ERROR_AUTH] = {"auth", ERROR_RETRY_NEVER},
    [ERROR_REFUSED] = {"refused", ERROR_RETRY_NEVER},
    [ERROR_UNAVAILABLE] = {"unavailable", ERROR_RETRY_LATER},
    [ERROR_THROTTLED] = {"throttled", ERROR_RETRY_LATER},
    [ERROR_PROTOCOL] = {"protocol", ERROR_RETRY_LATER},
    [ERROR_LIMIT] = {"limit", ERROR_RETRY_NEVER},
    [ERROR_INVALID] = {"invalid", ERROR_RETRY_NEVER},
    [ERROR_NOT_FOUND] = {"not-found", ERROR_RETRY_NEVER},
    [ERROR_UNSUPPORTED] = {"unsupported", ERROR_RETRY_NEVER},
    [ERROR_CONFLICT] = {"conflict", ERROR_RETRY_NEVER},
    [ERROR_DATABASE] = {"database", ERROR_RETRY_LATER},
    [ERROR_INTERNAL] = {"internal", ERROR_RETRY_LATER},
};

/* Servers' words are in any charset, and what does not fit was cut anywhere; but messages go to the
 * database and to people. */
static void make_valid(char *text, size_t size)
{
    struct str whole = str_of(text);
    if (utf8_is_valid(whole))
        return;
    struct buf valid = BUF_INIT(3 * size);
    utf8_repair(&valid, whole);
    struct str kept = utf8_prefix(buf_view(&valid), size - 1);
    memcpy(text, kept.at, kept.length);
    text[kept.length] = '\0';
    buf_free(&valid);
}

__attribute__((format(printf, 3, 0))) static void begin(struct error *err, enum error_kind kind,
                                                        const char *format, va_list args)
{
    *err = (struct error){.kind = kind, .retry = kinds[kind].retry};
    vsnprintf(err->message, sizeof err->message, format, args);
    make_valid(err->message, sizeof err->message);
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    if (!err)
        return false;
    va_list args;
    va_start(args, format);
    begin(err, kind, format, args);
    va_end(args);
    return false;
}

/* Appends as much of `text` as fits. */
static void append(struct error *err, const char *text)
{
    size_t used = strlen(err->message);
    size_t length = strnlen(text, sizeof err->message - 1 - used);
    memcpy(err->message + used, text, length);
    err->message[used + length] = '\0';
    make_valid(err->message, sizeof err->message);
}

bool error_errno(struct error *err, enum error_kind kind, const char *format, ...)
{
    int number = errno;
    if (!err)
        return false;
    va_list args;
    va_start(args, format);
    begin(err, kind, format, args);
    va_end(args);
    char text[128];
    append(err, ": ");
    append(err, strerror_r(number, text, sizeof text));
    return false;
}

bool error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return false;
    char cause[sizeof err->message];
    memcpy(cause, err->message, sizeof cause);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    append(err, ": ");
    append(err, cause);
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    if (!err)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    make_valid(err->hint, sizeof err->hint);
    return false;
}

const char *error_kind_name(enum error_kind kind)
{
    return kind < ERROR_KINDS ? kinds[kind].name : "unknown";
}

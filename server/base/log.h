/* Structured logs: one line an event on standard error, in logfmt: `time=… level=info event=… k=v`.
 * Values are quoted and stripped of control characters; secrets and message content are never
 * passed here. Safe from any thread. */
#ifndef RESTANTE_BASE_LOG_H
#define RESTANTE_BASE_LOG_H

#include "server/base/error.h"
#include "server/base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_VALUE_STR, LOG_VALUE_INT } type;
    struct str text;
    int64_t number;
};

static inline struct log_field log_str(const char *key, struct str value)
{
    return (struct log_field){.key = key, .type = LOG_VALUE_STR, .text = value};
}
static inline struct log_field log_text(const char *key, const char *value)
{
    return log_str(key, str_of(value));
}
static inline struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .type = LOG_VALUE_INT, .number = value};
}

/* Writes one event; use the macros. `event` is "room.what", e.g. "http.request". */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

#ifdef __cppcheck__ /* cppcheck 2.10 does not know __VA_OPT__ */
#define LOG_AT(level, event, ...) \
    log_event((level), (event), (const struct log_field[]){__VA_ARGS__})
#else
#define LOG_AT(level, event, ...) \
    log_event((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#endif
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
/* The fields of an error: its kind and its message. */
#define LOG_ERR(err) \
    log_text("error", error_kind_name((err)->kind)), log_text("why", (err)->message)

/* Events below this level are not written. Default: info. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(struct str name, enum log_level *level);
/* What stands in each line as `role=`: "web", "sync", "serve". The text must live on. */
void log_set_role(const char *role);
/* What stands in each line of this thread until cleared (key NULL): a request id, an account.
 * The texts are copied. */
void log_set_context(const char *key, struct str value);

#endif

#include "server/base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/clock.h"

enum { LINE_BYTES = 8192, VALUE_BYTES = 1024 };

static _Atomic int lowest_level = LOG_LEVEL_INFO;
static _Atomic(const char *) role_name;
static _Thread_local char context_key[32];
static _Thread_local char context_value[64];

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    atomic_store(&lowest_level, (int)level);
}

bool log_level_parse(struct str name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (str_equal(name, str_of(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_role(const char *role)
{
    atomic_store(&role_name, role);
}

void log_set_context(const char *key, struct str value)
{
    context_key[0] = '\0';
    if (key) {
        str_copy(str_of(key), context_key, sizeof context_key);
        str_copy(str_sub(value, 0, sizeof context_value - 1), context_value, sizeof context_value);
    }
}

/* A value bare where logfmt allows it, else quoted; control characters become '?', so that a
 * hostile server's words can neither forge a line nor reach a terminal as escapes. */
static void write_value(struct buf *line, struct str value)
{
    bool is_bare = value.length > 0;
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            is_bare = false;
    }
    if (is_bare) {
        buf_str(line, str_sub(value, 0, VALUE_BYTES));
        return;
    }
    buf_char(line, '"');
    for (size_t i = 0; i < value.length && i < VALUE_BYTES; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c == '"' || c == '\\')
            buf_char(line, '\\');
        buf_char(line, c < ' ' || c == 0x7f ? '?' : (char)c);
    }
    buf_char(line, '"');
}

static void write_field(struct buf *line, const char *key, struct str value)
{
    buf_char(line, ' ');
    buf_text(line, key);
    buf_char(line, '=');
    write_value(line, value);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if ((int)level < atomic_load(&lowest_level))
        return;
    char time[CLOCK_TEXT_BYTES];
    struct buf line = BUF_INIT(LINE_BYTES);
    int64_t now_us = clock_now_us();
    struct str stamp = clock_format_utc(now_us, time);
    buf_printf(&line, "time=%" STR_FMT ".%03dZ level=%s", STR_ARG(str_sub(stamp, 0, 19)),
               (int)(now_us / 1000 % 1000), level_names[level]);
    const char *role = atomic_load(&role_name);
    if (role)
        write_field(&line, "role", str_of(role));
    write_field(&line, "event", str_of(event));
    if (context_key[0])
        write_field(&line, context_key, str_of(context_value));
    for (; fields->key; fields++) {
        if (fields->type == LOG_VALUE_INT)
            buf_printf(&line, " %s=%lld", fields->key, (long long)fields->number);
        else
            write_field(&line, fields->key, fields->text);
    }
    if (line.length > LINE_BYTES - 1)
        line.length = LINE_BYTES - 1;
    line.is_full = false;
    buf_char(&line, '\n');
    /* One write(2) a line, so that lines of several processes do not mix. */
    ssize_t written = write(STDERR_FILENO, line.at, line.length);
    (void)written;
    buf_free(&line);
}

/* The other side of a conversation, following a script in the syntax of
 * tests/mailserver/scripted.py (one for all protocols), in a thread of its own over a socket pair:
 *   S: sends a line and CRLF     S~: without CRLF     S* 1000: that often, {i} counts from 1
 *   C: expects a line; "..." matches anything, {name} a word that is kept and may be sent back
 *   C~: 17 expects that many bytes     split 1 sends a byte at a time     stall     close
 * \r, \n, \\ and \xNN are bytes. */
#ifndef RESTANTE_TESTS_SCRIPT_FIXTURE_H
#define RESTANTE_TESTS_SCRIPT_FIXTURE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/buf.h"

enum { SCRIPT_NAMES = 16, SCRIPT_PATIENCE_MS = 20000 };

struct script {
    char *text; /* owned */
    int fd, client_fd;
    pthread_t thread;
    size_t split;
    struct {
        char name[32], value[256];
    } kept[SCRIPT_NAMES];
    size_t kept_count;
    struct buf in;
    char problem[1024]; /* empty: the client did as the script says */
    bool is_finished;
};

static const char *script_kept(struct script *script, struct str name)
{
    for (size_t i = 0; i < script->kept_count; i++)
        if (str_equal(str_of(script->kept[i].name), name))
            return script->kept[i].value;
    return NULL;
}

static void script_keep(struct script *script, struct str name, struct str value)
{
    if (script->kept_count < SCRIPT_NAMES &&
        str_copy(name, script->kept[script->kept_count].name, sizeof script->kept[0].name) &&
        str_copy(value, script->kept[script->kept_count].value, sizeof script->kept[0].value))
        script->kept_count++;
}

static bool script_send(struct script *script, struct str bytes)
{
    while (bytes.length) {
        struct str piece = script->split ? str_sub(bytes, 0, script->split) : bytes;
        ssize_t n = send(script->fd, piece.at, piece.length, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

/* Escapes and {names}; {i} is `count`. */
static void script_expand(struct script *script, struct str text, unsigned count, struct buf *out)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i], next = i + 1 < text.length ? text.at[i + 1] : '\0';
        ptrdiff_t close = c == '{' ? str_find_char(str_skip(text, i), '}') : -1;
        struct str name = close > 0 ? str_sub(text, i + 1, (size_t)close - 1) : STR_EMPTY;
        if (c == '\\' && next == 'x') {
            char digits[3] = {text.at[i + 2], text.at[i + 3], '\0'};
            buf_char(out, (char)strtol(digits, NULL, 16));
            i += 3;
        } else if (c == '\\' && next) {
            buf_char(out, next == 'r' ? '\r' : next == 'n' ? '\n' : next);
            i++;
        } else if (str_equal(name, STR("i"))) {
            buf_u64(out, count);
            i += (size_t)close;
        } else if (name.length && script_kept(script, name)) {
            buf_text(out, script_kept(script, name));
            i += (size_t)close;
        } else
            buf_char(out, c);
    }
}

/* Words of `pattern` against `line`. */
static bool script_match(struct script *script, struct str pattern, struct str line)
{
    while (pattern.length) {
        if (str_starts(pattern, STR("..."))) {
            struct str rest = str_skip(pattern, 3);
            for (size_t i = 0; i <= line.length; i++)
                if (script_match(script, rest, str_skip(line, i)))
                    return true;
            return false;
        }
        ptrdiff_t close = pattern.at[0] == '{' ? str_find_char(pattern, '}') : -1;
        if (close > 1 && ascii_is_alpha(pattern.at[1])) {
            struct str name = str_sub(pattern, 1, (size_t)close - 1);
            size_t end = 0;
            while (end < line.length && line.at[end] != ' ')
                end++;
            struct str word = str_sub(line, 0, end);
            const char *known = script_kept(script, name);
            if (str_starts(name, STR("tag")) && known) { /* the newest one counts */
                for (size_t i = 0; i < script->kept_count; i++)
                    if (str_equal(str_of(script->kept[i].name), name))
                        str_copy(word, script->kept[i].value, sizeof script->kept[i].value);
            } else if (known && !str_equal(str_of(known), word))
                return false;
            else if (!known)
                script_keep(script, name, word);
            pattern = str_skip(pattern, (size_t)close + 1);
            line = str_skip(line, end);
            continue;
        }
        if (!line.length || ascii_lower(line.at[0]) != ascii_lower(pattern.at[0]))
            return false;
        pattern = str_skip(pattern, 1);
        line = str_skip(line, 1);
    }
    return line.length == 0;
}

/* More from the client: false when it has gone or is silent. */
static bool script_receive(struct script *script)
{
    struct pollfd fd = {.fd = script->fd, .events = POLLIN};
    char *room = buf_reserve(&script->in, 65536);
    ssize_t n =
        room && poll(&fd, 1, SCRIPT_PATIENCE_MS) > 0 ? recv(script->fd, room, 65536, 0) : -1;
    if (n <= 0)
        return false;
    script->in.length += (size_t)n;
    return true;
}

/* Drops the first `n` bytes that came. */
static void script_forget(struct script *script, size_t n)
{
    struct buf *in = &script->in;
    memmove(in->at, in->at + n, in->length - n);
    in->length -= n;
}

static bool script_expect(struct script *script, struct str pattern)
{
    ptrdiff_t end;
    while ((end = str_find(buf_view(&script->in), STR("\r\n"))) < 0)
        if (!script_receive(script)) {
            snprintf(script->problem, sizeof script->problem, "no line for \"%" STR_FMT "\"",
                     STR_ARG(pattern));
            return false;
        }
    struct buf wanted = BUF_INIT(1 << 20);
    for (size_t i = 0; i < pattern.length; i++) { /* escapes only; names are for the match */
        if (pattern.at[i] == '\\' && i + 1 < pattern.length) {
            struct str escape = str_sub(pattern, i, pattern.at[i + 1] == 'x' ? 4 : 2);
            script_expand(script, escape, 0, &wanted);
            i += escape.length - 1;
        } else
            buf_char(&wanted, pattern.at[i]);
    }
    struct str line = str_sub(buf_view(&script->in), 0, (size_t)end);
    bool is_good = script_match(script, buf_view(&wanted), line);
    if (!is_good)
        snprintf(script->problem, sizeof script->problem,
                 "\"%.400"
                 "s\" is not \"%" STR_FMT "\"",
                 line.length ? line.at : "", STR_ARG(pattern));
    buf_free(&wanted);
    script_forget(script, (size_t)end + 2);
    return is_good;
}

static bool script_expect_bytes(struct script *script, struct str number)
{
    uint64_t count = 0;
    str_to_u64(str_trim(number), &count);
    while (script->in.length < count)
        if (!script_receive(script)) {
            snprintf(script->problem, sizeof script->problem, "fewer bytes than %llu",
                     (unsigned long long)count);
            return false;
        }
    script_forget(script, (size_t)count);
    return true;
}

static bool script_say(struct script *script, struct str argument, unsigned times, bool has_end)
{
    bool is_good = true;
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    for (unsigned i = 1; is_good && i <= times; i++) {
        script_expand(script, argument, i, &out);
        if (has_end)
            buf_text(&out, "\r\n");
        if (out.length > 60000 || i == times) {
            is_good = script_send(script, buf_view(&out));
            buf_reset(&out);
        }
    }
    buf_free(&out);
    return is_good;
}

static bool script_line(struct script *script, struct str line)
{
    if (str_starts(line, STR("S: ")))
        return script_say(script, str_skip(line, 3), 1, true);
    if (str_equal(line, STR("S:")))
        return script_say(script, STR_EMPTY, 1, true);
    if (str_starts(line, STR("S~: ")))
        return script_say(script, str_skip(line, 4), 1, false);
    if (str_starts(line, STR("S* "))) {
        struct str rest = str_skip(line, 3);
        uint32_t times = 0;
        str_to_u32(str_cut(&rest, ':'), &times);
        return script_say(script, str_skip(rest, 1), times, true);
    }
    if (str_starts(line, STR("C: ")))
        return script_expect(script, str_skip(line, 3));
    if (str_starts(line, STR("C~: ")))
        return script_expect_bytes(script, str_skip(line, 4));
    uint32_t number = 0;
    if (str_starts(line, STR("split "))) {
        str_to_u32(str_skip(line, 6), &number);
        script->split = number;
        return true;
    }
    if (str_equal(line, STR("stall"))) {
        while (script_receive(script))
            buf_reset(&script->in);
        return false;
    }
    if (str_equal(line, STR("close")))
        return false;
    snprintf(script->problem, sizeof script->problem, "nothing a script can do: %" STR_FMT,
             STR_ARG(line));
    return false;
}

static void *script_run(void *context)
{
    struct script *script = context;
    struct str rest = str_of(script->text);
    bool goes_on = true;
    while (goes_on && rest.at) {
        struct str line = str_cut(&rest, '\n');
        if (!str_trim(line).length || line.at[0] == '#')
            continue;
        goes_on = script_line(script, line);
    }
    script->is_finished = !script->problem[0];
    shutdown(script->fd, SHUT_RDWR);
    return NULL;
}

/* Begins to follow a script; `client_fd` is the client's end, which the client closes. */
static struct script *script_start(const char *text)
{
    struct script *script = calloc(1, sizeof *script);
    int fds[2];
    assert_non_null(script);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    script->text = strdup(text);
    script->fd = fds[0];
    script->client_fd = fds[1];
    script->in = BUF_INIT(64 << 20);
    assert_int_equal(pthread_create(&script->thread, NULL, script_run, script), 0);
    return script;
}

/* Waits for the script's end, after the client has closed; fails if the client did otherwise. */
static void script_finish(struct script **pointer)
{
    struct script *script = *pointer;
    char problem[1024];
    pthread_join(script->thread, NULL);
    close(script->fd);
    snprintf(problem, sizeof problem, "%s", script->problem);
    free(script->text);
    buf_free(&script->in);
    free(script);
    *pointer = NULL;
    if (problem[0])
        fail_msg("%s", problem);
}

#endif

/* The buffers of a stream and every wait in it. */
#include "server/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "server/base/encode.h"
#include "server/base/secret.h"
#include "server/net/stream_private.h"

static const char *const step_names[] = {
    [STREAM_STEP_RESOLVE] = "resolve", [STREAM_STEP_CONNECT] = "connect",
    [STREAM_STEP_TLS] = "tls",         [STREAM_STEP_GREETING] = "greeting",
    [STREAM_STEP_SIGN_IN] = "sign-in", [STREAM_STEP_DONE] = "done",
};

const char *stream_step_name(enum stream_step step)
{
    return step_names[step];
}

static void check(const struct stream *stream)
{
    if (!stream || stream->magic != STREAM_MAGIC)
        abort();
}

bool stream_fail(struct stream *stream, struct error *err)
{
    if (err && stream->failed.kind != ERROR_NONE)
        *err = stream->failed;
    return false;
}

/* From here on enough has to come (or go). */
static void begin_rate(struct stream *stream)
{
    stream->slow_ms = 0;
    stream->slow_bytes = stream->received + stream->sent;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void reached(const struct stream_params *params, enum stream_step step)
{
    if (params->step)
        *params->step = step;
}

static void tune_socket(int fd)
{
    int on = 1, idle_s = 60, interval_s = 20, count = 3;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* A silent IDLE behind NAT is only found by keepalive. All of these fail on socket pairs. */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct stream *stream_adopt(int fd, const struct stream_params *params, struct error *err)
{
    char ascii[RESOLVE_HOST_BYTES];
    if (!resolve_ascii(params->host, ascii, err)) {
        close(fd);
        return NULL;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream || !(stream->host = strdup(ascii)))
        abort();
    tune_socket(fd);
    stream->magic = STREAM_MAGIC;
    stream->fd = fd;
    stream->port = params->port;
    stream->tls = params->tls;
    stream->stall_ms = params->stall_ms ? params->stall_ms : STREAM_STALL_MS;
    stream->rate_ms = params->rate_ms ? params->rate_ms : STREAM_RATE_MS;
    stream->deadline = DEADLINE_NEVER;
    stream->cancel_fd = params->cancel_fd;
    stream->cancel = params->cancel;
    stream->trace = params->trace;
    stream->trace_context = params->trace_context;
    stream->out = BUF_INIT(SIZE_MAX / 2);
    return stream;
}

struct stream *stream_connect(const struct stream_params *params, struct error *err)
{
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    struct deadline deadline =
        deadline_in_ms(params->connect_ms ? params->connect_ms : STREAM_CONNECT_MS);
    struct resolver resolver = {
        .servers = params->dns_servers, .deadline = deadline, .cancel_fd = params->cancel_fd};
    reached(params, STREAM_STEP_RESOLVE);
    if (!egress_check_host(params->host, err) ||
        !egress_check_port(params->egress, params->port, err))
        return NULL;
    int count = resolve_host(&resolver, params->host, params->port, addresses, err);
    if (count < 0)
        return NULL;
    reached(params, STREAM_STEP_CONNECT);
    int fd = connect_first(params, addresses, count, deadline, err);
    if (fd < 0)
        return NULL;
    struct stream *stream = stream_adopt(fd, params, err);
    if (!stream)
        return NULL;
    stream->deadline = deadline;
    if (params->security == STREAM_TLS_IMPLICIT) {
        reached(params, STREAM_STEP_TLS);
        if (!stream_start_tls(stream, err)) {
            stream_free(&stream);
            return NULL;
        }
    }
    reached(params, STREAM_STEP_GREETING);
    return stream;
}

static void wipe_out(struct stream *stream)
{
    if (stream->out.at)
        secret_wipe(stream->out.at, stream->out.capacity);
    buf_reset(&stream->out);
}

void stream_free(struct stream **pointer)
{
    struct stream *stream = *pointer;
    if (!stream)
        return;
    check(stream);
    if (stream->ssl) {
        if (stream->failed.kind == ERROR_NONE)
            SSL_shutdown(stream->ssl);
        SSL_free(stream->ssl);
    }
    deflate_free(&stream->deflate);
    wipe_out(stream);
    buf_free(&stream->out);
    free(stream->in);
    free(stream->host);
    close(stream->fd);
    stream->magic = 0;
    free(stream);
    *pointer = NULL;
}

bool stream_start_tls(struct stream *stream, struct error *err)
{
    check(stream);
    if (stream->failed.kind != ERROR_NONE)
        return stream_fail(stream, err);
    if (stream->in_from != stream->in_to) {
        error_set(&stream->failed, ERROR_PROTOCOL,
                  "%s sent something between its consent to TLS and TLS: someone may be "
                  "tampering with the connection",
                  stream->host);
        return stream_fail(stream, err);
    }
    if (!stream_flush(stream, err))
        return false;
    return tls_handshake(stream) || stream_fail(stream, err);
}

bool stream_is_encrypted(const struct stream *stream)
{
    return stream->ssl;
}

const char *stream_tls_version(const struct stream *stream)
{
    return stream->ssl ? SSL_get_version(stream->ssl) : "";
}

bool stream_start_deflate(struct stream *stream, struct error *err)
{
    check(stream);
    if (!stream_flush(stream, err))
        return false;
    stream->deflate = deflate_new();
    if (stream->in_from != stream->in_to)
        deflate_feed(stream->deflate,
                     str_make(stream->in + stream->in_from, stream->in_to - stream->in_from));
    stream->in_from = stream->in_to = 0;
    return true;
}

void stream_set_deadline(struct stream *stream, struct deadline deadline)
{
    stream->deadline = deadline;
    begin_rate(stream);
}

void stream_set_stall_ms(struct stream *stream, int stall_ms)
{
    stream->stall_ms = stall_ms;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void made_progress(struct stream *stream)
{
    stream->waited_ms = 0;
    stream->progress = 0;
}

static int tell_cancelled(struct stream *stream)
{
    error_set(&stream->failed, ERROR_CLOSED, "The connection to %s was given up here",
              stream->host);
    return -1;
}

static int tell_silence(struct stream *stream)
{
    error_set(&stream->failed, ERROR_TIMEOUT, "%s does not answer in time", stream->host);
    return -1;
}

void stream_set_cancel(struct stream *stream, const atomic_bool *cancel)
{
    stream->cancel = cancel;
}

/* Notes a wait that ended. */
static int waited(struct stream *stream, int ms)
{
    stream->waited_ms += ms;
    stream->slow_ms += ms;
    if (stream->slow_ms < stream->rate_ms)
        return 1;
    uint64_t moved = stream->received + stream->sent - stream->slow_bytes;
    if (moved < (uint64_t)stream->slow_ms * STREAM_RATE) {
        error_set(&stream->failed, ERROR_TIMEOUT, "%s is too slow to go on with", stream->host);
        return -1;
    }
    begin_rate(stream);
    return 1;
}

/* The shortest of several times in milliseconds, each of which may be -1 for endless. */
static int shortest(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

int stream_poll(struct stream *stream, short events, int timeout_ms)
{
    int64_t begun = clock_monotonic_ms();
    for (;;) {
        if (stream->cancel && atomic_load(stream->cancel))
            return tell_cancelled(stream);
        int64_t spent = clock_monotonic_ms() - begun;
        int left = deadline_left_ms(stream->deadline);
        if (left == 0)
            return tell_silence(stream);
        if (timeout_ms >= 0) {
            if (spent > 0 && spent >= timeout_ms)
                return 0;
            left = shortest(left, (int)(timeout_ms - spent));
        } else {
            if (stream->waited_ms + spent >= stream->stall_ms)
                return tell_silence(stream);
            left = shortest(left, (int)(stream->stall_ms - stream->waited_ms - spent));
        }
        if (stream->cancel)
            left = shortest(left, STREAM_CANCEL_MS);
        struct pollfd fds[2] = {{.fd = stream->fd, .events = events},
                                {.fd = stream->cancel_fd, .events = POLLIN}};
        int ready = poll(fds, stream->cancel_fd > 0 ? 2 : 1, left);
        if (ready < 0 && errno != EINTR) {
            error_errno(&stream->failed, ERROR_INTERNAL, "poll");
            return -1;
        }
        if (ready > 0 && fds[1].revents)
            return tell_cancelled(stream);
        if (ready > 0) {
            return timeout_ms < 0 ? waited(stream, (int)(clock_monotonic_ms() - begun)) : 1;
        }
        if (ready == 0 && timeout_ms == 0)
            return 0;
    }
}

/* --- the transport ---------------------------------------------------------------------------- */

static ptrdiff_t tell_closed(struct stream *stream)
{
    error_set(&stream->failed, ERROR_CLOSED, "%s closed the connection", stream->host);
    return -1;
}

/* SSL_ERROR_WANT_* as events; anything else is final. */
static ptrdiff_t explain_tls(struct stream *stream, int result, short *events)
{
    int why = SSL_get_error(stream->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        *events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        return 0;
    }
    tls_explain(stream, why, "was lost");
    return -1;
}

ptrdiff_t stream_receive(struct stream *stream, void *at, size_t length, short *events)
{
    *events = POLLIN;
    ptrdiff_t n;
    if (stream->ssl) {
        size_t got;
        ERR_clear_error();
        int result = SSL_read_ex(stream->ssl, at, length, &got);
        if (!result)
            return explain_tls(stream, result, events);
        n = (ptrdiff_t)got;
    } else {
        do
            n = recv(stream->fd, at, length, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n <= 0)
            return tell_closed(stream);
    }
    stream->received += (uint64_t)n;
    stream->progress += (size_t)n;
    if (stream->progress >= STREAM_PROGRESS_BYTES)
        made_progress(stream);
    return n;
}

ptrdiff_t stream_transmit(struct stream *stream, const void *at, size_t length, short *events)
{
    *events = POLLOUT;
    ptrdiff_t n;
    if (stream->ssl) {
        size_t put;
        ERR_clear_error();
        int result = SSL_write_ex(stream->ssl, at, length, &put);
        if (!result)
            return explain_tls(stream, result, events);
        n = (ptrdiff_t)put;
    } else {
        do
            n = send(stream->fd, at, length, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n < 0)
            return tell_closed(stream);
    }
    stream->sent += (uint64_t)n;
    made_progress(stream);
    return n;
}

/* Reads into `at` from below, once. Waits up to `timeout_ms` (-1: as long as a silence may be). */
static ptrdiff_t receive(struct stream *stream, char *at, size_t length, int timeout_ms)
{
    struct deadline until = timeout_ms < 0 ? DEADLINE_NEVER : deadline_in_ms(timeout_ms);
    for (;;) {
        short events;
        ptrdiff_t n = stream->deflate ? deflate_receive(stream, at, length, &events)
                                      : stream_receive(stream, at, length, &events);
        if (n > 0 && stream->trace)
            stream->trace(stream->trace_context, STREAM_RECEIVED, str_make(at, (size_t)n));
        if (n != 0)
            return n;
        int ready = stream_poll(stream, events, deadline_left_ms(until));
        if (ready <= 0)
            return ready;
    }
}

/* At least one byte in `in`: 1, or 0 when the time passed, or -1. */
static int fill(struct stream *stream, int timeout_ms)
{
    if (stream->in_from != stream->in_to)
        return 1;
    if (stream->failed.kind != ERROR_NONE)
        return -1;
    if (!stream->in && !(stream->in = malloc(STREAM_IN_BYTES)))
        abort();
    ptrdiff_t n = receive(stream, stream->in, STREAM_IN_BYTES, timeout_ms);
    if (n <= 0)
        return (int)n;
    stream->in_from = 0;
    stream->in_to = (size_t)n;
    return 1;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool stream_read_line(struct stream *stream, struct buf *line, struct error *err)
{
    check(stream);
    size_t begin = line->length;
    for (;;) {
        if (fill(stream, -1) < 0)
            return stream_fail(stream, err);
        const char *from = stream->in + stream->in_from;
        size_t there = stream->in_to - stream->in_from;
        const char *end = memchr(from, '\n', there);
        size_t take = end ? (size_t)(end - from) : there;
        if (!buf_append(line, from, take)) {
            error_set(&stream->failed, ERROR_LIMIT, "%s sends a line that does not end",
                      stream->host);
            return stream_fail(stream, err);
        }
        stream->in_from += take + (end ? 1 : 0);
        if (!end)
            continue;
        made_progress(stream);
        if (line->length > begin && line->at[line->length - 1] == '\r')
            line->at[--line->length] = '\0';
        return true;
    }
}

ptrdiff_t stream_read_some(struct stream *stream, void *at, size_t length, struct error *err)
{
    check(stream);
    if (fill(stream, -1) < 0) {
        stream_fail(stream, err);
        return -1;
    }
    size_t n = stream->in_to - stream->in_from;
    if (n > length)
        n = length;
    memcpy(at, stream->in + stream->in_from, n);
    stream->in_from += n;
    return (ptrdiff_t)n;
}

int stream_wait(struct stream *stream, int timeout_ms, struct error *err)
{
    check(stream);
    int ready = fill(stream, timeout_ms < 0 ? 0 : timeout_ms);
    if (ready < 0)
        stream_fail(stream, err);
    if (ready > 0)
        made_progress(stream);
    return ready;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool put(struct stream *stream, struct str bytes, bool is_secret, struct error *err)
{
    check(stream);
    if (stream->failed.kind != ERROR_NONE)
        return stream_fail(stream, err);
    if (stream->trace && bytes.length)
        stream->trace(stream->trace_context, STREAM_SENT, is_secret ? STR("[...]") : bytes);
    /* Room first: growing later would leave a copy of a secret in freed memory. */
    if (!stream->out.at)
        buf_reserve(&stream->out, STREAM_OUT_BYTES);
    while (bytes.length) {
        size_t room = STREAM_OUT_BYTES - stream->out.length;
        struct str piece = str_sub(bytes, 0, room);
        buf_str(&stream->out, piece);
        bytes = str_skip(bytes, piece.length);
        if (stream->out.length == STREAM_OUT_BYTES && !stream_flush(stream, err))
            return false;
    }
    return true;
}

bool stream_put(struct stream *stream, struct str bytes, struct error *err)
{
    return put(stream, bytes, false, err);
}

bool stream_put_secret(struct stream *stream, struct str bytes, struct error *err)
{
    return put(stream, bytes, true, err);
}

bool stream_put_secret_base64(struct stream *stream, struct str bytes, struct error *err)
{
    struct buf text = BUF_INIT(bytes.length * 2 + 16);
    buf_reserve(&text, bytes.length * 2 + 8);
    encode_base64(&text, bytes);
    bool is_put = stream_put_secret(stream, buf_view(&text), err);
    secret_wipe(text.at, text.capacity);
    buf_free(&text);
    return is_put;
}

static bool transmit_all(struct stream *stream, struct str bytes)
{
    while (bytes.length) {
        short events;
        ptrdiff_t n = stream_transmit(stream, bytes.at, bytes.length, &events);
        if (n < 0 || (n == 0 && stream_poll(stream, events, -1) < 0))
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

bool stream_flush(struct stream *stream, struct error *err)
{
    check(stream);
    if (stream->failed.kind != ERROR_NONE)
        return stream_fail(stream, err);
    made_progress(stream);
    if (!stream->out.length)
        return true;
    bool is_sent;
    if (stream->deflate) {
        struct buf squeezed = BUF_INIT(2 * STREAM_OUT_BYTES);
        is_sent = deflate_compress(stream->deflate, buf_view(&stream->out), &squeezed) &&
                  transmit_all(stream, buf_view(&squeezed));
        buf_free(&squeezed);
    } else
        is_sent = transmit_all(stream, buf_view(&stream->out));
    wipe_out(stream);
    return is_sent || stream_fail(stream, err);
}

/* --- parking ---------------------------------------------------------------------------------- */

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

bool stream_is_quiet(const struct stream *stream)
{
    return stream->in_from == stream->in_to && !stream->out.length &&
           !(stream->ssl && SSL_has_pending(stream->ssl)) &&
           !(stream->deflate && deflate_has_pending(stream->deflate));
}

void stream_park(struct stream *stream)
{
    check(stream);
    assert(stream_is_quiet(stream));
    free(stream->in);
    stream->in = NULL;
    stream->in_from = stream->in_to = 0;
    buf_free(&stream->out);
    if (stream->ssl)
        SSL_free_buffers(stream->ssl);
}

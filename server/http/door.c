#include "server/http/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct door_gauges door_gauges;

struct door_options door_defaults(const struct router *router)
{
    return (struct door_options){
        .router = router,
        .trusts_unix_peers = true,
        .workers = 8,
        .events_max = 512,
        .connections_max = 4096,
        .per_address_max = 64,
        .idle_ms = 60 * 1000,
        .head_ms = 15 * 1000,
        .transfer_ms = 30 * 1000,
        .transfer_rate = 4,
        .memory_body_bytes = 256 * 1024,
    };
}

static const unsigned char ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool ip_parse(struct str text, unsigned char address[16])
{
    char name[INET6_ADDRSTRLEN + 1];
    if (!str_copy(text, name, sizeof name))
        return false;
    if (inet_pton(AF_INET, name, address + 12) == 1) {
        memcpy(address, ipv4_prefix, sizeof ipv4_prefix);
        return true;
    }
    return inet_pton(AF_INET6, name, address) == 1;
}

bool ip_of(const struct sockaddr *peer, unsigned char address[16])
{
    if (peer && peer->sa_family == AF_INET) {
        memcpy(address, ipv4_prefix, sizeof ipv4_prefix);
        memcpy(address + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
        return true;
    }
    if (peer && peer->sa_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
        return true;
    }
    return false;
}

bool network_parse(struct str text, struct network *network, struct error *err)
{
    struct str bits = text;
    struct str address = str_cut(&bits, '/');
    uint32_t count = 128;
    if (!ip_parse(address, network->address))
        return error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not an address or network",
                         STR_ARG(text));
    uint32_t most = str_find_char(address, ':') < 0 ? 32 : 128;
    if (bits.at) {
        if (!str_to_u32(bits, &count) || count > most)
            return error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not a network",
                             STR_ARG(text));
        count += 128 - most;
    }
    network->bits = (int)count;
    return true;
}

bool network_holds(const struct network *network, const unsigned char address[16])
{
    for (int bit = 0; bit < network->bits; bit += 8) {
        int left = network->bits - bit;
        unsigned mask = left >= 8 ? 0xff : (0xffu << (8 - left)) & 0xff;
        if ((network->address[bit / 8] ^ address[bit / 8]) & mask)
            return false;
    }
    return true;
}

/* --- listening --- */

static bool is_stale(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_refused =
        connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

static int listen_unix(struct str path, struct error *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (!str_copy(path, name.sun_path, sizeof name.sun_path)) {
        error_set(err, ERROR_INVALID, "the socket's path is longer than %zu bytes",
                  sizeof name.sun_path - 1);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    /* The mode is on the socket before it has a name, so that nobody gets in between. */
    if (fchmod(fd, 0660) != 0)
        goto fail;
    mode_t mask = umask(0117);
    int bound = bind(fd, (struct sockaddr *)&name, sizeof name);
    if (bound != 0 && errno == EADDRINUSE && is_stale(&name) && unlink(name.sun_path) == 0)
        bound = bind(fd, (struct sockaddr *)&name, sizeof name);
    umask(mask);
    if (bound == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
fail:
    error_errno(err, ERROR_INTERNAL, "cannot listen on %" STR_FMT, STR_ARG(path));
    if (fd >= 0)
        close(fd);
    return -1;
}

int listen_open(struct str where, struct error *err)
{
    if (str_find_char(where, '/') >= 0)
        return listen_unix(where, err);
    struct str host = where;
    while (host.length > 0 && host.at[host.length - 1] != ':')
        host.length--;
    uint32_t port;
    unsigned char address[16];
    bool is_good =
        host.length > 1 && str_to_u32(str_skip(where, host.length), &port) && port <= UINT16_MAX;
    host.length -= host.length > 0;
    bool is_v6 = host.length > 2 && host.at[0] == '[' && host.at[host.length - 1] == ']';
    if (is_v6)
        host = str_sub(host, 1, host.length - 2);
    if (!is_good || !ip_parse(host, address)) {
        error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not an address to listen on",
                  STR_ARG(where));
        error_hint(err, "write 127.0.0.1:8080, [::1]:8080 or /path/of/a/socket");
        return -1;
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    memcpy(&v4.sin_addr, address + 12, 4);
    memcpy(&v6.sin6_addr, address, 16);
    int on = 1;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
             is_v6 ? sizeof v6 : sizeof v4) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    error_errno(err, ERROR_INTERNAL, "cannot listen on %" STR_FMT, STR_ARG(where));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- the exchange --- */

void exchange_init(struct exchange *exchange, const struct door_options *options)
{
    *exchange = (struct exchange){
        .options = options,
        .arena = arena_new(),
        .spool = {.memory = BUF_INIT(options->memory_body_bytes), .fd = -1},
    };
    request_init(&exchange->req, exchange->arena);
    response_init(&exchange->res, exchange->arena);
}

void exchange_release(struct exchange *exchange)
{
    if (exchange->spool.fd >= 0)
        close(exchange->spool.fd);
    buf_free(&exchange->spool.memory);
    request_release(&exchange->req);
    response_release(&exchange->res);
    arena_free(&exchange->arena);
}

bool exchange_is_proxy(const struct door_options *options, const unsigned char *peer)
{
    if (!peer)
        return options->trusts_unix_peers;
    for (size_t i = 0; i < options->proxy_count; i++)
        if (network_holds(&options->proxies[i], peer))
            return true;
    return false;
}

static struct str address_text(struct arena *arena, const unsigned char address[16])
{
    char text[INET6_ADDRSTRLEN];
    if (memcmp(address, ipv4_prefix, sizeof ipv4_prefix) == 0)
        inet_ntop(AF_INET, address + 12, text, sizeof text);
    else
        inet_ntop(AF_INET6, address, text, sizeof text);
    return arena_str(arena, str_of(text));
}

/* Takes the last element off a list that goes from left to right. */
static struct str cut_last(struct str *list, char separator)
{
    size_t from = list->length;
    while (from > 0 && list->at[from - 1] != separator)
        from--;
    struct str last = str_skip(*list, from);
    list->length = from > 0 ? from - 1 : 0;
    return str_trim(last);
}

/* An element of X-Forwarded-For, which some proxies write with a port or in brackets. */
static bool parse_forwarded(struct str text, unsigned char address[16])
{
    if (text.length > 0 && *text.at == '[') {
        struct str rest = str_skip(text, 1);
        return ip_parse(str_cut(&rest, ']'), address);
    }
    if (ip_parse(text, address))
        return true;
    struct str rest = text;
    return ip_parse(str_cut(&rest, ':'), address);
}

void exchange_set_peer(struct exchange *exchange, const unsigned char *peer)
{
    struct request *req = &exchange->req;
    unsigned char client[16];
    bool is_known = peer != NULL;
    if (peer)
        memcpy(client, peer, sizeof client);
    if (exchange_is_proxy(exchange->options, peer)) {
        /* From the last header to the first, each from right to left: the way back. */
        bool is_found = false;
        for (size_t i = req->headers.count; i-- > 0 && !is_found;) {
            if (!str_equal_nocase(req->headers.at[i].name, STR("X-Forwarded-For")))
                continue;
            struct str list = req->headers.at[i].value;
            while (list.length > 0 && !is_found) {
                unsigned char hop[16];
                if (!parse_forwarded(cut_last(&list, ','), hop)) {
                    is_found = true; /* what stands further left is anybody's word */
                    break;
                }
                memcpy(client, hop, sizeof client);
                is_known = true;
                is_found = !exchange_is_proxy(exchange->options, hop);
            }
        }
        struct str schemes = request_header(req, "X-Forwarded-Proto");
        if (schemes.at)
            req->is_https = str_equal_nocase(cut_last(&schemes, ','), STR("https"));
    }
    req->remote_address = is_known ? address_text(exchange->arena, client) : STR("unix");
}

static int open_spool(const struct door_options *options)
{
    const char *folder = options->spool_folder;
    if (!folder)
        folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0)
        return fd;
    char path[4096]; /* some file systems have no O_TMPFILE */
    snprintf(path, sizeof path, "%s/restante-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bool write_all(int fd, struct str bytes, struct error *err)
{
    while (bytes.length > 0) {
        ssize_t written = write(fd, bytes.at, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            error_errno(err, ERROR_UNAVAILABLE, "cannot keep the upload");
            return error_hint(err, "the server's disk may be full; try again later");
        }
        bytes = str_skip(bytes, (size_t)written);
    }
    return true;
}

bool exchange_add_body(struct exchange *exchange, struct str piece, uint64_t limit,
                       struct error *err)
{
    struct body_spool *spool = &exchange->spool;
    if (piece.length > limit || spool->bytes > limit - piece.length)
        return error_set(err, ERROR_LIMIT, "The request's body is larger than %llu bytes.",
                         (unsigned long long)limit);
    spool->bytes += piece.length;
    if (spool->fd < 0 && buf_str(&spool->memory, piece))
        return true;
    if (spool->fd < 0) {
        spool->fd = open_spool(exchange->options);
        if (spool->fd < 0)
            return error_errno(err, ERROR_UNAVAILABLE, "cannot make a file for the upload");
        if (!write_all(spool->fd, buf_view(&spool->memory), err))
            return false;
        buf_free(&spool->memory);
    }
    return write_all(spool->fd, piece, err);
}

void exchange_end_body(struct exchange *exchange)
{
    struct request *req = &exchange->req;
    req->body_bytes = exchange->spool.bytes;
    req->body = exchange->spool.fd < 0 ? buf_view(&exchange->spool.memory) : STR_EMPTY;
    req->body_fd = exchange->spool.fd;
    exchange->spool.fd = -1; /* the request's now */
}

void exchange_serve(struct exchange *exchange)
{
    router_serve(exchange->options->router, &exchange->req, &exchange->res);
}

void exchange_refuse(struct exchange *exchange, const struct error *err)
{
    router_refuse(&exchange->req, &exchange->res, err);
}

void exchange_refuse_events(struct exchange *exchange)
{
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_UNAVAILABLE, "Too many clients listen for events; poll instead.");
    err.retry_after_ms = 60 * 1000;
    exchange_refuse(exchange, &err);
}

bool door_add_work(struct workpool *pool, workpool_job *job, void *context)
{
    atomic_fetch_add(&door_gauges.waiting, 1);
    if (workpool_add(pool, job, context))
        return true;
    atomic_fetch_sub(&door_gauges.waiting, 1);
    return false;
}

bool exchange_has_body(const struct exchange *exchange)
{
    int status = exchange->res.status;
    return exchange->req.method != HTTP_HEAD && status != 204 && status != 304;
}

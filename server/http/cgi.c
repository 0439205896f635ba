#include "server/http/cgi.h"

#include "server/base/encode.h"

enum { HEADERS_MAX = 100 };

struct str cgi_variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return str_of(*environment + length + 1);
    return (struct str){NULL, 0};
}

static bool is_text(struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (((unsigned char)value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
            return false;
    return true;
}

/* HTTP_ACCEPT_LANGUAGE -> ACCEPT-LANGUAGE; case does not matter to request_header. */
static bool add_header(struct request *req, struct str variable, struct error *err)
{
    struct str value = variable;
    struct str name = str_cut(&value, '=');
    if (!value.at || name.length == 0 || !is_text(value))
        return error_set(err, ERROR_INVALID, "A header field is not well formed.");
    if (req->headers.count == HEADERS_MAX)
        return error_set(err, ERROR_INVALID, "The request has too many header fields.");
    char *dashed = arena_text(req->arena, name);
    for (char *c = dashed; *c; c++)
        if (*c == '_')
            *c = '-';
    /* The web server has read the body's framing: its CONTENT_LENGTH is the truth. "Proxy" never
     * comes from an honest client (httpoxy). */
    static const struct str ignored[] = {
        {"CONTENT-LENGTH", 14}, {"CONTENT-TYPE", 12}, {"TRANSFER-ENCODING", 17}, {"PROXY", 5}};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (str_equal(str_of(dashed), ignored[i]))
            return true;
    request_add_header(req, str_of(dashed), value);
    return true;
}

static bool read_headers(struct request *req, char *const *environment, struct error *err)
{
    for (char *const *entry = environment; *entry; entry++)
        if (strncmp(*entry, "HTTP_", 5) == 0 && !add_header(req, str_of(*entry + 5), err))
            return false;
    struct str type = cgi_variable(environment, "CONTENT_TYPE");
    struct str authorization = cgi_variable(environment, "REDIRECT_HTTP_AUTHORIZATION");
    if (!is_text(type) || !is_text(authorization))
        return error_set(err, ERROR_INVALID, "A header field is not well formed.");
    if (type.length > 0)
        request_add_header(req, STR("Content-Type"), type);
    /* Apache hands it over under this name after a rewrite. */
    if (authorization.length > 0 && !request_header(req, "Authorization").at)
        request_add_header(req, STR("Authorization"), authorization);
    return true;
}

/* Path and query as the client sent them. */
static bool read_target(struct request *req, char *const *environment, struct error *err)
{
    struct str uri = cgi_variable(environment, "REQUEST_URI");
    struct str script = cgi_variable(environment, "SCRIPT_NAME");
    struct str info = cgi_variable(environment, "PATH_INFO");
    if (uri.length > 0) {
        struct str below = str_skip(uri, script.length);
        bool is_mounted = info.length > 0 && script.length > 0 && str_starts(uri, script) &&
                          below.length > 0 && *below.at == '/';
        return request_set_target(req, is_mounted ? below : uri, err);
    }
    /* RFC 3875 alone: PATH_INFO is decoded, so encode what a target cannot hold. */
    struct buf target = BUF_INIT(256 * 1024);
    struct str rest = info.length > 0 ? info : STR("/");
    while (rest.at) {
        encode_percent(&target, str_cut(&rest, '/'));
        if (rest.at)
            buf_char(&target, '/');
    }
    struct str query = cgi_variable(environment, "QUERY_STRING");
    if (query.length > 0) {
        buf_char(&target, '?');
        buf_str(&target, query);
    }
    bool is_good = request_set_target(req, buf_view(&target), err);
    buf_free(&target);
    return is_good;
}

static void read_peer(struct exchange *exchange, char *const *environment)
{
    struct request *req = &exchange->req;
    struct str remote = cgi_variable(environment, "REMOTE_ADDR");
    unsigned char address[16];
    req->is_https = str_equal_nocase(cgi_variable(environment, "HTTPS"), STR("on")) ||
                    str_equal(cgi_variable(environment, "REQUEST_SCHEME"), STR("https"));
    if (ip_parse(remote, address))
        exchange_set_peer(exchange, address);
    else if (str_starts(remote, STR("unix:"))) /* a proxy in front of the web server */
        exchange_set_peer(exchange, NULL);
    else
        req->remote_address = STR("unknown");
}

bool cgi_read_environment(struct exchange *exchange, char *const *environment, uint64_t *body_bytes,
                          struct error *err)
{
    struct request *req = &exchange->req;
    struct str length = cgi_variable(environment, "CONTENT_LENGTH");
    req->path = STR("/");
    req->method = http_method_parse(cgi_variable(environment, "REQUEST_METHOD"));
    *body_bytes = 0;
    if (length.length > 0 && !str_to_u64(length, body_bytes))
        return error_set(err, ERROR_INVALID, "The length of the request's body is not a number.");
    if (!read_headers(req, environment, err) || !read_target(req, environment, err))
        return false;
    read_peer(exchange, environment);
    return true;
}

void cgi_write_head(const struct exchange *exchange, struct buf *head)
{
    const struct response *res = &exchange->res;
    buf_printf(head, "Status: %d %s\r\n", res->status, http_reason(res->status));
    for (size_t i = 0; i < res->headers.count; i++) {
        struct http_field field = res->headers.at[i];
        if (str_equal_nocase(field.name, STR("Content-Length")) ||
            str_equal_nocase(field.name, STR("Transfer-Encoding")) ||
            str_equal_nocase(field.name, STR("Connection")))
            continue;
        buf_str(head, field.name);
        buf_text(head, ": ");
        buf_str(head, field.value);
        buf_text(head, "\r\n");
    }
    int64_t length = res->stream ? res->stream_bytes : (int64_t)response_body(res).length;
    if (length >= 0 && res->status != 204 && res->status != 304)
        buf_printf(head, "Content-Length: %lld\r\n", (long long)length);
    if (res->is_events)
        buf_text(head, "X-Accel-Buffering: no\r\n"); /* else nginx holds events back */
    buf_text(head, "\r\n");
}

/* Reads a request's head strictly. libmicrohttpd 0.9.75 is lenient where a proxy in front may not
 * be, and two readings of one request are what smuggling is made of. */
#include "server/http/door_http_private.h"

enum { HEADERS_MAX = 100 };

/* Where libmicrohttpd keeps the head: it cuts it into C strings where it lies. */
struct head {
    struct http_exchange *exchange;
    struct error *err;
    const char *at, *end;
    bool is_good;
};

static const uint32_t strict_since = 0x00097700;

static bool is_inside(const struct head *head, const char *text, size_t length)
{
    return text >= head->at && text <= head->end && length <= (size_t)(head->end - text);
}

/* libmicrohttpd 0.9.75 ends a line at CR LF, at a bare LF and at a bare CR alike, and writes a NUL
 * over each byte of what it took: two NULs follow a text that CR LF ended. From 0.9.77 on it has
 * levels of strictness of its own and need not lay out the head like this. */
static bool ends_with_crlf(const struct head *head, const char *text, size_t length)
{
    if (MHD_VERSION >= strict_since)
        return true;
    return is_inside(head, text, length + 2) && text[length] == '\0' && text[length + 1] == '\0';
}

/* It joins a folded line to the *name* of the field before it, in other memory: "X: b" CR LF " c"
 * becomes "Xc: b", whatever name an attacker likes. Folding is refused (RFC 9112 section 5.2). */
static bool is_folded(const struct head *head, const char *name, size_t length)
{
    return MHD_VERSION < strict_since && !is_inside(head, name, length);
}

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.length > 0;
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *value, size_t value_size)
{
    struct head *head = cls;
    struct request *req = &head->exchange->base.req;
    struct str name = str_make(key, key_size);
    struct str text = str_trim(str_make(value ? value : "", value ? value_size : 0));
    (void)kind;
    head->is_good = false;
    if (req->headers.count == HEADERS_MAX) {
        error_set(head->err, ERROR_INVALID, "The request has too many header fields.");
        return MHD_NO;
    }
    bool is_good = is_token(name) && !is_folded(head, key, key_size) && value &&
                   ends_with_crlf(head, value, value_size);
    for (size_t i = 0; i < text.length; i++)
        is_good = is_good && ((unsigned char)text.at[i] >= ' ' || text.at[i] == '\t') &&
                  text.at[i] != 0x7f;
    if (!is_good) {
        error_set(head->err, ERROR_INVALID, "A header field is not well formed.");
        return MHD_NO;
    }
    request_add_header(req, name, text);
    head->is_good = true;
    return MHD_YES;
}

/* What a proxy in front and we might understand differently (request smuggling; RFC 9112 section
 * 6.3): refused, however plausible. */
static bool check_framing(const struct http_exchange *exchange, struct error *err)
{
    const struct http_fields *headers = &exchange->base.req.headers;
    int lengths = 0, encodings = 0, hosts = 0;
    bool is_chunked = true;
    for (size_t i = 0; i < headers->count; i++) {
        struct str name = headers->at[i].name;
        if (str_equal_nocase(name, STR("Content-Length"))) {
            uint64_t length;
            lengths += str_to_u64(headers->at[i].value, &length) ? 1 : 2;
        } else if (str_equal_nocase(name, STR("Transfer-Encoding"))) {
            encodings++;
            is_chunked = str_equal_nocase(headers->at[i].value, STR("chunked"));
        } else if (str_equal_nocase(name, STR("Host"))) {
            hosts++;
        }
    }
    if (lengths > 1 || encodings > 1 || lengths + encodings > 1 || !is_chunked)
        return error_set(err, ERROR_INVALID, "The length of the request's body is ambiguous.");
    if (hosts > 1)
        return error_set(err, ERROR_INVALID, "The request names two hosts.");
    return true;
}

bool head_check_length(const struct http_exchange *exchange, struct error *err)
{
    uint64_t length = 0;
    str_to_u64(request_header(&exchange->base.req, "Content-Length"), &length);
    if (length > exchange->body_limit)
        return error_set(err, ERROR_LIMIT, "The request's body is larger than %llu bytes.",
                         (unsigned long long)exchange->body_limit);
    return true;
}

/* The blank line is one too: CR LF of the last line, CR LF, four NULs. */
static bool is_ended_by_blank_line(const struct head *head)
{
    return head->end - head->at >= 4 && ends_with_crlf(head, head->end - 4, 0) &&
           ends_with_crlf(head, head->end - 2, 0);
}

bool head_read(struct http_exchange *exchange, const char *method, const char *version,
               struct error *err)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct head head = {exchange, err, method, method + size->header_size, true};
    if (!ends_with_crlf(&head, version, strlen(version)) || !is_ended_by_blank_line(&head))
        return error_set(err, ERROR_INVALID, "A line of the request's head does not end in CR LF.");
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, take_header, &head);
    return head.is_good && check_framing(exchange, err);
}

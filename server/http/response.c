#include "server/http/response.h"

#include <assert.h>

#include "server/base/encode.h"
#include "server/base/json.h"
#include "server/base/utf8.h"
#include "server/http/fields_private.h"
#include "server/http/sink_private.h"

enum { FILE_NAME_MAX = 200 }; /* what file systems take as a name, less room for " (1)" */

bool response_write(struct response_sink *sink, struct str bytes)
{
    return bytes.length == 0 || sink->write(sink, bytes);
}

void response_init(struct response *res, struct arena *arena)
{
    *res = (struct response){
        .arena = arena, .status = 200, .body = BUF_INIT(RESPONSE_BODY_LIMIT), .stream_bytes = -1};
}

void response_release(struct response *res)
{
    buf_free(&res->body);
}

struct str response_body(const struct response *res)
{
    return res->static_body.at ? res->static_body : buf_view(&res->body);
}

struct str response_header(const struct response *res, const char *name)
{
    struct http_field *field = http_fields_find(&res->headers, str_of(name));
    return field ? field->value : (struct str){NULL, 0};
}

/* A line break in a header would be a second header or a second answer (response splitting). */
static void assert_one_line(struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        assert(text.at[i] != '\r' && text.at[i] != '\n' && text.at[i] != '\0');
}

void response_set_header(struct response *res, const char *name, struct str value)
{
    struct http_field *field = http_fields_find(&res->headers, str_of(name));
    if (!field) {
        response_add_header(res, name, value);
        return;
    }
    assert_one_line(value);
    field->value = arena_str(res->arena, value);
}

void response_add_header(struct response *res, const char *name, struct str value)
{
    assert_one_line(str_of(name));
    assert_one_line(value);
    *http_fields_add(res->arena, &res->headers) =
        (struct http_field){arena_str(res->arena, str_of(name)), arena_str(res->arena, value)};
}

void response_add_literal(struct response *res, struct str name, struct str value)
{
    *http_fields_add(res->arena, &res->headers) = (struct http_field){name, value};
}

/* Controls, and what reorders or hides text ("gpj.exe" that reads "exe.jpg"). */
static bool is_deceptive(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/* A name that is safe as a name on any system: one path segment, no deception, no leading dot. */
static void write_file_name(struct buf *out, struct str name)
{
    while (name.length > 0) {
        uint32_t c = utf8_next(&name);
        bool is_bad = is_deceptive(c) || (c < 0x80 && strchr("/\\:*?\"<>|", (int)c));
        if (out->length >= FILE_NAME_MAX)
            break;
        if (is_bad || (out->length == 0 && (c == '.' || c == ' ')))
            buf_char(out, '_');
        else
            utf8_write(out, c);
    }
    if (out->length == 0)
        buf_text(out, "unnamed");
}

void response_set_disposition(struct response *res, bool is_attachment, struct str file_name)
{
    struct buf safe = BUF_INIT(2 * FILE_NAME_MAX), line = BUF_INIT(8 * FILE_NAME_MAX);
    write_file_name(&safe, file_name);
    buf_text(&line, is_attachment ? "attachment; filename=\"" : "inline; filename=\"");
    bool is_ascii = true;
    struct str rest = buf_view(&safe);
    while (rest.length > 0) {
        uint32_t c = utf8_next(&rest);
        /* A '%' in the plain form is decoded by some browsers. */
        bool is_plain = c < 0x80 && c != '%';
        buf_char(&line, is_plain ? (char)c : '_');
        is_ascii = is_ascii && is_plain;
    }
    buf_char(&line, '"');
    if (!is_ascii) {
        buf_text(&line, "; filename*=UTF-8''");
        encode_percent(&line, buf_view(&safe));
    }
    response_set_header(res, "Content-Disposition", buf_view(&line));
    buf_free(&safe);
    buf_free(&line);
}

bool response_is_known(struct response *res, const struct request *req, struct str etag)
{
    struct str rest = request_header(req, "If-None-Match");
    response_set_header(res, "ETag", etag);
    while (rest.at) {
        struct str tag = str_trim(str_cut(&rest, ','));
        if (str_starts(tag, STR("W/"))) /* by weak comparison */
            tag = str_skip(tag, 2);
        if (!str_equal(tag, etag) && !str_equal(tag, STR("*")))
            continue;
        res->status = 304;
        return true;
    }
    return false;
}

void response_redirect(struct response *res, struct str path)
{
    /* "//host" and "/\host" lead elsewhere. */
    assert(path.length >= 1 && path.at[0] == '/');
    assert(path.length < 2 || (path.at[1] != '/' && path.at[1] != '\\'));
    res->status = 303;
    response_set_header(res, "Location", path);
}

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static const int statuses[ERROR_KINDS] = {
    [ERROR_NONE] = 500,        [ERROR_CLOSED] = 502,   [ERROR_TIMEOUT] = 504,
    [ERROR_UNREACHABLE] = 502, [ERROR_TLS] = 502,      [ERROR_FORBIDDEN] = 403,
    [ERROR_AUTH] = 401,        [ERROR_REFUSED] = 422,  [ERROR_UNAVAILABLE] = 503,
    [ERROR_PROTOCOL] = 502,    [ERROR_LIMIT] = 413,    [ERROR_INVALID] = 400,
    [ERROR_NOT_FOUND] = 404,   [ERROR_CONFLICT] = 409, [ERROR_DATABASE] = 503,
    [ERROR_THROTTLED] = 429,   [ERROR_INTERNAL] = 500, [ERROR_UNSUPPORTED] = 415,
};

int http_status_of(enum error_kind kind)
{
    assert(kind < ERROR_KINDS && statuses[kind]);
    return statuses[kind];
}

struct str response_sentence(struct arena *arena, struct str text)
{
    if (!text.length)
        return text;
    bool is_ended = strchr(".!?", text.at[text.length - 1]) != NULL;
    char *sentence = arena_text(
        arena, arena_printf(arena, "%" STR_FMT "%s", STR_ARG(text), is_ended ? "" : "."));
    sentence[0] = ascii_upper(sentence[0]);
    return str_of(sentence);
}

static void write_problem(struct response *res, const struct request *req, int status,
                          const char *type, struct str detail, const char *hint)
{
    res->status = status;
    res->stream = NULL;
    res->static_body = (struct str){NULL, 0};
    buf_reset(&res->body);
    response_set_header(res, "Content-Type", STR("application/problem+json"));
    struct json j = JSON_INIT(&res->body);
    json_write_object(&j);
    json_write_name(&j, "type");
    json_write_str(&j, arena_printf(res->arena, "/problems/%s", type));
    json_write_name(&j, "title");
    json_write_text(&j, http_reason(status));
    json_write_name(&j, "status");
    json_write_i64(&j, status);
    json_write_name(&j, "detail");
    json_write_str(&j, response_sentence(res->arena, detail));
    if (hint && *hint) {
        json_write_name(&j, "hint");
        json_write_str(&j, response_sentence(res->arena, str_of(hint)));
    }
    json_write_name(&j, "instance");
    json_write_text(&j, req->id);
    json_write_object_end(&j);
}

void response_problem_status(struct response *res, const struct request *req, int status,
                             const char *type, struct str detail)
{
    write_problem(res, req, status, type, detail, NULL);
}

void response_problem(struct response *res, const struct request *req, const struct error *err)
{
    int status = http_status_of(err->kind);
    struct str detail = str_of(err->message);
    /* What failed inside is for the log; a client can do nothing with it but learn about us. */
    if (err->kind == ERROR_INTERNAL || err->kind == ERROR_DATABASE || err->kind == ERROR_NONE)
        detail = STR("Something went wrong on our side. The log has more under this instance.");
    write_problem(res, req, status, error_kind_name(err->kind), detail, err->hint);
    if (err->kind == ERROR_AUTH)
        response_set_header(res, "WWW-Authenticate", STR("Bearer realm=\"restante\""));
    response_set_status(res, err);
}

void response_set_status(struct response *res, const struct error *err)
{
    res->status = http_status_of(err->kind);
    if (err->retry_after_ms > 0)
        response_set_header(res, "Retry-After",
                            arena_printf(res->arena, "%d", (err->retry_after_ms + 999) / 1000));
}

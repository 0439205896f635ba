#include "server/http/request.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "server/base/encode.h"
#include "server/base/seal.h"
#include "server/base/utf8.h"
#include "server/http/fields_private.h"

enum {
    ARGUMENTS_MAX = 256, /* no page of ours has more; each costs work before the handler looks */
    FORM_FIELDS_MAX = 10000, /* a selection of emails is a field each */
};

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    {"GET", HTTP_GET},   {"POST", HTTP_POST},     {"PUT", HTTP_PUT},         {"PATCH", HTTP_PATCH},
    {"HEAD", HTTP_HEAD}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
};

enum http_method http_method_parse(struct str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_equal(name, str_of(methods[i].name)))
            return methods[i].method;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return "OTHER";
}

void request_init(struct request *req, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[(REQUEST_ID_BYTES - 1) / 2];
    *req = (struct request){.arena = arena, .body_fd = -1};
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        req->id[2 * i] = digits[random[i] >> 4];
        req->id[2 * i + 1] = digits[random[i] & 15];
    }
}

void request_release(struct request *req)
{
    if (req->body_fd >= 0)
        close(req->body_fd);
    req->body_fd = -1;
}

struct http_field *http_fields_add(struct arena *arena, struct http_fields *fields)
{
    size_t count = fields->count;
    /* The capacity is not kept: it is 16, or the power of two at or above the count. */
    bool is_full = count == 0 || (count >= 16 && (count & (count - 1)) == 0);
    if (is_full) {
        struct http_field *grown =
            ARENA_ARRAY(arena, count == 0 ? 16 : 2 * count, struct http_field);
        if (count > 0)
            memcpy(grown, fields->at, count * sizeof *grown);
        fields->at = grown;
    }
    return &fields->at[fields->count++];
}

struct http_field *http_fields_find(const struct http_fields *fields, struct str name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (str_equal_nocase(fields->at[i].name, name))
            return &fields->at[i];
    return NULL;
}

void request_add_header(struct request *req, struct str name, struct str value)
{
    *http_fields_add(req->arena, &req->headers) =
        (struct http_field){arena_str(req->arena, name), arena_str(req->arena, value)};
}

/* Decodes one name or value of a query or form. False on a broken %XX, NUL or ill-formed UTF-8. */
static bool decode_text(struct arena *arena, struct str text, struct str *decoded)
{
    bool is_plain = str_find_char(text, '%') < 0 && str_find_char(text, '+') < 0;
    if (is_plain) {
        *decoded = text;
    } else {
        struct buf out = BUF_INIT(text.length);
        bool is_good = decode_percent(&out, text, true);
        if (is_good)
            *decoded = arena_str(arena, buf_view(&out));
        buf_free(&out);
        if (!is_good)
            return false;
    }
    return str_find_char(*decoded, '\0') < 0 && utf8_is_valid(*decoded);
}

static struct str repair_text(struct arena *arena, struct str text)
{
    struct buf out = BUF_INIT(text.length * 3 + 1);
    utf8_repair(&out, text);
    struct str repaired = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return repaired;
}

/* A query may come from anywhere, so what cannot be decoded stays as it is: a wrong argument, for
 * the handler to refuse, rather than a wrong request. */
static void parse_query(struct request *req)
{
    struct str rest = req->query;
    while (rest.at && rest.length > 0 && req->arguments.count < ARGUMENTS_MAX) {
        struct str value = str_cut(&rest, '&');
        if (value.length == 0)
            continue;
        struct str name = str_cut(&value, '=');
        struct http_field field = {STR_EMPTY, STR_EMPTY};
        if (!decode_text(req->arena, name, &field.name))
            field.name = repair_text(req->arena, name);
        if (value.at && !decode_text(req->arena, value, &field.value))
            field.value = repair_text(req->arena, value);
        *http_fields_add(req->arena, &req->arguments) = field;
    }
}

bool request_set_target(struct request *req, struct str target, struct error *err)
{
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.at[i];
        if (c <= ' ' || c == 0x7f)
            return error_set(err, ERROR_INVALID, "the request target has control characters");
    }
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (str_starts_nocase(target, schemes[i])) {
            target = str_skip(target, schemes[i].length);
            while (target.length > 0 && *target.at != '/' && *target.at != '?')
                target = str_skip(target, 1);
            if (target.length == 0)
                target = STR("/");
        }
    target = arena_str(req->arena, target);
    struct str rest = target;
    req->path = str_cut(&rest, '?');
    req->query = rest.at ? rest : STR_EMPTY;
    if (req->path.length == 0 || *req->path.at != '/')
        return error_set(err, ERROR_INVALID, "the request target is not a path");
    parse_query(req);
    return true;
}

struct str request_header(const struct request *req, const char *name)
{
    struct http_field *field = http_fields_find(&req->headers, str_of(name));
    return field ? field->value : (struct str){NULL, 0};
}

struct str request_cookie(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->headers.count; i++) {
        if (!str_equal_nocase(req->headers.at[i].name, STR("Cookie")))
            continue;
        struct str rest = req->headers.at[i].value;
        while (rest.at) {
            struct str value = str_trim(str_cut(&rest, ';'));
            struct str found = str_cut(&value, '=');
            if (!value.at || !str_equal(found, str_of(name)))
                continue;
            if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
                value = str_sub(value, 1, value.length - 2);
            return value;
        }
    }
    return (struct str){NULL, 0};
}

struct str http_field_value(const struct http_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (str_equal(fields->at[i].name, str_of(name)))
            return fields->at[i].value;
    return (struct str){NULL, 0};
}

struct str request_argument(const struct request *req, const char *name)
{
    return http_field_value(&req->arguments, name);
}

struct str request_param(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->param_count; i++)
        if (strcmp(req->params[i].name, name) == 0)
            return req->params[i].value;
    assert(!"the route's pattern has no such parameter");
    return STR_EMPTY;
}

bool request_param_id(const struct request *req, const char *name, int64_t *id, struct error *err)
{
    struct str text = request_param(req, name);
    /* One spelling for one thing: "07" and "7" must not be two addresses of it. */
    if (!str_to_i64(text, id) || *id <= 0 || text.at[0] == '0')
        return error_set(err, ERROR_NOT_FOUND, "there is no such %s", name);
    return true;
}

bool http_type_is(struct str content_type, const char *type)
{
    struct str rest = content_type;
    return str_equal_nocase(str_trim(str_cut(&rest, ';')), str_of(type));
}

bool request_body(const struct request *req, struct str *body, struct error *err)
{
    if (req->body_fd < 0) {
        *body = req->body;
        return true;
    }
    if (req->body_bytes > 16 * 1024 * 1024)
        return error_set(err, ERROR_LIMIT, "the body is too large");
    char *bytes = arena_alloc(req->arena, req->body_bytes + 1);
    size_t length = 0;
    while (length < req->body_bytes) {
        ssize_t got = request_body_read(req, length, bytes + length, req->body_bytes - length, err);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *body = str_make(bytes, length);
    return true;
}

bool request_form(const struct request *req, struct http_fields *form, struct error *err)
{
    struct str rest = STR_EMPTY;
    if (!http_type_is(request_header(req, "Content-Type"), "application/x-www-form-urlencoded"))
        return error_set(err, ERROR_INVALID, "a form is expected here");
    if (!request_body(req, &rest, err))
        return false;
    struct http_fields fields = {0};
    while (rest.at && rest.length > 0) {
        struct str value = str_cut(&rest, '&');
        if (value.length == 0)
            continue;
        if (fields.count == FORM_FIELDS_MAX)
            return error_set(err, ERROR_LIMIT, "the form has too many fields");
        struct str name = str_cut(&value, '=');
        struct http_field field = {STR_EMPTY, STR_EMPTY};
        if (!decode_text(req->arena, name, &field.name) ||
            (value.at && !decode_text(req->arena, value, &field.value)))
            return error_set(err, ERROR_INVALID, "the form is not well encoded");
        *http_fields_add(req->arena, &fields) = field;
    }
    *form = fields;
    return true;
}

ssize_t request_body_read(const struct request *req, uint64_t offset, void *target, size_t size,
                          struct error *err)
{
    if (offset >= req->body_bytes)
        return 0;
    if (req->body_fd < 0) {
        struct str rest = str_sub(str_skip(req->body, offset), 0, size);
        memcpy(target, rest.at, rest.length);
        return (ssize_t)rest.length;
    }
    ssize_t got;
    do
        got = pread(req->body_fd, target, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        error_errno(err, ERROR_INTERNAL, "cannot read the request's body");
    return got;
}

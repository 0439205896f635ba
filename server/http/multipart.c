/* multipart/form-data (RFC 7578), as browsers write it. A spooled body is mapped, not read: parts
 * are given by offset, so a file of 50 MB costs no memory. */
#include <sys/mman.h>

#include "server/base/buf.h"
#include "server/base/utf8.h"
#include "server/http/fields_private.h"
#include "server/http/request.h"

enum { BOUNDARY_MAX = 70, PART_HEADERS_MAX = 8 * 1024 };

/* The value of one parameter of a Content-Type or Content-Disposition, unquoted into the arena; a
 * NULL pointer when absent. */
static struct str parameter(struct arena *arena, struct str field, struct str name)
{
    struct str rest = field;
    /* One for all: a field of a thousand parameters must not take a thousand times its size. */
    char *value = arena_alloc(arena, field.length + 1);
    str_cut(&rest, ';');
    while (rest.at && rest.length > 0) {
        while (rest.length > 0 && (ascii_is_space(*rest.at) || *rest.at == ';'))
            rest = str_skip(rest, 1);
        size_t end = 0;
        while (end < rest.length && rest.at[end] != '=' && rest.at[end] != ';')
            end++;
        struct str found = str_trim(str_sub(rest, 0, end));
        rest = str_skip(rest, end);
        if (rest.length == 0 || *rest.at != '=')
            continue;
        rest = str_skip(rest, 1);
        while (rest.length > 0 && (*rest.at == ' ' || *rest.at == '\t'))
            rest = str_skip(rest, 1);
        size_t length = 0, i;
        bool is_quoted = rest.length > 0 && *rest.at == '"';
        for (i = is_quoted; i < rest.length; i++) {
            char c = rest.at[i];
            if (c == (is_quoted ? '"' : ';'))
                break;
            /* Only these two are escapes: old clients send `C:\path` unescaped. */
            if (is_quoted && c == '\\' && i + 1 < rest.length &&
                (rest.at[i + 1] == '"' || rest.at[i + 1] == '\\'))
                c = rest.at[++i];
            value[length++] = c;
        }
        rest = str_skip(rest, i + (is_quoted && i < rest.length));
        if (str_equal_nocase(found, name))
            return is_quoted ? str_make(value, length) : str_trim(str_make(value, length));
    }
    return (struct str){NULL, 0};
}

/* Browsers write `"`, CR and LF in names as %22, %0D and %0A, and nothing else so (WHATWG HTML,
 * "multipart/form-data encoding algorithm"). */
static struct str part_text(struct arena *arena, struct str text)
{
    if (!text.at)
        return text;
    struct buf plain = BUF_INIT(text.length), out = BUF_INIT(text.length * 3 + 1);
    for (size_t i = 0; i < text.length; i++) {
        struct str three = str_sub(text, i, 3);
        bool is_escape = true;
        if (str_equal_nocase(three, STR("%22")))
            buf_char(&plain, '"');
        else if (str_equal_nocase(three, STR("%0D")))
            buf_char(&plain, '\r');
        else if (str_equal_nocase(three, STR("%0A")))
            buf_char(&plain, '\n');
        else
            is_escape = false;
        if (is_escape)
            i += 2;
        else
            buf_char(&plain, text.at[i]);
    }
    utf8_repair(&out, buf_view(&plain));
    struct str repaired = arena_str(arena, buf_view(&out));
    buf_free(&plain);
    buf_free(&out);
    return repaired;
}

static bool read_part_headers(struct arena *arena, struct str headers, struct request_part *part)
{
    part->content_type = STR("text/plain");
    bool has_name = false;
    while (headers.length > 0) {
        ptrdiff_t end = str_find(headers, STR("\r\n"));
        struct str value = end < 0 ? headers : str_sub(headers, 0, (size_t)end);
        headers = end < 0 ? STR_EMPTY : str_skip(headers, (size_t)end + 2);
        struct str name = str_cut(&value, ':');
        if (!value.at)
            return false;
        if (str_equal_nocase(name, STR("Content-Type"))) {
            part->content_type = part_text(arena, str_trim(value));
        } else if (str_equal_nocase(name, STR("Content-Disposition"))) {
            struct str type = value;
            if (!str_equal_nocase(str_trim(str_cut(&type, ';')), STR("form-data")))
                return false;
            part->name = part_text(arena, parameter(arena, value, STR("name")));
            part->file_name = part_text(arena, parameter(arena, value, STR("filename")));
            has_name = part->name.at != NULL;
        }
    }
    return has_name;
}

/* `delimiter` is CRLF "--" boundary. */
static bool parse(struct arena *arena, struct str body, struct str delimiter,
                  struct request_part *parts, size_t *count, struct error *err)
{
    struct str opening = str_skip(delimiter, 2);
    size_t at;
    if (str_starts(body, opening)) {
        at = opening.length;
    } else {
        ptrdiff_t first = str_find(body, delimiter);
        if (first < 0)
            return error_set(err, ERROR_INVALID, "the upload has no part");
        at = (size_t)first + delimiter.length;
    }
    for (;;) {
        struct str rest = str_skip(body, at);
        if (str_starts(rest, STR("--")))
            return true;
        while (rest.length > 0 && (*rest.at == ' ' || *rest.at == '\t'))
            rest = str_skip(rest, 1);
        if (!str_starts(rest, STR("\r\n")))
            return error_set(err, ERROR_INVALID, "the upload's delimiters are broken");
        if (*count == REQUEST_PARTS_MAX)
            return error_set(err, ERROR_LIMIT, "the upload has too many parts");
        /* The CRLF that ends the delimiter line also begins the blank line of a part without
         * headers, hence the search from it. */
        ptrdiff_t blank = str_find(str_sub(rest, 0, PART_HEADERS_MAX), STR("\r\n\r\n"));
        if (blank < 0)
            return error_set(err, ERROR_INVALID, "a part of the upload has no end of headers");
        struct request_part *part = &parts[*count];
        *part = (struct request_part){0};
        struct str headers = blank > 0 ? str_sub(rest, 2, (size_t)blank - 2) : STR_EMPTY;
        if (!read_part_headers(arena, headers, part))
            return error_set(err, ERROR_INVALID, "a part of the upload has no name");
        struct str content = str_skip(rest, (size_t)blank + 4);
        /* An empty part may end at the very CRLF of its blank line. */
        struct str searched = str_make(content.at - 2, content.length + 2);
        ptrdiff_t end = str_find(searched, delimiter);
        if (end < 0)
            return error_set(err, ERROR_INVALID, "the upload was cut off");
        part->at = (uint64_t)(content.at - body.at);
        part->bytes = end > 2 ? (uint64_t)end - 2 : 0;
        at = (size_t)(searched.at - body.at) + (size_t)end + delimiter.length;
        ++*count;
    }
}

bool request_multipart(const struct request *req, struct request_part **parts, size_t *count,
                       struct error *err)
{
    struct str type = request_header(req, "Content-Type");
    if (!http_type_is(type, "multipart/form-data"))
        return error_set(err, ERROR_INVALID, "an upload is expected here");
    struct str boundary = parameter(req->arena, type, STR("boundary"));
    if (boundary.length == 0 || boundary.length > BOUNDARY_MAX)
        return error_set(err, ERROR_INVALID, "the upload has no usable boundary");
    struct str delimiter = arena_printf(req->arena, "\r\n--%" STR_FMT, STR_ARG(boundary));
    struct str body = req->body;
    if (req->body_fd >= 0) {
        /* Our own unlinked file, complete and closed to others: it cannot shrink under the map. */
        void *map = mmap(NULL, req->body_bytes, PROT_READ, MAP_PRIVATE, req->body_fd, 0);
        if (map == MAP_FAILED)
            return error_errno(err, ERROR_INTERNAL, "cannot map the upload");
        body = str_make(map, req->body_bytes);
    }
    struct request_part *found = ARENA_ARRAY(req->arena, REQUEST_PARTS_MAX, struct request_part);
    size_t found_count = 0;
    bool is_good = parse(req->arena, body, delimiter, found, &found_count, err);
    if (req->body_fd >= 0)
        munmap((void *)body.at, body.length);
    if (!is_good)
        return false;
    *parts = found;
    *count = found_count;
    return true;
}

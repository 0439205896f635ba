#include "server/http/fcgi_head.h"

#include "server/base/buf.h"

/* FastCGI 1.0, sections 3.3 and 8. */
enum {
    RECORD_BYTES = 8,
    TYPE_BEGIN_REQUEST = 1,
    TYPE_PARAMS = 4,
    ROLE_RESPONDER = 1,
};

struct record {
    unsigned version, type, id;
    struct str content;
};

static unsigned byte_at(struct str s, size_t i)
{
    return (unsigned char)s.at[i];
}

/* Takes one record off `*bytes`; false if it is not all there. */
static bool take_record(struct str *bytes, struct record *record)
{
    if (bytes->length < RECORD_BYTES)
        return false;
    size_t length = byte_at(*bytes, 4) << 8 | byte_at(*bytes, 5);
    size_t whole = RECORD_BYTES + length + byte_at(*bytes, 6);
    if (bytes->length < whole)
        return false;
    record->version = byte_at(*bytes, 0);
    record->type = byte_at(*bytes, 1);
    record->id = byte_at(*bytes, 2) << 8 | byte_at(*bytes, 3);
    record->content = str_sub(*bytes, RECORD_BYTES, length);
    *bytes = str_skip(*bytes, whole);
    return true;
}

static bool take_length(struct str *bytes, size_t *length)
{
    if (bytes->length < 1)
        return false;
    size_t size = byte_at(*bytes, 0) & 0x80 ? 4 : 1;
    if (bytes->length < size)
        return false;
    *length = byte_at(*bytes, 0) & 0x7f;
    for (size_t i = 1; i < size; i++)
        *length = *length << 8 | byte_at(*bytes, i);
    *bytes = str_skip(*bytes, size);
    return true;
}

/* Name-value pairs that fit into what was sent, without NUL: they become C strings. */
static bool are_good_params(struct str params)
{
    while (params.length > 0) {
        size_t name, value;
        if (!take_length(&params, &name) || !take_length(&params, &value) || name > params.length ||
            value > params.length - name)
            return false;
        if (name == 0 || str_find_char(str_sub(params, 0, name + value), '\0') >= 0)
            return false;
        params = str_skip(params, name + value);
    }
    return true;
}

enum fcgi_head fcgi_check_head(struct str bytes)
{
    bool is_cut = bytes.length >= FCGI_HEAD_BYTES;
    struct record begin, record;
    enum fcgi_head verdict = FCGI_HEAD_MORE;
    if (!take_record(&bytes, &begin))
        return bytes.length > 0 && (byte_at(bytes, 0) != 1 || is_cut) ? FCGI_HEAD_BAD
                                                                      : FCGI_HEAD_MORE;
    if (begin.version != 1 || begin.type != TYPE_BEGIN_REQUEST || begin.id == 0 ||
        begin.content.length != 8 ||
        (byte_at(begin.content, 0) << 8 | byte_at(begin.content, 1)) != ROLE_RESPONDER)
        return FCGI_HEAD_BAD;
    struct buf params = BUF_INIT(FCGI_HEAD_BYTES);
    while (verdict == FCGI_HEAD_MORE && take_record(&bytes, &record)) {
        if (record.version != 1 || record.type != TYPE_PARAMS || record.id != begin.id)
            verdict = FCGI_HEAD_BAD;
        else if (record.content.length == 0)
            verdict = are_good_params(buf_view(&params)) ? FCGI_HEAD_COMPLETE : FCGI_HEAD_BAD;
        else if (!buf_str(&params, record.content))
            verdict = FCGI_HEAD_BAD;
    }
    buf_free(&params);
    return verdict == FCGI_HEAD_MORE && is_cut ? FCGI_HEAD_BAD : verdict;
}

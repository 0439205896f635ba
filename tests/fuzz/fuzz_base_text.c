/* Encodings and UTF-8: what is decoded encodes again to what it was, what is repaired is valid. */
#include <assert.h>
#include <jansson.h>

#include "server/base/encode.h"
#include "server/base/json.h"
#include "server/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef bool decode_fn(struct buf *out, struct str text);
typedef void encode_fn(struct buf *out, struct str bytes);

static bool decode_form(struct buf *out, struct str text)
{
    return decode_percent(out, text, true);
}

static const struct encoding {
    decode_fn *decode;
    encode_fn *encode;
    bool is_unique; /* there is one text for each bytes */
} encodings[] = {
    {decode_hex, encode_hex, false},
    {decode_base64, encode_base64, true},
    {decode_base64url, encode_base64url, true},
    {decode_form, encode_percent, false},
};

static void check_encoding(const struct encoding *encoding, struct str input)
{
    struct buf decoded = BUF_INIT(1 << 22), encoded = BUF_INIT(1 << 24), again = BUF_INIT(1 << 22);
    if (encoding->decode(&decoded, input)) {
        encoding->encode(&encoded, buf_view(&decoded));
        assert(!encoding->is_unique || str_equal(buf_view(&encoded), input));
        assert(encoding->decode(&again, buf_view(&encoded)));
        assert(str_equal(buf_view(&again), buf_view(&decoded)));
    }
    buf_free(&decoded);
    buf_free(&encoded);
    buf_free(&again);
}

static void check_utf8(struct str input)
{
    struct buf repaired = BUF_INIT(1 << 24);
    utf8_repair(&repaired, input);
    assert(utf8_is_valid(buf_view(&repaired)) &&
           !memchr(buf_view(&repaired).at, 0, repaired.length));
    struct str half = utf8_prefix(buf_view(&repaired), repaired.length / 2);
    assert(utf8_is_valid(half) && half.length + 4 > repaired.length / 2);
    buf_free(&repaired);
}

/* Another reader of JSON gets the text that went in. */
static void check_json(struct str input)
{
    struct buf out = BUF_INIT(1 << 24), expected = BUF_INIT(1 << 24), got = BUF_INIT(1 << 24);
    struct json json = JSON_INIT(&out);
    json_write_array(&json);
    json_write_str(&json, input);
    json_write_array_end(&json);
    json_t *read = json_loadb(out.at, out.length, JSON_ALLOW_NUL, NULL);
    json_t *text = json_array_get(read, 0);
    assert(text);
    utf8_repair(&expected, input);
    utf8_repair(&got, str_make(json_string_value(text), json_string_length(text)));
    assert(str_equal(buf_view(&got), buf_view(&expected)));
    json_decref(read);
    buf_free(&out);
    buf_free(&expected);
    buf_free(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str input = str_make(size ? (const void *)bytes : "", size);
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        check_encoding(&encodings[i], input);
    check_utf8(input);
    check_json(input);
    return 0;
}

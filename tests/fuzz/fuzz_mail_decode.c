/* Transfer encodings: a byte at a time, in two chunks and at once give the same bytes, and as many
 * as were foretold. The first byte chooses the encoding, the second where the chunks meet. */
#include "server/mail/decode.h"
#include "tests/fuzz/mail_fuzz.h"

static void decode_by(struct buf *out, struct str body, enum mime_encoding encoding, size_t step)
{
    struct mime_decoder decoder = mime_decoder(encoding);
    for (size_t at = 0; at < body.length; at += step)
        mime_decoder_feed(&decoder, str_sub(body, at, step), out);
    mime_decoder_finish(&decoder, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2)
        return 0;
    enum mime_encoding encoding = (enum mime_encoding)(bytes[0] % 4);
    size_t steps[] = {length, 1, (size_t)bytes[1] + 1};
    struct str body = fuzz_input(bytes + 2, length - 2);
    struct buf out[3];
    for (int i = 0; i < 3; i++) {
        out[i] = BUF_INIT(length + 64);
        decode_by(&out[i], body, encoding, steps[i]);
        REQUIRE(!out[i].is_full);
        REQUIRE(str_equal(buf_view(&out[0]), buf_view(&out[i])));
    }
    REQUIRE(out[0].length == mime_decoded_size(body, encoding));
    for (int i = 0; i < 3; i++)
        buf_free(&out[i]);
    return 0;
}

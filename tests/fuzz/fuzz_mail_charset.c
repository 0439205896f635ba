/* "label\nbytes": each charset gives valid UTF-8 without NUL. */
#include "server/mail/charset.h"
#include "tests/fuzz/mail_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct str rest = fuzz_input(bytes, length), label = str_cut(&rest, '\n');
    struct buf out = BUF_INIT(16 * length + 64);
    if (!rest.at)
        rest = STR_EMPTY;
    charset_decode(&out, rest, label);
    require_text(buf_view(&out));
    REQUIRE(!out.is_full);
    REQUIRE(charset_guess(rest) != NULL);
    buf_free(&out);
    return 0;
}

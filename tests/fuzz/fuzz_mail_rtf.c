/* Rich text, packed and not: what comes out is clean text within its bounds. */
#include "server/mail/rtf.h"
#include "tests/fuzz/mail_fuzz.h"

static void check_text(struct str rtf)
{
    struct buf text = BUF_INIT(64 * 1024), clean = BUF_INIT(3 * 64 * 1024 + 16);
    if (rtf_to_text(&text, rtf, 1252)) {
        REQUIRE(text.length <= 64 * 1024);
        utf8_repair(&clean, buf_view(&text));
        require_text(buf_view(&clean));
    }
    buf_free(&text);
    buf_free(&clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    bool is_cut;
    struct str input = fuzz_input(bytes, length);
    struct buf rtf = BUF_INIT(64 * 1024);
    if (rtf_unpack(&rtf, input, &is_cut)) {
        REQUIRE(rtf.length <= 64 * 1024);
        check_text(buf_view(&rtf));
    }
    check_text(input);
    buf_free(&rtf);
    return 0;
}

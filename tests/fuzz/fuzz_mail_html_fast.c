/* The fast HTML parser: what it takes comes out as gumbo's tree does. */
#include "server/base/utf8.h"
#include "tests/html_fast_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct html_options options = {.allow_remote = true};
    struct buf html = BUF_INIT(1 << 20);
    utf8_repair(&html, str_make(bytes, size));
    html_fast_check(buf_view(&html), &options);
    buf_free(&html);
    return 0;
}

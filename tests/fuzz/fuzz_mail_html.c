/* HTML sanitiser: whatever goes in, what comes out passes tests/html_check.h. */
#include "server/base/utf8.h"
#include "tests/html_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct buf html = BUF_INIT(1 << 20);
    utf8_repair(&html, str_make(bytes, size));
    for (int remote = 0; remote < 2; remote++) {
        const struct html_options options = {.allow_remote = remote};
        struct html_safe safe;
        if (html_sanitise(&safe, buf_view(&html), &options))
            html_check(buf_view(&safe.body), buf_view(&safe.css), &options);
        html_safe_free(&safe);
    }
    buf_free(&html);
    return 0;
}

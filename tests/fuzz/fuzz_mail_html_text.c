/* Visible text of HTML: valid UTF-8, within its limit. */
#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/mail/html_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const size_t limits[] = {0, 7, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct buf text = BUF_INIT(2 << 20);
        html_to_text(&text, str_make(bytes, size), limits[i]);
        if (text.length > limits[i] || !utf8_is_valid(buf_view(&text)))
            abort();
        buf_reset(&text);
        html_to_letter(&text, str_make(bytes, size), limits[i]);
        if (!utf8_is_valid(buf_view(&text)))
            abort();
        buf_free(&text);
    }
    return 0;
}

/* Whatever the message: only CRLF ends a line on the wire, no line is a dot, cut or whole alike. */
#include <stdint.h>
#include <stdlib.h>

#include "server/smtp/dots.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void put(struct str input, size_t piece, bool is_stuffed, struct buf *out)
{
    struct smtp_dots dots = {0};
    for (; input.length > 0; input = str_skip(input, piece))
        smtp_dots_put(&dots, is_stuffed, str_sub(input, 0, piece), out);
    smtp_dots_end(&dots, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2)
        return 0;
    bool is_stuffed = bytes[1] & 1;
    struct str input = str_make(bytes + 2, length - 2);
    struct buf whole = BUF_INIT(SIZE_MAX / 2), pieces = BUF_INIT(SIZE_MAX / 2);
    put(input, SIZE_MAX, is_stuffed, &whole);
    put(input, (size_t)bytes[0] % 7 + 1, is_stuffed, &pieces);
    struct str out = buf_view(&whole);
    if (!str_equal(out, buf_view(&pieces)))
        abort();
    for (size_t i = 0; i < out.length; i++) {
        bool is_pair = out.at[i] == '\r' && i + 1 < out.length && out.at[i + 1] == '\n';
        if (is_pair)
            i++;
        else if (out.at[i] == '\r' || out.at[i] == '\n')
            abort();
    }
    if (is_stuffed && (str_starts(out, STR(".\r\n")) || str_find(out, STR("\r\n.\r\n")) >= 0))
        abort();
    if (out.length > 0 && !str_ends(out, STR("\r\n")))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}

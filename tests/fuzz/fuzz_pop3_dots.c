/* Dots are unstuffed alike in one piece and in many, and as a plain reading of the RFC says. */
#include <stdint.h>
#include <stdlib.h>

#include "server/base/buf.h"
#include "server/pop3/dots.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool append(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

static size_t feed(struct str input, size_t piece, bool is_lf_only, struct buf *out, bool *is_done)
{
    struct pop3_dots dots = {.is_lf_only = is_lf_only};
    bool is_wanted = true;
    size_t taken = 0;
    while (taken < input.length && dots.state != POP3_DOTS_DONE)
        taken += pop3_dots_feed(&dots, str_sub(input, taken, piece), append, out, &is_wanted);
    *is_done = dots.state == POP3_DOTS_DONE;
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2)
        return 0;
    size_t piece = (size_t)bytes[0] % 7 + 1;
    bool is_lf_only = bytes[1] & 1, is_done, is_done_in_pieces;
    struct str input = str_make(bytes + 2, length - 2);
    struct buf whole = BUF_INIT(SIZE_MAX / 2), pieces = BUF_INIT(SIZE_MAX / 2);
    size_t taken = feed(input, SIZE_MAX, is_lf_only, &whole, &is_done);
    size_t taken_in_pieces = feed(input, piece, is_lf_only, &pieces, &is_done_in_pieces);
    if (is_done != is_done_in_pieces || (is_done && taken != taken_in_pieces) ||
        !str_equal(buf_view(&whole), buf_view(&pieces)))
        abort();
    /* The end is the first line that is a dot and nothing else. */
    ptrdiff_t end = str_starts(input, STR(".\r\n")) ? 0 : str_find(input, STR("\r\n.\r\n"));
    if (!is_lf_only && is_done != (end >= 0))
        abort();
    if (!is_lf_only && is_done && taken != (size_t)end + (str_starts(input, STR(".\r\n")) ? 3 : 5))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}

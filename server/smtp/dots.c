#include "server/smtp/dots.h"

static void end_line(struct smtp_dots *dots, struct buf *out)
{
    buf_append(out, "\r\n", 2);
    dots->has_begun_line = false;
}

void smtp_dots_put(struct smtp_dots *dots, bool is_stuffed, struct str bytes, struct buf *out)
{
    size_t i = 0;
    while (i < bytes.length) {
        char c = bytes.at[i];
        if (c == '\r' || c == '\n') {
            if (c == '\r' || !dots->has_cr)
                end_line(dots, out);
            dots->has_cr = c == '\r';
            i++;
            continue;
        }
        size_t from = i;
        while (i < bytes.length && bytes.at[i] != '\r' && bytes.at[i] != '\n')
            i++;
        if (is_stuffed && !dots->has_begun_line && c == '.')
            buf_char(out, '.');
        buf_append(out, bytes.at + from, i - from);
        dots->has_begun_line = true;
        dots->has_cr = false;
    }
}

void smtp_dots_end(struct smtp_dots *dots, struct buf *out)
{
    if (dots->has_begun_line)
        end_line(dots, out);
}

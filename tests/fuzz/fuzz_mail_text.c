/* Plain text as HTML: balanced, and without a tag that is not ours. */
#include <stdlib.h>

#include "server/mail/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Every "<" begins one of the tags that text.c writes. */
static void check_tags(struct str html)
{
    static const char *const tags[] = {"<br>",
                                       "<blockquote class=\"quote quote-",
                                       "</blockquote>",
                                       "</div>",
                                       "<div class=\"signature\">",
                                       "</a>",
                                       "<a href=\"http://",
                                       "<a href=\"https://",
                                       "<a href=\"mailto:"};
    int depth = 0;
    for (ptrdiff_t at; (at = str_find_char(html, '<')) >= 0; html = str_skip(html, 1)) {
        html = str_skip(html, (size_t)at);
        bool is_ours = false;
        for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
            is_ours = is_ours || str_starts_nocase(html, str_of(tags[i]));
        check(is_ours);
        depth += str_starts(html, STR("<br>")) ? 0 : str_starts(html, STR("</")) ? -1 : 1;
        check(depth >= 0);
    }
    check(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (int flags = 0; flags < 4; flags++) {
        struct buf html = BUF_INIT(16 << 20);
        struct text_options options = {.is_flowed = flags & 1, .is_delsp = flags & 2};
        if (text_to_html(&html, str_make(bytes, size), options))
            check_tags(buf_view(&html));
        buf_free(&html);
    }
    struct buf text = BUF_INIT(16 << 20);
    text_unflow(&text, str_make(bytes, size), false);
    buf_free(&text);
    return 0;
}

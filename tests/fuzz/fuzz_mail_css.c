/* CSS: cleaning what is clean changes no byte, and nothing that loads or escapes comes out. */
#include <stdlib.h>

#include "server/mail/css.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Whether a declaration of "position" stands in it. "position:hover" may well be a selector: its
 * block comes before anything that ends a declaration. */
static bool sets_position(struct str css)
{
    char before = ';';
    while (css.length) {
        bool is_name_start = before == ';' || before == '{' || before == '}';
        if (is_name_start && str_starts_nocase(css, STR("position:"))) {
            ptrdiff_t block = str_find_char(css, '{');
            ptrdiff_t end = str_find_char(css, ';'), last = str_find_char(css, '}');
            end = end < 0 || (last >= 0 && last < end) ? last : end;
            if (block < 0 || (end >= 0 && end < block))
                return true;
        }
        before = css.at[0];
        css = str_skip(css, 1);
    }
    return false;
}

static void check_clean(struct str css)
{
    check(str_find_char(css, '<') < 0 && str_find_char(css, '\\') < 0);
    check(str_find_nocase(css, STR("url(")) < 0);
    check(!sets_position(css));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct css_options options = {0};
    struct str text = str_make(bytes, size);
    struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
    css_clean_sheet(&once, text);
    check_clean(buf_view(&once));
    css_clean_sheet(&twice, buf_view(&once));
    check(str_equal(buf_view(&once), buf_view(&twice)));
    buf_reset(&once);
    buf_reset(&twice);
    css_clean_declarations(&once, text, &options);
    check_clean(buf_view(&once));
    css_clean_declarations(&twice, buf_view(&once), &options);
    check(str_equal(buf_view(&once), buf_view(&twice)));
    buf_free(&once);
    buf_free(&twice);
    return 0;
}

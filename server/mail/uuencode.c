#include "server/mail/uuencode.h"

/* Cuts the line at `*at`, without its line end, and moves behind it. */
static struct str next_line(struct str text, size_t *at)
{
    struct str rest = str_skip(text, *at);
    ptrdiff_t end = str_find_char(rest, '\n');
    struct str line = end < 0 ? rest : str_sub(rest, 0, (size_t)end);
    *at += end < 0 ? rest.length : (size_t)end + 1;
    if (str_ends(line, STR("\r")))
        line.length--;
    return line;
}

/* "begin 644 name": three or four octal digits, then a name. */
static bool read_begin(struct str line, struct str *name)
{
    if (!str_starts(line, STR("begin ")))
        return false;
    size_t at = 6, digits = 0;
    for (; at < line.length && line.at[at] >= '0' && line.at[at] <= '7'; at++)
        digits++;
    if (digits < 3 || digits > 4 || at >= line.length || line.at[at] != ' ')
        return false;
    *name = str_trim(str_skip(line, at));
    return name->length > 0;
}

/* A line that says how many bytes it holds and is no longer than that. Shorter ones are taken but
 * for the first: spaces at the end are lost on the way. */
static bool is_encoded(struct str line, bool is_first)
{
    if (line.length == 0)
        return !is_first;
    size_t bytes = (size_t)((line.at[0] - ' ') & 63), characters = (bytes + 2) / 3 * 4;
    for (size_t i = 0; i < line.length; i++)
        if (line.at[i] < ' ' || line.at[i] > '`')
            return false;
    return line.length - 1 <= characters + 2 &&
           (!is_first || (bytes > 0 && line.length - 1 + 2 >= characters));
}

bool uuencode_find(struct str text, size_t from, struct uuencode_file *file)
{
    for (size_t at = from; at < text.length;) {
        if (!str_starts(str_skip(text, at), STR("begin "))) {
            ptrdiff_t next = str_find(str_skip(text, at), STR("\nbegin "));
            if (next < 0)
                return false;
            at += (size_t)next + 1;
        }
        size_t start = at;
        if (!read_begin(next_line(text, &at), &file->name))
            continue;
        for (size_t lines = 0; at < text.length; lines++) {
            size_t line_start = at;
            struct str line = next_line(text, &at);
            if (lines > 0 && str_equal(str_trim(line), STR("end"))) {
                file->offset = start;
                file->length = at - start;
                return true;
            }
            if (!is_encoded(line, lines == 0)) {
                at = line_start; /* it may be a "begin" itself */
                break;
            }
        }
    }
    return false;
}

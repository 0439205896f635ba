#include "server/mail/filename.h"

#include "server/base/buf.h"
#include "server/base/utf8.h"

enum { EXTENSION_BYTES_MAX = 16, READ_BYTES_MAX = 4096 };

/* Characters that are not seen, or that turn the text around them: with them "gpj.exe" is shown as
 * "exe.jpg" (ref security 18). */
static bool is_unseen(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x34f ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

/* What stands behind the last slash that has something behind it. */
static struct str last_component(struct str name)
{
    name = str_trim(name);
    while (name.length && strchr("/\\", name.at[name.length - 1]))
        name.length--;
    for (size_t i = name.length; i > 0; i--)
        if (name.at[i - 1] == '/' || name.at[i - 1] == '\\')
            return str_skip(name, i);
    return name;
}

/* Where the extension's dot is; the length of the name when it has none. */
static size_t extension_dot(struct str name)
{
    for (size_t i = name.length; i > 1 && name.length - i <= EXTENSION_BYTES_MAX; i--) {
        if (name.at[i - 1] == ' ')
            break;
        if (name.at[i - 1] == '.')
            return i < name.length ? i - 1 : name.length;
    }
    return name.length;
}

/* Device names of Windows, whatever their extension. */
static bool is_reserved(struct str name)
{
    static const char *const reserved[] = {"con", "prn", "aux", "nul"};
    struct str rest = name, stem = str_cut(&rest, '.');
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_equal_nocase(stem, str_of(reserved[i])))
            return true;
    return stem.length == 4 && ascii_is_digit(stem.at[3]) &&
           (str_starts_nocase(stem, STR("com")) || str_starts_nocase(stem, STR("lpt")));
}

static bool is_edge(char c)
{
    return c == '.' || ascii_is_space(c);
}

/* No hidden files, and Windows drops dots and spaces at the end: "x.exe. " is "x.exe". */
static struct str without_edges(struct str text)
{
    while (text.length && is_edge(text.at[0]))
        text = str_skip(text, 1);
    while (text.length && is_edge(text.at[text.length - 1]))
        text.length--;
    return text;
}

struct str filename_clean(struct arena *arena, struct str name)
{
    struct buf clean = BUF_INIT(3 * READ_BYTES_MAX + 16);
    struct str rest = last_component(name);
    if (rest.length > READ_BYTES_MAX) { /* the end matters more than the middle */
        buf_str(&clean, utf8_prefix(rest, FILENAME_BYTES_MAX));
        struct str extension = str_skip(rest, extension_dot(rest));
        buf_str(&clean, extension);
        rest = arena_str(arena, buf_view(&clean));
        buf_reset(&clean);
    }
    while (rest.length) {
        uint32_t c = utf8_next(&rest);
        if (is_unseen(c))
            continue;
        bool is_forbidden = c < 0x80 && strchr("<>:\"|?*/\\", (int)c) != NULL;
        utf8_write(&clean, is_forbidden ? '_' : c);
    }
    struct str text = without_edges(buf_view(&clean));
    size_t mark = is_reserved(text) ? 1 : 0;
    struct str extension = str_skip(text, extension_dot(text));
    if (text.length + mark > FILENAME_BYTES_MAX)
        text = without_edges(utf8_prefix(text, FILENAME_BYTES_MAX - mark - extension.length));
    else
        extension = STR_EMPTY;
    struct str result = arena_printf(arena, "%s%" STR_FMT "%" STR_FMT, mark ? "_" : "",
                                     STR_ARG(text), STR_ARG(extension));
    buf_free(&clean);
    return result;
}

/* Any text as a template. What compiles is rendered twice, with a harmless and a hostile value of
 * the same shape: the hostile one must not add a single byte that is markup. */
#include <assert.h>

#include "server/template/template.h"
#include "server/template/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const struct value *page_of(struct arena *arena, struct str text)
{
    struct value *page = view_object(arena);
    view_set_str(page, "a", text);
    view_set_bool(page, "b", true);
    struct value *list = view_set_list(page, "c");
    view_add_str(list, text);
    view_add_str(list, text);
    view_set_str(view_set_object(page, "d"), "e", text);
    view_set_url(page, "u", STR("/path"));
    return page;
}

static size_t count_markup(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += text.at[i] && strchr("<>\"'=` \t\r\n", text.at[i]) != NULL;
    return count;
}

static bool render(const struct templates *set, struct str text, size_t *markup)
{
    struct arena *arena = arena_new();
    struct buf out = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    bool is_done = template_render(set, "main", page_of(arena, text), arena, &out, &err);
    *markup = count_markup(buf_view(&out));
    buf_free(&out);
    arena_free(&arena);
    return is_done;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length > 4096)
        return 0;
    struct template_source source = {"main", str_make(bytes, length)};
    struct error err = ERROR_INIT;
    struct templates *set = templates_compile(&source, 1, NULL, 0, &err);
    if (!set) {
        assert(err.kind == ERROR_INVALID);
        return 0;
    }
    size_t harmless, markup;
    bool is_done = render(set, STR("x"), &harmless);
    /* no white space: that is for the quotes around a value to hold */
    bool is_done_too = render(set, STR("\"'><script>"), &markup);
    assert(is_done == is_done_too);
    assert(!is_done || harmless == markup);
    templates_free(&set);
    return 0;
}

#include "server/template/template.h"

#include "server/base/assets.h"
#include "server/template/render_private.h"

struct templates {
    struct arena *arena; /* this struct too */
    const struct template_function *functions;
    size_t function_count;
    struct template *at;
    size_t count;
    bool is_reloaded; /* from disk at each rendering */
};

static const struct template *find(const struct templates *set, struct str name)
{
    for (size_t i = 0; i < set->count; i++)
        if (str_equal(set->at[i].name, name))
            return &set->at[i];
    return NULL;
}

/* What linking has to know of the whole set: names of blocks that stand in <title>. */
struct linker {
    const struct templates *set;
    const struct template *template;
    struct str plain[TEMPLATE_DEPTH_MAX];
    size_t plain_count;
    struct error *err;
};

static bool complain(const struct linker *l, const struct node *node, const char *why)
{
    return error_set(l->err, ERROR_INVALID, "templates/%.*s.mustache:%d: %s \"%.*s\"",
                     (int)l->template->name.length, l->template->name.at, node->line, why,
                     (int)node->text.length, node->text.at);
}

static bool link_nodes(struct linker *l, struct node *node)
{
    for (; node; node = node->next) {
        if (node->kind == NODE_PARTIAL || node->kind == NODE_PARENT) {
            node->target = find(l->set, node->text);
            if (!node->target)
                return complain(l, node, "there is no template");
        }
        if (node->kind == NODE_BLOCK && node->is_plain) {
            if (l->plain_count == TEMPLATE_DEPTH_MAX)
                return complain(l, node, "too many blocks in <title>:");
            l->plain[l->plain_count++] = node->text;
        }
        if (!link_nodes(l, node->first))
            return false;
    }
    return true;
}

/* An override's text is parsed as text; in <title> tags would be shown as they are, and safe HTML
 * would not be safe. */
static bool check_plain(const struct linker *l, const struct node *node)
{
    for (; node; node = node->next) {
        if (node->kind == NODE_BLOCK && node->has_markup)
            for (size_t i = 0; i < l->plain_count; i++)
                if (str_equal(l->plain[i], node->text))
                    return complain(l, node, "markup in a block that stands in <title>:");
        if (!check_plain(l, node->first))
            return false;
    }
    return true;
}

/* Frees the arena on failure. */
static struct templates *compile(struct arena *arena, const struct template_source *sources,
                                 size_t source_count, const struct template_function *functions,
                                 size_t count, struct error *err)
{
    struct templates *set = ARENA_NEW(arena, struct templates);
    *set = (struct templates){.arena = arena,
                              .functions = functions,
                              .function_count = count,
                              .at = ARENA_ARRAY(arena, source_count, struct template),
                              .count = source_count};
    struct compiler compiler = {arena, functions, count, err};
    struct linker linker = {.set = set, .err = err};
    bool is_good = true;
    for (size_t i = 0; i < source_count && is_good; i++)
        is_good = compile_template(&compiler, &sources[i], &set->at[i]);
    for (size_t i = 0; i < source_count && is_good; i++) {
        linker.template = &set->at[i];
        is_good = link_nodes(&linker, set->at[i].first);
    }
    for (size_t i = 0; i < source_count && is_good; i++) {
        linker.template = &set->at[i];
        is_good = check_plain(&linker, set->at[i].first);
    }
    if (!is_good)
        templates_free(&set);
    return set;
}

struct templates *templates_compile(const struct template_source *sources, size_t source_count,
                                    const struct template_function *functions, size_t count,
                                    struct error *err)
{
    return compile(arena_new(), sources, source_count, functions, count, err);
}

/* The templates among the assets, with the names they are known by. */
static bool read_sources(struct arena *arena, struct template_source **sources, size_t *count,
                         struct error *err)
{
    static const struct str folder = {"templates/", sizeof("templates/") - 1};
    static const struct str ending = {".mustache", sizeof(".mustache") - 1};
    size_t asset_count;
    const struct asset *assets = asset_list(&asset_count);
    *sources = ARENA_ARRAY(arena, asset_count, struct template_source);
    *count = 0;
    for (size_t i = 0; i < asset_count; i++) {
        struct str name = str_of(assets[i].name);
        if (!str_starts(name, folder) || !str_ends(name, ending))
            continue;
        struct template_source *source = &(*sources)[(*count)++];
        if (!asset_read(arena, name, &source->text, err))
            return false;
        size_t length = name.length - folder.length - ending.length;
        source->name = arena_text(arena, str_sub(name, folder.length, length));
    }
    return true;
}

struct templates *templates_load(const struct template_function *functions, size_t count,
                                 struct error *err)
{
    struct arena *arena = arena_new();
    struct template_source *sources;
    size_t source_count;
    if (!read_sources(arena, &sources, &source_count, err)) {
        arena_free(&arena);
        return NULL;
    }
    struct templates *set = compile(arena, sources, source_count, functions, count, err);
    if (set)
        set->is_reloaded = assets_on_disk();
    return set;
}

void templates_free(struct templates **set)
{
    if (!*set)
        return;
    struct arena *arena = (*set)->arena;
    arena_free(&arena);
    *set = NULL;
}

bool template_render(const struct templates *set, const char *name, const struct value *page,
                     struct arena *arena, struct buf *out, struct error *err)
{
    struct templates *fresh = NULL;
    if (set->is_reloaded) {
        fresh = templates_load(set->functions, set->function_count, err);
        if (!fresh)
            return false;
        set = fresh;
    }
    const struct template *template = find(set, str_of(name));
    bool is_done = template ? render_tree(template, page, arena, out, err)
                            : error_set(err, ERROR_NOT_FOUND, "there is no template %s", name);
    templates_free(&fresh);
    return is_done;
}

#include "server/http/static.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "server/base/assets.h"
#include "server/base/encode.h"
#include "server/base/seal.h"

enum {
    HASH_DIGITS = 12,
    GZIP_LEAST_BYTES = 512, /* below it saves less than its headers cost */
};

struct static_file {
    struct str name; /* below static/: "app.css" */
    struct str url;
    struct str bytes;
    struct str gzip; /* NULL pointer: not worth it */
    char hash[HASH_DIGITS + 1];
};

struct hashed_name {
    struct str name; /* "app.3f2a9c01b4d7.css" */
    const struct static_file *file;
};

struct static_files {
    struct arena *arena;
    struct static_file *files;  /* sorted by name */
    struct hashed_name *hashed; /* sorted by name */
    size_t count;
};

static const struct {
    const char *suffix;
    const char *type;
    bool is_text; /* shrinks by compression */
} types[] = {
    {".css", "text/css; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".json", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".html", "text/html; charset=utf-8", true},
    {".map", "application/json", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".webp", "image/webp", false},
    {".ico", "image/vnd.microsoft.icon", false},
    {".woff2", "font/woff2", false},
};

static size_t type_of(struct str name)
{
    size_t i = 0;
    while (i < sizeof types / sizeof *types && !str_ends_nocase(name, str_of(types[i].suffix)))
        i++;
    return i;
}

static struct str content_type(struct str name)
{
    size_t i = type_of(name);
    return i < sizeof types / sizeof *types ? str_of(types[i].type)
                                            : STR("application/octet-stream");
}

static bool is_compressible(struct str name)
{
    size_t i = type_of(name);
    return i < sizeof types / sizeof *types && types[i].is_text;
}

static void write_hash(struct str bytes, char hash[HASH_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char whole[TOKEN_HASH_BYTES];
    content_hash(bytes, whole);
    for (int i = 0; i < HASH_DIGITS; i++)
        hash[i] = digits[i % 2 ? whole[i / 2] & 15 : whole[i / 2] >> 4];
    hash[HASH_DIGITS] = '\0';
}

/* In the gzip format; a NULL pointer when it does not save a tenth. */
static struct str compress_file(struct arena *arena, struct str bytes)
{
    struct str none = {NULL, 0};
    z_stream z = {.next_in = (unsigned char *)bytes.at, .avail_in = (unsigned)bytes.length};
    if (bytes.length < GZIP_LEAST_BYTES ||
        deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return none;
    size_t room = bytes.length - bytes.length / 10;
    char *out = malloc(room);
    if (!out)
        abort();
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)room;
    bool is_smaller = deflate(&z, Z_FINISH) == Z_STREAM_END;
    struct str packed = is_smaller ? arena_str(arena, str_make(out, room - z.avail_out)) : none;
    deflateEnd(&z);
    free(out);
    return packed;
}

static void add_file(struct static_files *files, struct str name, struct str bytes)
{
    struct static_file *file = &files->files[files->count];
    struct hashed_name *hashed = &files->hashed[files->count++];
    file->name = name;
    file->bytes = bytes;
    write_hash(bytes, file->hash);
    size_t dot = name.length;
    while (dot > 0 && name.at[dot - 1] != '.' && name.at[dot - 1] != '/')
        dot--;
    bool has_suffix = dot > 1 && name.at[dot - 1] == '.' && name.at[dot - 2] != '/';
    struct str stem = has_suffix ? str_sub(name, 0, dot - 1) : name;
    struct str suffix = has_suffix ? str_skip(name, dot - 1) : STR_EMPTY;
    hashed->file = file;
    hashed->name = arena_printf(files->arena, "%" STR_FMT ".%s%" STR_FMT, STR_ARG(stem), file->hash,
                                STR_ARG(suffix));
    /* From disk the hash would be of the build's file, not of today's. */
    file->url = arena_printf(files->arena, "/static/%" STR_FMT,
                             STR_ARG(assets_on_disk() ? name : hashed->name));
    if (!assets_on_disk() && is_compressible(name))
        file->gzip = compress_file(files->arena, bytes);
}

static int compare_hashed(const void *a, const void *b)
{
    return str_compare(((const struct hashed_name *)a)->name,
                       ((const struct hashed_name *)b)->name);
}

struct static_files *static_new(void)
{
    struct arena *arena = arena_new();
    struct static_files *files = ARENA_NEW(arena, struct static_files);
    size_t count;
    const struct asset *assets = asset_list(&count);
    files->arena = arena;
    files->files = ARENA_ARRAY(arena, count, struct static_file);
    files->hashed = ARENA_ARRAY(arena, count, struct hashed_name);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(assets[i].name);
        if (str_starts(name, STR("static/")))
            add_file(files, str_skip(name, strlen("static/")), assets[i].bytes);
    }
    if (files->count > 0)
        qsort(files->hashed, files->count, sizeof *files->hashed, compare_hashed);
    return files;
}

void static_free(struct static_files **files)
{
    if (!*files)
        return;
    struct arena *arena = (*files)->arena;
    *files = NULL;
    arena_free(&arena);
}

static int compare_name(const void *key, const void *entry)
{
    return str_compare(*(const struct str *)key, ((const struct static_file *)entry)->name);
}

static const struct static_file *find(const struct static_files *files, struct str name)
{
    if (files->count == 0)
        return NULL;
    return bsearch(&name, files->files, files->count, sizeof *files->files, compare_name);
}

static const struct static_file *find_hashed(const struct static_files *files, struct str name)
{
    struct hashed_name key = {name, NULL}, *found = NULL;
    if (files->count > 0)
        found = bsearch(&key, files->hashed, files->count, sizeof key, compare_hashed);
    return found ? found->file : NULL;
}

struct str static_find_url(const struct static_files *files, struct str name)
{
    const struct static_file *file = find(files, name);
    return file ? file->url : (struct str){NULL, 0};
}

struct str static_url(const struct static_files *files, struct str name)
{
    struct str url = static_find_url(files, name);
    assert(url.at);
    return url;
}

/* Whether a comma-separated list has the token with a weight above zero (RFC 9110 section 12.5.3).
 */
static bool accepts_gzip(const struct request *req)
{
    struct str rest = request_header(req, "Accept-Encoding");
    while (rest.at) {
        struct str weight = str_cut(&rest, ',');
        struct str coding = str_trim(str_cut(&weight, ';'));
        if (!str_equal_nocase(coding, STR("gzip")))
            continue;
        weight = str_trim(weight);
        if (!str_starts_nocase(weight, STR("q=")))
            return true;
        for (size_t i = 2; i < weight.length; i++)
            if (weight.at[i] >= '1' && weight.at[i] <= '9')
                return true;
        return false;
    }
    return false;
}

static bool read_from_disk(const struct static_file *file, struct arena *arena,
                           struct static_file *fresh, struct error *err)
{
    struct str path = arena_printf(arena, "static/%" STR_FMT, STR_ARG(file->name));
    *fresh = (struct static_file){.name = file->name};
    if (!asset_read(arena, path, &fresh->bytes, err))
        return false;
    write_hash(fresh->bytes, fresh->hash);
    return true;
}

bool static_answer(const struct static_files *files, const struct request *req, struct str path,
                   struct response *res, struct error *err)
{
    const struct static_file *file = find(files, path);
    bool is_immutable = !file && (file = find_hashed(files, path)) && !assets_on_disk();
    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "There is nothing at this address.");
    struct static_file fresh;
    if (assets_on_disk()) {
        if (!read_from_disk(file, res->arena, &fresh, err))
            return false;
        file = &fresh;
    }
    bool is_gzip = file->gzip.at && accepts_gzip(req);
    struct str etag = arena_printf(res->arena, "\"%s%s\"", file->hash, is_gzip ? "-gz" : "");
    response_set_header(res, "Cache-Control",
                        is_immutable ? STR("public, max-age=31536000, immutable")
                                     : STR("no-cache"));
    if (file->gzip.at)
        response_set_header(res, "Vary", STR("Accept-Encoding"));
    if (response_is_known(res, req, etag))
        return true;
    response_set_header(res, "Content-Type", content_type(file->name));
    if (is_gzip)
        response_set_header(res, "Content-Encoding", STR("gzip"));
    res->static_body = is_gzip ? file->gzip : file->bytes;
    return true;
}

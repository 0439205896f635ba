#include "server/base/assets.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Written by embed.sh. */
extern const struct asset embedded_assets[];
extern const size_t embedded_asset_count;

enum { ASSET_LIMIT = 16 * 1024 * 1024 };

static const char *disk_root;

const struct asset *asset_list(size_t *count)
{
    *count = embedded_asset_count;
    return embedded_assets;
}

void assets_use_disk(const char *root)
{
    disk_root = root;
}

bool assets_on_disk(void)
{
    return disk_root != NULL;
}

static int compare_name(const void *key, const void *entry)
{
    const struct str *name = key;
    return str_compare(*name, str_of(((const struct asset *)entry)->name));
}

/* Only names that were there at build time are read: a request cannot name another file. */
static const struct asset *find(struct str name)
{
    return bsearch(&name, embedded_assets, embedded_asset_count, sizeof *embedded_assets,
                   compare_name);
}

static bool read_file(struct arena *arena, const char *path, struct str *bytes, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return error_errno(err, ERROR_NOT_FOUND, "cannot open %s", path);
    if (fstat(fd, &st) != 0 || st.st_size > ASSET_LIMIT) {
        close(fd);
        return error_set(err, ERROR_LIMIT, "%s is too large", path);
    }
    char *text = arena_alloc(arena, (size_t)st.st_size + 1);
    ssize_t length = read(fd, text, (size_t)st.st_size);
    close(fd);
    if (length < 0)
        return error_errno(err, ERROR_INTERNAL, "cannot read %s", path);
    *bytes = str_make(text, (size_t)length);
    return true;
}

bool asset_read(struct arena *arena, struct str name, struct str *bytes, struct error *err)
{
    const struct asset *asset = find(name);
    if (!asset)
        return error_set(err, ERROR_NOT_FOUND, "there is no file %" STR_FMT, STR_ARG(name));
    if (!disk_root) {
        *bytes = asset->bytes;
        return true;
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", disk_root, asset->name);
    return read_file(arena, path, bytes, err);
}

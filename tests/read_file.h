/* Reading what nftw() finds, for tests and benches. */
#ifndef RESTANTE_TESTS_READ_FILE_H
#define RESTANTE_TESTS_READ_FILE_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "server/base/buf.h"

/* The whole file into `raw`, which is limited; false when it is none, empty, or too large. */
static inline bool read_found_file(const char *path, const struct stat *info, int type,
                                   struct buf *raw)
{
    if (type != FTW_F || info->st_size == 0 || (size_t)info->st_size > raw->limit)
        return false;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char *room = buf_reserve(raw, (size_t)info->st_size);
    raw->length = room ? fread(room, 1, (size_t)info->st_size, file) : 0;
    fclose(file);
    return raw->length > 0;
}

#endif

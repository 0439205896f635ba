/* Writing a zip archive (PKWARE's APPNOTE 6.3) as a stream: nothing is sought in, sizes follow each
 * entry, and memory stays the same however many bytes and entries pass. Zip64 where it is needed.
 *
 *     struct zip *zip = zip_new(write, context);
 *     is_good = zip_begin(zip, &entry, err) && zip_append(zip, bytes, err) && … &&
 *               zip_end(zip, err) && … && zip_finish(zip, err);
 *     zip_free(&zip);
 */
#ifndef RESTANTE_BASE_ZIP_H
#define RESTANTE_BASE_ZIP_H

#include "server/base/error.h"
#include "server/base/str.h"

/* Takes the archive's bytes in order; false ends the writing (ERROR_CLOSED). */
typedef bool zip_write_fn(void *context, struct str bytes);

struct zip_entry {
    struct str name;     /* UTF-8, folders by '/', at most 65,535 bytes; the caller made it safe */
    int64_t modified_at; /* UTC microseconds */
    /* Bytes that are compressed already go in as they are. (By a deflate stream without
     * compression: readers of streams cannot know where a "stored" entry ends.) */
    bool is_compressed;
    bool may_be_huge; /* 4 GiB or more; others end with ERROR_LIMIT there */
};

struct zip;
struct zip *zip_new(zip_write_fn *write, void *context);
/* Clears the caller's pointer; takes NULL inside. */
void zip_free(struct zip **zip);

/* One entry after the other: begin, any number of appends, end. */
bool zip_begin(struct zip *zip, const struct zip_entry *entry, struct error *err);
bool zip_append(struct zip *zip, struct str bytes, struct error *err);
bool zip_end(struct zip *zip, struct error *err);
/* Writes the directory. Without it what was written is no archive. */
bool zip_finish(struct zip *zip, struct error *err);

#endif

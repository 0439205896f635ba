/* Reading a zip archive of somebody's (APPNOTE 6.3, Zip64 too) that lies in memory. Nothing in it
 * is trusted: every offset is checked, what an entry unpacks to is bounded by who reads it,
 * whatever its sizes say. Names are only looked at, never used as paths. */
#ifndef RESTANTE_MAIL_UNZIP_H
#define RESTANTE_MAIL_UNZIP_H

#include "server/base/buf.h"

struct unzip {
    struct str file;
    uint64_t directory_at, directory_end;
};
/* False: it is no zip archive (or one without its end). */
bool unzip_open(struct str file, struct unzip *zip);

struct unzip_entry {
    struct str name; /* as it stands there */
    struct str packed;
    uint32_t crc;
    uint16_t method; /* 0: stored, 8: deflated; others cannot be read */
    bool is_encrypted;
};
enum unzip_step { UNZIP_ENTRY, UNZIP_END, UNZIP_BROKEN };
/* The entry whose record lies at `*at` of the file (begin with directory_at), which moves to the
 * next one; on BROKEN it does not. */
enum unzip_step unzip_next(const struct unzip *zip, uint64_t *at, struct unzip_entry *entry);

enum unzip_result {
    UNZIP_ALL,   /* all of it, and its checksum is right */
    UNZIP_FULL,  /* `out` came to its limit */
    UNZIP_WRONG, /* damaged, encrypted, or of an unknown method */
};
/* Appends what an entry unpacks to, without its first `skip` bytes, up to the buffer's limit. */
enum unzip_result unzip_read(const struct unzip_entry *entry, uint64_t skip, struct buf *out);

#endif

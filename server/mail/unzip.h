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

/* From where an entry can be unpacked without what lies before: where one of its blocks begins. All
 * 0: the entry's beginning. */
struct unzip_point {
    uint64_t packed, unpacked; /* bytes that lie before, packed and unpacked */
    uint32_t crc;              /* of those unpacked */
    uint8_t bits;              /* so many of the last byte before belong to the block */
    uint16_t window_length;
    char window[32768]; /* the last unpacked bytes, to which blocks refer (RFC 1951 section 2) */
};
/* Appends what an entry unpacks to, without its first `skip` bytes, up to the buffer's limit.
 * `point`, which may be NULL: unpacks from there if that is not behind `skip`, and moves it close
 * to `skip`, so that who reads on need not unpack all of it again. Whatever is in it is checked. */
enum unzip_result unzip_read(const struct unzip_entry *entry, uint64_t skip,
                             struct unzip_point *point, struct buf *out);

#endif

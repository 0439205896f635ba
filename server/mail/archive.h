/* Messages out of a file that somebody brings: a mailbox file (mbox), or a zip archive of .eml and
 * .mbox files. Read in batches, so that neither memory nor time grows with the file: a cursor says
 * where the next one begins. */
#ifndef RESTANTE_MAIL_ARCHIVE_H
#define RESTANTE_MAIL_ARCHIVE_H

#include "server/mail/unzip.h"

enum {
    ARCHIVE_MESSAGES_MAX = 200,            /* of one batch */
    ARCHIVE_BATCH_BYTES = 4 * 1024 * 1024, /* a batch ends behind the message that passes it */
    ARCHIVE_MESSAGE_BYTES_MAX = 64 * 1024 * 1024, /* larger ones are left out */
    ARCHIVE_LOOKS_MAX = 5000,                     /* entries that one batch looks at */
    /* Unpacked bytes for each one of the file, beyond a message: no mail is so repetitive. */
    ARCHIVE_RATIO_MAX = 200,
};

/* All 0: the beginning. Otherwise where in the file (or in an archive's directory), and how far in
 * that entry's unpacked bytes. */
struct archive_cursor {
    uint64_t entry, position;
    uint64_t unpacked; /* bytes so far, wanted or not */
};

/* From where a packed mailbox file can be read on: of `entry`, as in the cursor. All 0: from its
 * beginning. It only saves work: any will do. */
struct archive_point {
    uint64_t entry;
    struct unzip_point at;
};

enum archive_fate {
    ARCHIVE_MESSAGE,
    ARCHIVE_TOO_LARGE,
    ARCHIVE_DAMAGED, /* or encrypted, or packed in an unknown way */
    ARCHIVE_FATES
};
struct archive_message {
    uint64_t offset, length; /* in `bytes`; nothing unless it is a message */
    int64_t received_at;     /* as the file tells; 0: it does not */
    enum archive_fate fate;
};

enum archive_trouble {
    ARCHIVE_FINE,
    ARCHIVE_UNKNOWN, /* neither a zip archive nor a mailbox file */
    ARCHIVE_BROKEN,  /* what comes now cannot be read */
    ARCHIVE_BOMB,    /* unpacks to far more than mail does */
    ARCHIVE_TROUBLES
};

struct archive_batch {
    struct buf
        bytes; /* whole messages one after the other, lines ended by CRLF in a mailbox file */
    struct archive_message at[ARCHIVE_MESSAGES_MAX];
    size_t count;
    uint32_t others;   /* files in the archive that are no mail */
    uint64_t unpacked; /* bytes of this batch, wanted or not */
    struct archive_cursor next;
    struct archive_point point; /* stays when the next batch is read */
    bool is_end;
    enum archive_trouble trouble; /* then it is the end, too */
};

struct archive_batch *archive_batch_new(void);
void archive_batch_free(struct archive_batch **batch);
/* Reads the batch at `cursor`. Whatever is in `file`, it ends. */
void archive_read(struct str file, struct archive_cursor cursor, struct archive_batch *batch);

#endif

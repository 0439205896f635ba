#include "server/mail/archive.h"

#include <stdlib.h>

#include "server/mail/mbox.h"
#include "server/mail/unzip.h"

enum {
    /* unpacked at once of a mailbox file within an archive; a longer message gets a longer look */
    WINDOW_BYTES = 2 * ARCHIVE_BATCH_BYTES,
    /* a message within a window: quoted, and with what stands around it */
    WINDOW_BYTES_MAX = ARCHIVE_MESSAGE_BYTES_MAX + 1024 * 1024,
    BYTES_MAX = ARCHIVE_BATCH_BYTES + 2 * WINDOW_BYTES_MAX,
};

struct archive_batch *archive_batch_new(void)
{
    struct archive_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    batch->bytes = BUF_INIT(BYTES_MAX);
    return batch;
}

void archive_batch_free(struct archive_batch **batch)
{
    if (*batch)
        buf_free(&(*batch)->bytes);
    free(*batch);
    *batch = NULL;
}

static bool is_full(const struct archive_batch *batch)
{
    return batch->count == ARCHIVE_MESSAGES_MAX || batch->bytes.length >= ARCHIVE_BATCH_BYTES ||
           batch->unpacked >= ARCHIVE_MESSAGE_BYTES_MAX;
}

static void stop(struct archive_batch *batch, enum archive_trouble trouble)
{
    batch->trouble = trouble;
    batch->is_end = true;
}

/* Counts what was appended behind `offset` as one message. */
static void add(struct archive_batch *batch, uint64_t offset, int64_t received_at,
                enum archive_fate fate)
{
    if (batch->bytes.length - offset > ARCHIVE_MESSAGE_BYTES_MAX)
        fate = ARCHIVE_TOO_LARGE;
    if (fate != ARCHIVE_MESSAGE) {
        batch->bytes.length = offset;
        batch->bytes.is_full = false;
    }
    batch->at[batch->count++] = (struct archive_message){
        .offset = offset,
        .length = batch->bytes.length - offset,
        .received_at = received_at,
        .fate = fate,
    };
}

/* --- mailbox files ---------------------------------------------------------------------------- */

/* Messages of a mailbox file that lies here from `*at` on. `is_end`: to its end. */
static void read_mbox(struct str file, bool is_end, uint64_t *at, struct archive_batch *batch)
{
    size_t used = (size_t)*at;
    while (!is_full(batch)) {
        struct mbox_message message;
        /* slices, so that the line before is not looked at */
        size_t step = 0;
        enum mbox_step found = mbox_next(str_skip(file, used), is_end, &step, &message);
        if (found != MBOX_MESSAGE) {
            if (found == MBOX_END)
                used = file.length;
            break;
        }
        used += step;
        uint64_t offset = batch->bytes.length;
        bool is_long = message.text.length > WINDOW_BYTES_MAX;
        if (!is_long)
            mbox_unquote(message.text, &batch->bytes);
        add(batch, offset, message.received_at, is_long ? ARCHIVE_TOO_LARGE : ARCHIVE_MESSAGE);
    }
    *at = used;
}

static bool has_from(struct str file)
{
    size_t at = 0;
    struct mbox_message message;
    return mbox_next(str_sub(file, 0, WINDOW_BYTES), true, &at, &message) == MBOX_MESSAGE;
}

/* --- archives --------------------------------------------------------------------------------- */

enum entry_kind { ENTRY_OTHER, ENTRY_FOLDER, ENTRY_MESSAGE, ENTRY_MBOX };

static enum entry_kind kind_of(struct str name)
{
    if (str_ends(name, STR("/")))
        return ENTRY_FOLDER;
    if (str_starts(name, STR("__MACOSX/")) || str_find(name, STR("/__MACOSX/")) >= 0)
        return ENTRY_FOLDER; /* what macOS adds about files is nobody's file */
    if (str_ends_nocase(name, STR(".eml")))
        return ENTRY_MESSAGE;
    return str_ends_nocase(name, STR(".mbox")) || str_ends_nocase(name, STR(".mbx")) ? ENTRY_MBOX
                                                                                     : ENTRY_OTHER;
}

static void read_message(const struct unzip_entry *entry, struct archive_batch *batch)
{
    static const enum archive_fate fates[] = {[UNZIP_ALL] = ARCHIVE_MESSAGE,
                                              [UNZIP_FULL] = ARCHIVE_TOO_LARGE,
                                              [UNZIP_WRONG] = ARCHIVE_DAMAGED};
    uint64_t offset = batch->bytes.length;
    batch->bytes.limit = offset + ARCHIVE_MESSAGE_BYTES_MAX;
    enum unzip_result result = unzip_read(entry, 0, NULL, &batch->bytes);
    batch->bytes.limit = BYTES_MAX;
    batch->unpacked += batch->bytes.length - offset;
    add(batch, offset, 0, fates[result]);
}

/* A mailbox file within, the entry `at`: from the cursor on. True when it is done. */
static bool read_packed_mbox(const struct unzip_entry *entry, uint64_t at, uint64_t *position,
                             struct archive_batch *batch)
{
    struct archive_point *point = &batch->point;
    if (point->entry != at)
        *point = (struct archive_point){.entry = at};
    size_t limit = WINDOW_BYTES, before = batch->count;
    for (;;) {
        struct buf window = BUF_INIT(limit);
        enum unzip_result result = unzip_read(entry, *position, &point->at, &window);
        uint64_t used = 0, length = window.length;
        read_mbox(buf_view(&window), result == UNZIP_ALL, &used, batch);
        buf_free(&window);
        *position += used;
        batch->unpacked += used ? used : length; /* the rest of the window comes again */
        if (result == UNZIP_ALL && used == length)
            return true;
        if (is_full(batch) || batch->count > before)
            return false;
        if (result == UNZIP_WRONG) { /* the message that the damage begins in */
            add(batch, batch->bytes.length, 0, ARCHIVE_DAMAGED);
            return true;
        }
        if (limit == WINDOW_BYTES_MAX) { /* no message ends in all this: on behind it */
            add(batch, batch->bytes.length, 0, ARCHIVE_TOO_LARGE);
            *position += length / 2;
            return false;
        }
        limit = WINDOW_BYTES_MAX;
    }
}

static void read_zip(const struct unzip *zip, struct archive_batch *batch)
{
    uint64_t at = batch->next.entry ? batch->next.entry : zip->directory_at;
    uint64_t position = batch->next.position;
    for (int looks = 0; !is_full(batch) && looks < ARCHIVE_LOOKS_MAX; looks++) {
        struct unzip_entry entry;
        uint64_t next = at;
        enum unzip_step step = unzip_next(zip, &next, &entry);
        if (step != UNZIP_ENTRY) {
            stop(batch, step == UNZIP_END ? ARCHIVE_FINE : ARCHIVE_BROKEN);
            break;
        }
        enum entry_kind kind = kind_of(entry.name);
        if (kind == ENTRY_MBOX && !read_packed_mbox(&entry, at, &position, batch))
            break; /* more of it next time */
        if (kind == ENTRY_MESSAGE)
            read_message(&entry, batch);
        batch->others += kind == ENTRY_OTHER;
        position = 0;
        at = next;
    }
    batch->next.entry = at;
    batch->next.position = position;
    batch->next.unpacked += batch->unpacked;
    uint64_t most = (uint64_t)zip->file.length * ARCHIVE_RATIO_MAX + ARCHIVE_MESSAGE_BYTES_MAX;
    if (!batch->is_end && batch->next.unpacked > most)
        stop(batch, ARCHIVE_BOMB);
}

void archive_read(struct str file, struct archive_cursor cursor, struct archive_batch *batch)
{
    struct unzip zip;
    buf_reset(&batch->bytes);
    batch->count = 0;
    batch->others = 0;
    batch->unpacked = 0;
    batch->is_end = false;
    batch->trouble = ARCHIVE_FINE;
    batch->next = cursor;
    if (str_starts(file, STR("PK\3\4")) || str_starts(file, STR("PK\5\6"))) {
        if (unzip_open(file, &zip))
            read_zip(&zip, batch);
        else
            stop(batch, ARCHIVE_BROKEN);
    } else if (cursor.entry == 0 && !has_from(file)) {
        stop(batch, ARCHIVE_UNKNOWN);
    } else {
        uint64_t at = cursor.entry < file.length ? cursor.entry : file.length;
        read_mbox(file, true, &at, batch);
        batch->next.entry = at;
        batch->is_end = at >= file.length;
    }
}

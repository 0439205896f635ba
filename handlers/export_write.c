/* The export as it is streamed. A connection to the database is held for one reading at a time, and
 * a client may take its time: small messages are read some at once, large ones piece by piece. */
#include <stdio.h>

#include "handlers/export.h"
#include "server/base/clock.h"
#include "server/base/utf8.h"
#include "server/base/zip.h"
#include "server/mail/filename.h"
#include "server/mail/mbox.h"
#include "server/store/transfers.h"

enum {
    PAGE = 200,
    PIECE_BYTES = 4 * BLOB_CHUNK_BYTES,
    QUOTED_BYTES_MAX = 2 * PIECE_BYTES + 1024,
    SUBJECT_BYTES_MAX = 80,
    LIST_BYTES_MAX = 256 * 1024, /* of what is missing, in the README */
};

struct writing {
    const struct export_job *job;
    struct zip *zip;
    struct buf bytes;   /* of messages, read and not yet written */
    struct buf missing; /* lines of the README */
    int64_t written, missing_count;
};

static bool send(void *context, struct str bytes)
{
    return response_write(context, bytes);
}

/* --- one message ----------------------------------------------------------------------------- */

/* Puts a message's bytes where they go: pieces of one message, `is_first` and `is_last`. */
static bool put(struct writing *w, const struct export_email *email, struct mbox_quoter *quoter,
                struct str piece, bool is_first, bool is_last, struct error *err)
{
    if (w->job->format == EXPORT_EML)
        return zip_append(w->zip, piece, err);
    struct buf out = BUF_INIT(QUOTED_BYTES_MAX);
    if (is_first)
        mbox_write_from(&out, email->sender, email->received_at);
    mbox_quote(quoter, piece, &out);
    if (is_last)
        mbox_quote_end(quoter, &out);
    bool is_good = zip_append(w->zip, buf_view(&out), err);
    buf_free(&out);
    return is_good;
}

/* "2026-01-31 Subject (17).eml": sorted by date, and unique by the id. */
static struct str file_name(struct arena *arena, const struct export_folder *folder,
                            const struct export_email *email)
{
    char date[CLOCK_TEXT_BYTES];
    struct str day = str_sub(clock_format_utc(email->received_at, date), 0, 10);
    char *subject = arena_text(arena, utf8_prefix(email->subject, SUBJECT_BYTES_MAX));
    for (char *c = subject; *c; c++)
        if (*c == '/' || *c == '\\')
            *c = '_';
    struct str name =
        filename_clean(arena, arena_printf(arena, "%" STR_FMT " %s (%lld).eml", STR_ARG(day),
                                           subject, (long long)email->email_id));
    return arena_printf(arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(folder->path), STR_ARG(name));
}

static bool begin(struct writing *w, struct arena *arena, const struct export_folder *folder,
                  const struct export_email *email, struct error *err)
{
    w->written++;
    if (w->job->format == EXPORT_MBOX)
        return true;
    const struct zip_entry entry = {.name = file_name(arena, folder, email),
                                    .modified_at = email->received_at};
    return zip_begin(w->zip, &entry, err);
}

static bool end(struct writing *w, struct error *err)
{
    return w->job->format == EXPORT_MBOX || zip_end(w->zip, err);
}

static bool write_small(struct writing *w, struct arena *arena, const struct export_folder *folder,
                        const struct export_email *email, struct str bytes, struct error *err)
{
    struct mbox_quoter quoter = {0};
    return begin(w, arena, folder, email, err) && put(w, email, &quoter, bytes, true, true, err) &&
           end(w, err);
}

static bool write_large(struct writing *w, struct arena *arena, const struct export_folder *folder,
                        const struct export_email *email, struct error *err)
{
    struct mbox_quoter quoter = {0};
    const struct blob *blob = &email->blob;
    bool is_good = begin(w, arena, folder, email, err);
    for (int64_t offset = 0; is_good && offset < blob->size_bytes; offset += PIECE_BYTES) {
        int64_t left = blob->size_bytes - offset;
        bool is_last = left <= PIECE_BYTES;
        buf_reset(&w->bytes);
        struct db *db = store_acquire(w->job->store, w->job->user_id, err);
        is_good = db && blob_read(db, blob, offset, is_last ? left : PIECE_BYTES, &w->bytes, err);
        store_release(w->job->store, &db);
        is_good = is_good && put(w, email, &quoter, buf_view(&w->bytes), offset == 0, is_last, err);
    }
    return is_good && end(w, err);
}

/* --- a page of them -------------------------------------------------------------------------- */

static void list_missing(struct writing *w, const struct export_folder *folder,
                         const struct export_email *email)
{
    char date[CLOCK_TEXT_BYTES];
    struct str when = clock_format_utc(email->received_at, date);
    w->missing_count++;
    if (w->missing.length < LIST_BYTES_MAX)
        buf_printf(&w->missing, "  %" STR_FMT "  %" STR_FMT "  from %" STR_FMT ": %" STR_FMT "\r\n",
                   STR_ARG(when), STR_ARG(folder->path), STR_ARG(email->sender),
                   STR_ARG(utf8_prefix(email->subject, SUBJECT_BYTES_MAX)));
}

/* Reads small messages from `first` on, as many as fit; `lengths[i]` -1: it is not here (any more).
 * Returns the one behind the last. */
static size_t gather(struct writing *w, const struct export_email *emails, size_t first,
                     size_t count, int64_t *lengths, struct error *err)
{
    size_t i = first;
    buf_reset(&w->bytes);
    struct db *db = store_acquire(w->job->store, w->job->user_id, err);
    for (; db && i < count; i++) {
        const struct blob *blob = &emails[i].blob;
        struct error why = ERROR_INIT;
        size_t before = w->bytes.length;
        lengths[i] = -1;
        if (blob->id == 0)
            continue;
        if ((int64_t)before + blob->size_bytes > PIECE_BYTES)
            break;
        if (blob_read(db, blob, 0, blob->size_bytes, &w->bytes, &why)) {
            lengths[i] = blob->size_bytes;
        } else if (why.kind == ERROR_NOT_FOUND) {
            w->bytes.length = before;
        } else {
            *err = why;
            store_release(w->job->store, &db);
            return 0;
        }
    }
    store_release(w->job->store, &db);
    return i;
}

static bool write_page(struct writing *w, struct arena *arena, const struct export_folder *folder,
                       const struct export_email *emails, size_t count, struct error *err)
{
    int64_t lengths[PAGE];
    struct error why = ERROR_INIT;
    bool is_good = true;
    for (size_t i = 0; is_good && i < count;) {
        if (emails[i].blob.id && emails[i].blob.size_bytes > PIECE_BYTES) {
            is_good = write_large(w, arena, folder, &emails[i++], err);
            continue;
        }
        size_t next = gather(w, emails, i, count, lengths, &why), offset = 0;
        if (next <= i) {
            *err = why;
            return false;
        }
        for (; is_good && i < next; i++) {
            if (lengths[i] < 0) {
                list_missing(w, folder, &emails[i]);
                continue;
            }
            struct str bytes = str_sub(buf_view(&w->bytes), offset, (size_t)lengths[i]);
            offset += bytes.length;
            is_good = write_small(w, arena, folder, &emails[i], bytes, err);
        }
    }
    return is_good;
}

static bool read_page(struct writing *w, struct arena *arena, const struct export_folder *folder,
                      struct export_cursor cursor, struct export_email **emails, size_t *count,
                      struct error *err)
{
    struct db *db = store_acquire(w->job->store, w->job->user_id, err);
    bool is_read = db && export_page(db, arena, w->job->account_id, folder->mailbox_id, cursor,
                                     PAGE, emails, count, err);
    store_release(w->job->store, &db);
    return is_read;
}

static bool write_emails(struct writing *w, const struct export_folder *folder, struct error *err)
{
    struct arena *arena = arena_new();
    struct export_cursor cursor = export_start;
    struct export_email *emails = NULL;
    size_t count = 0;
    bool is_good = true;
    do {
        arena_reset(arena);
        is_good = read_page(w, arena, folder, cursor, &emails, &count, err) &&
                  write_page(w, arena, folder, emails, count, err);
        if (is_good && count > 0)
            cursor =
                (struct export_cursor){emails[count - 1].received_at, emails[count - 1].email_id};
    } while (is_good && count == PAGE);
    arena_free(&arena);
    return is_good;
}

/* --- all ------------------------------------------------------------------------------------- */

static bool write_folder(struct writing *w, const struct export_folder *folder, struct error *err)
{
    char name[1024];
    if (w->job->format == EXPORT_EML)
        return write_emails(w, folder, err);
    int length = snprintf(name, sizeof name, "%" STR_FMT ".mbox", STR_ARG(folder->path));
    if (length < 0 || (size_t)length >= sizeof name)
        length = snprintf(name, sizeof name, "%lld.mbox", (long long)folder->mailbox_id);
    const struct zip_entry entry = {
        .name = str_make(name, (size_t)length), .modified_at = clock_now_us(), .may_be_huge = true};
    return zip_begin(w->zip, &entry, err) && write_emails(w, folder, err) && zip_end(w->zip, err);
}

static bool write_readme(struct writing *w, struct error *err)
{
    char date[CLOCK_TEXT_BYTES];
    struct buf text = BUF_INIT(LIST_BYTES_MAX * 2);
    struct str now = clock_format_utc(clock_now_us(), date);
    buf_printf(&text, "Mail of the account \"%" STR_FMT "\", taken out at %" STR_FMT ".\r\n\r\n",
               STR_ARG(utf8_prefix(w->job->account_name, 1000)), STR_ARG(now));
    buf_text(&text,
             w->job->format == EXPORT_MBOX
                 ? "Each folder is a mailbox file (mbox, lines of messages that begin with "
                   "\"From \" quoted by \">\",\r\nlines ended by LF), which nearly every mail "
                   "program can import.\r\n"
                 : "Each message is a file (.eml), byte for byte as it is kept here; folders "
                   "are folders.\r\n");
    buf_printf(&text,
               "%lld messages are in this archive; one that lies in several folders is in "
               "each of them.\r\n",
               (long long)w->written);
    if (w->missing_count)
        buf_printf(
            &text,
            "\r\nNOT in this archive are %lld messages that are not here whole: they lie on "
            "the mail server,\r\nor are drafts that were never sent. To have them too, choose "
            "\"Fetch everything first\" and\r\ntake the mail out again. They are:\r\n\r\n",
            (long long)w->missing_count);
    else
        buf_text(&text, "Nothing is missing.\r\n");
    buf_str(&text, buf_view(&w->missing));
    if (w->missing.length >= LIST_BYTES_MAX)
        buf_text(&text, "  ... and more.\r\n");
    const struct zip_entry entry = {.name = STR("README.txt"), .modified_at = clock_now_us()};
    bool is_good = zip_begin(w->zip, &entry, err) && zip_append(w->zip, buf_view(&text), err) &&
                   zip_end(w->zip, err);
    buf_free(&text);
    return is_good;
}

bool export_write(const struct export_job *job, zip_write_fn *write, void *context,
                  struct error *err)
{
    struct writing w = {.job = job,
                        .zip = zip_new(write, context),
                        .bytes = BUF_INIT(PIECE_BYTES),
                        .missing = BUF_INIT(LIST_BYTES_MAX + 4096)};
    bool is_good = true;
    for (size_t i = 0; is_good && i < w.job->folder_count; i++)
        is_good = write_folder(&w, &w.job->folders[i], err);
    is_good = is_good && write_readme(&w, err) && zip_finish(w.zip, err);
    zip_free(&w.zip);
    buf_free(&w.bytes);
    buf_free(&w.missing);
    return is_good;
}

bool export_stream(struct response_sink *sink, void *context, struct error *err)
{
    return export_write(context, send, sink, err);
}

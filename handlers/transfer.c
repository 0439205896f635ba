#include "handlers/transfer.h"

#include "handlers/writing.h"
#include "server/base/utf8.h"
#include "server/mail/filename.h"
#include "server/store/mailboxes.h"

enum {
    NAME_BYTES_MAX = 200,
    LOOK_BYTES = 64, /* of a file's beginning */
    UNDER_WAY_MAX = 5,
    LIST_MAX = 50,
};

/* The rest is found out by the parsers. */
bool transfer_check_file(struct str start, uint64_t length, struct error *err)
{
    start = str_trim(start);
    if (start.length == 0)
        return error_set(err, ERROR_INVALID, "The file is empty.");
    if (length > PARSER_ARCHIVE_BYTES_MAX) {
        error_set(err, ERROR_LIMIT, "The file is larger than %d GB.",
                  (int)(PARSER_ARCHIVE_BYTES_MAX >> 30));
        return error_hint(err, "Split it, for instance by folder or by year.");
    }
    if (str_starts(start, STR("PK")) || str_find(start, STR("From ")) >= 0)
        return true;
    error_set(err, ERROR_INVALID,
              "The file is neither a mailbox file (mbox) nor a zip archive of messages.");
    return error_hint(err, "Export the mail as mbox, or put .eml files into a zip archive.");
}

static bool check_file(const struct request *req, const struct transfer_wish *wish,
                       struct error *err)
{
    char bytes[LOOK_BYTES];
    size_t size = wish->length < sizeof bytes ? (size_t)wish->length : sizeof bytes;
    ssize_t n = size ? request_body_read(req, wish->offset, bytes, size, err) : 0;
    return n >= 0 && transfer_check_file(str_make(bytes, (size_t)n), wish->length, err);
}

/* Each holds its file in the database until it ends. */
static bool count_running(struct request *req, struct db *db, int64_t account_id,
                          struct transfer **list, size_t *count, size_t *running, struct error *err)
{
    *running = 0;
    if (!transfers_list(db, req->arena, account_id, LIST_MAX, list, count, err))
        return false;
    for (size_t i = 0; i < *count; i++)
        *running += (*list)[i].state == TRANSFER_RUNNING;
    return true;
}

bool transfer_import(struct request *req, struct db *db, const struct transfer_wish *wish,
                     int64_t *id, struct error *err)
{
    struct mailbox mailbox;
    struct transfer *list;
    size_t count, running;
    struct transfer transfer = {
        .account_id = wish->account_id,
        .kind = TRANSFER_IMPORT,
        .name = filename_clean(req->arena, utf8_prefix(wish->name, NAME_BYTES_MAX)),
        .mailbox_id = wish->mailbox_id,
        .is_seen = wish->is_seen,
        .size_bytes = (int64_t)wish->length};
    if (!mailbox_by_id(db, req->arena, wish->account_id, wish->mailbox_id, &mailbox, err) ||
        !check_file(req, wish, err) ||
        !count_running(req, db, wish->account_id, &list, &count, &running, err))
        return false;
    if (!mailbox.is_selectable)
        return error_set(err, ERROR_CONFLICT, "This folder cannot hold messages.");
    if (running >= UNDER_WAY_MAX)
        return error_set(err, ERROR_CONFLICT, "%d imports are under way: wait for one to end.",
                         UNDER_WAY_MAX);
    bool is_good = writing_upload(req, db, wish->account_id, wish->offset, wish->length,
                                  &transfer.blob_id, err) &&
                   transfer_create(db, &transfer, err);
    *id = transfer.id;
    return is_good;
}

bool transfer_complete(struct request *req, struct db *db, int64_t account_id, int64_t *id,
                       struct error *err)
{
    struct transfer *list;
    size_t count, running;
    struct transfer transfer = {.account_id = account_id, .kind = TRANSFER_COMPLETE};
    transfer.name = STR_EMPTY;
    if (!count_running(req, db, account_id, &list, &count, &running, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (list[i].kind == TRANSFER_COMPLETE && list[i].state == TRANSFER_RUNNING) {
            *id = list[i].id;
            return true;
        }
    if (!transfer_create(db, &transfer, err))
        return false;
    *id = transfer.id;
    return true;
}

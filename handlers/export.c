#include "handlers/export.h"

#include "handlers/download.h"
#include "handlers/session.h"
#include "server/base/clock.h"
#include "server/base/utf8.h"
#include "server/mail/filename.h"
#include "server/store/accounts.h"

enum { PART_BYTES_MAX = 100, NAME_BYTES_MAX = 100 };

/* One part of a path: a slash in a folder's name is a name's character there. */
static struct str clean_part(struct arena *arena, struct str part)
{
    char *text = arena_text(arena, utf8_prefix(part, PART_BYTES_MAX));
    for (char *c = text; *c; c++)
        if (*c == '/' || *c == '\\')
            *c = '_';
    struct str clean = filename_clean(arena, str_of(text));
    return clean.length ? clean : STR("folder");
}

static struct str path_of(struct arena *arena, const struct mailbox *mailbox)
{
    struct str rest = mailbox->path, path = STR_EMPTY;
    if (mailbox->delimiter.length != 1)
        return clean_part(arena, rest);
    while (rest.at) {
        struct str part = clean_part(arena, str_cut(&rest, mailbox->delimiter.at[0]));
        path = path.length
                   ? arena_printf(arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(path), STR_ARG(part))
                   : part;
    }
    return path;
}

/* Names that differ only in case are one on many disks. */
static bool is_taken(const struct export_folder *folders, size_t count, struct str path)
{
    if (str_equal_nocase(path, STR("README.txt")))
        return true;
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(folders[i].path, path))
            return true;
    return false;
}

const struct export_folder *export_paths(struct arena *arena, const struct mailbox *mailboxes,
                                         size_t count)
{
    struct export_folder *folders = ARENA_ARRAY(arena, count, struct export_folder);
    for (size_t i = 0; i < count; i++) {
        struct str path = path_of(arena, &mailboxes[i]);
        if (is_taken(folders, i, path))
            path = arena_printf(arena, "%" STR_FMT " (%lld)", STR_ARG(path),
                                (long long)mailboxes[i].id);
        folders[i] = (struct export_folder){.mailbox_id = mailboxes[i].id, .path = path};
    }
    return folders;
}

static bool read_wish(const struct request *req, enum export_format *format, int64_t *mailbox_id,
                      struct error *err)
{
    struct str name = request_argument(req, "format"), id = request_argument(req, "mailbox");
    *mailbox_id = 0;
    *format = str_equal(name, STR("mbox")) ? EXPORT_MBOX : EXPORT_EML;
    if (*format == EXPORT_EML && !str_equal(name, STR("zip")))
        return error_set(err, ERROR_INVALID, "The format is \"mbox\" or \"zip\".");
    if (id.length > 0 && (!str_to_i64(id, mailbox_id) || *mailbox_id <= 0))
        return error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
    return true;
}

static bool find_folders(struct request *req, struct db *db, int64_t account_id, int64_t mailbox_id,
                         struct mailbox **mailboxes, size_t *count, struct error *err)
{
    if (mailbox_id == 0)
        return mailbox_list(db, req->arena, account_id, mailboxes, count, err);
    *count = 1;
    *mailboxes = ARENA_NEW(req->arena, struct mailbox);
    return mailbox_by_id(db, req->arena, account_id, mailbox_id, *mailboxes, err);
}

bool export_download(struct request *req, struct response *res, struct error *err)
{
    struct export_job *job = ARENA_NEW(res->arena, struct export_job);
    struct account account;
    struct mailbox *mailboxes = NULL;
    int64_t account_id, mailbox_id;
    if (!read_wish(req, &job->format, &mailbox_id, err) ||
        !request_param_id(req, "account", &account_id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good =
        db && session_account(req, db, account_id, &account, err) &&
        find_folders(req, db, account_id, mailbox_id, &mailboxes, &job->folder_count, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    job->store = app_of(req)->store;
    job->user_id = signed_in(req)->user_id;
    job->account_id = account_id;
    job->account_name = account.name;
    job->folders = export_paths(res->arena, mailboxes, job->folder_count);
    char date[CLOCK_TEXT_BYTES];
    struct str today = str_sub(clock_format_utc(clock_now_us(), date), 0, 10);
    struct str what = utf8_prefix(mailbox_id ? mailboxes[0].name : account.name, NAME_BYTES_MAX);
    download_headers(res, STR("application/zip"),
                     arena_printf(res->arena, "%" STR_FMT " %" STR_FMT " %s.zip", STR_ARG(what),
                                  STR_ARG(today), job->format == EXPORT_MBOX ? "mbox" : "eml"));
    res->stream = export_stream;
    res->stream_context = job;
    return true;
}

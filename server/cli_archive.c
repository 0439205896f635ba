/* An account's mail as files, for administrators: taking it out for a person who leaves, bringing
 * it in for one who comes. The service does the rest as if the person had asked on the page. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/export.h"
#include "handlers/transfer.h"
#include "server/base/utf8.h"
#include "server/cli.h"
#include "server/mail/filename.h"
#include "server/store/accounts.h"
#include "server/store/drafts.h"

enum { LOOK_MS = 300, LOOK_BYTES = 64, PIECE_BYTES = 256 * 1024, NAME_BYTES_MAX = 200 };

static bool find_account(struct cli *cli, struct db *db, struct account *account, struct error *err)
{
    int64_t id;
    return cli_number(cli->arguments[0], "ID", 1, INT64_MAX, &id, err) &&
           account_by_id(db, cli->arena, id, account, err);
}

/* The folder that --folder names; without it the inbox (`*found` an index of `mailboxes`). */
static bool find_folder(const struct cli *cli, const struct mailbox *mailboxes, size_t count,
                        size_t *found, struct error *err)
{
    const char *path = cli->values['f'];
    for (*found = 0; *found < count; ++*found)
        if (path ? str_equal(mailboxes[*found].path, str_of(path))
                 : mailboxes[*found].role == ROLE_INBOX)
            return true;
    return error_set(err, ERROR_NOT_FOUND, "there is no folder \"%s\"", path ? path : "Inbox");
}

/* --- out ------------------------------------------------------------------------------------- */

static bool write_out(void *context, struct str bytes)
{
    const int *out = context;
    while (bytes.length > 0) {
        ssize_t n = write(*out, bytes.at, bytes.length);
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

static bool plan_export(struct cli *cli, struct db *db, struct export_job *job, struct error *err)
{
    struct account account;
    struct mailbox *mailboxes;
    const char *format = cli->values['F'] ? cli->values['F'] : "mbox";
    size_t count, first = 0;
    if (strcmp(format, "mbox") != 0 && strcmp(format, "zip") != 0)
        return error_set(err, ERROR_INVALID, "formats are mbox and zip (single messages)");
    if (!find_account(cli, db, &account, err) ||
        !mailbox_list(db, cli->arena, account.id, &mailboxes, &count, err) ||
        (cli->values['f'] && !find_folder(cli, mailboxes, count, &first, err)))
        return false;
    if (cli->values['f'])
        count = 1;
    *job = (struct export_job){.store = cli->store,
                               .account_id = account.id,
                               .account_name = account.name,
                               .format = *format == 'z' ? EXPORT_EML : EXPORT_MBOX,
                               .folders = export_paths(cli->arena, mailboxes + first, count),
                               .folder_count = count};
    return true;
}

int cli_account_export(struct cli *cli, struct error *err)
{
    struct export_job job = {.account_name = STR_EMPTY};
    const char *path = cli->values['o'];
    int out = STDOUT_FILENO;
    struct db *db = cli_db(cli, err);
    bool is_good = db && plan_export(cli, db, &job, err);
    cli_release(cli, &db);
    if (is_good && !path && isatty(STDOUT_FILENO))
        is_good = error_set(err, ERROR_INVALID,
                            "an archive is nothing for a terminal: name a file with --output");
    if (is_good && path) /* mail is its owner's alone; a file that is there stays */
        out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (is_good && out < 0)
        is_good = error_errno(err, ERROR_INVALID, "%s", path);
    if (is_good && !export_write(&job, write_out, &out, err)) {
        is_good = err->kind == ERROR_CLOSED ? error_errno(err, ERROR_INTERNAL, "writing") : false;
        if (path)
            unlink(path);
    }
    if (is_good && path && (fsync(out) < 0 || close(out) < 0))
        is_good = error_errno(err, ERROR_INTERNAL, "%s", path);
    return is_good ? 0 : -1;
}

/* --- in -------------------------------------------------------------------------------------- */

static bool write_blob(struct db *db, int64_t account_id, int64_t blob_id, int file,
                       struct error *err)
{
    char piece[PIECE_BYTES];
    ssize_t n = 0;
    struct blob_writer *writer = blob_begin(db, account_id, blob_id, 0, STR_EMPTY, err);
    bool is_good = writer != NULL;
    while (is_good && (n = read(file, piece, sizeof piece)) > 0)
        is_good = blob_append(writer, str_make(piece, (size_t)n), err);
    if (n < 0)
        is_good = error_errno(err, ERROR_INVALID, "the file cannot be read");
    if (is_good)
        return blob_finish(&writer, NULL, err);
    blob_abandon(&writer);
    return false;
}

static bool upload(struct db *db, int file, struct transfer *transfer, struct error *err)
{
    char start[LOOK_BYTES];
    struct stat info;
    ssize_t n = pread(file, start, sizeof start, 0);
    if (n < 0 || fstat(file, &info) < 0)
        return error_errno(err, ERROR_INVALID, "the file cannot be read");
    transfer->size_bytes = info.st_size;
    if (!transfer_check_file(str_make(start, (size_t)n), (uint64_t)info.st_size, err) ||
        !upload_allocate(db, transfer->account_id, &transfer->blob_id, err) || !db_begin(db, err))
        return false;
    if (write_blob(db, transfer->account_id, transfer->blob_id, file, err) &&
        transfer_create(db, transfer, err) && db_commit(db, err))
        return true;
    db_rollback(db);
    return false;
}

static bool begin_import(struct cli *cli, struct db *db, struct transfer *transfer,
                         struct error *err)
{
    struct account account;
    struct mailbox *mailboxes;
    size_t count, found;
    const char *path = cli->arguments[1], *name = strrchr(path, '/');
    if (!find_account(cli, db, &account, err) ||
        !mailbox_list(db, cli->arena, account.id, &mailboxes, &count, err) ||
        !find_folder(cli, mailboxes, count, &found, err))
        return false;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_errno(err, ERROR_INVALID, "%s", path);
    *transfer = (struct transfer){
        .account_id = account.id,
        .kind = TRANSFER_IMPORT,
        .name =
            filename_clean(cli->arena, utf8_prefix(str_of(name ? name + 1 : path), NAME_BYTES_MAX)),
        .mailbox_id = mailboxes[found].id,
        .is_seen = cli->values['s'] != NULL};
    bool is_begun = upload(db, file, transfer, err);
    close(file);
    return is_begun;
}

/* Until it has ended; whoever does not want to wait may interrupt: it goes on by itself. */
static bool follow(struct cli *cli, struct transfer *transfer, struct error *err)
{
    while (transfer->state == TRANSFER_RUNNING) {
        poll(NULL, 0, LOOK_MS);
        struct db *db = cli_db(cli, err);
        bool is_read =
            db && transfer_by_id(db, cli->arena, transfer->account_id, transfer->id, transfer, err);
        cli_release(cli, &db);
        if (!is_read)
            return false;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%lld messages", (long long)transfer->done);
    }
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    return true;
}

int cli_account_import(struct cli *cli, struct error *err)
{
    struct transfer transfer = {.name = STR_EMPTY};
    struct db *db = cli_db(cli, err);
    bool is_good = db && begin_import(cli, db, &transfer, err);
    cli_release(cli, &db);
    if (!is_good || !follow(cli, &transfer, err))
        return -1;
    printf(
        "%lld imported, %lld left out because they are here already, %lld refused, %lld files that "
        "are no mail.\n",
        (long long)transfer.done, (long long)transfer.known, (long long)transfer.refused,
        (long long)transfer.others);
    if (transfer.state == TRANSFER_DONE)
        return 0;
    error_set(err, ERROR_INVALID, "it ended early: %" STR_FMT, STR_ARG(transfer.error));
    return -1;
}

/* Mail to take away: a folder, or all folders of an account, as a zip archive of mailbox files
 * (mbox) or of single messages (.eml), streamed from the replica with flat memory. What is not here
 * whole is listed in a text within. Pages and API share it: both routes have {account}. */
#ifndef RESTANTE_HANDLERS_EXPORT_H
#define RESTANTE_HANDLERS_EXPORT_H

#include "handlers/app.h"
#include "server/base/zip.h"
#include "server/store/mailboxes.h"

/* Handler: ?format=mbox|zip, and ?mailbox=<id> for one folder. */
bool export_download(struct request *req, struct response *res, struct error *err);

enum export_format { EXPORT_MBOX, EXPORT_EML };

/* export_write.c: what the stream needs once the handler has returned. */
struct export_folder {
    int64_t mailbox_id;
    struct str path; /* in the archive, safe and unique */
};
struct export_job {
    struct store *store;
    int64_t user_id, account_id;
    struct str account_name;
    enum export_format format;
    const struct export_folder *folders;
    size_t folder_count;
};
/* The archive, piece by piece. ERROR_CLOSED: `write` wants no more. */
bool export_write(const struct export_job *job, zip_write_fn *write, void *context,
                  struct error *err);
/* response_stream_fn; `context` is a struct export_job. */
bool export_stream(struct response_sink *sink, void *context, struct error *err);

/* Paths of mailboxes within an archive: each part safe as a file's name, each path once. */
const struct export_folder *export_paths(struct arena *arena, const struct mailbox *mailboxes,
                                         size_t count);

#endif

/* Bringing mail along in a file, and having all that is only on the mail server fetched whole: the
 * wish is accepted here, the sync role carries it out (store/transfers.h). Pages and API share it.
 */
#ifndef RESTANTE_HANDLERS_TRANSFER_H
#define RESTANTE_HANDLERS_TRANSFER_H

#include "handlers/app.h"
#include "server/store/transfers.h"

struct transfer_wish {
    int64_t account_id;
    int64_t mailbox_id;      /* the folder that the messages come into */
    struct str name;         /* of the file */
    bool is_seen;            /* mark them as read */
    uint64_t offset, length; /* of the file in the request's body */
};
/* Takes the file in, then accepts the import; `*id` is the transfer. ERROR_INVALID for an empty
 * file or one that is neither an archive nor a mailbox file, ERROR_NOT_FOUND: no such folder. */
bool transfer_import(struct request *req, struct db *db, const struct transfer_wish *wish,
                     int64_t *id, struct error *err);
/* What can be told of a file by its first bytes and its length: the same errors. */
bool transfer_check_file(struct str start, uint64_t length, struct error *err);
/* Accepts "fetch everything": the one under way, where there is one. */
bool transfer_complete(struct request *req, struct db *db, int64_t account_id, int64_t *id,
                       struct error *err);

#endif

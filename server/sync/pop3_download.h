/* Getting messages out of the maildrop: into a spool, through the parser, into the database, some
 * at a time, each durable before anything of it may be removed upstream. */
#ifndef RESTANTE_SYNC_POP3_DOWNLOAD_H
#define RESTANTE_SYNC_POP3_DOWNLOAD_H

#include "server/sync/lanes.h"
#include "server/sync/pop3_fingerprint.h"
#include "server/sync/pop3_session.h"

enum {
    POP3_BATCH_MESSAGES = 300, /* of one transaction */
    POP3_BATCH_BYTES = 8 << 20,
};

/* One message in the spool. */
struct pop3_received {
    struct pop3_step *step;
    int64_t blob_id;
    uint64_t offset, length;
    bool is_cut; /* it did not end where it should: this is its beginning */
    char fingerprint[POP3_FINGERPRINT_BYTES];
};
struct pop3_batch {
    int spool;       /* a memfd; -1: none yet */
    bool is_on_disk; /* a file of no name: too large for memory */
    uint64_t length;
    bool is_ordinary; /* of a few new messages, whose words are found at once */
    struct pop3_received at[POP3_BATCH_MESSAGES];
    size_t count;
    int64_t first_id;           /* of two for each, for what is made of it (replica_give_ids) */
    struct pop3_import *import; /* of what was received; NULL: nothing yet */
};

/* Gets what is still to be fetched, some megabytes with each command, until nothing is left
 * (`*is_done`), the slice or the session has lasted long enough, or an operation waits. */
bool pop3_download(struct slice *slice, bool *is_done, struct error *err);
/* The rest of one message whose beginning is here. True also when the server refused it: its row
 * tells. */
bool pop3_download_one(struct slice *slice, struct pop3_step *step, struct error *err);

/* pop3_import.c: finds out what of a received batch is new, which settles doubts in the plan. */
void pop3_import_prepare(struct slice *slice, struct pop3_batch *batch);
/* Then, in a lane: makes the batch durable, sets the steps' fates to what the policy says now, and
 * empties it. */
bool pop3_import(struct lane *lane, void *batch, struct error *err);

#endif

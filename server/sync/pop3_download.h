/* Getting messages out of the maildrop: into a spool, through the parser, into the database, some
 * at a time, each durable before anything of it may be removed upstream. */
#ifndef RESTANTE_SYNC_POP3_DOWNLOAD_H
#define RESTANTE_SYNC_POP3_DOWNLOAD_H

#include "server/sync/pop3_fingerprint.h"
#include "server/sync/pop3_session.h"

enum {
    POP3_BATCH_MESSAGES = 200, /* of one transaction */
    POP3_BATCH_BYTES = 4 << 20,
};

/* One message in the spool. */
struct pop3_received {
    struct pop3_step *step;
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
};

/* A run of what is still to be fetched, some megabytes. `*is_done`: nothing is left. */
bool pop3_download(struct slice *slice, bool *is_done, struct error *err);
/* The rest of one message whose beginning is here. True also when the server refused it: its row
 * tells. */
bool pop3_download_one(struct slice *slice, struct pop3_step *step, struct error *err);

/* pop3_import.c: makes a batch durable, sets the steps' fates to what the policy says now, and
 * empties it. */
bool pop3_import(struct slice *slice, struct pop3_batch *batch, struct error *err);

#endif

/* Mail that people bring along in a file, into a local folder or up to the mail server, and
 * fetching whole what is only upstream: a batch at a time, its row (store/transfers.h) being the
 * journal. */
#ifndef RESTANTE_SYNC_TRANSFER_H
#define RESTANTE_SYNC_TRANSFER_H

#include "server/store/transfers.h"
#include "server/sync/imap_session.h"
#include "server/sync/slice.h"

/* Carries on what is due, for about half of this slice's time or one batch; for IMAP with the
 * session open. `*has_more`: some is left that is due. Troubles of the file are noted with the
 * transfer; false when the database fails, or the session cannot go on. */
bool transfer_run(struct slice *slice, bool *has_more, struct error *err);
/* Milliseconds until the next one is due, at most `wait_ms`. */
int64_t transfer_wait_ms(struct slice *slice, int64_t wait_ms);

/* The file of the import under way as one of ours, unlinked: kept between slices. */
struct transfer_spool {
    int64_t transfer_id;
    int fd;
    uint64_t length;
    struct archive_point point;
};
void transfer_spool_free(struct transfer_spool **spool);

/* A batch of the file on its way in. */
struct transfer_batch {
    struct slice *slice;
    const struct transfer *transfer;
    struct arena *arena;
    struct parser_archive archive;
    int spool; /* a memfd with the messages */
    struct transfer_message {
        struct str bytes;
        uint64_t offset; /* in the spool */
        int64_t received_at;
        char hash[65];
        const struct parser_summary *summary;
    } * at; /* those that are new here */
    size_t count;
    struct transfer_step step; /* what it comes to */
};

/* transfer_import.c: reads the next batch of the file and leaves in it what is not here yet.
 * `is_straight`: lines end in CRLF, as mail servers want them. A batch without
 * messages is none the worse. ERROR_INVALID, ERROR_LIMIT: the file is at fault. */
bool transfer_read(struct transfer_batch *batch, struct transfer_spool *file, bool is_straight,
                   struct error *err);
/* The messages into a local folder, with the step of the transfer, in one transaction. */
bool transfer_store(struct transfer_batch *batch, struct error *err);

/* transfer_append.c: the messages to the mail server, each exactly once, then the step. What the
 * server refuses for good is counted as refused. */
bool transfer_append(struct transfer_batch *batch, struct session_mailbox *mailbox,
                     struct error *err);

#endif

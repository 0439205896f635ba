/* Sending what people wrote: the submissions of an account, one after the other over one
 * connection. See server/store/submissions.h for the phases. Reading mail and sending it do not
 * wait for each other's servers. */
#ifndef RESTANTE_SYNC_SUBMIT_H
#define RESTANTE_SYNC_SUBMIT_H

#include "server/store/submissions.h"
#include "server/sync/slice.h"

/* Sends what is due, for this slice's time. `*has_more`: some is left that is due. Troubles of the
 * mail server are noted with the messages; false only when the database fails. */
bool submit_run(struct slice *slice, bool *has_more, struct error *err);
/* Milliseconds until the next message is due, at most `wait_ms`. */
int64_t submit_wait_ms(struct slice *slice, int64_t wait_ms);

/* submit_file.c: puts copies of what was sent into Sent and marks what was answered. For IMAP after
 * a slice with its session open; `*has_more`: something was filed, so Sent has news. False: the
 * session cannot go on, or the database failed. */
bool submit_file_sent(struct slice *slice, bool *has_more, struct error *err);
/* The same into a local folder, for POP3 and where there is no Sent upstream. False: the database.
 */
bool submit_file_here(struct slice *slice, struct submission *submission, struct error *err);

/* The bytes of a submission, read a chunk at a time. */
struct submit_bytes {
    struct db *db;
    struct blob blob;
    struct str before; /* goes first */
    struct buf chunk;
    size_t used; /* of the chunk */
    int64_t at;  /* read so far */
    struct error err;
};
bool submit_bytes_open(struct submit_bytes *bytes, struct slice *slice,
                       const struct submission *submission, struct str before, struct error *err);
/* smtp_source_fn and imap_source_fn. */
ptrdiff_t submit_bytes_read(void *context, char *at, size_t length);
void submit_bytes_close(struct submit_bytes *bytes);

#endif

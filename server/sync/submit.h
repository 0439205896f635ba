/* Sending what people wrote, one message. See server/store/submissions.h for the phases,
 * send_slice.c for the account. */
#ifndef RESTANTE_SYNC_SUBMIT_H
#define RESTANTE_SYNC_SUBMIT_H

#include "server/store/submissions.h"
#include "server/sync/slice.h"

struct smtp_client;

/* What people are told of a message whose fate nobody knows. */
extern const char submit_may_have_been_sent[];

enum submit_end {
    SUBMIT_GOES_ON,   /* the session has room for the next one, whatever became of this one */
    SUBMIT_SERVER,    /* server or connection are the trouble */
    SUBMIT_AS_BEFORE, /* the connection came to its end before this message: try by another one */
};

/* Sends one message over a session and writes down what became of it. `why`: what the server said,
 * or what broke. Gives the connection to the database back while the server may be long. False only
 * when the database fails, and then the session is of no more use. */
bool submit_one(struct slice *slice, struct smtp_client *client, struct submission *submission,
                enum submit_end *end, struct error *why, struct error *err);

/* Whether it was tried for so long that the person should have it back. */
bool submit_is_overdue(const struct submission *submission);
/* Nobody gets one that is overdue, or whose server refuses for good: the draft comes back. */
bool submit_give_up(struct slice *slice, struct submission *submission, const struct error *why,
                    struct error *err);

/* submit_file.c: puts copies of what was sent into Sent and marks what was answered. For IMAP after
 * a slice with its session open; `*has_more`: something was filed, so Sent has news. False: the
 * session cannot go on, or the database failed. */
bool submit_file_sent(struct slice *slice, bool *has_more, struct error *err);
/* Milliseconds until the next copy is to be filed, at most `wait_ms`. */
int64_t submit_file_wait_ms(struct slice *slice, int64_t wait_ms);
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

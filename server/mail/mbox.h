/* Mailbox files, one message after the other behind "From " lines (RFC 4155), lines of messages
 * that begin like one quoted by '>' so that it can be undone ("mboxrd"). Lines end in LF there and
 * in CRLF in messages. */
#ifndef RESTANTE_MAIL_MBOX_H
#define RESTANTE_MAIL_MBOX_H

#include "server/base/arena.h"
#include "server/base/buf.h"

/* --- writing ---------------------------------------------------------------------------------- */

/* The line before a message. `sender` as it comes: what cannot stand there becomes MAILER-DAEMON.
 */
void mbox_write_from(struct buf *out, struct str sender, int64_t received_at);

/* A message's bytes, piece by piece. */
struct mbox_quoter {
    int matched;    /* bytes of "From " seen at the beginning of a line; -1: it begins otherwise */
    bool has_cr;    /* seen and not yet written */
    bool is_quoted; /* the line begins with '>', and nothing else was seen of it yet */
};
/* What comes out has at most twice the bytes that went in. */
void mbox_quote(struct mbox_quoter *quoter, struct str piece, struct buf *out);
/* Ends the message with an empty line. */
void mbox_quote_end(struct mbox_quoter *quoter, struct buf *out);

/* --- reading ---------------------------------------------------------------------------------- */

struct mbox_message {
    struct str text;     /* as it stands in the file: quoted, without the empty line behind it */
    int64_t received_at; /* of its "From " line; 0: not told */
};
enum mbox_step {
    MBOX_MESSAGE,
    MBOX_MORE, /* its end is not in these bytes */
    MBOX_END,  /* there is none any more */
};
/* The next message at or behind `*at`, which moves to the one after it. `is_end`: nothing follows
 * these bytes. Bytes before the first "From " line are skipped. */
enum mbox_step mbox_next(struct str bytes, bool is_end, size_t *at, struct mbox_message *message);
/* The message as it was: unquoted, lines ended by CRLF. */
void mbox_unquote(struct str text, struct buf *out);

#endif

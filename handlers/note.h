/* A short message that is written for the person when they press a button: an answer to an
 * invitation, a word to a mailing list. It goes out like any other, through a draft and the outbox,
 * where it can be called back. */
#ifndef RESTANTE_HANDLERS_NOTE_H
#define RESTANTE_HANDLERS_NOTE_H

#include "handlers/writing.h"

struct note {
    int64_t account_id;
    int64_t identity_id; /* 0: the account's first */
    struct str to;       /* one address */
    struct str subject, text;
    const struct email *answers; /* what it answers; NULL: nothing */
    struct str file, file_type;  /* comes along; empty: nothing */
    struct str file_name;
    bool is_from_nobody; /* as writing_send's */
    struct str key;      /* pressed twice it is sent once; not empty */
};

/* Accepts it for sending. ERROR_INVALID: no server for outgoing mail, or no address. */
bool note_send(struct request *req, struct db *db, const struct note *note, int64_t *submission_id,
               struct error *err);

#endif

/* What a message's header is known by when its UIDL cannot be relied on: a hash of it, without the
 * fields that servers write into it as they go. The same from RETR and from TOP. */
#ifndef RESTANTE_SYNC_POP3_FINGERPRINT_H
#define RESTANTE_SYNC_POP3_FINGERPRINT_H

#include <sodium.h>

#include "server/base/buf.h"

enum { POP3_FINGERPRINT_BYTES = 33 }; /* 32 hex digits and NUL */

/* Takes a message piece by piece; what is behind the header is ignored. */
struct pop3_fingerprint {
    crypto_generichash_state hash;
    struct buf line; /* of the header, not whole yet */
    bool is_volatile, is_done;
};

void pop3_fingerprint_begin(struct pop3_fingerprint *fingerprint);
void pop3_fingerprint_add(struct pop3_fingerprint *fingerprint, struct str bytes);
/* Writes the text and frees. */
void pop3_fingerprint_end(struct pop3_fingerprint *fingerprint, char text[POP3_FINGERPRINT_BYTES]);

#endif

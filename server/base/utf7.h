/* Modified UTF-7 (RFC 3501 section 5.1.3): text as mail servers keep it in names and keywords. */
#ifndef RESTANTE_BASE_UTF7_H
#define RESTANTE_BASE_UTF7_H

#include "server/base/buf.h"

extern const char utf7_alphabet[]; /* its Base64 */
/* Appends valid UTF-8 as that. What reads it back is imap/mailbox_name.h. */
void utf7_encode(struct buf *out, struct str text);

#endif

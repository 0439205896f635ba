/* Mailbox names: modified UTF-7 on the wire (RFC 3501 section 5.1.3), UTF-8 for people. The wire
 * form is kept as opaque bytes, because what servers send is not always well formed and must come
 * back to them unchanged. */
#ifndef RESTANTE_IMAP_MAILBOX_NAME_H
#define RESTANTE_IMAP_MAILBOX_NAME_H

#include "server/base/arena.h"

enum { IMAP_MAILBOX_BYTES_MAX = 1000 }; /* longer names are not taken from people */

/* For people: valid UTF-8 without NUL. A name that is not modified UTF-7 is shown as it is,
 * repaired (many servers send plain UTF-8). */
struct str imap_mailbox_decode(struct arena *arena, struct str wire, bool is_utf8);
/* For the wire; with `is_utf8` as it is. */
struct str imap_mailbox_encode(struct arena *arena, struct str name, bool is_utf8);

#endif

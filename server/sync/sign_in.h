/* Signing in to one mail server and out again, to see whether settings work. */
#ifndef RESTANTE_SYNC_SIGN_IN_H
#define RESTANTE_SYNC_SIGN_IN_H

#include "server/base/secret.h"
#include "server/store/accounts.h"
#include "server/sync/sync.h"

enum sign_in_protocol { SIGN_IN_IMAP, SIGN_IN_POP3, SIGN_IN_SMTP };

/* `*step` tells how far it came. Appends what the server says it can to `capabilities` (may be
 * NULL). Errors have a hint for the person. */
bool sign_in_try(const struct sync_context *sync, enum sign_in_protocol protocol,
                 const struct server_settings *server, const struct secret *secret,
                 enum stream_step *step, struct buf *capabilities, struct error *err);

/* How an account's TLS mode is asked of a stream. */
enum stream_security sign_in_security(enum tls_mode tls);

#endif

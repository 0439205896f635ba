/* Answering an invitation that came by mail (iTIP REPLY, RFC 5546; by mail, RFC 6047): pages and
 * API share it. */
#ifndef RESTANTE_HANDLERS_INVITATION_H
#define RESTANTE_HANDLERS_INVITATION_H

#include "handlers/content.h"
#include "server/store/invitations.h"

/* Sends the answer to the organizer as the sender that was invited, through the outbox, and
 * remembers it. `part_id`: the text/calendar part; `key`: pressed twice it is sent once. What is
 * not here is fetched. ERROR_INVALID: nothing in it can be answered. */
bool invitation_send(struct request *req, struct str part_id, enum calendar_answer answer,
                     struct str key, struct email *email, int64_t *submission_id,
                     struct error *err);

#endif

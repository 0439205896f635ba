/* From what IMAP tells to what the store keeps: plain conversions, no decisions. */
#ifndef RESTANTE_SYNC_IMAP_MAP_H
#define RESTANTE_SYNC_IMAP_MAP_H

#include "server/imap/parse.h"
#include "server/mail/mime.h"
#include "server/store/emails.h"
#include "server/store/replica.h"

/* Flags and keywords of a FETCH; texts in the arena. */
void imap_map_flags(struct arena *arena, const struct imap_fetch *fetch,
                    struct replica_flags *flags);
/* The role that SPECIAL-USE attributes name. */
enum mailbox_role imap_map_role(unsigned attributes);
/* A BODYSTRUCTURE as parser_headers wants it; in the arena. */
struct mime_message *imap_map_structure(struct arena *arena, const struct imap_body *body);
/* EMAILID or X-GM-MSGID as the id that survives moves; empty: not told. */
struct str imap_map_upstream_id(struct arena *arena, const struct imap_fetch *fetch);

#endif

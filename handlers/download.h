/* Bytes to take away: a part or the whole message, streamed from the replica a chunk at a time,
 * whatever their size; fetched from the mail server first where they are not here. Pages and API
 * share it: both routes have {account} and {email}. */
#ifndef RESTANTE_HANDLERS_DOWNLOAD_H
#define RESTANTE_HANDLERS_DOWNLOAD_H

#include "handlers/content.h"

/* Handlers: a part of {part}, decoded, as an attachment of its name and type; the raw message. */
bool download_part(struct request *req, struct response *res, struct error *err);
bool download_raw(struct request *req, struct response *res, struct error *err);

/* Finds the part (empty id: the whole message) that the request names, and has it fetched if it is
 * not here. ERROR_TIMEOUT: still under way. */
bool download_obtain(struct request *req, struct str part_id, struct email *email,
                     struct content_place *place, struct error *err);
/* Answers with the bytes, the transfer encoding undone: all of them, or the range that was asked
 * for (RFC 9110 section 14) where the length is known beforehand. */
void download_stream(struct request *req, struct response *res, const struct content_place *place,
                     enum mime_encoding encoding);
/* Hands over the bytes piece by piece, decoded, holding a database connection only between them.
 * Stops when `take` says false. */
typedef bool download_take(void *context, struct str bytes);
bool download_each(struct store *store, int64_t user_id, const struct content_place *place,
                   enum mime_encoding encoding, download_take *take, void *context,
                   struct error *err);
/* Handler: all attachments as a zip archive. */
bool download_attachments(struct request *req, struct response *res, struct error *err);
/* Headers that keep a browser from opening it in our name. */
void download_headers(struct response *res, struct str type, struct str name);
/* A foreign type as it may be told: well formed, and nothing that runs by itself. */
struct str download_type(struct str type);

#endif

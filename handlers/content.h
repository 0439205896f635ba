/* The bytes of messages: read from the replica, or fetched by the sync role while we wait. */
#ifndef RESTANTE_HANDLERS_CONTENT_H
#define RESTANTE_HANDLERS_CONTENT_H

#include "handlers/app.h"
#include "server/store/blobs.h"
#include "server/store/emails.h"

enum { CONTENT_TEXT_BYTES_MAX = 4 * 1024 * 1024 }; /* of one text part that is shown */

/* Where the bytes of a part are. */
struct content_place {
    bool is_here;
    struct blob blob;
    int64_t offset, length;       /* of the part as sent, in the blob */
    const struct mime_part *part; /* with encoding, charset... */
};

/* The email's structure; NULL without an error when it is not known yet. */
bool content_structure(struct arena *arena, const struct email *email,
                       const struct mime_message **message, struct error *err);
/* Finds a part's bytes: a blob of its own, or its range of the whole message. */
bool content_find(const struct request *req, struct db *db, const struct email *email,
                  const struct mime_part *part, struct content_place *place, struct error *err);
/* The same for the whole message. */
bool content_find_whole(struct db *db, struct arena *arena, const struct email *email,
                        struct content_place *place, struct error *err);
/* Reads it into the arena, at most `bytes_max`. */
bool content_read(struct db *db, struct arena *arena, const struct content_place *place,
                  int64_t bytes_max, struct str *bytes, struct error *err);

/* Asks the sync role for parts (ids; none: the whole message) and waits up to `wait_ms`. True when
 * they are here now; ERROR_TIMEOUT: still under way; another error: why it cannot be had. No
 * database connection may be held meanwhile. */
bool content_fetch(struct request *req, const struct email *email, const struct str *part_ids,
                   size_t count, int64_t wait_ms, struct error *err);

#endif

/* The pure part of threading (RFC 8621 section 3): ids, base subjects, and the keys under which a
 * conversation is found. */
#ifndef RESTANTE_MAIL_THREAD_H
#define RESTANTE_MAIL_THREAD_H

#include "server/base/arena.h"

enum { THREAD_IDS_MAX = 100 };

/* The base subject of a decoded subject (RFC 5256 section 2.1), with the Re/Fwd prefixes of other
 * languages too; `*is_reply` (unless NULL) tells whether such was taken off. A slice of `subject`
 * or of the arena. */
struct str thread_base_subject(struct arena *arena, struct str subject, bool *is_reply);

/* The message ids in a raw References, In-Reply-To or Message-ID field (or in our space-separated
 * form of it): without <>, in order, each once, valid UTF-8. When there are more than
 * THREAD_IDS_MAX the first and the last ones are returned. */
struct str *thread_ids(struct arena *arena, struct str value, size_t *count);

/* A stable 64-bit hash of a message id (email.message_key); never 0 unless the id is empty. */
int64_t thread_message_key(struct str message_id);
/* The key of thread_key: a hash of one id and the base subject with case folded; never 0. */
int64_t thread_key(struct str message_id, struct str base_subject);

/* All keys of a message: its own id, In-Reply-To and References, each with the base subject. A
 * message belongs to the thread of any of its keys. In the arena; no duplicates. */
int64_t *thread_keys(struct arena *arena, struct str message_id, struct str in_reply_to,
                     struct str references, struct str subject, size_t *count);

#endif

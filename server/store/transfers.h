/* Mail as files: what is kept here is taken out, and what people bring along comes in. An import
 * (and the fetching of all that an export would lack) is a transfer: accepted by the web role,
 * carried on by the sync role a batch at a time, its row being the journal, seen by the person
 * meanwhile. */
#ifndef RESTANTE_STORE_TRANSFERS_H
#define RESTANTE_STORE_TRANSFERS_H

#include "server/store/blobs.h"

/* --- out ------------------------------------------------------------------------------------- */

struct export_email {
    int64_t email_id, received_at, size_bytes;
    struct str subject, sender; /* `sender`: an address, may be empty */
    struct blob blob;           /* id 0: it is not here whole */
};
struct export_cursor {
    int64_t received_at, email_id;
};
extern const struct export_cursor export_start;
/* A folder's messages beyond the cursor, oldest first. */
bool export_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                 struct export_cursor cursor, int limit, struct export_email **emails,
                 size_t *count, struct error *err);

struct export_totals {
    int64_t emails, missing, size_bytes;
};
/* Of one folder, or of the account (0). Counts rows: for a page that is seldom looked at. */
bool export_count(struct db *db, int64_t account_id, int64_t mailbox_id,
                  struct export_totals *totals, struct error *err);
/* Ids beyond `after` that are upstream and not here whole. */
bool export_missing(struct db *db, struct arena *arena, int64_t account_id, int64_t after,
                    int limit, int64_t **ids, size_t *count, struct error *err);

/* --- in -------------------------------------------------------------------------------------- */

enum transfer_kind {
    TRANSFER_IMPORT,   /* messages of a file come into a folder */
    TRANSFER_COMPLETE, /* whatever is only upstream is fetched whole */
};
enum transfer_state {
    TRANSFER_RUNNING,
    TRANSFER_DONE,
    TRANSFER_FAILED,
    TRANSFER_CANCELLED,
    TRANSFER_STATES
};
const char *transfer_kind_name(enum transfer_kind kind);
const char *transfer_state_name(enum transfer_state state);

struct transfer_place {
    int64_t entry, position, unpacked; /* mail/archive.h; COMPLETE: `entry` is the last email */
};
struct transfer {
    int64_t account_id, id;
    enum transfer_kind kind;
    enum transfer_state state;
    struct str name;    /* of the file */
    int64_t blob_id;    /* 0: it has ended */
    int64_t mailbox_id; /* where the messages go */
    bool is_seen;       /* they are marked as read */
    struct transfer_place at;
    bool is_begun; /* a batch was about to be given to the server, whose messages may be there... */
    uint32_t begun_uid, begun_uidvalidity; /* ...at or above this UID */
    int64_t size_bytes;
    int64_t done, known, refused, others; /* others: files that are no mail */
    int attempts;
    struct str error;
    int64_t created_at, ended_at;
};

/* Accepts it, fills `id`, and NOTIFYs at commit. */
bool transfer_create(struct db *db, struct transfer *transfer, struct error *err);
bool transfer_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                    struct transfer *transfer, struct error *err);
/* Newest first. */
bool transfers_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
                    struct transfer **transfers, size_t *count, struct error *err);
/* What came in by then stays. ERROR_CONFLICT: it has ended. */
bool transfer_cancel(struct db *db, int64_t account_id, int64_t id, struct error *err);

/* --- the sync role --------------------------------------------------------------------------- */

/* ERROR_NOT_FOUND: nothing is due. */
bool transfer_next(struct db *db, struct arena *arena, int64_t account_id,
                   struct transfer *transfer, struct error *err);
/* When the next one is due; 0: none is under way. */
bool transfer_next_due(struct db *db, int64_t account_id, int64_t *due_at, struct error *err);
/* A batch is about to be given to an IMAP server whose next UID there is that. */
bool transfer_begin(struct db *db, const struct transfer *transfer, uint32_t uid,
                    uint32_t uidvalidity, struct error *err);

/* What a batch came to. */
struct transfer_step {
    struct transfer_place to;
    int64_t done, known, refused, others;
    enum transfer_state state;
    struct str error; /* FAILED: why */
};
/* Within the transaction of what it speaks of, where there is one; with its change row.
 * ERROR_CONFLICT: it was cancelled meanwhile. */
bool transfer_advance(struct db *db, const struct transfer *transfer,
                      const struct transfer_step *step, struct error *err);
/* The batch is tried again at that time. */
bool transfer_wait(struct db *db, const struct transfer *transfer, int64_t not_before,
                   struct str why, struct error *err);

/* How a message of a batch may be known. */
struct transfer_face {
    int64_t message_key; /* 0: it has no Message-ID */
    int64_t size_bytes, received_at;
    struct str hash; /* hexadecimal, of content_hash */
};
/* Sets `is_known[i]` for those that the account has already, not counting what this batch itself
 * may have brought; see transfers.sql. */
bool transfer_known(struct db *db, const struct transfer *transfer,
                    const struct transfer_face *faces, size_t count, bool *is_known,
                    struct error *err);

#endif

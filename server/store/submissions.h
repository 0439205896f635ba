/* Messages on their way out: the bytes and the Message-ID are frozen when a message is accepted
 * here.
 *
 *   queued        waits for its time (undo, send later, back-off) and for the server. A crash
 *                 before the final dot leaves it here: it is tried again.
 *   transmitting  committed just before the final dot. A crash or a lost answer makes it unknown.
 *   accepted      the server has it; the copy in Sent is still to be filed.
 *   filed         all done.
 *   failed        refused for good; the draft is back.
 *   unknown       "may have been sent": never sent again by itself; the draft is back.
 *   cancelled     undone by the person; the draft is back. */
#ifndef RESTANTE_STORE_SUBMISSIONS_H
#define RESTANTE_STORE_SUBMISSIONS_H

#include "server/store/accounts.h"
#include "server/store/drafts.h"
#include "server/store/identities.h"

enum submission_phase {
    SUBMISSION_QUEUED,
    SUBMISSION_TRANSMITTING,
    SUBMISSION_ACCEPTED,
    SUBMISSION_FILED,
    SUBMISSION_FAILED,
    SUBMISSION_UNKNOWN,
    SUBMISSION_CANCELLED,
    SUBMISSION_PHASES
};
const char *submission_phase_name(enum submission_phase phase);
static inline bool submission_is_open(enum submission_phase phase)
{
    return phase <= SUBMISSION_ACCEPTED;
}

struct submission {
    int64_t account_id, id;
    int64_t identity_id;
    int64_t draft_id; /* email id of the draft it came from; 0: none, or gone */
    int64_t answers_id;
    enum answers_how answers_how;
    int64_t blob_id; /* the frozen bytes, without Bcc */
    struct str message_id;
    struct str mail_from;
    struct str recipients; /* JSON: [{"email", "state": "waiting"|"accepted"|"refused", "reply",
                              "delivery", "report", "reportId"}]: the last three of reports */
    bool needs_smtputf8, needs_8bit;
    bool wants_report;      /* DSN: of what becomes of it (RFC 3461) */
    struct str bcc_field;   /* what the copy in Sent has in front: "Bcc: …\r\n" or empty */
    struct str subject, to; /* for the outbox */
    int64_t send_at;
    /* read only */
    enum submission_phase phase;
    int64_t not_before; /* of the next try */
    int attempts;
    int filings; /* times the copy was about to be put into Sent: once, and it may be there */
    struct str error;
    int64_t created_at, ended_at /* 0: under way */;
};

/* What sending a draft needs, in the arena. */
struct submission_look {
    int64_t known_id; /* the submission with that key, and nothing else; 0: none */
    int64_t first_id; /* two ids, for the submission and its blob */
    struct draft draft;
    struct account account;
    struct identity *identities; /* of the account */
    size_t identity_count;
    struct draft_attachment *attachments;
    size_t attachment_count;
};
/* All of it in one round trip, outside of a transaction, since it locks the account's row.
 * ERROR_NOT_FOUND: no such account of the viewer's, or no such draft. */
bool submission_look(struct db *db, struct arena *arena, int64_t account_id, int64_t draft_id,
                     struct str idempotency_key, struct submission_look *look, struct error *err);
/* Accepts a message whose bytes are written in the same transaction; hides its draft; NOTIFYs at
 * commit; fills what is read only. ERROR_CONFLICT: the draft is being sent already. */
bool submission_create(struct db *db, struct submission *submission, struct str idempotency_key,
                       struct error *err);
/* The submission with that key; `*id` 0: none. Keys are kept a week after the end. */
bool submission_known(struct db *db, int64_t account_id, struct str idempotency_key, int64_t *id,
                      struct error *err);
bool submission_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                      struct submission *submission, struct error *err);
/* Those under way first, then newest first. */
bool submissions_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
                      struct submission **submissions, size_t *count, struct error *err);
/* What became of the message with that Message-ID at each recipient; empty: it was not sent from
 * here lately. */
bool submission_recipients(struct db *db, struct arena *arena, int64_t account_id,
                           struct str message_id, struct str *recipients, struct error *err);
/* ERROR_CONFLICT once it is leaving. `*draft_id` (may be NULL) is the draft that is back. */
bool submission_cancel(struct db *db, int64_t account_id, int64_t id, int64_t *draft_id,
                       struct error *err);
/* Now rather than when its time would come. ERROR_CONFLICT once it is leaving. */
bool submission_hurry(struct db *db, int64_t account_id, int64_t id, struct error *err);

/* The person knows that an unknown one has arrived: the draft goes, the copy is filed and the
 * original marked, as after any sending. ERROR_CONFLICT unless it is unknown. */
bool submission_settle(struct db *db, struct submission *submission, struct error *err);

/* --- sync role ------------------------------------------------------------------------------- */

/* After a crash: what was transmitting is unknown now, with that sentence. `*count` (may be NULL)
 * of them. */
bool submissions_recover(struct db *db, int64_t account_id, struct str why, size_t *count,
                         struct error *err);
/* The first that is due in that phase; `is_server_there`: also among those that wait for their
 * server. ERROR_NOT_FOUND: none. */
bool submission_next(struct db *db, struct arena *arena, int64_t account_id,
                     enum submission_phase phase, bool is_server_there,
                     struct submission *submission, struct error *err);

/* Counts the first filing of those (at most `limit`) that were accepted and have seen none, in one
 * transaction: whoever finds them counted looks for the copy first, after `seconds`. */
bool submissions_begin_filing(struct db *db, struct arena *arena, int64_t account_id,
                              int64_t seconds, int limit, struct submission **submissions,
                              size_t *count, struct error *err);

struct submission_turn {
    enum submission_phase phase; /* the new one */
    struct str recipients;       /* new JSON; empty: as it was */
    struct str error;            /* a sentence; empty: none */
    bool is_attempt;             /* counts */
    bool is_filing;              /* counts */
    bool is_lazy;       /* db_be_lazy: what a crash of the database leaves is true as well */
    int64_t not_before; /* of the next try; 0: now */
    struct str left_to; /* recipients that were refused, when others took it: the draft
                           comes back addressed to them; empty: none */
};
/* Goes on from the phase the submission is in; drafts are hidden, shown and dropped, the answered
 * message marked, change rows written as the phases say. ERROR_CONFLICT: it is in another phase by
 * now (cancelled). `submission->phase` is then the new one. */
bool submission_turn(struct db *db, struct submission *submission,
                     const struct submission_turn *turn, struct error *err);
/* The server cannot be reached or refuses us: all that are due wait for it, until then.
 * `is_attempt`: it was tried, which counts. */
bool submissions_wait(struct db *db, int64_t account_id, int64_t until, struct str error,
                      bool is_attempt, struct error *err);
/* When the next one in that phase is due, UTC microseconds; 0: none waits. */
bool submission_next_due(struct db *db, int64_t account_id, enum submission_phase phase,
                         int64_t *at, struct error *err);
/* Where reports on what was sent lately may be: emails with ids beyond `from` (0: nothing was
 * sent), up to `newest`. */
bool submission_reports_range(struct db *db, int64_t account_id, int64_t *from, int64_t *newest,
                              struct error *err);
/* The next message in it that holds a report, and its structure. ERROR_NOT_FOUND: none. */
bool submission_next_report(struct db *db, struct arena *arena, int64_t account_id, int64_t after,
                            int64_t newest, int64_t *email_id, struct str *structure,
                            struct error *err);
/* The submission of that Message-ID, its row locked for the transaction. ERROR_NOT_FOUND: none. */
bool submission_by_message(struct db *db, struct arena *arena, int64_t account_id,
                           struct str message_id, int64_t *id, struct str *recipients,
                           struct error *err);
/* What its recipients are told to have got. */
bool submission_tell(struct db *db, int64_t account_id, int64_t id, struct str recipients,
                     struct error *err);
/* Within a replica batch: the frozen bytes become those of a local copy. */
bool submission_give_blob(struct db *db, const struct submission *submission, int64_t email_id,
                          struct str bcc_json, struct error *err);

#endif

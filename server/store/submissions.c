#include "server/store/submissions.h"

#include <assert.h>

#include "server/store/changes_private.h"
#include "server/store/db.h"
#include "server/store/drafts_private.h"
#include "server/store/emails.h"

static const char no_submission[] = "there is no such message on its way";

static const char *const phase_names[] = {
    [SUBMISSION_QUEUED] = "queued",      [SUBMISSION_TRANSMITTING] = "transmitting",
    [SUBMISSION_ACCEPTED] = "accepted",  [SUBMISSION_FILED] = "filed",
    [SUBMISSION_FAILED] = "failed",      [SUBMISSION_UNKNOWN] = "unknown",
    [SUBMISSION_CANCELLED] = "cancelled"};

const char *submission_phase_name(enum submission_phase phase)
{
    return phase_names[phase];
}

static void read_submission(struct db_rows *rows, struct arena *arena, int64_t account_id,
                            struct submission *s)
{
    s->account_id = account_id;
    s->id = db_get_i64(rows);
    s->identity_id = db_get_i64(rows);
    s->draft_id = db_get_i64(rows);
    s->answers_id = db_get_i64(rows);
    s->answers_how = answers_how_parse(db_get_slice(rows));
    s->blob_id = db_get_i64(rows);
    s->message_id = db_get_str(rows, arena);
    s->mail_from = db_get_str(rows, arena);
    s->recipients = db_get_str(rows, arena);
    s->needs_smtputf8 = db_get_bool(rows);
    s->needs_8bit = db_get_bool(rows);
    s->wants_report = db_get_bool(rows);
    s->bcc_field = db_get_str(rows, arena);
    s->subject = db_get_str(rows, arena);
    s->to = db_get_str(rows, arena);
    s->phase = (enum submission_phase)DB_GET_NAME(rows, phase_names);
    s->send_at = db_get_time(rows);
    s->not_before = db_get_time(rows);
    s->attempts = db_get_i32(rows);
    s->filings = db_get_i32(rows);
    s->error = db_get_str(rows, arena);
    s->created_at = db_get_time(rows);
    s->ended_at = db_get_time(rows);
}

/* --- looking --------------------------------------------------------------------------------- */

bool submission_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                      struct submission *submission, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "submission_by_id", &rows, no_submission, err, db_i64(account_id),
                       db_i64(id)))
        return false;
    read_submission(&rows, arena, account_id, submission);
    db_rows_free(&rows);
    return true;
}

static void read_submissions(struct db_rows *rows, struct arena *arena, int64_t account_id,
                             struct submission **submissions, size_t *count)
{
    *count = (size_t)rows->row_count;
    *submissions = ARENA_ARRAY(arena, *count, struct submission);
    for (struct submission *s = *submissions; db_next(rows); s++)
        read_submission(rows, arena, account_id, s);
    db_rows_free(rows);
}

bool submissions_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
                      struct submission **submissions, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "submissions_list", &rows, err, db_i64(account_id), db_i64(limit)))
        return false;
    read_submissions(&rows, arena, account_id, submissions, count);
    return true;
}

bool submissions_begin_filing(struct db *db, struct arena *arena, int64_t account_id,
                              int64_t seconds, int limit, struct submission **submissions,
                              size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "submissions_begin_filing", &rows, err, db_i64(account_id), db_i64(seconds),
                   db_i64(limit)))
        return false;
    read_submissions(&rows, arena, account_id, submissions, count);
    return true;
}

bool submission_next(struct db *db, struct arena *arena, int64_t account_id,
                     enum submission_phase phase, bool is_server_there,
                     struct submission *submission, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "submission_next", &rows, "nothing is to be sent", err,
                       db_i64(account_id), db_name(phase_names[phase]), db_bool(is_server_there)))
        return false;
    read_submission(&rows, arena, account_id, submission);
    db_rows_free(&rows);
    return true;
}

bool submission_next_due(struct db *db, int64_t account_id, enum submission_phase phase,
                         int64_t *at, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "submission_next_due", &rows, "no answer", err, db_i64(account_id),
                       db_name(phase_names[phase])))
        return false;
    *at = db_get_time(&rows);
    db_rows_free(&rows);
    return true;
}

/* --- going on -------------------------------------------------------------------------------- */

static bool changed(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    return changes_write_updated(db, account_id, CHANGE_SUBMISSION, &id, 1, err);
}

bool submission_cancel(struct db *db, int64_t account_id, int64_t id, int64_t *draft_id,
                       struct error *err)
{
    struct db_rows rows;
    bool started;
    int64_t draft = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_select(db, "submission_cancel", &rows, err, db_i64(account_id), db_i64(id));
    if (is_good) {
        bool is_cancelled = db_next(&rows);
        if (is_cancelled)
            draft = db_get_i64(&rows);
        db_rows_free(&rows);
        is_good = is_cancelled ? (!draft || draft_hide(db, account_id, draft, false, NULL, err)) &&
                                     changed(db, account_id, id, err)
                               : error_set(err, ERROR_CONFLICT,
                                           "This message can no longer be called back.");
    }
    if (draft_id)
        *draft_id = draft;
    return db_leave(db, started, is_good, err);
}

bool submission_hurry(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "submission_hurry", &affected, err, db_i64(account_id), db_i64(id));
    if (is_good && !affected)
        is_good = error_set(err, ERROR_CONFLICT, "This message does not wait any more.");
    is_good = is_good && changed(db, account_id, id, err) &&
              db_post(db, "submission_notify", err, db_i64(account_id));
    return db_leave(db, started, is_good, err);
}

bool submissions_recover(struct db *db, int64_t account_id, struct str why, size_t *count,
                         struct error *err)
{
    enum { RECOVER_MAX = 64 };
    struct db_rows rows;
    int64_t ids[RECOVER_MAX], drafts[RECOVER_MAX];
    size_t found = 0;
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_select(db, "submissions_recover", &rows, err, db_i64(account_id), db_text(why));
    if (is_good) {
        while (db_next(&rows)) {
            int64_t id = db_get_i64(&rows), draft = db_get_i64(&rows);
            if (found < RECOVER_MAX) { /* one at a time transmits: there is never a second */
                ids[found] = id;
                drafts[found++] = draft;
            }
        }
        db_rows_free(&rows);
    }
    for (size_t i = 0; is_good && i < found; i++)
        is_good = (!drafts[i] || draft_hide(db, account_id, drafts[i], false, NULL, err)) &&
                  changed(db, account_id, ids[i], err);
    if (count)
        *count = found;
    return db_leave(db, started, is_good, err);
}

/* The original of an answer shows it at once; upstream it is marked when the copy is filed. */
static bool mark_answered(struct db *db, const struct submission *s, struct error *err)
{
    struct db_rows rows;
    int flag = s->answers_how == ANSWERS_REPLY ? FLAG_ANSWERED : FLAG_FORWARDED;
    if (!s->answers_id || s->answers_how == ANSWERS_NOTHING)
        return true;
    if (!db_select(db, "submission_mark", &rows, err, db_i64(s->account_id), db_i64(s->answers_id),
                   db_i32(flag)))
        return false;
    bool is_there = db_next(&rows);
    if (is_there)
        db_skip(&rows);
    while (db_next(&rows))
        db_skip(&rows);
    db_rows_free(&rows);
    return !is_there ||
           changes_write_updated(db, s->account_id, CHANGE_EMAIL, &s->answers_id, 1, err);
}

/* What becomes of the draft, and of the message it answers. */
static bool settle_draft(struct db *db, const struct submission *s,
                         const struct submission_turn *turn, int64_t draft_id, struct error *err)
{
    if (turn->phase == s->phase)
        return true; /* its time was set, nothing else */
    switch (turn->phase) {
    case SUBMISSION_ACCEPTED:
        if (!mark_answered(db, s, err))
            return false;
        if (!draft_id)
            return true;
        if (turn->left_to.length == 0)
            return draft_drop(db, s->account_id, draft_id, err);
        return db_post(db, "draft_readdress", err, db_i64(s->account_id), db_i64(draft_id),
                       db_text(turn->left_to)) &&
               draft_hide(db, s->account_id, draft_id, false, NULL, err);
    case SUBMISSION_FAILED:
    case SUBMISSION_UNKNOWN:
    case SUBMISSION_CANCELLED:
        return !draft_id || draft_hide(db, s->account_id, draft_id, false, NULL, err);
    default:
        return true;
    }
}

/* What was settled has its other end with the mail that is read: a copy to be filed, drafts that
 * lie upstream. */
static bool tell_reading(struct db *db, const struct submission *s, enum submission_phase phase,
                         struct error *err)
{
    bool is_told =
        phase == SUBMISSION_ACCEPTED || phase == SUBMISSION_FAILED || phase == SUBMISSION_UNKNOWN;
    return !is_told || phase == s->phase ||
           db_post(db, "account_notify", err, db_i64(s->account_id));
}

/* Phases that leave draft and original alone, as far as there are any. */
static bool concerns_others(const struct submission *s, const struct submission_turn *turn)
{
    bool is_quiet = turn->phase == s->phase || turn->phase == SUBMISSION_QUEUED ||
                    turn->phase == SUBMISSION_TRANSMITTING || turn->phase == SUBMISSION_FILED;
    return !is_quiet && (s->draft_id || s->answers_id);
}

/* Whether there was a row to turn, once that is known; the draft it has. */
static bool take_turn(struct db_rows *rows, int64_t *draft_id, struct error *err)
{
    bool is_turned = db_next(rows);
    *draft_id = is_turned ? db_get_i64(rows) : 0;
    return is_turned || error_set(err, ERROR_CONFLICT, "the message is in another phase by now");
}

/* What concerns nobody else goes with its commit. */
bool submission_turn(struct db *db, struct submission *s, const struct submission_turn *turn,
                     struct error *err)
{
    struct db_rows rows;
    int64_t draft_id;
    bool started, concerns = concerns_others(s, turn);
    if (!db_enter(db, &started, err))
        return false;
    if (turn->is_lazy && started)
        db_be_lazy(db);
    bool is_good = db_post_select(
        db, "submission_turn", &rows, err, db_i64(s->account_id), db_i64(s->id),
        db_name(phase_names[s->phase]), db_name(phase_names[turn->phase]),
        db_or_null(db_json(turn->recipients)), db_text(turn->error), db_i32(turn->is_attempt),
        db_or_null(db_time(turn->not_before)), db_i32(turn->is_filing));
    if (concerns)
        is_good = is_good && db_catch_up(db, err) && take_turn(&rows, &draft_id, err) &&
                  settle_draft(db, s, turn, draft_id, err);
    is_good = is_good && tell_reading(db, s, turn->phase, err) &&
              changed(db, s->account_id, s->id, err) && (started || db_catch_up(db, err));
    is_good = db_leave(db, started, is_good, err) && (concerns || take_turn(&rows, &draft_id, err));
    db_rows_free(&rows);
    if (is_good)
        s->phase = turn->phase;
    return is_good;
}

bool submissions_wait(struct db *db, int64_t account_id, int64_t until, struct str error,
                      bool is_attempt, struct error *err)
{
    enum { CHANGED_MAX = 1000 };
    struct db_rows rows;
    int64_t ids[CHANGED_MAX];
    size_t count = 0;
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_select(db, "submissions_wait", &rows, err, db_i64(account_id), db_time(until),
                             db_text(error), db_i32(is_attempt));
    if (is_good) {
        while (db_next(&rows)) {
            int64_t id = db_get_i64(&rows);
            if (count < CHANGED_MAX)
                ids[count++] = id;
        }
        db_rows_free(&rows);
        is_good =
            count == 0 || changes_write_updated(db, account_id, CHANGE_SUBMISSION, ids, count, err);
    }
    return db_leave(db, started, is_good, err);
}

bool submission_give_blob(struct db *db, const struct submission *s, int64_t email_id,
                          struct str bcc_json, struct error *err)
{
    return db_post(db, "submission_file_blob", err, db_i64(s->account_id), db_i64(s->blob_id),
                   db_i64(email_id)) &&
           db_post(db, "submission_file_bcc", err, db_i64(s->account_id), db_i64(email_id),
                   db_or_null(db_json(bcc_json)));
}

bool submission_settle(struct db *db, struct submission *s, struct error *err)
{
    bool started;
    const struct submission_turn turn = {.phase = SUBMISSION_ACCEPTED};
    if (s->phase != SUBMISSION_UNKNOWN)
        return error_set(err, ERROR_CONFLICT, "It is known what became of this message.");
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = (!s->draft_id || draft_hide(db, s->account_id, s->draft_id, true, NULL, err)) &&
                   submission_turn(db, s, &turn, err) &&
                   db_post(db, "submission_notify", err, db_i64(s->account_id));
    return db_leave(db, started, is_good, err);
}

/* --- reports --------------------------------------------------------------------------------- */

static bool select_i64(struct db *db, const char *name, int64_t account_id, int64_t *number,
                       struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, name, &rows, no_submission, err, db_i64(account_id)))
        return false;
    *number = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool submission_reports_range(struct db *db, int64_t account_id, int64_t *from, int64_t *newest,
                              struct error *err)
{
    *newest = 0;
    return select_i64(db, "submission_first_told", account_id, from, err) &&
           (!*from || select_i64(db, "submission_newest_email", account_id, newest, err));
}

bool submission_next_report(struct db *db, struct arena *arena, int64_t account_id, int64_t after,
                            int64_t newest, int64_t *email_id, struct str *structure,
                            struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "submission_next_report", &rows, "there is no report", err,
                       db_i64(account_id), db_i64(after), db_i64(newest)))
        return false;
    *email_id = db_get_i64(&rows);
    *structure = db_get_str(&rows, arena);
    db_rows_free(&rows);
    return true;
}

bool submission_by_message(struct db *db, struct arena *arena, int64_t account_id,
                           struct str message_id, int64_t *id, struct str *recipients,
                           struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "submission_by_message", &rows, no_submission, err, db_i64(account_id),
                       db_text(message_id)))
        return false;
    *id = db_get_i64(&rows);
    *recipients = db_get_str(&rows, arena);
    db_rows_free(&rows);
    return true;
}

bool submission_tell(struct db *db, int64_t account_id, int64_t id, struct str recipients,
                     struct error *err)
{
    return db_execute(db, "submission_told", NULL, err, db_i64(account_id), db_i64(id),
                      db_json(recipients)) &&
           changed(db, account_id, id, err);
}

bool submission_recipients(struct db *db, struct arena *arena, int64_t account_id,
                           struct str message_id, struct str *recipients, struct error *err)
{
    struct db_rows rows;
    *recipients = STR_EMPTY;
    if (!message_id.length)
        return true;
    if (!db_select(db, "submission_recipients", &rows, err, db_i64(account_id),
                   db_text(message_id)))
        return false;
    if (db_next(&rows))
        *recipients = db_get_str(&rows, arena);
    db_rows_free(&rows);
    return true;
}

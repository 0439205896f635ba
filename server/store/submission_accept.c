/* How a message that is written becomes one on its way: looked at in one round trip, accepted in
 * one transaction. */
#include <assert.h>

#include "server/base/clock.h"
#include "server/store/accounts_private.h"
#include "server/store/changes_private.h"
#include "server/store/drafts_private.h"
#include "server/store/submissions.h"

/* Rows of what sending a draft needs. */
struct looked {
    struct db_rows known, draft, account, identities, attachments, ids;
};

bool submission_known(struct db *db, int64_t account_id, struct str idempotency_key, int64_t *id,
                      struct error *err)
{
    struct db_rows rows;
    *id = 0;
    if (idempotency_key.length == 0)
        return true;
    if (!db_select(db, "submission_known", &rows, err, db_i64(account_id),
                   db_text(idempotency_key)))
        return false;
    if (db_next(&rows))
        *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

static bool post_look(struct db *db, int64_t account_id, int64_t draft_id, struct str key,
                      struct looked *at, struct error *err)
{
    const struct db_value account = db_i64(account_id), draft = db_i64(draft_id);
    return (key.length == 0 ||
            db_post_select(db, "submission_known", &at->known, err, account, db_text(key))) &&
           db_post_select(db, "draft_by_id", &at->draft, err, account, draft) &&
           db_post_select(db, "account_by_id", &at->account, err, account, db_i64(db_viewer(db))) &&
           db_post_select(db, "identity_list", &at->identities, err, account) &&
           db_post_select(db, "draft_attachments", &at->attachments, err, account, draft) &&
           db_post_select(db, "account_next_ids", &at->ids, err, account, db_i64(2));
}

static bool take_look(struct looked *at, struct arena *arena, int64_t account_id,
                      struct submission_look *look, struct error *err)
{
    if (db_next(&at->known)) {
        look->known_id = db_get_i64(&at->known);
        return true;
    }
    if (!db_next(&at->account) || !db_next(&at->ids))
        return error_set(err, ERROR_NOT_FOUND, "There is no such account.");
    if (!db_next(&at->draft))
        return error_set(err, ERROR_NOT_FOUND, "%s", draft_missing);
    account_read(&at->account, arena, &look->account);
    look->first_id = db_get_i64(&at->ids);
    draft_read(&at->draft, arena, account_id, &look->draft);
    look->identities = identities_read(&at->identities, arena, account_id, &look->identity_count);
    look->attachments = draft_attachments_read(&at->attachments, arena, &look->attachment_count);
    return true;
}

bool submission_look(struct db *db, struct arena *arena, int64_t account_id, int64_t draft_id,
                     struct str idempotency_key, struct submission_look *look, struct error *err)
{
    struct looked at = {0};
    *look = (struct submission_look){0};
    if (!db_begin(db, err))
        return false;
    db_be_lazy(db); /* only the ids are written, and whoever uses them commits after this */
    bool is_good = post_look(db, account_id, draft_id, idempotency_key, &at, err);
    if (!is_good)
        db_rollback(db);
    is_good = is_good && db_commit(db, err) && take_look(&at, arena, account_id, look, err);
    db_rows_free(&at.known);
    db_rows_free(&at.draft);
    db_rows_free(&at.account);
    db_rows_free(&at.identities);
    db_rows_free(&at.attachments);
    db_rows_free(&at.ids);
    return is_good;
}

/* Of two that send the same draft at once the second one finds it hidden. */
static bool hide_once(struct db *db, const struct submission *s, struct error *err)
{
    bool is_changed = true;
    if (s->draft_id && !draft_hide(db, s->account_id, s->draft_id, true, &is_changed, err))
        return false;
    return is_changed || error_set(err, ERROR_CONFLICT, "This message is being sent already.");
}

bool submission_create(struct db *db, struct submission *s, struct str idempotency_key,
                       struct error *err)
{
    bool started;
    assert(s->id > 0 && s->blob_id > 0);
    if (!db_enter(db, &started, err))
        return false;
    s->phase = SUBMISSION_QUEUED;
    s->created_at = clock_now_us();
    struct change change = {.type = CHANGE_SUBMISSION, .created = &s->id, .created_count = 1};
    bool is_good =
        db_post(db, "submission_create", err, db_i64(s->account_id), db_i64(s->id),
                db_or_null(db_i64(s->identity_id)), db_or_null(db_i64(s->draft_id)),
                db_or_null(db_i64(s->answers_id)), db_name(answers_how_name(s->answers_how)),
                db_i64(s->blob_id), db_text(s->message_id), db_text(s->mail_from),
                db_json(s->recipients), db_bool(s->needs_smtputf8), db_bool(s->needs_8bit),
                db_text(s->bcc_field), db_text(s->subject), db_text(s->to), db_time(s->send_at),
                db_or_null(db_text(idempotency_key)), db_bool(s->wants_report),
                db_time(s->created_at)) &&
        hide_once(db, s, err) && changes_write(db, s->account_id, &change, 1, NULL, err) &&
        db_post(db, "submission_notify", err, db_i64(s->account_id));
    return db_leave(db, started, is_good, err);
}

#include "server/store/drafts.h"

#include "server/store/actions.h"
#include "server/store/changes_private.h"
#include "server/store/db.h"
#include "server/store/drafts_private.h"
#include "server/store/emails.h"

const char draft_missing[] = "there is no such draft";

const char *answers_how_name(enum answers_how how)
{
    return how == ANSWERS_REPLY ? "reply" : how == ANSWERS_FORWARD ? "forward" : NULL;
}

enum answers_how answers_how_parse(struct str name)
{
    return str_equal(name, STR("reply"))     ? ANSWERS_REPLY
           : str_equal(name, STR("forward")) ? ANSWERS_FORWARD
                                             : ANSWERS_NOTHING;
}

/* --- folders --------------------------------------------------------------------------------- */

static struct str local_name(enum mailbox_role role)
{
    return role == ROLE_DRAFTS ? STR("Drafts") : role == ROLE_SENT ? STR("Sent") : STR("Local");
}

static bool find_mailbox(struct db *db, int64_t account_id, enum mailbox_role role, int64_t *id,
                         struct error *err)
{
    struct db_rows rows;
    *id = 0;
    if (!db_select(db, "draft_mailbox", &rows, err, db_i64(account_id),
                   db_name(mailbox_role_name(role))))
        return false;
    if (db_next(&rows))
        *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool draft_mailbox(struct db *db, int64_t account_id, enum mailbox_role role, int64_t *mailbox_id,
                   struct error *err)
{
    bool started;
    if (!find_mailbox(db, account_id, role, mailbox_id, err))
        return false;
    if (*mailbox_id)
        return true;
    struct change change = {.type = CHANGE_MAILBOX, .created = mailbox_id, .created_count = 1};
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        account_next_ids(db, account_id, 1, mailbox_id, err) &&
        db_execute(db, "draft_mailbox_make", NULL, err, db_i64(account_id), db_i64(*mailbox_id),
                   db_text(local_name(role)), db_name(mailbox_role_name(role))) &&
        changes_write(db, account_id, &change, 1, NULL, err);
    return db_leave(db, started, is_good, err);
}

/* --- saving ---------------------------------------------------------------------------------- */

enum { FLAGS = FLAG_SEEN | FLAG_DRAFT };

static bool put_email(struct db *db, const struct draft *draft, const struct draft_face *face,
                      int64_t thread_id, struct error *err)
{
    int64_t size = (int64_t)(draft->text.length + draft->html.length);
    return db_post(db, "draft_email_put", err, db_i64(draft->account_id), db_i64(draft->email_id),
                   db_i64(thread_id), db_text(draft->in_reply_to), db_text(draft->references),
                   db_text(draft->subject), db_json(face->from_json), db_json(face->to_json),
                   db_or_null(db_json(face->cc_json)), db_or_null(db_json(face->bcc_json)),
                   db_time(draft->changed_at), db_i64(size), db_bool(false), db_text(face->preview),
                   db_or_null(db_json(face->structure)));
}

/* The text as the part that `structure` tells of, so that a draft is read like any message. */
static bool put_text(struct db *db, const struct draft *draft, int64_t blob_id, struct error *err)
{
    struct blob_writer *writer =
        blob_begin(db, draft->account_id, blob_id, draft->email_id, STR("1"), err);
    bool is_good =
        writer && blob_append(writer, draft->text, err) && blob_finish(&writer, NULL, err);
    blob_abandon(&writer);
    return is_good;
}

static bool thread_of(struct db *db, const struct draft *draft, int64_t *thread_id,
                      struct error *err)
{
    struct db_rows rows;
    if (!draft->answers_id)
        return true;
    if (!db_select(db, "draft_thread", &rows, err, db_i64(draft->account_id),
                   db_i64(draft->answers_id)))
        return false;
    if (db_next(&rows))
        *thread_id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

static bool insert_draft(struct db *db, const struct draft *d, struct error *err)
{
    return db_post(db, "draft_create", err, db_i64(d->account_id), db_i64(d->email_id),
                   db_or_null(db_i64(d->identity_id)), db_text(d->to), db_text(d->cc),
                   db_text(d->bcc), db_text(d->subject), db_text(d->text), db_text(d->html),
                   db_i16((int16_t)d->priority), db_bool(d->wants_receipt), db_text(d->in_reply_to),
                   db_text(d->references), db_or_null(db_i64(d->answers_id)),
                   db_name(answers_how_name(d->answers_how)), db_bool(d->wants_report),
                   db_or_null(db_text(d->idempotency_key)));
}

/* Counts one more in the drafts folder, which locks its row before anything refers to it: otherwise
 * this would wait for the sync role, which finds the folder upstream and waits for that reference.
 * When it has just put another folder in its place, that one is looked up. */
static bool enter_mailbox(struct db *db, struct draft *draft, struct error *err)
{
    enum { TRIES = 3 };
    int64_t affected = 0;
    for (int i = 0; i < TRIES && !affected; i++)
        if (!draft_mailbox(db, draft->account_id, ROLE_DRAFTS, &draft->mailbox_id, err) ||
            !db_execute(db, "draft_count", &affected, err, db_i64(draft->account_id),
                        db_i64(draft->mailbox_id), db_i32(1)))
            return false;
    return affected || error_set(err, ERROR_UNAVAILABLE, "The drafts folder is being changed.");
}

/* What it is found by. */
static bool put_words(struct db *db, const struct draft *draft, const struct draft_face *face,
                      struct error *err)
{
    return !face->words.length || db_post(db, "search_put", err, db_i64(draft->account_id),
                                          db_i64(draft->email_id), db_tsvector(face->words));
}

static bool create(struct db *db, struct draft *draft, const struct draft_face *face,
                   struct error *err)
{
    int64_t first, account_id = draft->account_id;
    if (!account_next_ids(db, account_id, 3, &first, err))
        return false;
    int64_t thread_id = first + 1;
    draft->email_id = first;
    draft->revision = 1;
    struct change changes[] = {
        {.type = CHANGE_EMAIL, .created = &draft->email_id, .created_count = 1},
        {.type = CHANGE_MAILBOX, .updated = &draft->mailbox_id, .updated_count = 1}};
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = enter_mailbox(db, draft, err) && thread_of(db, draft, &thread_id, err) &&
                   put_email(db, draft, face, thread_id, err) &&
                   db_post(db, "draft_place", err, db_i64(account_id), db_i64(draft->email_id),
                           db_i64(draft->mailbox_id), db_time(draft->changed_at), db_i32(FLAGS)) &&
                   insert_draft(db, draft, err) && put_text(db, draft, first + 2, err) &&
                   put_words(db, draft, face, err) &&
                   changes_write(db, account_id, changes, 2, NULL, err);
    return db_leave(db, started, is_good, err);
}

/* Why nothing was updated. */
static bool explain(struct db *db, const struct draft *draft, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "draft_lock", &rows, draft_missing, err, db_i64(draft->account_id),
                       db_i64(draft->email_id)))
        return false;
    db_skip(&rows);
    db_rows_free(&rows);
    error_set(err, ERROR_CONFLICT, "This draft was changed elsewhere, or is being sent.");
    return error_hint(err, "Open it again to see what it is now.");
}

static bool update_draft(struct db *db, struct draft *d, int expected, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "draft_update", &rows, err, db_i64(d->account_id), db_i64(d->email_id),
                   db_or_null(db_i64(d->identity_id)), db_text(d->to), db_text(d->cc),
                   db_text(d->bcc), db_text(d->subject), db_text(d->text), db_text(d->html),
                   db_i16((int16_t)d->priority), db_bool(d->wants_receipt), db_i32(expected),
                   db_bool(d->wants_report)))
        return false;
    bool is_found = db_next(&rows);
    if (is_found)
        d->revision = db_get_i32(&rows);
    db_rows_free(&rows);
    return is_found || explain(db, d, err);
}

static bool update(struct db *db, struct draft *draft, const struct draft_face *face, int expected,
                   struct error *err)
{
    int64_t blob_id, account_id = draft->account_id;
    bool started;
    if (!account_next_ids(db, account_id, 1, &blob_id, err) || !db_enter(db, &started, err))
        return false;
    bool is_good =
        update_draft(db, draft, expected, err) && put_email(db, draft, face, 0, err) &&
        db_post(db, "draft_place_moved", err, db_i64(account_id), db_i64(draft->email_id),
                db_time(draft->changed_at)) &&
        put_text(db, draft, blob_id, err) && put_words(db, draft, face, err) &&
        db_post(db, "draft_has_attachment", err, db_i64(account_id), db_i64(draft->email_id)) &&
        changes_write_updated(db, account_id, CHANGE_EMAIL, &draft->email_id, 1, err);
    return db_leave(db, started, is_good, err);
}

bool draft_put(struct db *db, struct draft *draft, const struct draft_face *face, int expected,
               struct error *err)
{
    return draft->email_id ? update(db, draft, face, expected, err) : create(db, draft, face, err);
}

bool draft_known(struct db *db, int64_t account_id, struct str idempotency_key, int64_t *email_id,
                 struct error *err)
{
    struct db_rows rows;
    *email_id = 0;
    if (idempotency_key.length == 0)
        return true;
    if (!db_select(db, "draft_known", &rows, err, db_i64(account_id), db_text(idempotency_key)))
        return false;
    if (db_next(&rows))
        *email_id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

void draft_read(struct db_rows *rows, struct arena *arena, int64_t account_id, struct draft *draft)
{
    *draft = (struct draft){.account_id = account_id};
    draft->email_id = db_get_i64(rows);
    draft->revision = db_get_i32(rows);
    draft->identity_id = db_get_i64(rows);
    draft->to = db_get_str(rows, arena);
    draft->cc = db_get_str(rows, arena);
    draft->bcc = db_get_str(rows, arena);
    draft->subject = db_get_str(rows, arena);
    draft->text = db_get_str(rows, arena);
    draft->html = db_get_str(rows, arena);
    draft->in_reply_to = db_get_str(rows, arena);
    draft->references = db_get_str(rows, arena);
    draft->answers_id = db_get_i64(rows);
    draft->answers_how = answers_how_parse(db_get_slice(rows));
    draft->priority = (enum draft_priority)db_get_i16(rows);
    draft->wants_receipt = db_get_bool(rows);
    draft->wants_report = db_get_bool(rows);
    draft->changed_at = db_get_time(rows);
    draft->mailbox_id = db_get_i64(rows);
    draft->is_hidden = db_get_bool(rows);
}

bool draft_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                 struct draft *draft, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "draft_by_id", &rows, draft_missing, err, db_i64(account_id),
                       db_i64(email_id)))
        return false;
    draft_read(&rows, arena, account_id, draft);
    db_rows_free(&rows);
    return true;
}

/* --- hiding and deleting --------------------------------------------------------------------- */

/* The folder's count and both change rows. */
static bool note(struct db *db, int64_t account_id, int64_t email_id, int64_t mailbox_id,
                 int difference, bool is_gone, struct error *err)
{
    struct change changes[] = {
        {.type = CHANGE_EMAIL,
         .updated = &email_id,
         .updated_count = !is_gone,
         .destroyed = &email_id,
         .destroyed_count = is_gone},
        {.type = CHANGE_MAILBOX, .updated = &mailbox_id, .updated_count = 1}};
    return db_post(db, "draft_count", err, db_i64(account_id), db_i64(mailbox_id),
                   db_i32(difference)) &&
           changes_write(db, account_id, changes, 2, NULL, err);
}

bool draft_hide(struct db *db, int64_t account_id, int64_t email_id, bool is_hidden,
                bool *is_changed, struct error *err)
{
    struct db_rows rows;
    int64_t mailbox_id = 0;
    if (!db_select(db, "draft_hide", &rows, err, db_i64(account_id), db_i64(email_id),
                   db_bool(is_hidden)))
        return false;
    if (db_next(&rows))
        mailbox_id = db_get_i64(&rows);
    db_rows_free(&rows);
    if (is_changed)
        *is_changed = mailbox_id != 0;
    return !mailbox_id ||
           note(db, account_id, email_id, mailbox_id, is_hidden ? -1 : 1, false, err);
}

/* `is_sent`: although it is being sent; `only_here`: unless it lies upstream. */
static bool delete_draft(struct db *db, int64_t account_id, int64_t email_id, bool is_sent,
                         bool only_here, bool *is_gone, struct error *err)
{
    struct db_rows rows;
    int64_t mailbox_id = 0;
    bool was_hidden = false;
    if (!db_select(db, "draft_delete", &rows, err, db_i64(account_id), db_i64(email_id),
                   db_bool(is_sent), db_bool(only_here)))
        return false;
    *is_gone = db_next(&rows);
    if (*is_gone) {
        mailbox_id = db_get_i64(&rows);
        was_hidden = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return !*is_gone || note(db, account_id, email_id, mailbox_id, was_hidden ? 0 : -1, true, err);
}

static bool is_upstream(struct db *db, int64_t account_id, int64_t email_id, bool *is_there,
                        struct error *err)
{
    struct db_rows rows;
    *is_there = false;
    if (!db_select(db, "draft_is_upstream", &rows, err, db_i64(account_id), db_i64(email_id)))
        return false;
    if (db_next(&rows))
        *is_there = db_get_bool(&rows);
    db_rows_free(&rows);
    return true;
}

/* One that lies upstream stays, hidden, until the sync role has removed it there. */
bool draft_drop(struct db *db, int64_t account_id, int64_t email_id, struct error *err)
{
    bool is_gone;
    return delete_draft(db, account_id, email_id, true, true, &is_gone, err);
}

/* The copy upstream goes by an operation, like any message that is destroyed. */
static bool destroy_filed(struct db *db, int64_t account_id, int64_t email_id, struct error *err)
{
    struct action action = {.kind = ACTION_DESTROY, .email_ids = &email_id, .email_count = 1};
    struct action_result result;
    struct draft draft;
    struct arena *arena = arena_new();
    bool is_good = draft_by_id(db, arena, account_id, email_id, &draft, err);
    if (is_good && draft.is_hidden)
        is_good = explain(db, &draft, err);
    is_good = is_good && action_run(db, arena, account_id, &action, &result, err);
    arena_free(&arena);
    return is_good;
}

bool draft_delete(struct db *db, int64_t account_id, int64_t email_id, struct error *err)
{
    struct draft draft = {.account_id = account_id, .email_id = email_id};
    bool started, is_there, is_gone = false;
    if (!is_upstream(db, account_id, email_id, &is_there, err))
        return false;
    if (is_there)
        return destroy_filed(db, account_id, email_id, err);
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = delete_draft(db, account_id, email_id, false, false, &is_gone, err) &&
                   (is_gone || explain(db, &draft, err));
    return db_leave(db, started, is_good, err);
}

/* --- upstream -------------------------------------------------------------------------------- */

bool draft_next_unfiled(struct db *db, int64_t account_id, int settled_s,
                        struct draft_unfiled *unfiled, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "draft_unfiled", &rows, "no draft is to be filed", err,
                       db_i64(account_id), db_i32(settled_s)))
        return false;
    unfiled->email_id = db_get_i64(&rows);
    unfiled->revision = db_get_i32(&rows);
    unfiled->mailbox_id = db_get_i64(&rows);
    unfiled->uid = (uint32_t)db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool draft_next_sent(struct db *db, int64_t account_id, struct draft_unfiled *sent,
                     struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "draft_sent", &rows, "no draft is to be removed", err,
                       db_i64(account_id)))
        return false;
    *sent = (struct draft_unfiled){0};
    sent->email_id = db_get_i64(&rows);
    sent->mailbox_id = db_get_i64(&rows);
    sent->uid = (uint32_t)db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool draft_remove_sent(struct db *db, int64_t account_id, int64_t email_id, struct error *err)
{
    bool started, is_gone;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = delete_draft(db, account_id, email_id, true, false, &is_gone, err);
    return db_leave(db, started, is_good, err);
}

bool draft_set_filed(struct db *db, int64_t account_id, const struct draft_unfiled *filed,
                     uint32_t uid, struct error *err)
{
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "draft_filed", NULL, err, db_i64(account_id), db_i64(filed->email_id),
                   db_i32(filed->revision)) &&
        (!uid || db_execute(db, "draft_filed_uid", NULL, err, db_i64(account_id),
                            db_i64(filed->email_id), db_i64(filed->mailbox_id), db_i64(uid)));
    return db_leave(db, started, is_good, err);
}

/* --- attachments ----------------------------------------------------------------------------- */

bool upload_allocate(struct db *db, int64_t account_id, int64_t *blob_id, struct error *err)
{
    return account_next_ids(db, account_id, 1, blob_id, err);
}

struct draft_attachment *draft_attachments_read(struct db_rows *rows, struct arena *arena,
                                                size_t *count)
{
    *count = (size_t)rows->row_count;
    struct draft_attachment *all = ARENA_ARRAY(arena, *count, struct draft_attachment);
    for (struct draft_attachment *one = all; db_next(rows); one++) {
        one->n = db_get_i32(rows);
        one->blob_id = db_get_i64(rows);
        one->name = db_get_str(rows, arena);
        one->type = db_get_str(rows, arena);
        one->cid = db_get_str(rows, arena);
        one->size_bytes = db_get_i64(rows);
    }
    return all;
}

bool draft_attachments(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                       struct draft_attachment **attachments, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "draft_attachments", &rows, err, db_i64(account_id), db_i64(email_id)))
        return false;
    *attachments = draft_attachments_read(&rows, arena, count);
    db_rows_free(&rows);
    return true;
}

/* Locks the draft, so that two uploads at once get places of their own. */
static bool lock_draft(struct db *db, int64_t account_id, int64_t email_id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "draft_lock", &rows, draft_missing, err, db_i64(account_id),
                       db_i64(email_id)))
        return false;
    db_skip(&rows);
    db_rows_free(&rows);
    return true;
}

static bool attachments_changed(struct db *db, int64_t account_id, int64_t email_id,
                                struct error *err)
{
    return db_post(db, "draft_has_attachment", err, db_i64(account_id), db_i64(email_id)) &&
           changes_write_updated(db, account_id, CHANGE_EMAIL, &email_id, 1, err);
}

bool draft_attach(struct db *db, int64_t account_id, int64_t email_id, struct draft_attachment *one,
                  struct error *err)
{
    struct db_rows rows;
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = lock_draft(db, account_id, email_id, err) &&
                   db_select_one(db, "draft_attach", &rows, draft_missing, err, db_i64(account_id),
                                 db_i64(email_id), db_i64(one->blob_id), db_text(one->name),
                                 db_text(one->type), db_text(one->cid));
    if (is_good) {
        one->n = db_get_i32(&rows);
        db_rows_free(&rows);
        is_good = attachments_changed(db, account_id, email_id, err);
    }
    return db_leave(db, started, is_good, err);
}

bool draft_detach(struct db *db, int64_t account_id, int64_t email_id, int n, struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = lock_draft(db, account_id, email_id, err) &&
                   db_execute(db, "draft_detach", &affected, err, db_i64(account_id),
                              db_i64(email_id), db_i32(n));
    if (is_good && !affected)
        is_good = error_set(err, ERROR_NOT_FOUND, "There is no such attachment.");
    is_good = is_good && attachments_changed(db, account_id, email_id, err);
    return db_leave(db, started, is_good, err);
}

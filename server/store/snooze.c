#include "server/store/snooze.h"

#include "server/store/actions_private.h"
#include "server/store/mailboxes.h"
#include "server/store/snooze_private.h"

bool snooze_folder(struct db *db, struct arena *arena, int64_t account_id, int64_t *folder_id,
                   struct error *err)
{
    struct mailbox *mailboxes;
    size_t count;
    if (!mailbox_list(db, arena, account_id, &mailboxes, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (mailboxes[i].is_selectable && str_equal_nocase(mailboxes[i].name, STR(SNOOZE_FOLDER))) {
            *folder_id = mailboxes[i].id;
            return true;
        }
    return error_set(err, ERROR_NOT_FOUND, "There is no folder for snoozed messages yet.");
}

static bool choose_return(struct db *db, struct arena *arena, int64_t account_id, int64_t asked,
                          int64_t folder_id, int64_t *mailbox_id, struct error *err)
{
    struct mailbox inbox;
    *mailbox_id = asked;
    if (asked && asked != folder_id)
        return true;
    if (!mailbox_by_role(db, arena, account_id, ROLE_INBOX, &inbox, err))
        return false;
    *mailbox_id = inbox.id;
    return true;
}

bool snooze_hold(struct db *db, int64_t account_id, struct error *err)
{
    return db_post(db, "snooze_hold", err, db_i64(account_id));
}

bool snooze_note(struct db *db, int64_t account_id, int64_t folder_id, int64_t until,
                 const int64_t *email_ids, const int64_t *mailbox_ids, size_t count,
                 struct error *err)
{
    return db_post(db, "snooze_note", err, db_i64(account_id), db_i64(folder_id),
                   db_i64_array(email_ids, count), db_i64_array(mailbox_ids, count),
                   db_time(until));
}

bool snooze_list(struct db *db, struct arena *arena, int64_t account_id, struct snoozed **list,
                 size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(db, "snooze_list", &rows, err, db_i64(account_id), db_i64(db_viewer(db)),
                   db_i64(SNOOZE_LIST_MAX)))
        return false;
    *list = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, struct snoozed);
    while (db_next(&rows)) {
        struct snoozed *one = &(*list)[(*count)++];
        one->email_id = db_get_i64(&rows);
        one->mailbox_id = db_get_i64(&rows);
        one->until = db_get_time(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool snooze_hurry(struct db *db, int64_t account_id, const int64_t *email_ids, size_t count,
                  struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "snooze_hurry", &rows, "There is no such message.", err,
                       db_i64(account_id), db_i64_array(email_ids, count)))
        return false;
    int64_t found = db_get_i64(&rows);
    db_skip(&rows);
    db_rows_free(&rows);
    return found > 0 || error_set(err, ERROR_NOT_FOUND, "This message is not snoozed.");
}

/* --- bringing back --------------------------------------------------------------------------- */

struct due {
    int64_t account_id, folder_id, mailbox_id;
    bool is_marked;
    int64_t *ids;
    size_t count;
};

static bool find(struct db *db, struct due *due, bool *is_any, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "snooze_next", &rows, err))
        return false;
    *is_any = db_next(&rows);
    if (*is_any) {
        due->account_id = db_get_i64(&rows);
        due->folder_id = db_get_i64(&rows);
        due->mailbox_id = db_get_i64(&rows);
        due->is_marked = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

static bool lock(struct replica_batch *batch, struct due *due, struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "snooze_lock", &rows, err, db_i64(due->account_id),
                   db_i64(due->folder_id), db_i64(due->mailbox_id), db_bool(due->is_marked)))
        return false;
    due->ids = ARENA_ARRAY(batch->arena, (size_t)rows.row_count + 1, int64_t);
    while (db_next(&rows))
        due->ids[due->count++] = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

/* The folder they came from may be gone. */
static bool choose_target(struct db *db, struct arena *arena, const struct due *due,
                          int64_t *target_id, struct error *err)
{
    struct mailbox mailbox;
    struct error gone = ERROR_INIT;
    bool is_there = mailbox_by_id(db, arena, due->account_id, due->mailbox_id, &mailbox, &gone);
    if (!is_there && gone.kind != ERROR_NOT_FOUND) {
        *err = gone;
        return false;
    }
    return choose_return(db, arena, due->account_id,
                         is_there && mailbox.is_selectable ? mailbox.id : 0, due->folder_id,
                         target_id, err);
}

/* First unread again, then, in a transaction of its own, moved: an action is one to a transaction.
 */
static bool bring_back(struct replica_batch *batch, struct due *due, struct error *err)
{
    struct action action = {.kind = due->is_marked ? ACTION_MOVE : ACTION_KEYWORDS,
                            .email_ids = due->ids,
                            .email_count = due->count,
                            .mailbox_id = due->folder_id,
                            .clear = due->is_marked ? 0 : FLAG_SEEN};
    struct action_result result;
    struct error why = ERROR_INIT;
    struct db *db = batch->db;
    struct db_value ids = db_i64_array(due->ids, due->count), account = db_i64(due->account_id);
    bool is_done =
        (!due->is_marked || choose_target(db, batch->arena, due, &action.target_id, &why)) &&
        action_run_in(batch, batch->arena, &action, &result, &why);
    /* none of them lies there any more, or the folder itself is gone: that is the end of it */
    if (!is_done && (why.kind == ERROR_NOT_FOUND || why.kind == ERROR_CONFLICT))
        return db_post(db, "snooze_over", err, account, ids);
    if (!is_done) {
        *err = why;
        return false;
    }
    if (!due->is_marked)
        return db_post(db, "snooze_marked", err, account, ids);
    return db_post(db, "snooze_on_top", err, account, db_i64(action.target_id), ids) &&
           db_post(db, "snooze_over", err, account, ids);
}

bool snooze_step(struct db *db, bool *is_any, struct error *err)
{
    struct due due = {0};
    if (!find(db, &due, is_any, err) || !*is_any)
        return !*is_any && err->kind == ERROR_NONE;
    struct replica_batch *batch = replica_begin(db, due.account_id, err);
    if (batch && db_post(db, "snooze_left", err, db_i64(due.account_id)) &&
        lock(batch, &due, err) && (due.count == 0 || bring_back(batch, &due, err)))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

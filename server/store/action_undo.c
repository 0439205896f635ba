/* Taking actions back. */
#include "server/store/actions_private.h"
#include "server/store/operations.h"

static const char gone[] = "There is nothing to take back.";

/* What an operation did, as its arguments tell. */
struct past {
    struct str kind, state;
    int64_t mailbox_id, target_id;
    int64_t there_id; /* of a move to where it lay already: it only left its mailbox */
    int set, clear;
    const int64_t *email_ids;
    size_t email_count;
    struct str added, removed; /* words, separated by spaces */
};

static bool load(struct db *db, struct arena *arena, int64_t account_id, int64_t operation_id,
                 struct past *past, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "action_of_operation", &rows, gone, err, db_i64(account_id),
                       db_i64(operation_id)))
        return false;
    past->kind = db_get_str(&rows, arena);
    past->state = db_get_str(&rows, arena);
    past->mailbox_id = db_get_i64(&rows);
    past->target_id = db_get_i64(&rows);
    past->there_id = db_get_i64(&rows);
    past->set = db_get_i32(&rows);
    past->clear = db_get_i32(&rows);
    past->email_ids = db_get_i64_array(&rows, arena, &past->email_count);
    past->added = db_get_words(&rows, arena);
    past->removed = db_get_words(&rows, arena);
    db_rows_free(&rows);
    return true;
}

/* What has not begun does not happen. Messages are locked before the operation, as its end does. */
static bool cancel_once(struct db *db, int64_t account_id, int64_t operation_id, bool *is_cancelled,
                        struct error *err)
{
    struct db_rows rows;
    struct replica_batch *batch = replica_begin(db, account_id, err);
    if (!batch || !overlay_lock(batch, operation_id, err) ||
        !db_select(db, "action_cancel", &rows, err, db_i64(account_id), db_i64(operation_id))) {
        replica_abandon(&batch);
        return false;
    }
    *is_cancelled = rows.row_count > 0;
    db_rows_free(&rows);
    if (*is_cancelled && overlay_take_words_back(batch, operation_id, 0, NULL, 0, err) &&
        overlay_end(batch, operation_id, 0, err)) {
        id_list_add(batch->arena, &batch->changes[REPLICA_OPERATION].updated, operation_id);
        return replica_commit(&batch, err);
    }
    replica_abandon(&batch);
    return !*is_cancelled;
}

static bool cancel(struct db *db, int64_t account_id, int64_t operation_id, bool *is_cancelled,
                   struct error *err)
{
    for (int tries = 1;; tries++) {
        struct error why = ERROR_INIT;
        if (cancel_once(db, account_id, operation_id, is_cancelled, &why))
            return true;
        if (db_comes_again(&why, tries))
            continue;
        *err = why;
        return false;
    }
}

static size_t split(struct arena *arena, struct str text, struct str **words)
{
    size_t count = 0;
    *words = ARENA_ARRAY(arena, text.length / 2 + 1, struct str);
    while (text.length > 0) {
        struct str word = str_cut(&text, ' ');
        if (word.length > 0)
            (*words)[count++] = word;
    }
    return count;
}

/* Words of an action come back only as far as it named them: what it added is taken away. */
static bool do_opposite(struct db *db, struct arena *arena, int64_t account_id,
                        const struct past *past, struct str key, struct action_result *result,
                        struct error *err)
{
    struct action action = {
        .email_ids = past->email_ids, .email_count = past->email_count, .idempotency_key = key};
    if (str_equal(past->kind, STR("keywords"))) {
        struct str *added, *removed;
        action.kind = ACTION_KEYWORDS;
        action.mailbox_id = past->mailbox_id;
        action.set = past->clear;
        action.clear = past->set;
        action.remove_count = split(arena, past->added, &added);
        action.remove_words = added;
        action.add_count = split(arena, past->removed, &removed);
        action.add_words = removed;
    } else if (str_equal(past->kind, STR("move"))) {
        action.kind = ACTION_MOVE;
        action.mailbox_id = past->target_id;
        action.target_id = past->mailbox_id;
    } else if (str_equal(past->kind, STR("copy"))) {
        action.kind = ACTION_DESTROY;
        action.mailbox_id = past->target_id;
    } else if (past->there_id) {
        action.kind = ACTION_COPY;
        action.mailbox_id = past->there_id;
        action.target_id = past->mailbox_id;
    } else {
        return error_set(err, ERROR_CONFLICT, "What was deleted for good cannot come back.");
    }
    return action_run(db, arena, account_id, &action, result, err);
}

bool action_undo_one(struct db *db, struct arena *arena, int64_t account_id, int64_t operation_id,
                     struct str key, struct action_result *result, struct error *err)
{
    struct past past;
    bool is_cancelled = false;
    struct error none = ERROR_INIT;
    *result = (struct action_result){0};
    if (!load(db, arena, account_id, operation_id, &past, &none)) {
        if (none.kind == ERROR_NOT_FOUND)
            return mailbox_undo(db, arena, account_id, operation_id, key, result, err);
        *err = none;
        return false;
    }
    if (!cancel(db, account_id, operation_id, &is_cancelled, err))
        return false;
    if (is_cancelled) {
        result->changed = past.email_count;
        return true;
    }
    if (!str_equal(past.state, STR("failed")) && !str_equal(past.state, STR("cancelled")))
        return do_opposite(db, arena, account_id, &past, key, result, err);
    return true; /* it was taken back already */
}

bool action_undo(struct db *db, struct arena *arena, int64_t account_id,
                 const int64_t *operation_ids, size_t count, struct action_result *result,
                 struct error *err)
{
    struct id_list operations = {0};
    size_t changed = 0;
    /* the last first, as they may build on each other */
    for (size_t i = count; i-- > 0;) {
        struct action_result one;
        if (!action_undo_one(db, arena, account_id, operation_ids[i], STR_EMPTY, &one, err))
            return false;
        changed += one.changed;
        for (size_t k = 0; k < one.operation_count; k++)
            id_list_add(arena, &operations, one.operation_ids[k]);
    }
    if (result)
        *result = (struct action_result){.operation_ids = operations.at,
                                         .operation_count = operations.count,
                                         .changed = changed};
    return true;
}

#include "server/store/replay.h"

#include "server/store/actions_private.h"

static bool pass_on(struct replica_batch *batch, int64_t operation_id, bool *is_any,
                    struct error *err)
{
    struct db_rows rows;
    if (!overlay_lock(batch, operation_id, err) ||
        !db_select(batch->db, "replay_pass_on", &rows, err, db_i64(batch->account_id),
                   db_i64(operation_id)))
        return false;
    *is_any = rows.row_count > 0;
    return overlay_take_passed(batch, &rows, err);
}

bool replay_pass_on(struct db *db, int64_t account_id, int64_t operation_id, struct error *err)
{
    bool is_any = false;
    struct replica_batch *batch = replica_begin(db, account_id, err);
    bool is_good = batch && pass_on(batch, operation_id, &is_any, err);
    if (is_any && is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return is_good;
}

bool replay_leave_to_later(struct db *db, int64_t account_id, int64_t operation_id,
                           struct error *err)
{
    return db_execute(db, "replay_leave_to_later", NULL, err, db_i64(account_id),
                      db_i64(operation_id));
}

/* The mailbox whose items come next. */
static bool choose_source(struct db *db, int64_t account_id, struct replay *replay,
                          struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "replay_sources", &rows, err, db_i64(account_id),
                   db_i64(replay->operation_id)))
        return false;
    replay->has_more = rows.row_count > 1;
    if (db_next(&rows))
        replay->mailbox_id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool replay_load(struct db *db, struct arena *arena, int64_t account_id, struct replay *replay,
                 struct error *err)
{
    struct db_rows rows;
    if (!choose_source(db, account_id, replay, err) ||
        !db_select(db, "replay_items", &rows, err, db_i64(account_id), db_i64(replay->operation_id),
                   db_i64(replay->mailbox_id), db_i64(replay->target_id),
                   db_bool(replay->kind == REPLAY_COPY)))
        return false;
    replay->items = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, struct replay_item);
    replay->count = 0;
    while (db_next(&rows)) {
        struct replay_item *item = &replay->items[replay->count++];
        item->email_id = db_get_i64(&rows);
        item->uid = (uint32_t)db_get_i64(&rows);
        item->there_uid = (uint32_t)db_get_i64(&rows);
        item->set = db_get_i32(&rows);
        item->clear = db_get_i32(&rows);
        item->later = db_get_str(&rows, arena);
        item->message_id = db_get_str(&rows, arena);
        item->size_bytes = db_get_i64(&rows);
    }
    db_rows_free(&rows);
    return true;
}

/* --- what became of it ----------------------------------------------------------------------- */

/* The emails of items that are done, with what was told of each. */
struct done {
    int64_t *emails, *uids;
    size_t count;
};

static struct done take_done(struct replica_batch *batch, const struct replay *replay)
{
    struct done done = {.emails = ARENA_ARRAY(batch->arena, replay->count + 1, int64_t),
                        .uids = ARENA_ARRAY(batch->arena, replay->count + 1, int64_t)};
    for (size_t i = 0; i < replay->count; i++) {
        if (!replay->items[i].is_done)
            continue;
        done.emails[done.count] = replay->items[i].email_id;
        done.uids[done.count++] = replay->items[i].new_uid;
    }
    return done;
}

/* Items may differ in what later operations left of them: one statement for each kind. */
static bool set_flags(struct replica_batch *batch, const struct replay *replay, struct error *err)
{
    int64_t *emails = ARENA_ARRAY(batch->arena, replay->count + 1, int64_t);
    bool *is_written = ARENA_ARRAY(batch->arena, replay->count + 1, bool);
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_item *item = &replay->items[i];
        size_t count = 0;
        if (!item->is_done || is_written[i])
            continue;
        for (size_t k = i; k < replay->count; k++) {
            const struct replay_item *other = &replay->items[k];
            if (!other->is_done || other->set != item->set || other->clear != item->clear)
                continue;
            is_written[k] = true;
            emails[count++] = other->email_id;
        }
        if (!db_execute(batch->db, "replay_flags", NULL, err, db_i64(batch->account_id),
                        db_i64(replay->mailbox_id), db_i64_array(emails, count), db_i32(item->set),
                        db_i32(item->clear)))
            return false;
    }
    return true;
}

static bool arrive(struct replica_batch *batch, const struct replay *replay,
                   const struct done *done, struct error *err)
{
    return db_execute(batch->db, "replay_arrived", NULL, err, db_i64(batch->account_id),
                      db_i64(replay->target_id), db_i64_array(done->emails, done->count),
                      db_i64_array(done->uids, done->count));
}

static bool leave(struct replica_batch *batch, const struct replay *replay, const struct done *done,
                  struct error *err)
{
    struct db_rows rows;
    struct db_value emails = db_i64_array(done->emails, done->count);
    if (replay->is_left)
        return db_execute(batch->db, "replay_flags", NULL, err, db_i64(batch->account_id),
                          db_i64(replay->mailbox_id), emails, db_i32(FLAG_DELETED), db_i32(0));
    return db_select(batch->db, "replay_gone", &rows, err, db_i64(batch->account_id),
                     db_i64(replay->mailbox_id), emails, db_i64(replay->operation_id)) &&
           overlay_take_removed(batch, &rows, err) &&
           db_execute(batch->db, "replay_gone_but_shown", NULL, err, db_i64(batch->account_id),
                      db_i64(replay->mailbox_id), emails);
}

static bool write_outcome(struct replica_batch *batch, const struct replay *replay,
                          struct error *err)
{
    struct done done = take_done(batch, replay);
    if (done.count == 0)
        return true;
    switch (replay->kind) {
    case REPLAY_KEYWORDS:
        return set_flags(batch, replay, err);
    case REPLAY_MOVE:
        return arrive(batch, replay, &done, err) && leave(batch, replay, &done, err);
    case REPLAY_COPY:
        return arrive(batch, replay, &done, err);
    case REPLAY_DESTROY:
        return leave(batch, replay, &done, err);
    }
    return true;
}

static bool end_operation(struct replica_batch *batch, int64_t operation_id,
                          const struct error *why, struct error *err)
{
    int64_t affected = 0, account_id = batch->account_id;
    id_list_add(batch->arena, &batch->changes[REPLICA_OPERATION].updated, operation_id);
    bool is_ended =
        why ? db_execute(batch->db, "replay_operation_fail", &affected, err, db_i64(account_id),
                         db_i64(operation_id), db_name(error_kind_name(why->kind)),
                         db_text(str_of(why->message)))
            : db_execute(batch->db, "replay_operation_finish", &affected, err, db_i64(account_id),
                         db_i64(operation_id), db_json(STR("{}")));
    if (is_ended && affected == 0)
        return error_set(err, ERROR_NOT_FOUND, "the operation does not run");
    return is_ended &&
           db_post(batch->db, "replay_notify", err, db_i64(account_id), db_i64(operation_id));
}

/* Emails of a refused operation that an earlier move passed on to it: it lies where that found
 * them. Of several mailboxes the first, as an action is on one. */
struct strays {
    int64_t from_id, to_id, *emails;
    size_t count;
};

static bool find_strays(struct replica_batch *batch, const struct replay *replay,
                        const struct done *done, struct strays *strays, struct error *err)
{
    struct db_rows rows;
    if (!db_select(batch->db, "replay_strays", &rows, err, db_i64(batch->account_id),
                   db_i64(replay->operation_id), db_i64_array(done->emails, done->count)))
        return false;
    strays->emails = ARENA_ARRAY(batch->arena, (size_t)rows.row_count + 1, int64_t);
    while (db_next(&rows)) {
        int64_t from_id = db_get_i64(&rows), to_id = db_get_i64(&rows);
        int64_t email_id = db_get_i64(&rows);
        if (strays->count > 0 && from_id != strays->from_id)
            continue;
        strays->from_id = from_id;
        strays->to_id = to_id;
        strays->emails[strays->count++] = email_id;
    }
    db_rows_free(&rows);
    return true;
}

/* The earlier move is said to be done, so that is where people expect them: a move anew. */
static bool send_strays(struct replica_batch *batch, const struct strays *strays, struct error *err)
{
    struct action action = {.kind = ACTION_MOVE,
                            .mailbox_id = strays->from_id,
                            .target_id = strays->to_id,
                            .email_ids = strays->emails,
                            .email_count = strays->count};
    struct action_result result;
    struct error why = ERROR_INIT;
    if (strays->count == 0 || action_run_in(batch, batch->arena, &action, &result, &why) ||
        why.kind == ERROR_NOT_FOUND || why.kind == ERROR_CONFLICT) /* gone upstream meanwhile */
        return true;
    *err = why;
    return false;
}

/* What does not happen: the words it wrote go, and what it was to take on comes into `strays`. */
static bool take_back(struct replica_batch *batch, const struct replay *replay, bool is_refused,
                      struct strays *strays, struct error *err)
{
    struct done done = take_done(batch, replay);
    int64_t mailbox_id = is_refused ? 0 : replay->mailbox_id;
    return overlay_take_words_back(batch, replay->operation_id, mailbox_id, done.emails, done.count,
                                   err) &&
           (!is_refused || find_strays(batch, replay, &done, strays, err));
}

bool replay_end(struct replica_batch *batch, struct replay *replay, const struct error *why,
                struct error *err)
{
    struct strays strays = {0};
    replay->is_ended = why || !replay->has_more;
    if (!overlay_lock(batch, replay->operation_id, err) || !write_outcome(batch, replay, err) ||
        ((why || replay->kind == REPLAY_KEYWORDS) &&
         !take_back(batch, replay, why != NULL, &strays, err)) ||
        !overlay_end(batch, replay->operation_id, replay->is_ended ? 0 : replay->mailbox_id, err) ||
        !send_strays(batch, &strays, err))
        return false;
    return replay->is_ended ? end_operation(batch, replay->operation_id, why, err)
                            : db_execute(batch->db, "replay_operation_go_on", NULL, err,
                                         db_i64(batch->account_id), db_i64(replay->operation_id));
}

bool replay_end_mailbox(struct replica_batch *batch, int64_t operation_id, int64_t mailbox_id,
                        const struct error *why, struct error *err)
{
    return end_operation(batch, operation_id, why, err) && mailbox_fold(batch, mailbox_id, err);
}

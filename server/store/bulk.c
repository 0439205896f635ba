#include "server/store/bulk.h"

#include "server/store/actions_private.h"
#include "server/store/changes_private.h"

enum { WORDS_MAX = 64 }; /* added, and as many removed */

static const char *const kind_names[] = {
    [BULK_KEYWORDS] = "keywords", [BULK_MOVE] = "move",       [BULK_COPY] = "copy",
    [BULK_TRASH] = "trash",       [BULK_DESTROY] = "destroy", [BULK_UNDO] = "undo"};
static const char *const state_names[] = {[BULK_RUNNING] = "running",
                                          [BULK_DONE] = "done",
                                          [BULK_FAILED] = "failed",
                                          [BULK_CANCELLED] = "cancelled"};
static const char missing[] = "There is no such action.";

const char *bulk_kind_name(enum bulk_kind kind)
{
    return kind_names[kind];
}

const char *bulk_state_name(enum bulk_state state)
{
    return state_names[state];
}

static void read_bulk(struct db_rows *rows, struct arena *arena, struct bulk *bulk)
{
    bulk->account_id = db_get_i64(rows);
    bulk->id = db_get_i64(rows);
    bulk->kind = (enum bulk_kind)DB_GET_NAME(rows, kind_names);
    bulk->state = (enum bulk_state)DB_GET_NAME(rows, state_names);
    bulk->mailbox_id = db_get_i64(rows);
    bulk->query = db_get_str(rows, arena);
    bulk->asked_at = db_get_time(rows);
    bulk->zone_minutes = db_get_i32(rows);
    bulk->set = db_get_i32(rows);
    bulk->clear = db_get_i32(rows);
    bulk->added = db_get_words(rows, arena);
    bulk->removed = db_get_words(rows, arena);
    bulk->target_id = db_get_i64(rows);
    bulk->until = db_get_time(rows);
    bulk->undoes_id = db_get_i64(rows);
    bulk->is_found = db_get_bool(rows);
    bulk->total = db_get_i32(rows);
    bulk->done = db_get_i32(rows);
    bulk->is_marked = db_get_bool(rows);
    bulk->changed = db_get_i32(rows);
    bulk->error = db_get_str(rows, arena);
    bulk->ended_at = db_get_time(rows);
    bulk->user_id = db_get_i64(rows);
}

/* --- accepting ------------------------------------------------------------------------------- */

static bool add(struct db *db, int64_t account_id, enum bulk_kind kind, const struct action *action,
                struct str query, int zone_minutes, int64_t undoes_id, int64_t *id,
                struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "bulk_add", &rows, "There is no such account.", err, db_i64(account_id),
                       db_i64(db_viewer(db)), db_name(kind_names[kind]),
                       db_or_null(db_i64(action->mailbox_id)), db_text(query), db_i32(zone_minutes),
                       db_i32(action->set), db_i32(action->clear),
                       db_text_array(action->add_words, action->add_count),
                       db_text_array(action->remove_words, action->remove_count),
                       db_or_null(db_i64(action->target_id)), db_or_null(db_i64(undoes_id)),
                       db_or_null(db_text(action->idempotency_key)),
                       db_or_null(db_time(action->until))))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool bulk_add(struct db *db, int64_t account_id, const struct action *action, struct str query,
              int zone_minutes, int64_t *id, struct error *err)
{
    static const enum bulk_kind kinds[] = {[ACTION_KEYWORDS] = BULK_KEYWORDS,
                                           [ACTION_MOVE] = BULK_MOVE,
                                           [ACTION_COPY] = BULK_COPY,
                                           [ACTION_TRASH] = BULK_TRASH,
                                           [ACTION_DESTROY] = BULK_DESTROY};
    if (!action->mailbox_id && !query.length)
        return error_set(err, ERROR_INVALID, "No message was named.");
    return action_check(action, true, err) &&
           add(db, account_id, kinds[action->kind], action, query, zone_minutes, 0, id, err);
}

bool bulk_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                struct bulk *bulk, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "bulk_by_id", &rows, missing, err, db_i64(account_id),
                       db_i64(db_viewer(db)), db_i64(id)))
        return false;
    read_bulk(&rows, arena, bulk);
    db_rows_free(&rows);
    return true;
}

bool bulk_list(struct db *db, struct arena *arena, int64_t account_id, int limit,
               struct bulk **bulks, size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(db, "bulk_list", &rows, err, db_i64(account_id), db_i64(db_viewer(db)),
                   db_i64(limit)))
        return false;
    *bulks = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, struct bulk);
    while (db_next(&rows))
        read_bulk(&rows, arena, &(*bulks)[(*count)++]);
    db_rows_free(&rows);
    return true;
}

/* The end of one, told to who listens. */
static bool end(struct db *db, const char *statement, int64_t account_id, int64_t id,
                const struct error *why, int64_t *affected, struct error *err)
{
    bool started = false;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = why ? db_execute(db, statement, affected, err, db_i64(account_id), db_i64(id),
                                    db_text(str_of(why->message)))
                       : db_execute(db, statement, affected, err, db_i64(account_id), db_i64(id));
    is_good = is_good &&
              (!*affected || changes_write_updated(db, account_id, CHANGE_OPERATION, &id, 1, err));
    return db_leave(db, started, is_good, err);
}

bool bulk_cancel(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    struct arena *arena = arena_new();
    struct bulk bulk;
    int64_t affected = 0;
    bool is_good = bulk_by_id(db, arena, account_id, id, &bulk, err) &&
                   end(db, "bulk_cancel", account_id, id, NULL, &affected, err);
    arena_free(&arena);
    return is_good &&
           (affected > 0 || error_set(err, ERROR_CONFLICT, "It has come to its end already."));
}

bool bulk_undo(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
               struct str idempotency_key, int64_t *undo_id, struct error *err)
{
    struct bulk bulk;
    struct action action = {.idempotency_key = idempotency_key};
    int64_t affected = 0;
    if (!bulk_by_id(db, arena, account_id, id, &bulk, err))
        return false;
    if (bulk.kind == BULK_UNDO)
        return error_set(err, ERROR_CONFLICT, "That was taken back already.");
    if (bulk.kind == BULK_DESTROY)
        return error_set(err, ERROR_CONFLICT, "What was deleted for good cannot come back.");
    return end(db, "bulk_cancel", account_id, id, NULL, &affected, err) &&
           add(db, account_id, BULK_UNDO, &action, STR_EMPTY, 0, id, undo_id, err);
}

/* --- carrying out ---------------------------------------------------------------------------- */

bool bulk_next(struct db *db, struct arena *arena, struct bulk *bulk, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "bulk_next", &rows, missing, err))
        return false;
    read_bulk(&rows, arena, bulk);
    db_rows_free(&rows);
    return true;
}

bool bulk_found(struct db *db, const struct bulk *bulk, const int64_t *email_ids, size_t count,
                struct error *err)
{
    return db_execute(db, "bulk_found", NULL, err, db_i64(bulk->account_id), db_i64(bulk->id),
                      db_i64_array(email_ids, count));
}

bool bulk_fail(struct db *db, const struct bulk *bulk, const struct error *why, struct error *err)
{
    int64_t affected = 0;
    return end(db, "bulk_fail", bulk->account_id, bulk->id, why, &affected, err);
}

/* The batch under the cursor, its row locked; `*is_ours` false: another process is at it. */
static bool lock(struct db *db, struct arena *arena, const struct bulk *bulk, int64_t **ids,
                 size_t *count, bool *is_ours, struct error *err)
{
    struct db_rows rows;
    int batch = bulk->kind == BULK_UNDO ? 1 : BULK_BATCH;
    if (!db_select(db, "bulk_lock", &rows, err, db_i64(bulk->account_id), db_i64(bulk->id),
                   db_i32(bulk->done), db_i32(batch), db_bool(bulk->is_marked)))
        return false;
    *is_ours = db_next(&rows);
    if (*is_ours)
        *ids = db_get_i64_array(&rows, arena, count);
    db_rows_free(&rows);
    return true;
}

static size_t split(struct arena *arena, struct str text, const struct str **words)
{
    struct str *at = ARENA_ARRAY(arena, 2 * WORDS_MAX, struct str);
    size_t count = 0;
    while (text.length > 0 && count < 2 * WORDS_MAX) {
        struct str word = str_cut(&text, ' ');
        if (word.length > 0)
            at[count++] = word;
    }
    *words = at;
    return count;
}

/* Leaves out what the person did something else with since. */
static bool leave_out(struct db *db, struct arena *arena, const struct bulk *bulk, bool is_marking,
                      int64_t *ids, size_t *count, struct error *err)
{
    struct db_rows rows;
    struct id_map later;
    size_t kept = 0;
    const struct str *words;
    struct str named =
        arena_printf(arena, "%" STR_FMT " %" STR_FMT, STR_ARG(bulk->added), STR_ARG(bulk->removed));
    size_t word_count = split(arena, named, &words);
    if (!db_select(db, "bulk_later", &rows, err, db_i64(bulk->account_id), db_i64(bulk->id),
                   db_i64_array(ids, *count), db_bool(is_marking), db_i32(bulk->set | bulk->clear),
                   db_text_array(words, word_count)))
        return false;
    id_map_init(arena, &later, (size_t)rows.row_count + 1);
    while (db_next(&rows))
        id_map_at(&later, db_get_i64(&rows), 1);
    db_rows_free(&rows);
    for (size_t i = 0; i < *count; i++)
        if (id_map_get(&later, ids[i]) < 0)
            ids[kept++] = ids[i];
    *count = kept;
    return true;
}

/* Marks come in a batch of their own, before the move that they go with: an action is one to a
 * transaction. */
static bool has_marks(const struct bulk *bulk)
{
    return bulk->set || bulk->clear || bulk->added.length || bulk->removed.length;
}

static void make_action(struct arena *arena, const struct bulk *bulk, bool is_marking,
                        struct action *action)
{
    static const enum action_kind kinds[] = {[BULK_KEYWORDS] = ACTION_KEYWORDS,
                                             [BULK_MOVE] = ACTION_MOVE,
                                             [BULK_COPY] = ACTION_COPY,
                                             [BULK_TRASH] = ACTION_TRASH,
                                             [BULK_DESTROY] = ACTION_DESTROY};
    *action = (struct action){.kind = is_marking ? ACTION_KEYWORDS : kinds[bulk->kind],
                              .mailbox_id = bulk->mailbox_id,
                              .target_id = bulk->target_id,
                              .until = is_marking ? 0 : bulk->until,
                              .destroys_nothing = !bulk->mailbox_id};
    if (!is_marking)
        return;
    action->set = bulk->set;
    action->clear = bulk->clear;
    action->add_count = split(arena, bulk->added, &action->add_words);
    action->remove_count = split(arena, bulk->removed, &action->remove_words);
}

static bool act(struct replica_batch *batch, const struct bulk *bulk, bool is_marking, int64_t *ids,
                size_t count, size_t *changed, struct error *err)
{
    struct action action;
    struct action_result result = {0};
    struct error why = ERROR_INIT;
    *changed = 0;
    if (count == 0)
        return true;
    make_action(batch->arena, bulk, is_marking, &action);
    action.email_ids = ids;
    action.email_count = count;
    if (!action_run_in(batch, batch->arena, &action, &result, &why)) {
        if (why.kind == ERROR_NOT_FOUND) /* none of them is there any more */
            return true;
        *err = why;
        return false;
    }
    *changed = result.changed;
    return result.operation_count == 0 ||
           db_post(batch->db, "bulk_own", err, db_i64(batch->account_id), db_i64(bulk->id),
                   db_i64_array(result.operation_ids, result.operation_count));
}

static bool move_on(struct replica_batch *batch, const struct bulk *bulk, bool stays, size_t taken,
                    size_t changed, struct error *err)
{
    id_list_add(batch->arena, &batch->changes[REPLICA_OPERATION].updated, bulk->id);
    return db_post(batch->db, "bulk_step", err, db_i64(bulk->account_id), db_i64(bulk->id),
                   db_i32(bulk->done + (stays ? 0 : (int)taken)), db_bool(stays),
                   db_i32((int32_t)changed));
}

static bool step(struct db *db, struct arena *arena, const struct bulk *bulk, struct error *err)
{
    int64_t *ids = NULL;
    size_t count = 0, taken, changed = 0;
    bool is_ours = false;
    bool is_marking = bulk->kind == BULK_KEYWORDS || (has_marks(bulk) && !bulk->is_marked);
    struct replica_batch *batch = replica_begin(db, bulk->account_id, err);
    if (!batch || !lock(db, arena, bulk, &ids, &count, &is_ours, err) || !is_ours) {
        replica_abandon(&batch);
        return is_ours || err->kind == ERROR_NONE;
    }
    taken = count;
    if ((count == 0 || leave_out(db, arena, bulk, is_marking, ids, &count, err)) &&
        act(batch, bulk, is_marking, ids, count, &changed, err) &&
        move_on(batch, bulk, is_marking && bulk->kind != BULK_KEYWORDS, taken, changed, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* One operation: its undo is a transaction of its own and, by its key, done once; the cursor
 * follows. */
static bool step_back(struct db *db, struct arena *arena, const struct bulk *bulk,
                      struct error *err)
{
    struct action_result result = {0};
    struct error why = ERROR_INIT;
    struct db_rows rows;
    int64_t *ids = NULL;
    size_t count = 0;
    bool is_ours = false;
    if (!bulk->is_found) {
        if (!db_select(db, "bulk_operations", &rows, err, db_i64(bulk->account_id),
                       db_i64(bulk->undoes_id)))
            return false;
        ids = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, int64_t);
        while (db_next(&rows))
            ids[count++] = db_get_i64(&rows);
        db_rows_free(&rows);
        return bulk_found(db, bulk, ids, count, err);
    }
    if (!lock(db, arena, bulk, &ids, &count, &is_ours, err) || !is_ours)
        return is_ours || err->kind == ERROR_NONE;
    struct str key =
        arena_printf(arena, "undo.%lld.%lld", (long long)bulk->id, (long long)(count ? ids[0] : 0));
    if (count && !action_undo_one(db, arena, bulk->account_id, ids[0], key, &result, &why) &&
        why.kind != ERROR_NOT_FOUND && why.kind != ERROR_CONFLICT) {
        *err = why;
        return false;
    }
    struct replica_batch *batch = replica_begin(db, bulk->account_id, err);
    if (batch &&
        (result.operation_count == 0 ||
         db_post(db, "bulk_own", err, db_i64(bulk->account_id), db_i64(bulk->id),
                 db_i64_array(result.operation_ids, result.operation_count))) &&
        move_on(batch, bulk, false, count, result.changed, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* A deadlock with what the sync role writes meanwhile, a database that is away or slow. */
bool bulk_may_pass(const struct error *why)
{
    return why->kind == ERROR_DATABASE || why->kind == ERROR_UNAVAILABLE ||
           why->kind == ERROR_TIMEOUT;
}

bool bulk_step(struct db *db, struct arena *arena, const struct bulk *bulk, struct error *err)
{
    struct error why = ERROR_INIT;
    if (bulk->kind == BULK_UNDO ? step_back(db, arena, bulk, &why) : step(db, arena, bulk, &why))
        return true;
    if (!bulk_may_pass(&why))
        return bulk_fail(db, bulk, &why, err);
    *err = why;
    return false;
}

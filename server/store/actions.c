#include "server/store/acting_private.h"
#include "server/store/mailboxes.h"
#include "server/store/snooze_private.h"

enum {
    KEY_BYTES_MAX = 200,
    WORD_BYTES_MAX = 100,
    WORDS_MAX = 64,
};

/* --- what may be asked for ------------------------------------------------------------------- */

bool action_is_word(struct str word)
{
    for (size_t i = 0; i < word.length; i++) {
        unsigned char c = (unsigned char)word.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c))
            return false;
    }
    return word.length > 0 && word.length <= WORD_BYTES_MAX;
}

bool action_check(const struct action *action, bool is_bulk, struct error *err)
{
    if (action->email_count > ACTION_EMAILS_MAX)
        return error_set(err, ERROR_LIMIT, "That are too many messages at once.");
    if (action->idempotency_key.length > KEY_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "The idempotency key is too long.");
    if (!is_bulk && action->email_count == 0 && action->thread_id == 0 && action->mailbox_id == 0)
        return error_set(err, ERROR_INVALID, "No message was named.");
    if (action->add_count > WORDS_MAX || action->remove_count > WORDS_MAX)
        return error_set(err, ERROR_LIMIT, "That are too many keywords.");
    for (size_t i = 0; i < action->add_count; i++)
        if (!action_is_word(action->add_words[i]))
            return error_set(err, ERROR_INVALID, "A keyword has characters that it cannot have.");
    return true;
}

/* --- what is there --------------------------------------------------------------------------- */

const struct folder *acting_folder(const struct acting *acting, int64_t id)
{
    for (size_t i = 0; i < acting->folder_count; i++)
        if (acting->folders[i].id == id)
            return &acting->folders[i];
    return NULL;
}

static void take_folders(struct acting *acting, struct db_rows *rows)
{
    acting->folders = ARENA_ARRAY(acting->arena, (size_t)rows->row_count + 1, struct folder);
    while (db_next(rows)) {
        struct folder *folder = &acting->folders[acting->folder_count++];
        folder->id = db_get_i64(rows);
        folder->role = mailbox_role_parse(db_get_slice(rows));
        folder->is_selectable = db_get_bool(rows);
        folder->is_local = db_get_bool(rows);
    }
}

static void take_places(struct acting *acting, struct db_rows *rows)
{
    acting->places = ARENA_ARRAY(acting->arena, (size_t)rows->row_count + 1, struct place);
    while (db_next(rows)) {
        struct place *place = &acting->places[acting->place_count++];
        place->email_id = db_get_i64(rows);
        place->mailbox_id = db_get_i64(rows);
        place->is_upstream = db_get_bool(rows);
        place->flags = db_get_i32(rows);
        place->words = db_get_words(rows, acting->arena);
        place->is_awaited = db_get_bool(rows);
    }
}

/* They are picked in the order of their emails. */
static void note_found(struct acting *acting)
{
    struct action_result *result = acting->result;
    if (acting->action->email_count == 0)
        return;
    result->found_ids = ARENA_ARRAY(acting->arena, acting->place_count + 1, int64_t);
    for (size_t i = 0; i < acting->place_count; i++)
        if (i == 0 || acting->places[i].email_id != acting->places[i - 1].email_id)
            result->found_ids[result->found_count++] = acting->places[i].email_id;
}

static bool pick(struct acting *acting, struct db_rows *rows, struct error *err)
{
    const struct action *a = acting->action;
    int64_t account_id = acting->account_id;
    if (a->email_count > 0)
        return db_select(acting->db, "action_pick_emails", rows, err, db_i64(account_id),
                         db_i64_array(a->email_ids, a->email_count), db_i64(a->mailbox_id));
    if (a->thread_id != 0)
        return db_select(acting->db, "action_pick_thread", rows, err, db_i64(account_id),
                         db_i64(a->thread_id), db_i64(a->mailbox_id));
    return db_select(acting->db, "action_pick_mailbox", rows, err, db_i64(account_id),
                     db_i64(a->mailbox_id), db_i64(ACTION_EMAILS_MAX + 1));
}

/* Whether that can be acted upon at all. */
static bool check_found(const struct acting *acting, struct error *err)
{
    const struct action *a = acting->action;
    if (acting->folder_count == 0)
        return error_set(err, ERROR_NOT_FOUND, "There is no such account.");
    if (a->mailbox_id && !acting_folder(acting, a->mailbox_id))
        return error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
    if (acting->place_count > ACTION_EMAILS_MAX)
        return error_set(err, ERROR_LIMIT, "That are too many messages at once.");
    if (acting->place_count == 0 && (a->email_count > 0 || a->thread_id != 0))
        return error_set(err, ERROR_NOT_FOUND, "There is no such message any more.");
    return true;
}

/* --- what was done before -------------------------------------------------------------------- */

/* `rows` for take_known; none without a key. */
static bool post_known(struct db *db, struct arena *arena, int64_t account_id, struct str key,
                       struct db_rows *rows, struct error *err)
{
    *rows = (struct db_rows){0};
    if (key.length == 0)
        return true;
    struct str prefix = arena_printf(arena, "%" STR_FMT "/", STR_ARG(key));
    return db_post(db, "action_key_lock", err, db_i64(account_id), db_text(key)) &&
           db_post_select(db, "action_known", rows, err, db_i64(account_id), db_text(key),
                          db_text(prefix));
}

static bool take_known(struct db_rows *rows, struct arena *arena, struct action_result *result)
{
    bool is_known = rows->row_count > 0;
    result->operation_ids = ARENA_ARRAY(arena, (size_t)rows->row_count + 1, int64_t);
    while (db_next(rows))
        result->operation_ids[result->operation_count++] = db_get_i64(rows);
    return is_known;
}

bool action_find_known(struct db *db, struct arena *arena, int64_t account_id, struct str key,
                       struct action_result *result, bool *is_known, struct error *err)
{
    struct db_rows rows;
    bool is_good = post_known(db, arena, account_id, key, &rows, err) && db_catch_up(db, err);
    *is_known = is_good && take_known(&rows, arena, result);
    db_rows_free(&rows);
    return is_good;
}

/* --- the whole of it ------------------------------------------------------------------------- */

/* In one round trip: whether it was done before, the folders, and the places, which are locked. */
static bool look(struct acting *acting, bool *is_known, struct error *err)
{
    struct db_rows known, folders = {0}, places = {0};
    bool is_good = post_known(acting->db, acting->arena, acting->account_id,
                              acting->action->idempotency_key, &known, err) &&
                   db_post_select(acting->db, "action_mailboxes", &folders, err,
                                  db_i64(acting->account_id), db_i64(db_viewer(acting->db))) &&
                   (!acting->action->until || snooze_hold(acting->db, acting->account_id, err)) &&
                   pick(acting, &places, err);
    *is_known = is_good && take_known(&known, acting->arena, acting->result);
    if (is_good && !*is_known) {
        take_folders(acting, &folders);
        take_places(acting, &places);
        note_found(acting);
        is_good = check_found(acting, err);
    }
    db_rows_free(&known);
    db_rows_free(&folders);
    db_rows_free(&places);
    return is_good;
}

/* Where each lies now, for it to come back there. */
static bool note_snoozed(const struct acting *acting, struct error *err)
{
    const struct action *action = acting->action;
    if (action->until == 0)
        return true;
    int64_t *email_ids = ARENA_ARRAY(acting->arena, acting->place_count + 1, int64_t);
    int64_t *mailbox_ids = ARENA_ARRAY(acting->arena, acting->place_count + 1, int64_t);
    for (size_t i = 0; i < acting->place_count; i++) {
        email_ids[i] = acting->places[i].email_id;
        mailbox_ids[i] = acting->places[i].mailbox_id;
    }
    return snooze_note(acting->db, acting->account_id, action->target_id, action->until, email_ids,
                       mailbox_ids, acting->place_count, err);
}

static bool act(struct acting *acting, bool *is_known, struct error *err)
{
    return action_check(acting->action, false, err) && look(acting, is_known, err) &&
           (*is_known || (acting_decide(acting, err) && note_snoozed(acting, err) &&
                          acting_perform(acting, err)));
}

/* Two round trips for most: one that looks, and all that is written with the commit. */
static bool run_once(struct db *db, struct arena *arena, int64_t account_id,
                     const struct action *action, struct action_result *result, struct error *err)
{
    struct acting acting = {
        .db = db, .arena = arena, .account_id = account_id, .action = action, .result = result};
    bool is_known = false;
    *result = (struct action_result){0};
    if (!(acting.batch = replica_begin(db, account_id, err)))
        return false;
    bool is_good = act(&acting, &is_known, err);
    if (!is_good || is_known || (acting.run_count == 0 && !action->until)) {
        replica_abandon(&acting.batch);
        return is_good;
    }
    is_good = replica_post_changes(acting.batch, err) && acting_enqueue(&acting, err);
    if (!is_good)
        replica_abandon(&acting.batch);
    is_good = is_good && replica_commit(&acting.batch, err);
    return acting_take_operations(&acting, is_good ? err : NULL) && is_good;
}

bool action_run(struct db *db, struct arena *arena, int64_t account_id, const struct action *action,
                struct action_result *result, struct error *err)
{
    for (int tries = 1;; tries++) {
        struct error why = ERROR_INIT;
        if (run_once(db, arena, account_id, action, result, &why))
            return true;
        if (db_comes_again(&why, tries))
            continue;
        if (err)
            *err = why;
        return false;
    }
}

bool action_run_in(struct replica_batch *batch, struct arena *arena, const struct action *action,
                   struct action_result *result, struct error *err)
{
    struct acting acting = {.db = batch->db,
                            .arena = arena,
                            .account_id = batch->account_id,
                            .action = action,
                            .batch = batch,
                            .result = result};
    bool is_known = false;
    *result = (struct action_result){0};
    if (!act(&acting, &is_known, err))
        return false;
    if (acting.run_count == 0)
        return true;
    bool is_good = acting_enqueue(&acting, err) && db_catch_up(batch->db, err);
    return acting_take_operations(&acting, is_good ? err : NULL) && is_good;
}

#include "server/store/actions_private.h"

#include <stdlib.h>

#include "server/base/json.h"
#include "server/store/mailboxes.h"
#include "server/store/operations.h"
#include "server/store/replica_private.h"
#include "server/store/snooze_private.h"

enum {
    KEY_BYTES_MAX = 200,
    WORD_BYTES_MAX = 100,
    WORDS_MAX = 64,
    ARGUMENTS_BYTES_MAX = 4 << 20, /* ACTION_EMAILS_MAX ids */
    TRIES_MAX = 3,
};

/* What an operation lays over its items, as in operation_item.effect. */
enum effect { EFFECT_FLAGS, EFFECT_LEAVES, EFFECT_COMES };

/* What becomes of one placement. */
enum deed { DEED_NOTHING, DEED_KEYWORDS, DEED_MOVE, DEED_COPY, DEED_DESTROY };
static const char *const deed_names[] = {[DEED_KEYWORDS] = "keywords",
                                         [DEED_MOVE] = "move",
                                         [DEED_COPY] = "copy",
                                         [DEED_DESTROY] = "destroy"};

struct place {
    int64_t email_id, mailbox_id;
    int flags;
    struct str words;
    bool is_upstream; /* has a uid */
    bool is_awaited;  /* pending, or to be met again */
    enum deed deed;
    bool is_direct; /* done here and now: nothing to do upstream */
    int set, clear; /* flags that really change */
    int64_t target_id;
};

struct folder {
    int64_t id;
    enum mailbox_role role;
    bool is_selectable, is_local;
};

/* Places with the same deed: what becomes one operation. */
struct run {
    const struct place *first;
    size_t count;
    int64_t *email_ids;
};

struct acting {
    struct db *db;
    struct arena *arena; /* the caller's */
    int64_t account_id;
    const struct action *action;
    struct replica_batch *batch;
    struct folder *folders;
    size_t folder_count;
    struct place *places;
    size_t place_count;
    struct run *runs;
    size_t run_count;
    struct action_result *result;
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

static bool load_folders(struct acting *acting, struct error *err)
{
    struct db_rows rows;
    if (!db_select(acting->db, "action_mailboxes", &rows, err, db_i64(acting->account_id)))
        return false;
    acting->folders = ARENA_ARRAY(acting->arena, (size_t)rows.row_count + 1, struct folder);
    while (db_next(&rows)) {
        struct folder *folder = &acting->folders[acting->folder_count++];
        folder->id = db_get_i64(&rows);
        folder->role = mailbox_role_parse(db_get_slice(&rows));
        folder->is_selectable = db_get_bool(&rows);
        folder->is_local = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

static const struct folder *folder_of(const struct acting *acting, int64_t id)
{
    for (size_t i = 0; i < acting->folder_count; i++)
        if (acting->folders[i].id == id)
            return &acting->folders[i];
    return NULL;
}

static const struct folder *folder_with_role(const struct acting *acting, enum mailbox_role role)
{
    for (size_t i = 0; i < acting->folder_count; i++)
        if (acting->folders[i].role == role && acting->folders[i].is_selectable)
            return &acting->folders[i];
    return NULL;
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

static bool pick(struct acting *acting, struct error *err)
{
    const struct action *a = acting->action;
    struct db_rows rows;
    int64_t account_id = acting->account_id;
    bool is_picked =
        a->email_count > 0
            ? db_select(acting->db, "action_pick_emails", &rows, err, db_i64(account_id),
                        db_i64_array(a->email_ids, a->email_count), db_i64(a->mailbox_id))
        : a->thread_id != 0
            ? db_select(acting->db, "action_pick_thread", &rows, err, db_i64(account_id),
                        db_i64(a->thread_id), db_i64(a->mailbox_id))
            : db_select(acting->db, "action_pick_mailbox", &rows, err, db_i64(account_id),
                        db_i64(a->mailbox_id), db_i64(ACTION_EMAILS_MAX + 1));
    if (!is_picked)
        return false;
    acting->places = ARENA_ARRAY(acting->arena, (size_t)rows.row_count + 1, struct place);
    while (db_next(&rows)) {
        struct place *place = &acting->places[acting->place_count++];
        place->email_id = db_get_i64(&rows);
        place->mailbox_id = db_get_i64(&rows);
        place->is_upstream = db_get_bool(&rows);
        place->flags = db_get_i32(&rows);
        place->words = db_get_words(&rows, acting->arena);
        place->is_awaited = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    if (acting->place_count > ACTION_EMAILS_MAX)
        return error_set(err, ERROR_LIMIT, "That are too many messages at once.");
    note_found(acting);
    if (acting->place_count == 0 && (a->email_count > 0 || a->thread_id != 0))
        return error_set(err, ERROR_NOT_FOUND, "There is no such message any more.");
    return true;
}

/* --- what becomes of each -------------------------------------------------------------------- */

static void decide_keywords(const struct action *action, struct place *place)
{
    bool is_other_word = false;
    place->set = action->set & ~place->flags;
    place->clear = action->clear & place->flags & ~action->set;
    for (size_t i = 0; i < action->add_count; i++)
        is_other_word = is_other_word || !str_has_word_nocase(place->words, action->add_words[i]);
    for (size_t i = 0; i < action->remove_count; i++)
        is_other_word = is_other_word || str_has_word_nocase(place->words, action->remove_words[i]);
    if (place->set || place->clear || is_other_word)
        place->deed = DEED_KEYWORDS;
}

static bool decide_trash(const struct acting *acting, const struct folder *source,
                         struct place *place, struct error *err)
{
    const struct folder *trash = folder_with_role(acting, ROLE_TRASH);
    bool is_doomed = source->role == ROLE_TRASH || source->role == ROLE_JUNK;
    if (is_doomed && !acting->action->destroys_nothing) {
        place->deed = DEED_DESTROY;
        return true;
    }
    if (!trash) {
        error_set(err, ERROR_CONFLICT, "This account has no folder for deleted messages.");
        return error_hint(err, "Make a folder named Trash, or delete the messages for good.");
    }
    place->deed = DEED_MOVE;
    place->target_id = trash->id;
    return true;
}

/* Folders that show what lies elsewhere ("All mail", RFC 6154): who moves a message from wherever
 * it lies means the other places, if there are any. */
static bool is_virtual(const struct folder *folder)
{
    return folder->role == ROLE_ALL || folder->role == ROLE_FLAGGED ||
           folder->role == ROLE_IMPORTANT;
}

/* Places of one email stand beside one another. */
static bool is_shadow(const struct acting *acting, const struct place *place)
{
    const struct place *end = acting->places + acting->place_count, *other = place;
    if (acting->action->mailbox_id || !is_virtual(folder_of(acting, place->mailbox_id)))
        return false;
    while (other > acting->places && other[-1].email_id == place->email_id)
        other--;
    for (; other < end && other->email_id == place->email_id; other++)
        if (!is_virtual(folder_of(acting, other->mailbox_id)))
            return true;
    return false;
}

static bool decide(const struct acting *acting, struct place *place, struct error *err)
{
    const struct action *action = acting->action;
    const struct folder *source = folder_of(acting, place->mailbox_id);
    place->is_direct = source->is_local || (!place->is_upstream && !place->is_awaited);
    switch (action->kind) {
    case ACTION_KEYWORDS:
        decide_keywords(action, place);
        return true;
    case ACTION_TRASH:
        if (!decide_trash(acting, source, place, err))
            return false;
        break;
    case ACTION_DESTROY:
        place->deed = DEED_DESTROY;
        return true;
    case ACTION_MOVE:
    case ACTION_COPY:
        place->deed = action->kind == ACTION_MOVE ? DEED_MOVE : DEED_COPY;
        place->target_id = action->target_id;
    }
    if (place->target_id == place->mailbox_id || is_shadow(acting, place))
        place->deed = DEED_NOTHING;
    if (place->deed != DEED_NOTHING && place->target_id &&
        folder_of(acting, place->target_id)->is_local != source->is_local)
        return error_set(err, ERROR_CONFLICT,
                         "Messages do not go between folders here and on the mail server.");
    return true;
}

/* An email has one place in a mailbox: what lies in the target already is not moved there, it only
 * leaves where it was. Its target stays noted, for people are told of a move. */
static bool decide_present(struct acting *acting, int64_t target_id, struct error *err)
{
    struct db_rows rows;
    struct id_map present;
    int64_t *ids = ARENA_ARRAY(acting->arena, acting->place_count + 1, int64_t);
    size_t count = 0;
    for (size_t i = 0; i < acting->place_count; i++)
        if (acting->places[i].target_id == target_id && acting->places[i].deed != DEED_NOTHING)
            ids[count++] = acting->places[i].email_id;
    if (count == 0)
        return true;
    if (!db_select(acting->db, "action_present", &rows, err, db_i64(acting->account_id),
                   db_i64(target_id), db_i64_array(ids, count)))
        return false;
    id_map_init(acting->arena, &present, acting->place_count + (size_t)rows.row_count);
    while (db_next(&rows))
        id_map_at(&present, db_get_i64(&rows), 1);
    db_rows_free(&rows);
    for (size_t i = 0; i < acting->place_count; i++) {
        struct place *place = &acting->places[i];
        if (place->target_id != target_id || (place->deed != DEED_MOVE && place->deed != DEED_COPY))
            continue;
        /* of several places of one email the first arrives, the others only leave */
        if (*id_map_at(&present, place->email_id, 2) == 1)
            place->deed = place->deed == DEED_MOVE ? DEED_DESTROY : DEED_NOTHING;
        else
            *id_map_at(&present, place->email_id, 1) = 1;
    }
    return true;
}

static bool decide_all(struct acting *acting, struct error *err)
{
    int64_t target_id = acting->action->target_id;
    const struct folder *trash = folder_with_role(acting, ROLE_TRASH);
    if (acting->action->kind == ACTION_MOVE || acting->action->kind == ACTION_COPY) {
        const struct folder *target = folder_of(acting, target_id);
        if (!target)
            return error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
        if (!target->is_selectable)
            return error_set(err, ERROR_CONFLICT, "This folder cannot hold messages.");
    } else {
        target_id = acting->action->kind == ACTION_TRASH && trash ? trash->id : 0;
    }
    for (size_t i = 0; i < acting->place_count; i++)
        if (!decide(acting, &acting->places[i], err))
            return false;
    return target_id == 0 || decide_present(acting, target_id, err);
}

/* --- doing it here --------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    const int64_t keys[][2] = {{x->deed, y->deed},
                               {x->is_direct, y->is_direct},
                               {x->mailbox_id, y->mailbox_id},
                               {x->target_id, y->target_id},
                               {x->set, y->set},
                               {x->clear, y->clear}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return (x->email_id > y->email_id) - (x->email_id < y->email_id);
}

static bool is_same_run(const struct place *x, const struct place *y)
{
    return x->deed == y->deed && x->is_direct == y->is_direct && x->mailbox_id == y->mailbox_id &&
           x->target_id == y->target_id && x->set == y->set && x->clear == y->clear;
}

static void make_runs(struct acting *acting)
{
    qsort(acting->places, acting->place_count, sizeof *acting->places, compare_places);
    acting->runs = ARENA_ARRAY(acting->arena, acting->place_count + 1, struct run);
    for (size_t i = 0; i < acting->place_count; i++) {
        const struct place *place = &acting->places[i];
        if (place->deed == DEED_NOTHING)
            continue;
        struct run *run = acting->run_count ? &acting->runs[acting->run_count - 1] : NULL;
        if (!run || !is_same_run(run->first, place)) {
            run = &acting->runs[acting->run_count++];
            run->first = place;
            run->email_ids = ARENA_ARRAY(acting->arena, acting->place_count - i, int64_t);
        }
        run->email_ids[run->count++] = place->email_id;
        id_list_add(acting->batch->arena, &acting->batch->changes[REPLICA_EMAIL].updated,
                    place->email_id);
        acting->result->changed++;
    }
}

static struct db_value ids_of(const struct run *run)
{
    return db_i64_array(run->email_ids, run->count);
}

/* They are not seen any more where they were. */
static void count_leaving(struct acting *acting, const struct run *run)
{
    struct replica_touch *touch = replica_touch(acting->batch, run->first->mailbox_id);
    touch->total -= (int32_t)run->count;
    for (size_t i = 0; i < run->count; i++)
        touch->unread -= flags_are_unread(run->first[i].flags);
}

static bool mark(struct acting *acting, const struct run *run, struct error *err)
{
    const struct action *action = acting->action;
    const struct place *first = run->first;
    struct replica_touch *touch = replica_touch(acting->batch, first->mailbox_id);
    for (size_t i = 0; i < run->count; i++) {
        int flags = run->first[i].flags;
        touch->unread +=
            flags_are_unread((flags | first->set) & ~first->clear) - flags_are_unread(flags);
    }
    if (!db_post(acting->db, "action_flags", err, db_i64(acting->account_id),
                 db_i64(first->mailbox_id), ids_of(run), db_i32(first->set), db_i32(first->clear),
                 db_bool(first->is_direct)))
        return false;
    return action->add_count + action->remove_count == 0 ||
           db_post(acting->db, "action_words", err, db_i64(acting->account_id),
                   db_i64(first->mailbox_id), ids_of(run),
                   db_text_array(action->add_words, action->add_count),
                   db_text_array(action->remove_words, action->remove_count));
}

static bool show(struct acting *acting, const struct run *run, struct error *err)
{
    struct db_rows rows;
    if (!db_select(acting->db, "action_show", &rows, err, db_i64(acting->account_id),
                   db_i64(run->first->mailbox_id), db_i64(run->first->target_id), ids_of(run)))
        return false;
    struct replica_touch *touch = replica_touch(acting->batch, run->first->target_id);
    while (db_next(&rows)) {
        touch->total++;
        touch->unread += flags_are_unread(db_get_i32(&rows));
    }
    db_rows_free(&rows);
    return true;
}

static bool leave(struct acting *acting, const struct run *run, struct error *err)
{
    bool is_direct = run->first->is_direct;
    struct id_list emails = {0};
    count_leaving(acting, run);
    if (!db_post(acting->db, is_direct ? "action_remove" : "action_hide", err,
                 db_i64(acting->account_id), db_i64(run->first->mailbox_id), ids_of(run)))
        return false;
    for (size_t i = 0; i < run->count; i++)
        id_list_add(acting->batch->arena, &emails, run->email_ids[i]);
    return !is_direct || replica_drop_orphans(acting->batch, &emails, err);
}

static bool perform(struct acting *acting, const struct run *run, struct error *err)
{
    switch (run->first->deed) {
    case DEED_KEYWORDS:
        return mark(acting, run, err);
    case DEED_MOVE:
        return show(acting, run, err) && leave(acting, run, err);
    case DEED_COPY:
        return show(acting, run, err);
    case DEED_DESTROY:
        return leave(acting, run, err);
    case DEED_NOTHING:
        break;
    }
    return true;
}

/* --- asking for it upstream ------------------------------------------------------------------ */

static void write_words(struct json *json, const char *name, const struct str *words, size_t count)
{
    if (count == 0)
        return;
    json_write_name(json, name);
    json_write_array(json);
    for (size_t i = 0; i < count; i++)
        json_write_str(json, words[i]);
    json_write_array_end(json);
}

static void write_number(struct json *json, const char *name, int64_t number)
{
    if (number == 0)
        return;
    json_write_name(json, name);
    json_write_i64(json, number);
}

static void write_arguments(struct buf *out, const struct acting *acting, const struct run *run)
{
    const struct place *first = run->first;
    struct json json = JSON_INIT(out);
    json_write_object(&json);
    write_number(&json, "mailboxId", first->mailbox_id);
    if (first->deed == DEED_MOVE || first->deed == DEED_COPY)
        write_number(&json, "toId", first->target_id);
    if (first->deed == DEED_DESTROY)
        write_number(&json, "thereId", first->target_id);
    if (first->deed == DEED_KEYWORDS) {
        write_number(&json, "set", first->set);
        write_number(&json, "clear", first->clear);
        write_words(&json, "add", acting->action->add_words, acting->action->add_count);
        write_words(&json, "remove", acting->action->remove_words, acting->action->remove_count);
    }
    json_write_name(&json, "emailIds");
    json_write_array(&json);
    for (size_t i = 0; i < run->count; i++)
        json_write_i64(&json, run->email_ids[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
}

static struct str key_of(const struct acting *acting, size_t n)
{
    struct str key = acting->action->idempotency_key;
    return key.length == 0 || n == 0
               ? key
               : arena_printf(acting->arena, "%" STR_FMT "/%zu", STR_ARG(key), n);
}

static bool add_items(struct acting *acting, const struct run *run, int64_t operation_id,
                      enum effect effect, struct error *err)
{
    const struct place *first = run->first;
    int64_t mailbox_id = effect == EFFECT_COMES ? first->target_id : first->mailbox_id;
    return db_post(acting->db, "action_items", err, db_i64(acting->account_id),
                   db_i64(operation_id), db_i64(mailbox_id), ids_of(run), db_i16((int16_t)effect),
                   db_i32(first->set), db_i32(first->clear));
}

static bool enqueue(struct acting *acting, const struct run *run, size_t n, struct error *err)
{
    enum deed deed = run->first->deed;
    struct buf arguments = BUF_INIT(ARGUMENTS_BYTES_MAX);
    struct str kind = str_of(deed_names[deed]), key = key_of(acting, n);
    int64_t id = 0;
    bool is_good;
    write_arguments(&arguments, acting, run);
    if (run->first->is_direct) {
        is_good = operation_record(acting->db, acting->account_id, kind, buf_view(&arguments), key,
                                   &id, err);
    } else {
        is_good = operation_enqueue(acting->db, acting->account_id, kind, buf_view(&arguments),
                                    false, key, &id, err);
        if (is_good && deed != DEED_COPY)
            is_good = add_items(acting, run, id,
                                deed == DEED_KEYWORDS ? EFFECT_FLAGS : EFFECT_LEAVES, err);
        if (is_good && (deed == DEED_MOVE || deed == DEED_COPY))
            is_good = add_items(acting, run, id, EFFECT_COMES, err);
    }
    buf_free(&arguments);
    acting->result->operation_ids[acting->result->operation_count++] = id;
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

/* --- the whole of it ------------------------------------------------------------------------- */

bool action_find_known(struct db *db, struct arena *arena, int64_t account_id, struct str key,
                       struct action_result *result, bool *is_known, struct error *err)
{
    struct db_rows rows;
    *is_known = false;
    if (key.length == 0)
        return true;
    struct str prefix = arena_printf(arena, "%" STR_FMT "/", STR_ARG(key));
    if (!db_post(db, "action_key_lock", err, db_i64(account_id), db_text(key)) ||
        !db_select(db, "action_known", &rows, err, db_i64(account_id), db_text(key),
                   db_text(prefix)))
        return false;
    *is_known = rows.row_count > 0;
    result->operation_ids = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, int64_t);
    while (db_next(&rows))
        result->operation_ids[result->operation_count++] = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

static bool find_known(struct acting *acting, bool *is_known, struct error *err)
{
    return action_find_known(acting->db, acting->arena, acting->account_id,
                             acting->action->idempotency_key, acting->result, is_known, err);
}

static bool act(struct acting *acting, struct error *err)
{
    if (!load_folders(acting, err))
        return false;
    if (acting->action->mailbox_id && !folder_of(acting, acting->action->mailbox_id))
        return error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
    if (acting->action->until && !snooze_hold(acting->db, acting->account_id, err))
        return false;
    if (!pick(acting, err) || !decide_all(acting, err) || !note_snoozed(acting, err))
        return false;
    make_runs(acting);
    for (size_t i = 0; i < acting->run_count; i++)
        if (!perform(acting, &acting->runs[i], err))
            return false;
    acting->result->operation_ids = ARENA_ARRAY(acting->arena, acting->run_count + 1, int64_t);
    if (!replica_write_counts(acting->batch, err)) /* before the account's row is locked */
        return false;
    for (size_t i = 0; i < acting->run_count; i++)
        if (!enqueue(acting, &acting->runs[i], i, err))
            return false;
    return true;
}

static bool run_once(struct db *db, struct arena *arena, int64_t account_id,
                     const struct action *action, struct action_result *result, struct error *err)
{
    struct acting acting = {
        .db = db, .arena = arena, .account_id = account_id, .action = action, .result = result};
    bool is_known = false;
    *result = (struct action_result){0};
    if (!action_check(action, false, err) || !(acting.batch = replica_begin(db, account_id, err)))
        return false;
    bool is_good = find_known(&acting, &is_known, err) && (is_known || act(&acting, err));
    if (is_good && !is_known && (acting.run_count > 0 || action->until))
        return replica_commit(&acting.batch, err);
    replica_abandon(&acting.batch);
    return is_good;
}

/* Of two transactions that wait for each other PostgreSQL ends one. What the sync role writes comes
 * again by itself; a person who clicked shall not have to. */
bool action_run(struct db *db, struct arena *arena, int64_t account_id, const struct action *action,
                struct action_result *result, struct error *err)
{
    bool may_repeat = !db_in_transaction(db);
    for (int tries = 1;; tries++) {
        struct error why = ERROR_INIT;
        if (run_once(db, arena, account_id, action, result, &why))
            return true;
        bool is_passing = why.kind == ERROR_UNAVAILABLE && why.retry == ERROR_RETRY_NOW;
        if (may_repeat && is_passing && tries < TRIES_MAX)
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
    *result = (struct action_result){0};
    bool is_known = false;
    return action_check(action, false, err) && find_known(&acting, &is_known, err) &&
           (is_known || act(&acting, err));
}

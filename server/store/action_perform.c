/* Doing here what was decided, and asking for it upstream. */
#include "server/store/acting_private.h"

#include <stdlib.h>

#include "server/base/json.h"

enum { ARGUMENTS_BYTES_MAX = 4 << 20 /* ACTION_EMAILS_MAX ids */ };

/* What an operation lays over its items, as in operation_item.effect. */
enum effect { EFFECT_FLAGS, EFFECT_LEAVES, EFFECT_COMES };

static const char *const deed_names[] = {[DEED_KEYWORDS] = "keywords",
                                         [DEED_MOVE] = "move",
                                         [DEED_COPY] = "copy",
                                         [DEED_DESTROY] = "destroy"};

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

bool acting_perform(struct acting *acting, struct error *err)
{
    make_runs(acting);
    for (size_t i = 0; i < acting->run_count; i++)
        if (!perform(acting, &acting->runs[i], err))
            return false;
    return replica_write_counts(acting->batch, err); /* before the account's row is locked */
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

static bool record(struct acting *acting, const struct run *run, struct str arguments,
                   struct str key, struct db_rows *rows, struct error *err)
{
    return db_post_select(acting->db, "action_record", rows, err, db_i64(acting->account_id),
                          db_i64(db_viewer(acting->db)), db_name(deed_names[run->first->deed]),
                          db_json(arguments), db_or_null(db_text(key)));
}

/* With what it lays over its places: flags, leaving a mailbox, coming to one. */
static bool enqueue(struct acting *acting, const struct run *run, struct str arguments,
                    struct str key, struct db_rows *rows, struct error *err)
{
    const struct place *first = run->first;
    int64_t mailbox_ids[2];
    int32_t effects[2];
    size_t count = 0;
    if (first->deed != DEED_COPY) {
        mailbox_ids[count] = first->mailbox_id;
        effects[count++] = first->deed == DEED_KEYWORDS ? EFFECT_FLAGS : EFFECT_LEAVES;
    }
    if (first->deed == DEED_MOVE || first->deed == DEED_COPY) {
        mailbox_ids[count] = first->target_id;
        effects[count++] = EFFECT_COMES;
    }
    return db_post_select(acting->db, "action_enqueue", rows, err, db_i64(acting->account_id),
                          db_i64(db_viewer(acting->db)), db_name(deed_names[first->deed]),
                          db_json(arguments), db_or_null(db_text(key)), ids_of(run),
                          db_i64_array(mailbox_ids, count), db_i32_array(effects, count),
                          db_i32(first->set), db_i32(first->clear));
}

bool acting_enqueue(struct acting *acting, struct error *err)
{
    bool is_good = true;
    acting->enqueued = ARENA_ARRAY(acting->arena, acting->run_count + 1, struct db_rows);
    for (size_t i = 0; is_good && i < acting->run_count; i++) {
        const struct run *run = &acting->runs[i];
        struct buf arguments = BUF_INIT(ARGUMENTS_BYTES_MAX);
        write_arguments(&arguments, acting, run);
        is_good = (run->first->is_direct ? record : enqueue)(
            acting, run, buf_view(&arguments), key_of(acting, i), &acting->enqueued[i], err);
        buf_free(&arguments);
    }
    return is_good;
}

bool acting_take_operations(struct acting *acting, struct error *err)
{
    struct action_result *result = acting->result;
    size_t count = acting->enqueued ? acting->run_count : 0;
    result->operation_ids = ARENA_ARRAY(acting->arena, count + 1, int64_t);
    for (size_t i = 0; i < count; i++) {
        if (db_next(&acting->enqueued[i]))
            result->operation_ids[result->operation_count++] = db_get_i64(&acting->enqueued[i]);
        db_rows_free(&acting->enqueued[i]);
    }
    return result->operation_count == count ||
           error_set(err, ERROR_NOT_FOUND, "There is no such account.");
}

/* What becomes of each placement that an action concerns. */
#include "server/store/acting_private.h"

static const struct folder *folder_with_role(const struct acting *acting, enum mailbox_role role)
{
    for (size_t i = 0; i < acting->folder_count; i++)
        if (acting->folders[i].role == role && acting->folders[i].is_selectable)
            return &acting->folders[i];
    return NULL;
}

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
    if (acting->action->mailbox_id || !is_virtual(acting_folder(acting, place->mailbox_id)))
        return false;
    while (other > acting->places && other[-1].email_id == place->email_id)
        other--;
    for (; other < end && other->email_id == place->email_id; other++)
        if (!is_virtual(acting_folder(acting, other->mailbox_id)))
            return true;
    return false;
}

static bool decide(const struct acting *acting, struct place *place, struct error *err)
{
    const struct action *action = acting->action;
    const struct folder *source = acting_folder(acting, place->mailbox_id);
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
        acting_folder(acting, place->target_id)->is_local != source->is_local)
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

bool acting_decide(struct acting *acting, struct error *err)
{
    int64_t target_id = acting->action->target_id;
    const struct folder *trash = folder_with_role(acting, ROLE_TRASH);
    if (acting->action->kind == ACTION_MOVE || acting->action->kind == ACTION_COPY) {
        const struct folder *target = acting_folder(acting, target_id);
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

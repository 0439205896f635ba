#include "server/store/contact_groups.h"

#include "server/store/contacts_private.h"
#include "server/store/db.h"

static const char no_group[] = "there is no such group";

static bool read_groups(struct db_rows *rows, struct arena *arena, struct contact_group **groups,
                        size_t *count)
{
    *count = (size_t)rows->row_count;
    *groups = ARENA_ARRAY(arena, *count, struct contact_group);
    for (struct contact_group *group = *groups; db_next(rows); group++) {
        group->id = db_get_i64(rows);
        group->name = db_get_str(rows, arena);
        group->member_count = db_get_i64(rows);
    }
    db_rows_free(rows);
    return true;
}

bool contact_group_list(struct db *db, struct arena *arena, int64_t user_id,
                        struct contact_group **groups, size_t *count, struct error *err)
{
    struct db_rows rows;
    return db_select(db, "contact_group_list", &rows, err, db_i64(user_id)) &&
           read_groups(&rows, arena, groups, count);
}

bool contact_group_by_id(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                         struct contact_group *group, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "contact_group_by_id", &rows, no_group, err, db_i64(user_id),
                       db_i64(id)))
        return false;
    group->id = db_get_i64(&rows);
    group->name = db_get_str(&rows, arena);
    group->member_count = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

static bool check_name(struct str name, struct error *err)
{
    if (name.length == 0)
        return error_set(err, ERROR_INVALID, "A group has a name.");
    for (size_t i = 0; i < name.length; i++)
        if (strchr("@,;<>\"\n", name.at[i]))
            return error_set(err, ERROR_INVALID,
                             "A group's name has no @ , ; < > and no quotation marks: it is typed "
                             "where addresses are.");
    return name.length <= GROUP_NAME_BYTES_MAX ||
           error_set(err, ERROR_LIMIT, "The name is too long.");
}

static bool rename_group(struct db *db, int64_t user_id, const struct contact_group *group,
                         int64_t *affected, struct error *err)
{
    struct arena *arena = arena_new();
    struct contact_group now;
    bool is_good = contact_group_by_id(db, arena, user_id, group->id, &now, err) &&
                   db_execute(db, "contact_group_rename", affected, err, db_i64(user_id),
                              db_i64(group->id), db_text(group->name));
    arena_free(&arena);
    return is_good;
}

bool contact_group_put(struct db *db, int64_t user_id, struct contact_group *group,
                       struct error *err)
{
    struct db_rows rows;
    int64_t affected = 0;
    if (!check_name(group->name, err))
        return false;
    if (group->id) {
        if (!rename_group(db, user_id, group, &affected, err))
            return false;
    } else {
        if (!db_select(db, "contact_group_insert", &rows, err, db_i64(user_id),
                       db_text(group->name)))
            return false;
        affected = db_next(&rows);
        group->id = affected ? db_get_i64(&rows) : 0;
        db_rows_free(&rows);
    }
    return affected || error_set(err, ERROR_CONFLICT, "There is a group of that name already.");
}

bool contact_group_delete(struct db *db, int64_t user_id, int64_t id, struct error *err)
{
    int64_t affected = 0;
    if (!db_execute(db, "contact_group_delete", &affected, err, db_i64(user_id), db_i64(id)))
        return false;
    return affected || error_set(err, ERROR_NOT_FOUND, "%s", no_group);
}

bool contact_group_members(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                           struct contact **members, size_t *count, struct error *err)
{
    struct db_rows rows;
    return db_select(db, "contact_group_members", &rows, err, db_i64(user_id), db_i64(id)) &&
           contacts_read(&rows, arena, members, count);
}

bool contact_group_join(struct db *db, int64_t user_id, int64_t id, const int64_t *contacts,
                        size_t count, struct error *err)
{
    struct arena *arena = arena_new();
    struct contact_group group;
    bool is_good = contact_group_by_id(db, arena, user_id, id, &group, err);
    if (is_good && group.member_count + (int64_t)count > GROUP_MEMBERS_MAX)
        is_good = error_set(err, ERROR_LIMIT, "A group has at most %d members.", GROUP_MEMBERS_MAX);
    is_good = is_good && db_execute(db, "contact_group_join", NULL, err, db_i64(user_id),
                                    db_i64(id), db_i64_array(contacts, count));
    arena_free(&arena);
    return is_good;
}

bool contact_group_leave(struct db *db, int64_t user_id, int64_t id, const int64_t *contacts,
                         size_t count, struct error *err)
{
    return db_execute(db, "contact_group_leave", NULL, err, db_i64(user_id), db_i64(id),
                      db_i64_array(contacts, count));
}

bool contact_group_people(struct db *db, struct arena *arena, int64_t user_id, struct str name,
                          struct contact_match **people, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "contact_group_people", &rows, err, db_i64(user_id), db_text(name)))
        return false;
    *count = (size_t)rows.row_count;
    *people = ARENA_ARRAY(arena, *count, struct contact_match);
    for (struct contact_match *one = *people; db_next(&rows); one++) {
        one->id = 0;
        one->name = db_get_str(&rows, arena);
        one->email = db_get_str(&rows, arena);
    }
    db_rows_free(&rows);
    return true;
}

bool contact_group_complete(struct db *db, struct arena *arena, int64_t user_id, struct str typed,
                            int limit, struct contact_group **groups, size_t *count,
                            struct error *err)
{
    struct db_rows rows;
    typed = str_sub(typed, 0, GROUP_NAME_BYTES_MAX);
    return db_select(db, "contact_group_complete", &rows, err, db_i64(user_id),
                     db_text(contacts_pattern(arena, "", typed)),
                     db_text(contacts_pattern(arena, "% ", typed)), db_i64(limit)) &&
           read_groups(&rows, arena, groups, count);
}

#include "server/store/mailboxes.h"

#include <stdlib.h>

#include "server/store/changes_private.h"

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_NONE] = NULL,         [ROLE_INBOX] = "inbox",
    [ROLE_DRAFTS] = "drafts",   [ROLE_SENT] = "sent",
    [ROLE_TRASH] = "trash",     [ROLE_JUNK] = "junk",
    [ROLE_ARCHIVE] = "archive", [ROLE_ALL] = "all",
    [ROLE_FLAGGED] = "flagged", [ROLE_IMPORTANT] = "important",
};

const char *mailbox_role_name(enum mailbox_role role)
{
    return role_names[role];
}

enum mailbox_role mailbox_role_parse(struct str name)
{
    for (enum mailbox_role role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
        if (str_equal_nocase(name, str_of(role_names[role])))
            return role;
    return ROLE_NONE;
}

static void read_mailbox(struct db_rows *rows, struct arena *arena, int64_t account_id,
                         struct mailbox *mailbox)
{
    mailbox->account_id = account_id;
    mailbox->id = db_get_i64(rows);
    mailbox->parent_id = db_get_i64(rows);
    mailbox->name = db_get_str(rows, arena);
    mailbox->path = db_get_str(rows, arena);
    mailbox->delimiter = db_get_str(rows, arena);
    mailbox->role = mailbox_role_parse(db_get_slice(rows));
    mailbox->sort_order = db_get_i32(rows);
    mailbox->is_subscribed = db_get_bool(rows);
    mailbox->is_selectable = db_get_bool(rows);
    mailbox->is_local = db_get_bool(rows);
    mailbox->total = db_get_i32(rows);
    mailbox->unread = db_get_i32(rows);
    mailbox->upstream_total = db_get_i32(rows);
    mailbox->is_complete = db_get_bool(rows);
}

/* --- children behind their parents ----------------------------------------------------------- */

/* A mailbox among its like: indexes into the list as it came, -1 for none. */
struct node {
    int64_t id;
    int at; /* what this node stands for */
    int first_child, last_child, next_sibling;
    bool is_shown;
};

static int compare_nodes(const void *a, const void *b)
{
    int64_t left = ((const struct node *)a)->id, right = ((const struct node *)b)->id;
    return (left > right) - (left < right);
}

static void show(struct node *nodes, int at, const struct mailbox *from, struct mailbox *to,
                 size_t *shown)
{
    for (; at >= 0; at = nodes[at].next_sibling) {
        if (nodes[at].is_shown)
            return;
        nodes[at].is_shown = true;
        to[(*shown)++] = from[nodes[at].at];
        show(nodes, nodes[at].first_child, from, to, shown);
    }
}

/* `list` keeps its order among siblings. A parent that is not in the list, or that is its own
 * descendant, counts as none. */
static struct mailbox *put_children_behind(struct arena *arena, struct mailbox *list, size_t count)
{
    struct node *nodes = ARENA_ARRAY(arena, count, struct node);
    int *position = ARENA_ARRAY(arena, count, int); /* in `nodes`, by place in `list` */
    struct mailbox *ordered = ARENA_ARRAY(arena, count, struct mailbox);
    size_t shown = 0;
    int first = -1, last = -1;
    for (size_t i = 0; i < count; i++)
        nodes[i] = (struct node){list[i].id, (int)i, -1, -1, -1, false};
    qsort(nodes, count, sizeof *nodes, compare_nodes);
    for (size_t i = 0; i < count; i++)
        position[nodes[i].at] = (int)i;
    for (size_t i = 0; i < count; i++) {
        struct node wanted = {.id = list[i].parent_id};
        struct node *parent =
            wanted.id ? bsearch(&wanted, nodes, count, sizeof *nodes, compare_nodes) : NULL;
        int *head = parent ? &parent->first_child : &first;
        int *tail = parent ? &parent->last_child : &last;
        if (*tail >= 0)
            nodes[*tail].next_sibling = position[i];
        else
            *head = position[i];
        *tail = position[i];
    }
    show(nodes, first, list, ordered, &shown);
    for (size_t i = 0; i < count; i++) { /* only a loop of parents is left over */
        if (!nodes[position[i]].is_shown)
            ordered[shown++] = list[i];
    }
    return ordered;
}

/* --- paths ------------------------------------------------------------------------------------ */

static const struct mailbox *parent_in(const struct mailbox *list, size_t count,
                                       const struct mailbox *mailbox)
{
    for (size_t i = 0; i < count && mailbox->parent_id; i++)
        if (list[i].id == mailbox->parent_id)
            return &list[i];
    return NULL;
}

/* Folders that are to lie elsewhere, and what lies in them, are called by where they are to lie.
 * `list` has the paths of upstream. */
static struct str path_of(struct arena *arena, const struct mailbox *list, const bool *is_moved,
                          size_t count, const struct mailbox *mailbox, size_t depth)
{
    const struct mailbox *parent = parent_in(list, count, mailbox);
    bool is_here = is_moved[mailbox - list];
    if (!parent || depth > count)
        return is_here ? mailbox->name : mailbox->path;
    struct str above = path_of(arena, list, is_moved, count, parent, depth + 1);
    if (!is_here && str_equal(above, parent->path))
        return mailbox->path;
    return arena_printf(arena, "%" STR_FMT "%" STR_FMT "%" STR_FMT, STR_ARG(above),
                        STR_ARG(parent->delimiter), STR_ARG(mailbox->name));
}

static void set_paths(struct arena *arena, struct mailbox *list, const bool *is_moved, size_t count)
{
    struct str *paths = ARENA_ARRAY(arena, count + 1, struct str);
    for (size_t i = 0; i < count; i++)
        paths[i] = path_of(arena, list, is_moved, count, &list[i], 0);
    for (size_t i = 0; i < count; i++)
        list[i].path = paths[i];
}

bool mailbox_list(struct db *db, struct arena *arena, int64_t account_id,
                  struct mailbox **mailboxes, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "mailbox_list", &rows, err, db_i64(account_id)))
        return false;
    struct mailbox *list = ARENA_ARRAY(arena, (size_t)rows.row_count, struct mailbox);
    bool *is_moved = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, bool), is_any = false;
    *count = 0;
    while (db_next(&rows)) {
        read_mailbox(&rows, arena, account_id, &list[*count]);
        is_moved[*count] = db_get_bool(&rows);
        is_any = is_any || is_moved[*count];
        ++*count;
    }
    db_rows_free(&rows);
    if (is_any)
        set_paths(arena, list, is_moved, *count);
    *mailboxes = put_children_behind(arena, list, *count);
    return true;
}

bool mailbox_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                   struct mailbox *mailbox, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "mailbox_by_id", &rows, "there is no such folder", err,
                       db_i64(account_id), db_i64(id), db_i64(db_viewer(db))))
        return false;
    read_mailbox(&rows, arena, account_id, mailbox);
    db_rows_free(&rows);
    return true;
}

bool mailbox_by_role(struct db *db, struct arena *arena, int64_t account_id, enum mailbox_role role,
                     struct mailbox *mailbox, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "mailbox_by_role", &rows, "there is no folder for that", err,
                       db_i64(account_id), db_name(mailbox_role_name(role))))
        return false;
    read_mailbox(&rows, arena, account_id, mailbox);
    db_rows_free(&rows);
    return true;
}

bool mailbox_look(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    return db_post(db, "mailbox_look", err, db_i64(account_id), db_i64(id));
}

bool mailbox_sort(struct db *db, int64_t account_id, const int64_t *ids, size_t count, int first,
                  struct error *err)
{
    if (!db_begin(db, err))
        return false;
    if (db_post(db, "mailbox_sort", err, db_i64(account_id), db_i64_array(ids, count),
                db_i64(first)) &&
        changes_write_updated(db, account_id, CHANGE_MAILBOX, ids, count, err))
        return db_commit(db, err);
    db_rollback(db);
    return false;
}

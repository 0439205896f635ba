/* Folders made, renamed, deleted and subscribed to by people. */
#include "server/base/json.h"
#include "server/store/actions_private.h"
#include "server/store/mailboxes.h"
#include "server/store/operations.h"
#include "server/store/replica_private.h"

enum { NAME_BYTES_MAX = 255, PATH_BYTES_MAX = 1000, ARGUMENTS_BYTES_MAX = 8192 };

static const char no_folder[] = "There is no such folder.";

/* The account's folders, and what of them is the same everywhere. */
struct folders {
    struct mailbox *at;
    size_t count;
    struct str delimiter;
    bool is_local; /* all of a POP3 account */
};

static bool load(struct db *db, struct arena *arena, int64_t account_id, struct folders *folders,
                 struct error *err)
{
    *folders = (struct folders){.delimiter = STR("/")};
    if (!mailbox_list(db, arena, account_id, &folders->at, &folders->count, err))
        return false;
    folders->is_local = folders->count > 0;
    for (size_t i = 0; i < folders->count; i++) {
        folders->is_local = folders->is_local && folders->at[i].is_local;
        if (folders->at[i].delimiter.length > 0)
            folders->delimiter = folders->at[i].delimiter;
    }
    return true;
}

static const struct mailbox *find(const struct folders *folders, int64_t id)
{
    for (size_t i = 0; i < folders->count; i++)
        if (folders->at[i].id == id)
            return &folders->at[i];
    return NULL;
}

static bool check_name(const struct folders *folders, struct str name, struct error *err)
{
    bool is_good =
        name.length > 0 && name.length <= NAME_BYTES_MAX && str_find(name, folders->delimiter) < 0;
    for (size_t i = 0; i < name.length; i++)
        is_good = is_good && (unsigned char)name.at[i] >= 0x20 && name.at[i] != 0x7f;
    return is_good || error_set(err, ERROR_INVALID, "No folder can have that name.");
}

/* Whether a folder of that name can lie there. */
static bool check_place(const struct folders *folders, struct arena *arena, int64_t parent_id,
                        struct str name, struct error *err)
{
    const struct mailbox *parent = find(folders, parent_id);
    struct str path = name;
    if (!check_name(folders, name, err))
        return false;
    if (parent_id && !parent)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    if (parent)
        path = arena_printf(arena, "%" STR_FMT "%" STR_FMT "%" STR_FMT, STR_ARG(parent->path),
                            STR_ARG(folders->delimiter), STR_ARG(name));
    if (path.length > PATH_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "The folder's name is too long.");
    bool is_inbox = str_equal_nocase(path, STR("INBOX")); /* however written (RFC 9051 5.1) */
    for (size_t i = 0; i < folders->count; i++)
        if (str_equal(folders->at[i].path, path) || (is_inbox && folders->at[i].role == ROLE_INBOX))
            return error_set(err, ERROR_CONFLICT, "There is a folder of that name already.");
    return true;
}

/* An Archive that was deleted and made anew is the archive again. */
static enum mailbox_role role_of_new(const struct folders *folders, int64_t parent_id,
                                     struct str name)
{
    bool is_archive = !parent_id && str_equal_nocase(name, STR("Archive"));
    for (size_t i = 0; i < folders->count; i++)
        is_archive = is_archive && folders->at[i].role != ROLE_ARCHIVE;
    return is_archive ? ROLE_ARCHIVE : ROLE_NONE;
}

/* --- the change here, and the operation ------------------------------------------------------- */

bool mailbox_fold(struct replica_batch *batch, int64_t mailbox_id, struct error *err)
{
    id_list_add(batch->arena, &batch->changes[REPLICA_MAILBOX].updated, mailbox_id);
    return db_post(batch->db, "mailbox_fold", err, db_i64(batch->account_id), db_i64(mailbox_id));
}

/* One change under way. */
struct changing {
    struct db *db;
    struct arena *arena;
    int64_t account_id;
    struct str key;
    struct replica_batch *batch;
    struct folders folders;
    struct action_result *result;
};

static void write_place(struct json *json, const char *name, struct str text,
                        const char *parent_name, int64_t parent_id)
{
    json_write_name(json, name);
    json_write_str(json, text);
    json_write_name(json, parent_name);
    json_write_i64(json, parent_id);
}

/* {"mailboxId", "name", "parentId", "wasName", "wasParentId"}: where it comes to (empty name:
 * stays), and where it lay, for who takes it back. */
static bool record(struct changing *c, const char *kind, const struct mailbox *was,
                   const struct mailbox *is, bool is_direct, struct error *err)
{
    struct buf arguments = BUF_INIT(ARGUMENTS_BYTES_MAX);
    struct json json = JSON_INIT(&arguments);
    int64_t *id = &c->result->operation_ids[c->result->operation_count];
    struct str key = c->key.length && c->result->operation_count
                         ? arena_printf(c->arena, "%" STR_FMT "/%s", STR_ARG(c->key), kind)
                         : c->key;
    json_write_object(&json);
    json_write_name(&json, "mailboxId");
    json_write_i64(&json, is->id);
    if (is->name.length)
        write_place(&json, "name", is->name, "parentId", is->parent_id);
    if (was)
        write_place(&json, "wasName", was->name, "wasParentId", was->parent_id);
    json_write_object_end(&json);
    bool is_good = is_direct ? operation_record(c->db, c->account_id, str_of(kind),
                                                buf_view(&arguments), key, id, err)
                             : operation_enqueue(c->db, c->account_id, str_of(kind),
                                                 buf_view(&arguments), false, key, id, err) &&
                                   mailbox_fold(c->batch, is->id, err);
    buf_free(&arguments);
    c->result->operation_count++;
    c->result->changed++;
    return is_good;
}

typedef bool change_fn(struct changing *c, void *context, struct error *err);

/* One transaction: what people see, and what is asked of the mail server. */
static bool run(struct db *db, struct arena *arena, int64_t account_id, struct str key,
                change_fn *change, void *context, struct action_result *result, struct error *err)
{
    struct changing c = {
        .db = db, .arena = arena, .account_id = account_id, .key = key, .result = result};
    bool is_known = false;
    *result = (struct action_result){0};
    if (!(c.batch = replica_begin(db, account_id, err)))
        return false;
    bool is_good = action_find_known(db, arena, account_id, key, result, &is_known, err);
    if (is_good && !is_known) {
        result->operation_ids = ARENA_ARRAY(arena, 1, int64_t);
        is_good = load(db, arena, account_id, &c.folders, err) && change(&c, context, err);
    }
    if (is_good && !is_known && result->changed > 0)
        return replica_commit(&c.batch, err);
    replica_abandon(&c.batch);
    return is_good;
}

/* --- create ---------------------------------------------------------------------------------- */

/* Until the mail server knows it, its path is where it is to lie there: a listing that has it finds
 * it by that. Taken while another folder has yet to go from there. */
static bool reserve_path(struct changing *c, const struct mailbox *parent, struct str name,
                         struct replica_mailbox *mailbox, struct error *err)
{
    bool is_taken = false;
    struct replica_mailbox *all;
    size_t count;
    mailbox->path = name;
    if (!replica_mailboxes(c->db, c->arena, c->account_id, false, &all, &count, err))
        return false;
    for (size_t i = 0; i < count && parent; i++)
        if (all[i].id == parent->id)
            mailbox->path =
                arena_printf(c->arena, "%" STR_FMT "%" STR_FMT "%" STR_FMT, STR_ARG(all[i].path),
                             STR_ARG(c->folders.delimiter), STR_ARG(name));
    for (size_t i = 0; i < count; i++)
        is_taken = is_taken || str_equal(all[i].path, mailbox->path);
    if (is_taken)
        mailbox->path = arena_printf(c->arena, "%" STR_FMT "\001%lld", STR_ARG(mailbox->path),
                                     (long long)mailbox->id);
    return true;
}

/* A folder of the id given. */
static bool add(struct changing *c, int64_t id, int64_t parent_id, struct str name,
                struct error *err)
{
    bool is_local = c->folders.is_local;
    const struct mailbox *parent = find(&c->folders, parent_id);
    struct replica_mailbox mailbox = {.id = id,
                                      .parent_id = parent_id,
                                      .name = name,
                                      .delimiter = c->folders.delimiter,
                                      .role = role_of_new(&c->folders, parent_id, name),
                                      .is_subscribed = true,
                                      .is_selectable = true,
                                      .is_local = is_local,
                                      .is_pending = !is_local};
    struct mailbox made = {.id = id, .name = name, .parent_id = parent_id};
    if (!reserve_path(c, parent, name, &mailbox, err))
        return false;
    if (is_local)
        mailbox.wire_path = mailbox.path;
    return replica_mailbox_add(c->batch, &mailbox, err) &&
           record(c, "mailbox-create", NULL, &made, is_local, err);
}

struct creating {
    int64_t parent_id;
    struct str name;
};

static bool create(struct changing *c, void *context, struct error *err)
{
    struct creating *creating = context;
    int64_t id;
    return check_place(&c->folders, c->arena, creating->parent_id, creating->name, err) &&
           replica_take_ids(c->batch, 1, &id, err) &&
           add(c, id, creating->parent_id, creating->name, err);
}

bool mailbox_create(struct db *db, struct arena *arena, int64_t account_id, int64_t parent_id,
                    struct str name, struct str key, struct action_result *result,
                    struct error *err)
{
    struct creating creating = {parent_id, str_trim(name)};
    return run(db, arena, account_id, key, create, &creating, result, err);
}

/* --- rename ---------------------------------------------------------------------------------- */

struct renaming {
    int64_t mailbox_id, parent_id;
    struct str name;
};

static bool check_loop(const struct folders *folders, const struct renaming *renaming,
                       struct error *err)
{
    size_t steps = 0;
    for (const struct mailbox *above = find(folders, renaming->parent_id);
         above && steps++ < folders->count; above = find(folders, above->parent_id))
        if (above->id == renaming->mailbox_id)
            return error_set(err, ERROR_CONFLICT, "A folder cannot lie in itself.");
    return true;
}

/* Folders below it keep their place in the tree; upstream their paths follow by themselves. */
static bool rename_it(struct changing *c, void *context, struct error *err)
{
    const struct renaming *renaming = context;
    const struct mailbox *was = find(&c->folders, renaming->mailbox_id);
    if (!was)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    if (was->role == ROLE_INBOX)
        return error_set(err, ERROR_CONFLICT, "The inbox keeps its name.");
    if (!check_loop(&c->folders, renaming, err) ||
        !check_place(&c->folders, c->arena, renaming->parent_id, renaming->name, err))
        return false;
    struct mailbox is = {.id = was->id, .name = renaming->name, .parent_id = renaming->parent_id};
    if (was->is_local) {
        const struct mailbox *parent = find(&c->folders, renaming->parent_id);
        struct replica_mailbox renamed = {.id = was->id,
                                          .name = renaming->name,
                                          .parent_id = renaming->parent_id,
                                          .delimiter = c->folders.delimiter,
                                          .role = was->role,
                                          .is_subscribed = true,
                                          .is_selectable = true,
                                          .is_local = true};
        if (!reserve_path(c, parent, renaming->name, &renamed, err))
            return false;
        renamed.wire_path = renamed.path;
        if (!replica_mailbox_put(c->batch, &renamed, err))
            return false;
    }
    return record(c, "mailbox-rename", was, &is, was->is_local, err);
}

bool mailbox_rename(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    int64_t parent_id, struct str name, struct str key,
                    struct action_result *result, struct error *err)
{
    struct renaming renaming = {mailbox_id, parent_id, str_trim(name)};
    return run(db, arena, account_id, key, rename_it, &renaming, result, err);
}

/* --- delete ---------------------------------------------------------------------------------- */

struct deleting {
    int64_t mailbox_id;
    bool with_emails;
};

/* What lies in it goes to Trash, from where it can come back; from there, and where there is no
 * Trash, for good. */
static bool clear(struct changing *c, const struct mailbox *mailbox, struct error *err)
{
    bool has_trash = false;
    for (size_t i = 0; i < c->folders.count; i++)
        has_trash = has_trash || c->folders.at[i].role == ROLE_TRASH;
    struct action action = {.kind = has_trash && mailbox->role != ROLE_TRASH ? ACTION_TRASH
                                                                             : ACTION_DESTROY,
                            .mailbox_id = mailbox->id,
                            .destroys_nothing = mailbox->role != ROLE_TRASH,
                            .idempotency_key = c->key};
    struct action_result moved;
    if (mailbox->total == 0)
        return true;
    if (!action_run_in(c->batch, c->arena, &action, &moved, err))
        return false;
    c->result->operation_ids = ARENA_ARRAY(c->arena, moved.operation_count + 1, int64_t);
    for (size_t i = 0; i < moved.operation_count; i++)
        c->result->operation_ids[i] = moved.operation_ids[i];
    c->result->operation_count = moved.operation_count;
    c->result->changed = moved.changed;
    return true;
}

/* One that the mail server has not heard of goes without a word to it: neither it nor that it is
 * gone. Not while another is to lie in it. */
static bool forget_unheard(struct changing *c, const struct mailbox *mailbox, bool *is_forgotten,
                           struct error *err)
{
    struct db_rows rows;
    *is_forgotten = mailbox->is_local;
    for (size_t i = 0; i < c->folders.count; i++)
        if (c->folders.at[i].parent_id == mailbox->id)
            return true;
    if (mailbox->is_local || mailbox->total > 0)
        return true;
    if (!db_select(c->db, "action_cancel_folder", &rows, err, db_i64(c->account_id),
                   db_i64(mailbox->id)))
        return false;
    *is_forgotten = rows.row_count > 0;
    while (db_next(&rows))
        id_list_add(c->batch->arena, &c->batch->changes[REPLICA_OPERATION].updated,
                    db_get_i64(&rows));
    db_rows_free(&rows);
    return true;
}

static bool delete_it(struct changing *c, void *context, struct error *err)
{
    const struct deleting *deleting = context;
    const struct mailbox *was = find(&c->folders, deleting->mailbox_id);
    if (!was)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    if (was->role == ROLE_INBOX)
        return error_set(err, ERROR_CONFLICT, "The inbox cannot be deleted.");
    if (was->total > 0 && !deleting->with_emails)
        return error_set(err, ERROR_CONFLICT, "There are messages in this folder.");
    struct mailbox is = {.id = was->id};
    bool is_here_only;
    return forget_unheard(c, was, &is_here_only, err) && clear(c, was, err) &&
           record(c, "mailbox-delete", was, &is, is_here_only, err) &&
           (!is_here_only || replica_mailbox_remove(c->batch, was->id, err));
}

bool mailbox_delete(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    bool with_emails, struct str key, struct action_result *result,
                    struct error *err)
{
    struct deleting deleting = {mailbox_id, with_emails};
    return run(db, arena, account_id, key, delete_it, &deleting, result, err);
}

/* --- subscribe ------------------------------------------------------------------------------- */

struct subscribing {
    int64_t mailbox_id;
    bool is_subscribed;
};

static bool subscribe(struct changing *c, void *context, struct error *err)
{
    const struct subscribing *wanted = context;
    const struct mailbox *was = find(&c->folders, wanted->mailbox_id);
    if (!was)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    if (was->is_local || was->is_subscribed == wanted->is_subscribed)
        return true;
    struct mailbox is = {.id = was->id};
    return record(c, wanted->is_subscribed ? "mailbox-subscribe" : "mailbox-unsubscribe", NULL, &is,
                  false, err);
}

bool mailbox_subscribe(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                       bool is_subscribed, struct str key, struct action_result *result,
                       struct error *err)
{
    struct subscribing wanted = {mailbox_id, is_subscribed};
    return run(db, arena, account_id, key, subscribe, &wanted, result, err);
}

/* --- taking back ----------------------------------------------------------------------------- */

struct past {
    int64_t operation_id, mailbox_id, parent_id;
    struct str kind, state, name; /* with its parent: as it was before */
};

static bool load_past(struct changing *c, struct past *past, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(c->db, "mailbox_operation", &rows, "There is nothing to take back.", err,
                       db_i64(c->account_id), db_i64(past->operation_id)))
        return false;
    past->kind = db_get_str(&rows, c->arena);
    past->state = db_get_str(&rows, c->arena);
    past->mailbox_id = db_get_i64(&rows);
    past->name = db_get_str(&rows, c->arena);
    past->parent_id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

/* What has not begun does not happen. */
static bool cancel(struct changing *c, const struct past *past, bool *is_cancelled,
                   struct error *err)
{
    struct db_rows rows;
    bool is_new = str_equal(past->kind, STR("mailbox-create"));
    if (!db_select(c->db, "action_cancel", &rows, err, db_i64(c->account_id),
                   db_i64(past->operation_id)))
        return false;
    *is_cancelled = rows.row_count > 0;
    db_rows_free(&rows);
    if (!*is_cancelled)
        return true;
    const struct mailbox *mailbox = find(&c->folders, past->mailbox_id);
    if (is_new && mailbox && mailbox->total > 0)
        return error_set(err, ERROR_CONFLICT, "There are messages in this folder.");
    id_list_add(c->batch->arena, &c->batch->changes[REPLICA_OPERATION].updated, past->operation_id);
    c->result->changed = 1;
    return is_new ? replica_mailbox_remove(c->batch, past->mailbox_id, err)
                  : mailbox_fold(c->batch, past->mailbox_id, err);
}

/* A folder that is deleted comes back under the id that its messages were moved from; at the top if
 * what it lay in is gone too. */
static bool bring_back(struct changing *c, const struct past *past, struct error *err)
{
    int64_t parent_id = find(&c->folders, past->parent_id) ? past->parent_id : 0;
    if (str_equal(past->state, STR("pending")) || str_equal(past->state, STR("running")))
        return error_set(err, ERROR_CONFLICT, "The folder is just being deleted.");
    return check_place(&c->folders, c->arena, parent_id, past->name, err) &&
           add(c, past->mailbox_id, parent_id, past->name, err);
}

static bool do_opposite(struct changing *c, const struct past *past, struct error *err)
{
    struct renaming renaming = {past->mailbox_id, past->parent_id, past->name};
    struct deleting deleting = {.mailbox_id = past->mailbox_id};
    struct subscribing wanted = {past->mailbox_id,
                                 str_equal(past->kind, STR("mailbox-unsubscribe"))};
    if (str_equal(past->state, STR("failed")) || str_equal(past->state, STR("cancelled")))
        return true; /* it was taken back already */
    if (str_equal(past->kind, STR("mailbox-create")))
        return delete_it(c, &deleting, err);
    if (str_equal(past->kind, STR("mailbox-rename")))
        return rename_it(c, &renaming, err);
    if (str_equal(past->kind, STR("mailbox-delete")))
        return bring_back(c, past, err);
    return subscribe(c, &wanted, err);
}

static bool undo(struct changing *c, void *context, struct error *err)
{
    struct past past = {.operation_id = *(int64_t *)context};
    bool is_cancelled = false;
    return load_past(c, &past, err) && cancel(c, &past, &is_cancelled, err) &&
           (is_cancelled || do_opposite(c, &past, err));
}

bool mailbox_undo(struct db *db, struct arena *arena, int64_t account_id, int64_t operation_id,
                  struct str key, struct action_result *result, struct error *err)
{
    return run(db, arena, account_id, key, undo, &operation_id, result, err);
}

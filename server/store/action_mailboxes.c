/* Folders made, renamed, deleted and subscribed to by people. */
#include "server/base/json.h"
#include "server/store/actions.h"
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

/* Where a folder of that name would lie. */
static bool make_path(const struct folders *folders, struct arena *arena, int64_t parent_id,
                      struct str name, struct str *path, struct error *err)
{
    const struct mailbox *parent = find(folders, parent_id);
    name = str_trim(name);
    if (!check_name(folders, name, err))
        return false;
    if (parent_id && !parent)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    *path = parent ? arena_printf(arena, "%" STR_FMT "%" STR_FMT "%" STR_FMT, STR_ARG(parent->path),
                                  STR_ARG(folders->delimiter), STR_ARG(name))
                   : name;
    if (path->length > PATH_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "The folder's name is too long.");
    for (size_t i = 0; i < folders->count; i++)
        if (str_equal(folders->at[i].path, *path))
            return error_set(err, ERROR_CONFLICT, "There is a folder of that name already.");
    return true;
}

static void write_text(struct json *json, const char *name, struct str text)
{
    if (text.length == 0)
        return;
    json_write_name(json, name);
    json_write_str(json, text);
}

static bool enqueue(struct db *db, int64_t account_id, const char *kind, int64_t mailbox_id,
                    struct str path, struct str key, int64_t *operation_id, struct error *err)
{
    struct buf arguments = BUF_INIT(ARGUMENTS_BYTES_MAX);
    struct json json = JSON_INIT(&arguments);
    json_write_object(&json);
    if (mailbox_id) {
        json_write_name(&json, "mailboxId");
        json_write_i64(&json, mailbox_id);
    }
    write_text(&json, "path", path);
    json_write_object_end(&json);
    bool is_good = operation_enqueue(db, account_id, str_of(kind), buf_view(&arguments), false, key,
                                     operation_id, err);
    buf_free(&arguments);
    return is_good;
}

/* An Archive that was deleted and made anew is the archive again. */
static enum mailbox_role role_of_new(const struct folders *folders, int64_t parent_id,
                                     struct str name)
{
    bool is_archive = !parent_id && str_equal_nocase(str_trim(name), STR("Archive"));
    for (size_t i = 0; i < folders->count; i++)
        is_archive = is_archive && folders->at[i].role != ROLE_ARCHIVE;
    return is_archive ? ROLE_ARCHIVE : ROLE_NONE;
}

/* --- local ones ------------------------------------------------------------------------------ */

static bool put_local(struct db *db, int64_t account_id, struct replica_mailbox *mailbox,
                      struct error *err)
{
    struct replica_batch *batch = replica_begin(db, account_id, err);
    mailbox->is_local = mailbox->is_selectable = mailbox->is_subscribed = true;
    if (batch && replica_mailbox_put(batch, mailbox, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

static bool remove_local(struct db *db, int64_t account_id, int64_t mailbox_id, struct error *err)
{
    struct replica_batch *batch = replica_begin(db, account_id, err);
    if (batch && replica_mailbox_remove(batch, mailbox_id, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* --- the interface --------------------------------------------------------------------------- */

bool mailbox_create(struct db *db, struct arena *arena, int64_t account_id, int64_t parent_id,
                    struct str name, struct str idempotency_key, int64_t *operation_id,
                    struct error *err)
{
    struct folders folders;
    struct str path = STR_EMPTY;
    *operation_id = 0;
    if (!load(db, arena, account_id, &folders, err) ||
        !make_path(&folders, arena, parent_id, name, &path, err))
        return false;
    if (!folders.is_local)
        return enqueue(db, account_id, "mailbox-create", 0, path, idempotency_key, operation_id,
                       err);
    struct replica_mailbox mailbox = {.parent_id = parent_id,
                                      .name = str_trim(name),
                                      .path = path,
                                      .wire_path = path,
                                      .delimiter = folders.delimiter,
                                      .role = role_of_new(&folders, parent_id, name)};
    return put_local(db, account_id, &mailbox, err);
}

/* Folders below keep their place in the tree; upstream their paths follow by themselves. */
bool mailbox_rename(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    int64_t parent_id, struct str name, struct str idempotency_key,
                    int64_t *operation_id, struct error *err)
{
    struct folders folders;
    struct str path = STR_EMPTY;
    *operation_id = 0;
    if (!load(db, arena, account_id, &folders, err))
        return false;
    const struct mailbox *mailbox = find(&folders, mailbox_id);
    if (!mailbox)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_folder);
    if (mailbox->role == ROLE_INBOX)
        return error_set(err, ERROR_CONFLICT, "The inbox keeps its name.");
    for (const struct mailbox *above = find(&folders, parent_id); above;
         above = find(&folders, above->parent_id))
        if (above->id == mailbox_id)
            return error_set(err, ERROR_CONFLICT, "A folder cannot lie in itself.");
    if (!make_path(&folders, arena, parent_id, name, &path, err))
        return false;
    if (!mailbox->is_local)
        return enqueue(db, account_id, "mailbox-rename", mailbox_id, path, idempotency_key,
                       operation_id, err);
    struct replica_mailbox renamed = {.id = mailbox_id,
                                      .parent_id = parent_id,
                                      .name = str_trim(name),
                                      .path = path,
                                      .wire_path = path,
                                      .delimiter = folders.delimiter,
                                      .role = mailbox->role};
    return put_local(db, account_id, &renamed, err);
}

bool mailbox_delete(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    bool with_emails, struct str idempotency_key, int64_t *operation_id,
                    struct error *err)
{
    struct mailbox mailbox;
    *operation_id = 0;
    if (!mailbox_by_id(db, arena, account_id, mailbox_id, &mailbox, err))
        return false;
    if (mailbox.role == ROLE_INBOX)
        return error_set(err, ERROR_CONFLICT, "The inbox cannot be deleted.");
    if (mailbox.total > 0 && !with_emails)
        return error_set(err, ERROR_CONFLICT, "There are messages in this folder.");
    return mailbox.is_local ? remove_local(db, account_id, mailbox_id, err)
                            : enqueue(db, account_id, "mailbox-delete", mailbox_id, STR_EMPTY,
                                      idempotency_key, operation_id, err);
}

bool mailbox_subscribe(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                       bool is_subscribed, struct str idempotency_key, int64_t *operation_id,
                       struct error *err)
{
    struct mailbox mailbox;
    *operation_id = 0;
    if (!mailbox_by_id(db, arena, account_id, mailbox_id, &mailbox, err))
        return false;
    if (mailbox.is_local || mailbox.is_subscribed == is_subscribed)
        return true;
    return enqueue(db, account_id, is_subscribed ? "mailbox-subscribe" : "mailbox-unsubscribe",
                   mailbox_id, STR_EMPTY, idempotency_key, operation_id, err);
}

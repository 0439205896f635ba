/* Folders made, renamed, deleted and subscribed to upstream. What is here changes in the same
 * transaction; the next listing tells the rest. */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/replay.h"
#include "server/sync/imap_replay.h"

static struct str text_of(const json_t *arguments, const char *name)
{
    return str_of(json_string_value(json_object_get(arguments, name)));
}

/* The mailbox that is meant, as the database has it. */
static bool load(struct slice *slice, const json_t *arguments, struct replica_mailbox **all,
                 size_t *count, struct replica_mailbox **mailbox, struct error *err)
{
    int64_t id = json_integer_value(json_object_get(arguments, "mailboxId"));
    *mailbox = NULL;
    if (!replica_mailboxes(slice->db, slice->arena, slice->account->id, false, all, count, err))
        return false;
    for (size_t i = 0; i < *count; i++)
        if ((*all)[i].id == id)
            *mailbox = &(*all)[i];
    if (!*mailbox)
        error_set(err, ERROR_NOT_FOUND, "The folder is not there any more.");
    return *mailbox != NULL;
}

/* Ends the operation, with what `batch` holds of it (NULL: nothing changed here). */
static bool end(struct slice *slice, struct replica_batch *batch, const struct operation *operation,
                const struct error *why, struct error *err)
{
    slice->account->imap->must_refresh = true;
    if (!batch && !(batch = replica_begin(slice->db, slice->account->id, err)))
        return false;
    if (replay_end_operation(batch, operation->id, STR("{}"), why, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* For a failure: tried again, or over. */
static bool settle(struct slice *slice, const struct operation *operation, const struct error *why,
                   struct error *err)
{
    if (!operation_may_pass(why) && imap_is_alive(slice->account->imap->client))
        return end(slice, NULL, operation, why, err);
    *err = *why;
    return false;
}

/* Whether a mailbox is there: what a repeated command comes to is judged by the end state. */
static bool exists(struct slice *slice, struct str wire_path)
{
    struct imap_status status = {0};
    return imap_status(slice->account->imap->client, slice->arena, &wire_path, 1, &status, NULL) &&
           status.has != 0;
}

static struct str last_part(struct str path, struct str delimiter)
{
    ptrdiff_t at;
    while (delimiter.length > 0 && (at = str_find(path, delimiter)) >= 0)
        path = str_skip(path, (size_t)at + delimiter.length);
    return path;
}

/* --- create ---------------------------------------------------------------------------------- */

/* The parent of a path among the known ones, or NULL. */
static const struct replica_mailbox *parent_of(const struct replica_mailbox *all, size_t count,
                                               struct str path)
{
    const struct replica_mailbox *best = NULL;
    for (size_t i = 0; i < count; i++) {
        struct str prefix = all[i].path, delimiter = all[i].delimiter;
        struct str rest = str_starts(path, prefix) ? str_skip(path, prefix.length) : STR_EMPTY;
        if (delimiter.length > 0 && str_starts(rest, delimiter) &&
            (!best || prefix.length > best->path.length))
            best = &all[i];
    }
    return best;
}

bool imap_replay_mailbox_create(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct imap_client *client = slice->account->imap->client;
    struct error why = ERROR_INIT;
    struct replica_mailbox *all, made = {.path = text_of(arguments, "path")};
    size_t count;
    (void)result;
    if (!imap_mailbox_wire(client, slice->arena, made.path, &made.wire_path, &why) ||
        !imap_create(client, made.wire_path, 0, &why))
        return settle(slice, operation, &why, err);
    imap_subscribe(client, made.wire_path, true, NULL); /* without it the folder is there as well */
    if (!replica_mailboxes(slice->db, slice->arena, slice->account->id, false, &all, &count, err))
        return false;
    const struct replica_mailbox *parent = parent_of(all, count, made.path);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(all[i].path, made.path))
            return end(slice, NULL, operation, NULL, err); /* listed meanwhile */
        if (all[i].delimiter.length > 0)
            made.delimiter = all[i].delimiter;
    }
    made.parent_id = parent ? parent->id : 0;
    made.name = last_part(made.path, made.delimiter);
    made.is_selectable = made.is_subscribed = true;
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    if (batch && replica_mailbox_put(batch, &made, err))
        return end(slice, batch, operation, NULL, err);
    replica_abandon(&batch);
    return false;
}

/* --- rename ---------------------------------------------------------------------------------- */

/* The folder and those below it keep their messages under the new path (RFC 9051 section 6.3.6). */
static bool put_renamed(struct slice *slice, struct replica_batch *batch,
                        struct replica_mailbox *mailbox, struct str old_path, struct str new_path,
                        struct error *err)
{
    mailbox->path = arena_printf(slice->arena, "%" STR_FMT "%" STR_FMT, STR_ARG(new_path),
                                 STR_ARG(str_skip(mailbox->path, old_path.length)));
    mailbox->name = last_part(mailbox->path, mailbox->delimiter);
    return imap_mailbox_wire(slice->account->imap->client, slice->arena, mailbox->path,
                             &mailbox->wire_path, err) &&
           replica_mailbox_put(batch, mailbox, err);
}

static bool is_below(const struct replica_mailbox *mailbox, struct str path)
{
    return mailbox->delimiter.length > 0 && str_starts(mailbox->path, path) &&
           str_starts(str_skip(mailbox->path, path.length), mailbox->delimiter);
}

static bool is_listed(const struct replica_mailbox *all, size_t count, struct str path)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(all[i].path, path))
            return true;
    return false;
}

bool imap_replay_mailbox_rename(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct error why = ERROR_INIT;
    struct replica_mailbox *all, *mailbox;
    size_t count;
    struct str to, path = text_of(arguments, "path");
    (void)result;
    bool is_known = load(slice, arguments, &all, &count, &mailbox, &why);
    if (!is_known && why.kind == ERROR_NOT_FOUND && operation->attempts > 1 &&
        is_listed(all, count, path)) /* done, the answer was lost, and a listing came first */
        return end(slice, NULL, operation, NULL, err);
    if (!is_known || !imap_mailbox_wire(session->client, slice->arena, path, &to, &why))
        return settle(slice, operation, &why, err);
    bool is_renamed = str_equal(mailbox->path, path) || /* listed under its new name already */
                      imap_rename(session->client, mailbox->wire_path, to, &why) ||
                      (imap_is_alive(session->client) && operation->attempts > 1 &&
                       !exists(slice, mailbox->wire_path) && exists(slice, to));
    if (!is_renamed)
        return settle(slice, operation, &why, err);
    session->selected = NULL; /* its name is another now */
    const struct replica_mailbox *parent = parent_of(all, count, path);
    struct str old_path = mailbox->path;
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    bool is_good = batch != NULL;
    mailbox->parent_id = parent ? parent->id : 0;
    for (size_t i = 0; i < count && is_good; i++)
        if (&all[i] == mailbox || is_below(&all[i], old_path))
            is_good = put_renamed(slice, batch, &all[i], old_path, path, err);
    if (is_good)
        return end(slice, batch, operation, NULL, err);
    replica_abandon(&batch);
    return false;
}

/* --- delete, subscribe ----------------------------------------------------------------------- */

bool imap_replay_mailbox_delete(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct error why = ERROR_INIT;
    struct replica_mailbox *all, *mailbox;
    size_t count;
    (void)result;
    if (!load(slice, arguments, &all, &count, &mailbox, &why)) {
        bool is_done = why.kind == ERROR_NOT_FOUND; /* not listed any more */
        return is_done ? end(slice, NULL, operation, NULL, err)
                       : settle(slice, operation, &why, err);
    }
    if (session->selected && session->selected->known.id == mailbox->id) {
        session->selected = NULL;
        if (!imap_unselect(session->client, &why))
            return settle(slice, operation, &why, err);
    }
    if (!imap_delete(session->client, mailbox->wire_path, &why) &&
        !(imap_is_alive(session->client) && why.kind == ERROR_NOT_FOUND))
        return settle(slice, operation, &why, err);
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    if (batch && replica_mailbox_remove(batch, mailbox->id, err))
        return end(slice, batch, operation, NULL, err);
    replica_abandon(&batch);
    return false;
}

static bool subscribe(struct slice *slice, const struct operation *operation,
                      const json_t *arguments, bool is_subscribed, struct error *err)
{
    struct error why = ERROR_INIT;
    struct replica_mailbox *all, *mailbox;
    size_t count;
    if (!load(slice, arguments, &all, &count, &mailbox, &why) ||
        !imap_subscribe(slice->account->imap->client, mailbox->wire_path, is_subscribed, &why))
        return settle(slice, operation, &why, err);
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    mailbox->is_subscribed = is_subscribed;
    if (batch && replica_mailbox_put(batch, mailbox, err))
        return end(slice, batch, operation, NULL, err);
    replica_abandon(&batch);
    return false;
}

bool imap_replay_mailbox_subscribe(struct slice *slice, const struct operation *operation,
                                   const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    return subscribe(slice, operation, arguments, true, err);
}

bool imap_replay_mailbox_unsubscribe(struct slice *slice, const struct operation *operation,
                                     const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    return subscribe(slice, operation, arguments, false, err);
}

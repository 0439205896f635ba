/* Folders made, renamed, deleted and subscribed to upstream. People see them as asked for since
 * they asked (store/action_mailboxes.c); what the mail server has changes here in the transaction
 * that ends the operation. */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/replay.h"
#include "server/sync/imap_folders.h"
#include "server/sync/imap_replay.h"

/* An operation under way. */
struct changing {
    struct slice *slice;
    struct imap_session *session;
    const struct operation *operation;
    const json_t *arguments;
    int64_t mailbox_id;
    struct replica_mailbox *all; /* as the database has them */
    size_t count;
    struct replica_mailbox *mailbox; /* the one that is meant; NULL: it is not there any more */
};

static bool load(struct changing *c, struct slice *slice, const struct operation *operation,
                 const json_t *arguments, struct error *err)
{
    *c = (struct changing){.slice = slice,
                           .session = slice->account->imap,
                           .operation = operation,
                           .arguments = arguments,
                           .mailbox_id =
                               json_integer_value(json_object_get(arguments, "mailboxId"))};
    if (!replica_mailboxes(slice->db, slice->arena, slice->account->id, false, &c->all, &c->count,
                           err))
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (c->all[i].id == c->mailbox_id)
            c->mailbox = &c->all[i];
    return true;
}

/* Ends the operation with what `batch` holds of it (NULL: nothing changed here). The folders are
 * listed again at once: the next operation may be about one that is new or has another name. */
static bool end(struct changing *c, struct replica_batch *batch, const struct error *why,
                struct error *err)
{
    struct error unlisted = ERROR_INIT;
    if (!batch && !(batch = replica_begin(c->slice->db, c->slice->account->id, err)))
        return false;
    if (!replay_end_mailbox(batch, c->operation->id, c->mailbox_id, why, err)) {
        replica_abandon(&batch);
        return false;
    }
    if (!replica_commit(&batch, err))
        return false;
    c->session->must_refresh = true;
    if (imap_is_alive(c->session->client) && !imap_refresh_folders(c->slice, &unlisted))
        LOG_WARN("imap.list", LOG_ERR(&unlisted));
    return true;
}

static bool may_be_over(const struct changing *c, const struct error *why)
{
    return !operation_may_pass(why) && imap_is_alive(c->session->client);
}

/* For a failure: tried again, or over. */
static bool settle(struct changing *c, const struct error *why, struct error *err)
{
    if (may_be_over(c, why))
        return end(c, NULL, why, err);
    *err = *why;
    return false;
}

static bool is_gone(struct changing *c, struct error *err)
{
    static const struct error gone = {.kind = ERROR_NOT_FOUND,
                                      .message = "The folder is not there any more."};
    return end(c, NULL, &gone, err);
}

/* Whether a mailbox is there: what a repeated command comes to is judged by the end state. */
static bool exists(struct changing *c, struct str wire_path)
{
    struct imap_status status = {0};
    return imap_status(c->session->client, c->slice->arena, &wire_path, 1, &status, NULL) &&
           status.has != 0;
}

/* Where it is to lie, by where the folder above lies upstream by now. */
static bool find_place(struct changing *c, struct replica_mailbox *to, struct error *err)
{
    const struct replica_mailbox *parent = NULL;
    to->name = str_of(json_string_value(json_object_get(c->arguments, "name")));
    to->parent_id = json_integer_value(json_object_get(c->arguments, "parentId"));
    for (size_t i = 0; i < c->count; i++) {
        if (c->all[i].id == to->parent_id)
            parent = &c->all[i];
        if (c->all[i].delimiter.length > 0 && !c->all[i].is_local)
            to->delimiter = c->all[i].delimiter;
    }
    if (to->parent_id && !parent)
        return error_set(err, ERROR_NOT_FOUND, "The folder above it is not there any more.");
    to->path = parent
                   ? arena_printf(c->slice->arena, "%" STR_FMT "%" STR_FMT "%" STR_FMT,
                                  STR_ARG(parent->path), STR_ARG(to->delimiter), STR_ARG(to->name))
                   : to->name;
    return imap_mailbox_wire(c->session->client, c->slice->arena, to->path, &to->wire_path, err);
}

/* --- create ---------------------------------------------------------------------------------- */

/* Written ahead: a listing that comes before the answer finds it by its path. One that somebody
 * else made there meanwhile becomes this one; what lies in it is read anew. */
static bool take_path(struct changing *c, const struct replica_mailbox *made, struct error *err)
{
    struct replica_mailbox waiting = *made;
    struct replica_batch *batch = NULL;
    bool is_good = true;
    if (str_equal(c->mailbox->path, made->path))
        return true;
    if (!(batch = replica_begin(c->slice->db, c->slice->account->id, err)))
        return false;
    for (size_t i = 0; i < c->count && is_good; i++)
        if (&c->all[i] != c->mailbox && str_equal(c->all[i].path, made->path))
            is_good = replica_mailbox_remove(batch, c->all[i].id, err);
    waiting.is_pending = true;
    if (is_good && replica_mailbox_put(batch, &waiting, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* Not to be had: it goes from here, too. */
static bool refuse_new(struct changing *c, const struct error *why, struct error *err)
{
    if (!may_be_over(c, why)) {
        *err = *why;
        return false;
    }
    struct replica_batch *batch = replica_begin(c->slice->db, c->slice->account->id, err);
    if (batch && replica_mailbox_remove(batch, c->mailbox_id, err))
        return end(c, batch, why, err);
    replica_abandon(&batch);
    return false;
}

bool imap_replay_mailbox_create(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct changing c;
    struct error why = ERROR_INIT;
    (void)result;
    if (!load(&c, slice, operation, arguments, err))
        return false;
    if (!c.mailbox)
        return is_gone(&c, err);
    if (!c.mailbox->is_pending)
        return end(&c, NULL, NULL, err); /* listed meanwhile */
    struct replica_mailbox made = *c.mailbox;
    if (!find_place(&c, &made, &why))
        return refuse_new(&c, &why, err);
    if (!take_path(&c, &made, err))
        return false;
    if (!imap_create(c.session->client, made.wire_path, 0, &why))
        return refuse_new(&c, &why, err);
    /* without it the folder is there as well */
    imap_subscribe(c.session->client, made.wire_path, true, NULL);
    made.is_pending = false;
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    if (batch && replica_mailbox_put(batch, &made, err))
        return end(&c, batch, NULL, err);
    replica_abandon(&batch);
    return false;
}

/* --- rename ---------------------------------------------------------------------------------- */

/* The folder and those below it keep their messages under the new path (RFC 9051 section 6.3.6). */
static bool put_renamed(struct changing *c, struct replica_batch *batch,
                        struct replica_mailbox *mailbox, struct str old_path, struct str new_path,
                        struct error *err)
{
    struct arena *arena = c->slice->arena;
    mailbox->path = arena_printf(arena, "%" STR_FMT "%" STR_FMT, STR_ARG(new_path),
                                 STR_ARG(str_skip(mailbox->path, old_path.length)));
    return imap_mailbox_wire(c->session->client, arena, mailbox->path, &mailbox->wire_path, err) &&
           replica_mailbox_put(batch, mailbox, err);
}

static bool is_below(const struct replica_mailbox *mailbox, struct str path)
{
    return mailbox->delimiter.length > 0 && str_starts(mailbox->path, path) &&
           str_starts(str_skip(mailbox->path, path.length), mailbox->delimiter);
}

/* Subscriptions are to names (RFC 9051 section 6.3.7), which servers do not take along. */
static void follow_subscriptions(struct changing *c, struct str new_path)
{
    struct str old_path = c->mailbox->path;
    for (size_t i = 0; i < c->count; i++) {
        const struct replica_mailbox *each = &c->all[i];
        struct str wire;
        if (!each->is_subscribed || each->is_pending ||
            (each != c->mailbox && !is_below(each, old_path)))
            continue;
        struct str path = arena_printf(c->slice->arena, "%" STR_FMT "%" STR_FMT, STR_ARG(new_path),
                                       STR_ARG(str_skip(each->path, old_path.length)));
        if (imap_mailbox_wire(c->session->client, c->slice->arena, path, &wire, NULL) &&
            imap_subscribe(c->session->client, wire, true, NULL))
            imap_subscribe(c->session->client, each->wire_path, false, NULL);
    }
}

static bool put_all_renamed(struct changing *c, const struct replica_mailbox *to, struct error *err)
{
    struct str old_path = c->mailbox->path;
    struct replica_batch *batch = replica_begin(c->slice->db, c->slice->account->id, err);
    bool is_good = batch != NULL;
    c->mailbox->parent_id = to->parent_id;
    c->mailbox->name = to->name;
    for (size_t i = 0; i < c->count && is_good; i++)
        if (&c->all[i] == c->mailbox || is_below(&c->all[i], old_path))
            is_good = put_renamed(c, batch, &c->all[i], old_path, to->path, err);
    if (is_good)
        return end(c, batch, NULL, err);
    replica_abandon(&batch);
    return false;
}

bool imap_replay_mailbox_rename(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct changing c;
    struct error why = ERROR_INIT;
    struct replica_mailbox to = {0};
    (void)result;
    if (!load(&c, slice, operation, arguments, err))
        return false;
    if (!find_place(&c, &to, &why))
        return settle(&c, &why, err);
    for (size_t i = 0; i < c.count && !c.mailbox && operation->attempts > 1; i++)
        if (str_equal(c.all[i].path, to.path)) /* done, the answer was lost, a listing came first */
            return end(&c, NULL, NULL, err);
    if (!c.mailbox)
        return is_gone(&c, err);
    bool is_renamed = str_equal(c.mailbox->path, to.path) || /* listed under its new name already */
                      imap_rename(c.session->client, c.mailbox->wire_path, to.wire_path, &why) ||
                      (imap_is_alive(c.session->client) && operation->attempts > 1 &&
                       !exists(&c, c.mailbox->wire_path) && exists(&c, to.wire_path));
    if (!is_renamed)
        return settle(&c, &why, err);
    c.session->selected = NULL; /* its name is another now */
    if (!str_equal(c.mailbox->path, to.path))
        follow_subscriptions(&c, to.path);
    return put_all_renamed(&c, &to, err);
}

/* --- delete, subscribe ----------------------------------------------------------------------- */

/* What came meanwhile, or was never seen here, follows the others to Trash. */
static bool rescue(struct changing *c, struct error *err)
{
    struct session_mailbox *source = imap_session_mailbox(c->session, c->mailbox_id);
    const struct replica_mailbox *trash = NULL;
    struct imap_set all = {0};
    struct imap_copied copied = {0};
    bool is_reset = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->all[i].role == ROLE_TRASH && c->all[i].is_selectable && !c->all[i].is_local)
            trash = &c->all[i];
    if (!source || !trash || trash == c->mailbox)
        return true;
    if (!imap_session_select(c->slice, source, &is_reset, err))
        return false;
    if (imap_selected(c->session->client)->exists == 0)
        return true;
    imap_set_add_range(&all, 1, UINT32_MAX);
    bool is_good =
        imap_has(c->session->client, IMAP_CAP_MOVE)
            ? imap_move(c->session->client, c->slice->arena, &all, trash->wire_path, &copied, NULL,
                        err)
            : imap_copy(c->session->client, c->slice->arena, &all, trash->wire_path, &copied, err);
    imap_set_free(&all);
    return is_good;
}

static bool remove_upstream(struct changing *c, struct error *err)
{
    if (!rescue(c, err))
        return false;
    if (c->session->selected && c->session->selected->known.id == c->mailbox_id) {
        c->session->selected = NULL;
        if (!imap_unselect(c->session->client, err))
            return false;
    }
    return imap_delete(c->session->client, c->mailbox->wire_path, err);
}

bool imap_replay_mailbox_delete(struct slice *slice, const struct operation *operation,
                                const json_t *arguments, struct str *result, struct error *err)
{
    struct changing c;
    struct error why = ERROR_INIT;
    (void)result;
    if (!load(&c, slice, operation, arguments, err))
        return false;
    if (!c.mailbox) /* not listed any more */
        return end(&c, NULL, NULL, err);
    if (!remove_upstream(&c, &why) &&
        !(imap_is_alive(c.session->client) && why.kind == ERROR_NOT_FOUND))
        return settle(&c, &why, err);
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    if (batch && replica_mailbox_remove(batch, c.mailbox_id, err))
        return end(&c, batch, NULL, err);
    replica_abandon(&batch);
    return false;
}

static bool subscribe(struct slice *slice, const struct operation *operation,
                      const json_t *arguments, bool is_subscribed, struct error *err)
{
    struct changing c;
    struct error why = ERROR_INIT;
    if (!load(&c, slice, operation, arguments, err))
        return false;
    if (!c.mailbox)
        return is_gone(&c, err);
    if (!imap_subscribe(c.session->client, c.mailbox->wire_path, is_subscribed, &why))
        return settle(&c, &why, err);
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    c.mailbox->is_subscribed = is_subscribed;
    if (batch && replica_mailbox_put(batch, c.mailbox, err))
        return end(&c, batch, NULL, err);
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

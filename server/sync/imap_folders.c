#include "server/sync/imap_folders.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/drafts.h"
#include "server/sync/folders.h"
#include "server/sync/imap_map.h"
#include "server/sync/imap_pull.h"

static void map_listed(const struct imap_mailbox *from, struct listed_mailbox *to)
{
    *to = (struct listed_mailbox){
        .path = from->path,
        .wire_path = from->wire_path,
        .delimiter = from->delimiter,
        .role = imap_map_role(from->attributes),
        .is_selectable = !(from->attributes & (IMAP_NOSELECT | IMAP_NONEXISTENT)),
        .is_subscribed = (from->attributes & IMAP_SUBSCRIBED) != 0,
        .object_id = from->has_status && (from->status.has & IMAP_STATUS_MAILBOXID)
                         ? from->status.mailbox_id
                         : STR_EMPTY,
        .uidvalidity = from->has_status && (from->status.has & IMAP_STATUS_UIDVALIDITY)
                           ? from->status.uidvalidity
                           : 0,
    };
}

static bool write_plan(struct slice *slice, struct folder_plan *plan, struct error *err)
{
    struct replica_batch *batch = NULL;
    bool is_good = true;
    /* first, as a renamed folder may take the path of a removed one */
    for (size_t i = 0; i < plan->remove_count && is_good; i++) {
        if (!batch && !(batch = replica_begin(slice->db, slice->account->id, err)))
            return false;
        LOG_INFO("imap.folder-gone", log_int("mailbox", plan->remove[i]));
        is_good = replica_mailbox_remove(batch, plan->remove[i], err);
    }
    for (size_t i = 0; i < plan->put_count && is_good; i++) {
        folders_set_parent(plan, i);
        if (!plan->is_changed[i])
            continue;
        if (!batch && !(batch = replica_begin(slice->db, slice->account->id, err)))
            return false;
        is_good = replica_mailbox_put(batch, &plan->put[i], err);
    }
    if (!batch)
        return true;
    if (is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

static bool plan_and_write(struct slice *slice, const struct imap_mailboxes *listing,
                           struct error *err)
{
    struct replica_mailbox *known;
    size_t known_count;
    struct folder_plan plan;
    struct listed_mailbox *listed =
        ARENA_ARRAY(slice->arena, listing->count + 1, struct listed_mailbox);
    for (size_t i = 0; i < listing->count; i++)
        map_listed(&listing->at[i], &listed[i]);
    if (!replica_mailboxes(slice->db, slice->arena, slice->account->id, false, &known, &known_count,
                           err))
        return false;
    folders_plan(slice->arena, listed, listing->count, known, known_count, &plan);
    return write_plan(slice, &plan, err);
}

/* Whether the server has something that the cursor does not cover. Without a usable STATUS the
 * mailbox is looked at (163.com answers an empty one). */
static bool differs(const struct replica_mailbox *known, const struct imap_status *status)
{
    const unsigned needed = IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY;
    if (!status || (status->has & needed) != needed || known->backfill_uid == 0)
        return true;
    if (status->uidvalidity != known->uidvalidity || status->uidnext != known->uidnext ||
        (int)status->messages != known->upstream_total)
        return true;
    if (status->has & IMAP_STATUS_HIGHESTMODSEQ && status->highestmodseq > 0)
        return status->highestmodseq != known->highestmodseq;
    /* Without modseq only the number of unread messages tells of changed flags. */
    return (status->has & IMAP_STATUS_UNSEEN) && (int)status->unseen != known->unread;
}

static const struct imap_status *status_of(const struct imap_mailboxes *listing,
                                           const struct replica_mailbox *mailbox)
{
    for (size_t i = 0; i < listing->count; i++)
        if (str_equal(listing->at[i].wire_path, mailbox->wire_path))
            return listing->at[i].has_status ? &listing->at[i].status : NULL;
    return NULL;
}

/* What was under way in the mailbox stays under way. */
static void carry_over(const struct session_mailbox *old, size_t old_count,
                       struct session_mailbox *fresh)
{
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].known.id != fresh->known.id)
            continue;
        fresh->is_stale = old[i].is_stale;
        fresh->must_compare = old[i].must_compare;
        fresh->wants_text = old[i].wants_text;
        fresh->flags_at_ms = old[i].flags_at_ms;
        fresh->looked_at_ms = old[i].looked_at_ms;
        fresh->resets = old[i].resets;
        fresh->has_modseq_back = old[i].has_modseq_back;
        fresh->refusals = str_equal(old[i].known.path, fresh->known.path) ? old[i].refusals : 0;
        fresh->is_stale = fresh->is_stale || fresh->must_compare;
        return;
    }
    fresh->wants_text = true; /* first sight in this session: look once */
}

/* Without CONDSTORE nothing but a look tells of changed flags. */
static bool are_flags_due(const struct imap_session *session, const struct session_mailbox *mailbox)
{
    return !imap_has_condstore(session->client) && mailbox->known.upstream_total > 0 &&
           (mailbox->flags_at_ms == 0 || clock_monotonic_ms() - mailbox->flags_at_ms >=
                                             folders_flags_rest_ms(mailbox->known.upstream_total));
}

bool imap_folder_has_news(const struct imap_session *session, const struct session_mailbox *mailbox,
                          const struct imap_status *status)
{
    return differs(&mailbox->known, status) || are_flags_due(session, mailbox);
}

/* Somebody may have written before the server's folders were known here. */
static bool adopt_drafts(struct slice *slice, const struct replica_mailbox *known, size_t count,
                         struct error *err)
{
    int64_t here = 0, upstream = 0;
    for (size_t i = 0; i < count; i++) {
        if (known[i].role != ROLE_DRAFTS || !known[i].is_selectable)
            continue;
        int64_t *id = known[i].is_local ? &here : &upstream;
        *id = *id ? *id : known[i].id;
    }
    return !here || !upstream || drafts_adopt(slice->db, slice->account->id, here, upstream, err);
}

/* The server was set back while the mailbox was open (quirk 13): what SELECT says of it now counts.
 */
static bool tells_less(const struct imap_status *status, const struct replica_mailbox *known)
{
    return status && (((status->has & IMAP_STATUS_UIDNEXT) && status->uidnext != 0 &&
                       status->uidnext < known->uidnext) ||
                      ((status->has & IMAP_STATUS_HIGHESTMODSEQ) && status->highestmodseq != 0 &&
                       status->highestmodseq < known->highestmodseq));
}

static bool load(struct slice *slice, const struct imap_mailboxes *listing, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct replica_mailbox *known;
    size_t count;
    struct arena *arena = arena_new_small(); /* lives as long as the account is parked */
    int64_t selected_id = session->selected ? session->selected->known.id : 0;
    if (!replica_mailboxes(slice->db, arena, slice->account->id, false, &known, &count, err) ||
        !adopt_drafts(slice, known, count, err)) {
        arena_free(&arena);
        return false;
    }
    struct session_mailbox *fresh = ARENA_ARRAY(arena, count + 1, struct session_mailbox);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!known[i].is_selectable || known[i].is_local || known[i].is_pending ||
            known[i].set_aside_until > clock_now_us())
            continue;
        struct session_mailbox *mailbox = &fresh[kept++];
        mailbox->known = known[i];
        carry_over(session->mailboxes, session->mailbox_count, mailbox);
        mailbox->is_stale = mailbox->is_stale ||
                            imap_folder_has_news(session, mailbox, status_of(listing, &known[i]));
    }
    imap_session_free_mailboxes(session);
    imap_session_move_news(session, arena);
    arena_free(&session->arena);
    session->arena = arena;
    session->mailboxes = fresh;
    session->mailbox_count = kept;
    session->selected = imap_session_mailbox(session, selected_id);
    if (session->selected &&
        tells_less(status_of(listing, &session->selected->known), &session->selected->known))
        session->selected = NULL;
    if (!session->selected)
        imap_session_clear_news(session);
    return true;
}

bool imap_refresh_folders(struct slice *slice, struct error *err)
{
    struct imap_mailboxes listing;
    return imap_look(slice->account->imap->client, slice->arena, &listing, err) &&
           plan_and_write(slice, &listing, err) && load(slice, &listing, err);
}

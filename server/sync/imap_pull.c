#include "server/sync/imap_pull.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/imap_fetch.h"
#include "server/sync/imap_map.h"

/* --- helpers of a batch ---------------------------------------------------------------------- */

static struct replica_batch *begin(struct slice *slice, struct error *err)
{
    return replica_begin(slice->db, slice->account->id, err);
}

/* Ends a batch: commits if all went well, and only then is the cursor in memory the new one. */
static bool end(struct replica_batch *batch, bool is_good, struct session_mailbox *mailbox,
                const struct replica_mailbox *cursor, struct error *err)
{
    is_good = is_good && replica_mailbox_cursor(batch, cursor, err);
    if (!is_good) {
        replica_abandon(&batch);
        return false;
    }
    if (!replica_commit(&batch, err))
        return false;
    mailbox->known = *cursor;
    return true;
}

static const struct imap_selected *selected(const struct slice *slice)
{
    return imap_selected(slice->account->imap->client);
}

/* --- a mailbox never seen -------------------------------------------------------------------- */

/* The newest page by message number: the one thing that is known without asking for UIDs. */
static bool pull_first_page(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct fetched_emails fetched = {0};
    struct replica_mailbox cursor = mailbox->known;
    struct imap_selected now = *selected(slice);
    uint32_t low = now.exists > PULL_FIRST_PAGE ? now.exists - PULL_FIRST_PAGE + 1 : 1;
    struct fetch_wanted wanted = {.seq_low = low, .seq_high = now.exists};
    if (now.exists > 0 && !imap_fetch_headers(slice, slice->arena, &wanted, &fetched, err))
        return false;
    uint32_t highest = fetched.count ? fetched.at[fetched.count - 1].placed.uid : 0;
    cursor.uidvalidity = now.uidvalidity;
    cursor.uidnext = now.uidnext > highest ? now.uidnext : highest + 1;
    /* What arrived since SELECT is above UIDNEXT and comes as news; if it is here already, twice is
     * as good as once. */
    cursor.backfill_uid = low == 1 || fetched.count == 0 ? 1 : fetched.at[0].placed.uid;
    cursor.highestmodseq = now.highestmodseq;
    cursor.upstream_total = (int)now.exists;
    struct replica_batch *batch = begin(slice, err);
    bool is_good = batch && imap_fetch_store(batch, cursor.id, &fetched, err) &&
                   (cursor.backfill_uid > 1 || replica_uids_settle(batch, cursor.id, err));
    if (!batch || !end(batch, is_good, mailbox, &cursor, err))
        return false;
    mailbox->wants_text = true;
    return true;
}

bool imap_pull_reset(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct replica_mailbox cursor = mailbox->known;
    LOG_WARN("imap.uidvalidity", log_int("mailbox", cursor.id), log_int("was", cursor.uidvalidity),
             log_int("is", selected(slice)->uidvalidity));
    cursor.uidvalidity = selected(slice)->uidvalidity;
    cursor.uidnext = cursor.backfill_uid = 0;
    cursor.highestmodseq = 0;
    imap_set_free(&mailbox->below);
    mailbox->has_backfill = false;
    imap_session_clear_news(slice->account->imap);
    struct replica_batch *batch = begin(slice, err);
    return batch && end(batch, replica_uids_forget(batch, cursor.id, err), mailbox, &cursor, err);
}

/* --- what is new ----------------------------------------------------------------------------- */

/* Everything at or above the cursor, lowest first, so that the cursor may move with each batch. */
static bool pull_new(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct imap_set above = {0}, taken = {0};
    struct imap_found found;
    imap_set_add_range(&above, mailbox->known.uidnext, UINT32_MAX);
    struct imap_term term = {.key = "UID", .set = &above};
    struct imap_search_params search = {.terms = &term, .term_count = 1};
    bool is_good = imap_search(slice->account->imap->client, slice->arena, &search, &found, err);
    imap_set_free(&above);
    if (!is_good)
        return false;
    imap_set_clip(&found.all, mailbox->known.uidnext, UINT32_MAX);
    while (is_good && !imap_set_is_empty(&found.all)) {
        struct fetched_emails fetched;
        struct replica_mailbox cursor = mailbox->known;
        imap_set_take_lowest(&found.all, PULL_BATCH, &taken);
        uint32_t highest = imap_set_highest(&taken);
        struct fetch_wanted wanted = {.uids = &taken};
        is_good = imap_fetch_headers(slice, slice->arena, &wanted, &fetched, err);
        if (!is_good)
            break;
        cursor.uidnext = highest + 1;
        cursor.upstream_total = (int)selected(slice)->exists;
        struct replica_batch *batch = begin(slice, err);
        is_good = batch && end(batch, imap_fetch_store(batch, cursor.id, &fetched, err), mailbox,
                               &cursor, err);
        mailbox->wants_text = true;
    }
    imap_set_free(&taken);
    imap_set_free(&found.all);
    return is_good;
}

/* --- what changed ---------------------------------------------------------------------------- */

struct flags_list {
    struct arena *arena;
    uint32_t low, high; /* what is here */
    struct replica_flags *at;
    size_t count, capacity;
};

static bool on_flags(void *context, const struct imap_fetch *fetch)
{
    struct flags_list *list = context;
    if (!(fetch->has & IMAP_ITEM_FLAGS) || fetch->uid < list->low || fetch->uid > list->high)
        return true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        struct replica_flags *grown = ARENA_ARRAY(list->arena, capacity, struct replica_flags);
        if (list->count > 0)
            memcpy(grown, list->at, list->count * sizeof *grown);
        list->at = grown;
        list->capacity = capacity;
    }
    imap_map_flags(list->arena, fetch, &list->at[list->count++]);
    return true;
}

/* Flags of all that is here, or with CONDSTORE of what changed. The highest modseq told (not the
 * mailbox's own, which may be ahead of what we read) becomes the cursor's at the end. */
static bool pull_flags(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    const struct replica_mailbox *known = &mailbox->known;
    struct imap_set uids = {0};
    struct flags_list list = {
        .arena = slice->arena, .low = known->backfill_uid, .high = known->uidnext - 1};
    if (known->uidnext <= known->backfill_uid)
        return true;
    bool is_by_modseq = selected(slice)->has_modseq && known->highestmodseq > 0;
    if (is_by_modseq && selected(slice)->highestmodseq == known->highestmodseq)
        return true;
    imap_set_add_range(&uids, list.low, list.high);
    struct imap_fetch_params params = {.uids = &uids,
                                       .items = IMAP_ITEM_UID | IMAP_ITEM_FLAGS,
                                       .changed_since = is_by_modseq ? known->highestmodseq : 0};
    bool is_good = imap_fetch(slice->account->imap->client, &params, on_flags, &list, err);
    imap_set_free(&uids);
    if (!is_good || list.count == 0)
        return is_good;
    struct replica_batch *batch = begin(slice, err);
    is_good = batch && replica_flags_set(batch, known->id, list.at, list.count, err);
    if (batch && is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* What QRESYNC told at SELECT, or the server unasked since. */
static bool apply_news(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_news *news = &session->news;
    size_t gone_count = 0;
    if (mailbox->known.uidnext == 0)
        return true;
    imap_set_clip(&news->vanished, 1, mailbox->known.uidnext - 1);
    imap_set_remove_set(&mailbox->below, &news->vanished);
    /* "VANISHED (EARLIER)" that covers far more than can be here is a server's mistake
     * (nextcloud/mail#11908): the UIDs are compared instead. */
    bool is_credible = imap_set_size(&news->vanished) <= (uint64_t)mailbox->known.uidnext + 1;
    uint32_t *gone = is_credible ? imap_set_numbers(&news->vanished, slice->arena,
                                                    mailbox->known.uidnext, &gone_count)
                                 : NULL;
    if (gone_count == 0 && news->flag_count == 0) {
        imap_session_clear_news(session);
        return true;
    }
    struct replica_batch *batch = begin(slice, err);
    bool is_good =
        batch &&
        (news->flag_count == 0 ||
         replica_flags_set(batch, mailbox->known.id, news->flags, news->flag_count, err)) &&
        (gone_count == 0 || replica_expunge(batch, mailbox->known.id, gone, gone_count, NULL, err));
    if (!is_good) {
        replica_abandon(&batch);
        return false;
    }
    imap_session_clear_news(session);
    return replica_commit(&batch, err);
}

/* --- what is gone ---------------------------------------------------------------------------- */

/* Compares all UIDs: those here that the server does not list are gone. Taken before the search:
 * what comes in meanwhile is not in the list of those here, so nothing new can be taken for gone.
 */
static bool compare_all(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    const struct replica_mailbox *known = &mailbox->known;
    struct replica_flags *here;
    size_t here_count, gone_count = 0;
    struct imap_found found;
    struct imap_search_params search = {0};
    if (!replica_uids(slice->db, slice->arena, slice->account->id, known->id, 1, known->uidnext - 1,
                      &here, &here_count, err) ||
        !imap_search(slice->account->imap->client, slice->arena, &search, &found, err))
        return false;
    uint32_t *gone = ARENA_ARRAY(slice->arena, here_count + 1, uint32_t);
    for (size_t i = 0; i < here_count; i++)
        if (!imap_set_has(&found.all, here[i].uid))
            gone[gone_count++] = here[i].uid;
    uint64_t listed = imap_set_size(&found.all);
    imap_set_free(&found.all);
    /* A list that disagrees with the count told beside it is not believed (quirk 17, and servers
     * under load): never delete on doubt. */
    if (listed != selected(slice)->exists) {
        LOG_WARN("imap.doubt", log_int("mailbox", known->id), log_int("listed", (int64_t)listed),
                 log_int("exists", selected(slice)->exists));
        return true;
    }
    mailbox->must_compare = false;
    if (gone_count == 0)
        return true;
    struct replica_batch *batch = begin(slice, err);
    bool is_good = batch && replica_expunge(batch, known->id, gone, gone_count, NULL, err);
    if (is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* The invariant after each pass: what is here and what is still to come make up EXISTS. */
static bool check_count(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    int64_t placements;
    if (mailbox->known.backfill_uid > 1 && !mailbox->has_backfill)
        return true; /* what lies below is asked for by the backfill first */
    if (!replica_placement_count(slice->db, slice->account->id, mailbox->known.id, &placements,
                                 err))
        return false;
    uint64_t here = (uint64_t)placements + imap_set_size(&mailbox->below);
    if (!mailbox->must_compare && here == selected(slice)->exists)
        return true;
    return compare_all(slice, mailbox, err);
}

/* The cursor's modseq moves only once all it stands for is in the database. */
static bool finish_pass(struct slice *slice, struct session_mailbox *mailbox, uint64_t modseq,
                        struct error *err)
{
    struct replica_mailbox cursor = mailbox->known;
    cursor.highestmodseq = modseq;
    cursor.upstream_total = (int)selected(slice)->exists;
    if (selected(slice)->uidnext > cursor.uidnext)
        cursor.uidnext = selected(slice)->uidnext;
    if (cursor.highestmodseq == mailbox->known.highestmodseq &&
        cursor.upstream_total == mailbox->known.upstream_total &&
        cursor.uidnext == mailbox->known.uidnext)
        return true;
    struct replica_batch *batch = begin(slice, err);
    return batch && end(batch, true, mailbox, &cursor, err);
}

bool imap_pull_news(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    bool is_reset = false;
    bool was_selected = slice->account->imap->selected == mailbox;
    if (!imap_session_select(slice, mailbox, &is_reset, err) ||
        (is_reset && !imap_pull_reset(slice, mailbox, err)))
        return false;
    if (mailbox->known.backfill_uid == 0) {
        mailbox->is_stale = false;
        return pull_first_page(slice, mailbox, err);
    }
    /* With the mailbox open already the server tells what happened at the next command. */
    if (was_selected && !imap_noop(slice->account->imap->client, err))
        return false;
    uint64_t modseq = selected(slice)->highestmodseq;
    bool has_qresync =
        imap_has_qresync(slice->account->imap->client) && selected(slice)->has_modseq;
    if (slice->account->imap->news.has_unknown || mailbox->known.highestmodseq == 0)
        has_qresync = false;
    mailbox->is_stale = false;
    bool is_good = pull_new(slice, mailbox, err) && apply_news(slice, mailbox, err) &&
                   (has_qresync || pull_flags(slice, mailbox, err)) &&
                   check_count(slice, mailbox, err) && finish_pass(slice, mailbox, modseq, err);
    mailbox->is_stale = mailbox->is_stale || !is_good;
    return is_good;
}

#include "server/sync/imap_pull.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/folders.h"
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
    imap_session_want_text(mailbox);
    return true;
}

bool imap_pull_reset(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct replica_mailbox cursor = mailbox->known;
    const struct imap_selected *now = selected(slice);
    if (++mailbox->resets > PULL_RESETS_MAX) {
        error_set(err, ERROR_REFUSED, "The mail server numbers this folder anew again and again");
        err->scope = ERROR_SCOPE_MAILBOX;
        return false;
    }
    if (slice->account->imap->is_set_back) {
        LOG_WARN("imap.set-back", log_int("mailbox", cursor.id),
                 log_int("uidnext-was", cursor.uidnext), log_int("uidnext-is", now->uidnext),
                 log_int("modseq-was", (int64_t)cursor.highestmodseq),
                 log_int("modseq-is", (int64_t)now->highestmodseq));
        mailbox->has_modseq_back = now->highestmodseq < cursor.highestmodseq;
    } else {
        LOG_WARN("imap.uidvalidity", log_int("mailbox", cursor.id),
                 log_int("was", cursor.uidvalidity), log_int("is", now->uidvalidity));
    }
    cursor.uidvalidity = now->uidvalidity;
    cursor.uidnext = cursor.backfill_uid = 0;
    cursor.highestmodseq = 0;
    imap_set_free(&mailbox->below);
    mailbox->has_backfill = false;
    imap_session_clear_news(slice->account->imap);
    struct replica_batch *batch = begin(slice, err);
    if (!batch || !end(batch, replica_uids_forget(batch, cursor.id, err), mailbox, &cursor, err))
        return false;
    slice->account->imap->is_set_back = false;
    return true;
}

/* --- messages above the cursor --------------------------------------------------------------- */

/* Fetches some messages and adds them; `cursor` is what then holds. */
static bool fetch_and_store(struct slice *slice, struct session_mailbox *mailbox,
                            struct imap_set *uids, const struct replica_mailbox *cursor,
                            struct error *err)
{
    struct fetched_emails fetched = {0};
    struct fetch_wanted wanted = {.uids = uids};
    if (!imap_fetch_headers(slice, slice->arena, &wanted, &fetched, err))
        return false;
    imap_session_want_text(mailbox);
    struct replica_batch *batch = begin(slice, err);
    return batch &&
           end(batch, imap_fetch_store(batch, cursor->id, &fetched, err), mailbox, cursor, err);
}

/* One batch of what lies at or above the cursor, lowest first, so that the cursor may move with it.
 * `*is_more`: another call is needed. */
static bool pull_new(struct slice *slice, struct session_mailbox *mailbox, bool *is_more,
                     struct error *err)
{
    struct imap_set above = {0}, taken = {0};
    struct imap_found found;
    struct replica_mailbox cursor = mailbox->known;
    imap_set_add_range(&above, cursor.uidnext, UINT32_MAX);
    struct imap_term term = {.key = "UID", .set = &above};
    struct imap_search_params search = {.terms = &term, .term_count = 1};
    bool is_good = imap_search(slice->account->imap->client, slice->arena, &search, &found, err);
    imap_set_free(&above);
    if (!is_good)
        return false;
    /* n:* beyond UIDNEXT names the last message (quirk 13) */
    imap_set_clip(&found.all, cursor.uidnext, UINT32_MAX);
    imap_set_take_lowest(&found.all, PULL_BATCH, &taken);
    *is_more = !imap_set_is_empty(&found.all);
    imap_set_free(&found.all);
    if (!imap_set_is_empty(&taken)) {
        cursor.uidnext = imap_set_highest(&taken) + 1;
        is_good = fetch_and_store(slice, mailbox, &taken, &cursor, err);
    }
    imap_set_free(&taken);
    return is_good;
}

/* Whether there may be any: what SELECT or EXISTS told since the last pass says so. */
static bool may_have_new(const struct slice *slice, const struct session_mailbox *mailbox)
{
    const struct imap_selected *now = selected(slice);
    if (mailbox->must_compare) /* what was told last was not to be believed */
        return true;
    if (!slice->account->imap->is_followed &&
        (now->uidnext == 0 || now->uidnext != mailbox->known.uidnext))
        return true;
    /* what was expunged meanwhile may hide what came */
    return now->exists != (uint32_t)mailbox->known.upstream_total ||
           slice->account->imap->news.has_expunged;
}

/* --- what changed ---------------------------------------------------------------------------- */

struct flags_list {
    struct arena *arena;
    struct imap_session *session;
    uint32_t low, high; /* what is here */
    struct replica_flags *at;
    size_t count, capacity;
};

static bool on_flags(void *context, const struct imap_fetch *fetch)
{
    struct flags_list *list = context;
    if (!(fetch->has & IMAP_ITEM_FLAGS))
        return true;
    if (fetch->uid < list->low || fetch->uid > list->high) {
        imap_session_note_flags(list->session, fetch); /* told of something else, or without UID */
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        struct replica_flags *grown = ARENA_ARRAY(list->arena, capacity, struct replica_flags);
        if (list->count > 0)
            memcpy(grown, list->at, list->count * sizeof *grown);
        list->at = grown;
        list->capacity = capacity;
    }
    imap_map_flags(list->arena, fetch, &list->at[list->count++]);
    imap_session_forget_flags(list->session, fetch->uid);
    return true;
}

/* Flags of all that is here, or with CONDSTORE of what changed since the cursor. */
static bool pull_flags(struct slice *slice, struct session_mailbox *mailbox, uint64_t since,
                       struct error *err)
{
    const struct replica_mailbox *known = &mailbox->known;
    struct imap_set uids = {0};
    struct flags_list list = {.arena = slice->arena,
                              .session = slice->account->imap,
                              .low = known->backfill_uid,
                              .high = known->uidnext - 1};
    mailbox->flags_at_ms = clock_monotonic_ms();
    if (known->uidnext <= known->backfill_uid)
        return true;
    imap_set_add_range(&uids, list.low, list.high);
    struct imap_fetch_params params = {
        .uids = &uids, .items = IMAP_ITEM_UID | IMAP_ITEM_FLAGS, .changed_since = since};
    bool is_good = imap_fetch(slice->account->imap->client, &params, on_flags, &list, err);
    imap_set_free(&uids);
    if (!is_good || list.count == 0)
        return is_good;
    struct replica_batch *batch = begin(slice, err);
    if (batch && replica_flags_set(batch, known->id, list.at, list.count, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* Asks for flags as far as the server has not told them by itself. */
static bool pull_changes(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    bool has_unknown = slice->account->imap->news.has_unknown;
    bool is_followed = slice->account->imap->is_followed;
    const struct replica_mailbox *known = &mailbox->known;
    const struct imap_selected *now = selected(slice);
    bool has_gone_back = now->has_modseq && now->highestmodseq < known->highestmodseq;
    bool is_by_modseq = now->has_modseq && known->highestmodseq > 0 && !has_gone_back;
    if (is_by_modseq && !has_unknown) {
        /* with QRESYNC SELECT has told all, and after a first look the server tells by itself */
        bool is_told = imap_has_qresync(slice->account->imap->client) || is_followed ||
                       now->highestmodseq == known->highestmodseq;
        if (is_told)
            return true;
    }
    if (!is_by_modseq && !has_unknown && !has_gone_back && is_followed && mailbox->flags_at_ms &&
        clock_monotonic_ms() - mailbox->flags_at_ms <
            folders_flags_rest_ms(mailbox->known.upstream_total))
        return true;
    return pull_flags(slice, mailbox, is_by_modseq ? known->highestmodseq : 0, err);
}

/* What QRESYNC told at SELECT, or the server unasked since. */
static bool apply_news(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_news *news = &session->news;
    size_t gone_count = 0;
    uint32_t *gone = NULL;
    imap_set_remove_set(&mailbox->below, &news->vanished);
    /* "VANISHED (EARLIER)" may cover far more than is gone, or be a server's mistake
     * (nextcloud/mail#11908): then the UIDs are compared instead. */
    if (imap_set_size(&news->vanished) <= PULL_VANISHED_MAX)
        gone = imap_set_numbers(&news->vanished, slice->arena, PULL_VANISHED_MAX, &gone_count);
    else
        mailbox->must_compare = true;
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

/* --- comparing ------------------------------------------------------------------------------- */

/* Takes the UIDs that are here out of those the server lists; what is here and not listed is gone.
 */
static uint32_t *find_gone(struct slice *slice, const struct replica_flags *here, size_t count,
                           struct imap_set *listed, size_t *gone_count)
{
    struct imap_set known = {0};
    uint32_t *gone = ARENA_ARRAY(slice->arena, count + 1, uint32_t);
    *gone_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!imap_set_has(listed, here[i].uid))
            gone[(*gone_count)++] = here[i].uid;
        imap_set_add(&known, here[i].uid);
    }
    imap_set_remove_set(listed, &known);
    imap_set_free(&known);
    return gone;
}

/* What is listed below the cursor and not here: lost on the way once (a FETCH that did not tell
 * everything, quirk 14), or not to be had at all: asked for once more in a session. */
static bool fetch_missing(struct slice *slice, struct session_mailbox *mailbox,
                          struct imap_set *missing, struct error *err)
{
    const struct replica_mailbox *known = &mailbox->known;
    struct imap_set taken = {0};
    if (imap_set_highest(missing) >= known->uidnext)
        mailbox->must_compare = true; /* new, though the search for new mail did not name it */
    imap_set_clip(missing, known->backfill_uid, known->uidnext - 1);
    imap_set_remove_set(missing, &mailbox->given_up);
    bool is_good = true;
    while (is_good && !imap_set_is_empty(missing)) {
        imap_set_take_highest(missing, PULL_BATCH, &taken);
        imap_set_add_set(&mailbox->given_up, &taken);
        struct replica_mailbox cursor = *known;
        is_good = fetch_and_store(slice, mailbox, &taken, &cursor, err);
    }
    imap_set_free(&taken);
    return is_good;
}

/* Compares all UIDs. Those here are taken before the search, so that nothing that comes in
 * meanwhile can be taken for gone. */
static bool compare_all(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    const struct replica_mailbox *known = &mailbox->known;
    struct replica_flags *here;
    size_t here_count, gone_count = 0;
    struct imap_found found;
    struct imap_search_params search = {0};
    if (!replica_uids(slice->db, slice->arena, slice->account->id, known->id, 1, UINT32_MAX, &here,
                      &here_count, err) ||
        !imap_search(slice->account->imap->client, slice->arena, &search, &found, err))
        return false;
    uint64_t listed = imap_set_size(&found.all);
    /* A list that disagrees with the count told beside it is not believed (quirk 17, and servers
     * under load): never delete on doubt. */
    if (listed != selected(slice)->exists) {
        imap_set_free(&found.all);
        mailbox->must_compare = true; /* at the next look */
        LOG_WARN("imap.doubt", log_int("mailbox", known->id), log_int("listed", (int64_t)listed),
                 log_int("exists", selected(slice)->exists));
        return true;
    }
    mailbox->must_compare = false;
    uint32_t *gone = find_gone(slice, here, here_count, &found.all, &gone_count);
    bool is_good = true;
    if (gone_count > 0) {
        struct replica_batch *batch = begin(slice, err);
        is_good = batch && replica_expunge(batch, known->id, gone, gone_count, NULL, err);
        if (is_good)
            is_good = replica_commit(&batch, err);
        else
            replica_abandon(&batch);
    }
    is_good = is_good && fetch_missing(slice, mailbox, &found.all, err);
    imap_set_free(&found.all);
    return is_good;
}

/* The invariant after each pass: what is here and what is still to come make up EXISTS. */
static bool check_count(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    int64_t placements;
    if (mailbox->known.backfill_uid > 1 && !mailbox->has_backfill)
        return true; /* what lies below is asked for by the backfill first */
    if (mailbox->is_stale)
        return true; /* something came just now: the next pass counts */
    if (!replica_placement_count(slice->db, slice->account->id, mailbox->known.id, &placements,
                                 err))
        return false;
    uint64_t here =
        (uint64_t)placements + imap_set_size(&mailbox->below) + imap_set_size(&mailbox->given_up);
    if (!mailbox->must_compare && here == selected(slice)->exists)
        return true;
    imap_set_free(&mailbox->given_up);
    return compare_all(slice, mailbox, err);
}

/* --- a pass ---------------------------------------------------------------------------------- */

/* The cursor's modseq and total are those of the pass's beginning: what came while it ran is for
 * the next one. What was to be met again and was not, is not there. */
static bool finish_pass(struct slice *slice, struct session_mailbox *mailbox, uint64_t modseq,
                        uint32_t exists, struct error *err)
{
    struct replica_mailbox cursor = mailbox->known;
    cursor.highestmodseq = modseq;
    cursor.upstream_total = (int)exists;
    if (selected(slice)->uidnext > cursor.uidnext)
        cursor.uidnext = selected(slice)->uidnext;
    struct replica_batch *batch = begin(slice, err);
    return batch &&
           end(batch, cursor.backfill_uid > 1 || replica_uids_settle(batch, cursor.id, err),
               mailbox, &cursor, err);
}

static bool run_pass(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    bool is_more = false;
    uint64_t modseq = selected(slice)->highestmodseq;
    uint32_t exists = selected(slice)->exists;
    mailbox->is_stale = false;
    if (may_have_new(slice, mailbox) && !pull_new(slice, mailbox, &is_more, err))
        return false;
    if (is_more) {
        mailbox->is_stale = true;
        return true;
    }
    if (!pull_changes(slice, mailbox, err))
        return false;
    slice->account->imap->is_followed = true;
    return apply_news(slice, mailbox, err) && check_count(slice, mailbox, err) &&
           finish_pass(slice, mailbox, modseq, exists, err);
}

bool imap_pull_news(struct slice *slice, struct session_mailbox *mailbox, struct error *err)
{
    bool is_reset = false;
    bool was_selected = slice->account->imap->selected == mailbox;
    if (!imap_session_select(slice, mailbox, &is_reset, err))
        return false;
    if (is_reset && !imap_pull_reset(slice, mailbox, err))
        return false;
    if (mailbox->known.backfill_uid == 0) {
        mailbox->is_stale = false;
        return pull_first_page(slice, mailbox, err);
    }
    /* With the mailbox open already the server tells what happened at the next command. */
    bool is_good = (!was_selected || imap_noop(slice->account->imap->client, err)) &&
                   run_pass(slice, mailbox, err);
    mailbox->is_stale = mailbox->is_stale || !is_good;
    return is_good;
}

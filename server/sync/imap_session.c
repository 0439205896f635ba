#include "server/sync/imap_session.h"

#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/imap_map.h"

enum {
    NEWS_MAX = 100000, /* flags kept until they are applied: some 10 MB */
    /* What a server keeps wrong for one connection shall not stay wrong for as long as it lives:
     * Dovecot 2.3 may lose its list of folders ("duplicate transaction log sequence") and then
     * lists those of long ago to whoever is connected. */
    RENEW_MS = 12 * 3600 * 1000,
};

/* --- news ------------------------------------------------------------------------------------ */

static void make_stale(struct imap_session *session)
{
    if (session->selected)
        session->selected->is_stale = true;
}

static void on_vanished(void *context, struct imap_set *uids, bool is_earlier)
{
    struct imap_session *session = context;
    (void)is_earlier; /* gone is gone; the client keeps the count */
    imap_set_add_set(&session->news.vanished, uids);
    session->news.has_expunged = true;
    make_stale(session);
}

static void on_expunge(void *context, uint32_t seq)
{
    struct imap_session *session = context;
    (void)seq; /* numbers are not kept: the UIDs are compared, as the counts do not agree */
    session->news.has_expunged = true;
    make_stale(session);
}

static void on_exists(void *context, uint32_t count)
{
    struct imap_session *session = context;
    if (session->selected && (int)count != session->selected->known.upstream_total)
        make_stale(session);
}

void imap_session_note_flags(struct imap_session *session, const struct imap_fetch *fetch)
{
    struct session_news *news = &session->news;
    if (!(fetch->has & IMAP_ITEM_FLAGS))
        return;
    make_stale(session);
    if (fetch->uid == 0) {
        news->has_unknown = true;
        return;
    }
    if (news->flag_count == NEWS_MAX) { /* a flood: all flags are asked for instead */
        news->has_unknown = true;
        return;
    }
    if (news->flag_count == news->flag_capacity) {
        size_t capacity = news->flag_capacity ? news->flag_capacity * 2 : 64;
        struct replica_flags *grown = ARENA_ARRAY(session->arena, capacity, struct replica_flags);
        if (news->flag_count > 0)
            memcpy(grown, news->flags, news->flag_count * sizeof *grown);
        news->flags = grown;
        news->flag_capacity = capacity;
    }
    imap_map_flags(session->arena, fetch, &news->flags[news->flag_count++]);
}

void imap_session_forget_flags(struct imap_session *session, uint32_t uid)
{
    struct session_news *news = &session->news;
    size_t kept = 0;
    for (size_t i = 0; i < news->flag_count; i++)
        if (news->flags[i].uid != uid)
            news->flags[kept++] = news->flags[i];
    news->flag_count = kept;
}

static void on_fetch(void *context, const struct imap_fetch *fetch)
{
    imap_session_note_flags(context, fetch);
}

/* NOTIFY's news of other mailboxes. */
static void on_status(void *context, const struct imap_status *status)
{
    struct imap_session *session = context;
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (&session->mailboxes[i] != session->selected &&
            str_equal(session->mailboxes[i].known.wire_path, status->wire_path))
            session->mailboxes[i].is_stale = true;
}

static void on_list(void *context, const struct imap_mailbox *mailbox)
{
    struct imap_session *session = context;
    (void)mailbox; /* made, renamed, deleted, subscribed: a listing tells */
    session->must_refresh = true;
}

void imap_session_move_news(struct imap_session *session, struct arena *arena)
{
    struct session_news *news = &session->news;
    struct replica_flags *moved = ARENA_ARRAY(arena, news->flag_count + 1, struct replica_flags);
    for (size_t i = 0; i < news->flag_count; i++) {
        moved[i] = news->flags[i];
        moved[i].keywords = arena_str(arena, news->flags[i].keywords);
    }
    news->flags = moved;
    news->flag_capacity = news->flag_count + 1;
}

void imap_session_clear_news(struct imap_session *session)
{
    imap_set_free(&session->news.vanished);
    session->news.flag_count = 0;
    session->news.has_unknown = session->news.has_expunged = false;
}

/* --- the connection -------------------------------------------------------------------------- */

static enum stream_security security_of(enum tls_mode tls)
{
    return tls == TLS_IMPLICIT   ? STREAM_TLS_IMPLICIT
           : tls == TLS_STARTTLS ? STREAM_TLS_STARTTLS
                                 : STREAM_PLAIN;
}

bool imap_session_open(struct slice *slice, struct error *err)
{
    struct worker_account *held = slice->account;
    const struct account *account = &slice->work.account;
    if (held->imap && imap_is_alive(held->imap->client))
        return true;
    imap_session_free(&held->imap);
    if (!slice_may_connect(slice, &account->incoming, err))
        return false;
    struct imap_session *session = calloc(1, sizeof *session);
    if (!session)
        abort();
    uint32_t random;
    random_bytes(&random, sizeof random);
    session->arena = arena_new();
    session->renew_at_ms = clock_monotonic_ms() + (int64_t)RENEW_MS / 100 * (80 + random % 41);
    struct imap_handler handler = {.context = session,
                                   .exists = on_exists,
                                   .expunge = on_expunge,
                                   .vanished = on_vanished,
                                   .fetch = on_fetch,
                                   .status = on_status,
                                   .list = on_list};
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct imap_params params = {
        .stream = {.host = account->incoming.host,
                   .port = account->incoming.port,
                   .security = security_of(account->incoming.tls),
                   .egress = slice->sync->egress,
                   .tls = slice->sync->tls,
                   .cancel = &held->is_stopping,
                   .step = &step},
        .username = account->incoming.username,
        .credential = SASL_PASSWORD,
        .secret = &slice->secret,
        .handler = &handler,
    };
    session->client = imap_connect(&params, err);
    if (!session->client) {
        slice_missed(slice, step, err);
        imap_session_free(&session);
        return false;
    }
    slice_met(slice);
    held->imap = session;
    LOG_INFO("imap.connected", log_str("host", account->incoming.host),
             log_text("tls", stream_tls_version(imap_stream(session->client))));
    return true;
}

void imap_session_free_mailboxes(struct imap_session *session)
{
    for (size_t i = 0; i < session->mailbox_count; i++) {
        imap_set_free(&session->mailboxes[i].below);
        imap_set_free(&session->mailboxes[i].given_up);
        imap_set_free(&session->mailboxes[i].without_whole);
    }
}

void imap_session_free(struct imap_session **owner)
{
    struct imap_session *session = *owner;
    if (!session)
        return;
    if (session->client && imap_is_alive(session->client) && !imap_is_idling(session->client))
        imap_logout(&session->client);
    imap_free(&session->client);
    imap_session_free_mailboxes(session);
    imap_set_free(&session->news.vanished);
    arena_free(&session->arena);
    free(session);
    *owner = NULL;
}

struct session_mailbox *imap_session_mailbox(struct imap_session *session, int64_t mailbox_id)
{
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (session->mailboxes[i].known.id == mailbox_id)
            return &session->mailboxes[i];
    return NULL;
}

/* --- selecting ------------------------------------------------------------------------------- */

/* The UIDs the cursor speaks for, for QRESYNC. Empty when nothing is known. */
static void known_range(const struct replica_mailbox *known, struct imap_set *set)
{
    if (known->backfill_uid > 0 && known->uidnext > known->backfill_uid)
        imap_set_add_range(set, known->backfill_uid, known->uidnext - 1);
}

/* UIDVALIDITY is another than that of the UIDs known here. */
static bool is_renumbered(const struct imap_session *session, const struct session_mailbox *mailbox)
{
    uint32_t is = imap_selected(session->client)->uidvalidity, was = mailbox->known.uidvalidity;
    return was != 0 && is != 0 && is != was;
}

/* UIDNEXT or HIGHESTMODSEQ went back under the same UIDVALIDITY (quirk 13): the server was restored
 * from a backup, say, and gives UIDs a second time. A modseq that goes back again and again (of
 * several servers behind one name) is taken for that once in a session. */
static bool is_set_back(const struct imap_session *session, const struct session_mailbox *mailbox)
{
    const struct imap_selected *now = imap_selected(session->client);
    const struct replica_mailbox *known = &mailbox->known;
    bool has_modseq_back = now->has_modseq && now->highestmodseq < known->highestmodseq;
    return !is_renumbered(session, mailbox) &&
           ((now->uidnext != 0 && now->uidnext < known->uidnext) ||
            (has_modseq_back && !mailbox->has_modseq_back));
}

bool imap_session_select(struct slice *slice, struct session_mailbox *mailbox, bool *is_reset,
                         struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct imap_set known = {0};
    *is_reset = false;
    if (session->selected == mailbox &&
        str_equal(imap_selected(session->client)->wire_path, mailbox->known.wire_path)) {
        /* seen before, and nobody has reset it yet */
        *is_reset = session->is_set_back || is_renumbered(session, mailbox);
        return true;
    }
    if (session->selected && session->selected->is_stale)
        session->selected->must_compare = true; /* what it told and was not applied is lost */
    imap_session_clear_news(session);
    session->selected = mailbox;
    session->is_followed = false;
    known_range(&mailbox->known, &known);
    struct imap_select_params params = {.wire_path = mailbox->known.wire_path, .known = &known};
    if (imap_has_qresync(session->client) && !imap_set_is_empty(&known)) {
        params.uidvalidity = mailbox->known.uidvalidity;
        params.modseq = mailbox->known.highestmodseq;
    }
    bool is_selected = imap_select(session->client, &params, NULL, err);
    imap_set_free(&known);
    if (!is_selected) {
        session->selected = NULL;
        return error_wrap(err, "folder %" STR_FMT, STR_ARG(mailbox->known.path));
    }
    session->is_set_back = is_set_back(session, mailbox);
    *is_reset = session->is_set_back || is_renumbered(session, mailbox);
    return true;
}

void imap_session_appended(struct imap_session *session, struct session_mailbox *mailbox)
{
    mailbox->is_stale = true;
    if (session->selected != mailbox ||
        !(imap_host(session->client)->quirks & IMAP_QUIRK_RESELECT_TO_SEE))
        return;
    mailbox->must_compare = true; /* what it told and was not applied is lost */
    session->selected = NULL;
}

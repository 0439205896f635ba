/* The order of things for an IMAP account. What a person looks at comes first: their operations,
 * the newest page of the inbox and its text, the newest page of every folder; then history. */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/operations.h"
#include "server/sync/imap_body.h"
#include "server/sync/imap_folders.h"
#include "server/sync/imap_look.h"
#include "server/sync/imap_operations.h"
#include "server/sync/imap_parked.h"
#include "server/sync/imap_pull.h"
#include "server/sync/words_later.h"

enum {
    /* How long a folder that is listed and refuses SELECT (quirk 19) is left alone. */
    ASIDE_FIRST_S = 20, /* it may be under repair: Dovecot's "deleted under us" lasts a moment */
    ASIDE_S = 6 * 3600, /* refused again when that was over */
    ASIDE_BUSY_S = 5 * 60,
    ASIDE_INBOX_S = 60, /* never for long, whatever it says */
    ASIDE_AGAIN_S = 10 * 60,
    DOUBT_MS = 10 * 60 * 1000, /* the list of folders is doubted no more often */
};

/* A step on one mailbox that says whether it is done there. */
typedef bool step_fn(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                     struct error *err);

static bool news_step(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                      struct error *err)
{
    *is_done = !mailbox->is_stale;
    if (*is_done)
        return true;
    bool is_good = imap_pull_news(slice, mailbox, err);
    *is_done = !mailbox->is_stale;
    return is_good;
}

static bool text_step(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                      struct error *err)
{
    *is_done = !mailbox->wants_text;
    if (*is_done)
        return true;
    bool is_good = imap_prefetch_text(slice, mailbox, is_done, err);
    if (is_good && *is_done)
        mailbox->wants_text = false;
    return is_good;
}

/* A folder that is listed again and refused again: it may be that only this connection still sees
 * it so (see RENEW_MS in imap_session.c). Another one is asked, once in a while, and always before
 * the folder is left alone for hours. */
static bool doubts_list(struct slice *slice, bool is_for_long)
{
    struct worker_account *account = slice->account;
    int64_t now_ms = clock_monotonic_ms();
    int64_t rest_ms = is_for_long ? ASIDE_FIRST_S * 1000 : DOUBT_MS;
    if (account->doubted_at_ms && now_ms - account->doubted_at_ms < rest_ms)
        return false;
    account->doubted_at_ms = now_ms;
    account->imap->is_worn = account->imap->must_refresh = true;
    return true;
}

static int64_t aside_s(const struct replica_mailbox *mailbox, bool is_busy)
{
    bool is_again = mailbox->set_aside_until > 0 &&
                    clock_now_us() - mailbox->set_aside_until < (int64_t)ASIDE_AGAIN_S * 1000000;
    if (!is_again)
        return ASIDE_FIRST_S;
    if (mailbox->role == ROLE_INBOX)
        return ASIDE_INBOX_S;
    return is_busy ? ASIDE_BUSY_S : ASIDE_S;
}

/* The folders are listed again when its time has come, not only at the next poll. */
static void look_again_in(struct imap_session *session, int64_t seconds)
{
    int64_t at_ms = clock_monotonic_ms() + seconds * 1000 + 1;
    if (at_ms < session->refresh_at_ms)
        session->refresh_at_ms = at_ms;
    session->awaits_folder = true;
}

/* A folder that cannot be used is left alone for a while; the others go on. */
static bool set_aside(struct slice *slice, struct session_mailbox *mailbox, const struct error *why,
                      struct error *err)
{
    bool is_busy = why->kind == ERROR_UNAVAILABLE;
    struct replica_mailbox cursor = mailbox->known;
    slice->account->imap->selected = NULL; /* what it told half is told anew by a SELECT */
    if (!is_busy && mailbox->refusals++ == 0) {
        slice->account->imap->must_refresh =
            true; /* it may have been renamed or deleted just now */
        return true;
    }
    int64_t seconds = aside_s(&cursor, is_busy);
    if (!is_busy && doubts_list(slice, seconds == ASIDE_S)) {
        LOG_INFO("imap.list-doubted", log_int("mailbox", cursor.id), LOG_ERR(why));
        return true;
    }
    LOG_WARN("imap.set-aside", log_int("mailbox", cursor.id), log_int("seconds", seconds),
             LOG_ERR(why));
    cursor.set_aside_until = clock_now_us() + seconds * 1000000;
    mailbox->known.set_aside_until = cursor.set_aside_until;
    look_again_in(slice->account->imap, seconds);
    mailbox->is_stale = mailbox->wants_text = false;
    mailbox->known.backfill_uid = mailbox->known.backfill_uid ? mailbox->known.backfill_uid : 1;
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    if (batch && replica_mailbox_cursor(batch, &cursor, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

static bool is_of_mailbox(const struct error *why, const struct imap_session *session)
{
    return imap_is_alive(session->client) &&
           (why->scope == ERROR_SCOPE_MAILBOX || why->scope == ERROR_SCOPE_MESSAGE) &&
           (why->kind == ERROR_REFUSED || why->kind == ERROR_UNAVAILABLE ||
            why->kind == ERROR_NOT_FOUND);
}

/* Repeats a step on a mailbox until it is done or the slice is over; operations come in between. */
static bool work(struct slice *slice, struct session_mailbox *mailbox, step_fn *step, bool *is_done,
                 struct error *err)
{
    *is_done = false;
    while (!*is_done && !slice_is_over(slice)) {
        struct error why = ERROR_INIT;
        arena_reset(slice->arena);
        if (!step(slice, mailbox, is_done, &why)) {
            if (!is_of_mailbox(&why, slice->account->imap)) {
                *err = why;
                return false;
            }
            *is_done = true;
            return set_aside(slice, mailbox, &why, err);
        }
        if (atomic_exchange(&slice->account->has_operations, false)) {
            slice->was_told = true;
            if (!imap_run_operations(slice, err))
                return false;
        }
        if (slice->account->imap->must_refresh)
            return true; /* the mailbox may be one that is gone */
        if (!*is_done && imap_look_is_asked(slice->account))
            return true; /* the folder that somebody opened comes first, with the next slice */
    }
    return true;
}

static struct session_mailbox *inbox_of(struct imap_session *session)
{
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (session->mailboxes[i].known.role == ROLE_INBOX)
            return &session->mailboxes[i];
    return NULL;
}

static bool work_on_all(struct slice *slice, step_fn *step, bool *is_done, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_mailbox *inbox = inbox_of(session);
    if (inbox && !work(slice, inbox, step, is_done, err))
        return false;
    if (inbox && !*is_done)
        return true;
    *is_done = true;
    for (size_t i = 0; i < session->mailbox_count && *is_done && !session->must_refresh; i++)
        if (&session->mailboxes[i] != inbox &&
            !work(slice, &session->mailboxes[i], step, is_done, err))
            return false;
    return true;
}

/* What people have open before their eyes, before all that they have not. */
static bool work_on_opened(struct slice *slice, struct error *err)
{
    struct session_mailbox *opened[WORKER_OPENED_MAX];
    size_t count;
    bool is_done = true;
    if (!imap_look_is_asked(slice->account))
        return true;
    if (!imap_look_take(slice, opened, &count, err))
        return false;
    for (size_t i = 0; i < count && !slice->account->imap->must_refresh; i++)
        if (!work(slice, opened[i], news_step, &is_done, err))
            return false;
    return true;
}

static bool note_progress(struct slice *slice, struct error *err)
{
    int64_t done = 0, total = 0;
    struct imap_session *session = slice->account->imap;
    for (size_t i = 0; i < session->mailbox_count; i++) {
        struct session_mailbox *m = &session->mailboxes[i];
        int64_t below = (int64_t)imap_set_size(&m->below);
        total += m->known.upstream_total;
        if (m->known.backfill_uid == 1)
            done += m->known.upstream_total;
        else if (m->has_backfill && m->known.upstream_total > below)
            done += m->known.upstream_total - below;
        else if (m->known.backfill_uid > 0)
            done += PULL_FIRST_PAGE;
    }
    return account_set_progress(slice->db, slice->account->id, done, total, err);
}

/* Everything is here: up to date until the next look. */
static bool settle(struct slice *slice, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (session->mailboxes[i].is_stale)
            return true; /* told of meanwhile: at the end of the queue */
    slice->wait_ms = session->refresh_at_ms > now_ms ? session->refresh_at_ms - now_ms : 0;
    if (session->has_settled)
        return true;
    session->has_settled = true;
    return note_progress(slice, err) && account_set_synced(slice->db, slice->account->id,
                                                           imap_capabilities(session->client), err);
}

static bool refresh(struct slice *slice, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct error why = ERROR_INIT;
    int64_t poll_ms = (int64_t)slice->work.account.poll_seconds * 1000;
    const struct imap_host *host = imap_host(session->client);
    if (host->poll_ms > 0 && host->poll_ms < poll_ms)
        poll_ms = host->poll_ms;
    /* Someone asks: without CONDSTORE only a look at all flags tells of changed ones. */
    if (session->mailbox_count > 0 && clock_monotonic_ms() < session->refresh_at_ms)
        for (size_t i = 0; i < session->mailbox_count; i++)
            session->mailboxes[i].flags_at_ms = 0;
    if (!imap_refresh_folders(slice, &why)) {
        /* A repeated LIST may answer NO [SERVERBUG] (quirk 20): the known folders are kept. */
        bool may_pass = imap_is_alive(session->client) && session->mailbox_count > 0 &&
                        (why.kind == ERROR_REFUSED || why.kind == ERROR_UNAVAILABLE);
        if (!may_pass) {
            *err = why;
            return false;
        }
        LOG_WARN("imap.list", LOG_ERR(&why));
    }
    session->refresh_at_ms = clock_monotonic_ms() + poll_ms;
    session->has_settled = session->must_refresh = session->awaits_folder = false;
    return account_set_next_sync(slice->db, slice->account->id, clock_now_us() + poll_ms * 1000,
                                 err);
}

/* Someone asked for a look ("check now"), or the time has come. */
static bool is_refresh_due(const struct slice *slice)
{
    const struct imap_session *session = slice->account->imap;
    return session->mailbox_count == 0 || session->must_refresh ||
           clock_monotonic_ms() >= session->refresh_at_ms ||
           slice->work.account.next_sync_at <= clock_now_us();
}

/* What a server keeps wrong for one connection ends with it. */
static bool must_renew(const struct imap_session *session)
{
    int64_t now_ms = clock_monotonic_ms();
    return session->is_worn || (now_ms >= session->renew_at_ms && now_ms >= session->refresh_at_ms);
}

/* A parked connection goes on with the look that is due, whose answer shows also that it still
 * stands. One that broke is made again at once: nobody need hear of it. */
static void unpark(struct slice *slice, bool *has_looked)
{
    struct error why = ERROR_INIT;
    struct imap_session *session = slice->account->imap;
    if (!session)
        return;
    *has_looked = imap_is_idling(session->client) && is_refresh_due(slice) &&
                  !must_renew(session) && imap_idle_step(session->client, 0, &why) >= 0 &&
                  refresh(slice, &why);
    if (!imap_is_alive(session->client) || !imap_unpark_session(session, &why) ||
        must_renew(session))
        imap_session_free(&slice->account->imap);
}

static bool open_session(struct slice *slice, bool *has_looked, struct error *err)
{
    unpark(slice, has_looked);
    bool was_open = slice->account->imap && imap_is_alive(slice->account->imap->client);
    return was_open ||
           (slice_tell_new(slice, err) && imap_session_open(slice, err) &&
            slice_tell_open(slice, err) && operations_recover(slice->db, slice->account->id, err));
}

/* Another policy wants other bodies, also of messages that were done with under the last one. */
static void heed_policy(struct slice *slice)
{
    struct imap_session *session = slice->account->imap;
    const struct account *account = &slice->work.account;
    bool is_another = session->has_policy && (session->prefetch != account->prefetch ||
                                              session->prefetch_days != account->prefetch_days);
    for (size_t i = 0; is_another && i < session->mailbox_count; i++)
        imap_session_want_text(&session->mailboxes[i]);
    session->wants_words = session->wants_words || !session->has_policy; /* of a former session */
    session->has_policy = true;
    session->prefetch = account->prefetch;
    session->prefetch_days = account->prefetch_days;
}

/* `*is_done` false: there is more to do, at the end of the queue. */
static bool find_words(struct slice *slice, bool *is_done, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    *is_done = !session->wants_words;
    if (*is_done)
        return true;
    if (!words_later(slice, is_done, err))
        return false;
    session->wants_words = !*is_done;
    return true;
}

bool imap_slice(struct slice *slice, struct error *err)
{
    static step_fn *const steps[] = {news_step, text_step, imap_pull_backfill, text_step};
    bool is_done = false, has_looked = false;
    slice->wait_ms = 0;
    if (!open_session(slice, &has_looked, err))
        return false;
    heed_policy(slice);
    if (!has_looked && is_refresh_due(slice) && !refresh(slice, err))
        return false;
    if (!imap_run_operations(slice, err))
        return false;
    if (slice->account->imap->must_refresh && !refresh(slice, err))
        return false;
    if (!work_on_opened(slice, err))
        return false;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (!work_on_all(slice, steps[i], &is_done, err))
            return false;
        if (!is_done || slice->account->imap->must_refresh)
            return note_progress(slice, err); /* more to do: at the end of the queue */
    }
    if (!find_words(slice, &is_done, err))
        return false;
    return is_done ? settle(slice, err) : note_progress(slice, err);
}

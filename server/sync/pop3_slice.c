/* The order of things for a POP3 account: what people asked for first, then a pass over the
 * maildrop: list, get what is new, remove what the policy says, say goodbye. */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/operations.h"
#include "server/sync/pop3_download.h"
#include "server/sync/pop3_operations.h"
#include "server/sync/words_later.h"

static bool note_progress(struct slice *slice, struct error *err)
{
    const struct pop3_session *session = slice->account->pop3;
    int64_t total = (int64_t)session->plan.count;
    return account_set_progress(slice->db, slice->account->id, total - (int64_t)session->remaining,
                                total, err);
}

static bool open_session(struct slice *slice, struct error *err)
{
    struct pop3_session *session = slice->account->pop3;
    if (session && pop3_is_alive(session->client))
        return pop3_keep_alive(session->client, err);
    return slice_tell_new(slice, err) && pop3_session_open(slice, err) &&
           slice_tell_open(slice, err) && note_progress(slice, err);
}

static bool note_expire(struct slice *slice, int days, struct error *err)
{
    bool is_known = days < 0 ? slice->work.account.pop3_expire_days < 0
                             : slice->work.account.pop3_expire_days == days;
    return is_known || account_set_expire(slice->db, slice->account->id, days, err);
}

/* All is here, or the session has lasted long enough: to its end, and when the next one comes. */
static bool settle(struct slice *slice, bool is_done, struct error *err)
{
    struct pop3_session *session = slice->account->pop3;
    int64_t poll_ms = (int64_t)slice->work.account.poll_seconds * 1000;
    /* RFC 2449 section 6.5: not before the server allows it, whoever asks. */
    int64_t delay_ms = (int64_t)pop3_login_delay_s(session->client) * 1000;
    struct str capabilities = arena_str(slice->arena, pop3_capabilities(session->client));
    int expire_days = pop3_expire_days(session->client);
    int64_t asked_at = session->asked_at;
    bool is_asked;
    if (!note_progress(slice, err) || !pop3_session_finish(slice, err))
        return false;
    if (delay_ms > 0)
        slice->account->reconnect_at_ms = clock_monotonic_ms() + delay_ms;
    slice->wait_ms = is_done ? poll_ms : delay_ms;
    if (slice->wait_ms < delay_ms)
        slice->wait_ms = delay_ms;
    if (!account_set_next_pass(slice->db, slice->account->id, asked_at,
                               clock_now_us() + slice->wait_ms * 1000, &is_asked, err) ||
        !note_expire(slice, expire_days, err))
        return false;
    if (is_asked) /* meanwhile: what the listing told may be old by then */
        slice->wait_ms = delay_ms;
    return !is_done || account_set_synced(slice->db, slice->account->id, capabilities, err);
}

/* The words of what came by the thousand, once the maildrop is free again. */
static bool find_words(struct slice *slice, struct error *err)
{
    bool is_done = false;
    if (!words_later(slice, &is_done, err))
        return false;
    if (!is_done)
        slice->wait_ms = 0;
    return true;
}

/* Runs until nothing is left to get; operations come in between. */
static bool download(struct slice *slice, bool *is_done, struct error *err)
{
    *is_done = false;
    while (!*is_done && !slice_is_over(slice) && !pop3_session_is_over(slice->account->pop3)) {
        arena_reset(slice->arena);
        if (!pop3_download(slice, is_done, err))
            return false;
        if (atomic_exchange(&slice->account->has_operations, false) &&
            !pop3_run_operations(slice, err))
            return false;
    }
    return true;
}

bool pop3_slice(struct slice *slice, struct error *err)
{
    bool is_done = false;
    if (!operations_recover(slice->db, slice->account->id, err) || !pop3_run_operations(slice, err))
        return false;
    int64_t wait_us = slice->work.account.next_sync_at - clock_now_us();
    if (!slice->account->pop3 && wait_us > 0 && !slice->has_turn) {
        slice->wait_ms = wait_us / 1000 + 1;
        return find_words(slice, err);
    }
    if (!open_session(slice, err) || !download(slice, &is_done, err))
        return false;
    if (is_done || pop3_session_is_over(slice->account->pop3))
        return settle(slice, is_done, err) && find_words(slice, err);
    slice->wait_ms = 0; /* more to do: at the end of the queue */
    return note_progress(slice, err);
}

#include "server/sync/slice.h"

#include "server/base/clock.h"
#include "server/sync/imap_look.h"

bool slice_is_over(const struct slice *slice)
{
    return atomic_load(&slice->account->is_stopping) || clock_monotonic_ms() >= slice->end_ms;
}

bool slice_take_db(struct slice *slice, struct error *err)
{
    return slice->db || (slice->db = store_acquire(slice->sync->store, 0, err)) != NULL;
}

void slice_leave_db(struct slice *slice)
{
    store_release(slice->sync->store, &slice->db);
}

bool slice_may_connect(struct slice *slice, const struct server_settings *server, struct error *err)
{
    struct worker_account *held = slice->account;
    bool is_urgent =
        held->is_urgent || imap_look_is_asked(held) || slice->work.account.sync_state == SYNC_NEW;
    hosts_settle(held->hosts, &held->place, false); /* what was open here is closed */
    enum hosts_answer answer =
        hosts_enter(held->hosts, &held->place, server->host, server->port, is_urgent,
                    clock_monotonic_ms(), &slice->host_wait_ms, err);
    slice->is_put_off = answer != HOSTS_GO;
    slice->is_host_down = answer == HOSTS_DOWN;
    if (answer == HOSTS_LATER)
        error_set(err, ERROR_UNAVAILABLE, "Other accounts are about to connect first.");
    return answer == HOSTS_GO;
}

void slice_met(struct slice *slice)
{
    slice->host_wait_ms = 0;
    hosts_met(slice->account->hosts, &slice->account->place);
}

/* Whether others would meet with the same. */
static bool is_of_host(const struct slice *slice, enum stream_step step, const struct error *why)
{
    if (atomic_load(&slice->account->is_stopping))
        return false;
    switch (why->kind) {
    case ERROR_TIMEOUT:
        return true;
    case ERROR_CLOSED:
    case ERROR_UNREACHABLE:
    case ERROR_TLS:
    case ERROR_REFUSED:
    case ERROR_UNAVAILABLE:
    case ERROR_THROTTLED:
    case ERROR_PROTOCOL:
        return step < STREAM_STEP_SIGN_IN;
    default:
        return false;
    }
}

void slice_missed(struct slice *slice, enum stream_step step, const struct error *why)
{
    struct hosts *hosts = slice->account->hosts;
    struct host_place *place = &slice->account->place;
    slice->host_wait_ms = 0;
    if (is_of_host(slice, step, why)) {
        slice->host_wait_ms = hosts_missed(hosts, place, clock_monotonic_ms(), why);
        return;
    }
    if (step >= STREAM_STEP_SIGN_IN)
        hosts_met(hosts, place);
    hosts_leave(hosts, place);
}

bool slice_tell_new(struct slice *slice, struct error *err)
{
    return slice->work.account.sync_state != SYNC_NEW ||
           account_set_state(slice->db, slice->account->id, SYNC_SYNCING, NULL, err);
}

bool slice_tell_open(struct slice *slice, struct error *err)
{
    return slice->work.account.sync_state == SYNC_CURRENT ||
           account_set_state(slice->db, slice->account->id, SYNC_SYNCING, NULL, err);
}

#include "server/sync/worker.h"

#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/smtp/client.h"
#include "server/sync/backoff.h"
#include "server/sync/draft_file.h"
#include "server/sync/imap_look.h"
#include "server/sync/imap_parked.h"
#include "server/sync/pop3_session.h"
#include "server/sync/reports.h"
#include "server/sync/slice.h"
#include "server/sync/submit.h"
#include "server/sync/transfer.h"

enum {
    SLICE_MS = 2000,              /* others wait no longer than this behind one account */
    FIRST_BACKOFF_MS = 15 * 1000, /* doubled with each failure in a row */
    BACKOFF_MAX_MS = 15 * 60 * 1000,
    REFUSED_WAIT_MS = 60 * 60 * 1000, /* a wrong password is not tried every minute */
    DATABASE_WAIT_MS = 2000,
    RECONNECT_MIN_MS = 3000, /* clicks while the server is down do not become a storm */
    BREAK_WAIT_MS = 500,     /* a connection that worked and broke is made again at once */
    PUT_OFF_MS = 20 * 1000,  /* later than the one that tries a host that is down */
};

/* What is the host's fault is tried again when the host is; a password that was refused is not
 * tried every minute. */
static int64_t wait_after(const struct slice *slice, int failures, const struct error *why)
{
    if (why->kind == ERROR_AUTH || why->kind == ERROR_FORBIDDEN)
        return backoff_jittered(REFUSED_WAIT_MS);
    if (slice->host_wait_ms > 0)
        return slice->host_wait_ms;
    int64_t wait = backoff_ms(FIRST_BACKOFF_MS, BACKOFF_MAX_MS, failures);
    if (why->retry_after_ms > wait)
        wait = why->retry_after_ms < BACKOFF_MAX_MS * 4 ? why->retry_after_ms : BACKOFF_MAX_MS * 4;
    return backoff_jittered(wait);
}

/* No status without what to do about it. */
static bool tell(struct slice *slice, enum sync_state state, const struct error *why,
                 struct error *err)
{
    struct error told = *why;
    if (told.hint[0] == '\0' && told.kind == ERROR_AUTH)
        error_hint(&told, "Check the name and the password, and enter them again. Some providers "
                          "want a password made for mail programs.");
    else if (told.hint[0] == '\0' && state == SYNC_REFUSED)
        error_hint(&told, "Check the settings of this account.");
    else if (told.hint[0] == '\0')
        error_hint(&told,
                   "It is tried again by itself. The mail that is here can be read, and what "
                   "you change is carried out later.");
    return account_set_state(slice->db, slice->account->id, state, &told, err);
}

/* It stands in line. Of a host that is down people are told as if it had been tried for them. */
static int64_t put_off(struct slice *slice, const struct error *why)
{
    struct error err = ERROR_INIT;
    int64_t id = slice->account->id, wait = slice->host_wait_ms;
    if (!slice->is_host_down)
        return wait;
    if (!account_set_next_sync(slice->db, id, clock_now_us() + wait * 1000, &err) ||
        !tell(slice, SYNC_UNREACHABLE, why, &err))
        LOG_WARN("sync.status", log_int("account", id), LOG_ERR(&err));
    return wait + backoff_jittered(PUT_OFF_MS); /* to tell what came of it, if not called before */
}

/* Tells people what is wrong and decides when to look again. */
static int64_t note_failure(struct slice *slice, const struct error *why)
{
    struct error err = ERROR_INIT;
    int64_t id = slice->account->id;
    int failures = 1;
    LOG_WARN("sync.failed", log_int("account", id), LOG_ERR(why));
    if (why->kind == ERROR_DATABASE)
        return DATABASE_WAIT_MS;
    bool is_refused = why->kind == ERROR_AUTH || why->kind == ERROR_FORBIDDEN;
    int64_t wait = DATABASE_WAIT_MS;
    if (account_count_failure(slice->db, id, &failures, &err)) {
        /* Servers end connections now and then: nothing that anybody need hear of, once. */
        if (failures == 1 && why->kind == ERROR_CLOSED) {
            slice->account->reconnect_at_ms = clock_monotonic_ms() + BREAK_WAIT_MS;
            return slice->host_wait_ms ? slice->host_wait_ms : backoff_jittered(BREAK_WAIT_MS);
        }
        wait = wait_after(slice, failures, why);
        if (account_set_next_sync(slice->db, id, clock_now_us() + wait * 1000, &err))
            tell(slice, is_refused ? SYNC_REFUSED : SYNC_UNREACHABLE, why, &err);
    }
    if (err.kind != ERROR_NONE)
        LOG_WARN("sync.status", log_int("account", id), LOG_ERR(&err));
    slice->account->reconnect_at_ms = clock_monotonic_ms() + RECONNECT_MIN_MS;
    return wait;
}

static bool open_secret(struct slice *slice, struct error *err)
{
    char binding[40];
    int length = snprintf(binding, sizeof binding, "account:%lld", (long long)slice->account->id);
    if (seal_open(slice->sync->keys, str_make(binding, (size_t)length), slice->work.secret,
                  &slice->secret, err))
        return true;
    err->kind = ERROR_AUTH; /* what the person can do is the same: give the password again */
    return error_hint(err, "Enter the password of this account again.");
}

/* What is imported into local folders does not wait for the incoming server. */
static bool run(struct slice *slice, bool *is_parked, struct error *err)
{
    bool has_filed = false, has_transfers = false;
    if (!open_secret(slice, err))
        return false;
    bool is_good = slice->work.account.kind == ACCOUNT_IMAP
                       ? imap_slice(slice, err) && submit_file_sent(slice, &has_filed, err) &&
                             draft_file_settled(slice, err) && reports_run(slice, err) &&
                             transfer_run(slice, &has_transfers, err)
                       : transfer_run(slice, &has_transfers, err) && pop3_slice(slice, err) &&
                             reports_run(slice, err);
    if (has_filed || has_transfers || slice->was_told)
        slice->wait_ms = 0;
    if (!is_good || !slice->account->imap)
        return is_good;
    if (slice->wait_ms > 0 && hosts_must_leave(slice->account->hosts, &slice->account->place)) {
        imap_session_free(&slice->account->imap); /* others wait for its place */
        return true;
    }
    return imap_park_session(slice, is_parked, err);
}

/* What a parked connection has to tell is mostly "still here". */
static bool is_still_parked(struct worker_account *account, struct worker_result *result)
{
    if (!account->imap || !imap_is_idling(account->imap->client) ||
        !imap_parked_listen(account->imap))
        return false;
    *result =
        (struct worker_result){.keeps_due = true, .parked_fd = imap_fd(account->imap->client)};
    return true;
}

static void close_sessions(struct worker_account *account)
{
    imap_session_free(&account->imap);
    pop3_session_free(&account->pop3);
    transfer_spool_free(&account->spool);
    smtp_free(&account->smtp);
}

/* --- a slice --------------------------------------------------------------------------------- */

/* What the log says of this thread from now on. */
static void name_account(int64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)id);
    log_set_context("account", str_of(text));
}

static struct slice begin(const struct sync_context *sync, struct worker_account *account)
{
    name_account(account->id);
    return (struct slice){.sync = sync,
                          .account = account,
                          .arena = arena_new(),
                          .end_ms = clock_monotonic_ms() + SLICE_MS,
                          .has_turn = hosts_has_turn(account->hosts, &account->place)};
}

/* The account as it is now. False: it is not to be had, or not ours. `arena` outlives the steps'.
 */
static bool load(struct slice *slice, struct arena *arena, struct worker_result *result)
{
    struct error err = ERROR_INIT;
    if (!slice_take_db(slice, &err)) {
        LOG_WARN("sync.database", LOG_ERR(&err));
        return false;
    }
    if (!account_work_load(slice->db, arena, slice->account->id, &slice->work, &err))
        result->is_gone = err.kind == ERROR_NOT_FOUND;
    else if (!str_equal(slice->work.lease_owner, slice->sync->owner))
        result->is_gone = true; /* we stalled past our lease: the account is another's by now */
    else
        return true;
    return false;
}

static void end(struct slice *slice, struct arena **load_arena)
{
    secret_free(&slice->secret);
    slice_leave_db(slice);
    arena_free(&slice->arena);
    arena_free(load_arena);
    log_set_context(NULL, STR_EMPTY);
}

struct worker_result worker_slice(const struct sync_context *sync, struct worker_account *account,
                                  bool is_asked)
{
    struct error err = ERROR_INIT;
    struct worker_result result = {
        .wait_ms = DATABASE_WAIT_MS, .is_held_up = true, .parked_fd = -1};
    bool is_parked = false;
    if (!is_asked && !imap_look_is_due(account) && is_still_parked(account, &result))
        return result;
    int64_t since_failure_ms = account->reconnect_at_ms - clock_monotonic_ms();
    if (since_failure_ms > 0)
        return (struct worker_result){
            .wait_ms = since_failure_ms, .is_held_up = true, .parked_fd = -1};
    struct slice slice = begin(sync, account);
    struct arena *load_arena = arena_new();
    bool is_ours = load(&slice, load_arena, &result);
    if (is_ours && run(&slice, &is_parked, &err)) {
        result.wait_ms = slice.wait_ms;
        result.is_held_up = false;
        result.parked_fd = is_parked ? imap_fd(account->imap->client) : -1;
    } else if (is_ours) {
        close_sessions(account);
        result.wait_ms = slice.is_put_off ? put_off(&slice, &err) : note_failure(&slice, &err);
    }
    if (!account->imap && !account->pop3)
        hosts_settle(account->hosts, &account->place, slice.has_turn);
    if (!result.is_gone)
        result.wait_ms = transfer_wait_ms(&slice, submit_file_wait_ms(&slice, result.wait_ms));
    end(&slice, &load_arena);
    return result;
}

struct worker_result worker_send(const struct sync_context *sync, struct worker_account *account)
{
    struct error err = ERROR_INIT;
    struct worker_result result = {.wait_ms = DATABASE_WAIT_MS, .parked_fd = -1};
    struct slice slice = begin(sync, account);
    struct arena *load_arena = arena_new();
    slice.wait_ms = DATABASE_WAIT_MS;
    if (load(&slice, load_arena, &result)) {
        if (!send_slice(&slice, &err))
            LOG_WARN("submit.database", LOG_ERR(&err));
        result.wait_ms = slice.wait_ms;
    }
    if (!account->smtp)
        hosts_settle(account->hosts, &account->place, slice.has_turn);
    end(&slice, &load_arena);
    return result;
}

void worker_account_close(struct worker_account *account)
{
    close_sessions(account);
    hosts_leave(account->hosts, &account->place);
}

#include "server/sync/worker.h"

#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/draft_file.h"
#include "server/sync/imap_parked.h"
#include "server/sync/pop3_session.h"
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
};

bool slice_is_over(const struct slice *slice)
{
    return atomic_load(&slice->account->is_stopping) || clock_monotonic_ms() >= slice->end_ms;
}

/* +-20 %, so that accounts that failed together do not come back together. */
static int64_t jittered(int64_t wait_ms)
{
    uint32_t random;
    random_bytes(&random, sizeof random);
    return wait_ms * (80 + random % 41) / 100;
}

static int64_t backoff_ms(int failures, const struct error *why)
{
    int64_t wait = FIRST_BACKOFF_MS;
    for (int i = 1; i < failures && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    if (why->retry_after_ms > wait)
        wait = why->retry_after_ms < BACKOFF_MAX_MS * 4 ? why->retry_after_ms : BACKOFF_MAX_MS * 4;
    return jittered(wait);
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
            return jittered(BREAK_WAIT_MS);
        }
        wait = is_refused ? jittered(REFUSED_WAIT_MS) : backoff_ms(failures, why);
        if (account_set_next_sync(slice->db, id, clock_now_us() + wait * 1000, &err))
            account_set_state(slice->db, id, is_refused ? SYNC_REFUSED : SYNC_UNREACHABLE, why,
                              &err);
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

/* Sending comes first and on its own: it does not wait for the incoming server. Nor does what is
 * imported into local folders. */
static bool run(struct slice *slice, bool *is_parked, struct error *err)
{
    bool has_more = false, has_filed = false, has_transfers = false;
    if (!submit_run(slice, &has_more, err) || !open_secret(slice, err))
        return false;
    bool is_good = slice->work.account.kind == ACCOUNT_IMAP
                       ? imap_slice(slice, err) && submit_file_sent(slice, &has_filed, err) &&
                             draft_file_settled(slice, err) &&
                             transfer_run(slice, &has_transfers, err)
                       : transfer_run(slice, &has_transfers, err) && pop3_slice(slice, err);
    if (has_more || has_filed || has_transfers)
        slice->wait_ms = 0;
    if (is_good && slice->account->imap)
        is_good = imap_park_session(slice, is_parked, err);
    return is_good;
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

struct worker_result worker_slice(const struct sync_context *sync, struct worker_account *account,
                                  bool is_asked)
{
    struct error err = ERROR_INIT;
    struct worker_result result = {.wait_ms = DATABASE_WAIT_MS, .parked_fd = -1};
    bool is_parked = false;
    if (!is_asked && is_still_parked(account, &result))
        return result;
    struct slice slice = {
        .sync = sync, .account = account, .end_ms = clock_monotonic_ms() + SLICE_MS};
    int64_t since_failure_ms = account->reconnect_at_ms - clock_monotonic_ms();
    if (since_failure_ms > 0)
        return (struct worker_result){.wait_ms = since_failure_ms, .parked_fd = -1};
    char id_text[24];
    snprintf(id_text, sizeof id_text, "%lld", (long long)account->id);
    log_set_context("account", str_of(id_text));
    slice.arena = arena_new();
    struct arena *load_arena = arena_new(); /* the account outlives the steps' arena */
    slice.db = store_acquire(sync->store, 0, &err);
    if (!slice.db) {
        LOG_WARN("sync.database", LOG_ERR(&err));
    } else if (!account_work_load(slice.db, load_arena, account->id, &slice.work, &err)) {
        result.is_gone = err.kind == ERROR_NOT_FOUND;
    } else if (!str_equal(slice.work.lease_owner, sync->owner)) {
        result.is_gone = true; /* we stalled past our lease: the account is another's by now */
    } else if (run(&slice, &is_parked, &err)) {
        result.wait_ms = slice.wait_ms;
        result.parked_fd = is_parked ? imap_fd(account->imap->client) : -1;
    } else {
        worker_account_close(account);
        result.wait_ms = note_failure(&slice, &err);
    }
    if (!result.is_gone)
        result.wait_ms = transfer_wait_ms(&slice, submit_wait_ms(&slice, result.wait_ms));
    secret_free(&slice.secret);
    store_release(sync->store, &slice.db);
    arena_free(&slice.arena);
    arena_free(&load_arena);
    log_set_context(NULL, STR_EMPTY);
    return result;
}

void worker_account_close(struct worker_account *account)
{
    imap_session_free(&account->imap);
    pop3_session_free(&account->pop3);
    transfer_spool_free(&account->spool);
}

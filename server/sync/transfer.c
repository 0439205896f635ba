#include "server/sync/transfer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/imap_body.h"

enum {
    BODIES_MAX = 20, /* fetched whole in one step */
    HALF_SLICE_MS = 1000,
    FIRST_WAIT_S = 30, /* after a second trouble that may pass; doubled each time */
    WAIT_MAX_S = 3600,
    ATTEMPTS_MAX = 20,
};

/* --- the file -------------------------------------------------------------------------------- */

void transfer_spool_free(struct transfer_spool **spool)
{
    if (*spool)
        close((*spool)->fd);
    free(*spool);
    *spool = NULL;
}

static bool spool_write(void *context, struct str bytes)
{
    struct transfer_spool *spool = context;
    while (bytes.length > 0) {
        ssize_t n = write(spool->fd, bytes.at, bytes.length);
        if (n <= 0)
            return false;
        spool->length += (uint64_t)n;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

/* Copied out of the database once, however many batches there are. */
static bool open_spool(struct slice *slice, const struct transfer *t, struct error *err)
{
    struct transfer_spool *spool = slice->account->spool;
    struct blob blob;
    const char *folder = getenv("TMPDIR");
    if (spool && spool->transfer_id == t->id)
        return true;
    transfer_spool_free(&slice->account->spool);
    if (!blob_by_id(slice->db, slice->arena, t->account_id, t->blob_id, &blob, err))
        return false;
    spool = calloc(1, sizeof *spool);
    if (!spool)
        abort();
    spool->transfer_id = t->id;
    spool->fd = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    slice->account->spool = spool;
    bool is_good = spool->fd >= 0
                       ? blob_stream(slice->db, &blob, 0, blob.size_bytes, spool_write, spool, err)
                       : error_errno(err, ERROR_INTERNAL, "no room for a file");
    if (!is_good)
        transfer_spool_free(&slice->account->spool);
    return is_good;
}

/* --- importing ------------------------------------------------------------------------------- */

static bool find_mailbox(struct slice *slice, const struct transfer *t,
                         struct replica_mailbox *mailbox, struct error *err)
{
    struct replica_mailbox *all;
    size_t count;
    if (!replica_mailboxes(slice->db, slice->arena, t->account_id, false, &all, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (all[i].id == t->mailbox_id) {
            *mailbox = all[i];
            return true;
        }
    return error_set(err, ERROR_INVALID, "The folder does not exist any more.");
}

static bool import_step(struct slice *slice, const struct transfer *t, struct error *err)
{
    struct replica_mailbox mailbox = {0};
    struct session_mailbox *there = NULL;
    if (!find_mailbox(slice, t, &mailbox, err) || !open_spool(slice, t, err))
        return false;
    if (!mailbox.is_local) {
        there = imap_session_mailbox(slice->account->imap, mailbox.id);
        if (!there)
            return error_set(err, ERROR_UNAVAILABLE, "The folder is not on the mail server now.");
    }
    struct transfer_batch batch = {
        .slice = slice, .transfer = t, .arena = arena_new(), .spool = -1};
    bool is_good = transfer_read(&batch, slice->account->spool, there != NULL, err) &&
                   (there ? transfer_append(&batch, there, err) : transfer_store(&batch, err));
    if (batch.spool >= 0)
        close(batch.spool);
    arena_free(&batch.arena);
    if (is_good && batch.step.state != TRANSFER_RUNNING)
        transfer_spool_free(&slice->account->spool);
    return is_good;
}

/* --- fetching what is missing ---------------------------------------------------------------- */

/* One message; what the server has no more is passed over. */
static bool fetch_whole(struct slice *slice, int64_t email_id, bool *is_here, struct error *err)
{
    struct error why = ERROR_INIT;
    const struct body_wanted wanted = {.email_id = email_id, .is_whole = true};
    *is_here = imap_fetch_body(slice, &wanted, &why);
    if (*is_here)
        return true;
    if (imap_is_alive(slice->account->imap->client) && !operation_may_pass(&why))
        return true;
    *err = why;
    return false;
}

/* Of a POP3 account these are the few that were too large to be fetched at first. */
static bool ask_rest(struct slice *slice, int64_t email_id, bool *is_here, struct error *err)
{
    int64_t operation_id;
    struct str arguments =
        arena_printf(slice->arena, "{\"emailId\":%lld,\"whole\":true}", (long long)email_id);
    struct str key = arena_printf(slice->arena, "complete-%lld", (long long)email_id);
    *is_here = operation_enqueue(slice->db, slice->account->id, STR("fetch-body"), arguments, false,
                                 key, &operation_id, err);
    return *is_here;
}

static bool complete_step(struct slice *slice, const struct transfer *t, struct error *err)
{
    struct transfer_step step = {.to = t->at, .state = TRANSFER_RUNNING, .error = STR_EMPTY};
    bool is_pop3 = slice->work.account.kind == ACCOUNT_POP3;
    struct arena *arena = arena_new(); /* fetching resets the slice's own */
    int64_t *ids = NULL;
    size_t count = 0;
    bool is_good =
        export_missing(slice->db, arena, t->account_id, t->at.entry, BODIES_MAX, &ids, &count, err);
    for (size_t i = 0; is_good && i < count && (i == 0 || !slice_is_over(slice)); i++) {
        bool is_here = false;
        is_good = is_pop3 ? ask_rest(slice, ids[i], &is_here, err)
                          : fetch_whole(slice, ids[i], &is_here, err);
        if (!is_good)
            break;
        step.to.entry = ids[i];
        step.done += is_here;
        step.refused += !is_here;
    }
    if (is_good && count == 0)
        step.state = TRANSFER_DONE;
    arena_free(&arena);
    return is_good && transfer_advance(slice->db, t, &step, err);
}

/* --- one after the other --------------------------------------------------------------------- */

static bool end_failed(struct slice *slice, const struct transfer *t, const struct error *why,
                       struct error *err)
{
    struct transfer_step step = {
        .to = t->at, .state = TRANSFER_FAILED, .error = str_of(why->message)};
    transfer_spool_free(&slice->account->spool);
    return transfer_advance(slice->db, t, &step, err);
}

/* What may pass is tried again later; what is the file's fault, or lasts, ends the transfer. */
static bool note_trouble(struct slice *slice, const struct transfer *t, const struct error *why,
                         struct error *err)
{
    LOG_WARN("transfer.failed", log_int("transfer", t->id), LOG_ERR(why));
    if (why->kind == ERROR_DATABASE) {
        *err = *why;
        return false;
    }
    if (why->kind == ERROR_CONFLICT) /* it was cancelled meanwhile */
        return true;
    bool is_here = slice->work.account.kind == ACCOUNT_POP3;
    bool is_dead = !is_here && !imap_is_alive(slice->account->imap->client);
    bool is_over = t->attempts >= ATTEMPTS_MAX || (!is_dead && !operation_may_pass(why));
    int64_t seconds = t->attempts > 0 ? FIRST_WAIT_S : 0;
    for (int i = 1; i < t->attempts && seconds < WAIT_MAX_S; i++)
        seconds *= 2;
    bool is_noted = is_over ? end_failed(slice, t, why, err)
                            : transfer_wait(slice->db, t, clock_now_us() + seconds * 1000000,
                                            str_of(why->message), err);
    if (!is_noted)
        return false;
    if (is_dead)
        *err = *why;
    return !is_dead;
}

bool transfer_run(struct slice *slice, bool *has_more, struct error *err)
{
    int64_t end_ms = clock_monotonic_ms() + HALF_SLICE_MS;
    struct arena *arena = arena_new(); /* the transfer outlives the steps' arena */
    bool is_good = true;
    *has_more = true;
    do {
        struct transfer transfer;
        struct error why = ERROR_INIT;
        arena_reset(arena);
        arena_reset(slice->arena);
        if (!transfer_next(slice->db, arena, slice->account->id, &transfer, &why)) {
            *has_more = false;
            is_good = why.kind == ERROR_NOT_FOUND;
            if (!is_good)
                *err = why;
            break;
        }
        bool is_done = transfer.kind == TRANSFER_IMPORT ? import_step(slice, &transfer, &why)
                                                        : complete_step(slice, &transfer, &why);
        if (!is_done)
            is_good = note_trouble(slice, &transfer, &why, err);
    } while (is_good && clock_monotonic_ms() < end_ms && !slice_is_over(slice));
    if (!*has_more)
        transfer_spool_free(&slice->account->spool);
    arena_free(&arena);
    return is_good;
}

int64_t transfer_wait_ms(struct slice *slice, int64_t wait_ms)
{
    int64_t at = 0;
    bool needs_server = slice->work.account.kind == ACCOUNT_IMAP;
    if (needs_server && !slice->account->imap) /* it is down: no reason to ask more often */
        return wait_ms;
    if (!slice->db || !transfer_next_due(slice->db, slice->account->id, &at, NULL) || !at)
        return wait_ms;
    int64_t left_ms = (at - clock_now_us()) / 1000 + 1;
    left_ms = left_ms < 0 ? 0 : left_ms;
    return left_ms < wait_ms ? left_ms : wait_ms;
}

#include "server/sync/pop3_download.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/replica.h"
#include "server/sync/spool.h"

enum {
    /* Asked for at once: as much as comes in a second or so, since operations wait meanwhile, and
     * at the end of each run server and database wait for each other. */
    RUN_BYTES_FIRST = 16 << 20,
    RUN_BYTES_MIN = 4 << 20,
    RUN_BYTES_MAX = 128 << 20,
    RUN_QUICK_MS = 600,
    RUN_SLOW_MS = 2000,
    RUN_MESSAGES = 8000,
    PREVIEW_LINES = 40,
    /* Beyond that many, mail comes first and its words follow: finding them costs more than all the
     * rest. */
    ORDINARY_MAX = 200,
    /* How much more may come than twice what LIST said: servers count line ends differently. */
    SURPLUS_BYTES = 1 << 20,
    CUT_BYTES = 256 << 10, /* kept of one that does not end */
};

struct download {
    struct slice *slice;
    struct pop3_session *session;
    struct pop3_step **steps; /* asked for, in order */
    int64_t next_id;          /* of those allocated for blobs and all that is made of messages */
    struct lanes lanes;
    struct pop3_batch *batches[LANES]; /* of each lane */
    struct pop3_batch *batch;          /* being received */
    struct pop3_received *current;     /* under way; NULL: none */
    bool was_cut;                      /* one did not end where it should */
    struct pop3_fingerprint fingerprint;
    struct error err; /* of the spool */
};

/* --- the way into the database ---------------------------------------------------------------- */

/* Hands over what was received and goes on with another batch, which is empty by then. */
static bool begin_import(struct download *download)
{
    bool is_good = true;
    if (download->batch->count > 0) {
        download->batch->first_id = download->next_id;
        download->next_id += 2 * (int64_t)download->batch->count;
        pop3_import_prepare(download->slice, download->batch);
        is_good = lanes_send(&download->lanes, download->batch);
    }
    download->batch = download->batches[download->lanes.receiving];
    return is_good;
}

/* --- what comes in ---------------------------------------------------------------------------- */

/* What is under way is dropped. */
static bool fail(struct download *download)
{
    download->current = NULL;
    return false;
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.length > 0) {
        ssize_t n = write(fd, bytes.at, bytes.length);
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

/* What is larger than a batch should be is no longer held in memory. Where no file can be had, it
 * is. */
static void move_to_disk(struct pop3_batch *batch)
{
    int fd = spool_on_disk();
    off_t at = 0;
    bool is_good = fd >= 0;
    while (is_good && (uint64_t)at < batch->length)
        is_good = sendfile(fd, batch->spool, &at, (size_t)(batch->length - (uint64_t)at)) > 0;
    int unused = is_good ? batch->spool : fd;
    if (is_good)
        batch->spool = fd;
    if (unused >= 0)
        close(unused);
    batch->is_on_disk = true; /* or not to be tried again */
}

static void begin_message(void *context, size_t index)
{
    struct download *download = context;
    struct pop3_batch *batch = download->batch;
    if (batch->is_on_disk && batch->count == 0) {
        close(batch->spool);
        batch->spool = -1;
        batch->is_on_disk = false;
    }
    if (batch->spool < 0 && (batch->spool = spool_open(0, NULL)) < 0) {
        error_errno(&download->err, ERROR_INTERNAL, "no spool for messages");
        return;
    }
    download->current = &batch->at[batch->count];
    *download->current = (struct pop3_received){
        .step = download->steps[index], .blob_id = download->next_id++, .offset = batch->length};
    pop3_fingerprint_begin(&download->fingerprint);
}

/* Its beginning is all that is kept; what else comes is dropped. So one message that is larger than
 * it can be, or that never ends, is in nobody's way. */
static bool cut(struct download *download)
{
    struct pop3_batch *batch = download->batch;
    struct pop3_received *current = download->current;
    LOG_WARN("pop3.oversized", log_int("number", current->step->listed.number),
             log_int("listed", current->step->listed.size_bytes),
             log_int("came", (int64_t)current->length));
    if (current->length > CUT_BYTES)
        current->length = CUT_BYTES;
    batch->length = current->offset + current->length;
    if (ftruncate(batch->spool, (off_t)batch->length) < 0 ||
        lseek(batch->spool, (off_t)batch->length, SEEK_SET) < 0) {
        error_errno(&download->err, ERROR_INTERNAL, "the spool of a message cannot be cut");
        return fail(download);
    }
    pop3_fingerprint_end(&download->fingerprint, current->fingerprint);
    current->is_cut = download->was_cut = true;
    batch->count++;
    return fail(download);
}

/* 0: the server did not tell. */
static int64_t bytes_max(const struct pop3_step *step)
{
    int64_t told = step->listed.size_bytes * 2 + SURPLUS_BYTES;
    return step->listed.size_bytes > 0 && told < POP3_MESSAGE_BYTES_MAX ? told
                                                                        : POP3_MESSAGE_BYTES_MAX;
}

static bool write_message(void *context, struct str bytes)
{
    struct download *download = context;
    struct pop3_received *current = download->current;
    if (!current)
        return false;
    if ((int64_t)(current->length + bytes.length) > bytes_max(current->step))
        return cut(download);
    if (!download->batch->is_on_disk && download->batch->length + bytes.length > SPOOL_MEMORY_BYTES)
        move_to_disk(download->batch);
    if (!write_all(download->batch->spool, bytes)) {
        error_errno(&download->err, ERROR_INTERNAL, "the spool of a message is full");
        return fail(download);
    }
    current->length += bytes.length;
    download->batch->length += bytes.length;
    pop3_fingerprint_add(&download->fingerprint, bytes);
    return true;
}

static bool end_message(void *context, size_t index)
{
    struct download *download = context;
    struct pop3_batch *batch = download->batch;
    (void)index;
    if (download->err.kind != ERROR_NONE)
        return false;
    if (download->current) {
        pop3_fingerprint_end(&download->fingerprint, download->current->fingerprint);
        download->current = NULL;
        batch->count++;
    }
    if (batch->count < POP3_BATCH_MESSAGES && batch->length < POP3_BATCH_BYTES)
        return true;
    return begin_import(download);
}

/* The others go on; this one is asked for again in the next session. */
static void failed_message(void *context, size_t index, const struct error *why)
{
    struct download *download = context;
    struct pop3_step *step = download->steps[index];
    LOG_WARN("pop3.skipped", log_int("number", step->listed.number), LOG_ERR(why));
    step->fate = POP3_KEEP;
    download->session->remaining--;
}

static bool wants_more(void *context)
{
    const struct download *download = context;
    return !pop3_session_is_over(download->session);
}

static bool is_wanted(const struct pop3_step *step)
{
    return step->fate == POP3_FETCH || step->fate == POP3_PREVIEW || step->fate == POP3_REST;
}

static struct pop3_batch *batch_new(const struct pop3_session *session)
{
    struct pop3_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    batch->spool = -1;
    batch->is_ordinary = atomic_load(&session->remaining) <= ORDINARY_MAX;
    return batch;
}

static void batch_free(struct pop3_batch *batch)
{
    if (batch->spool >= 0)
        close(batch->spool);
    free(batch);
}

static bool open_download(struct download *download, struct slice *slice, struct error *err)
{
    struct pop3_session *session = slice->account->pop3;
    *download = (struct download){.slice = slice, .session = session};
    if (!replica_allocate_ids(slice->db, slice->account->id, 3 * (int)session->plan.count,
                              &download->next_id, err))
        return false;
    for (size_t i = 0; i < LANES; i++)
        download->batches[i] = batch_new(session);
    download->batch = download->batches[0];
    lanes_open(&download->lanes, slice, pop3_import, true); /* for the sake of conversations */
    return true;
}

/* What came before the session broke is kept: it need not come again. */
static bool close_download(struct download *download, bool is_good, struct error *err)
{
    begin_import(download);
    bool is_kept = lanes_close(&download->lanes, err);
    if (is_kept && download->err.kind != ERROR_NONE)
        *err = download->err;
    else if (is_kept && !is_good && download->was_cut)
        /* it never ended: others are got in the next session */
        error_set(err, ERROR_CLOSED, "The mail server did not stop sending a message");
    for (size_t i = 0; i < LANES; i++)
        batch_free(download->batches[i]);
    is_good = is_good && is_kept && download->err.kind == ERROR_NONE;
    if (!is_good)
        download->session->next = 0; /* some that were passed may not be here */
    return is_good;
}

/* The messages of one run. */
static bool retrieve(struct download *download, const struct pop3_wanted *wanted, size_t count,
                     struct error *err)
{
    struct pop3_sink sink = {.context = download,
                             .begin = begin_message,
                             .write = write_message,
                             .end = end_message,
                             .wants_more = wants_more,
                             .failed = failed_message};
    bool is_good = pop3_retrieve(download->session->client, wanted, count, &sink, err);
    buf_free(&download->fingerprint.line); /* of one that did not come to its end */
    return is_good && download->lanes.err.kind == ERROR_NONE;
}

/* What is asked for next, from `session->next` on, which then lies behind it. */
static size_t gather(struct pop3_session *session, struct pop3_step **steps,
                     struct pop3_wanted *wanted)
{
    struct pop3_plan *plan = &session->plan;
    size_t count = 0;
    int64_t bytes = 0;
    for (; session->next < plan->count && count < RUN_MESSAGES; session->next++) {
        struct pop3_step *step = &plan->at[session->next];
        if (!is_wanted(step))
            continue;
        bytes += step->fate == POP3_PREVIEW ? 0 : step->listed.size_bytes;
        if (count > 0 && bytes > session->run_bytes)
            break;
        wanted[count] = (struct pop3_wanted){.number = step->listed.number, .top_lines = -1};
        if (step->fate == POP3_PREVIEW)
            wanted[count].top_lines = PREVIEW_LINES;
        steps[count++] = step;
    }
    return count;
}

static void adapt_run(struct pop3_session *session, int64_t took_ms)
{
    if (took_ms < RUN_QUICK_MS && session->run_bytes < RUN_BYTES_MAX)
        session->run_bytes *= 2;
    else if (took_ms > RUN_SLOW_MS && session->run_bytes > RUN_BYTES_MIN)
        session->run_bytes /= 2;
}

/* One run. `*is_done`: nothing was left to ask for. */
static bool run(struct download *download, bool *is_done, struct error *err)
{
    struct pop3_session *session = download->session;
    struct pop3_step *steps[RUN_MESSAGES];
    struct pop3_wanted wanted[RUN_MESSAGES];
    int64_t begin_ms = clock_monotonic_ms();
    size_t count = gather(session, steps, wanted);
    *is_done = count == 0;
    download->steps = steps;
    if (session->end_ms == 0)
        session->end_ms = begin_ms + download->slice->sync->pop3_session_ms;
    bool is_good = count == 0 || retrieve(download, wanted, count, err);
    download->steps = NULL;
    if (is_good)
        adapt_run(session, clock_monotonic_ms() - begin_ms);
    return is_good;
}

bool pop3_download(struct slice *slice, bool *is_done, struct error *err)
{
    struct pop3_session *session = slice->account->pop3;
    struct download download;
    bool is_good = true;
    while (session->next < session->plan.count && !is_wanted(&session->plan.at[session->next]))
        session->next++;
    *is_done = session->next == session->plan.count;
    if (session->run_bytes == 0)
        session->run_bytes = RUN_BYTES_FIRST;
    if (*is_done)
        return true;
    if (!open_download(&download, slice, err))
        return false;
    while (is_good && !*is_done && !slice_is_over(slice) &&
           !atomic_load(&slice->account->has_operations) && wants_more(&download))
        is_good = run(&download, is_done, err);
    return close_download(&download, is_good, err);
}

bool pop3_download_one(struct slice *slice, struct pop3_step *step, struct error *err)
{
    struct pop3_wanted wanted = {.number = step->listed.number, .top_lines = -1};
    struct download download;
    step->fate = POP3_REST;
    slice->account->pop3->remaining++;
    if (!open_download(&download, slice, err))
        return false;
    download.steps = &step;
    return close_download(&download, retrieve(&download, &wanted, 1, err), err);
}

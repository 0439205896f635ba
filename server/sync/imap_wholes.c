/* Policy "everything": whole messages, many with one command, into a spool. While batches are
 * parsed and written, each in one transaction, the next one is received. */
#include <stdlib.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/blobs.h"
#include "server/sync/imap_body.h"
#include "server/sync/lanes.h"
#include "server/sync/spool.h"

enum {
    LIST = 5000, /* messages looked up at once: between two lists nothing is received */
    BATCH_MESSAGES = 300,
    BATCH_BYTES = 8 << 20,
    WHOLE_BYTES_MAX = 64 * 1024 * 1024,
    SURPLUS_BYTES = 1 << 20, /* servers are not exact about sizes */
    /* Beyond that many, mail comes first and its words follow: finding them costs more than all the
     * rest. */
    ORDINARY_MAX = 200,
    REFUSED_MAX = 10, /* in a row: then it is not the messages */
};

/* One message on its way. */
struct whole {
    const struct replica_wanted *wanted;
    int64_t blob_id;
    uint64_t offset, length; /* in the spool */
    bool is_here;
};

struct batch {
    int spool; /* -1: none yet */
    bool is_on_disk;
    uint64_t length, bytes_max; /* of what lies in it */
    struct whole at[BATCH_MESSAGES];
    size_t count;
    bool has_words; /* they are found at once */
};

struct wholes {
    struct slice *slice;
    struct session_mailbox *mailbox;
    struct lanes lanes;
    struct batch batches[LANES]; /* of each lane */
    struct batch *receiving;
    int64_t blob_id;     /* of the first of all that are wanted */
    uint64_t literal_at; /* where the literal under way begins in the spool */
    bool has_literal;    /* one came and is not told whose it is */
    struct error err;    /* of the spool */
};

/* --- the way into the database ---------------------------------------------------------------- */

static bool parse(struct slice *slice, struct batch *batch, struct arena *arena,
                  struct parser_summary *summaries, struct error *err)
{
    struct parser_extent *extents = ARENA_ARRAY(arena, batch->count, struct parser_extent);
    for (size_t i = 0; i < batch->count; i++)
        extents[i] = (struct parser_extent){batch->at[i].offset, batch->at[i].length};
    return parser_messages(slice->sync->parsers, arena, batch->spool, extents, batch->count,
                           batch->has_words, summaries, err);
}

static struct replica_whole row_of(const struct whole *whole, const struct parser_summary *summary,
                                   bool has_words)
{
    bool is_poison = summary->verdict == PARSER_POISON;
    if (is_poison)
        LOG_WARN("sync.quarantine", log_int("email", whole->wanted->email_id));
    return (struct replica_whole){.email_id = whole->wanted->email_id,
                                  .blob_id = whole->blob_id,
                                  .structure = summary->structure,
                                  .header_json = summary->header_json,
                                  .preview = summary->preview,
                                  .has_attachment = summary->has_attachment,
                                  .is_poison = is_poison,
                                  .is_settled = has_words || is_poison};
}

static bool write_rows(struct slice *slice, struct db *db, const struct batch *batch,
                       const struct parser_summary *summaries, struct replica_batch *rows,
                       struct arena *arena, struct error *err)
{
    struct replica_whole *wholes = ARENA_ARRAY(arena, batch->count, struct replica_whole);
    struct blob_extent *extents = ARENA_ARRAY(arena, batch->count, struct blob_extent);
    for (size_t i = 0; i < batch->count; i++) {
        wholes[i] = row_of(&batch->at[i], &summaries[i], batch->has_words);
        extents[i] = (struct blob_extent){.blob_id = wholes[i].blob_id,
                                          .email_id = wholes[i].email_id,
                                          .offset = batch->at[i].offset,
                                          .length = batch->at[i].length};
    }
    if (!blobs_copy_chunks(db, slice->account->id, batch->spool, extents, batch->count, err) ||
        !replica_wholes_put(rows, wholes, batch->count, err) ||
        !blobs_copy_rows(db, slice->account->id, extents, batch->count, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (summaries[i].words.length > 0 &&
            !replica_words_put(rows, wholes[i].email_id, summaries[i].words, err))
            return false;
    return true;
}

/* One transaction. */
static bool store(struct slice *slice, struct db *db, const struct batch *batch,
                  const struct parser_summary *summaries, struct arena *arena, struct error *err)
{
    struct replica_batch *rows = replica_begin(db, slice->account->id, err);
    if (rows && write_rows(slice, db, batch, summaries, rows, arena, err))
        return replica_commit(&rows, err);
    replica_abandon(&rows);
    return false;
}

static bool import(struct lane *lane, void *batch_at, struct error *err)
{
    struct batch *batch = batch_at;
    struct arena *arena = arena_new();
    struct parser_summary *summaries = ARENA_ARRAY(arena, batch->count, struct parser_summary);
    bool is_good = parse(lane->lanes->slice, batch, arena, summaries, err);
    if (is_good) {
        struct db *db = lanes_acquire(lane, true);
        is_good = store(lane->lanes->slice, db, batch, summaries, arena, err);
        lanes_release(lane, &db);
    }
    arena_free(&arena);
    return is_good;
}

/* Leaves out what did not come: expunged, or kept back by the server. */
static void keep_here(struct wholes *w, struct batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->at[i].is_here)
            batch->at[kept++] = batch->at[i];
        else if (imap_is_alive(w->slice->account->imap->client))
            imap_set_add(&w->mailbox->without_whole, batch->at[i].wanted->uid);
    }
    batch->count = kept;
}

/* Hands over what was received and goes on with another batch. */
static bool begin_import(struct wholes *w)
{
    keep_here(w, w->receiving);
    bool is_good = w->receiving->count == 0 || lanes_send(&w->lanes, w->receiving);
    w->receiving = &w->batches[w->lanes.receiving];
    return is_good;
}

/* --- what comes in ---------------------------------------------------------------------------- */

/* Not for much more than the server said that the messages are. */
static bool has_room(const struct batch *batch, uint64_t bytes)
{
    return bytes <= batch->bytes_max - batch->length;
}

static bool begin_section(void *context, const struct imap_fetch *told,
                          const struct imap_section *section)
{
    struct wholes *w = context;
    (void)told; /* whose it is comes with the message at the latest */
    w->has_literal = section->name.length == 0 && w->err.kind == ERROR_NONE &&
                     has_room(w->receiving, section->size);
    w->literal_at = w->receiving->length;
    return w->has_literal;
}

static bool write_section(void *context, struct str bytes)
{
    struct wholes *w = context;
    while (bytes.length > 0) {
        ssize_t n = write(w->receiving->spool, bytes.at, bytes.length);
        if (n <= 0)
            return error_errno(&w->err, ERROR_INTERNAL, "the spool of messages is full");
        w->receiving->length += (uint64_t)n;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

static bool end_section(void *context)
{
    (void)context;
    return true;
}

static struct whole *find(struct batch *batch, uint32_t uid)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->at[i].wanted->uid == uid && !batch->at[i].is_here)
            return &batch->at[i];
    return NULL;
}

static bool on_message(void *context, const struct imap_fetch *told)
{
    struct wholes *w = context;
    imap_session_note_flags(w->slice->account->imap, told); /* none were asked for */
    for (size_t i = 0; i < told->section_count; i++) {
        const struct imap_section *section = &told->sections[i];
        if (section->name.length > 0 || section->is_size || section->is_cut)
            continue;
        if (!section->is_streamed && has_room(w->receiving, section->bytes.length)) {
            w->has_literal = true;
            w->literal_at = w->receiving->length;
            write_section(w, section->bytes);
        }
        struct whole *whole = find(w->receiving, told->uid);
        if (!whole || w->err.kind != ERROR_NONE)
            continue;
        if (!w->has_literal) { /* not again in this session; who opens it gets it */
            LOG_WARN("imap.oversized", log_int("email", whole->wanted->email_id),
                     log_int("listed", whole->wanted->size_bytes),
                     log_int("came", (int64_t)section->size));
            imap_set_add(&w->mailbox->without_whole, told->uid);
            continue;
        }
        whole->offset = w->literal_at;
        whole->length = w->receiving->length - w->literal_at;
        whole->is_here = true;
        w->has_literal = false;
    }
    return true;
}

/* An empty spool for that many bytes: in memory, or a file. */
static bool open_spool(struct batch *batch, int64_t bytes, struct error *err)
{
    bool wants_disk = bytes > SPOOL_MEMORY_BYTES;
    batch->length = 0;
    batch->bytes_max = 2 * (uint64_t)bytes + SURPLUS_BYTES;
    if (batch->spool >= 0 && batch->is_on_disk == wants_disk)
        return (ftruncate(batch->spool, 0) == 0 && lseek(batch->spool, 0, SEEK_SET) == 0) ||
               error_errno(err, ERROR_INTERNAL, "the spool of messages cannot be emptied");
    if (batch->spool >= 0)
        close(batch->spool);
    batch->spool = spool_open((uint64_t)bytes, &batch->is_on_disk);
    return batch->spool >= 0 || error_errno(err, ERROR_INTERNAL, "no spool for messages");
}

/* Whether the trouble may be with that one message: servers answer NO [UNAVAILABLE] for one that
 * they cannot read (quirk 16), which for anything else would be the account's. */
static bool may_be_of_message(const struct wholes *w, const struct error *why)
{
    bool is_answer = why->kind == ERROR_REFUSED || why->kind == ERROR_UNAVAILABLE ||
                     why->kind == ERROR_NOT_FOUND || why->kind == ERROR_CONFLICT;
    return is_answer && why->retry_after_ms == 0 && imap_is_alive(w->slice->account->imap->client);
}

/* A server that refuses one of many does not say which: each is asked for alone. */
static bool fetch_singly(struct wholes *w, struct error *err)
{
    struct batch *batch = w->receiving;
    int refused = 0;                  /* in a row */
    if (!lanes_await(&w->lanes, err)) /* the slice's own connection is needed */
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        struct body_wanted body = {.email_id = batch->at[i].wanted->email_id, .is_whole = true};
        struct error why = ERROR_INIT;
        if (batch->at[i].is_here)
            continue;
        if (imap_fetch_body(w->slice, &body, &why)) {
            refused = 0;
            continue;
        }
        if (!may_be_of_message(w, &why) || ++refused == REFUSED_MAX) {
            *err = why;
            return false;
        }
        LOG_WARN("imap.whole", log_int("email", body.email_id), LOG_ERR(&why));
        imap_set_add(&w->mailbox->without_whole, batch->at[i].wanted->uid);
    }
    size_t kept = 0; /* the others are durable already */
    for (size_t i = 0; i < batch->count; i++)
        if (batch->at[i].is_here)
            batch->at[kept++] = batch->at[i];
    batch->count = kept;
    return true;
}

static bool receive(struct wholes *w, struct error *err)
{
    struct imap_client *client = w->slice->account->imap->client;
    struct imap_set uids = {0};
    struct error why = ERROR_INIT;
    struct imap_sink sink = {.context = w,
                             .threshold = 4096,
                             .begin = begin_section,
                             .write = write_section,
                             .end = end_section};
    struct imap_fetch_params params = {
        .uids = &uids, .items = IMAP_ITEM_UID, .section_count = 1, .sink = &sink};
    for (size_t i = 0; i < w->receiving->count; i++)
        imap_set_add(&uids, w->receiving->at[i].wanted->uid);
    bool is_good = imap_fetch(client, &params, on_message, w, &why);
    imap_set_free(&uids);
    if (is_good && w->err.kind == ERROR_NONE)
        return true;
    *err = w->err.kind != ERROR_NONE ? w->err : why;
    if (w->err.kind != ERROR_NONE || !may_be_of_message(w, &why))
        return false;
    LOG_WARN("imap.wholes", LOG_ERR(&why));
    return fetch_singly(w, err);
}

/* --- all that are wanted ---------------------------------------------------------------------- */

/* Takes the next batch from `*next` on, without those that were asked for in vain. */
static bool take(struct wholes *w, const struct replica_wanted *wanted, size_t count, size_t *next,
                 struct error *err)
{
    struct batch *batch = w->receiving;
    int64_t bytes = 0;
    batch->count = 0;
    while (*next < count && batch->count < BATCH_MESSAGES && bytes < BATCH_BYTES) {
        int64_t blob_id = w->blob_id + (int64_t)*next;
        const struct replica_wanted *one = &wanted[(*next)++];
        if (imap_set_has(&w->mailbox->without_whole, one->uid))
            continue;
        bytes += one->size_bytes;
        batch->at[batch->count++] = (struct whole){.wanted = one, .blob_id = blob_id};
    }
    batch->has_words = count <= ORDINARY_MAX;
    return open_spool(batch, bytes, err);
}

static void go_on_behind(struct session_mailbox *mailbox, const struct replica_wanted *last)
{
    mailbox->whole_at = (struct replica_position){last->received_at, last->email_id};
}

static bool fetch_listed(struct wholes *w, const struct replica_wanted *wanted, size_t count,
                         struct error *err)
{
    size_t next = 0;
    bool is_good = true;
    while (is_good && next < count && !slice_is_over(w->slice) &&
           !atomic_load(&w->slice->account->has_operations)) {
        is_good = take(w, wanted, count, &next, err);
        if (!is_good || w->receiving->count == 0)
            continue;
        is_good = receive(w, err);
        /* What came before the connection broke is kept: it need not come again. */
        if (!begin_import(w) && is_good)
            is_good = false;
    }
    if (!lanes_close(&w->lanes, err))
        return false;
    if (is_good && next == count)
        go_on_behind(w->mailbox, &wanted[count - 1]);
    return is_good;
}

static bool run(struct slice *slice, struct session_mailbox *mailbox,
                const struct replica_wanted *wanted, size_t count, struct error *err)
{
    struct wholes *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->slice = slice;
    w->mailbox = mailbox;
    w->receiving = &w->batches[0];
    for (size_t i = 0; i < LANES; i++)
        w->batches[i].spool = -1;
    bool is_good =
        replica_allocate_ids(slice->db, slice->account->id, (int)count, &w->blob_id, err);
    if (is_good) {
        lanes_open(&w->lanes, slice, import, false);
        is_good = fetch_listed(w, wanted, count, err);
    }
    for (size_t i = 0; i < LANES; i++)
        if (w->batches[i].spool >= 0)
            close(w->batches[i].spool);
    free(w);
    return is_good;
}

bool imap_prefetch_wholes(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                          struct error *err)
{
    struct replica_wanted *wanted;
    size_t count, left = 0;
    bool is_reset = false;
    if (!replica_wanting_whole(slice->db, slice->arena, slice->account->id, mailbox->known.id,
                               &mailbox->whole_at, WHOLE_BYTES_MAX, LIST, &wanted, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        left += !imap_set_has(&mailbox->without_whole, wanted[i].uid);
    *is_done = left == 0 && count < LIST;
    if (*is_done) {
        mailbox->whole_at = (struct replica_position){0};
        return true;
    }
    if (left > 0) {
        if (!imap_session_select(slice, mailbox, &is_reset, err))
            return false;
        if (is_reset) {
            mailbox->is_stale = *is_done = true;
            return true;
        }
        if (left > ORDINARY_MAX)
            slice->account->imap->wants_words = true;
        return run(slice, mailbox, wanted, count, err);
    }
    go_on_behind(mailbox, &wanted[count - 1]); /* nothing of these is to be had: further back */
    return true;
}

/* A batch of whole messages: parsed in the children, then written with its rows, bodies and counts
 * in one transaction. */
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/blobs.h"
#include "server/store/replica.h"
#include "server/sync/pop3_download.h"
#include "server/sync/summary.h"

/* One message on its way in. */
struct item {
    struct pop3_received *received;
    struct pop3_uidl row; /* as it will be */
    bool is_preview;      /* only its beginning was asked for */
    int64_t email_id;     /* its beginning is here already; 0: it is new */
    const struct parser_summary *summary;
};

struct pop3_import {
    struct slice *slice;
    struct pop3_session *session;
    struct pop3_batch *batch;
    struct arena *arena;
    struct db *db; /* of the lane, once it writes */
    struct item *at;
    size_t count;
    bool has_words;                   /* not of many: those follow (pop3_words.c) */
    struct parser_summary *summaries; /* of each */
    struct blob_extent *blobs;        /* of those that are here as a whole, in order */
    size_t blob_count;
    struct replica_email *emails; /* of the new ones, in order */
    size_t new_count;
    struct pop3_uidl *adopted_before, *adopted_after; /* here already, under another key perhaps */
    size_t adopted_count;
};

/* --- which of them are new -------------------------------------------------------------------- */

/* A message that was fetched because it could not be looked at before, and that is here. */
static void adopt(struct pop3_import *import, const struct pop3_step *step)
{
    struct pop3_uidl *after = &import->adopted_after[import->adopted_count];
    import->adopted_before[import->adopted_count++] = import->session->plan.rows[step->row];
    *after = pop3_session_row(import->session, step);
    if (after->state != POP3_UIDL_PARTIAL && after->state != POP3_UIDL_OVERSIZED)
        after->state = POP3_UIDL_HERE;
}

static enum pop3_uidl_state state_of(const struct item *item)
{
    if (!item->is_preview)
        return POP3_UIDL_HERE;
    bool is_oversized = item->received->is_cut || item->row.size_bytes > POP3_MESSAGE_BYTES_MAX;
    return is_oversized ? POP3_UIDL_OVERSIZED : POP3_UIDL_PARTIAL;
}

static void sort_out(struct pop3_import *import)
{
    struct pop3_session *session = import->session;
    for (size_t i = 0; i < import->batch->count; i++) {
        struct pop3_received *received = &import->batch->at[i];
        struct pop3_step *step = received->step;
        bool was_preview = step->fate == POP3_PREVIEW;
        if (step->is_doubtful) {
            pop3_plan_settle(session->arena, &session->plan, step, str_of(received->fingerprint));
            if (step->row >= 0 && step->fate != POP3_REST) {
                adopt(import, step);
                continue;
            }
        }
        struct item *item = &import->at[import->count++];
        item->received = received;
        item->row = pop3_session_row(session, step);
        item->row.fingerprint = str_of(received->fingerprint);
        item->is_preview =
            received->is_cut || (was_preview && pop3_has(session->client, POP3_CAP_TOP));
        item->summary = &import->summaries[import->count - 1];
        item->row.state = state_of(item);
        if (step->fate == POP3_REST)
            item->email_id = item->row.email_id;
        else
            item->row.email_id = item->row.received_at = 0; /* the key was another message's */
    }
}

/* --- parsing ---------------------------------------------------------------------------------- */

static bool parse(struct pop3_import *import, struct error *err)
{
    struct parser_extent *extents = ARENA_ARRAY(import->arena, import->count, struct parser_extent);
    for (size_t i = 0; i < import->count; i++)
        extents[i] =
            (struct parser_extent){import->at[i].received->offset, import->at[i].received->length};
    return parser_messages(import->slice->sync->parsers, import->arena, import->batch->spool,
                           extents, import->count, import->has_words, import->summaries, err);
}

/* When it arrived: the topmost Received field; never later than now, whatever it says. */
static int64_t arrival(const struct parser_summary *summary)
{
    int64_t now = clock_now_us();
    int64_t at = summary->received_at ? summary->received_at : summary->sent_at;
    return at > 0 && at < now ? at : now;
}

static void fill_email(const struct pop3_import *import, const struct item *item,
                       struct replica_email *email)
{
    *email = (struct replica_email){
        .received_at = arrival(item->summary),
        .size_bytes = item->is_preview ? item->row.size_bytes : (int64_t)item->received->length,
        .blob_id = item->is_preview ? 0 : item->received->blob_id,
        .is_settled = item->is_preview || import->has_words};
    summary_fill(item->summary, email);
    if (item->is_preview) /* of a beginning it would lack parts */
        email->structure = STR_EMPTY;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The bodies, of new messages and of those whose beginning was here. They depend on nothing else,
 * so they are written before this batch's turn. */
static bool write_chunks(struct pop3_import *import, struct error *err)
{
    import->blobs = ARENA_ARRAY(import->arena, import->count, struct blob_extent);
    for (size_t i = 0; i < import->count; i++) {
        const struct pop3_received *received = import->at[i].received;
        if (!import->at[i].is_preview)
            import->blobs[import->blob_count++] = (struct blob_extent){.blob_id = received->blob_id,
                                                                       .offset = received->offset,
                                                                       .length = received->length};
    }
    return blobs_copy_chunks(import->db, import->slice->account->id, import->batch->spool,
                             import->blobs, import->blob_count, err);
}

/* The rows of new messages name their blobs already. */
static bool write_blobs(struct pop3_import *import, struct error *err)
{
    struct blob_extent *completed = ARENA_ARRAY(import->arena, import->count, struct blob_extent);
    size_t blob = 0, completed_count = 0;
    for (size_t i = 0; i < import->count; i++) {
        const struct item *item = &import->at[i];
        if (item->is_preview)
            continue;
        import->blobs[blob].email_id = item->row.email_id;
        if (item->email_id != 0)
            completed[completed_count++] = import->blobs[blob];
        blob++;
    }
    int64_t account_id = import->slice->account->id;
    return blobs_copy_rows(import->db, account_id, import->blobs, import->blob_count, err) &&
           blobs_of_emails_set(import->db, account_id, completed, completed_count,
                               import->has_words, err);
}

/* What is not done for all at once. */
static bool write_item(struct replica_batch *batch, const struct item *item, struct error *err)
{
    const struct parser_summary *s = item->summary;
    int64_t email_id = item->row.email_id;
    if (item->is_preview && item->email_id == 0)
        return true;
    if (item->is_preview)
        return replica_text_settled(batch, &email_id, 1, err);
    if (s->verdict == PARSER_POISON) {
        LOG_WARN("sync.quarantine", log_int("email", email_id));
        return replica_email_quarantine(batch, email_id, err);
    }
    return item->email_id == 0 ||
           ((s->words.length == 0 || replica_words_put(batch, email_id, s->words, err)) &&
            replica_email_parsed(batch, email_id, s->structure, s->header_json, s->preview,
                                 s->has_attachment, err));
}

static bool write_all(struct pop3_import *import, struct replica_batch *batch, struct error *err)
{
    struct slice *slice = import->slice;
    struct pop3_uidl *rows = ARENA_ARRAY(import->arena, import->count, struct pop3_uidl);
    size_t new_index = 0;
    if (import->new_count > 0 && !replica_emails_add(batch, import->session->inbox_id,
                                                     import->emails, import->new_count, err))
        return false;
    for (size_t i = 0; i < import->count; i++) {
        struct item *item = &import->at[i];
        if (item->email_id == 0)
            item->row.email_id = import->emails[new_index++].id;
        if (!write_item(batch, item, err))
            return false;
        rows[i] = item->row;
    }
    return write_blobs(import, err) &&
           pop3_uidls_forget(import->db, slice->account->id, import->adopted_before,
                             import->adopted_count, err) &&
           pop3_uidls_put(import->db, slice->account->id, import->adopted_after,
                          import->adopted_count, err) &&
           pop3_uidls_put(import->db, slice->account->id, rows, import->count, err);
}

/* One transaction on `import->db`. */
static bool store(struct lane *lane, struct pop3_import *import, struct error *err)
{
    struct replica_batch *batch = replica_begin(import->db, import->slice->account->id, err);
    if (batch)
        replica_give_ids(batch, import->batch->first_id, 2 * (int)import->batch->count);
    if (batch && write_chunks(import, err)) {
        lanes_await_turn(lane); /* conversations: what came before must be seen */
        if (write_all(import, batch, err))
            return replica_commit(&batch, err);
    }
    replica_abandon(&batch);
    return false;
}

/* Durable now: what the policy does with them. */
static void move_on(struct pop3_import *import)
{
    struct pop3_rules rules = import->session->plan.rules;
    rules.now_us = clock_now_us();
    for (size_t i = 0; i < import->count; i++) {
        struct item *item = &import->at[i];
        if (item->row.received_at == 0)
            item->row.received_at = rules.now_us;
        item->received->step->fate = pop3_plan_fate(&rules, &item->row);
    }
}

void pop3_import_prepare(struct slice *slice, struct pop3_batch *batch)
{
    struct arena *arena = arena_new();
    struct pop3_import *import = ARENA_ARRAY(arena, 1, struct pop3_import);
    *import = (struct pop3_import){
        .slice = slice,
        .session = slice->account->pop3,
        .batch = batch,
        .has_words = batch->is_ordinary,
        .arena = arena,
        .at = ARENA_ARRAY(arena, batch->count, struct item),
        .summaries = ARENA_ARRAY(arena, batch->count, struct parser_summary),
        .emails = ARENA_ARRAY(arena, batch->count, struct replica_email),
        .adopted_before = ARENA_ARRAY(arena, batch->count, struct pop3_uidl),
        .adopted_after = ARENA_ARRAY(arena, batch->count, struct pop3_uidl),
    };
    sort_out(import);
    batch->import = import;
}

static bool parse_and_store(struct lane *lane, struct pop3_import *import, struct error *err)
{
    if (!parse(import, err))
        return false;
    for (size_t i = 0; i < import->count; i++)
        if (import->at[i].email_id == 0)
            fill_email(import, &import->at[i], &import->emails[import->new_count++]);
    import->db =
        lanes_acquire(lane, import->new_count == import->count && import->adopted_count == 0);
    bool is_good = store(lane, import, err);
    lanes_release(lane, &import->db);
    return is_good;
}

static bool empty(struct pop3_batch *batch, struct error *err)
{
    batch->count = 0;
    batch->length = 0;
    return (ftruncate(batch->spool, 0) == 0 && lseek(batch->spool, 0, SEEK_SET) == 0) ||
           error_errno(err, ERROR_INTERNAL, "the spool of messages cannot be emptied");
}

bool pop3_import(struct lane *lane, void *batch_at, struct error *err)
{
    struct pop3_batch *batch = batch_at;
    struct pop3_import *import = batch->import;
    struct arena *arena = import->arena;
    batch->import = NULL;
    bool is_good = parse_and_store(lane, import, err);
    if (is_good) {
        move_on(import);
        import->session->remaining -= batch->count;
        is_good = empty(batch, err);
    }
    arena_free(&arena);
    return is_good;
}

/* The text of recent mail, fetched ahead so that opening it needs no server. */
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/store/blobs.h"
#include "server/sync/imap_body.h"

enum {
    BATCH = 50,
    TEXT_BYTES_MAX = 512 * 1024, /* larger texts wait until they are opened */
    PARTS_MAX = 4,               /* of one message */
};
#define DAY_US INT64_C(86400000000)

/* One message of the batch. */
struct job {
    const struct replica_wanted *wanted;
    struct mime_message *message; /* NULL: its structure is not known */
    struct mime_part *parts[PARTS_MAX];
    struct str bodies[PARTS_MAX]; /* as fetched */
    bool has_body[PARTS_MAX];
    size_t part_count;
    struct str key; /* its section names: messages alike are fetched with one command */
};

struct jobs {
    struct arena *arena;
    struct imap_session *session;
    struct job *at;
    size_t count;
};

static void add_parts(struct job *job, const struct mime_list *list)
{
    for (size_t i = 0; i < list->count && job->part_count < PARTS_MAX; i++) {
        struct mime_part *part = list->at[i];
        bool is_there =
            !mime_is_text(part) || part->body_length > TEXT_BYTES_MAX || part->id.length == 0;
        for (size_t k = 0; k < job->part_count; k++)
            is_there = is_there || job->parts[k] == part;
        if (!is_there)
            job->parts[job->part_count++] = part;
    }
}

static void plan(struct jobs *jobs, const struct replica_wanted *wanted, size_t count)
{
    jobs->at = ARENA_ARRAY(jobs->arena, count, struct job);
    jobs->count = count;
    for (size_t i = 0; i < count; i++) {
        struct job *job = &jobs->at[i];
        job->wanted = &wanted[i];
        if (wanted[i].structure.length > 0)
            job->message = parser_structure_read(jobs->arena, wanted[i].structure, NULL);
        if (!job->message)
            continue;
        add_parts(job, &job->message->text_body);
        add_parts(job, &job->message->html_body);
        job->key = STR_EMPTY;
        for (size_t k = 0; k < job->part_count; k++)
            job->key = arena_printf(jobs->arena, "%" STR_FMT " %" STR_FMT, STR_ARG(job->key),
                                    STR_ARG(job->parts[k]->id));
    }
}

static bool on_message(void *context, const struct imap_fetch *fetch)
{
    struct jobs *jobs = context;
    imap_session_note_flags(jobs->session, fetch); /* none were asked for */
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->at[i];
        if (job->wanted->uid != fetch->uid)
            continue;
        for (size_t s = 0; s < fetch->section_count; s++)
            for (size_t k = 0; k < job->part_count; k++)
                if (str_equal(job->parts[k]->id, fetch->sections[s].name) &&
                    !fetch->sections[s].is_cut) {
                    job->bodies[k] = arena_str(jobs->arena, fetch->sections[s].bytes);
                    job->has_body[k] = true;
                }
    }
    return true;
}

/* One command for all messages whose text lies in the same parts. */
static bool fetch_alike(struct slice *slice, struct jobs *jobs, struct str key, struct error *err)
{
    struct imap_set uids = {0};
    struct imap_fetch_params params = {.uids = &uids, .items = IMAP_ITEM_UID};
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->at[i];
        if (job->part_count == 0 || !str_equal(job->key, key))
            continue;
        imap_set_add(&uids, job->wanted->uid);
        if (params.section_count > 0)
            continue;
        for (size_t k = 0; k < job->part_count; k++)
            params.sections[params.section_count++].name = job->parts[k]->id;
    }
    bool is_good = imap_fetch(slice->account->imap->client, &params, on_message, jobs, err);
    imap_set_free(&uids);
    return is_good;
}

static bool fetch_all(struct slice *slice, struct jobs *jobs, struct error *err)
{
    for (size_t i = 0; i < jobs->count; i++) {
        bool is_first = jobs->at[i].part_count > 0;
        for (size_t k = 0; k < i && is_first; k++)
            is_first = jobs->at[k].part_count == 0 || !str_equal(jobs->at[k].key, jobs->at[i].key);
        if (is_first && !fetch_alike(slice, jobs, jobs->at[i].key, err))
            return false;
    }
    return true;
}

/* Previews of all messages by one call of the parser. */
static bool summarize(struct slice *slice, struct jobs *jobs,
                      struct parser_text_summary **summaries, struct error *err)
{
    struct parser_text_item *items = ARENA_ARRAY(jobs->arena, jobs->count, struct parser_text_item);
    *summaries = ARENA_ARRAY(jobs->arena, jobs->count, struct parser_text_summary);
    struct parser_text_summary *found =
        ARENA_ARRAY(jobs->arena, jobs->count, struct parser_text_summary);
    size_t count = 0;
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->at[i].part_count > 0 && jobs->at[i].has_body[0])
            items[count++] = (struct parser_text_item){jobs->at[i].parts[0], jobs->at[i].bodies[0]};
    if (count > 0 && !parser_texts(slice->sync->parsers, jobs->arena, items, count, found, err))
        return false;
    count = 0;
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->at[i].part_count > 0 && jobs->at[i].has_body[0])
            (*summaries)[i] = found[count++];
    return true;
}

static bool store_part(struct slice *slice, int64_t blob_id, const struct job *job, size_t k,
                       struct error *err)
{
    struct blob_writer *writer = blob_begin(slice->db, slice->account->id, blob_id,
                                            job->wanted->email_id, job->parts[k]->id, err);
    bool is_good =
        writer && blob_append(writer, job->bodies[k], err) && blob_finish(&writer, NULL, err);
    blob_abandon(&writer);
    return is_good;
}

static bool store_job(struct slice *slice, struct replica_batch *batch, int64_t *blob_id,
                      const struct job *job, const struct parser_text_summary *summary,
                      struct error *err)
{
    for (size_t k = 0; k < job->part_count; k++)
        if (job->has_body[k] && !store_part(slice, (*blob_id)++, job, k, err))
            return false;
    if (summary->verdict == PARSER_POISON)
        return replica_email_quarantine(batch, job->wanted->email_id, err);
    if (!replica_words_append(batch, job->wanted->email_id, summary->words, err))
        return false;
    return summary->preview.length == 0 ||
           replica_email_parsed(batch, job->wanted->email_id, STR_EMPTY, STR_EMPTY,
                                summary->preview, job->message->has_attachment, err);
}

static bool store(struct slice *slice, const struct jobs *jobs,
                  const struct parser_text_summary *summaries, struct error *err)
{
    int64_t *settled = ARENA_ARRAY(jobs->arena, jobs->count, int64_t);
    int64_t blob_id = 0;
    if (!replica_allocate_ids(slice->db, slice->account->id, (int)jobs->count * PARTS_MAX, &blob_id,
                              err))
        return false;
    struct replica_batch *batch = replica_begin(slice->db, slice->account->id, err);
    bool is_good = batch != NULL;
    for (size_t i = 0; i < jobs->count && is_good; i++) {
        settled[i] = jobs->at[i].wanted->email_id;
        is_good = store_job(slice, batch, &blob_id, &jobs->at[i], &summaries[i], err);
    }
    /* Also those without text, or whose text is too large: they are not asked for again. */
    is_good = is_good && replica_text_settled(batch, settled, jobs->count, err);
    if (is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

static bool fetch_texts(struct slice *slice, const struct replica_wanted *wanted, size_t count,
                        struct error *err)
{
    struct jobs jobs = {.arena = slice->arena, .session = slice->account->imap};
    struct parser_text_summary *summaries;
    plan(&jobs, wanted, count);
    return fetch_all(slice, &jobs, err) && summarize(slice, &jobs, &summaries, err) &&
           store(slice, &jobs, summaries, err);
}

bool imap_prefetch_text(struct slice *slice, struct session_mailbox *mailbox, bool *is_done,
                        struct error *err)
{
    const struct account *account = &slice->work.account;
    struct replica_wanted *wanted;
    size_t count;
    bool is_reset = false;
    int64_t since =
        account->prefetch == PREFETCH_RECENT ? clock_now_us() - account->prefetch_days * DAY_US : 0;
    *is_done = true;
    if (account->prefetch == PREFETCH_HEADERS)
        return true;
    if (account->prefetch == PREFETCH_ALL)
        return imap_prefetch_wholes(slice, mailbox, is_done, err);
    if (!replica_wanting_text(slice->db, slice->arena, account->id, mailbox->known.id, since, BATCH,
                              &wanted, &count, err))
        return false;
    if (count == 0)
        return true;
    *is_done = false;
    if (!imap_session_select(slice, mailbox, &is_reset, err))
        return false;
    if (is_reset) {
        mailbox->is_stale = *is_done = true;
        return true;
    }
    return fetch_texts(slice, wanted, count, err);
}

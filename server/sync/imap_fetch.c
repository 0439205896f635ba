#include "server/sync/imap_fetch.h"

#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/sync/imap_map.h"
#include "server/sync/summary.h"

enum { BATCH_MAX = PARSER_BATCH_MAX };

/* The fields that lists, threads and rules need (mail/envelope.h), so that a message costs hundreds
 * of bytes rather than its whole header. */
static const char header_fields[] =
    "HEADER.FIELDS (FROM SENDER REPLY-TO TO CC BCC SUBJECT DATE MESSAGE-ID IN-REPLY-TO REFERENCES "
    "LIST-ID LIST-UNSUBSCRIBE LIST-UNSUBSCRIBE-POST LIST-POST LIST-ARCHIVE AUTHENTICATION-RESULTS "
    "X-PRIORITY IMPORTANCE AUTO-SUBMITTED PRECEDENCE CONTENT-TYPE DISPOSITION-NOTIFICATION-TO "
    "X-SPAM-STATUS X-SPAM-FLAG RETURN-PATH)";

/* One message as far as the server has told of it. */
struct told {
    struct replica_email row;
    struct str header;
    const struct mime_part *structure;
    bool has_header;
};

struct collector {
    struct arena *arena;
    struct imap_session *session;
    struct imap_set *uids; /* asked for; NULL: all */
    struct told *at;
    size_t count, capacity;
};

/* Servers may send several FETCHes for one message, mostly right after each other. */
static struct told *told_of(struct collector *c, uint32_t uid)
{
    for (size_t i = c->count; i > 0; i--)
        if (c->at[i - 1].row.placed.uid == uid)
            return &c->at[i - 1];
    if (c->count == c->capacity)
        return NULL;
    struct told *told = &c->at[c->count++];
    told->row.placed.uid = uid;
    return told;
}

static void take_header(struct collector *c, struct told *told, const struct imap_fetch *fetch)
{
    for (size_t i = 0; i < fetch->section_count; i++) {
        const struct imap_section *section = &fetch->sections[i];
        if (!str_starts_nocase(section->name, STR("HEADER.FIELDS")))
            continue;
        told->header = arena_str(c->arena, section->bytes);
        told->has_header = true;
    }
}

static bool on_message(void *context, const struct imap_fetch *fetch)
{
    struct collector *c = context;
    if (fetch->uid == 0 || (c->uids && !imap_set_has(c->uids, fetch->uid))) {
        imap_session_note_flags(c->session, fetch);
        return true;
    }
    struct told *told = told_of(c, fetch->uid);
    if (!told)
        return true;
    uint64_t modseq = told->row.placed.modseq;
    if (fetch->has & IMAP_ITEM_FLAGS) {
        imap_map_flags(c->arena, fetch, &told->row.placed);
        imap_session_forget_flags(c->session, fetch->uid);
    }
    if (!(fetch->has & IMAP_ITEM_MODSEQ))
        told->row.placed.modseq = modseq;
    if (fetch->has & IMAP_ITEM_INTERNALDATE)
        told->row.received_at = fetch->internaldate_at;
    if (fetch->has & IMAP_ITEM_SIZE)
        told->row.size_bytes = (int64_t)fetch->size;
    if (fetch->has & (IMAP_ITEM_EMAILID | IMAP_ITEM_GM_MSGID))
        told->row.upstream_id = imap_map_upstream_id(c->arena, fetch);
    if (fetch->body)
        told->structure = imap_map_structure(c->arena, fetch->body)->root;
    take_header(c, told, fetch);
    return true;
}

static int by_uid(const void *a, const void *b)
{
    uint32_t x = ((const struct told *)a)->row.placed.uid;
    uint32_t y = ((const struct told *)b)->row.placed.uid;
    return x < y ? -1 : x > y;
}

static unsigned items_wanted(const struct imap_client *client)
{
    unsigned items = IMAP_ITEM_UID | IMAP_ITEM_FLAGS | IMAP_ITEM_INTERNALDATE | IMAP_ITEM_SIZE |
                     IMAP_ITEM_BODYSTRUCTURE | IMAP_ITEM_EMAILID;
    if (imap_has_condstore(client))
        items |= IMAP_ITEM_MODSEQ;
    if (imap_has(client, IMAP_CAP_GMAIL))
        items |= IMAP_ITEM_GM_MSGID;
    return items;
}

/* Leaves out messages whose header did not come (unsolicited flags, say). */
static size_t keep_whole(struct told *told, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (told[i].has_header)
            told[kept++] = told[i];
    return kept;
}

static bool parse(struct slice *slice, struct collector *c, struct fetched_emails *fetched,
                  struct error *err)
{
    struct parser_headers_item *items = ARENA_ARRAY(c->arena, c->count, struct parser_headers_item);
    struct parser_summary *summaries = ARENA_ARRAY(c->arena, c->count, struct parser_summary);
    for (size_t i = 0; i < c->count; i++)
        items[i] = (struct parser_headers_item){.header = c->at[i].header,
                                                .structure = c->at[i].structure};
    if (!parser_headers(slice->sync->parsers, c->arena, items, c->count, summaries, err))
        return false;
    fetched->at = ARENA_ARRAY(c->arena, c->count, struct replica_email);
    fetched->is_poison = ARENA_ARRAY(c->arena, c->count, bool);
    fetched->count = c->count;
    for (size_t i = 0; i < c->count; i++) {
        fetched->at[i] = c->at[i].row;
        fetched->is_poison[i] = summaries[i].verdict == PARSER_POISON;
        if (!fetched->is_poison[i])
            summary_fill(&summaries[i], &fetched->at[i]);
        if (fetched->at[i].received_at == 0)
            fetched->at[i].received_at = clock_now_us();
    }
    return true;
}

bool imap_fetch_headers(struct slice *slice, struct arena *arena, const struct fetch_wanted *wanted,
                        struct fetched_emails *fetched, struct error *err)
{
    struct imap_client *client = slice->account->imap->client;
    struct collector c = {.arena = slice->arena,
                          .session = slice->account->imap,
                          .uids = wanted->uids,
                          .capacity = BATCH_MAX};
    struct imap_fetch_params params = {.uids = wanted->uids,
                                       .seq_low = wanted->seq_low,
                                       .seq_high = wanted->seq_high,
                                       .items = items_wanted(client),
                                       .section_count = 1};
    params.sections[0].name = str_of(header_fields);
    *fetched = (struct fetched_emails){0};
    c.at = ARENA_ARRAY(arena, c.capacity, struct told);
    if (!imap_fetch(client, &params, on_message, &c, err))
        return false;
    c.count = keep_whole(c.at, c.count);
    qsort(c.at, c.count, sizeof *c.at, by_uid);
    return c.count == 0 || parse(slice, &c, fetched, err);
}

bool imap_fetch_store(struct replica_batch *batch, int64_t mailbox_id,
                      struct fetched_emails *fetched, struct error *err)
{
    if (fetched->count > 0 &&
        !replica_emails_add(batch, mailbox_id, fetched->at, fetched->count, err))
        return false;
    for (size_t i = 0; i < fetched->count; i++) {
        if (!fetched->is_poison[i])
            continue;
        LOG_WARN("sync.quarantine", log_int("email", fetched->at[i].id));
        if (!replica_email_quarantine(batch, fetched->at[i].id, err))
            return false;
    }
    return true;
}

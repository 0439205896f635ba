/* Imported messages to an IMAP server, each exactly once: before a batch is given its next UID
 * there is written down, and whoever finds that looks first which of the batch have come. */
#include "server/base/log.h"
#include "server/sync/operations.h"
#include "server/sync/transfer.h"

/* The header block with the empty line behind it. */
static struct str header_of(struct str bytes)
{
    ptrdiff_t end = str_find(bytes, STR("\r\n\r\n"));
    return end < 0 ? bytes : str_sub(bytes, 0, (size_t)end + 4);
}

/* --- what is there --------------------------------------------------------------------------- */

struct there {
    struct transfer_batch *batch;
    bool *is_there;
    uint32_t low;
};

static bool compare(void *context, const struct imap_fetch *fetch)
{
    struct there *there = context;
    if (fetch->section_count == 0 || !(fetch->has & IMAP_ITEM_SIZE) || fetch->uid < there->low)
        return true;
    for (size_t i = 0; i < there->batch->count; i++) {
        const struct transfer_message *message = &there->batch->at[i];
        if (!there->is_there[i] && fetch->size == message->bytes.length &&
            str_equal(str_trim(fetch->sections[0].bytes), str_trim(header_of(message->bytes)))) {
            there->is_there[i] = true;
            break;
        }
    }
    return true;
}

/* Which of the batch a former life has given to the server. */
static bool find_there(struct transfer_batch *batch, struct session_mailbox *mailbox,
                       bool *is_there, struct error *err)
{
    const struct transfer *t = batch->transfer;
    struct imap_client *client = batch->slice->account->imap->client;
    struct there there = {.batch = batch, .is_there = is_there, .low = t->begun_uid};
    struct imap_set uids = {0};
    bool is_reset = false;
    if (!imap_session_select(batch->slice, mailbox, &is_reset, err))
        return false;
    if (imap_selected(client)->uidvalidity != t->begun_uidvalidity)
        there.low = 1; /* all UIDs are new: any may be it */
    imap_set_add_range(&uids, there.low, UINT32_MAX);
    struct imap_fetch_params params = {.uids = &uids, .items = IMAP_ITEM_SIZE};
    params.sections[params.section_count++].name = STR("HEADER");
    bool is_good = imap_fetch(client, &params, compare, &there, err);
    imap_set_free(&uids);
    return is_good;
}

/* --- giving ---------------------------------------------------------------------------------- */

struct source {
    struct str rest;
};

static ptrdiff_t read_source(void *context, char *at, size_t length)
{
    struct source *source = context;
    struct str piece = str_sub(source->rest, 0, length);
    memcpy(at, piece.at, piece.length);
    source->rest = str_skip(source->rest, piece.length);
    return (ptrdiff_t)piece.length;
}

static bool has_8bit(struct str header)
{
    for (size_t i = 0; i < header.length; i++)
        if ((unsigned char)header.at[i] >= 0x80)
            return true;
    return false;
}

static struct imap_append_params params_of(const struct transfer_batch *batch,
                                           const struct session_mailbox *mailbox,
                                           const struct transfer_message *message,
                                           struct source *source)
{
    source->rest = message->bytes;
    return (struct imap_append_params){
        .wire_path = mailbox->known.wire_path,
        .flags = batch->transfer->is_seen ? IMAP_SEEN : 0,
        .internaldate_at = message->received_at,
        .size = message->bytes.length,
        .source = read_source,
        .source_context = source,
        .has_nul = memchr(message->bytes.at, '\0', message->bytes.length) != NULL,
        .has_utf8_header = has_8bit(header_of(message->bytes)),
    };
}

/* Refused for what it is; the others may well be taken. */
static bool is_of_message(const struct imap_client *client, const struct error *why)
{
    return imap_is_alive(client) && why->kind != ERROR_NOT_FOUND && !operation_may_pass(why);
}

static bool give_one(struct transfer_batch *batch, const struct session_mailbox *mailbox,
                     const struct transfer_message *message, struct error *err)
{
    struct imap_client *client = batch->slice->account->imap->client;
    struct imap_appended appended;
    struct source source;
    struct error why = ERROR_INIT;
    const struct imap_append_params params = params_of(batch, mailbox, message, &source);
    if (imap_append(client, &params, &appended, &why)) {
        batch->step.done++;
        return true;
    }
    if (!is_of_message(client, &why)) {
        *err = why;
        return false;
    }
    LOG_WARN("transfer.refused", LOG_ERR(&why));
    batch->step.refused++;
    return true;
}

/* All at once, all or none: true also when it did not work out and `*is_given` is false. */
static bool give_together(struct transfer_batch *batch, const struct session_mailbox *mailbox,
                          const bool *is_there, bool *is_given, struct error *err)
{
    struct imap_client *client = batch->slice->account->imap->client;
    struct imap_append_params *all =
        ARENA_ARRAY(batch->arena, batch->count, struct imap_append_params);
    struct imap_appended *appended = ARENA_ARRAY(batch->arena, batch->count, struct imap_appended);
    struct source *sources = ARENA_ARRAY(batch->arena, batch->count, struct source);
    struct error why = ERROR_INIT;
    size_t count = 0;
    *is_given = false;
    for (size_t i = 0; i < batch->count; i++) {
        if (is_there[i])
            continue;
        all[count] = params_of(batch, mailbox, &batch->at[i], &sources[count]);
        if (all[count].has_nul)
            return true;
        count++;
    }
    if (count < 2 || !imap_has(client, IMAP_CAP_MULTIAPPEND))
        return true;
    *is_given = imap_append_all(client, all, count, appended, &why);
    if (*is_given)
        batch->step.done += (int64_t)count;
    if (*is_given || is_of_message(client, &why))
        return true;
    *err = why;
    return false;
}

static bool give(struct transfer_batch *batch, const struct session_mailbox *mailbox,
                 const bool *is_there, struct error *err)
{
    bool is_given = false;
    if (!give_together(batch, mailbox, is_there, &is_given, err))
        return false;
    for (size_t i = 0; !is_given && i < batch->count; i++)
        if (!is_there[i] && !give_one(batch, mailbox, &batch->at[i], err))
            return false;
    return true;
}

static bool begin(struct transfer_batch *batch, const struct session_mailbox *mailbox,
                  struct error *err)
{
    struct imap_status status = {0};
    struct imap_client *client = batch->slice->account->imap->client;
    return imap_status(client, batch->arena, &mailbox->known.wire_path, 1, &status, err) &&
           transfer_begin(batch->slice->db, batch->transfer, status.uidnext ? status.uidnext : 1,
                          status.uidvalidity, err);
}

bool transfer_append(struct transfer_batch *batch, struct session_mailbox *mailbox,
                     struct error *err)
{
    bool *is_there = ARENA_ARRAY(batch->arena, batch->count, bool);
    if (batch->count > 0 && batch->transfer->is_begun) {
        if (!find_there(batch, mailbox, is_there, err))
            return false;
        for (size_t i = 0; i < batch->count; i++)
            batch->step.done += is_there[i];
    } else if (batch->count > 0 && !begin(batch, mailbox, err)) {
        return false;
    }
    if (!give(batch, mailbox, is_there, err))
        return false;
    if (batch->count > 0)
        imap_session_appended(batch->slice->account->imap, mailbox);
    return transfer_advance(batch->slice->db, batch->transfer, &batch->step, err);
}

#include "server/sync/imap_body.h"

#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/blobs.h"
#include "server/sync/spool.h"

enum { TEXT_BYTES_MAX = 512 * 1024 }; /* of a part that are looked at for its words */

struct body_fetch {
    struct slice *slice;
    const struct body_wanted *wanted;
    struct replica_batch *batch;
    uint32_t uid;
    int64_t next_blob_id;
    struct blob_writer *writer;
    int64_t whole_blob_id; /* of the raw message once it is written */
    bool is_attachment;    /* the first wanted part is no text: that is still to come */
    bool is_first_part;    /* what is being written is the first wanted part */
    struct buf text;       /* the beginning of the first wanted part, for its words */
    int spool;             /* the raw message, for the parser; -1: none */
    bool is_failed;        /* of the database or the spool; `err` says why */
    struct error err;
    bool is_met[BODY_PARTS_MAX + 1]; /* the last one: the whole message */
};

/* Which of the wanted parts a section is; BODY_PARTS_MAX for the whole message; -1: none. */
static int place_of(const struct body_fetch *fetch, struct str section)
{
    if (fetch->wanted->is_whole)
        return section.length == 0 ? BODY_PARTS_MAX : -1;
    for (size_t i = 0; i < fetch->wanted->part_count; i++)
        if (str_equal(section, fetch->wanted->parts[i]))
            return (int)i;
    return -1;
}

static bool fail(struct body_fetch *fetch)
{
    fetch->is_failed = true;
    return false;
}

static bool begin_section(void *context, const struct imap_fetch *told,
                          const struct imap_section *section)
{
    struct body_fetch *fetch = context;
    int place = place_of(fetch, section->name);
    if (place < 0 || fetch->is_failed || fetch->is_met[place] ||
        (told->uid != 0 && told->uid != fetch->uid))
        return false;
    fetch->is_met[place] = true;
    fetch->is_first_part = place == 0 && !fetch->wanted->is_whole;
    if (place == BODY_PARTS_MAX) {
        fetch->whole_blob_id = fetch->next_blob_id;
        fetch->spool = spool_open(section->size, NULL);
        if (fetch->spool < 0) {
            error_errno(&fetch->err, ERROR_INTERNAL, "no spool for a message");
            return fail(fetch);
        }
    }
    fetch->writer = blob_begin(fetch->slice->db, fetch->slice->account->id, fetch->next_blob_id++,
                               fetch->wanted->email_id, section->name, &fetch->err);
    return fetch->writer || fail(fetch);
}

static bool write_section(void *context, struct str bytes)
{
    struct body_fetch *fetch = context;
    if (!fetch->writer)
        return false;
    if (fetch->whole_blob_id &&
        write(fetch->spool, bytes.at, bytes.length) != (ssize_t)bytes.length) {
        error_errno(&fetch->err, ERROR_INTERNAL, "the spool of a message is full");
        return fail(fetch);
    }
    if (fetch->is_first_part)
        buf_str(&fetch->text, str_sub(bytes, 0, TEXT_BYTES_MAX - fetch->text.length));
    return blob_append(fetch->writer, bytes, &fetch->err) || fail(fetch);
}

static bool end_section(void *context)
{
    struct body_fetch *fetch = context;
    if (!fetch->writer || fetch->is_failed) {
        blob_abandon(&fetch->writer);
        return false;
    }
    return blob_finish(&fetch->writer, NULL, &fetch->err) || fail(fetch);
}

/* Sections that came inside the response rather than as a stream: short ones, quoted strings. */
static bool on_message(void *context, const struct imap_fetch *told)
{
    struct body_fetch *fetch = context;
    imap_session_note_flags(fetch->slice->account->imap, told); /* none were asked for */
    for (size_t i = 0; i < told->section_count; i++) {
        const struct imap_section *section = &told->sections[i];
        if (section->is_streamed || section->is_size || !begin_section(fetch, told, section))
            continue;
        if (write_section(fetch, section->bytes))
            end_section(fetch);
        else
            blob_abandon(&fetch->writer);
    }
    return true;
}

/* A whole message tells more than its BODYSTRUCTURE did: where the parts lie, all header fields. */
static bool parse_whole(struct body_fetch *fetch, struct error *err)
{
    struct slice *slice = fetch->slice;
    int64_t email_id = fetch->wanted->email_id;
    struct parser_summary summary;
    struct parser_input input = {.fd = fetch->spool,
                                 .length = (uint64_t)lseek(fetch->spool, 0, SEEK_END)};
    if (!parser_message(slice->sync->parsers, slice->arena, &input, &summary, err) ||
        !replica_email_blob(fetch->batch, email_id, fetch->whole_blob_id, err))
        return false;
    if (summary.verdict == PARSER_POISON) {
        LOG_WARN("sync.quarantine", log_int("email", email_id));
        return replica_email_quarantine(fetch->batch, email_id, err);
    }
    return replica_words_put(fetch->batch, email_id, summary.words, err) &&
           replica_email_parsed(fetch->batch, email_id, summary.structure, summary.header_json,
                                summary.preview, summary.has_attachment, err);
}

/* The words and the preview of a text that was opened before it was fetched ahead. */
static bool parse_text(struct body_fetch *fetch, struct str structure, struct error *err)
{
    struct slice *slice = fetch->slice;
    int64_t email_id = fetch->wanted->email_id;
    const struct mime_message *message =
        structure.length ? parser_structure_read(slice->arena, structure, NULL) : NULL;
    const struct mime_part *part = message ? mime_find(message, fetch->wanted->parts[0]) : NULL;
    struct parser_text_item item = {.part = part, .body = buf_view(&fetch->text)};
    struct parser_text_summary summary;
    fetch->is_attachment = part && !mime_is_text(part);
    if (!part || fetch->is_attachment || fetch->text.length == 0)
        return true;
    if (!parser_texts(slice->sync->parsers, slice->arena, &item, 1, &summary, err))
        return false;
    if (summary.verdict == PARSER_POISON)
        return replica_email_quarantine(fetch->batch, email_id, err);
    return replica_words_append(fetch->batch, email_id, summary.words, err) &&
           (summary.preview.length == 0 ||
            replica_email_parsed(fetch->batch, email_id, STR_EMPTY, STR_EMPTY, summary.preview,
                                 message->has_attachment, err));
}

static bool all_met(const struct body_fetch *fetch)
{
    if (fetch->wanted->is_whole)
        return fetch->is_met[BODY_PARTS_MAX];
    for (size_t i = 0; i < fetch->wanted->part_count; i++)
        if (!fetch->is_met[i])
            return false;
    return true;
}

static bool run_fetch(struct body_fetch *fetch, struct error *err)
{
    const struct body_wanted *wanted = fetch->wanted;
    struct imap_set uids = {0};
    struct imap_sink sink = {.context = fetch,
                             .threshold = 4096,
                             .begin = begin_section,
                             .write = write_section,
                             .end = end_section};
    struct imap_fetch_params params = {.uids = &uids, .items = IMAP_ITEM_UID, .sink = &sink};
    imap_set_add(&uids, fetch->uid);
    if (wanted->is_whole)
        params.sections[params.section_count++].name = STR_EMPTY;
    for (size_t i = 0; !wanted->is_whole && i < wanted->part_count; i++)
        params.sections[params.section_count++].name = wanted->parts[i];
    bool is_good = imap_fetch(fetch->slice->account->imap->client, &params, on_message, fetch, err);
    imap_set_free(&uids);
    blob_abandon(&fetch->writer);
    if (is_good && fetch->is_failed) {
        *err = fetch->err;
        return false;
    }
    if (!is_good)
        return false;
    if (!all_met(fetch)) {
        error_set(err, ERROR_NOT_FOUND, "The mail server no longer has this message or part.");
        err->scope = ERROR_SCOPE_MESSAGE;
        return false;
    }
    return true;
}

bool imap_fetch_body(struct slice *slice, const struct body_wanted *wanted, struct error *err)
{
    struct replica_place place;
    bool is_reset = false;
    struct body_fetch fetch = {
        .slice = slice, .wanted = wanted, .spool = -1, .text = BUF_INIT(TEXT_BYTES_MAX)};
    if (!replica_place_of(slice->db, slice->arena, slice->account->id, wanted->email_id, &place,
                          err))
        return false;
    struct session_mailbox *mailbox = imap_session_mailbox(slice->account->imap, place.mailbox_id);
    if (!mailbox)
        return error_set(err, ERROR_UNAVAILABLE,
                         "The folder of this message is not to be had now.");
    if (!imap_session_select(slice, mailbox, &is_reset, err))
        return false;
    if (is_reset) { /* the UID may be another message's by now */
        mailbox->is_stale = true;
        return error_set(err, ERROR_UNAVAILABLE, "The folder is being read anew.");
    }
    fetch.uid = place.uid;
    int blobs = wanted->is_whole ? 1 : (int)wanted->part_count;
    if (!replica_allocate_ids(slice->db, slice->account->id, blobs, &fetch.next_blob_id, err))
        return false;
    fetch.batch = replica_begin(slice->db, slice->account->id, err);
    bool is_good =
        fetch.batch && run_fetch(&fetch, err) &&
        (wanted->is_whole ? parse_whole(&fetch, err) : parse_text(&fetch, place.structure, err)) &&
        (fetch.is_attachment || replica_text_settled(fetch.batch, &wanted->email_id, 1, err));
    if (fetch.spool >= 0)
        close(fetch.spool);
    buf_free(&fetch.text);
    if (is_good)
        return replica_commit(&fetch.batch, err);
    replica_abandon(&fetch.batch);
    return false;
}

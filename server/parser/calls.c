/* parser.h's calls: what is asked is written, what comes back is read and checked. */
#include "server/mail/envelope.h"
#include "server/mail/header.h"
#include "server/mail/preview.h"
#include "server/mail/thread.h"
#include "server/mail/tnef.h"
#include "server/mail/words.h"
#include "server/parser/pool.h"

enum {
    JSON_BYTES_MAX = 16 * 1024 * 1024,
    BATCH_BYTES_MAX = 64 * 1024 * 1024, /* of one request with many items */
    IDS_BYTES_MAX = (ENVELOPE_ID_BYTES_MAX + 1) * ENVELOPE_REFERENCES_MAX,
    THREAD_KEYS_MAX = 4 * THREAD_IDS_MAX,
    HTML_BYTES_MAX = 16 * 1024 * 1024,
    HOSTS_BYTES_MAX = 8 * 1024,
    FIELDS_MAX = HEADER_LINES_MAX,
};

/* --- batches --------------------------------------------------------------------------------- */

/* Items in one array and their results in another, sent together while that works. A batch that
 * fells its child is halved until the one that does it is found. */
struct batch {
    struct parser_pool *pool;
    struct arena *arena;
    enum protocol_kind kind;
    void (*write)(struct buf *out, const void *items, size_t i);
    void (*read)(struct wire *in, struct arena *arena, void *results, size_t i);
    void (*poison)(void *results, size_t i);
    const void *items;
    void *results;
    int fd;              /* a file that goes along; -1: none */
    struct str head;     /* in front of the items */
    size_t first, count; /* what is under way */
};

static bool read_batch(void *context, struct wire *in)
{
    struct batch *batch = context;
    for (size_t i = 0; i < batch->count && !in->is_bad; i++)
        batch->read(in, batch->arena, batch->results, batch->first + i);
    return !in->is_bad;
}

static enum parser_outcome send_batch(struct batch *batch, size_t first, size_t count,
                                      struct error *err)
{
    struct buf head = BUF_INIT(count > 1 ? BATCH_BYTES_MAX : PROTOCOL_REQUEST_BYTES_MAX);
    batch->first = first;
    batch->count = count;
    buf_str(&head, batch->head);
    wire_put_u32(&head, (uint32_t)count);
    for (size_t i = 0; i < count && !head.is_full; i++)
        batch->write(&head, batch->items, first + i);
    const struct parser_ask ask = {.kind = batch->kind,
                                   .head = buf_view(&head),
                                   .tail = STR_EMPTY,
                                   .fd = batch->fd,
                                   .tries = count > 1 ? 1 : 2};
    enum parser_outcome outcome = PARSER_FELLED; /* too large: as if it had been */
    if (!head.is_full)
        outcome = parser_exchange(batch->pool, &ask, read_batch, batch, err);
    buf_free(&head);
    return outcome;
}

/* The depth of the recursion is the logarithm of the batch. */
static bool run_batch(struct batch *batch, size_t first, size_t count, struct error *err)
{
    if (!count)
        return true;
    switch (send_batch(batch, first, count, err)) {
    case PARSER_ANSWERED:
        return true;
    case PARSER_NO_CHILD:
        return false;
    case PARSER_FELLED:
        break;
    }
    if (count == 1) {
        batch->poison(batch->results, first);
        parser_count_poison(batch->pool);
        return true;
    }
    return run_batch(batch, first, count / 2, err) &&
           run_batch(batch, first + count / 2, count - count / 2, err);
}

/* --- summaries ------------------------------------------------------------------------------- */

static const struct parser_summary empty_summary = {
    .message_id = {"", 0},
    .in_reply_to = {"", 0},
    .references = {"", 0},
    .subject = {"", 0},
    .from_json = {"", 0},
    .sender_json = {"", 0},
    .reply_to_json = {"", 0},
    .to_json = {"", 0},
    .cc_json = {"", 0},
    .bcc_json = {"", 0},
    .preview = {"", 0},
    .structure = {"", 0},
    .header_json = {"", 0},
    .words = {"", 0},
};

static void read_summary(struct wire *in, struct arena *arena, struct parser_summary *s)
{
    *s = (struct parser_summary){.verdict = PARSER_PARSED};
    s->message_id = wire_text(in, arena, ENVELOPE_ID_BYTES_MAX);
    s->in_reply_to = wire_text(in, arena, IDS_BYTES_MAX);
    s->references = wire_text(in, arena, IDS_BYTES_MAX);
    s->subject = wire_text(in, arena, ENVELOPE_SUBJECT_BYTES_MAX);
    struct str *const lists[] = {&s->from_json, &s->sender_json, &s->reply_to_json,
                                 &s->to_json,   &s->cc_json,     &s->bcc_json};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        *lists[i] = wire_json(in, arena, JSON_BYTES_MAX);
    s->sent_at = (int64_t)wire_u64(in);
    s->received_at = (int64_t)wire_u64(in);
    s->has_attachment = wire_u8(in);
    s->preview = wire_text(in, arena, PREVIEW_CHARACTERS * 4);
    s->structure = wire_json(in, arena, JSON_BYTES_MAX);
    s->header_json = wire_json(in, arena, JSON_BYTES_MAX);
    s->thread_key_count = wire_count(in, 8, THREAD_KEYS_MAX);
    int64_t *keys = ARENA_ARRAY(arena, s->thread_key_count, int64_t);
    for (size_t i = 0; i < s->thread_key_count; i++)
        keys[i] = (int64_t)wire_u64(in);
    s->thread_keys = keys;
    s->message_key = (int64_t)wire_u64(in);
    s->words = wire_tsvector(in, arena);
    s->is_cut = wire_u8(in);
}

static void write_headers_item(struct buf *out, const void *items, size_t i)
{
    const struct parser_headers_item *item = (const struct parser_headers_item *)items + i;
    wire_put_str(out, item->header);
    wire_put_u8(out, item->structure != NULL);
    if (item->structure)
        wire_put_tree(out, item->structure, item->text_part);
    wire_put_str(out, item->text);
}

static void read_headers_item(struct wire *in, struct arena *arena, void *results, size_t i)
{
    read_summary(in, arena, (struct parser_summary *)results + i);
}

static void poison_summary(void *results, size_t i)
{
    struct parser_summary *summary = (struct parser_summary *)results + i;
    *summary = empty_summary;
    summary->verdict = PARSER_POISON;
}

bool parser_headers(struct parser_pool *pool, struct arena *arena,
                    const struct parser_headers_item *items, size_t count,
                    struct parser_summary *summaries, struct error *err)
{
    if (count > PARSER_BATCH_MAX)
        return error_set(err, ERROR_INVALID, "more than %d headers at once", PARSER_BATCH_MAX);
    struct batch batch = {.pool = pool,
                          .arena = arena,
                          .kind = PROTOCOL_HEADERS,
                          .write = write_headers_item,
                          .read = read_headers_item,
                          .poison = poison_summary,
                          .items = items,
                          .results = summaries,
                          .fd = -1,
                          .head = STR_EMPTY};
    return run_batch(&batch, 0, count, err);
}

static void write_extent(struct buf *out, const void *items, size_t i)
{
    const struct parser_extent *extent = (const struct parser_extent *)items + i;
    wire_put_u64(out, extent->offset);
    wire_put_u64(out, extent->length);
}

bool parser_messages(struct parser_pool *pool, struct arena *arena, int fd,
                     const struct parser_extent *extents, size_t count, bool with_words,
                     struct parser_summary *summaries, struct error *err)
{
    const char wants_words = with_words;
    if (count > PARSER_BATCH_MAX)
        return error_set(err, ERROR_INVALID, "more than %d messages at once", PARSER_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        if (extents[i].length > PARSER_INPUT_BYTES_MAX)
            return error_set(err, ERROR_LIMIT, "a message larger than %d MB cannot be parsed",
                             PARSER_INPUT_BYTES_MAX / (1024 * 1024));
    struct batch batch = {.pool = pool,
                          .arena = arena,
                          .kind = PROTOCOL_MESSAGES,
                          .write = write_extent,
                          .read = read_headers_item,
                          .poison = poison_summary,
                          .items = extents,
                          .results = summaries,
                          .fd = fd,
                          .head = str_make(&wants_words, 1)};
    return run_batch(&batch, 0, count, err);
}

/* --- texts ----------------------------------------------------------------------------------- */

static void write_text_item(struct buf *out, const void *items, size_t i)
{
    const struct parser_text_item *item = (const struct parser_text_item *)items + i;
    wire_put_part(out, item->part);
    wire_put_str(out, item->body);
}

static void read_text_item(struct wire *in, struct arena *arena, void *results, size_t i)
{
    struct parser_text_summary *summary = (struct parser_text_summary *)results + i;
    summary->verdict = PARSER_PARSED;
    summary->preview = wire_text(in, arena, PREVIEW_CHARACTERS * 4);
    summary->words = wire_tsvector(in, arena);
}

static void poison_text(void *results, size_t i)
{
    ((struct parser_text_summary *)results)[i] =
        (struct parser_text_summary){PARSER_POISON, STR_EMPTY, STR_EMPTY};
}

bool parser_texts(struct parser_pool *pool, struct arena *arena,
                  const struct parser_text_item *items, size_t count,
                  struct parser_text_summary *summaries, struct error *err)
{
    if (count > PARSER_BATCH_MAX)
        return error_set(err, ERROR_INVALID, "more than %d texts at once", PARSER_BATCH_MAX);
    struct batch batch = {.pool = pool,
                          .arena = arena,
                          .kind = PROTOCOL_TEXTS,
                          .write = write_text_item,
                          .read = read_text_item,
                          .poison = poison_text,
                          .items = items,
                          .results = summaries,
                          .fd = -1,
                          .head = STR_EMPTY};
    return run_batch(&batch, 0, count, err);
}

/* --- single requests ------------------------------------------------------------------------- */

/* What a reply is read into. */
struct target {
    struct arena *arena;
    void *result;
};

/* Asks with two tries. True when a child answered or the message is poison; `*is_poison` says so.
 */
static bool ask_twice(struct parser_pool *pool, struct parser_ask ask, parser_reply *reply,
                      struct target *target, bool *is_poison, struct error *err)
{
    ask.tries = 2;
    enum parser_outcome outcome = parser_exchange(pool, &ask, reply, target, err);
    *is_poison = outcome == PARSER_FELLED;
    if (*is_poison)
        parser_count_poison(pool);
    return outcome != PARSER_NO_CHILD;
}

static bool read_message(void *context, struct wire *in)
{
    struct target *target = context;
    read_summary(in, target->arena, target->result);
    return !in->is_bad;
}

bool parser_message(struct parser_pool *pool, struct arena *arena, const struct parser_input *raw,
                    struct parser_summary *summary, struct error *err)
{
    bool is_file = raw->fd >= 0 && raw->length > 0, is_poison;
    uint64_t length = raw->fd >= 0 ? raw->length : raw->bytes.length;
    if (length > PARSER_INPUT_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "a message larger than %d MB cannot be parsed",
                         PARSER_INPUT_BYTES_MAX / (1024 * 1024));
    struct buf head = BUF_INIT(64);
    wire_put_u8(&head, is_file);
    if (is_file) {
        wire_put_u64(&head, raw->offset);
        wire_put_u64(&head, raw->length);
    }
    const struct parser_ask ask = {.kind = PROTOCOL_MESSAGE,
                                   .head = buf_view(&head),
                                   .tail = raw->fd >= 0 ? STR_EMPTY : raw->bytes,
                                   .fd = is_file ? raw->fd : -1};
    struct target target = {arena, summary};
    bool is_good = ask_twice(pool, ask, read_message, &target, &is_poison, err);
    if (is_good && is_poison)
        poison_summary(summary, 0);
    buf_free(&head);
    return is_good;
}

static bool is_raster(struct str type)
{
    static const char *const types[] = {"image/png",  "image/jpeg", "image/jpg", "image/gif",
                                        "image/webp", "image/bmp",  "image/avif"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_equal_nocase(type, str_of(types[i])))
            return true;
    return false;
}

/* The message/rfc822 part around it, or NULL: the whole message. */
static const struct mime_part *message_around(const struct mime_part *part)
{
    for (part = part->parent; part; part = part->parent)
        if (str_equal(part->type, STR("message/rfc822")) ||
            str_equal(part->type, STR("message/global")))
            break;
    return part;
}

/* Raster images of the same message as `shown`, by Content-ID; nothing else is ever served for a
 * cid: (ref security 13). */
static void put_pictures(struct buf *out, const struct mime_part *shown,
                         const struct parser_render_options *options)
{
    struct buf pictures = BUF_INIT(out->limit / 2);
    uint32_t count = 0;
    const struct mime_part *part =
        options->part_url_prefix.length && options->message ? options->message->root : NULL;
    const struct mime_part *home = part ? mime_find(options->message, shown->id) : NULL;
    home = home ? message_around(home) : NULL;
    for (; part; part = mime_next(part)) {
        if (!part->cid.length || !is_raster(part->type) || message_around(part) != home)
            continue;
        wire_put_str(&pictures, part->cid);
        wire_put_u64(&pictures, options->part_url_prefix.length + part->id.length);
        buf_str(&pictures, options->part_url_prefix);
        buf_str(&pictures, part->id);
        count++;
    }
    wire_put_u32(out, count);
    buf_str(out, buf_view(&pictures));
    buf_free(&pictures);
}

static bool read_rendered(void *context, struct wire *in)
{
    struct target *target = context;
    struct parser_rendered *rendered = target->result;
    *rendered = (struct parser_rendered){.verdict = PARSER_PARSED};
    rendered->is_html = wire_u8(in);
    rendered->html = wire_text(in, target->arena, HTML_BYTES_MAX);
    rendered->css = wire_text(in, target->arena, HTML_BYTES_MAX);
    rendered->remote_count = (int)(wire_u32(in) & INT32_MAX);
    rendered->remote_hosts = wire_text(in, target->arena, HOSTS_BYTES_MAX);
    rendered->deceptive_links = (int)(wire_u32(in) & INT32_MAX);
    rendered->brings_own_colours = wire_u8(in);
    rendered->can_be_turned = wire_u8(in);
    rendered->is_cut = wire_u8(in);
    /* It stands within <style>: no child may end that. */
    return !in->is_bad && str_find_char(rendered->css, '<') < 0;
}

bool parser_render(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                   struct str body, const struct parser_render_options *options,
                   struct parser_rendered *rendered, struct error *err)
{
    bool is_poison;
    struct buf head = BUF_INIT(BATCH_BYTES_MAX);
    wire_put_part(&head, part);
    wire_put_u8(&head, options->allow_remote);
    wire_put_u8(&head, options->as_text);
    put_pictures(&head, part, options);
    const struct parser_ask ask = {
        .kind = PROTOCOL_RENDER, .head = buf_view(&head), .tail = body, .fd = -1};
    struct target target = {arena, rendered};
    bool is_good = ask_twice(pool, ask, read_rendered, &target, &is_poison, err);
    if (is_good && is_poison)
        *rendered = (struct parser_rendered){.verdict = PARSER_POISON,
                                             .html = STR_EMPTY,
                                             .css = STR_EMPTY,
                                             .remote_hosts = STR_EMPTY};
    buf_free(&head);
    return is_good;
}

struct decoded {
    struct str text;
    bool is_cut;
    size_t bytes_max;
};

static bool read_decoded(void *context, struct wire *in)
{
    struct target *target = context;
    struct decoded *decoded = target->result;
    decoded->is_cut = wire_u8(in);
    decoded->text = wire_text(in, target->arena, decoded->bytes_max);
    return !in->is_bad;
}

static bool decode(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                   struct str body, size_t bytes_max, bool is_as_seen, struct str *text,
                   bool *is_cut, bool *is_poison, struct error *err)
{
    struct decoded decoded = {.text = STR_EMPTY, .bytes_max = bytes_max};
    if (bytes_max > PROTOCOL_REPLY_BYTES_MAX / 4)
        decoded.bytes_max = PROTOCOL_REPLY_BYTES_MAX / 4;
    struct buf head = BUF_INIT(BATCH_BYTES_MAX);
    wire_put_part(&head, part);
    wire_put_u64(&head, decoded.bytes_max);
    wire_put_u8(&head, is_as_seen);
    const struct parser_ask ask = {
        .kind = PROTOCOL_DECODE_TEXT, .head = buf_view(&head), .tail = body, .fd = -1};
    struct target target = {arena, &decoded};
    bool is_good = ask_twice(pool, ask, read_decoded, &target, is_poison, err);
    buf_free(&head);
    *text = is_good && !*is_poison ? decoded.text : STR_EMPTY;
    *is_cut = decoded.is_cut;
    return is_good;
}

bool parser_decode_text(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                        struct str body, size_t bytes_max, struct str *text, bool *is_cut,
                        bool *is_poison, struct error *err)
{
    return decode(pool, arena, part, body, bytes_max, false, text, is_cut, is_poison, err);
}

bool parser_visible_text(struct parser_pool *pool, struct arena *arena,
                         const struct mime_part *part, struct str body, size_t bytes_max,
                         struct str *text, bool *is_poison, struct error *err)
{
    bool is_cut;
    return decode(pool, arena, part, body, bytes_max, true, text, &is_cut, is_poison, err);
}

struct fields {
    struct parser_header_field *at;
    size_t count;
};

static bool read_fields(void *context, struct wire *in)
{
    struct target *target = context;
    struct fields *fields = target->result;
    fields->count = wire_count(in, 16, FIELDS_MAX);
    fields->at = ARENA_ARRAY(target->arena, fields->count, struct parser_header_field);
    for (size_t i = 0; i < fields->count; i++) {
        fields->at[i].name = wire_text(in, target->arena, HEADER_TEXT_BYTES_MAX);
        fields->at[i].value = wire_text(in, target->arena, HEADER_TEXT_BYTES_MAX);
    }
    return !in->is_bad;
}

bool parser_header_fields(struct parser_pool *pool, struct arena *arena, struct str header,
                          struct parser_header_field **fields, size_t *count, struct error *err)
{
    struct fields found = {0};
    bool is_poison;
    const struct parser_ask ask = {
        .kind = PROTOCOL_HEADER_FIELDS, .head = STR_EMPTY, .tail = header, .fd = -1};
    struct target target = {arena, &found};
    bool is_good = ask_twice(pool, ask, read_fields, &target, &is_poison, err);
    *fields = is_good && !is_poison ? found.at : NULL;
    *count = is_good && !is_poison ? found.count : 0;
    return is_good;
}

/* --- cards ----------------------------------------------------------------------------------- */

bool parser_has_card(const struct mime_part *part)
{
    static const char *const types[] = {"text/calendar",
                                        "text/vcard",
                                        "text/x-vcard",
                                        "text/directory",
                                        "message/delivery-status",
                                        "message/global-delivery-status",
                                        "message/disposition-notification"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_equal(part->type, str_of(types[i])))
            return true;
    return tnef_is_likely(part->type, part->name);
}

static bool read_card(void *context, struct wire *in)
{
    struct target *target = context;
    *(struct str *)target->result = wire_json(in, target->arena, JSON_BYTES_MAX);
    return !in->is_bad;
}

bool parser_card(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                 struct str body, struct str *json, struct error *err)
{
    bool is_poison;
    struct buf head = BUF_INIT(BATCH_BYTES_MAX);
    wire_put_part(&head, part);
    const struct parser_ask ask = {
        .kind = PROTOCOL_CARD, .head = buf_view(&head), .tail = body, .fd = -1};
    struct target target = {arena, json};
    bool is_good = ask_twice(pool, ask, read_card, &target, &is_poison, err);
    if (!is_good || is_poison)
        *json = STR_EMPTY;
    buf_free(&head);
    return is_good;
}

static bool read_calendar_reply(void *context, struct wire *in)
{
    struct target *target = context;
    *(struct str *)target->result = wire_text(in, target->arena, CALENDAR_REPLY_BYTES_MAX);
    return !in->is_bad;
}

bool parser_calendar_reply(struct parser_pool *pool, struct arena *arena,
                           const struct mime_part *part, struct str body,
                           const struct calendar_answering *how, struct str *reply,
                           struct error *err)
{
    bool is_poison;
    struct buf head = BUF_INIT(BATCH_BYTES_MAX);
    wire_put_part(&head, part);
    wire_put_str(&head, how->email);
    wire_put_u32(&head, how->answer);
    wire_put_u64(&head, (uint64_t)how->now_us);
    const struct parser_ask ask = {
        .kind = PROTOCOL_CALENDAR_REPLY, .head = buf_view(&head), .tail = body, .fd = -1};
    struct target target = {arena, reply};
    *reply = STR_EMPTY;
    bool is_good = ask_twice(pool, ask, read_calendar_reply, &target, &is_poison, err);
    buf_free(&head);
    if (is_good && (is_poison || !reply->length))
        return error_set(err, ERROR_INVALID, "This invitation cannot be answered from here.");
    return is_good;
}

struct winmail {
    bool is_there;
    struct str bytes, name;
};

static bool read_winmail(void *context, struct wire *in)
{
    struct target *target = context;
    struct winmail *winmail = target->result;
    winmail->is_there = wire_u8(in);
    winmail->bytes = arena_str(target->arena, wire_str(in));
    winmail->name = wire_text(in, target->arena, HOSTS_BYTES_MAX);
    return !in->is_bad;
}

bool parser_winmail(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                    struct str body, unsigned n, struct str *bytes, struct str *name,
                    struct error *err)
{
    bool is_poison;
    struct winmail winmail = {0};
    struct buf head = BUF_INIT(BATCH_BYTES_MAX);
    wire_put_part(&head, part);
    wire_put_u32(&head, n);
    const struct parser_ask ask = {
        .kind = PROTOCOL_WINMAIL, .head = buf_view(&head), .tail = body, .fd = -1};
    struct target target = {arena, &winmail};
    bool is_good = ask_twice(pool, ask, read_winmail, &target, &is_poison, err);
    buf_free(&head);
    if (is_good && (is_poison || !winmail.is_there))
        return error_set(err, ERROR_NOT_FOUND, "There is no such attachment in it.");
    *bytes = winmail.bytes;
    *name = winmail.name;
    return is_good;
}

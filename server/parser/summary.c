/* The child's answers for lists: headers, whole messages, texts, header fields. */
#include <errno.h>
#include <sys/mman.h>

#include "server/mail/envelope.h"
#include "server/mail/filename.h"
#include "server/mail/header.h"
#include "server/mail/html_text.h"
#include "server/mail/preview.h"
#include "server/mail/thread.h"
#include "server/mail/words.h"
#include "server/parser/answer_private.h"
#include "server/parser/wire.h"

enum {
    JSON_BYTES_MAX = 16 * 1024 * 1024,
    PART_TEXT_BYTES_MAX = 998, /* of type, charset and the like as IMAP gives them */
};

/* Writes what `write` makes with the JSON writer as one string. */
static void put_addresses(struct buf *reply, const struct mail_addresses *list)
{
    struct buf text = BUF_INIT(JSON_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    if (list->count)
        address_write_json(&json, list);
    wire_put_str(reply, text.is_full ? STR_EMPTY : buf_view(&text));
    buf_free(&text);
}

static void put_list(struct json *json, const char *name, const struct mime_list *list)
{
    json_write_name(json, name);
    json_write_array(json);
    for (size_t i = 0; i < list->count; i++)
        json_write_str(json, list->at[i]->id);
    json_write_array_end(json);
}

static void put_structure(struct buf *reply, const struct mime_message *message)
{
    struct buf text = BUF_INIT(JSON_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    if (message) {
        json_write_object(&json);
        json_write_name(&json, "bodyStructure");
        mime_write_json(&json, message->root);
        put_list(&json, "textBody", &message->text_body);
        put_list(&json, "htmlBody", &message->html_body);
        put_list(&json, "attachments", &message->attachments);
        json_write_name(&json, "hasAttachment");
        json_write_bool(&json, message->has_attachment);
        json_write_name(&json, "isCut");
        json_write_bool(&json, message->is_cut);
        json_write_object_end(&json);
    }
    wire_put_str(reply, text.is_full ? STR_EMPTY : buf_view(&text));
    buf_free(&text);
}

static void add_addresses(struct words *words, const struct mail_addresses *list,
                          enum words_place place)
{
    for (size_t i = 0; i < list->count; i++) {
        words_add(words, list->at[i].name, place);
        words_add(words, list->at[i].email, place);
    }
}

/* A body's text as a reader would see it. */
static void add_text(struct words *words, const struct mime_part *part, struct str body)
{
    struct buf text = BUF_INIT(ANSWER_TEXT_BYTES_MAX), visible = BUF_INIT(WORDS_INPUT_BYTES_MAX);
    mime_decode_text(&text, body, part);
    if (answer_is_html(part))
        html_to_text(&visible, buf_view(&text), WORDS_INPUT_BYTES_MAX);
    words_add(words, answer_is_html(part) ? buf_view(&visible) : buf_view(&text), WORDS_BODY);
    buf_free(&text);
    buf_free(&visible);
}

static void put_words(struct buf *reply, struct words *words)
{
    struct buf vector = BUF_INIT(WORDS_VECTOR_BYTES_MAX + 1024);
    words_write_tsvector(words, &vector);
    wire_put_str(reply, vector.is_full ? STR_EMPTY : buf_view(&vector));
    buf_free(&vector);
}

/* What a summary is made of; `text` and `text_part` or `raw` may be absent. */
struct subject_matter {
    struct str header;
    const struct mime_message *message; /* NULL: structure not known */
    struct str raw;                     /* the whole message; empty: only its header */
    const struct mime_part *text_part;
    struct str text;
    bool wants_no_words;
};

static void add_words(struct words *words, const struct envelope *e,
                      const struct subject_matter *matter)
{
    const struct mime_message *message = matter->message;
    words_add(words, e->subject, WORDS_SUBJECT);
    add_addresses(words, &e->from, WORDS_FROM);
    add_addresses(words, &e->sender, WORDS_FROM);
    add_addresses(words, &e->reply_to, WORDS_FROM);
    add_addresses(words, &e->to, WORDS_TO);
    add_addresses(words, &e->cc, WORDS_CC);
    add_addresses(words, &e->bcc, WORDS_BCC);
    for (size_t i = 0; message && i < message->attachments.count; i++)
        words_add(words, message->attachments.at[i]->name, WORDS_FILENAME);
    if (message && matter->raw.length)
        for (size_t i = 0; i < message->text_body.count; i++)
            add_text(words, message->text_body.at[i],
                     mime_body(matter->raw, message->text_body.at[i]));
    else if (matter->text_part)
        add_text(words, matter->text_part, matter->text);
}

static void put_summary(struct arena *arena, struct buf *reply, const struct subject_matter *matter)
{
    const struct mime_message *message = matter->message;
    struct envelope e;
    envelope_parse(arena, matter->header, &e);
    const struct str texts[] = {e.message_id, e.in_reply_to, e.references, e.subject};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        wire_put_str(reply, texts[i]);
    const struct mail_addresses *const lists[] = {&e.from, &e.sender, &e.reply_to,
                                                  &e.to,   &e.cc,     &e.bcc};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        put_addresses(reply, lists[i]);
    wire_put_u64(reply, (uint64_t)e.sent_at);
    wire_put_u64(reply, (uint64_t)e.received_at);
    wire_put_u8(reply, message && message->has_attachment);
    wire_put_str(reply, matter->raw.length ? preview_of_message(arena, matter->raw, message)
                        : matter->text_part
                            ? preview_of_part(arena, matter->text_part, matter->text)
                            : STR_EMPTY);
    put_structure(reply, message);
    struct buf header_json = BUF_INIT(JSON_BYTES_MAX);
    bool has_json = envelope_write_json(&header_json, &e) && !header_json.is_full;
    wire_put_str(reply, has_json ? buf_view(&header_json) : STR_EMPTY);
    buf_free(&header_json);
    size_t key_count = 0;
    int64_t *keys =
        thread_keys(arena, e.message_id, e.in_reply_to, e.references, e.subject, &key_count);
    wire_put_u32(reply, (uint32_t)key_count);
    for (size_t i = 0; i < key_count; i++)
        wire_put_u64(reply, (uint64_t)keys[i]);
    wire_put_u64(reply, (uint64_t)thread_message_key(e.message_id));
    struct words *words = words_new(arena);
    if (!matter->wants_no_words)
        add_words(words, &e, matter);
    put_words(reply, words);
    wire_put_u8(reply, e.is_cut || (message && message->is_cut));
}

/* What BODYSTRUCTURE says is as foreign as a header: decoded and cleaned. */
static void clean_part(struct arena *arena, struct mime_part *part)
{
    struct str *const texts[] = {&part->type, &part->charset,  &part->disposition,
                                 &part->cid,  &part->location, &part->language};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i]->length)
            *texts[i] = header_clean(arena, *texts[i], PART_TEXT_BYTES_MAX);
    if (part->description.length)
        part->description = header_text(arena, part->description);
    if (!part->name.length)
        return;
    struct header_value params;
    header_parse_value(arena, arena_printf(arena, "x%" STR_FMT, STR_ARG(part->name)), &params);
    part->name = filename_clean(arena, header_param(&params, STR("filename")));
    if (!part->name.length)
        part->name = filename_clean(arena, header_param(&params, STR("name")));
}

bool answer_headers(struct arena *arena, struct wire *in, struct buf *reply)
{
    uint32_t count = wire_count(in, 1, PARSER_BATCH_MAX);
    for (uint32_t i = 0; i < count && !in->is_bad; i++) {
        struct subject_matter matter = {.header = wire_str(in)};
        struct mime_message message = {0};
        struct mime_part *text_part = NULL;
        if (wire_u8(in)) {
            message.root = wire_tree(in, arena, &text_part);
            if (in->is_bad || !message.root)
                return false;
            for (struct mime_part *part = message.root; part; part = mime_next(part))
                clean_part(arena, part);
            mime_choose(arena, &message);
            matter.message = &message;
        }
        matter.text = wire_str(in);
        matter.text_part = matter.text.length ? text_part : NULL;
        put_summary(arena, reply, &matter);
    }
    return wire_is_done(in);
}

/* A file is mapped: nothing is copied, and a file that shrinks meanwhile costs this child only. */
static bool map_file(int fd, uint64_t offset, uint64_t length, void **map, size_t *map_length,
                     struct str *raw)
{
    const uint64_t page = 65536; /* a multiple of every page size */
    uint64_t start = offset / page * page;
    if (fd < 0 || !length || length > PARSER_INPUT_BYTES_MAX || offset > INT64_MAX - length)
        return false;
    *map_length = (size_t)(offset - start + length);
    *map = mmap(NULL, *map_length, PROT_READ, MAP_PRIVATE, fd, (off_t)start);
    if (*map == MAP_FAILED)
        return false;
    *raw = str_make((char *)*map + (offset - start), (size_t)length);
    return true;
}

bool answer_message(struct arena *arena, struct wire *in, int fd, struct buf *reply)
{
    void *map = NULL;
    size_t map_length = 0;
    struct str raw;
    if (wire_u8(in)) {
        uint64_t offset = wire_u64(in), length = wire_u64(in);
        if (!wire_is_done(in) || !map_file(fd, offset, length, &map, &map_length, &raw))
            return false;
    } else {
        raw = in->rest;
    }
    struct subject_matter matter = {.header = raw, .raw = raw, .message = mime_parse(arena, raw)};
    put_summary(arena, reply, &matter);
    if (map)
        munmap(map, map_length);
    return true;
}

bool answer_messages(struct arena *arena, struct wire *in, int fd, struct buf *reply)
{
    bool wants_words = wire_u8(in);
    uint32_t count = wire_count(in, 16, PARSER_BATCH_MAX);
    for (uint32_t i = 0; i < count && !in->is_bad; i++) {
        void *map = NULL;
        size_t map_length = 0;
        struct str raw = STR_EMPTY;
        uint64_t offset = wire_u64(in), length = wire_u64(in);
        if (in->is_bad || (length > 0 && !map_file(fd, offset, length, &map, &map_length, &raw)))
            return false;
        struct subject_matter matter = {.header = raw,
                                        .raw = raw,
                                        .message = mime_parse(arena, raw),
                                        .wants_no_words = !wants_words};
        put_summary(arena, reply, &matter);
        arena_reset(arena);
        if (map)
            munmap(map, map_length);
    }
    return wire_is_done(in);
}

bool answer_texts(struct arena *arena, struct wire *in, struct buf *reply)
{
    uint32_t count = wire_count(in, 1, PARSER_BATCH_MAX);
    for (uint32_t i = 0; i < count && !in->is_bad; i++) {
        struct mime_part part = {0};
        wire_part(in, &part);
        struct str body = wire_str(in);
        if (in->is_bad)
            return false;
        wire_put_str(reply, preview_of_part(arena, &part, body));
        struct words *words = words_new(arena);
        add_text(words, &part, body);
        put_words(reply, words);
    }
    return wire_is_done(in);
}

bool answer_header_fields(struct arena *arena, struct wire *in, struct buf *reply)
{
    struct buf fields = BUF_INIT(PROTOCOL_REPLY_BYTES_MAX - 4);
    struct header_walk walk = header_begin(in->rest);
    struct header_field field;
    uint32_t count = 0;
    while (header_next(&walk, &field)) {
        wire_put_str(&fields, header_clean(arena, field.name, PART_TEXT_BYTES_MAX));
        wire_put_str(&fields, header_text(arena, field.value));
        count++;
    }
    wire_put_u32(reply, count);
    buf_str(reply, buf_view(&fields));
    bool is_good = !fields.is_full;
    buf_free(&fields);
    return is_good;
}

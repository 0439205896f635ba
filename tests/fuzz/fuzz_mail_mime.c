/* The whole way of a message: structure, sizes, text, preview, words, JSON. */
#include "server/mail/decode.h"
#include "server/mail/envelope.h"
#include "server/mail/preview.h"
#include "server/mail/words.h"
#include "tests/fuzz/mail_fuzz.h"

static void check_part(struct str raw, const struct mime_part *part, struct words *words)
{
    REQUIRE(part->header_offset <= part->body_offset);
    REQUIRE(part->body_offset + part->body_length <= raw.length);
    if (part->parent)
        REQUIRE(part->body_offset + part->body_length <=
                part->parent->body_offset + part->parent->body_length);
    if (part->next)
        REQUIRE(part->next->header_offset >= part->body_offset + part->body_length);
    require_text(part->type);
    require_text(part->name);
    REQUIRE(part->depth <= MIME_DEPTH_MAX + 1);
    if (mime_is_multipart(part))
        return;
    struct str body = mime_body(raw, part);
    struct buf bytes = BUF_INIT(raw.length + 64), text = BUF_INIT(8 * raw.length + 64);
    REQUIRE(mime_decode(&bytes, body, part->encoding));
    REQUIRE(bytes.length == part->size);
    REQUIRE(mime_decode_text(&text, body, part));
    require_text(buf_view(&text));
    words_add(words, buf_view(&text), WORDS_BODY);
    buf_free(&bytes);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str raw = fuzz_input(bytes, length);
    struct words *words = words_new(arena);
    struct mime_message *m = mime_parse(arena, raw);
    size_t count = 0;
    for (const struct mime_part *part = m->root; part; part = mime_next(part), count++) {
        check_part(raw, part, words);
        if (part->id.length)
            REQUIRE(mime_find(m, part->id) == part);
    }
    REQUIRE(count == m->part_count && count <= MIME_PARTS_MAX);
    require_text(preview_of_message(arena, raw, m));
    struct buf out = BUF_INIT(256 * 1024 * 1024);
    struct json json = JSON_INIT(&out);
    mime_write_json(&json, m->root);
    require_text(buf_view(&out));
    buf_reset(&out);
    words_write_tsvector(words, &out);
    REQUIRE(!out.is_full);
    buf_free(&out);
    arena_free(&arena);
    return 0;
}

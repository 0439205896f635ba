/* Headers: fields, text, encoded words, values with parameters, ids, file names, envelopes. */
#include "server/mail/envelope.h"
#include "server/mail/filename.h"
#include "server/mail/header.h"
#include "server/mail/sender.h"
#include "server/mail/thread.h"
#include "tests/fuzz/mail_fuzz.h"

static void check_field(struct arena *arena, struct str value)
{
    require_text(header_text(arena, value));
    require_text(header_id(arena, value));
    struct header_value parsed;
    header_parse_value(arena, value, &parsed);
    require_text(parsed.value);
    for (size_t i = 0; i < parsed.count; i++) {
        require_text(parsed.params[i].name);
        require_text(parsed.params[i].value);
        struct str name = filename_clean(arena, parsed.params[i].value);
        require_text(name);
        REQUIRE(name.length <= FILENAME_BYTES_MAX);
        REQUIRE(str_equal(filename_clean(arena, name), name));
    }
}

static void check_sender(struct arena *arena, const struct envelope *e)
{
    const struct str trusted = STR("mx.example");
    struct sender_authentication result;
    struct sender_unsubscribe ways;
    sender_authenticate(arena, e, &trusted, 1, &result);
    require_text(result.server);
    require_text(result.dkim_domain);
    require_text(result.spf_domain);
    sender_unsubscribe(arena, e, &ways);
    struct sender_mail mail;
    struct sender_looks looks;
    struct sender_junk junk;
    sender_read_mailto(arena, ways.mailto, &mail);
    require_text(mail.to);
    require_text(mail.subject);
    require_text(mail.text);
    sender_look(arena, &e->from, &looks);
    require_text(looks.called);
    sender_junk(e, &junk);
    require_text(ways.https);
    require_text(ways.mailto);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str block = fuzz_input(bytes, length);
    struct header_walk walk = header_begin(block);
    struct header_field field;
    size_t end = 0;
    while (header_next(&walk, &field)) {
        REQUIRE(field.offset >= end);
        end = field.offset + field.length;
        REQUIRE(end <= block.length);
        check_field(arena, field.value);
    }
    REQUIRE(walk.offset <= block.length);
    check_field(arena, block);
    struct envelope e;
    envelope_parse(arena, block, &e);
    require_text(e.subject);
    require_text(e.base_subject);
    require_text(e.references);
    require_text(e.list_id);
    check_sender(arena, &e);
    struct buf json = BUF_INIT(64 * 1024 * 1024);
    envelope_write_json(&json, &e);
    require_text(buf_view(&json));
    buf_free(&json);
    size_t count;
    thread_keys(arena, e.message_id, e.in_reply_to, e.references, e.subject, &count);
    REQUIRE(count <= 3 * THREAD_IDS_MAX);
    require_text(thread_base_subject(arena, header_text(arena, block), NULL));
    arena_free(&arena);
    return 0;
}

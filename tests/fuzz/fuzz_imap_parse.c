/* One response, literals and all: whatever it says, what comes out lies within bounds and is used.
 */
#include <stdlib.h>

#include "server/imap/mailbox_name.h"
#include "tests/unit/imap_text_fixture.h"

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

static volatile unsigned char sink;

/* Reads every byte, so that the sanitizer sees slices that lie elsewhere. */
static void touch(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        sink = (unsigned char)(sink + s.at[i]);
}

static void touch_flags(const struct imap_flags *flags)
{
    for (size_t i = 0; i < flags->keyword_count; i++)
        touch(flags->keywords[i]);
}

static void touch_envelope(const struct imap_envelope *envelope)
{
    const struct imap_addresses *lists[] = {&envelope->from, &envelope->sender, &envelope->reply_to,
                                            &envelope->to,   &envelope->cc,     &envelope->bcc};
    touch(envelope->subject);
    touch(envelope->message_id);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = 0; j < lists[i]->count; j++) {
            touch(lists[i]->at[j].name);
            touch(lists[i]->at[j].host);
        }
}

static void touch_body(const struct imap_body *body, unsigned depth)
{
    REQUIRE(depth <= IMAP_BODY_DEPTH_MAX);
    for (; body; body = body->next) {
        touch(body->type);
        touch(body->subtype);
        touch(body->description);
        touch(body->language);
        for (size_t i = 0; i < body->param_count; i++)
            touch(body->params[i].value);
        for (size_t i = 0; i < body->disposition_param_count; i++)
            touch(body->disposition_params[i].value);
        if (body->envelope)
            touch_envelope(body->envelope);
        touch_body(body->first_child, depth + 1);
    }
}

static void touch_fetch(const struct imap_fetch *fetch)
{
    touch_flags(&fetch->flags);
    touch_body(fetch->body, 0);
    if (fetch->has & IMAP_ITEM_ENVELOPE)
        touch_envelope(&fetch->envelope);
    for (size_t i = 0; i < fetch->section_count; i++) {
        touch(fetch->sections[i].name);
        touch(fetch->sections[i].bytes);
    }
    for (size_t i = 0; i < fetch->gm_label_count; i++)
        touch(fetch->gm_labels[i]);
}

static void check_set(struct imap_set set)
{
    struct imap_set copy = {0};
    uint32_t last = 0;
    imap_set_add_set(&copy, &set);
    imap_set_sort(&copy);
    for (size_t i = 0; i < copy.count; i++) {
        REQUIRE(copy.at[i].low > last && copy.at[i].high >= copy.at[i].low);
        last = copy.at[i].high;
    }
    REQUIRE(imap_set_size(&copy) == imap_set_size(&set));
    imap_set_free(&copy);
}

static void check_name(struct arena *arena, struct str wire)
{
    struct str name = imap_mailbox_decode(arena, wire, false);
    touch(name);
    struct str again = imap_mailbox_encode(arena, name, false);
    REQUIRE(str_equal(imap_mailbox_decode(arena, again, false), name));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct imap_text text = imap_text_of(arena, str_make(bytes, length));
    struct imap_response response;
    if (imap_parse(arena, &text, &response, NULL)) {
        touch(response.text);
        touch(response.code_text);
        touch_fetch(&response.fetch);
        touch_flags(&response.flags);
        check_set(response.set);
        check_set(response.found.all);
        for (size_t i = 0; i < response.word_count; i++)
            touch(response.words[i]);
        for (size_t i = 0; i < response.copied_count; i++)
            sink = (unsigned char)(sink + response.copied_from[i] + response.copied_to[i]);
        check_name(arena, response.mailbox.wire_path);
        imap_parse_date(response.text, &response.fetch.internaldate_at);
        imap_parse_backoff_ms(response.text);
    }
    struct imap_fetch fetch;
    struct imap_section section;
    if (imap_parse_fetch_start(arena, &text, &fetch, &section)) {
        touch(section.name);
        touch_fetch(&fetch);
    }
    arena_free(&arena);
    return 0;
}

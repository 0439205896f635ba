/* Every message of ../shared/corpus (when it is there) through structure, envelope, text, preview
 * and words: none crashes, none loses text, all that comes out is clean. */
#include <stdlib.h>

#include "server/mail/calendar.h"
#include "server/mail/decode.h"
#include "server/mail/envelope.h"
#include "server/mail/preview.h"
#include "server/mail/report.h"
#include "server/mail/thread.h"
#include "server/mail/tnef.h"
#include "server/mail/vcard.h"
#include "server/mail/words.h"
#include "tests/read_file.h"
#include "tests/unit/mail_fixture.h"

enum { FILE_BYTES_MAX = 32 * 1024 * 1024 };

static size_t files, parts, reports, invitations, cards, winmails;

static void check_addresses(const struct mail_addresses *list)
{
    for (size_t i = 0; i < list->count; i++) {
        assert_text(list->at[i].name);
        assert_text(list->at[i].email);
        assert_text(list->at[i].group);
    }
}

static void check_envelope(struct arena *arena, struct str raw, struct words *words)
{
    struct envelope e;
    envelope_parse(arena, raw, &e);
    struct str texts[] = {e.message_id,   e.in_reply_to,    e.references,       e.subject,
                          e.base_subject, e.list_id,        e.list_unsubscribe, e.list_post,
                          e.list_archive, e.auto_submitted, e.precedence,       e.content_type,
                          e.spam_status,  e.return_path};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_text(texts[i]);
    const struct mail_addresses *lists[] = {&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc};
    for (size_t i = 0; i < COUNT(lists); i++)
        check_addresses(lists[i]);
    words_add(words, e.subject, WORDS_SUBJECT);
    size_t count;
    int64_t *keys =
        thread_keys(arena, e.message_id, e.in_reply_to, e.references, e.subject, &count);
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(keys[i], 0);
}

static void check_tnef(struct arena *arena, struct str bytes)
{
    struct tnef tnef;
    if (!tnef_parse(arena, bytes, &tnef))
        return;
    winmails++;
    assert_text(tnef.text);
    for (size_t i = 0; i < tnef.count; i++)
        assert_text(tnef.attachments[i].name);
}

static void check_calendar(struct arena *arena, struct str text)
{
    struct calendar calendar;
    struct vcards contacts;
    invitations += calendar_parse(arena, text, &calendar);
    for (size_t i = 0; i < calendar.count; i++)
        assert_text(calendar.events[i].summary);
    cards += vcard_parse(arena, text, &contacts);
    for (size_t i = 0; i < contacts.count; i++)
        assert_text(contacts.at[i].name);
}

/* A leaf lies within its parent, its size is what it decodes to, and its text is clean. */
static void check_part(struct arena *arena, struct str raw, const struct mime_part *part,
                       struct words *words)
{
    assert_true(part->body_offset + part->body_length <= raw.length);
    assert_true(part->header_offset <= part->body_offset);
    if (part->parent) {
        const struct mime_part *parent = part->parent;
        assert_true(part->header_offset >= parent->body_offset);
        assert_true(part->body_offset + part->body_length <=
                    parent->body_offset + parent->body_length);
    }
    assert_text(part->type);
    assert_text(part->charset);
    assert_text(part->name);
    assert_text(part->cid);
    if (mime_is_multipart(part))
        return;
    struct str body = mime_body(raw, part);
    struct buf bytes = BUF_INIT(FILE_BYTES_MAX), text = BUF_INIT(4 * FILE_BYTES_MAX);
    assert_true(mime_decode(&bytes, body, part->encoding));
    assert_int_equal(bytes.length, part->size);
    check_tnef(arena, buf_view(&bytes));
    if (str_starts(part->type, STR("text/"))) {
        assert_true(mime_decode_text(&text, body, part));
        assert_text(buf_view(&text));
        bool is_lost = text.length == 0 && bytes.length > 16 && !part->first_child;
        assert_false(is_lost);
        words_add(words, buf_view(&text), WORDS_BODY);
        check_calendar(arena, buf_view(&text));
    }
    buf_free(&bytes);
    buf_free(&text);
}

/* Each byte of a multipart that has children is in one of them, or before, between or behind them:
 * children follow one another. A message whose bytes are not blank has text or an attachment. */
static void check_lists(struct str raw, const struct mime_message *m)
{
    size_t shown = m->text_body.count + m->html_body.count + m->attachments.count;
    if (str_trim(str_skip(raw, m->root->body_offset)).length)
        assert_true(shown > 0);
    for (const struct mime_part *part = m->root; part; part = mime_next(part))
        if (part->next)
            assert_true(part->next->header_offset >= part->body_offset + part->body_length);
}

static void check_message(struct str raw)
{
    struct arena *arena = arena_new();
    struct words *words = words_new(arena);
    check_envelope(arena, raw, words);
    struct mime_message *m = mime_parse(arena, raw);
    size_t count = 0;
    for (const struct mime_part *part = m->root; part; part = mime_next(part), count++) {
        check_part(arena, raw, part, words);
        if (part->id.length)
            assert_ptr_equal(mime_find(m, part->id), part);
    }
    assert_int_equal(count, m->part_count);
    check_lists(raw, m);
    struct report report;
    reports += report_parse(arena, raw, m, &report);
    struct str preview = preview_of_message(arena, raw, m);
    assert_text(preview);
    struct buf vector = BUF_INIT(4 * WORDS_VECTOR_BYTES_MAX);
    words_write_tsvector(words, &vector);
    assert_false(vector.is_full);
    buf_free(&vector);
    parts += count;
    files++;
    arena_free(&arena);
}

static int check_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    struct buf raw = BUF_INIT(FILE_BYTES_MAX);
    if (!read_found_file(path, info, type, &raw))
        return 0;
    if (getenv("RESTANTE_TEST_VERBOSE"))
        print_message("%s\n", path);
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT(3 * FILE_BYTES_MAX);
    utf8_repair(&text, buf_view(&raw));
    check_calendar(arena, buf_view(&text)); /* .ics and .vcf are no messages */
    check_tnef(arena, buf_view(&raw));
    buf_free(&text);
    arena_free(&arena);
    check_message(buf_view(&raw));
    buf_free(&raw);
    return 0;
}

static void test_every_file_of_the_corpus_is_read_whole_and_clean(void **state)
{
    (void)state;
    enum { OPEN_DIRECTORIES = 16 };
    if (nftw("../shared/corpus", check_file, OPEN_DIRECTORIES, FTW_PHYS) != 0 || files == 0) {
        print_message("skipped: ../shared/corpus is not there\n");
        skip();
    }
    print_message(
        "%zu files, %zu parts, %zu reports, %zu invitations, %zu cards, %zu winmail.dat\n", files,
        parts, reports, invitations, cards, winmails);
    assert_true(parts > files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file_of_the_corpus_is_read_whole_and_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Responses as real servers send them, and as hostile ones might. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/base/clock.h"
#include "tests/unit/assert_str.h"
#include "tests/unit/imap_text_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct imap_response parse(const char *raw)
{
    struct imap_text text = imap_text_of(arena, str_of(raw));
    struct imap_response response;
    if (!imap_parse(arena, &text, &response, NULL))
        fail_msg("not read: %s", raw);
    return response;
}

static void test_tagged_responses_have_a_condition_a_code_and_words(void **state)
{
    (void)state;
    struct imap_response r = parse("A12 NO [TRYCREATE] No such mailbox");
    assert_int_equal(r.type, IMAP_RESPONSE_TAGGED);
    assert_str(r.tag, "A12");
    assert_int_equal(r.condition, IMAP_NO);
    assert_int_equal(r.code, IMAP_CODE_TRYCREATE);
    assert_str(r.text, "No such mailbox");
    r = parse("A1 ok");
    assert_int_equal(r.condition, IMAP_OK);
    assert_str(r.text, "");
    r = parse("A1 OK [not closed");
    assert_int_equal(r.code, IMAP_CODE_NONE);
    assert_str(r.text, "[not closed");
    r = parse("A1 BAD [X-ODD \"a]b\"] x");
    assert_int_equal(r.code, IMAP_CODE_UNKNOWN);
    assert_str(r.code_text, "X-ODD \"a]b\"");
    r = parse("+ idling {5}");
    assert_int_equal(r.type, IMAP_RESPONSE_CONTINUE);
    assert_str(r.text, "idling {5}");
}

static void test_what_is_not_imap_is_an_error(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "HTTP/1.1 400 Bad Request", "220 smtp"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct imap_text text = imap_text_of(arena, str_of(wrong[i]));
        struct imap_response response;
        struct error err = ERROR_INIT;
        assert_false(imap_parse(arena, &text, &response, &err));
        assert_int_equal(err.kind, ERROR_PROTOCOL);
    }
    assert_int_equal(parse("* SOMETHING new").type, IMAP_RESPONSE_OTHER);
    assert_int_equal(parse("* 5").type, IMAP_RESPONSE_OTHER);
    assert_int_equal(parse("*").type, IMAP_RESPONSE_OTHER);
    assert_int_equal(parse("* LIST broken").type, IMAP_RESPONSE_OTHER);
}

static void test_codes_carry_their_arguments(void **state)
{
    (void)state;
    struct imap_response r = parse("* OK [HIGHESTMODSEQ 715194045007]");
    assert_int_equal(r.code, IMAP_CODE_HIGHESTMODSEQ);
    assert_true(r.number == 715194045007);
    r = parse("A1 OK [APPENDUID 38505 3955] done");
    assert_int_equal(r.number, 38505);
    assert_int_equal(imap_set_lowest(&r.set), 3955);
    r = parse("A1 OK [COPYUID 38505 304,319:320 3956:3958] done");
    assert_int_equal(r.copied_count, 3);
    assert_int_equal(r.copied_from[1], 319);
    assert_int_equal(r.copied_to[2], 3958);
    assert_int_equal(parse("A1 OK [COPYUID 1 1:3 7] x").copied_count, 0);
    assert_int_equal(parse("A1 OK [COPYUID 1 1:4294967295 1:4294967295] x").copied_count, 0);
    assert_int_equal(parse("A1 OK [COPYUID 0  ] x").copied_count, 0);
    r = parse("* OK [PERMANENTFLAGS (\\Seen $Junk \\*)] Limited");
    assert_int_equal(r.flags.system, IMAP_SEEN | IMAP_FLAG_ANY);
    assert_int_equal(r.flags.keyword_count, 1);
    assert_str(r.flags.keywords[0], "$Junk");
    r = parse("A1 OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] x");
    assert_str(r.id, "F2212ea87-6097-4256-9d51-71338625");
    r = parse("A1 OK [MODIFIED 7,9] x");
    assert_int_equal(imap_set_size(&r.set), 2);
    r = parse("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x");
    assert_int_equal(r.word_count, 2);
}

static void test_a_fetch_holds_every_item(void **state)
{
    (void)state;
    struct imap_response r = parse(
        "* 23 FETCH (FLAGS (\\Seen \\X-Odd $MDNSent) UID 42 RFC822.SIZE 44827 "
        "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" MODSEQ (65402) EMAILID (M6d99ac32) "
        "THREADID (T64b478a7) PREVIEW \"Hello \\\"you\\\"\" SAVEDATE NIL X-GM-MSGID "
        "1278455344230334865 "
        "X-GM-THRID 1266894439832287888 X-GM-LABELS (\\Inbox \\Sent Important \"Muy Importante\") "
        "X-NEW (a (b \"c\") {3}\r\nd)e) BODY[HEADER.FIELDS (DATE \"X-A\")]<5> {4}\r\na)\r\n "
        "BINARY[1.2] ~{2}\r\n\x01\x02 BINARY.SIZE[1.2] 99 BODY[TEXT] NIL RFC822.HEADER \"h\")");
    const struct imap_fetch *f = &r.fetch;
    assert_int_equal(r.type, IMAP_RESPONSE_FETCH);
    assert_false(f->is_broken);
    assert_int_equal(f->seq, 23);
    assert_int_equal(f->uid, 42);
    assert_int_equal(f->flags.system, IMAP_SEEN);
    assert_int_equal(f->flags.keyword_count, 2);
    assert_int_equal(f->size, 44827);
    char date[CLOCK_TEXT_BYTES];
    assert_str(clock_format_utc(f->internaldate_at, date), "1996-07-17T09:44:25Z");
    assert_int_equal(f->modseq, 65402);
    assert_str(f->email_id, "M6d99ac32");
    assert_str(f->thread_id, "T64b478a7");
    assert_str(f->preview, "Hello \"you\"");
    assert_true(f->has & IMAP_ITEM_SAVEDATE && f->savedate_at == 0);
    assert_true(f->gm_msgid == 1278455344230334865);
    assert_int_equal(f->gm_label_count, 4);
    assert_str(f->gm_labels[3], "Muy Importante");
    assert_int_equal(f->section_count, 5);
    assert_str(f->sections[0].name, "HEADER.FIELDS (DATE \"X-A\")");
    assert_int_equal(f->sections[0].origin, 5);
    assert_str(f->sections[0].bytes, "a)\r\n");
    assert_true(f->sections[1].is_binary);
    assert_str(f->sections[1].bytes, "\x01\x02");
    assert_true(f->sections[2].is_size && f->sections[2].size == 99);
    assert_true(f->sections[3].is_nil);
    assert_str(f->sections[4].name, "HEADER");
}

static void test_no_message_is_larger_than_can_be_added_up(void **state)
{
    (void)state;
    assert_int_equal(parse("* 1 FETCH (RFC822.SIZE 4294967296)").fetch.size, 4294967296);
    assert_true(parse("* 1 FETCH (RFC822.SIZE 9223372036854775808)").fetch.size == IMAP_SIZE_MAX);
    assert_true(parse("* 1 FETCH (RFC822.SIZE 18446744073709551615)").fetch.size == IMAP_SIZE_MAX);
}

static void test_uid_zero_is_no_uid(void **state)
{
    (void)state;
    struct imap_response r = parse("* 1 FETCH (UID 0 FLAGS (\\Seen))");
    assert_int_equal(r.fetch.has, IMAP_ITEM_FLAGS);
    assert_false(r.fetch.is_broken);
    r = parse("* 1 FETCH (UID 4294967296 FLAGS (\\Seen))");
    assert_int_equal(r.fetch.has, IMAP_ITEM_FLAGS);
}

static void test_an_envelope_has_addresses_and_groups(void **state)
{
    (void)state;
    struct imap_response r = parse(
        "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" {5}\r\n\"quo\" "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) NIL NIL "
        "((NIL NIL \"undisclosed\" NIL)(NIL NIL \"a\" \"b.c\")(NIL NIL NIL NIL)) NIL \"\" NIL "
        "\"<B27397@cac>\") UID 7)");
    const struct imap_envelope *e = &r.fetch.envelope;
    assert_int_equal(r.fetch.uid, 7);
    assert_str(e->subject, "\"quo\"");
    assert_int_equal(e->from.count, 1);
    assert_str(e->from.at[0].name, "Terry Gray");
    assert_int_equal(e->to.count, 3);
    assert_str(e->to.at[0].mailbox, "undisclosed");
    assert_str(e->to.at[1].host, "b.c");
    assert_str(e->message_id, "<B27397@cac>");
}

static void test_stray_quotes_in_a_message_id_are_kept(void **state)
{
    (void)state; /* iCloud, mailcore2#1967 */
    struct imap_response r = parse("* 1 FETCH (ENVELOPE (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL "
                                   "\"<\"a\"@b>\") UID 9)");
    assert_str(r.fetch.envelope.message_id, "<\"a\"@b>");
    assert_int_equal(r.fetch.uid, 9);
}

static void test_a_structure_is_a_tree(void **state)
{
    (void)state;
    struct imap_response r = parse(
        "* 1 FETCH (BODYSTRUCTURE (((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" "
        "10 2 NIL "
        "NIL NIL NIL)(\"text\" \"html\" NIL NIL NIL \"quoted-printable\" 20 3) \"alternative\")"
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 342 (NIL \"inner\" NIL NIL NIL NIL NIL NIL "
        "NIL NIL) "
        "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5 1) 12 NIL (\"attachment\" (\"filename\" \"a "
        "b.eml\")) "
        "(\"de\" \"en\") \"http://x\" \"more\" (1 2))"
        "(\"image\" \"png\" (\"name\" \"x.png\") \"<cid@x>\" \"a pic\" \"base64\" 4000 \"md5\" "
        "\"inline\" "
        "\"fr\") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL))");
    const struct imap_body *root = r.fetch.body, *alternative, *message, *image;
    assert_false(r.fetch.is_broken);
    assert_true(root->is_multipart);
    assert_str(root->subtype, "mixed");
    assert_str(root->params[0].value, "b");
    alternative = root->first_child;
    message = alternative->next;
    image = message->next;
    assert_null(image->next);
    assert_str(alternative->first_child->params[0].value, "utf-8");
    assert_int_equal(alternative->first_child->next->lines, 3);
    assert_true(message->is_message);
    assert_str(message->envelope->subject, "inner");
    assert_int_equal(message->first_child->size, 5);
    assert_int_equal(message->lines, 12);
    assert_str(message->disposition_params[0].value, "a b.eml");
    assert_str(message->language, "de");
    assert_str(message->location, "http://x");
    assert_str(image->id, "<cid@x>");
    assert_str(image->description, "a pic");
    assert_int_equal(image->size, 4000);
    assert_str(image->disposition, "inline");
    assert_str(image->language, "fr");
}

static void test_wrong_structures_cost_no_more_than_themselves(void **state)
{
    (void)state;
    static const char *const structures[] = {
        "NIL",
        "()",
        "(\"mixed\")",
        "((\"TEXT\" \"PLAIN\"))",
        "(\"TEXT\" \"PLAIN\" NIL NIL NIL NIL -1 NIL)",
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\") NIL NIL \"7BIT\" 1 1)",
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 1 NIL NIL NIL)",
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 1)",
        "((\"MESSAGE\" \"DELIVERY-STATUS\" NIL NIL NIL \"7BIT\" 324) \"REPORT\")",
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 1 () () 0)",
        "(\"TEXT\" \"PLAIN\" \"\" NIL NIL \"7BIT\" 1 1 (odd (list)))",
        "5",
        "(((((((\"a\" \"b\")))))))",
    };
    for (size_t i = 0; i < COUNT(structures); i++) {
        char raw[1000];
        snprintf(raw, sizeof raw, "* 1 FETCH (UID 5 BODYSTRUCTURE %s FLAGS (\\Seen))",
                 structures[i]);
        struct imap_response r = parse(raw);
        if (r.fetch.is_broken || r.fetch.flags.system != IMAP_SEEN)
            fail_msg("%s", structures[i]);
    }
}

static void test_what_was_before_a_break_is_kept(void **state)
{
    (void)state;
    struct imap_response r = parse("* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {100}\r\nshort");
    assert_int_equal(r.type, IMAP_RESPONSE_FETCH);
    assert_true(r.fetch.is_broken);
    assert_int_equal(r.fetch.uid, 5);
    assert_true(r.fetch.has & IMAP_ITEM_FLAGS);
}

static void test_mailboxes_are_listed_with_roles(void **state)
{
    (void)state;
    struct imap_response r =
        parse("* LIST (\\HasNoChildren \\Sent \\Subscribed) \"/\" \"Sent \\\"x\"");
    assert_int_equal(r.mailbox.attributes, IMAP_HAS_NO_CHILDREN | IMAP_USE_SENT | IMAP_SUBSCRIBED);
    assert_str(r.mailbox.wire_path, "Sent \"x");
    assert_str(r.mailbox.delimiter, "/");
    r = parse("* XLIST (\\Spam) NIL {4}\r\nJunk");
    assert_int_equal(r.mailbox.attributes, IMAP_USE_JUNK);
    assert_str(r.mailbox.delimiter, "");
    assert_str(r.mailbox.wire_path, "Junk");
    r = parse("* LIST () \"\\\\\" inBox");
    assert_true(r.mailbox.attributes & IMAP_USE_INBOX);
    assert_str(r.mailbox.delimiter, "\\");
    r = parse("* LIST () \"/\" My unquoted folder");
    assert_str(r.mailbox.wire_path, "My unquoted folder");
    r = parse(
        "* LIST (\\NonExistent) \"/\" new (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"old\"))");
    assert_true(r.mailbox.attributes & IMAP_NOSELECT);
    assert_str(r.mailbox.old_wire_path, "old");
    assert_true(parse("* LSUB () \"/\" a").is_lsub);
}

static void test_counts_are_told_by_status(void **state)
{
    (void)state;
    struct imap_response r =
        parse("* STATUS \"a b\" (MESSAGES 5 UIDNEXT 9 UIDVALIDITY 3 UNSEEN 1 HIGHESTMODSEQ 77 "
              "SIZE 5000000000 MAILBOXID (F1) APPENDLIMIT NIL X-NEW (a b) RECENT 0 )");
    assert_str(r.status.wire_path, "a b");
    assert_int_equal(r.status.messages, 5);
    assert_int_equal(r.status.uidnext, 9);
    assert_true(r.status.size == 5000000000);
    assert_str(r.status.mailbox_id, "F1");
    assert_true(r.status.appendlimit == UINT64_MAX);
    r = parse("* STATUS \"INBOX\" ()"); /* NetEase */
    assert_int_equal(r.type, IMAP_RESPONSE_STATUS);
    assert_int_equal(r.status.has, 0);
    r = parse("* STATUS un quoted (MESSAGES 99999999999)");
    assert_str(r.status.wire_path, "un quoted");
    assert_int_equal(r.status.messages, UINT32_MAX);
}

static void test_what_was_found(void **state)
{
    (void)state;
    struct imap_response r = parse("* SEARCH 2 3 6 (MODSEQ 917162500) ");
    assert_int_equal(imap_set_size(&r.found.all), 3);
    assert_int_equal(r.found.modseq, 917162500);
    assert_true(parse("* SEARCH").found.has_all);
    r = parse("* SEARCH 9 7 8 7 0");
    assert_int_equal(imap_set_size(&r.found.all), 3);
    r = parse("* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800 COUNT 15 ALL 4:6,8 MODSEQ 5 X (1)");
    assert_str(r.found.tag, "A285");
    assert_true(r.found.is_uid && r.found.has_count);
    assert_int_equal(r.found.max, 3800);
    assert_int_equal(imap_set_size(&r.found.all), 4);
    r = parse("* ESEARCH (TAG \"A1\") UID PARTIAL (-1:-100 200:250,252)");
    assert_int_equal(imap_set_size(&r.found.all), 52);
    assert_true(parse("* ESEARCH UID PARTIAL (-1:-100 NIL)").found.has_all);
}

static void test_vanished_namespace_quota_and_id(void **state)
{
    (void)state;
    struct imap_response r = parse("* VANISHED (EARLIER) 41,43:116,118");
    assert_true(r.is_earlier);
    assert_int_equal(imap_set_size(&r.set), 76);
    assert_false(parse("* VANISHED 405").is_earlier);
    assert_int_equal(parse("* VANISHED (EARLIER)").type, IMAP_RESPONSE_OTHER);
    assert_int_equal(parse("* VANISHED 1:x").type, IMAP_RESPONSE_OTHER);
    r = parse(
        "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-P\" (\"F1\"))) NIL ((\"Public/\" NIL))");
    assert_int_equal(r.namespace_count, 3);
    assert_str(r.namespaces[1].prefix, "#mh/");
    assert_int_equal(r.namespaces[2].kind, IMAP_NAMESPACE_SHARED);
    r = parse("* QUOTA \"\" (STORAGE 10 512 MESSAGE 3 20)");
    assert_int_equal(r.quota.storage_limit, 512);
    assert_int_equal(r.quota.messages_used, 3);
    r = parse("* ID (\"name\" \"Cyrus\" \"os\" NIL)");
    assert_str(r.pairs[0].value, "Cyrus");
    assert_int_equal(parse("* ID NIL").type, IMAP_RESPONSE_ID);
}

static void test_dates_and_waiting_times_are_read(void **state)
{
    (void)state;
    int64_t at;
    assert_true(imap_parse_date(STR(" 1-Jan-1970 00:00:01 +0000"), &at) && at == 1000000);
    assert_true(imap_parse_date(STR("01-jan-1970 01:00 +0100"), &at) && at == 0);
    assert_true(imap_parse_date(STR("2-Jan-1970"), &at) && at == INT64_C(86400000000));
    assert_false(imap_parse_date(STR("Mon, 1 Jan 1970"), &at));
    assert_false(imap_parse_date(STR("32-Jan-1970"), &at));
    assert_int_equal(imap_parse_backoff_ms(
                         STR("Request is throttled. Suggested Backoff Time: 18032 milliseconds")),
                     18032);
    assert_int_equal(imap_parse_backoff_ms(STR("Suggested Backoff Time: 999999999 ms")), 1800000);
    assert_int_equal(imap_parse_backoff_ms(STR("please retry after 30 seconds")), 30000);
    assert_int_equal(imap_parse_backoff_ms(STR("no")), 0);
}

static void test_the_start_of_a_fetch_tells_whose_literal_comes(void **state)
{
    (void)state;
    struct imap_fetch fetch;
    struct imap_section section;
    struct imap_text text = {.bytes = STR("* 12 FETCH (UID 7 BODY[1.2]<0> ")};
    assert_true(imap_parse_fetch_start(arena, &text, &fetch, &section));
    assert_int_equal(fetch.uid, 7);
    assert_str(section.name, "1.2");
    text.bytes = STR("* 12 FETCH (BODY[] ");
    assert_true(imap_parse_fetch_start(arena, &text, &fetch, &section));
    assert_int_equal(fetch.uid, 0);
    assert_int_equal(fetch.seq, 12);
    static const char *const others[] = {"* 12 FETCH (ENVELOPE (NIL ", "* LIST () \"/\" ",
                                         "* 12 FETCH (X-NEW ", "* 12 FETCH (", "* 12 FETCH (UID "};
    for (size_t i = 0; i < COUNT(others); i++) {
        text.bytes = str_of(others[i]);
        assert_false(imap_parse_fetch_start(arena, &text, &fetch, &section));
    }
}

/* --- hostile (ref/security.md 31) ------------------------------------------------------------- */

static void test_a_million_of_anything_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *repeated, *end;
    } rows[] = {
        {"* 1 FETCH (BODYSTRUCTURE ", "(", ""},
        {"* 1 FETCH (BODYSTRUCTURE (", "()", ")"},
        {"* 1 FETCH (BODYSTRUCTURE (", "(\"a\" \"b\")", ")"},
        {"* 1 FETCH (X ", "(", ""},
        {"* 1 FETCH (FLAGS (", "k ", "))"},
        {"* 1 FETCH (ENVELOPE (NIL NIL (", "(NIL NIL a b)", ")"},
        {"* 1 FETCH (", "BODY[] NIL ", ")"},
        {"* 1 FETCH (BODYSTRUCTURE (a b (", "c d ", ")"},
        {"* 1 FETCH (X \"", "\"x", ""},
        {"* SEARCH", " 9 7", ""},
        {"* VANISHED 1", ",3,1", ""},
        {"* ID (", "a b ", ")"},
        {"* CAPABILITY", " x", ""},
        {"* LIST (", "\\a ", ") NIL x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf raw = BUF_INIT(64 << 20);
        buf_text(&raw, rows[i].begin);
        for (int n = 0; n < 300000; n++)
            buf_text(&raw, rows[i].repeated);
        buf_text(&raw, rows[i].end);
        struct imap_text text = {.bytes = buf_view(&raw)};
        struct imap_response response;
        struct arena *own = arena_new();
        assert_true(imap_parse(own, &text, &response, NULL));
        if (arena_used(own) > 32u << 20)
            fail_msg("%s takes %zu bytes", rows[i].begin, arena_used(own));
        arena_free(&own);
        buf_free(&raw);
    }
}

/* --- the corpora ------------------------------------------------------------------------------ */

/* Types that the file's name or line says it must be; every line must at least be read. */
static size_t check_line(struct str line)
{
    struct imap_text text = imap_text_of(arena, line);
    struct imap_response response;
    if (!imap_parse(arena, &text, &response, NULL))
        fail_msg("not read: %" STR_FMT, STR_ARG(line));
    if (response.type == IMAP_RESPONSE_FETCH && response.fetch.is_broken)
        fail_msg("broken: %" STR_FMT, STR_ARG(line));
    static const struct {
        struct str word;
        enum imap_response_type type;
    } words[] = {{{"* LIST (", 8}, IMAP_RESPONSE_LIST},
                 {{"* STATUS ", 9}, IMAP_RESPONSE_STATUS},
                 {{"* ESEARCH", 9}, IMAP_RESPONSE_SEARCH},
                 {{"* VANISHED", 10}, IMAP_RESPONSE_VANISHED},
                 {{"* NAMESPACE", 11}, IMAP_RESPONSE_NAMESPACE},
                 {{"* QUOTA ", 8}, IMAP_RESPONSE_QUOTA},
                 {{"* CAPABILITY", 12}, IMAP_RESPONSE_CAPABILITY},
                 {{"* ENABLED", 9}, IMAP_RESPONSE_ENABLED}};
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_starts(line, words[i].word) && response.type != words[i].type)
            fail_msg("not understood: %" STR_FMT, STR_ARG(line));
    arena_reset(arena);
    return 1;
}

static struct str read_file(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *bytes = malloc(1 << 22);
    assert_non_null(bytes);
    size_t length = fread(bytes, 1, 1 << 22, file);
    fclose(file);
    return str_make(bytes, length);
}

/* `:response: "..."` of a YAML file: double-quoted, folded over lines. */
static bool next_response(struct str *rest, struct buf *response)
{
    ptrdiff_t at = str_find(*rest, STR(":response: \""));
    if (at < 0)
        return false;
    *rest = str_skip(*rest, (size_t)at + 12);
    buf_reset(response);
    size_t i = 0;
    for (; i < rest->length && rest->at[i] != '"'; i++) {
        char c = rest->at[i];
        if (c == '\n') { /* folded: a line break and indentation are one space */
            buf_char(response, ' ');
            while (i + 1 < rest->length && rest->at[i + 1] == ' ')
                i++;
            continue;
        }
        if (c != '\\') {
            buf_char(response, c);
            continue;
        }
        c = rest->at[++i];
        if (c == '\n') /* escaped: nothing, and "\ " begins the next line */
            while (i + 1 < rest->length && rest->at[i + 1] == ' ')
                i++;
        else if (c == 'x') {
            char digits[3] = {rest->at[i + 1], rest->at[i + 2], '\0'};
            buf_char(response, (char)strtol(digits, NULL, 16));
            i += 2;
        } else
            buf_char(response, c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c);
    }
    *rest = str_skip(*rest, i);
    return true;
}

static void each_file(const char *folder, size_t (*check)(struct str file), size_t *count)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        print_message("%s is not there: skipped\n", folder);
        skip();
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || str_ends(str_of(entry->d_name), STR(".mbox")) ||
            !strcmp(entry->d_name, "SOURCE"))
            continue;
        struct str file = read_file(folder, entry->d_name);
        *count += check(file);
        free((char *)file.at);
    }
    closedir(dir);
}

static size_t check_yaml(struct str file)
{
    struct buf response = BUF_INIT(1 << 20);
    size_t count = 0;
    struct str rest = file;
    while (next_response(&rest, &response))
        count += check_line(buf_view(&response));
    buf_free(&response);
    return count;
}

static size_t check_script(struct str file)
{
    size_t count = 0;
    struct str rest = file;
    while (rest.at) {
        struct str line = str_cut(&rest, '\n');
        if (str_starts(line, STR("* ")) && str_find_char(line, '$') < 0 &&
            !str_ends(line, STR("}")) && !str_ends(line, STR("{{{")))
            count += check_line(line);
    }
    return count;
}

static void test_responses_collected_by_net_imap_are_read(void **state)
{
    (void)state;
    size_t count = 0;
    each_file("../shared/corpus/netimap-responses", check_yaml, &count);
    assert_true(count > 100);
}

static void test_responses_expected_by_imaptest_are_read(void **state)
{
    (void)state;
    size_t count = 0;
    each_file("../shared/corpus/imaptest", check_script, &count);
    assert_true(count > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tagged_responses_have_a_condition_a_code_and_words),
        cmocka_unit_test(test_what_is_not_imap_is_an_error),
        cmocka_unit_test(test_codes_carry_their_arguments),
        cmocka_unit_test(test_a_fetch_holds_every_item),
        cmocka_unit_test(test_no_message_is_larger_than_can_be_added_up),
        cmocka_unit_test(test_uid_zero_is_no_uid),
        cmocka_unit_test(test_an_envelope_has_addresses_and_groups),
        cmocka_unit_test(test_stray_quotes_in_a_message_id_are_kept),
        cmocka_unit_test(test_a_structure_is_a_tree),
        cmocka_unit_test(test_wrong_structures_cost_no_more_than_themselves),
        cmocka_unit_test(test_what_was_before_a_break_is_kept),
        cmocka_unit_test(test_mailboxes_are_listed_with_roles),
        cmocka_unit_test(test_counts_are_told_by_status),
        cmocka_unit_test(test_what_was_found),
        cmocka_unit_test(test_vanished_namespace_quota_and_id),
        cmocka_unit_test(test_dates_and_waiting_times_are_read),
        cmocka_unit_test(test_the_start_of_a_fetch_tells_whose_literal_comes),
        cmocka_unit_test(test_a_million_of_anything_is_bounded),
        cmocka_unit_test(test_responses_collected_by_net_imap_are_read),
        cmocka_unit_test(test_responses_expected_by_imaptest_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

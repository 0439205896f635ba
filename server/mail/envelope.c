#include "server/mail/envelope.h"

#include "server/base/json.h"
#include "server/base/utf8.h"
#include "server/mail/date.h"
#include "server/mail/header.h"
#include "server/mail/thread.h"

/* --- what a field is read as ------------------------------------------------------------------ */

static struct str text_of(struct arena *arena, struct str value)
{
    struct str text = header_text(arena, value);
    return utf8_prefix(text, ENVELOPE_TEXT_BYTES_MAX);
}

static void read_subject(struct arena *arena, struct str value, struct envelope *e)
{
    e->subject = utf8_prefix(header_text(arena, value), ENVELOPE_SUBJECT_BYTES_MAX);
    e->base_subject = thread_base_subject(arena, e->subject, &e->is_reply);
}

static void read_message_id(struct arena *arena, struct str value, struct envelope *e)
{
    e->message_id = header_id(arena, value);
}

/* Ids without brackets are taken when they look like some: an old In-Reply-To may be a sentence. */
static struct str join_ids(struct arena *arena, struct str value)
{
    size_t count;
    struct str *ids = thread_ids(arena, value, &count);
    bool has_brackets = str_find_char(value, '<') >= 0;
    struct buf joined = BUF_INIT(THREAD_IDS_MAX * (ENVELOPE_ID_BYTES_MAX + 1));
    for (size_t i = 0; i < count; i++) {
        if (!has_brackets && str_find_char(ids[i], '@') < 0)
            continue;
        if (joined.length)
            buf_char(&joined, ' ');
        buf_str(&joined, ids[i]);
    }
    struct str kept = arena_str(arena, buf_view(&joined));
    buf_free(&joined);
    return kept;
}

static void read_in_reply_to(struct arena *arena, struct str value, struct envelope *e)
{
    e->in_reply_to = join_ids(arena, value);
}

static void read_references(struct arena *arena, struct str value, struct envelope *e)
{
    e->references = join_ids(arena, value);
}

static void read_date(struct arena *arena, struct str value, struct envelope *e)
{
    (void)arena;
    if (!date_parse(value, &e->sent_at, NULL))
        e->sent_at = 0;
}

static void read_received(struct arena *arena, struct str value, struct envelope *e)
{
    (void)arena;
    if (!date_parse_received(value, &e->received_at))
        e->received_at = 0;
}

/* "A list <list.example.org>": what stands in brackets, or the whole. */
static void read_list_id(struct arena *arena, struct str value, struct envelope *e)
{
    e->list_id = header_id(arena, value);
}

static void read_unsubscribe(struct arena *arena, struct str value, struct envelope *e)
{
    e->list_unsubscribe = text_of(arena, value);
}

static void read_unsubscribe_post(struct arena *arena, struct str value, struct envelope *e)
{
    e->list_unsubscribe_post = text_of(arena, value);
}

/* "<mailto:list@example.org?subject=x> (comment)"; "NO" for a list that takes no mail. */
static void read_list_post(struct arena *arena, struct str value, struct envelope *e)
{
    struct str id = header_id(arena, value);
    if (str_starts_nocase(id, STR("mailto:")))
        e->list_post = str_cut(&(struct str){id.at + 7, id.length - 7}, '?');
}

static void read_list_archive(struct arena *arena, struct str value, struct envelope *e)
{
    e->list_archive = header_id(arena, value);
}

static void read_authentication(struct arena *arena, struct str value, struct envelope *e)
{
    if (e->authentication_results_count < ENVELOPE_AUTHENTICATION_RESULTS)
        e->authentication_results[e->authentication_results_count++] = text_of(arena, value);
}

/* X-Priority: "1 (Highest)"; Importance and Priority: words. */
static void read_priority(struct arena *arena, struct str value, struct envelope *e)
{
    static const struct {
        const char *word;
        int priority;
    } words[] = {{"high", 1}, {"urgent", 1}, {"low", 5}, {"non-urgent", 5}};
    (void)arena;
    value = str_trim(value);
    if (e->priority != 3) /* the first that says something counts */
        return;
    if (value.length && value.at[0] >= '1' && value.at[0] <= '5')
        e->priority = value.at[0] - '0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal_nocase(value, str_of(words[i].word)))
            e->priority = words[i].priority;
}

static struct str first_word(struct arena *arena, struct str value)
{
    struct header_value parsed;
    header_parse_value(arena, str_sub(value, 0, ENVELOPE_TEXT_BYTES_MAX), &parsed);
    return parsed.value;
}

static void read_auto_submitted(struct arena *arena, struct str value, struct envelope *e)
{
    struct str word = first_word(arena, value);
    if (!str_equal(word, STR("no")))
        e->auto_submitted = word;
}

static void read_precedence(struct arena *arena, struct str value, struct envelope *e)
{
    e->precedence = first_word(arena, value);
}

static void read_content_type(struct arena *arena, struct str value, struct envelope *e)
{
    e->content_type = first_word(arena, value);
}

static struct str first_email(struct arena *arena, struct str value)
{
    struct mail_addresses list;
    address_parse(arena, value, &list);
    return list.count ? list.at[0].email : STR_EMPTY;
}

static void read_receipt_to(struct arena *arena, struct str value, struct envelope *e)
{
    e->disposition_notification_to = first_email(arena, value);
}

static void read_return_path(struct arena *arena, struct str value, struct envelope *e)
{
    e->return_path = str_equal(str_trim(value), STR("<>")) ? STR("<>") : first_email(arena, value);
}

static void read_spam(struct arena *arena, struct str value, struct envelope *e)
{
    if (e->spam_status.length == 0)
        e->spam_status = text_of(arena, value);
}

#define READ_ADDRESSES(field)                                                           \
    static void read_##field(struct arena *arena, struct str value, struct envelope *e) \
    {                                                                                   \
        address_parse(arena, value, &e->field);                                         \
    }
READ_ADDRESSES(from)
READ_ADDRESSES(sender)
READ_ADDRESSES(reply_to)
READ_ADDRESSES(to)
READ_ADDRESSES(cc)
READ_ADDRESSES(bcc)
#undef READ_ADDRESSES

static const struct envelope_field {
    const char *name;
    void (*read)(struct arena *arena, struct str value, struct envelope *e);
    bool may_repeat; /* otherwise the first counts: a second one was added by someone else */
} fields[] = {
    {"subject", read_subject, false},
    {"from", read_from, false},
    {"sender", read_sender, false},
    {"reply-to", read_reply_to, false},
    {"to", read_to, false},
    {"cc", read_cc, false},
    {"bcc", read_bcc, false},
    {"date", read_date, false},
    {"received", read_received, false},
    {"message-id", read_message_id, false},
    {"in-reply-to", read_in_reply_to, false},
    {"references", read_references, false},
    {"list-id", read_list_id, false},
    {"list-unsubscribe", read_unsubscribe, false},
    {"list-unsubscribe-post", read_unsubscribe_post, false},
    {"list-post", read_list_post, false},
    {"list-archive", read_list_archive, false},
    {"authentication-results", read_authentication, true},
    {"x-priority", read_priority, false},
    {"importance", read_priority, false},
    {"priority", read_priority, false},
    {"auto-submitted", read_auto_submitted, false},
    {"precedence", read_precedence, false},
    {"content-type", read_content_type, false},
    {"disposition-notification-to", read_receipt_to, false},
    {"x-spam-status", read_spam, false},
    {"x-spam-flag", read_spam, false},
    {"x-spam", read_spam, false},
    {"return-path", read_return_path, false},
};
enum { FIELDS = sizeof fields / sizeof *fields };

void envelope_parse(struct arena *arena, struct str header, struct envelope *e)
{
    *e = (struct envelope){
        .message_id = STR_EMPTY,
        .in_reply_to = STR_EMPTY,
        .references = STR_EMPTY,
        .subject = STR_EMPTY,
        .base_subject = STR_EMPTY,
        .list_id = STR_EMPTY,
        .list_unsubscribe = STR_EMPTY,
        .list_unsubscribe_post = STR_EMPTY,
        .list_post = STR_EMPTY,
        .list_archive = STR_EMPTY,
        .priority = 3,
        .auto_submitted = STR_EMPTY,
        .precedence = STR_EMPTY,
        .content_type = STR_EMPTY,
        .disposition_notification_to = STR_EMPTY,
        .spam_status = STR_EMPTY,
        .return_path = STR_EMPTY,
    };
    bool seen[FIELDS] = {false};
    struct header_walk walk = header_begin(header);
    struct header_field field;
    while (header_next(&walk, &field)) {
        for (size_t i = 0; i < FIELDS; i++) {
            if ((seen[i] && !fields[i].may_repeat) ||
                !str_equal_nocase(field.name, str_of(fields[i].name)))
                continue;
            seen[i] = true;
            fields[i].read(arena, field.value, e);
            break;
        }
    }
    e->is_cut = walk.is_cut;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void write_if_any(struct json *json, const char *name, struct str value)
{
    if (value.length == 0)
        return;
    json_write_name(json, name);
    json_write_str(json, value);
}

bool envelope_write_json(struct buf *out, const struct envelope *e)
{
    size_t start = out->length;
    struct json json = JSON_INIT(out);
    json_write_object(&json);
    size_t nothing = out->length;
    write_if_any(&json, "listId", e->list_id);
    write_if_any(&json, "listUnsubscribe", e->list_unsubscribe);
    write_if_any(&json, "listUnsubscribePost", e->list_unsubscribe_post);
    write_if_any(&json, "listPost", e->list_post);
    write_if_any(&json, "listArchive", e->list_archive);
    if (e->authentication_results_count) {
        json_write_name(&json, "authenticationResults");
        json_write_array(&json);
        for (size_t i = 0; i < e->authentication_results_count; i++)
            json_write_str(&json, e->authentication_results[i]);
        json_write_array_end(&json);
    }
    if (e->priority != 3) {
        json_write_name(&json, "priority");
        json_write_i64(&json, e->priority);
    }
    write_if_any(&json, "autoSubmitted", e->auto_submitted);
    write_if_any(&json, "precedence", e->precedence);
    write_if_any(&json, "receiptTo", e->disposition_notification_to);
    write_if_any(&json, "spamStatus", e->spam_status);
    write_if_any(&json, "returnPath", e->return_path);
    bool has_any = out->length > nothing;
    if (!has_any)
        out->length = start;
    else
        json_write_object_end(&json);
    return has_any;
}

#include "server/sync/reports.h"

#include <jansson.h>

#include "server/base/log.h"
#include "server/base/utf8.h"
#include "server/store/blobs.h"
#include "server/store/submissions.h"
#include "server/sync/imap_body.h"

enum { REPORTS_A_SLICE = 10, PART_BYTES_MAX = 256 * 1024, WORDS_BYTES_MAX = 300 };

/* --- its bytes ------------------------------------------------------------------------------- */

static bool read_here(struct slice *slice, int64_t email_id, const struct mime_part *part,
                      struct str *bytes)
{
    struct blob blob;
    int64_t offset = 0, account_id = slice->account->id;
    bool is_here =
        blob_of_email(slice->db, slice->arena, account_id, email_id, part->id, &blob, NULL);
    int64_t length = is_here ? blob.size_bytes : (int64_t)part->body_length;
    if (!is_here && part->body_offset) {
        is_here =
            blob_of_email(slice->db, slice->arena, account_id, email_id, STR_EMPTY, &blob, NULL);
        offset = (int64_t)part->body_offset;
    }
    if (!is_here)
        return false;
    length = length < PART_BYTES_MAX ? length : PART_BYTES_MAX;
    struct buf out = BUF_INIT(PART_BYTES_MAX);
    is_here = blob_read(slice->db, &blob, offset, length, &out, NULL);
    *bytes = arena_str(slice->arena, buf_view(&out));
    buf_free(&out);
    return is_here;
}

/* Empty `bytes`: they are to be had nowhere. False: not now, and the report is looked at again, for
 * one that was passed over is never told. */
static bool obtain(struct slice *slice, int64_t email_id, const struct mime_part *part,
                   struct str *bytes, struct error *err)
{
    struct error why = ERROR_INIT;
    struct body_wanted wanted = {.email_id = email_id, .parts = {part->id}, .part_count = 1};
    *bytes = STR_EMPTY;
    if (read_here(slice, email_id, part, bytes) || !slice->account->imap)
        return true;
    if (imap_fetch_body(slice, &wanted, &why)) {
        read_here(slice, email_id, part, bytes);
        return true;
    }
    bool is_final = why.kind == ERROR_NOT_FOUND || why.retry == ERROR_RETRY_NEVER;
    if (!is_final)
        *err = why;
    return is_final;
}

/* --- which message of ours ------------------------------------------------------------------- */

static bool is_report(const struct mime_part *part)
{
    return str_equal(part->type, STR("message/delivery-status")) ||
           str_equal(part->type, STR("message/global-delivery-status")) ||
           str_equal(part->type, STR("message/disposition-notification")) ||
           str_equal(part->type, STR("message/global-disposition-notification"));
}

/* The Message-ID in the header of the original that came back with the report; empty: none did. */
static bool returned_id(struct slice *slice, int64_t email_id, const struct mime_message *message,
                        struct str *id, struct error *err)
{
    struct str bytes;
    struct parser_header_field *fields;
    size_t count;
    for (struct mime_part *part = message->root; part; part = mime_next(part)) {
        if (!str_equal(part->type, STR("text/rfc822-headers")) &&
            !str_equal(part->type, STR("message/rfc822")))
            continue;
        if (!obtain(slice, email_id, part, &bytes, err) ||
            !parser_header_fields(slice->sync->parsers, slice->arena, bytes, &fields, &count, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (str_equal_nocase(fields[i].name, STR("Message-ID"))) {
                struct str value = str_trim(fields[i].value);
                value = str_starts(value, STR("<")) ? str_skip(value, 1) : value;
                *id = str_ends(value, STR(">")) ? str_sub(value, 0, value.length - 1) : value;
                return true;
            }
    }
    return true;
}

/* --- telling it ------------------------------------------------------------------------------ */

static bool is_final(const char *delivery)
{
    return delivery && (strcmp(delivery, "delivered") == 0 || strcmp(delivery, "failed") == 0 ||
                        strcmp(delivery, "displayed") == 0);
}

/* Receipts name whoever answers; when there was one recipient it is that one. */
static bool concerns(const json_t *recipient, const json_t *told, size_t recipient_count)
{
    struct str email = str_of(json_string_value(json_object_get(recipient, "email")));
    struct str reported = str_of(json_string_value(json_object_get(told, "email")));
    return str_equal_nocase(email, reported) || (recipient_count == 1 && !reported.length);
}

static bool note(json_t *recipients, const json_t *report, int64_t email_id)
{
    size_t i, k;
    json_t *recipient;
    const json_t *told;
    bool is_news = false;
    json_array_foreach(json_object_get(report, "recipients"), i, told)
    {
        const char *action = json_string_value(json_object_get(told, "action"));
        struct str words = str_of(json_string_value(json_object_get(told, "diagnostic")));
        words = utf8_prefix(words, WORDS_BYTES_MAX);
        json_array_foreach(recipients, k, recipient)
        {
            const char *before = json_string_value(json_object_get(recipient, "delivery"));
            if (!action || !concerns(recipient, told, json_array_size(recipients)) ||
                (is_final(before) && !is_final(action)) || (before && !strcmp(before, action)))
                continue;
            json_object_set_new(recipient, "delivery", json_string(action));
            json_object_set_new(recipient, "report", json_stringn(words.at, words.length));
            json_object_set_new(recipient, "reportId", json_sprintf("%lld", (long long)email_id));
            is_news = true;
        }
    }
    return is_news;
}

static bool tell(struct slice *slice, int64_t email_id, struct str message_id, const json_t *report,
                 struct error *err)
{
    int64_t id, account_id = slice->account->id;
    struct str recipients;
    struct error why = ERROR_INIT;
    if (!db_begin(slice->db, err))
        return false;
    bool is_good = submission_by_message(slice->db, slice->arena, account_id, message_id, &id,
                                         &recipients, &why);
    if (is_good) {
        json_t *list = json_loadb(recipients.at, recipients.length, 0, NULL);
        if (note(list, report, email_id)) {
            char *text = json_dumps(list, JSON_COMPACT);
            is_good = submission_tell(slice->db, account_id, id, str_of(text), &why);
            free(text);
        }
        json_decref(list);
        LOG_INFO("submit.report", log_int("submission", id), log_int("email", email_id));
    }
    if (is_good)
        return db_commit(slice->db, err);
    db_rollback(slice->db);
    if (why.kind != ERROR_NOT_FOUND)
        *err = why;
    return why.kind == ERROR_NOT_FOUND; /* of a message that was not sent from here */
}

static bool take_report(struct slice *slice, int64_t email_id, struct str structure,
                        struct error *err)
{
    struct str bytes, text;
    const struct mime_message *message = parser_structure_read(slice->arena, structure, NULL);
    struct mime_part *part = message ? message->root : NULL;
    while (part && !is_report(part))
        part = mime_next(part);
    if (!part)
        return true;
    if (!obtain(slice, email_id, part, &bytes, err) ||
        !parser_card(slice->sync->parsers, slice->arena, part, bytes, &text, err))
        return false;
    json_t *report = json_loadb(text.at, text.length, 0, NULL);
    struct str id = str_of(json_string_value(json_object_get(report, "messageId")));
    bool is_good = id.length || returned_id(slice, email_id, message, &id, err);
    is_good = is_good && (!id.length || tell(slice, email_id, id, report, err));
    json_decref(report);
    return is_good;
}

bool reports_run(struct slice *slice, struct error *err)
{
    int64_t from, newest, id = slice->account->id;
    if (!submission_reports_range(slice->db, id, &from, &newest, err))
        return false;
    if (!from)
        return true;
    if (from < slice->account->reports_seen)
        from = slice->account->reports_seen;
    for (int i = 0; i < REPORTS_A_SLICE && from < newest; i++) {
        struct error why = ERROR_INIT;
        struct str structure;
        arena_reset(slice->arena);
        if (!submission_next_report(slice->db, slice->arena, id, from, newest, &from, &structure,
                                    &why)) {
            if (why.kind != ERROR_NOT_FOUND) {
                *err = why;
                return false;
            }
            from = newest;
        } else if (!take_report(slice, from, structure, err)) {
            return false;
        }
        slice->account->reports_seen = from;
    }
    return true;
}

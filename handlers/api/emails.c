/* Lists of emails: the hot path. One index range, written straight to the answer. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/look.h"
#include "server/store/mailboxes.h"

enum { LIMIT_STANDARD = 50 };

/* "1764031234567890-42": what `next` and `previous` give out. */
static bool read_cursor(const struct request *req, const char *name, struct email_cursor *cursor,
                        bool *is_given, struct error *err)
{
    struct str text = request_argument(req, name);
    *is_given = text.at != NULL;
    if (!*is_given)
        return true;
    /* what is before 1970 begins with a '-' itself */
    struct str rest = str_skip(text, text.length > 0);
    ptrdiff_t at = str_find_char(rest, '-') + 1;
    return (at > 0 && str_to_i64(str_sub(text, 0, (size_t)at), &cursor->received_at) &&
            str_to_i64(str_skip(text, (size_t)at + 1), &cursor->id) && cursor->id > 0) ||
           error_set(err, ERROR_INVALID, "\"%s\" is no place in a list.", name);
}

struct page {
    struct email_cursor cursor;
    bool is_backward;
    bool collapses_threads; /* of each conversation the newest message (RFC 8621 section 4.4.3) */
    int limit;
};

static bool read_page(const struct request *req, struct page *page, struct error *err)
{
    bool has_after, has_before;
    uint32_t limit = LIMIT_STANDARD;
    struct str text = request_argument(req, "limit");
    *page = (struct page){0};
    if (text.at && (!str_to_u32(text, &limit) || limit < 1 || limit > EMAIL_PAGE_MAX))
        return error_set(err, ERROR_INVALID, "\"limit\" is a number from 1 to %d.", EMAIL_PAGE_MAX);
    page->limit = (int)limit;
    if (!read_cursor(req, "after", &page->cursor, &has_after, err) ||
        !read_cursor(req, "before", &page->cursor, &has_before, err))
        return false;
    page->is_backward = has_before;
    struct str collapses = request_argument(req, "collapseThreads");
    page->collapses_threads = str_equal(collapses, STR("true"));
    if (collapses.length && !page->collapses_threads && !str_equal(collapses, STR("false")))
        return error_set(err, ERROR_INVALID, "\"collapseThreads\" is true or false.");
    return !(has_after && has_before) ||
           error_set(err, ERROR_INVALID, "Give \"after\" or \"before\", not both.");
}

static void write_cursor(struct json *json, const char *name, const struct email *email)
{
    char text[48];
    int length = snprintf(text, sizeof text, "%lld-%lld", (long long)email->received_at,
                          (long long)email->id);
    json_write_name(json, name);
    if (email->id == 0)
        json_write_null(json);
    else
        json_write_str(json, str_make(text, (size_t)length));
}

/* `next` leads to older ones, `previous` to newer ones; null at either end. */
static void write_page(struct response *res, const struct email *emails, size_t count,
                       const struct page *page, bool has_more)
{
    static const struct email none;
    bool has_older = count > 0 && (page->is_backward || has_more);
    bool has_newer = count > 0 && (page->is_backward ? has_more : page->cursor.id != 0);
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "emails");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_email_metadata(&json, &emails[i], NULL, 0);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    write_cursor(&json, "next", has_older ? &emails[count - 1] : &none);
    write_cursor(&json, "previous", has_newer ? &emails[0] : &none);
    json_write_object_end(&json);
}

bool api_emails(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct page page;
    struct email *emails;
    struct mailbox mailbox;
    int64_t account_id, mailbox_id;
    size_t count;
    bool has_more;
    if (!read_page(req, &page, err) || !request_param_id(req, "mailbox", &mailbox_id, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good = look_at_mailbox(req, db, account_id, mailbox_id, err) &&
                   (page.collapses_threads ? threads_page : emails_page)(
                       db, req->arena, account_id, mailbox_id, page.cursor, page.is_backward,
                       page.limit, &emails, &count, &has_more, err);
    /* only an empty page leaves open whether there is such a mailbox */
    if (is_good && count == 0)
        is_good = mailbox_by_id(db, req->arena, account_id, mailbox_id, &mailbox, err);
    if (!answer_done(req, &db, is_good))
        return false;
    write_page(res, emails, count, &page, has_more);
    return true;
}

bool api_thread(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct email *emails;
    struct placement *placements;
    int64_t account_id, thread_id, *ids;
    size_t count, placement_count;
    if (!request_param_id(req, "thread", &thread_id, err) ||
        !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good =
        thread_emails(db, req->arena, account_id, thread_id, &ids, &count, err) &&
        emails_by_ids(db, req->arena, account_id, ids, count, &emails, &count, err) &&
        placements_of(db, req->arena, account_id, ids, count, &placements, &placement_count, err);
    if (!answer_done(req, &db, is_good))
        return false;
    if (count == 0)
        return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "id", thread_id);
    json_write_name(&json, "emailIds");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        char text[24];
        int length = snprintf(text, sizeof text, "%lld", (long long)emails[i].id);
        json_write_str(&json, str_make(text, (size_t)length));
    }
    json_write_array_end(&json);
    json_write_name(&json, "emails");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json);
        answer_email_metadata(&json, &emails[i], placements, placement_count);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

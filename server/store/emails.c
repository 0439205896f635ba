#include "server/store/emails.h"

#include <assert.h>

#include "server/store/db.h"

const struct flag_name flag_names[] = {
    {FLAG_SEEN, "$seen", "\\Seen"},
    {FLAG_ANSWERED, "$answered", "\\Answered"},
    {FLAG_FLAGGED, "$flagged", "\\Flagged"},
    {FLAG_DELETED, NULL, "\\Deleted"},
    {FLAG_DRAFT, "$draft", "\\Draft"},
    {FLAG_FORWARDED, "$forwarded", "$Forwarded"},
    {FLAG_JUNK, "$junk", "$Junk"},
    {FLAG_NOT_JUNK, "$notjunk", "$NotJunk"},
    {FLAG_MDN_SENT, "$mdnsent", "$MDNSent"},
    {FLAG_PHISHING, "$phishing", "$Phishing"},
    {0, NULL, NULL},
};

/* The columns that all statements on emails begin with. */
static void read_email(struct db_rows *rows, struct arena *arena, struct email *email)
{
    email->id = db_get_i64(rows);
    email->thread_id = db_get_i64(rows);
    email->message_id = db_get_str(rows, arena);
    email->in_reply_to = db_get_str(rows, arena);
    email->references = db_get_str(rows, arena);
    email->subject = db_get_str(rows, arena);
    email->from_json = db_get_str(rows, arena);
    email->sender_json = db_get_str(rows, arena);
    email->reply_to_json = db_get_str(rows, arena);
    email->to_json = db_get_str(rows, arena);
    email->cc_json = db_get_str(rows, arena);
    email->bcc_json = db_get_str(rows, arena);
    email->sent_at = db_get_time(rows);
    email->received_at = db_get_time(rows);
    email->size_bytes = db_get_i64(rows);
    email->has_attachment = db_get_bool(rows);
    email->preview = db_get_str(rows, arena);
    email->flags = db_get_i32(rows);
    email->keywords = db_get_words(rows, arena);
    email->state = (enum email_state)db_get_i16(rows);
}

/* One of the four statements that list a mailbox, and what it is asked with. */
struct question {
    const char *name;
    struct db_value values[6];
};

static struct question page_question(int64_t account_id, int64_t mailbox_id,
                                     struct email_cursor cursor, bool is_backward, bool by_thread,
                                     int limit)
{
    static const char *const names[2][2] = {{"emails_page", "emails_page_newer"},
                                            {"threads_page", "threads_page_newer"}};
    assert(limit > 0 && limit <= EMAIL_PAGE_MAX);
    bool is_from_end = cursor.received_at == 0 && cursor.id == 0;
    if (is_from_end) /* beyond everything, on the side where we begin */
        cursor = is_backward ? (struct email_cursor){INT64_MIN / 100, 0}
                             : (struct email_cursor){INT64_MAX, INT64_MAX};
    return (struct question){names[by_thread][is_backward],
                             {db_i64(account_id),
                              db_i64(mailbox_id),
                              db_time(cursor.received_at),
                              db_i64(cursor.id),
                              db_i64(limit + 1),
                              {.type = DB_END}}};
}

void mailbox_page_foresee(struct db *db, int64_t user_id, int64_t account_id, int64_t mailbox_id,
                          struct email_cursor cursor, bool is_backward, bool by_thread, int limit)
{
    struct question page =
        page_question(account_id, mailbox_id, cursor, is_backward, by_thread, limit);
    db_foresee(db, "account_list", db_i64(user_id));
    db_foresee(db, "mailbox_list", db_i64(account_id));
    db_foresee(db, "label_list", db_i64(account_id));
    db_foresee(db, "operation_news", db_i64(account_id));
    db_foresee_values(db, page.name, page.values);
}

static bool read_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                      struct email_cursor cursor, bool is_backward, bool by_thread, int limit,
                      struct email **emails, size_t *count, bool *has_more, struct error *err)
{
    struct question page =
        page_question(account_id, mailbox_id, cursor, is_backward, by_thread, limit);
    struct db_rows rows;
    if (!db_select_values(db, page.name, &rows, err, page.values))
        return false;
    *has_more = rows.row_count > limit;
    *count = (size_t)(*has_more ? limit : rows.row_count);
    *emails = ARENA_ARRAY(arena, *count, struct email);
    for (size_t i = 0; i < *count && db_next(&rows); i++) {
        struct email *email = &(*emails)[is_backward ? *count - 1 - i : i];
        read_email(&rows, arena, email);
        email->account_id = account_id;
        email->mailbox_id = mailbox_id;
        if (!by_thread)
            continue;
        email->thread_total = (int)db_get_i64(&rows);
        email->is_thread_unread = db_get_bool(&rows);
        email->thread_flags = db_get_i32(&rows);
        email->has_thread_attachment = db_get_bool(&rows);
        email->thread_ids = db_get_str(&rows, arena);
        email->thread_people = db_get_str(&rows, arena);
    }
    db_rows_free(&rows);
    return true;
}

bool emails_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                 struct email_cursor cursor, bool is_backward, int limit, struct email **emails,
                 size_t *count, bool *has_more, struct error *err)
{
    return read_page(db, arena, account_id, mailbox_id, cursor, is_backward, false, limit, emails,
                     count, has_more, err);
}

bool threads_page(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                  struct email_cursor cursor, bool is_backward, int limit, struct email **emails,
                  size_t *count, bool *has_more, struct error *err)
{
    return read_page(db, arena, account_id, mailbox_id, cursor, is_backward, true, limit, emails,
                     count, has_more, err);
}

bool email_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                 struct email *email, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "email_by_id", &rows, "there is no such message", err,
                       db_i64(account_id), db_i64(id)))
        return false;
    read_email(&rows, arena, email);
    email->account_id = account_id;
    email->mailbox_id = 0;
    email->structure = db_get_str(&rows, arena);
    email->header_json = db_get_str(&rows, arena);
    email->blob_id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool emails_by_ids(struct db *db, struct arena *arena, int64_t account_id, const int64_t *ids,
                   size_t id_count, struct email **emails, size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    *emails = NULL;
    if (!id_count)
        return true;
    if (!db_select(db, "emails_by_ids", &rows, err, db_i64(account_id),
                   db_i64_array(ids, id_count)))
        return false;
    *emails = ARENA_ARRAY(arena, (size_t)rows.row_count, struct email);
    while (db_next(&rows)) {
        struct email *email = &(*emails)[(*count)++];
        read_email(&rows, arena, email);
        email->account_id = account_id;
        email->mailbox_id = db_get_i64(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool placements_of(struct db *db, struct arena *arena, int64_t account_id, const int64_t *email_ids,
                   size_t email_count, struct placement **placements, size_t *count,
                   struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "placements_of", &rows, err, db_i64(account_id),
                   db_i64_array(email_ids, email_count)))
        return false;
    *placements = ARENA_ARRAY(arena, (size_t)rows.row_count, struct placement);
    *count = 0;
    while (db_next(&rows)) {
        struct placement *placement = &(*placements)[(*count)++];
        placement->email_id = db_get_i64(&rows);
        placement->mailbox_id = db_get_i64(&rows);
        placement->flags = db_get_i32(&rows);
        placement->keywords = db_get_words(&rows, arena);
        placement->is_upstream = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool email_neighbours(struct db *db, int64_t account_id, int64_t mailbox_id, int64_t email_id,
                      int64_t *newer_id, int64_t *older_id, struct error *err)
{
    struct db_rows rows;
    *newer_id = *older_id = 0;
    if (!db_select(db, "email_neighbours", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_i64(email_id)))
        return false;
    if (db_next(&rows)) {
        *newer_id = db_get_i64(&rows);
        *older_id = db_get_i64(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool thread_emails(struct db *db, struct arena *arena, int64_t account_id, int64_t thread_id,
                   int64_t **email_ids, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "thread_emails", &rows, err, db_i64(account_id), db_i64(thread_id)))
        return false;
    *email_ids = ARENA_ARRAY(arena, (size_t)rows.row_count, int64_t);
    *count = 0;
    while (db_next(&rows))
        (*email_ids)[(*count)++] = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

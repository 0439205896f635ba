/* Drafts that were written before the mail server's own Drafts folder was known. */
#include "server/store/changes_private.h"
#include "server/store/drafts.h"

enum { ADOPTED_MAX = 1000 };

static bool move(struct db *db, int64_t account_id, int64_t from_id, int64_t to_id,
                 int64_t ids[ADOPTED_MAX], size_t *count, int *visible, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    *visible = 0;
    if (!db_select(db, "draft_adopt", &rows, err, db_i64(account_id), db_i64(from_id),
                   db_i64(to_id), db_i32(ADOPTED_MAX)))
        return false;
    while (*count < ADOPTED_MAX && db_next(&rows)) {
        ids[(*count)++] = db_get_i64(&rows);
        *visible += !db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

static bool remove_if_empty(struct db *db, int64_t account_id, int64_t mailbox_id, bool *is_gone,
                            struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "draft_mailbox_remove", &rows, err, db_i64(account_id), db_i64(mailbox_id)))
        return false;
    *is_gone = db_next(&rows);
    db_rows_free(&rows);
    return true;
}

bool drafts_adopt(struct db *db, int64_t account_id, int64_t from_id, int64_t to_id,
                  struct error *err)
{
    int64_t ids[ADOPTED_MAX], updated[] = {to_id, from_id};
    size_t count;
    int visible;
    bool started, is_gone = false;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        move(db, account_id, from_id, to_id, ids, &count, &visible, err) &&
        db_post(db, "draft_count", err, db_i64(account_id), db_i64(from_id), db_i32(-visible)) &&
        db_post(db, "draft_count", err, db_i64(account_id), db_i64(to_id), db_i32(visible)) &&
        remove_if_empty(db, account_id, from_id, &is_gone, err);
    if (is_good && (count > 0 || is_gone)) { /* other mail in it keeps it, time after time */
        struct change changes[] = {{.type = CHANGE_EMAIL, .updated = ids, .updated_count = count},
                                   {.type = CHANGE_MAILBOX,
                                    .updated = updated,
                                    .updated_count = is_gone ? 1 : 2,
                                    .destroyed = &from_id,
                                    .destroyed_count = is_gone}};
        is_good = changes_write(db, account_id, changes, 2, NULL, err);
    }
    return db_leave(db, started, is_good, err);
}
